#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh - run tests and count their cases
#
# Usage: check.sh PART...
#   static  style and layer rules (selftests/static), and the tests of the test tools themselves
#   unit    the C tests, natively and with sanitizers, and the fuzzers for a short time
#   runner  the VM runner keeps its promises (selftests/vm/selftest.sh)
#   vm      everything that needs a kernel with vhost, in a VM (selftests/vm_tests.sh)
#   debug   the tests of kernel code, in a VM with the debug kernel (selftests/vm/debug-kernel.sh)
#   slow    what takes long (selftests/slow), in a VM with kernel 6.12; SLOW_ROUNDS says how long
#
# Installs missing packages first where it can. Complete output is left in O/check/*.ktap. At the end comes what failed
# programs said, the name of every skipped and failed case, and last the line "N passed, N failed, N skipped". Status 1
# when a case failed.
#
# Environment: O (build directory, default build), TESTS (only tests with this in their path; static and unit),
#              KERNEL (vm: only this one), VHB_TEST_TIMEOUT (seconds for each native test program, default 300)
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# The kernel's makefiles and make itself read these: what is ours stays ours.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES

out=$(realpath -m -- "${O:-build}")
unset O
tests=${TESTS:-}
time_limit=${VHB_TEST_TIMEOUT:-300}
logs=$out/check
streams=()

say() {
	printf 'check: %s\n' "$*"
}

# Packages by set; what it cannot install it names, and the tests then say what they miss.
packages() {
	selftests/vm/packages.sh install "$@" || exit 1
}

# new_stream NAME: a fresh log; what follows is counted from there.
new_stream() {
	stream=$logs/$1.ktap
	streams+=("$stream")
	mkdir -p "$logs"
	printf 'TAP version 13\n' >"$stream"
}

# run_program NUMBER TOTAL NAME COMMAND...: as kselftest's runner does, output nested under one line of its own.
run_program() {
	local number=$1 total=$2 name=$3 status=0 start=$SECONDS line part
	shift 3

	part=$(mktemp "$logs/part.XXXXXX")
	timeout -k 5 "$time_limit" "$@" >"$part" 2>&1 </dev/null || status=$?
	case $status in
	0) line="ok $number $name" ;;
	4) line="ok $number $name # SKIP" ;;
	124 | 137) line="not ok $number $name # TIMEOUT $time_limit seconds" ;;
	*) line="not ok $number $name # exit=$status" ;;
	esac
	{
		sed 's/^/# /' "$part"
		printf '%s\n' "$line"
	} >>"$stream"
	case $line in
	ok*) say "[$number/$total] $name: $(grep -cE '^(not )?ok [0-9]' "$part" || true) cases, $((SECONDS - start)) s" ;;
	*)
		cat -- "$part"
		say "[$number/$total] $name: FAILED, status $status, $((SECONDS - start)) s"
		;;
	esac
	rm -f -- "$part"
}

# run_all RUNNER NAME...: one test after the other; RUNNER NAME leaves the command in the array `command`.
run_all() {
	local runner=$1 name number=0 command=()
	shift

	printf '1..%d\n' $# >>"$stream"
	for name in "$@"; do
		number=$((number + 1))
		"$runner" "$name"
		run_program "$number" $# "$name" "${command[@]}"
	done
}

# pick NAME...: those that TESTS asks for, into the array `picked`.
pick() {
	local name

	picked=()
	for name in "$@"; do
		case $name in
		*"$tests"*) picked+=("$name") ;;
		esac
	done
}

static_command() {
	command=(env "VHB_STATIC_BUILD=$logs/static" "selftests/$1.sh")
}

part_static() {
	local names=()

	# The kernel's headers are in the VM's root, and the broker is compiled.
	packages static build unit vm
	new_stream static
	# These go through the whole tree in one program; slow is not stuck.
	time_limit=$((3 * time_limit))
	# Files that only help are not executable.
	mapfile -t names < <(cd selftests &&
		find static lib -name '*.sh' -perm -u+x ! -name tally.sh ! -name failures.sh -printf '%p\n' | sed 's/\.sh$//' | sort)
	pick "${names[@]}"
	run_all static_command ${picked[@]+"${picked[@]}"}
}

unit_command() {
	case $1 in
	*/fuzz)
		command=(env "VHB_BUILD=$out/unit" "selftests/$1.sh")
		return
		;;
	esac
	# Line by line, so that what a program says on both its outputs stays in order; the preloaded library that
	# does it is no danger to the sanitizer's own.
	command=(env CMOCKA_MESSAGE_OUTPUT=TAP
		ASAN_OPTIONS=verify_asan_link_order=0:strict_string_checks=1:detect_stack_use_after_return=1
		UBSAN_OPTIONS=print_stacktrace=1
		stdbuf -oL "$out/unit/selftests/$1")
}

part_unit() {
	local names=() fuzzers=() programs=(make -f selftests/programs.mk --no-print-directory "O=$out/unit" SANITIZE=1)

	packages build unit
	time_limit=${VHB_TEST_TIMEOUT:-300}
	new_stream unit
	mapfile -t names < <("${programs[@]}" list)
	mapfile -t fuzzers < <(cd selftests && find . -name fuzz.sh -printf '%P\n' | sed 's/\.sh$//' | sort)
	pick "${names[@]}"
	say "building ${#picked[@]} test programs with sanitizers"
	if ! "${programs[@]}" -j"$(nproc)" "$out/unit/vhost-bridge" \
		${picked[@]+"${picked[@]/#/$out/unit/selftests/}"}; then
		say "the test programs do not build"
		printf 'Bail out! the test programs do not build\n' >>"$stream"
		return
	fi
	# These build what they run, with another compiler.
	pick "${names[@]}" "${fuzzers[@]}"
	run_all unit_command ${picked[@]+"${picked[@]}"}
}

part_runner() {
	packages build vm
	new_stream runner
	say "booting some ten VMs"
	time_limit=1800
	printf '1..1\n' >>"$stream"
	run_program 1 1 vm/selftest selftests/vm/selftest.sh
}

# on_kernels KERNEL...: the tests in the VM
on_kernels() {
	local kernel pid

	packages build vm
	for kernel; do
		new_stream "vm-$kernel"
		# Not through a pipe: whatever is left running must not keep us waiting for its end.
		selftests/vm_tests.sh "$out" "$kernel" >>"$stream" &
		pid=$!
		# The outer lines only; nested ones, hundreds of them, are in the log.
		tail -n +1 --pid="$pid" -f "$stream" | grep --line-buffered -E '^(not )?ok |^Bail out!' || true
		# What went wrong is in the stream.
		wait "$pid" || true
	done
}

part_vm() {
	# Names of kernels: no white space in them.
	# shellcheck disable=SC2086
	on_kernels ${KERNEL:-6.12 6.1}
}

part_debug() {
	on_kernels debug
}

part_slow() {
	on_kernels slow
}

main() {
	local part status=0

	[ $# -gt 0 ] || { say "usage: check.sh static|unit|runner|vm|debug|slow ..."; exit 2; }
	for part in "$@"; do
		case $part in
		static | unit | runner | vm | debug | slow) ;;
		*) say "unknown part '$part'"; exit 2 ;;
		esac
	done
	for part in "$@"; do
		"part_$part"
	done
	say "output in $logs"
	selftests/lib/tally.sh "${streams[@]}" >"$logs/tally" || status=$?
	tail -n 1 "$logs/tally" >"$logs/summary"
	selftests/lib/failures.sh "${streams[@]}"
	cat "$logs/tally"
	return "$status"
}

main "$@"
