#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module loads, says its version, registers nothing and unloads.
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

# Names of everything a user could reach the module by.
interfaces() {
	find /dev /sys/class/misc /proc/misc -maxdepth 1 -name '*vhost*bridge*'
}

registers_nothing() {
	[ -z "$(interfaces)" ]
}

is_gone() {
	[ ! -e /sys/module/vhost_bridge ]
}

printf 'TAP version 13\n'
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
module=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)/build/modules/$(uname -r)/vhost_bridge.ko
[ -e "$module" ] || skip_all "no $module (make modules)"
[ ! -e /sys/module/vhost_bridge ] || skip_all "vhost_bridge is loaded already"
version=$(modinfo -F version "$module")

printf '1..7\n'
try "it has a version" test -n "$version"
try "it is made for this kernel" test "$(modinfo -F vermagic "$module" | cut -d' ' -f1)" = "$(uname -r)"
try "it loads" insmod "$module"
try "the loaded module says the same version" has_version
try "it registers nothing" registers_nothing
try "it unloads" rmmod vhost_bridge
try "nothing of it is left" is_gone
[ "$failures" = 0 ]
