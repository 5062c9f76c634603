#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The broker's command line for block devices: which files it takes, and what it says of those it does not.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

# refuses WHAT REMEDY OPTION...: as a block device with a socket and these options, at run time
refuses() {
	says 1 "$1" "$2" "$broker" blk --socket-path="$work/refused.sock" "${@:3}"
	[ ! -e "$work/refused.sock" ]
}

# takes OPTION...: nothing is wrong with the file, for it is the kernel device that is missing next
takes() {
	refuses '/nonexistent' '--vhost-fd' --vhost-device=/nonexistent "$@"
}

# as_qemu BYTE...: locks these bytes of the image as QEMU does, and keeps it open in the background
# shellcheck disable=SC2016
as_qemu() {
	perl -e '
		my ($path, @bytes) = @ARGV;
		open(my $file, "+<", $path) or die;
		# struct flock of 64-bit machines; F_OFD_SETLK, F_RDLCK
		fcntl($file, 37, pack("ssx4qqlx4", 0, 0, $_, 1, 0)) or die for @bytes;
		$| = 1;
		print "locked\n";
		sleep;' "$image" "$@" >"$work/qemu.out" &
	wait_for "the locks" grep -qx locked "$work/qemu.out"
}

end_qemu() {
	kill %%
	wait %% || true
}

# The options' own test has the rest.
usage_errors_end_with_two() {
	local socket=--socket-path=$work/a.sock

	make_image
	misused '--blk-file=PATH is missing' 'such as' blk "$socket"
	misused '--socket-path' '/blk0.sock' blk --blk-file="$image"
	misused "unknown option '--tap'" 'blk --help' blk "$socket" --blk-file="$image" --tap=tap0
	misused 'num-queues=0' 'from 1 to 64' blk "$socket" --blk-file="$image" --num-queues=0
	misused 'num-queues=65' 'from 1 to 64' blk "$socket" --blk-file="$image" --num-queues=65
	misused 'num-queues=x' 'from 1 to 64' blk "$socket" --blk-file="$image" --num-queues=x
	misused 'poll-us=1s' 'from 0 to' blk "$socket" --blk-file="$image" --poll-us=1s
	misused '21 characters' '20 are possible' blk "$socket" --blk-file="$image" --serial=123456789012345678901
	[ ! -e "$work/a.sock" ]
}

missing_file_is_named() {
	refuses "$work/none: there is no such file" 'truncate -s' --blk-file="$work/none"
	refuses "$work/none/none: there is no such file" '--blk-file' --blk-file="$work/none/none"
	ln -s none "$work/dangling"
	refuses 'dangling: there is no such file' '--blk-file' --blk-file="$work/dangling"
}

other_kinds_of_files_are_refused() {
	local what='neither a block device nor a regular file' remedy='choose another --blk-file'

	mkdir "$work/dir"
	mkfifo "$work/fifo"
	refuses "$work/dir is $what" "$remedy" --blk-file="$work/dir"
	refuses "$work/fifo is $what" "$remedy" --blk-file="$work/fifo"
	refuses "$work/fifo is $what" "$remedy" --blk-file="$work/fifo" --read-only
	refuses "/dev/null is $what" "$remedy" --blk-file=/dev/null
	refuses "/dev/zero is $what" "$remedy" --blk-file=/dev/zero --read-only
}

file_without_a_sector_is_refused() {
	: >"$work/empty"
	refuses 'empty has 0 bytes' 'make it larger' --blk-file="$work/empty"
	printf 'short' >"$work/short"
	refuses 'short has 5 bytes' 'make it larger' --blk-file="$work/short" --read-only
}

lack_of_permission_is_named() {
	make_image
	chmod 755 "$work"
	chmod 600 "$image"
	says 1 'disk.img may not be written' '--read-only' \
		"${nobody[@]}" "$broker" blk --socket-path="$work/a.sock" --blk-file="$image"
	says 1 'disk.img may not be read' 'as its owner' \
		"${nobody[@]}" "$broker" blk --socket-path="$work/a.sock" --blk-file="$image" --read-only
	chmod 444 "$image"
	says 1 'disk.img may not be written' '--read-only' \
		"${nobody[@]}" "$broker" blk --socket-path="$work/a.sock" --blk-file="$image"
	says 1 '/nonexistent' '--vhost-fd' "${nobody[@]}" "$broker" blk --socket-path="$work/a.sock" \
		--blk-file="$image" --read-only --vhost-device=/nonexistent
}

file_on_a_read_only_file_system_needs_read_only() {
	mkdir "$work/mnt"
	# shellcheck disable=SC2016
	says 1 'disk.img is on a read-only file system' 'add --read-only' \
		unshare --mount sh -c 'mount -t tmpfs tmpfs "$0" && truncate -s 1M "$0/disk.img" &&
			mount -o remount,ro "$0" && exec "$@"' "$work/mnt" \
		"$broker" blk --socket-path="$work/a.sock" --blk-file="$work/mnt/disk.img"
}

missing_device_is_refused() {
	make_image
	refuses '/nonexistent' '--vhost-fd' --blk-file="$image" --vhost-device=/nonexistent
	refuses '/dev/null is no block device of module vhost_bridge' '/dev/vhost-bridge-blk' \
		--blk-file="$image" --vhost-device=/dev/null
	says 1 'the --vhost-fd is no block device' '/dev/vhost-bridge-blk' \
		"$broker" blk --socket-path="$work/a.sock" --blk-file="$image" --vhost-fd=9 9<>/dev/null
}

# In a mount namespace of the broker's own all modules vanish.
missing_module_is_named() {
	make_image
	# shellcheck disable=SC2016
	says 1 '/nonexistent.*no module vhost_bridge' 'make modules.*insmod' \
		unshare --mount sh -c 'd=/usr/lib/modules; [ ! -d $d ] || mount -t tmpfs tmpfs $d; exec "$@"' sh \
		"$broker" blk --socket-path="$work/a.sock" --blk-file="$image" --vhost-device=/nonexistent
}

image_that_qemu_uses_is_refused() {
	make_image
	# A guest that writes, and one with share-rw=on; a guest with readonly=on
	as_qemu 100 101 201 203
	refuses 'disk.img is in use by another process' 'end that' --blk-file="$image"
	refuses 'disk.img is being written' '--share-rw' --blk-file="$image" --read-only
	refuses 'does not share it' 'let both share it' --blk-file="$image" --share-rw
	takes --blk-file="$image" --read-only --share-rw
	end_qemu
	as_qemu 100 101 203
	refuses 'disk.img is being written' '--share-rw' --blk-file="$image"
	takes --blk-file="$image" --share-rw
	end_qemu
	as_qemu 100 201 203
	refuses 'disk.img is in use by another process' 'end that' --blk-file="$image"
	takes --blk-file="$image" --read-only
	end_qemu
	takes --blk-file="$image"
}

# The same with the real one
image_that_qemu_io_uses_is_refused() {
	command -v qemu-io >/dev/null || skip_case "no qemu-io"
	make_image
	mkfifo "$work/commands"
	qemu-io -f raw "$image" <"$work/commands" >"$work/qemu.out" 2>&1 &
	exec 8>"$work/commands"
	echo 'write 0 512' >&8
	wait_for "qemu-io" grep -q 'wrote 512/512' "$work/qemu.out"
	refuses 'disk.img is (in use|being written)' 'end that' --blk-file="$image"
	refuses 'disk.img is being written' 'end that' --blk-file="$image" --read-only
	exec 8>&-
	wait %%
	takes --blk-file="$image"
}

device_that_is_mounted_is_refused() {
	command -v mkfs.ext4 >/dev/null || skip_case "no mkfs.ext4"
	make_image
	attach_loop
	mkfs.ext4 -q "$loop"
	mkdir "$work/mnt"
	takes --blk-file="$loop"
	mount "$loop" "$work/mnt"
	refuses "$loop is in use: mounted" 'end that, or allow it with --share-rw' --blk-file="$loop"
	takes --blk-file="$loop" --share-rw
	takes --blk-file="$loop" --read-only
	umount "$work/mnt"
	takes --blk-file="$loop"
	detach_loop
}

device_that_is_read_only_needs_read_only() {
	make_image
	attach_loop
	blockdev --setro "$loop"
	refuses "$loop may not be written" 'add --read-only' --blk-file="$loop"
	takes --blk-file="$loop" --read-only
	detach_loop
}

capabilities_are_json() {
	"$broker" blk --print-capabilities >"$work/json" 2>"$work/one.err"
	[ ! -s "$work/one.err" ]
	perl -MJSON::PP -e 'undef $/; my $said = decode_json(<STDIN>); my %has = map { $_ => 1 } @{$said->{features}};
		exit($said->{type} ne "block" || !$has{"blk-file"} || !$has{"read-only"})' <"$work/json"
}

name_tells_the_type() {
	ln -s "$broker" "$work/vhost-bridge-blk"
	"$work/vhost-bridge-blk" --help | grep -q -- '--blk-file'
	"$work/vhost-bridge-blk" --print-capabilities | grep -q '"block"'
	says 2 '--blk-file' 'such as' "$work/vhost-bridge-blk" --socket-path="$work/a.sock"
	"$broker" --help | grep -q '^  blk  '
}

broker_holds_its_image() {
	need_module
	make_image
	start_broker one --blk-file="$image"
	refuses 'disk.img is in use by another process' 'end that' --blk-file="$image"
	refuses 'disk.img is being written' '--share-rw' --blk-file="$image" --read-only
	if command -v qemu-img >/dev/null; then
		fails qemu-img resize -f raw "$image" 32M
	fi
	stop_broker one
	start_broker one --blk-file="$image" --read-only
	start_broker two --blk-file="$image" --read-only
	stop_broker one
	stop_broker two
	start_broker one --blk-file="$image" --share-rw
	start_broker two --blk-file="$image" --share-rw
	stop_broker one
	stop_broker two
	[ "$(cat "$work/one.err")" = ready ]
}

block_device_is_taken() {
	need_module
	make_image
	attach_loop
	start_broker one --blk-file="$loop" --num-queues=4 --serial=a-loop --poll-us=10
	refuses "$loop is in use" 'end that' --blk-file="$loop"
	stop_broker one
	start_broker one --blk-file="$loop" --read-only
	stop_broker one
	detach_loop
}

kernel_device_is_passed_in() {
	need_module
	make_image
	chmod 777 "$work"
	chmod 666 "$image"
	"${nobody[@]}" "$broker" blk --socket-path="$work/user.sock" --blk-file="$image" --vhost-fd=9 \
		9<>"$blk_device" 2>"$work/user.err" &
	pids[user]=$!
	wait_ready user
	stop_broker user
	[ ! -e "$work/user.sock" ]
}

need_program "$broker" "make"
command -v perl >/dev/null || skip_all "perl is missing"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
make_work
trap clean_up EXIT
load_module
run_cases usage_errors_end_with_two missing_file_is_named other_kinds_of_files_are_refused \
	file_without_a_sector_is_refused lack_of_permission_is_named \
	file_on_a_read_only_file_system_needs_read_only missing_device_is_refused missing_module_is_named \
	image_that_qemu_uses_is_refused image_that_qemu_io_uses_is_refused device_that_is_mounted_is_refused \
	device_that_is_read_only_needs_read_only capabilities_are_json name_tells_the_type \
	broker_holds_its_image block_device_is_taken kernel_device_is_passed_in
