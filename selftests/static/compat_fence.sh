#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kernel versions are nobody's business but module/compat's.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

nobody_asks_for_the_version() {
	! tree_files | grep -E '^(module|include)/' | grep -v '^module/compat/' |
		xargs grep -nE 'LINUX_VERSION_CODE|KERNEL_VERSION|LINUX_VERSION_MAJOR|RHEL_RELEASE'
}

nobody_includes_version_h() {
	! tree_files | grep -E '^(module|include|userspace)/' | grep -v '^module/compat/' |
		xargs grep -nE '#[[:space:]]*include[[:space:]]*<(linux|generated)/(uapi/linux/)?version\.h>'
}

has_a_lower_bound() {
	grep -qE '^#if LINUX_VERSION_CODE < KERNEL_VERSION\(6, 1, 0\)$' module/compat/compat.h &&
		grep -q '^#error' module/compat/compat.h
}

every_object_includes_compat_h() {
	# shellcheck disable=SC2016
	grep -qF -- '-include $(src)/compat/compat.h' module/Kbuild
}

ktap_plan 4
ktap_case "only module/compat asks for the kernel's version" nobody_asks_for_the_version
ktap_case "only module/compat includes version.h" nobody_includes_version_h
ktap_case "kernels below 6.1 are refused" has_a_lower_bound
ktap_case "the fence is around every object" every_object_includes_compat_h
ktap_end
