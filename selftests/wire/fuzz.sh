#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The codec stands any bytes and descriptors, cut anywhere, for as long as we look (fuzz/wire_fuzz.c).
#
# Environment: see lib/fuzzer.sh
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ktap.sh"
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
. selftests/lib/fuzzer.sh

seeds=$fuzz_build/fuzz/wire_seeds

seeds_of_tests() {
	fuzzer_seeds "$seeds" session/orders_{blk,dpdk,qemu,uml,vmm}_test
}

stands() {
	rm -f -- "$seeds"/*.calls
	fuzzer_stands wire_fuzz 8192 "$seeds"
}

command -v clang >/dev/null || ktap_skip_all "no clang"

ktap_plan 3
ktap_case "wire_fuzz builds" fuzzer_make fuzz/wire_fuzz
ktap_case "wire_fuzz has seeds" seeds_of_tests
ktap_case "wire_fuzz finds nothing" stands
ktap_end
