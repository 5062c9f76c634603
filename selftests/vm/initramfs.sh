#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# initramfs.sh - write the VM's initramfs: busybox, guest/initramfs-init and the few modules needed to reach the root
#
# Usage: initramfs.sh ROOT MODULES OUTPUT [MODULE_FILE]...
#   ROOT     the VM root (its static busybox is used)
#   MODULES  the kernel's /lib/modules/RELEASE directory, or '' for a kernel that has everything built in
#   OUTPUT   the file to write
#   MODULE_FILE  further modules to insert
#
# Takes less than a second, so nothing is cached: run.sh makes one for each run.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# In the order of their tasks; what is built into a kernel is absent from its modules.dep and left out.
wanted=(virtio_pci virtio_console 9pnet_virtio 9p overlay)

# with_dependencies MODULES NAME: the module's file and those it needs, needed ones first. modules.dep lists them
# the other way round.
with_dependencies() {
	local line word files=()

	line=$(grep -E "(^|/)$2\.ko(\.[a-z]+)?:" "$1/modules.dep") || return 0
	for word in ${line/:/ }; do
		files=("$word" "${files[@]}")
	done
	printf '%s\n' "${files[@]}"
}

unpacked() {
	case $1 in
	*.xz) xz -dc -- "$1" ;;
	*.zst) zstd -qdc -- "$1" ;;
	*.gz) gzip -dc -- "$1" ;;
	*) cat -- "$1" ;;
	esac
}

main() {
	local root modules output tree file name

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	esac
	[ $# -ge 3 ] || die "three arguments are needed (see --help)"
	root=$1 modules=$2 output=$3
	shift 3

	tree=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf -- '$tree'" EXIT
	mkdir -p "$tree"/{bin,dev,proc,sys,modules,new,layers}
	install -m 755 "$root/usr/bin/busybox" "$tree/bin/busybox"
	install -m 755 "$vm_dir/guest/initramfs-init" "$tree/init"
	: >"$tree/modules/order"
	if [ -n "$modules" ]; then
		for name in "${wanted[@]}"; do
			while read -r file; do
				name=${file##*/}
				name=${name%%.*}.ko
				[ ! -e "$tree/modules/$name" ] || continue
				unpacked "$modules/$file" >"$tree/modules/$name"
				printf '%s\n' "$name" >>"$tree/modules/order"
			done < <(with_dependencies "$modules" "$name")
		done
	fi
	for file; do
		cp -- "$file" "$tree/modules/"
		printf '%s\n' "${file##*/}" >>"$tree/modules/order"
	done
	[ "${VHB_SHARE_MODULES:-0}" = 0 ] || : >"$tree/has-modules"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$output"
}

main "$@"
