#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU's tools as clients of the real broker, on each kind of disk: what they write is there, also for the host.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

size_mib=32
size_bytes=$((size_mib << 20))
nullb=/sys/kernel/config/nullb/vhbclients
# Of the case: the broker's --blk-file, and what the client is told
disk='' client=''
mounted=''

# use_null_blk: a disk in memory, which knows discard
use_null_blk() {
	remove_null_blk
	mkdir "$nullb"
	echo "$size_mib" >"$nullb/size"
	echo 1 >"$nullb/memory_backed"
	echo 1 >"$nullb/discard"
	echo 1 >"$nullb/power"
	disk=/dev/${nullb##*/}
}

remove_null_blk() {
	[ ! -e "$nullb" ] || rmdir "$nullb"
}

use_loop() {
	image=$work/disk.img
	truncate -s "${size_mib}M" "$image"
	attach_loop
	disk=$loop
}

# Around the page cache, to a file system on a loop device
use_ext4_file() {
	leave_file_system
	truncate -s $((size_mib * 3))M "$work/fs.img"
	mkfs.ext4 -q "$work/fs.img"
	mount -o loop "$work/fs.img" "$mounted"
	disk=$mounted/disk.img
	truncate -s "${size_mib}M" "$disk"
}

use_tmpfs_file() {
	leave_file_system
	mount -t tmpfs tmpfs "$mounted"
	disk=$mounted/disk.img
	truncate -s "${size_mib}M" "$disk"
}

leave_file_system() {
	umount -q "$mounted" || true
}

# serve OPTION...: the disk
serve() {
	client=driver=virtio-blk-vhost-user,path=$work/disk.sock,cache.direct=on
	start_broker disk --blk-file="$disk" "$@"
}

# io WHAT COMMAND...: qemu-io on an image, as options or as a file. It goes on after a command that failed.
io() {
	local image=$1 command arguments=() status=0
	shift

	for command in "$@"; do
		arguments+=(-c "$command")
	done
	case $image in
	driver=*,read-only=on) timeout 60 qemu-io -r "${arguments[@]}" --image-opts "$image" ;;
	driver=*) timeout 60 qemu-io "${arguments[@]}" --image-opts "$image" ;;
	*) timeout 60 qemu-io -r -f raw "${arguments[@]}" "$image" ;;
	esac >"$work/io.out" 2>&1 || status=$?
	if [ "$status" -ne 0 ] || grep -qiE 'fail|error' "$work/io.out"; then
		printf 'qemu-io: status %d\n' "$status"
		cat "$work/io.out"
		return 1
	fi
}

# host_sees COMMAND...: reads, past what the page cache may still have
host_sees() {
	[ ! -b "$disk" ] || blockdev --flushbufs "$disk"
	io "$disk" "$@"
}

end_service() {
	stop_broker disk
	case $disk in
	/dev/loop*) detach_loop ;;
	/dev/*) remove_null_blk ;;
	*) leave_file_system ;;
	esac
}

# Lengths from a sector to more than a request has segments, the last sector, many at a time, zeroes over data
keeps_patterns() {
	local reads=(
		"read -P 0x11 0 4k" "read -P 0x22 4k 60k" "read -P 0 64k 64k" "read -P 0x66 $((131072 + 512)) 512"
		"read -P 0x33 1M 1M" "read -P 0 2M 512k" "read -P 0 $((2048 + 512))k 512k" "read -P 0x33 3M 1M"
		"readv -P 0x44 5M 4k 64k 512 3584" "read -P 0x77 10M 4M" "read -P 0x55 $((size_bytes - 512)) 512"
	)

	serve
	io "$client" \
		"write -P 0x11 0 4k" "write -P 0x22 4k 60k" "write -P 0x66 $((131072 + 512)) 512" \
		"write -P 0x33 1M 3M" "writev -P 0x44 5M 512 4k 3584 64k" \
		"aio_write -P 0x77 10M 1M" "aio_write -P 0x77 11M 1M" "aio_write -P 0x77 12M 1M" "aio_write -P 0x77 13M 1M" \
		aio_flush "write -P 0x55 $((size_bytes - 512)) 512" "write -z 2M 512k" \
		"write -z -u $((2048 + 512))k 512k" flush "${reads[@]}"
	# A client that comes later sees it too.
	io "$client" "${reads[@]}"
	fails io "$client" "read -P 0x12 0 4k" >/dev/null
	fails io "$client" "write $size_bytes 512" >/dev/null
	host_sees "${reads[@]}"
	end_service
}

allocated() {
	stat -c %b "$1"
}

# Of a file one can see that the room is free again.
frees_what_is_discarded() {
	local file=${1:-} before after

	serve
	io "$client" "write -P 0x11 0 8M" flush
	[ -z "$file" ] || before=$(allocated "$file")
	io "$client" "discard 1M 4M" "write -P 0x22 2M 64k" flush \
		"read -P 0x11 0 1M" "read -P 0 1M 1M" "read -P 0x22 2M 64k" "read -P 0x11 5M 3M"
	[ -z "$file" ] || after=$(allocated "$file")
	[ -z "$file" ] || [ "$((before - after))" -ge $((3 * 2048)) ] || {
		printf '%s blocks before, %s after\n' "$before" "$after"
		return 1
	}
	host_sees "read -P 0x11 0 1M" "read -P 0 1M 1M" "read -P 0x22 2M 64k" "read -P 0x11 5M 3M"
	end_service
}

bench() {
	timeout 120 qemu-img bench -t none "$@" --image-opts "$client" >"$work/bench.out" 2>&1 || {
		cat "$work/bench.out"
		return 1
	}
}

keeps_deep_queues() {
	serve "$@"
	bench -c 2000 -d 1 -s 4096
	bench -w --pattern=66 -c 256 -d 16 -s 65536 --flush-interval=64
	bench -c 4000 -d 16 -s 4096
	bench -w --pattern=67 -c 256 -d 1 -s 4096 -o 16M
	host_sees "read -P 66 0 16M" "read -P 67 16M 1M"
	end_service
}

# A whole image in and out again; convert skips holes and zeroes them, compare reads both
keeps_an_image() {
	local reference=$work/reference.raw out=$work/out.raw

	truncate -s "${size_mib}M" "$reference"
	dd if=/dev/urandom of="$reference" bs=1M count=5 seek=3 conv=notrunc status=none
	dd if=/dev/urandom of="$reference" bs=512 count=77 seek=40001 conv=notrunc status=none
	serve
	timeout 60 qemu-img info --image-opts "$client" | grep -q "virtual size: $size_mib MiB ($size_bytes bytes)"
	io "$client" "write -P 0x99 0 ${size_mib}M"
	fails timeout 60 qemu-img compare --image-opts "driver=file,filename=$reference" "$client" >/dev/null
	timeout 60 qemu-img convert -n -t writeback --image-opts --target-image-opts \
		"driver=file,filename=$reference" "$client"
	timeout 60 qemu-img compare --image-opts "driver=file,filename=$reference" "$client"
	timeout 60 qemu-img convert -O raw --image-opts "$client" "$out"
	cmp "$reference" "$out"
	[ ! -b "$disk" ] || blockdev --flushbufs "$disk"
	cmp "$reference" "$disk"
	end_service
}

null_blk_keeps_patterns() {
	use_null_blk
	keeps_patterns
}

null_blk_discards() {
	use_null_blk
	frees_what_is_discarded
}

null_blk_keeps_deep_queues() {
	use_null_blk
	keeps_deep_queues
}

null_blk_keeps_deep_queues_with_four_virtqueues() {
	use_null_blk
	keeps_deep_queues --num-queues=4
}

null_blk_keeps_an_image() {
	use_null_blk
	keeps_an_image
}

loop_keeps_patterns() {
	use_loop
	keeps_patterns
}

loop_discards() {
	use_loop
	frees_what_is_discarded "$image"
}

loop_keeps_deep_queues() {
	use_loop
	keeps_deep_queues
}

ext4_file_keeps_patterns() {
	use_ext4_file
	keeps_patterns
}

ext4_file_discards() {
	use_ext4_file
	frees_what_is_discarded "$disk"
}

ext4_file_keeps_an_image() {
	use_ext4_file
	keeps_an_image
}

tmpfs_file_keeps_patterns() {
	use_tmpfs_file
	keeps_patterns
}

tmpfs_file_discards() {
	use_tmpfs_file
	frees_what_is_discarded "$disk"
}

tmpfs_file_keeps_deep_queues() {
	use_tmpfs_file
	keeps_deep_queues
}

read_only_disk_is_not_written() {
	use_tmpfs_file
	dd if=/dev/urandom of="$disk" bs=1M count=4 conv=notrunc status=none
	cp "$disk" "$work/before"
	serve --read-only
	io "$client,read-only=on" "read 0 4M"
	timeout 60 qemu-img compare --image-opts "driver=file,filename=$work/before" "$client,read-only=on"
	fails io "$client" "write -P 0x11 0 4k" >/dev/null
	fails io "$client" "write -z 0 4k" >/dev/null
	fails io "$client" "discard 0 1M" >/dev/null
	cmp "$disk" "$work/before"
	end_service
}

# Requests that the disk has seen
requests() {
	awk '{ print $1 + $5 }' "/sys/class/block/${disk##*/}/stat"
}

has_seen() {
	[ "$(requests)" -ge "$1" ]
}

switches() {
	awk '/ctxt_switches:/ { n += $2; seen++ } END { if (seen != 2) exit 1; print n }' \
		"/proc/${pids[disk]}/task/${pids[disk]}/status"
}

# Data goes from guest to disk in the kernel: not once is the broker woken.
requests_do_not_wake_the_broker() {
	local first before after bench

	use_null_blk
	serve
	first=$(requests)
	timeout 300 qemu-img bench -t none -c 100000000 -d 16 -s 4096 --image-opts "$client" >"$work/bench.out" 2>&1 &
	bench=$!
	wait_for "the client's first requests" has_seen $((first + 500))
	before=$(switches)
	wait_for "2000 more" has_seen $((first + 2500)) || wait_for "2000 more, later" has_seen $((first + 2500))
	after=$(switches)
	kill "$bench"
	wait "$bench" || true
	[ "$after" -eq "$before" ] || {
		printf 'the broker ran %d times\n' $((after - before))
		return 1
	}
	end_service
}

# Called by the trap.
# shellcheck disable=SC2317
leave() {
	umount -q "$mounted" || true
	rmdir "$mounted"
	remove_null_blk
	clean_up
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
for program in qemu-io qemu-img losetup mkfs.ext4; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
modprobe -q null_blk nr_devices=0 || skip_all "null_blk is missing"
[ -e "${nullb%/*}" ] || mount -t configfs configfs /sys/kernel/config
load_module
[ -e "$blk_device" ] || skip_all "no $blk_device (make modules)"
make_work
mounted=$(mktemp -d /tmp/vhb-mnt.XXXXXX)
trap leave EXIT

run_cases \
	null_blk_keeps_patterns \
	null_blk_discards \
	null_blk_keeps_deep_queues \
	null_blk_keeps_deep_queues_with_four_virtqueues \
	null_blk_keeps_an_image \
	loop_keeps_patterns \
	loop_discards \
	loop_keeps_deep_queues \
	ext4_file_keeps_patterns \
	ext4_file_discards \
	ext4_file_keeps_an_image \
	tmpfs_file_keeps_patterns \
	tmpfs_file_discards \
	tmpfs_file_keeps_deep_queues \
	read_only_disk_is_not_written \
	requests_do_not_wake_the_broker
