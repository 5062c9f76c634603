#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm_tests.sh - run the kselftests in the test VM, KTAP on standard output
#
# Usage: vm_tests.sh BUILD_DIR [KERNEL...]
#   BUILD_DIR  inside the checkout (usually build): programs are built to BUILD_DIR/vm, modules to build/modules, the
#              kernel of QEMU's guest to build/guests; consoles and kernel logs are left in BUILD_DIR/check/vm-KERNEL
#   KERNEL     6.12 and 6.1 unless given; debug is the debug kernel, with the tests of kernel code only; slow is 6.12
#              with the tests that take long
#
# Everything is compiled before the VM starts, in its root and with its compiler: an emulated CPU is too slow for that.
# What goes wrong around the tests (build, boot, dirty kernel log, time-out) shows as "Bail out!".
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES

say() {
	printf 'vm_tests: %s\n' "$*" >&2
}

bail_out() {
	printf 'Bail out! %s\n' "$*"
	exit 1
}

# in_root WHAT COMMAND...: natively, in the VM's root; the output is shown only when it fails.
in_root() {
	local what=$1 log=$build/vm/build.log start=$SECONDS
	shift

	if ! selftests/vm/chroot.sh "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		bail_out "$what: build failed"
	fi
	say "$what: $((SECONDS - start)) s"
}

# The kselftest framework travels with the build: the guest sees nothing of the host but this tree.
take_framework() {
	local source target=$build/vm/ksrc/tools/testing/selftests

	source=$(selftests/vm/ksrc.sh)/tools/testing/selftests || bail_out "no kselftest framework"
	mkdir -p "$target"
	cp -aT "$source/kselftest" "$target/kselftest"
	cp -a "$source"/lib.mk "$source"/*.h "$target/"
}

build_all() {
	local kernel jobs

	jobs=$(nproc)
	say "VM root (the first time this takes minutes)"
	selftests/vm/root.sh >/dev/null || bail_out "no VM root"
	mkdir -p "$build/vm"
	in_root "broker and test programs" make -j"$jobs" "O=$build/vm" all test-programs
	for kernel in "${@/slow/6.12}"; do
		# Built once, apart: its progress is to be seen.
		if [ "$kernel" = debug ]; then
			selftests/vm/debug-kernel.sh >/dev/null || bail_out "no debug kernel"
		fi
		in_root "module for $kernel" --kernel "$kernel" make -j"$jobs" modules
	done
	selftests/guests/build.sh --into build/guests >&2 || bail_out "no kernel for QEMU's guest"
	take_framework
}

# The kernel's own: vhost-net of Linux 6.1 and 6.12 warns, once and of its own accord, of some frames a hostile guest sends
# (hostile_test meets them by chance). The line of dashes stands before every warning; the one after it counts.
known_warning='-\[ cut here \]-|WARNING: CPU: .* at lib/iov_iter\.c:[0-9]+ copy_page_from_iter\+'

# What the debug kernel is for is the code in the kernel; the rest would only be slow on it. Two hundred times the module
# goes while its device has an owner that was killed under traffic.
debug_options=("FOLDERS=module uapi blk debug" kselftest_override_timeout=3600 VHB_OWNER_ROUNDS=100 VHB_PATIENCE=5)

# Rounds are what makes them slow.
slow_options=(FOLDERS=slow kselftest_override_timeout=7200 "SLOW_ROUNDS=${SLOW_ROUNDS:-2}"
	"SLOW_POSTCOPY_ROUNDS=${SLOW_POSTCOPY_ROUNDS:-1}")

run_kernel() {
	local kernel=$1 status=0 start=$SECONDS limit=3000 options=()

	say "kernel $kernel"
	if [ "$kernel" = debug ]; then
		options=("${debug_options[@]}") limit=7200
	fi
	if [ "$kernel" = slow ]; then
		options=("${slow_options[@]}") limit=14400
	fi
	selftests/vm/run.sh --kernel "${kernel/slow/6.12}" --timeout "$limit" --results "$build/check/vm-$kernel" \
		--allow-dmesg "$known_warning" -- \
		make -C /vhb/selftests "O=/vhb/$build/vm" "KSRC=/vhb/$build/vm/ksrc" \
		${options[@]+"${options[@]}"} run_tests || status=$?
	say "kernel $kernel: $((SECONDS - start)) s"
	case $status in
	0) return ;;
	120) printf 'Bail out! kernel %s: the kernel log is dirty\n' "$kernel" ;;
	121) printf 'Bail out! kernel %s: the guest died\n' "$kernel" ;;
	124) printf 'Bail out! kernel %s: time-out\n' "$kernel" ;;
	*) printf 'Bail out! kernel %s: the run ended with status %d\n' "$kernel" "$status" ;;
	esac
	failed=1
}

[ $# -ge 1 ] || { say "usage: vm_tests.sh BUILD_DIR [KERNEL...]"; exit 2; }
build=$(realpath -m --relative-to=. -- "$1")
shift
case $build in
.. | ../* | /*) bail_out "the build directory $build is outside the checkout, the VM would not see it" ;;
esac
[ $# -gt 0 ] || set -- 6.12 6.1

failed=0
build_all "$@"
for kernel in "$@"; do
	run_kernel "$kernel"
done
exit "$failed"
