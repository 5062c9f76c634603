# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the shell tests here; sourced, from this directory. Offers what lib/broker.sh has, for a net device, and:
#   $pinger                            the program
#   need_vhost_net                     ends with "skip" when it is missing
#   enter_netns                        run the script again in a network namespace of its own
device_type=net
. ../lib/broker.sh

# kselftest builds programs beside the tests when it is run from a kernel tree.
pinger=./pinger
[ -x "$pinger" ] || pinger=$VHB_BUILD/selftests/net/pinger

need_vhost_net() {
	[ -e /dev/vhost-net ] || modprobe -q vhost_net || true
	{ : <>/dev/vhost-net; } 2>/dev/null || skip_all "/dev/vhost-net cannot be opened"
	need_program "$broker" "make"
}

# The rest of the script runs with a link-local world of its own and a work directory.
enter_netns() {
	if [ -z "${VHB_NETNS:-}" ]; then
		exec env VHB_NETNS=1 unshare --net --mount -- "./${0##*/}"
	fi
	echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true
	ip link set lo up
	make_work
}
