#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# selftest.sh - prove that the VM runner keeps its own promises
#
# Usage: selftest.sh [--kernel WHICH]
#
# Every other result rests on these: a runner that loses an exit status or overlooks a dirty log makes all tests pass.
# Output is KTAP; the exit status is 1 when a promise is broken. Ten boots: two minutes.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

kernel=6.12
count=0 failures=0
scratch=''

# boot_vm OPTION... -- COMMAND...: run the runner; its status in $status, its output in $scratch/{out,err}.
boot_vm() {
	status=0
	"$vm_dir/run.sh" --kernel "$kernel" --results "$scratch/results" "$@" \
		>"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
}

# report RESULT NAME: one KTAP line, with the last run's output when the result is not 0.
report() {
	local result=$1 name=$2

	count=$((count + 1))
	if [ "$result" = 0 ]; then
		printf 'ok %d %s\n' "$count" "$name"
	else
		failures=$((failures + 1))
		printf 'not ok %d %s\n' "$count" "$name"
		printf '# status %s\n' "$status"
		tail -n 15 "$scratch/out" "$scratch/err" | sed 's/^/# /'
	fi
}

# The arguments are the ones that careless quoting loses.
passes_arguments_and_status_0() {
	# shellcheck disable=SC2016
	local arguments=('a b' '' "it's" '"quoted"' '$HOME' '*' $'two\nlines' '--' '-x' 'back\slash' 'ümlaut')

	boot_vm -- printf '<%s>\n' "${arguments[@]}"
	[ "$status" -eq 0 ] && diff <(printf '<%s>\n' "${arguments[@]}") "$scratch/out" >&2
}

joins_output_and_passes_status_1() {
	# shellcheck disable=SC2016
	boot_vm -- sh -c 'echo one; echo two >&2; echo three >/dev/stdout; echo four >/dev/stderr; cat; pwd
		echo kept >/results/kept; touch /vhb/selftests/vm/must-not-appear; test "$VHB_IN_VM" = 1 && exit 1'
	[ "$status" -eq 1 ] && [ "$(tr '\n' ' ' <"$scratch/out")" = 'one two three four /vhb ' ] &&
		[ "$(<"$scratch/results/kept")" = kept ] && [ ! -e "$vm_dir/must-not-appear" ]
}

# A daemon that the command leaves behind holds its output open; the VM must end all the same.
ends_daemons_and_passes_status_77() {
	boot_vm --timeout 120 -- sh -c 'sleep 1000 & echo started; exit 77'
	[ "$status" -eq 77 ] && grep -qx started "$scratch/out"
}

reports_missing_command() {
	boot_vm -- /no/such/command
	[ "$status" -eq 127 ]
}

# Two CPUs, one of them flipping a hot static key: without guest/poke_twice that is the end within seconds.
survives_code_patching() {
	# shellcheck disable=SC2016
	boot_vm --timeout 120 -- bash -c 'while :; do /bin/true; done & while :; do :; done &
		while [ $SECONDS -lt 12 ]; do
			echo 1 >/proc/sys/kernel/sched_schedstats
			echo 0 >/proc/sys/kernel/sched_schedstats
		done'
	[ "$status" -eq 0 ]
}

reports_timeout() {
	local start=$SECONDS

	boot_vm --timeout 15 -- sleep 1000
	[ "$status" -eq 124 ] && grep -q 'timeout after 15 s' "$scratch/err" && [ $((SECONDS - start)) -lt 40 ]
}

reports_panic() {
	boot_vm -- sh -c 'echo before; echo c >/proc/sysrq-trigger; sleep 100'
	[ "$status" -eq 121 ] && grep -q 'the guest died: .*sysrq triggered crash' "$scratch/err" &&
		grep -qx before "$scratch/out"
}

reports_power_off() {
	boot_vm -- busybox poweroff -f
	[ "$status" -eq 121 ]
}

reports_dirty_log() {
	boot_vm -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at somewhere" >/dev/kmsg; exit 7'
	[ "$status" -eq 120 ] && grep -q "dirty dmesg, 1 lines; the command's own status was 7" "$scratch/err"
}

allows_named_lines() {
	boot_vm --allow-dmesg 'expected nonsense' -- sh -c 'echo "WARNING: expected nonsense" >/dev/kmsg; exit 7'
	[ "$status" -eq 7 ]
}

# The debug kernel's own: a helper that finds nothing must not pass for a kernel without leaks.
reports_leaks() {
	boot_vm -- bash -c '. selftests/lib/kmemleak.sh; kmemleak_usable || exit 1
		kmemleak_check || exit 2
		modprobe kmemleak-test; ! kmemleak_check || exit 3
		kmemleak_forget; kmemleak_check || exit 4
		exit 5'
	[ "$status" -eq 120 ] && grep -q "the command's own status was 5" "$scratch/err" &&
		grep -q 'new suspected memory leaks' "$scratch/err"
}

reports_use_after_free() {
	boot_vm -- sh -c 'modprobe lkdtm && echo WRITE_AFTER_FREE >/sys/kernel/debug/provoke-crash/DIRECT'
	[ "$status" -eq 120 ] && grep -q 'BUG: KASAN: ' "$scratch/err"
}

main() {
	local name result tests

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	--kernel) kernel=$2 ;;
	'') ;;
	*) die "unknown argument $1 (see --help)" ;;
	esac
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/vhb-vm-selftest.XXXXXX")
	trap 'rm -rf -- "$scratch"' EXIT

	tests=(passes_arguments_and_status_0 joins_output_and_passes_status_1 ends_daemons_and_passes_status_77
		reports_missing_command survives_code_patching reports_timeout reports_panic reports_power_off
		reports_dirty_log allows_named_lines)
	[ "$kernel" != debug ] || tests+=(reports_leaks reports_use_after_free)
	printf 'KTAP version 1\n1..%d\n' "${#tests[@]}"
	for name in "${tests[@]}"; do
		result=0
		"$name" || result=1
		report "$result" "$name"
	done
	[ "$failures" -eq 0 ]
}

main "$@"
