# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the shell tests here; sourced, from this directory. Offers what lib/broker.sh has, for a block device, and:
#   $image                             a disk image, made for each case
#   load_module                        have module vhost_bridge until the script ends, if it can be had
#   clean_up                           for a trap at the end: what cases that failed left behind goes, and the module
#   need_module                        ends a case with "skip" when it is missing
#   attach_loop                        a block device made of $image, its name in $loop; or ends a case with "skip"
#   detach_loop                        the reverse
device_type=blk
. ../lib/broker.sh

blk_device=/dev/vhost-bridge-blk
has_loaded=

load_module() {
	local file=${VHB_MODULE:-../../build/modules/$(uname -r)/vhost_bridge.ko}

	[ ! -e "$blk_device" ] && [ -e "$file" ] || return 0
	if insmod "$file" 2>/dev/null; then
		has_loaded=yes
	fi
}

# Other tests want the module as it was.
clean_up() {
	local name file

	umount -q "$work/mnt" 2>/dev/null || true
	while read -r name file; do
		case $file in
		"$work"/*) losetup --detach "$name" ;;
		esac
	done < <(losetup --list --noheadings --output NAME,BACK-FILE 2>/dev/null)
	rm -rf -- "$work"
	[ -z "$has_loaded" ] || rmmod vhost_bridge
}

need_module() {
	[ -e "$blk_device" ] || skip_case "no $blk_device (make modules)"
}

make_image() {
	image=$work/disk.img
	truncate -s 16M "$image"
}

attach_loop() {
	modprobe -q loop 2>/dev/null || true
	loop=$(losetup --find --show "$image" 2>/dev/null) || skip_case "no loop device"
	# It remembers from one file to the next.
	blockdev --setrw "$loop"
}

detach_loop() {
	blockdev --setrw "$loop"
	losetup --detach "$loop"
}
