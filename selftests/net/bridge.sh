#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two guests on two brokers, joined by a kernel bridge (--bridge), ping each other.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

count=200
bridge=vhbbr0

join() {
	ip link add "$bridge" type bridge
	ip link set "$bridge" up
	start_broker one --tap=vhbone --bridge="$bridge"
	start_broker two --tap=vhbtwo --bridge="$bridge"
}

taps_are_in_the_bridge() {
	join
	local tap

	for tap in vhbone vhbtwo; do
		ip -o link show dev "$tap" | grep -q "master $bridge.* state U"
	done
}

guests_ping_each_other() {
	"$pinger" "$work/two.sock" 2 echo >"$work/echo.out" 2>&1 &
	wait_for "the second guest" grep -q up "$work/echo.out"
	"$pinger" "$work/one.sock" 1 ping 2 "$count" | grep -q "$count of $count came back"
}

guests_ping_the_other_way() {
	kill %% && wait %% || true
	"$pinger" "$work/one.sock" 1 echo >"$work/echo.out" 2>&1 &
	wait_for "the first guest" grep -q up "$work/echo.out"
	"$pinger" "$work/two.sock" 2 ping 1 "$count" | grep -q "$count of $count came back"
	kill %% && wait %% || true
}

ended_brokers_leave_the_bridge() {
	stop_broker one
	stop_broker two
	! ip link show vhbone 2>/dev/null && ! ip link show vhbtwo 2>/dev/null
	ip link show "$bridge" >/dev/null
}

need_vhost_net
need_program "$pinger" "make test-programs"
enter_netns "$0" "$@"
run_cases taps_are_in_the_bridge guests_ping_each_other guests_ping_the_other_way ended_brokers_leave_the_bridge
