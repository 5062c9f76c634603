# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scripts that run fuzzers share. Sourced, never run, at the top of the tree. Uses ktap.sh.
#
# Environment: VHB_BUILD (build directory, default build), VHB_FUZZ_SECONDS (how long, default 60). What breaks a fuzzer
# is left in VHB_BUILD/fuzz.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES O

fuzz_build=$(realpath -m -- "${VHB_BUILD:-build}")
fuzz_seconds=${VHB_FUZZ_SECONDS:-60}

# fuzzer_make PROGRAM...: as part "unit" of check.sh does, so that it has made most of it.
fuzzer_make() {
	make -f selftests/programs.mk --no-print-directory "O=$fuzz_build" SANITIZE=1 "${@/#/$fuzz_build/}"
}

# fuzzer_stands NAME LENGTH [SEEDS]: it runs for as long as we look. What it finds on its way is not kept: starting
# from the seeds it finds it again in no time.
fuzzer_stands() {
	local log=$fuzz_build/fuzz/$1.log runs

	if ! "$fuzz_build/fuzz/$1" "-max_total_time=$fuzz_seconds" "-max_len=$2" -timeout=60 -print_final_stats=1 \
		"-artifact_prefix=$fuzz_build/fuzz/" ${3:+"$3"} >"$log" 2>&1; then
		tail -n 60 "$log"
		return 1
	fi
	# One that did not get to work proves nothing.
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	if [ "${runs:-0}" -lt 1000 ]; then
		printf 'no more than %d runs in %d seconds\n' "${runs:-0}" "$fuzz_seconds"
		return 1
	fi
}

# fuzzer_seeds DIRECTORY PROGRAM...: what these test programs do becomes seeds (lib/fuzz_seed.h).
fuzzer_seeds() {
	local directory=$1 program
	shift

	rm -rf -- "$directory"
	mkdir -p -- "$directory"
	fuzzer_make "${@/#/selftests/}" || return
	for program; do
		VHB_SEED_DIR=$directory "$fuzz_build/selftests/$program" >"$directory.log" 2>&1 ||
			{ tail -n 20 "$directory.log"; return 1; }
	done
	# There may be long ones, which the fuzzer would cut.
	find "$directory" -type f ! -name '*.calls' -size +16 -delete
}
