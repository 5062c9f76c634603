#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Front-ends and brokers come and go, whichever of them listens: the other one finds its way back, and traffic goes on.
#
# VHB_KILL_ROUNDS: how often each is killed (1). The tap outlives them all. kill_test has the same with frames counted.
# guests/lib.sh is not followed (with broker.sh it is too much for shellcheck), so its variables look strange.
# shellcheck disable=SC2034,SC2154
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
. ./broker.sh
# shellcheck source=/dev/null
. ../guests/lib.sh

rounds=${VHB_KILL_ROUNDS:-1}
tap=vhbagain0
socket=$VHB_RUN/again.sock

# serve OPTION...: the broker, also after the one before was killed
serve() {
	broker_start broker net --socket-path="$socket" --tap="$tap" --verbose "$@"
}

kill_hard() {
	end "$1" KILL 5 || true
}

# front_end_starts: testpmd, which sends as fast as it can
front_end_starts() {
	dpdk_start front "$socket" txonly
	dpdk_go front
}

packets_are_more_than() {
	[ "$(counter "$tap" rx_packets)" -gt "$1" ]
}

# traffic_goes_on SINCE-US: and how long it took
traffic_goes_on() {
	local before
	before=$(counter "$tap" rx_packets)

	until packets_are_more_than "$before"; do
		[ $(($(now_us) - $1)) -lt 20000000 ] || {
			complain "no traffic for 20 s" "$VHB_RUN/broker/log"
			return 1
		}
		sleep 0.02
	done
	resumed_ms+=($((($(now_us) - $1) / 1000)))
}

# Printed as a diagnostic; on a machine this busy no bound would mean anything.
report_times() {
	printf '# traffic again after (ms): %s\n' "${resumed_ms[*]}" >&3
}

dpdk_listens_and_brokers_are_killed() {
	local round

	dpdk_vdev=server=1
	# It waits for the back-end, and is waited for.
	serve --connect
	front_end_starts
	traffic_goes_on "$(now_us)"
	for ((round = 0; round < rounds; round++)); do
		kill_hard broker
		serve --connect
		traffic_goes_on "$(now_us)"
	done
	report_times
	dpdk_stop front KILL
	broker_stop broker
}

dpdk_listens_and_is_killed() {
	local round

	dpdk_vdev=server=1
	serve --connect
	front_end_starts
	for ((round = 0; round < rounds; round++)); do
		dpdk_stop front KILL
		# DPDK does not replace what it left behind.
		rm -f "$socket"
		front_end_starts
		traffic_goes_on "$(now_us)"
	done
	report_times
	dpdk_stop front KILL
	# One line each time nobody listened, one when somebody did again.
	[ "$(grep -c 'waiting for a front-end' "$VHB_RUN/broker/log")" -le $((rounds + 2)) ]
	broker_stop broker
}

dpdk_connects_and_is_killed() {
	local round

	serve
	for ((round = 0; round < rounds; round++)); do
		front_end_starts
		traffic_goes_on "$(now_us)"
		dpdk_stop front KILL
	done
	report_times
	broker_stop broker
}

broker_has_talked() {
	grep -q 'GET_PROTOCOL_FEATURES' "$VHB_RUN/broker/log"
}

# No guest is needed for that: QEMU asks for features when it starts, and when a back-end comes again.
qemu_listens() {
	local round

	spawn qemu "$(state qemu)/log" "${QEMU:-qemu-system-x86_64}" -S -nodefaults -display none -machine q35 -m 64 \
		-object memory-backend-memfd,id=mem,size=64M,share=on -numa node,memdev=mem \
		-chardev "socket,id=vu,path=$socket,server=on" -netdev vhost-user,id=net0,chardev=vu \
		-device virtio-net-pci,netdev=net0,romfile=
	for ((round = 0; round < rounds; round++)); do
		serve --connect --verbose
		poll_until 30 broker_has_talked || complain "QEMU does not talk" "$VHB_RUN/broker/log"
		kill_hard broker
	done
	alive qemu || complain "QEMU is gone" "$VHB_RUN/qemu/log"
	end qemu KILL 5 || true
}

# signal_ends_it OPTION...: within a second
signal_ends_it() {
	local limit=1000000 start

	serve "$@"
	sleep 0.5
	start=$(now_us)
	broker_stop broker
	# Emulated CPUs of a busy host are slow: there it must only end.
	[ "${VHB_ACCEL:-}" != tcg ] || limit=20000000
	[ $(($(now_us) - start)) -lt "$limit" ]
}

signal_ends_one_that_waits() {
	signal_ends_it --connect
	signal_ends_it --connect --once
	grep -q 'no such socket; waiting' "$VHB_RUN/broker/log"
}

# Called by the trap.
# shellcheck disable=SC2317
leave() {
	guests_cleanup
	rm -rf -- "$work"
}

need_vhost_net
for program in dpdk-testpmd qemu-system-x86_64; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
make_work
trap leave EXIT
lab_enter again
in_lab ip tuntap add "$tap" mode tap
tap_up "$tap" ''
resumed_ms=()
exec 3>&1
run_cases signal_ends_one_that_waits dpdk_listens_and_brokers_are_killed dpdk_listens_and_is_killed \
	dpdk_connects_and_is_killed qemu_listens
