#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two guests on two brokers, joined by a kernel bridge (--bridge), ping each other.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

count=100
bridge=vhbbr0

join() {
	ip link del "$bridge" 2>/dev/null || true
	ip link add "$bridge" type bridge
	ip link set "$bridge" up
	start_broker one --tap=vhbone --bridge="$bridge"
	start_broker two --tap=vhbtwo --bridge="$bridge"
}

taps_are_up_in_the_bridge() {
	local tap

	join
	for tap in vhbone vhbtwo; do
		ip -o link show dev "$tap" up | grep -q "master $bridge"
	done
}

# start_echo NAME NUMBER: a guest that answers
start_echo() {
	"$pinger" "$work/$1.sock" "$2" echo >"$work/echo.out" 2>&1 &
	wait_for "guest $1" grep -q '^up$' "$work/echo.out"
}

first_guest_pings_second() {
	join
	start_echo two 2
	"$pinger" "$work/one.sock" 1 ping 2 "$count" >"$work/ping.out"
	grep -q "^$count of $count came back$" "$work/ping.out"
}

second_guest_pings_first() {
	join
	start_echo one 1
	"$pinger" "$work/two.sock" 2 ping 1 "$count" >"$work/ping.out"
	grep -q "^$count of $count came back$" "$work/ping.out"
}

nobody_answers_without_the_other_guest() {
	join
	fails "$pinger" "$work/one.sock" 1 ping 2 1
}

ended_brokers_leave_the_bridge() {
	join
	stop_broker one
	stop_broker two
	fails ip link show vhbone
	fails ip link show vhbtwo
	ip link show "$bridge"
}

need_vhost_net
need_program "$pinger" "make test-programs"
enter_netns
run_cases taps_are_up_in_the_bridge first_guest_pings_second second_guest_pings_first \
	nobody_answers_without_the_other_guest ended_brokers_leave_the_bridge
