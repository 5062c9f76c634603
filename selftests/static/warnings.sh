#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Everything in C compiles without a warning: broker and tests with gcc and clang, the module for both kernels.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES O

build=$(realpath -m --relative-to=. -- "${VHB_STATIC_BUILD:-build/check/static}")
compilers=(gcc clang)
kernels=(6.12 6.1)

# -k: all complaints at once
check_userspace() {
	make -k -j"$(nproc)" "O=$build/$1" "CC=$1" W=1 "$2" >/dev/null
}

check_module() {
	selftests/vm/chroot.sh sh -c "module/build.sh /lib/modules/$1.*/build /vhb/$build/warnings make KCFLAGS=-Werror W=1"
}

ktap_plan $((2 * ${#compilers[@]} + ${#kernels[@]}))
for compiler in "${compilers[@]}"; do
	for part in all test-programs; do
		if command -v "$compiler" >/dev/null; then
			ktap_case "$compiler, make $part" check_userspace "$compiler" "$part"
		else
			ktap_skip "$compiler, make $part" "no $compiler"
		fi
	done
done
for kernel in "${kernels[@]}"; do
	if [ "$(id -u)" -ne 0 ]; then
		ktap_skip "module on $kernel" "needs root for the VM's root file system"
	else
		ktap_case "module on $kernel" check_module "$kernel"
	fi
done
ktap_end
