#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sparse finds nothing in the broker (one case each file) and in the module (one case each kernel).
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

build=$(realpath -m --relative-to=. -- "${VHB_STATIC_BUILD:-build/check/static}")
kernels=(6.12 6.1)

# What sparse thinks of the system's headers is not ours to mend, unless it could not read on.
check_userspace() {
	local output shim=()

	# Where the module's virtqueues are in use, as in userspace/objects.mk
	case $1 in
	userspace/virtqueue/*) shim=(-Iuserspace/virtqueue/shim -Imodule) ;;
	esac
	# shellcheck disable=SC2046
	output=$(sparse -std=gnu11 -D_GNU_SOURCE -Iuserspace -Iinclude/uapi "${shim[@]}" \
		$(pkg-config --cflags liburing libmnl libkmod) "$1" 2>&1) || true
	! grep -E '^(userspace|include)/.*: (warning|error)|: error: ' <<<"$output"
}

# In the VM's root, where the kernel's headers are; C=2 looks at every file, built or not.
check_module() {
	local output

	output=$(selftests/vm/chroot.sh sh -c "module/build.sh /lib/modules/$1.*/build /vhb/$build/sparse \
		make C=2 CHECK='sparse -D__CHECK_ENDIAN__'" 2>&1) || {
		printf '%s\n' "$output"
		return 1
	}
	! grep -E '/module/.*: (warning|error)' <<<"$output"
}

# Or else no finding might mean that it did not run.
finds_a_fault() {
	local output

	output=$(sparse - 2>&1 <<<'static int *planted = 0;') || true
	grep -q 'warning: Using plain integer as NULL pointer' <<<"$output"
}

command -v sparse >/dev/null || ktap_skip_all "no sparse"
mapfile -t files < <(c_files | grep '^userspace/.*\.c$')

ktap_plan $((${#files[@]} + ${#kernels[@]} + 1))
ktap_case "a planted fault is found" finds_a_fault
for file in "${files[@]}"; do
	ktap_case "$file" check_userspace "$file"
done
for kernel in "${kernels[@]}"; do
	if [ "$(id -u)" -ne 0 ]; then
		ktap_skip "module on $kernel" "needs root for the VM's root file system"
	else
		ktap_case "module on $kernel" check_module "$kernel"
	fi
done
ktap_end
