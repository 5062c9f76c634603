#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sessions stand hostile front-ends and a failing kernel for as long as we look (fuzz/session_run.h), beginning with
# what our tests say that front-ends do.
#
# Environment: see lib/fuzzer.sh
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ktap.sh"
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
. selftests/lib/fuzzer.sh

seeds=$fuzz_build/fuzz/session_seeds

seeds_of_tests() {
	local programs=()

	mapfile -t programs < <(cd selftests && grep -l -F lib/session_fixture.h session/*_test.c | sed 's/\.c$//')
	fuzzer_seeds "$seeds" "${programs[@]}"
}

# Which of the test's eventfds it was does not matter.
without_labels() {
	sed -E 's/^(SET_VRING_(KICK|CALL|ERR) [0-9]+) [a-z]+[0-9]*/\1 fd/' "$1"
}

# What the fuzzer plays is what the tests did: the kernel device hears the same. Of all of what front-ends are seen to
# do; other tests do what a script does not know.
plays_orders() {
	local seed count=0

	for seed in "$seeds"/orders_*; do
		if [ "${seed%.calls}" != "$seed" ]; then
			continue
		fi
		VHB_FUZZ_CALLS=$seeds.played "$fuzz_build/fuzz/session_fuzz" "$seed" >"$seeds.log" 2>&1 ||
			{ tail -n 20 "$seeds.log"; return 1; }
		diff -u <(without_labels "$seed.calls") <(without_labels "$seeds.played") || return 1
		count=$((count + 1))
	done
	[ "$count" -ge 50 ]
}

stands() {
	rm -f -- "$seeds"/*.calls
	fuzzer_stands session_fuzz 8192 "$seeds"
}

command -v clang >/dev/null || ktap_skip_all "no clang"

ktap_plan 4
ktap_case "session_fuzz builds" fuzzer_make fuzz/session_fuzz
ktap_case "session_fuzz has seeds" seeds_of_tests
ktap_case "session_fuzz plays what front-ends do" plays_orders
ktap_case "session_fuzz finds nothing" stands
ktap_end
