#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module loads, says its version, makes its devices and unloads.
set -euo pipefail

count=0 failures=0

report() {
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		printf 'ok %d %s\n' "$count" "$2"
	else
		printf 'not ok %d %s\n' "$count" "$2"
		failures=$((failures + 1))
	fi
}

# try NAME COMMAND...: one case
try() {
	local name=$1 status=0
	shift

	"$@" || status=1
	report "$status" "$name"
}

skip_all() {
	printf '1..0 # SKIP %s\n' "$*"
	exit 4
}

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

printf 'TAP version 13\n'
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
module=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)/build/modules/$(uname -r)/vhost_bridge.ko
[ -e "$module" ] || skip_all "no $module (make modules)"
[ ! -e /sys/module/vhost_bridge ] || skip_all "vhost_bridge is loaded already"
version=$(modinfo -F version "$module")

printf '1..13\n'
try "it has a version" test -n "$version"
try "it is made for this kernel" test "$(modinfo -F vermagic "$module" | cut -d' ' -f1)" = "$(uname -r)"
try "it loads" insmod "$module"
try "the loaded module says the same version" has_version
try "it makes the block device alone" has_devices blk
try "it does not unload while a device is open" stays_while_open
try "it unloads" rmmod vhost_bridge
try "nothing of it is left" is_gone
try "it does not load with an option that means nothing" has_no_option
try "it loads with the loop device" insmod "$module" loopback=1
try "it makes both devices" has_devices blk loop
try "it unloads again" rmmod vhost_bridge
try "nothing of it is left again" is_gone
[ "$failures" = 0 ]
