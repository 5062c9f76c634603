#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# front_ends.sh - DPDK's virtio-user, User-Mode Linux and QEMU as front-ends of the real broker
#
# Usage: front_ends.sh
# Ping, a file over TCP both ways with its checksum compared, and what is special to each. KTAP on standard output; what
# the guests say goes to standard error when something fails.
#
# Functions are called by name, through ktap_case and begin:
# shellcheck disable=SC2317
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
# shellcheck source-path=SCRIPTDIR source=../guests/lib.sh
. ../guests/lib.sh

# shellcheck source-path=SCRIPTDIR source=../lib/ktap.sh
. ../lib/ktap.sh

modprobe -q vhost_net || true
{ : <>/dev/vhost-net; } 2>/dev/null || ktap_skip_all "/dev/vhost-net cannot be opened"
for program in dpdk-testpmd linux.uml qemu-system-x86_64 ethtool socat busybox; do
	command -v "$program" >/dev/null || ktap_skip_all "$program is missing"
done

# begin NAME COMMAND...: a case in this shell, for what sets its state or waits for its children
begin() {
	local name=$1 status=0
	shift

	"$@" >"$VHB_RUN/begin.out" 2>&1 || status=$?
	[ "$status" -eq 0 ] || sed 's/^/# /' "$VHB_RUN/begin.out"
	ktap_result "$status" "$name"
	return "$status"
}

# Nothing more can be said of a guest that is not there: its cases fail by name.
give_up() {
	local name

	for name in "$@"; do
		ktap_case "$name" complain "the guest did not start"
	done
}

same_traffic() {
	local guest=$1

	head -c 2097152 /dev/urandom >"$VHB_RUN/file"
	ktap_case "$guest: ping" ping_check "$guest"
	ktap_case "$guest: file to the guest" transfer_check to-guest "$guest" "$VHB_RUN/file"
	ktap_case "$guest: file from the guest" transfer_check from-guest "$guest" "$VHB_RUN/file"
}

# host_and_guest GUEST NET START: a broker and a guest on 10.88.NET.0/24
host_and_guest() {
	local guest=$1 net=$2
	shift 2

	lab_enter "$guest"
	begin "$guest: broker is ready" broker_start "broker-$guest" net --socket-path="$VHB_RUN/$guest.sock" \
		--tap=tap0 "${broker_options[@]}" || return 1
	tap_up tap0 "10.88.$net.1/24"
	begin "$guest: starts" "$@" "$guest" "$VHB_RUN/$guest.sock" "10.88.$net.2/24"
}

broker_slept() {
	local before after first packets=0 deadline=$((SECONDS + 60))

	dpdk_go txonly
	before=$(broker_ctxt_switches broker-dpdk)
	first=$(counter tap0 rx_packets)
	while [ "$packets" -lt 100000 ]; do
		[ "$SECONDS" -lt "$deadline" ] || { complain "only $packets packets in 60 s"; return 1; }
		sleep 1
		packets=$(($(counter tap0 rx_packets) - first))
	done
	after=$(broker_ctxt_switches broker-dpdk)
	[ "$after" -eq "$before" ] || complain "the broker ran $((after - before)) times during $packets packets"
}

dpdk_cases() {
	broker_options=()
	if host_and_guest dpdk 1 dpdk_tcp_start; then
		same_traffic dpdk
	else
		give_up "dpdk: ping" "dpdk: file to the guest" "dpdk: file from the guest"
	fi
	begin "dpdk: leaves" guest_stop dpdk || true
	if begin "dpdk: the next one on the same broker starts" \
		dpdk_start txonly "$VHB_RUN/dpdk.sock" txonly; then
		ktap_case "dpdk: 100000 packets do not wake the broker" broker_slept
		dpdk_stop txonly KILL || true
	else
		give_up "dpdk: 100000 packets do not wake the broker"
	fi
	begin "dpdk: broker ends with status 0" broker_stop broker-dpdk || true
}

# The driver leaves the device and comes back: no GET_VRING_BASE, the rings are set up anew.
uml_rebinds() {
	guest_exec uml "ip=\$(busybox ip -4 -o addr show dev eth0 | busybox awk '{ print \$4 }');" \
		"cd /sys/bus/virtio/drivers/virtio_net && device=\$(busybox ls -d virtio* | busybox head -n 1) &&" \
		"echo \$device >unbind && echo \$device >bind && busybox sleep 1 &&" \
		"busybox ip addr add \$ip dev eth0 && busybox ip link set eth0 up" || return 1
	ping_check uml
}

# uml_said CLASS.COMMAND: the broker has served it, and the driver was content
uml_said() {
	poll_until 10 grep -q "control command $1: Success" "$(state broker-uml)/log" ||
		{ complain "no control command $1"; return 1; }
}

# User-Mode Linux passes its control queue on.
uml_controls() {
	guest_exec uml "busybox ip link set eth0 promisc on && busybox ip link set eth0 promisc off" || return 1
	uml_said 0.0
}

uml_takes_two_pairs() {
	guest_exec uml "ethtool -L eth0 combined 2 && ethtool -l eth0 | busybox grep -c 'Combined:.*2' | grep -qx 2" ||
		return 1
	uml_said 4.0 && ping_check uml
}

uml_has_carrier() {
	guest_exec uml "busybox grep -qx $1 /sys/class/net/eth0/carrier"
}

uml_sees_the_cable() {
	in_lab ip link set tap0 down
	poll_until 10 uml_has_carrier 0 || { complain "the guest's link stays up"; return 1; }
	in_lab ip link set tap0 up
	poll_until 10 uml_has_carrier 1 || { complain "the guest's link stays down"; return 1; }
	ping_check uml
}

uml_cases() {
	broker_options=(--mac=52:54:00:12:34:56 --queue-pairs=2 -vv)
	if host_and_guest uml 2 uml_guest_start; then
		same_traffic uml
		ktap_case "uml: has the address the broker was told" guest_exec uml \
			"busybox grep -qi 52:54:00:12:34:56 /sys/class/net/eth0/address"
		ktap_case "uml: control queue is served" uml_controls
		ktap_case "uml: two queue pairs" uml_takes_two_pairs
		ktap_case "uml: link goes down and up with the tap" uml_sees_the_cable
		ktap_case "uml: driver is unbound and bound again" uml_rebinds
	else
		give_up "uml: ping" "uml: file to the guest" "uml: file from the guest" \
			"uml: has the address the broker was told" "uml: control queue is served" \
			"uml: two queue pairs" "uml: link goes down and up with the tap" \
			"uml: driver is unbound and bound again"
	fi
	begin "uml: leaves" guest_stop uml || true
	begin "uml: broker ends with status 0" broker_stop broker-uml || true
}

# qemu_broker_is_killed: the next one makes a new tap; the guest notices no more than that its link was down.
qemu_broker_is_killed() {
	end broker-qemu KILL 1 || true
	broker_start broker-qemu net --socket-path="$VHB_RUN/qemu.sock" --tap=tap0 || return 1
	tap_up tap0 10.88.3.1/24
	# QEMU tries each 100 ms of its own time.
	poll_until 30 ping_check qemu
}

# One queue pair and so one CPU: code that Linux patches under several emulated CPUs is not safe in the inner emulation
# (see vm/guest/poke_twice). Several pairs are traffic_test's.
qemu_cases() {
	broker_options=()
	if host_and_guest qemu 3 qemu_guest_start; then
		same_traffic qemu
		# Bits 0, 1, 11 and 15: checksums both ways, TSO from the guest, mergeable buffers
		ktap_case "qemu: keeps offloads and mergeable buffers" guest_exec qemu \
			"cut -b1,2,12,16 /sys/class/net/eth0/device/features | grep -qx 1111"
		begin "qemu: goes on with the next broker after kill -9" qemu_broker_is_killed || true
	else
		give_up "qemu: ping" "qemu: file to the guest" "qemu: file from the guest" \
			"qemu: keeps offloads and mergeable buffers" "qemu: goes on with the next broker after kill -9"
	fi
	begin "qemu: leaves" guest_stop qemu || true
	begin "qemu: broker ends with status 0" broker_stop broker-qemu || true
}

uml_pings_uml() {
	guest_exec left "busybox ping -c 5 -W 5 10.88.4.3"
}

# Two brokers, one bridge, nothing of the host in between
bridge_cases() {
	lab_enter bridge
	in_lab ip link add vhbbr0 type bridge
	in_lab ip link set vhbbr0 up
	begin "bridge: first broker joins" broker_start broker-left net --socket-path="$VHB_RUN/left.sock" \
		--tap=left0 --bridge=vhbbr0 || true
	begin "bridge: second broker joins" broker_start broker-right net --socket-path="$VHB_RUN/right.sock" \
		--tap=right0 --bridge=vhbbr0 || true
	if begin "bridge: first guest starts" uml_guest_start left "$VHB_RUN/left.sock" 10.88.4.2/24 &&
		begin "bridge: second guest starts" uml_guest_start right "$VHB_RUN/right.sock" 10.88.4.3/24; then
		ktap_case "bridge: one User-Mode Linux pings the other" uml_pings_uml
	else
		give_up "bridge: one User-Mode Linux pings the other"
	fi
	guest_stop left || true
	guest_stop right || true
	begin "bridge: first broker ends with status 0" broker_stop broker-left || true
	begin "bridge: second broker ends with status 0" broker_stop broker-right || true
}

printf 'KTAP version 1\n'
dpdk_cases
uml_cases
qemu_cases
bridge_cases
printf '1..%d\n' "$ktap_count"
ktap_end
