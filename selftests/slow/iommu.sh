#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU, a whole guest with a virtual IOMMU before its network card and its disk, both of brokers.
#
# The guest's kernel is Debian's: the small one of guests/kernel.config knows no IOMMU. It takes minutes to boot, emulated
# inside an emulated machine.
#
# guests/lib.sh is not followed (with broker.sh it is too much for shellcheck), so its variables look strange.
# shellcheck disable=SC2034,SC2154
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
cd ../blk
# shellcheck source=/dev/null
. ./broker.sh
# shellcheck source=/dev/null
. ../guests/lib.sh

address=10.78.0.2/24
image=$VHB_RUN/disk.img
# Of the disk: what the load uses, what is read and compared, in pieces of 64 KiB
load_pieces=32 read_pieces=128
stream_bytes=$((4 << 20))
modules=(failover net_failover virtio_net virtio_blk)

find_kernel() {
	local image

	for image in /boot/vmlinux-6.12.*; do
		if [ -s "$image" ] && [ -d "/lib/modules/${image#/boot/vmlinux-}" ]; then
			printf '%s\n' "$image"
			return
		fi
	done
	return 1
}

# The usual initial ram disk with the drivers, which are modules of this kernel
make_initramfs() {
	local release=${guest_kernel#/boot/vmlinux-} name file

	mkdir -p "$work/more/m"
	for name in "${modules[@]}"; do
		file=$(find "/lib/modules/$release" -name "$name.ko*" | head -n 1)
		case $file in
		*.xz) xz -dc "$file" >"$work/more/m/$name.ko" ;;
		*) cp "$file" "$work/more/m/" ;;
		esac
	done
	cp "$VHB_GUESTS/initramfs" "$work/initramfs"
	truncate -s %4 "$work/initramfs"
	(cd "$work/more" && find . | cpio --quiet -o -H newc) >>"$work/initramfs"
}

start_guest() {
	local insmod

	insmod=$(printf ',/m/%s.ko' "${modules[@]}")
	qemu_limit=1500 qemu_mem=512
	# Strict: each mapping is invalidated as soon as the driver is done with it.
	qemu_kernel=(-kernel "$guest_kernel" -initrd "$work/initramfs" -append
		"$(qemu_cmdline) vhb.ip=$address vhb.insmod=${insmod#,} intel_iommu=on iommu.strict=1 iommu.passthrough=0")
	qemu_boot guest 1 '' -device intel-iommu,device-iotlb=on,intremap=off \
		-chardev "socket,id=vn,path=$VHB_RUN/net.sock" -netdev vhost-user,id=net0,chardev=vn \
		-device "virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:78:00:02,$behind_iommu" \
		-chardev "socket,id=vb,path=$VHB_RUN/blk.sock" \
		-device "vhost-user-blk-pci,chardev=vb,num-queues=1,$behind_iommu"
	printf '%s\n' "${address%/*}" >"$VHB_RUN/guest/ip"
}
behind_iommu=iommu_platform=on,ats=on,disable-legacy=on,disable-modern=off

load_says() {
	tr -d '\r' <"$VHB_RUN/guest/log" | sed -n 's/^.*verify: //p'
}

progress() {
	load_says | awk '$2 == "requests" { n = $1 } END { print n + 0 }'
}

has_progressed() {
	[ "$(progress)" -gt "$1" ]
}

has_verdict() {
	load_says | grep -qE '^(good|bad)$'
}

guest_listens() {
	guest_exec guest "cat /proc/net/tcp /proc/net/tcp6 | grep -qE ':07D0 0+:0000 0A'"
}

has_received() {
	[ "$(guest_exec guest "stat -c %s /tmp/got")" = "$stream_bytes" ]
}

check_stream() {
	head -c "$stream_bytes" /dev/urandom >"$VHB_RUN/sent"
	guest_exec guest "busybox nc -l -p 2000 -e dd bs=4k of=/tmp/got >/dev/null 2>&1 &"
	poll_until 60 guest_listens
	in_lab socat -u "FILE:$VHB_RUN/sent" "TCP:${address%/*}:2000,connect-timeout=20"
	poll_until 120 has_received
	[ "$(guest_exec guest "sha256sum </tmp/got")" = "$(sha256sum <"$VHB_RUN/sent")" ]
}

# What the guest's IOMMU has refused. The firmware's ring is still set up when the kernel switches the IOMMU on, and the
# disk may look at it once more before a driver comes.
fault_count() {
	tr -d '\r' <"$VHB_RUN/guest/log" | grep -acF 'DMAR: [DMA' || true
}

# how many misses a broker has asked
misses() {
	grep -c 'IOTLB: miss' "$VHB_RUN/$1/log"
}

guest_with_an_iommu_has_net_and_disk() {
	local sum faults

	lab_enter iommu
	head -c $(((load_pieces + read_pieces) * 65536)) /dev/urandom >"$image"
	sum=$(dd if="$image" bs=64k skip="$load_pieces" status=none | sha256sum)
	broker_start net net -v -v --iommu --socket-path="$VHB_RUN/net.sock" --tap=tap0
	in_lab ip addr add 10.78.0.1/24 dev tap0
	broker_start blk blk -v -v --iommu --socket-path="$VHB_RUN/blk.sock" --blk-file="$image"
	make_initramfs
	start_guest
	# VIRTIO_F_ACCESS_PLATFORM is in use, and there is an IOMMU for it.
	guest_exec guest "cut -c34 /sys/class/net/eth0/device/features /sys/block/vda/device/features" | tr -d '\r\n' |
		grep -qx 11
	guest_exec guest "ls /sys/kernel/iommu_groups | grep -q . && dmesg | grep -i 'DMAR: IOMMU enabled'"
	faults=$(fault_count)
	ping_check guest
	check_stream
	guest_exec guest "verify /dev/vda >/dev/ttyS0 2>&1 &"
	poll_until 120 has_progressed 100
	check_stream
	[ "$(guest_exec guest "dd if=/dev/vda bs=64k skip=$load_pieces count=$read_pieces 2>/dev/null | sha256sum")" = "$sum" ]
	guest_exec guest "killall -TERM verify"
	poll_until 120 has_verdict
	load_says | tail -n 3
	load_says | grep -qx good
	printf 'misses: net %d, blk %d\n' "$(misses net)" "$(misses blk)"
	[ "$(misses net)" -gt 100 ]
	[ "$(misses blk)" -gt 10 ]
	fails grep -E 'refused|broken|rests' "$VHB_RUN"/{net,blk}/log
	fails grep -aiE 'I/O error|blk_update|hung' "$VHB_RUN/guest/log"
	[ "$(fault_count)" -eq "$faults" ]
	fails grep -iE 'iotlb|vring error' "$VHB_RUN/guest/qemu.log"
	guest_stop guest
	broker_stop net
	broker_stop blk
}

# Called by the trap.
# shellcheck disable=SC2317
leave() {
	guests_cleanup
	clean_up
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
for program in qemu-system-x86_64 socat cpio xz; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
[ -s "$VHB_GUESTS/initramfs" ] || skip_all "no $VHB_GUESTS/initramfs (selftests/guests/build.sh --into build/guests)"
guest_kernel=$(find_kernel) || skip_all "no uncompressed kernel 6.12 with its modules in /boot"
modprobe -q vhost_net || true
[ -e /dev/vhost-net ] || skip_all "no /dev/vhost-net"
load_module
[ -e "$blk_device" ] || skip_all "no $blk_device (make modules)"
make_work
trap leave EXIT

run_cases guest_with_an_iommu_has_net_and_disk
