#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU, a whole guest, has a disk of the broker: firmware and kernel boot from it, and brokers are killed under it.
#
# VHB_KILL_ROUNDS: how often each (3)
# guests/lib.sh is not followed (with broker.sh it is too much for shellcheck), so its variables look strange.
# shellcheck disable=SC2034,SC2154
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
. ./broker.sh
# shellcheck source=/dev/null
. ../guests/lib.sh

rounds=${VHB_KILL_ROUNDS:-3}
nullb=/sys/kernel/config/nullb/vhbqemu
root_image=$VHB_RUN/root.img
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
	local tree=$work/tree

	mkdir "$tree"
	cpio --quiet -idD "$tree" <"$VHB_GUESTS/initramfs"
	truncate -s 2M "$tree/data"
	cp -L --parents /usr/bin/fio "$tree"
	ldd /usr/bin/fio | grep -oE '/[^ ]+' | xargs cp -L --parents -t "$tree"
	truncate -s 128M "$root_image"
	mkfs.ext4 -q -d "$tree" "$root_image"
	gcc -m32 -c -o "$work/boot.o" "-DENTRY=$(pvh_entry)" "-DMEMORY_MIB=$qemu_mem" \
		"-DCMDLINE=\"$(qemu_cmdline) root=/dev/vda rw init=/init\"" ../guests/boot.S
	ld -m elf_i386 -Ttext=0x7c00 --oformat=binary -o "$work/boot.bin" "$work/boot.o"
	[ "$(stat -c %s "$work/boot.bin")" = 1024 ]
	dd if="$work/boot.bin" of="$root_image" conv=notrunc status=none
}

# The lines of the load in the guest's log; they end as a terminal's do.
load_says() {
	tr -d '\r' <"$VHB_RUN/$1/log" | sed -n 's/^.*verify: //p'
}

# progress NAME: requests of the load so far
progress() {
	load_says "$1" | awk '$2 == "requests" { n = $1 } END { print n + 0 }'
}

has_progressed() {
	[ "$(progress "$1")" -ge "$2" ]
}

has_verdict() {
	load_says "$1" | grep -qE '^(good|bad)$'
}

# load_goes_on NAME REQUESTS: so many that some must have been asked for since
load_goes_on() {
	poll_until 60 has_progressed "$1" "$2" || {
		complain "the load does not go on" "$VHB_RUN/$1/log"
		cat "$VHB_RUN/$1/qemu.log" "$VHB_RUN/broker-$1/log"
		return 1
	}
}

# survive_kills NAME PLACE FILE OPTION...: a load on PLACE in the guest, which does not mind its brokers' deaths
survive_kills() {
	local name=$1 place=$2 round
	shift 2

	guest_exec "$name" "verify $place >/dev/ttyS0 2>&1 &"
	load_goes_on "$name" 40
	for ((round = 0; round < rounds; round++)); do
		sleep "0.$((RANDOM % 10))"
		end "broker-$name" KILL 1 || true
		serve_guest "$name" "$@"
		load_goes_on "$name" $(($(progress "$name") + 20))
	done
	guest_exec "$name" "killall -TERM verify"
	poll_until 60 has_verdict "$name"
	load_says "$name" | tail -n 5
	load_says "$name" | grep -qx good
	# The guest's kernel had no errors either.
	fails grep -aiE 'I/O error|blk_update|hung|EXT4-fs (error|warning)' "$VHB_RUN/$name/log"
}

# written NAME: requests to write that the guest's disk has completed
written() {
	guest_exec "$1" "awk '{ print \$5 }' /sys/block/vda/stat"
}

has_written() {
	[ "$(written "$1")" -ge "$2" ]
}

has_fio_ended() {
	tr -d '\r' <"$VHB_RUN/$1/log" | grep -q '^fio: status'
}

# fio_survives_kills NAME FILE OPTION...: the same with fio, which reads back what it has written, all the time
fio_survives_kills() {
	local name=$1 round
	shift

	guest_exec "$name" "(fio --name=load --filename=/data --size=2M --direct=1 --ioengine=libaio --iodepth=4 --bs=4k" \
		"--rw=randwrite --verify=crc32c --verify_fatal=1 --verify_backlog=64 --time_based" \
		"--runtime=$((20 + 6 * rounds * lab_patience)) --thread; status=\$?; echo; echo fio: status \$status) >/dev/ttyS0 2>&1 &"
	poll_until 120 has_written "$name" $(($(written "$name") + 40))
	for ((round = 0; round < rounds; round++)); do
		has_fio_ended "$name" && break
		sleep "0.$((RANDOM % 10))"
		end "broker-$name" KILL 1 || true
		serve_guest "$name" "$@"
		poll_until 60 has_written "$name" $(($(written "$name") + 20))
	done
	printf 'fio: %d brokers were killed\n' "$round"
	poll_until $((300 + 20 * rounds)) has_fio_ended "$name"
	tr -d '\r' <"$VHB_RUN/$name/log" | grep -E '^fio|err=|write:|verify' | tail -n 20
	tr -d '\r' <"$VHB_RUN/$name/log" | grep -qx 'fio: status 0'
	[ "$round" -ge "$rounds" ]
	fails grep -aiE 'I/O error|blk_update|hung|EXT4-fs (error|warning)' "$VHB_RUN/$name/log"
}

# has_features NAME BIT...: the guest uses these
has_features() {
	local name=$1 features bit
	shift

	features=$(guest_exec "$name" "cat /sys/block/vda/device/features")
	for bit in "$@"; do
		[ "${features:bit:1}" = 1 ]
	done
}

# The firmware knows one virtqueue, the guest uses as many as it has CPUs, and there is one that nobody sets up.
guest_boots_from_it_and_survives_kill_9() {
	make_root
	serve_guest root "$root_image" --num-queues=2
	qemu_queues=2 qemu_device=,bootindex=0
	qemu_kernel=(-device "loader,file=$VHB_GUESTS/vmlinux")
	qemu_disk_start root "$VHB_RUN/root.sock"
	grep -qa "boot sector: disk is read" "$VHB_RUN/root/log"
	has_features root 9 13 14
	fails has_features root 34 >/dev/null
	guest_exec root "grep -q '^/dev/root / ext4 rw' /proc/mounts"
	survive_kills root /data "$root_image" --num-queues=2
	fio_survives_kills root "$root_image" --num-queues=2
	guest_exec root "dd if=/dev/urandom of=/file bs=64k count=16 2>/dev/null && sha256sum /file >/sum && sync &&" \
		"mount -o remount,ro /"
	guest_stop root
	broker_stop broker-root
	fsck.ext4 -fn "$root_image"
	mkdir "$work/mnt"
	modprobe -q loop || true
	mount -o loop,ro "$root_image" "$work/mnt"
	[ "$(cut -d' ' -f1 "$work/mnt/sum")" = "$(sha256sum <"$work/mnt/file" | cut -d' ' -f1)" ]
	umount "$work/mnt"
}

# Requests take 2 ms, so there are always some in flight.
packed_virtqueue_survives_kill_9() {
	mkdir "$nullb"
	echo 32 >"$nullb/size"
	echo 1 >"$nullb/memory_backed"
	echo 2 >"$nullb/irqmode"
	echo 2000000 >"$nullb/completion_nsec"
	echo 1 >"$nullb/power"
	serve_guest packed /dev/vhbqemu
	qemu_queues=1 qemu_device=,packed=on qemu_kernel=()
	qemu_disk_start packed "$VHB_RUN/packed.sock"
	has_features packed 9 14 34
	survive_kills packed /dev/vda /dev/vhbqemu
	guest_stop packed
	broker_stop broker-packed
	rmdir "$nullb"
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
for program in qemu-system-x86_64 mkfs.ext4 fsck.ext4 gcc ld readelf cpio fio; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
[ -s "$VHB_GUESTS/vmlinux" ] || skip_all "no $VHB_GUESTS/vmlinux (selftests/guests/build.sh --into build/guests)"
modprobe -q null_blk nr_devices=0 || skip_all "null_blk is missing"
[ -e "${nullb%/*}" ] || mount -t configfs configfs /sys/kernel/config
load_module
[ -e "$blk_device" ] || skip_all "no $blk_device (make modules)"
make_work
trap leave EXIT

run_cases \
	guest_boots_from_it_and_survives_kill_9 \
	packed_virtqueue_survives_kill_9
