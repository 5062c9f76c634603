#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module loads, says its version, makes its devices and unloads.
set -euo pipefail

. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ktap.sh"

has_version() {
	[ "$(cat /sys/module/vhost_bridge/version)" = "$version" ]
}

# Names of everything a user could reach the module by, in one line.
interfaces() {
	find /dev /sys/class/misc -maxdepth 1 -name '*vhost*bridge*' | sort | xargs
}

# has_devices NAME...: these, and no others.
has_devices() {
	local name wanted=()

	for name in "$@"; do
		[ -c "/dev/vhost-bridge-$name" ] || return 1
		[ "$(stat -c %a "/dev/vhost-bridge-$name")" = 600 ] || return 1
		wanted+=("/dev/vhost-bridge-$name" "/sys/class/misc/vhost-bridge-$name")
	done
	[ "$(interfaces)" = "$(printf '%s\n' ${wanted[@]+"${wanted[@]}"} | sort | xargs)" ]
}

# A device that is open keeps it.
stays_while_open() {
	if rmmod vhost_bridge 2>/dev/null; then
		return 1
	fi </dev/vhost-bridge-blk
	has_devices blk
}

has_no_option() {
	! insmod "$module" loopback=maybe 2>/dev/null
}

is_gone() {
	[ ! -e /sys/module/vhost_bridge ] && has_devices
}

[ "$(id -u)" -eq 0 ] || ktap_skip_all "needs root"
module=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)/build/modules/$(uname -r)/vhost_bridge.ko
[ -e "$module" ] || ktap_skip_all "no $module (make modules)"
[ ! -e /sys/module/vhost_bridge ] || ktap_skip_all "vhost_bridge is loaded already"
version=$(modinfo -F version "$module")

ktap_plan 13
ktap_case "it has a version" test -n "$version"
ktap_case "it is made for this kernel" test "$(modinfo -F vermagic "$module" | cut -d' ' -f1)" = "$(uname -r)"
ktap_case "it loads" insmod "$module"
ktap_case "the loaded module says the same version" has_version
ktap_case "it makes the block device alone" has_devices blk
ktap_case "it does not unload while a device is open" stays_while_open
ktap_case "it unloads" rmmod vhost_bridge
ktap_case "nothing of it is left" is_gone
ktap_case "it does not load with an option that means nothing" has_no_option
ktap_case "it loads with the loop device" insmod "$module" loopback=1
ktap_case "it makes both devices" has_devices blk loop
ktap_case "it unloads again" rmmod vhost_bridge
ktap_case "nothing of it is left again" is_gone
ktap_end
