#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ring engine stands a hostile driver for as long as we look (ring_fuzz.c).
#
# Environment: VHB_BUILD (build directory, default build), VHB_FUZZ_SECONDS (how long, default 20). What breaks it is
# left in VHB_BUILD/fuzz.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ktap.sh"
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES O

build=$(realpath -m -- "${VHB_BUILD:-build}")
seconds=${VHB_FUZZ_SECONDS:-20}
fuzzer=$build/fuzz/ring_fuzz

builds() {
	make -f selftests/programs.mk --no-print-directory "O=$build" "$fuzzer"
}

# What it finds on its way is of no use to the next run: starting anew finds it in a second.
stands() {
	local log runs

	log=$build/fuzz/ring_fuzz.log
	if ! "$fuzzer" "-max_total_time=$seconds" -max_len=1024 -timeout=60 -print_final_stats=1 \
		"-artifact_prefix=$build/fuzz/" >"$log" 2>&1; then
		tail -n 60 "$log"
		return 1
	fi
	# One that did not get to work proves nothing.
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	if [ "${runs:-0}" -lt 1000 ]; then
		printf 'no more than %d runs in %d seconds\n' "${runs:-0}" "$seconds"
		return 1
	fi
}

command -v clang >/dev/null || ktap_skip_all "no clang"

ktap_plan 2
ktap_case "ring_fuzz builds" builds
ktap_case "ring_fuzz finds nothing" stands
ktap_end
