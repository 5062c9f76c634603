#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ring engine stands a hostile driver for as long as we look (ring_fuzz.c).
#
# Environment: see lib/fuzzer.sh
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ktap.sh"
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
. selftests/lib/fuzzer.sh

command -v clang >/dev/null || ktap_skip_all "no clang"

ktap_plan 2
ktap_case "ring_fuzz builds" fuzzer_make fuzz/ring_fuzz
ktap_case "ring_fuzz finds nothing" fuzzer_stands ring_fuzz 1024
ktap_end
