#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU, a whole guest, has a disk of the broker: firmware and kernel boot from it, and brokers are killed under it.
#
# VHB_KILL_ROUNDS: how often each (3)
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
. ./broker.sh
# shellcheck source-path=SCRIPTDIR source=../guests/lib.sh
. ../guests/lib.sh

rounds=${VHB_KILL_ROUNDS:-3}
nullb=/sys/kernel/config/nullb/vhbqemu
root_image=$VHB_RUN/root.img
# The guests' outlive cases, so they are started by none: their status, "" before
root_starts='' packed_starts=''

# serve_guest NAME FILE OPTION...: on $VHB_RUN/NAME.sock, as broker-NAME; also after the one before was killed
serve_guest() {
	broker_start "broker-$1" blk --socket-path="$VHB_RUN/$1.sock" --blk-file="$2" "${@:3}"
}

# The kernel's own note says where it is entered.
pvh_entry() {
	readelf -n "$VHB_GUESTS/vmlinux" | awk '
		/Xen/ && /0x00000012/ { getline; sub(/.*: /, ""); gsub(/ /, ""); v = $0 }
		END { if (length(v) < 8) exit 1; print "0x" substr(v, 7, 2) substr(v, 5, 2) substr(v, 3, 2) substr(v, 1, 2) }'
}

# A root file system, and before it what makes the firmware boot it
make_root() {
	local tree=$VHB_RUN/tree entry

	mkdir -p "$tree"
	(cd "$tree" && cpio --quiet -id <"$VHB_GUESTS/initramfs")
	truncate -s 48M "$root_image"
	mkfs.ext4 -q -d "$tree" "$root_image"
	rm -rf -- "$tree"
	entry=$(pvh_entry)
	gcc -m32 -c -o "$VHB_RUN/boot.o" "-DENTRY=$entry" "-DMEMORY_MIB=$qemu_mem" \
		"-DCMDLINE=\"$(qemu_cmdline) root=/dev/vda rw init=/init\"" ../guests/boot.S
	ld -m elf_i386 -Ttext=0x7c00 --oformat=binary -o "$VHB_RUN/boot.bin" "$VHB_RUN/boot.o"
	[ "$(stat -c %s "$VHB_RUN/boot.bin")" = 1024 ]
	dd if="$VHB_RUN/boot.bin" of="$root_image" conv=notrunc status=none
}

# The firmware knows one virtqueue, the guest uses as many as it has CPUs, and there is one that nobody sets up.
start_root_guest() {
	make_root && serve_guest root "$root_image" --num-queues=2 || return 1
	qemu_queues=2 qemu_device=,bootindex=0
	qemu_kernel=(-device "loader,file=$VHB_GUESTS/vmlinux")
	qemu_disk_start root "$VHB_RUN/root.sock"
}

# Requests take 2 ms, so there are always some in flight.
start_packed_guest() {
	mkdir "$nullb"
	echo 32 >"$nullb/size"
	echo 1 >"$nullb/memory_backed"
	echo 2 >"$nullb/irqmode"
	echo 2000000 >"$nullb/completion_nsec"
	echo 1 >"$nullb/power"
	serve_guest packed /dev/vhbqemu || return 1
	qemu_queues=1 qemu_device=,packed=on qemu_kernel=()
	qemu_disk_start packed "$VHB_RUN/packed.sock"
}

started() {
	local what=$1 status=$2

	[ "$status" = 0 ] || { cat "$VHB_RUN/$what.out"; return 1; }
}

firmware_and_kernel_boot_from_it() {
	started root "$root_starts"
	grep -qa "boot sector: disk is read" "$VHB_RUN/root/log"
	guest_exec root "grep -q '^/dev/root / ext4 rw' /proc/mounts"
}

# One line of features each: bits 9, 13, 14, 34
features_of() {
	guest_exec "$1" "cut -b10,14,15,35 /sys/block/vda/device/features"
}

guest_uses_a_split_virtqueue() {
	started root "$root_starts"
	[ "$(features_of root)" = 1110 ]
}

# progress NAME: requests of the load so far
progress() {
	guest_exec "$1" "cat /tmp/progress"
}

has_progressed() {
	local now

	now=$(progress "$1") && [ -n "$now" ] && [ "$now" -ge "$2" ]
}

# kill_rounds NAME PLACE FILE OPTION...: a load on PLACE in the guest, which survives its brokers
kill_rounds() {
	local name=$1 place=$2 round now
	shift 2

	guest_exec "$name" "verify $place /tmp/progress >/tmp/verify.out 2>&1 && echo good >/tmp/verdict || echo bad >/tmp/verdict &"
	poll_until 60 has_progressed "$name" 50
	for ((round = 0; round < rounds; round++)); do
		sleep "0.$((RANDOM % 10))"
		end "broker-$name" KILL 1 || true
		serve_guest "$name" "$@"
		now=$(progress "$name")
		# More than the guest's processes had asked for before
		poll_until 60 has_progressed "$name" $((now + 20)) || {
			guest_exec "$name" "cat /tmp/verify.out; dmesg | tail -n 20"
			complain "nothing goes on after round $round"
			return 1
		}
	done
	guest_exec "$name" "kill -TERM \$(pidof verify | tr ' ' '\n' | sort -n | head -n 1);" \
		"while [ ! -e /tmp/verdict ]; do sleep 1; done; cat /tmp/verify.out; grep -qx good /tmp/verdict"
	printf '%s requests\n' "$(progress "$name")"
	# The guest's kernel had no errors either.
	guest_exec "$name" "! dmesg | grep -iE 'I/O error|blk_update|hung|EXT4-fs (error|warning)'"
	cat "$VHB_RUN/$name/qemu.log"
}

root_disk_survives_kill_9() {
	started root "$root_starts"
	kill_rounds root /data "$root_image" --num-queues=2
}

root_file_system_is_whole() {
	started root "$root_starts"
	guest_exec root "dd if=/dev/urandom of=/file bs=64k count=32 2>/dev/null && sha256sum /file >/sum && sync &&" \
		"mount -o remount,ro /"
	guest_stop root
	broker_stop broker-root
	fsck.ext4 -fn "$root_image"
	mkdir "$work/mnt"
	mount -o loop,ro "$root_image" "$work/mnt"
	[ "$(cut -d' ' -f1 "$work/mnt/sum")" = "$(sha256sum <"$work/mnt/file" | cut -d' ' -f1)" ]
	umount "$work/mnt"
}

guest_uses_a_packed_virtqueue() {
	started packed "$packed_starts"
	[ "$(features_of packed)" = 1011 ]
}

packed_virtqueue_survives_kill_9() {
	started packed "$packed_starts"
	kill_rounds packed /dev/vda /dev/vhbqemu
}

guest_leaves_and_so_does_the_broker() {
	started packed "$packed_starts"
	guest_stop packed
	broker_stop broker-packed
}

# Called by the trap.
# shellcheck disable=SC2317
leave() {
	guests_cleanup
	[ ! -e "$nullb" ] || rmdir "$nullb"
	clean_up
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
for program in qemu-system-x86_64 mkfs.ext4 fsck.ext4 gcc ld readelf cpio; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
[ -s "$VHB_GUESTS/vmlinux" ] || skip_all "no $VHB_GUESTS/vmlinux (selftests/guests/build.sh --into build/guests)"
modprobe -q null_blk nr_devices=0 || skip_all "null_blk is missing"
[ -e "${nullb%/*}" ] || mount -t configfs configfs /sys/kernel/config
load_module
[ -e "$blk_device" ] || skip_all "no $blk_device (make modules)"
make_work
trap leave EXIT

root_starts=0 packed_starts=0
start_root_guest >"$VHB_RUN/root.out" 2>&1 || root_starts=$?
start_packed_guest >"$VHB_RUN/packed.out" 2>&1 || packed_starts=$?
run_cases \
	firmware_and_kernel_boot_from_it \
	guest_uses_a_split_virtqueue \
	root_disk_survives_kill_9 \
	root_file_system_is_whole \
	guest_uses_a_packed_virtqueue \
	packed_virtqueue_survives_kill_9 \
	guest_leaves_and_so_does_the_broker
