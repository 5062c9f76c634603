#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# User-Mode Linux, a whole guest with Linux's own drivers, has a disk and a network card of two brokers that offer in-band
# notifications: no kick and no call goes through an eventfd.
# guests/lib.sh is not followed (with broker.sh it is too much for shellcheck), so its variables look strange.
# shellcheck disable=SC2034,SC2154
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
. ./broker.sh
# shellcheck source=/dev/null
. ../guests/lib.sh

size_mib=16
starts=
bb=busybox
uml_limit=120

# The guest is one for all cases, so each needs it, and the state the case before has left.
need_guest() {
	[ "$starts" = 0 ] || { printf 'the guest did not start\n'; return 1; }
}

start_all() {
	truncate -s "${size_mib}M" "$VHB_RUN/disk.img"
	lab_enter inband
	broker_start disk blk --socket-path="$VHB_RUN/disk.sock" --blk-file="$VHB_RUN/disk.img" -vv \
		--protocol-features=inband-notifications &&
		broker_start card net --socket-path="$VHB_RUN/card.sock" --tap=tap0 --mac=52:54:00:12:34:57 -vv \
			--protocol-features=inband-notifications || return
	tap_up tap0 10.88.9.1/24
	printf '%s\n' 10.88.9.2 >"$(state uml)/ip"
	uml_boot uml "$VHB_RUN/card.sock:1" "$(uml_modules "${uml_net_modules[@]}" "${uml_blk_modules[@]}")" \
		vhb.ip=10.88.9.2/24 "virtio_uml.device=$VHB_RUN/disk.sock:2"
}

guest_starts() {
	cat "$VHB_RUN/start.out"
	[ "$starts" = 0 ]
}

disk_keeps_what_is_written() {
	need_guest
	guest_exec uml "dd if=/dev/urandom of=/tmp/data bs=64k count=4 status=none &&" \
		"dd if=/tmp/data of=/dev/vda bs=4k oflag=direct status=none &&" \
		"dd if=/dev/vda of=/tmp/back bs=64k count=4 iflag=direct status=none && cmp /tmp/data /tmp/back &&" \
		"sha256sum </tmp/data" >"$VHB_RUN/guest.sum"
	sync
	head -c 262144 "$VHB_RUN/disk.img" | sha256sum | cmp - "$VHB_RUN/guest.sum"
}

card_carries_packets() {
	need_guest
	ping_check uml
}

# said BROKER MESSAGE: what its log of every message says of one
said() {
	grep -q "$2" "$VHB_RUN/$1/log"
}

notifications_are_messages() {
	local broker

	need_guest
	for broker in disk card; do
		said "$broker" 'VRING_KICK (needs reply)'
		if said "$broker" SET_VRING_KICK || said "$broker" SET_VRING_CALL; then
			printf '%s has eventfds\n' "$broker"
			return 1
		fi
	done
}

# No GET_VRING_BASE, the virtqueues are set up anew.
drivers_are_unbound_and_bound_again() {
	need_guest
	guest_exec uml "for driver in virtio_blk virtio_net; do cd /sys/bus/virtio/drivers/\$driver &&" \
		"for device in virtio*; do echo \$device >unbind && echo \$device >bind || exit 1; done; done &&" \
		"$bb ip addr add 10.88.9.2/24 dev eth0 && $bb ip link set eth0 up &&" \
		"dd if=/dev/vda of=/tmp/back bs=64k count=4 iflag=direct status=none && cmp /tmp/data /tmp/back"
	ping_check uml
}

all_end_well() {
	need_guest
	guest_stop uml
	broker_ends disk
	broker_ends card
}

# No child of this shell: its status is other tests' affair.
broker_ends() {
	kill -TERM "$(<"$VHB_RUN/$1/pid")"
	poll_until 5 gone "$1"
}

# Called by the trap.
# shellcheck disable=SC2317
leave() {
	clean_up
	guests_cleanup
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
for program in linux.uml busybox ping; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
modprobe -q vhost_net || true
{ : <>/dev/vhost-net; } 2>/dev/null || skip_all "/dev/vhost-net cannot be opened"
load_module
[ -e "$blk_device" ] || skip_all "no $blk_device (make modules)"
make_work
trap leave EXIT

starts=0
start_all >"$VHB_RUN/start.out" 2>&1 || starts=$?
run_cases \
	guest_starts \
	disk_keeps_what_is_written \
	card_carries_packets \
	notifications_are_messages \
	drivers_are_unbound_and_bound_again \
	all_end_well
