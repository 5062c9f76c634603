# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# User-Mode Linux as a whole guest. Part of lib.sh.
#
#   uml_guest_start NAME SOCKET ADDRESS/LEN     virtio net (device id 1) on the vhost-user socket
#   uml_disk_start NAME SOCKET                  virtio blk (device id 2), /dev/vda
# then guest_exec and guest_stop. Set before: uml_limit (seconds to boot).
#
# Its root is this system's own, read-only through hostfs; its memory is a file in TMPDIR, so that must be a tmpfs.

uml_limit=240
guests_init=$(dirname -- "${BASH_SOURCE[0]}")/guest-init
# What the drivers need, in this order; the package keeps them where modprobe does not look.
uml_net_modules=(net/core/failover drivers/net/net_failover drivers/net/virtio_net)
uml_blk_modules=(drivers/block/virtio_blk)

# uml_modules MODULE...: their files, with commas between
uml_modules() {
	local dir module files=''

	dir=$(compgen -G '/usr/lib/uml/modules/*' | sort -V | tail -n 1) || return 1
	for module in "$@"; do
		files+=,$(compgen -G "$dir/kernel/$module.ko*" | head -n 1)
	done
	printf '%s\n' "${files#,}"
}

# uml_boot NAME SOCKET:ID MODULES KERNEL-ARGUMENT...
uml_boot() {
	local name=$1 device=$2 modules=$3 dir in out
	dir=$(state "$1")
	shift 3

	[ -n "$modules" ] || { complain "no modules of User-Mode Linux in /usr/lib/uml"; return 1; }
	channel_make "$name"
	printf '%s\n' whole >"$dir/kind"
	mkdir -p "$dir/tmp"
	exec {in}<>"$dir/cmd.in" {out}<>"$dir/cmd.out"
	TMPDIR=$dir/tmp spawn "$name" "$dir/log" linux.uml mem=128M rootfstype=hostfs rootflags=/ ro \
		init="$guests_init" con=null con0=null,fd:1 "con1=fd:$in,fd:$out" \
		"virtio_uml.device=$device" vhb.tty=tty1 "vhb.insmod=$modules" "$@"
	exec {in}>&- {out}>&-
	channel_ready "$name" "$uml_limit"
}

uml_guest_start() {
	local name=$1 socket=$2 address=$3

	printf '%s\n' "${address%/*}" >"$(state "$name")/ip"
	uml_boot "$name" "$socket:1" "$(uml_modules "${uml_net_modules[@]}")" "vhb.ip=$address"
}

uml_disk_start() {
	uml_boot "$1" "$2:2" "$(uml_modules "${uml_blk_modules[@]}")"
}
