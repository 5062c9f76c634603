#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is handed to dkms is enough to build the module, is of this release, and says rightly where the module will be.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

# Not in the checkout: it must do without the rest.
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
version=$(sed -n 's/^#define VHOST_BRIDGE_VERSION\s*"\(.*\)"/\1/p' include/uapi/linux/vhost_bridge.h)
source=$work/usr/src/vhost-bridge-$version

it_is_of_this_release() {
	[ -n "$version" ]
	make -s DESTDIR="$work" install-dkms
	grep -qx "PACKAGE_VERSION=\"$version\"" "$source/dkms.conf"
	grep -q "dkms install vhost-bridge/$version\$" Documentation/module.rst
}

# As dkms goes about it, but for where its kernel is.
it_builds_where_it_says() {
	# shellcheck disable=SC2016
	selftests/vm/chroot.sh --kernel 6.12 --write "$source=/srv" -- bash -euc '
		cd /srv
		kernel_source_dir=$KDIR
		kernelver=$(basename "$(dirname "$KDIR")")
		. ./dkms.conf
		eval "${MAKE[0]}"
		[ -s "${BUILT_MODULE_LOCATION[0]}/${BUILT_MODULE_NAME[0]}.ko" ]' >"$work/log" 2>&1 || {
		cat "$work/log"
		return 1
	}
}

ktap_plan 2
ktap_case "the sources are of this release" it_is_of_this_release
if [ "$(id -u)" -ne 0 ]; then
	ktap_skip "they build where dkms.conf says" "needs root for the VM's root file system"
else
	ktap_case "they build where dkms.conf says" it_builds_where_it_says
fi
ktap_end
