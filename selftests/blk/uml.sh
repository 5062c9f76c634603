#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# User-Mode Linux, a whole guest with Linux's own driver, has a disk of the broker and a file system on it.
# guests/lib.sh is not followed (with broker.sh it is too much for shellcheck), so its variables look strange.
# shellcheck disable=SC2034,SC2154
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
. ./broker.sh
# shellcheck source=/dev/null
. ../guests/lib.sh

size_mib=64
serial=vhb-uml-0001
guest_limit=120
starts=
bb=busybox

# The guest is one for all cases, so each needs it, and the state the case before has left.
need_guest() {
	[ "$starts" = 0 ] || { printf 'the guest did not start\n'; return 1; }
}

start_all() {
	truncate -s "${size_mib}M" "$VHB_RUN/disk.img"
	broker_start broker blk --socket-path="$VHB_RUN/disk.sock" --blk-file="$VHB_RUN/disk.img" \
		--serial="$serial" --num-queues=2 && uml_disk_start uml "$VHB_RUN/disk.sock"
}

guest_starts() {
	cat "$VHB_RUN/start.out"
	[ "$starts" = 0 ]
}

guest_sees_size_and_serial() {
	need_guest
	[ "$(guest_exec uml "cd /sys/block/vda && echo \$($bb cat size ro serial)")" = "$((size_mib * 2048)) 0 $serial" ]
}

# Bits 9, 13, 14 and 34: flush, discard, write zeroes, packed virtqueue
guest_uses_what_is_offered() {
	need_guest
	guest_exec uml "$bb cut -b10,14,15,35 /sys/block/vda/device/features | $bb grep -qx 1111"
}

guest_makes_a_file_system() {
	need_guest
	guest_exec uml "mkfs.ext4 -q -E nodiscard /dev/vda && $bb mkdir /tmp/mnt && mount /dev/vda /tmp/mnt"
}

# Large and small ones
files_are_the_same_after_a_mount() {
	need_guest
	guest_exec uml "cd /tmp/mnt && dd if=/dev/urandom of=large bs=1M count=3 status=none &&" \
		"dd if=/dev/urandom of=direct bs=4k count=100 oflag=direct status=none &&" \
		"cp -r /etc/init.d /etc/default . &&" \
		"find . -type f ! -name sums -exec sha256sum {} + >/tmp/sums && cp /tmp/sums sums &&" \
		"[ \$($bb wc -l <sums) -gt 3 ]"
	guest_exec uml "cd / && umount /tmp/mnt && echo 3 >/proc/sys/vm/drop_caches && mount /dev/vda /tmp/mnt &&" \
		"cmp /tmp/sums /tmp/mnt/sums && cd /tmp/mnt && sha256sum -s -c sums"
}

trim_frees_room_on_the_host() {
	local before after

	need_guest
	before=$(stat -c %b "$VHB_RUN/disk.img")
	guest_exec uml "cd /tmp/mnt && dd if=/dev/zero of=garbage bs=1M count=8 status=none && sync && rm garbage && sync"
	guest_exec uml "fstrim /tmp/mnt"
	after=$(stat -c %b "$VHB_RUN/disk.img")
	# Half a megabyte for the journal
	[ "$after" -le $((before + 1024)) ] || { printf '%s blocks before, %s after\n' "$before" "$after"; return 1; }
	guest_exec uml "cd /tmp/mnt && sha256sum -s -c sums"
}

# No GET_VRING_BASE, the virtqueues are set up anew.
driver_is_unbound_and_bound_again() {
	need_guest
	guest_exec uml "umount /tmp/mnt && cd /sys/bus/virtio/drivers/virtio_blk && device=\$($bb ls -d virtio* | $bb head -n 1) &&" \
		"echo \$device >unbind && [ ! -e /sys/block/vda ] && echo \$device >bind && [ -e /sys/block/vda ]"
	guest_exec uml "mount /dev/vda /tmp/mnt && cd /tmp/mnt && sha256sum -s -c sums &&" \
		"dd if=/dev/urandom of=after bs=1M count=1 status=none && sha256sum after >>sums"
}

host_finds_the_same_files() {
	local mounted=$work/mnt

	need_guest
	guest_exec uml "cd / && umount /tmp/mnt"
	guest_stop uml
	# No child of this shell: its status is other tests' affair.
	kill -TERM "$(<"$VHB_RUN/broker/pid")"
	poll_until 5 gone broker
	fsck.ext4 -fn "$VHB_RUN/disk.img"
	mkdir "$mounted"
	modprobe -q loop || true
	mount -o loop,ro "$VHB_RUN/disk.img" "$mounted"
	(cd "$mounted" && sha256sum --quiet -c sums)
	umount "$mounted"
}

# Called by the trap.
# shellcheck disable=SC2317
leave() {
	clean_up
	guests_cleanup
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
for program in linux.uml mkfs.ext4 fsck.ext4 busybox; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
load_module
[ -e "$blk_device" ] || skip_all "no $blk_device (make modules)"
make_work
trap leave EXIT

starts=0
start_all >"$VHB_RUN/start.out" 2>&1 || starts=$?
run_cases \
	guest_starts \
	guest_sees_size_and_serial \
	guest_uses_what_is_offered \
	guest_makes_a_file_system \
	files_are_the_same_after_a_mount \
	trim_frees_room_on_the_host \
	driver_is_unbound_and_bound_again \
	host_finds_the_same_files
