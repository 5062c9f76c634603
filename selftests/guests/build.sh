#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh - build the small guest for QEMU inside the VM (vmlinux, initramfs) once and print its directory
#
# Usage: build.sh [--help | --into DIR]
#   --into DIR  also copy both files into DIR (the VM sees nothing of the cache, only the checkout)
#
# Kernel: Debian's linux-source with kernel.config on top of allnoconfig, about four minutes on two CPUs. Initramfs:
# Debian's static busybox and guest-init. Both are made in the VM's root, so the host needs no compiler.
#
# Environment: VHB_CACHE (default /var/cache/vhost-bridge)
set -euo pipefail
guests_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../vm/lib.sh
. "$guests_dir/../vm/lib.sh"

# in_root ROOT SOURCE WORK SCRIPT: run it in the VM's root with the kernel source at /mnt and WORK at /srv.
in_root() {
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child bash -ec '
		mount --bind "$2" "$1/mnt"
		mount -o remount,bind,ro "$1/mnt"
		mount --bind "$3" "$1/srv"
		mount -t proc proc "$1/proc"
		mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
		mount --bind /dev "$1/dev"
		env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C \
			chroot "$1" bash -euo pipefail -c "$4"' bash "$@"
}

# A wish that Kconfig does not grant (a dependency is missing, the symbol is gone) must not pass in silence.
# shellcheck disable=SC2016
kernel_script='
make -s -C /mnt O=/srv/o KCONFIG_ALLCONFIG=/srv/kernel.config allnoconfig
grep -E "^(# )?CONFIG_" /srv/kernel.config | while read -r line; do
	grep -qxF -- "$line" /srv/o/.config || { echo "kernel.config: not granted: $line"; exit 1; }
done
make -s -C /srv/o -j"$(nproc)" vmlinux
strip -o /srv/vmlinux /srv/o/vmlinux
'

# The node of the console is made by the kernel in the initramfs it begins with.
# shellcheck disable=SC2016
initramfs_script='
mkdir -p /srv/ramfs/{bin,dev,proc,sys,tmp}
cp /bin/busybox /srv/ramfs/bin/busybox
ln -s bin /srv/ramfs/sbin
for applet in $(busybox --list); do
	[ -e "/srv/ramfs/bin/$applet" ] || ln -s busybox "/srv/ramfs/bin/$applet"
done
install -m 755 /srv/guest-init /srv/ramfs/init
cd /srv/ramfs
mknod dev/console c 5 1
mknod dev/null c 1 3
find . -print0 | sort -z | cpio --quiet -0 -o -H newc >/srv/initramfs
'

build() {
	local root=$1 source=$2 final=$3 work log=$vm_cache/guest-build.log

	work=$(mktemp -d "$vm_cache/tmp-guest.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf -- '$work'" EXIT
	cp "$guests_dir/kernel.config" "$guests_dir/guest-init" "$work/"
	: >"$log"
	step "$log" "building the guest kernel, once (about 4 minutes; log: $log)" \
		in_root "$root" "$source" "$work" "$kernel_script"
	step "$log" "building the guest's initramfs" in_root "$root" "$source" "$work" "$initramfs_script"
	mkdir "$work/out"
	mv "$work/vmlinux" "$work/initramfs" "$work/out/"
	mv -T -- "$work/out" "$final"
	rm -rf -- "$work"
	trap - EXIT
	remove_older guest "$final"
}

# Two keys: a change of guest-init must not cost a new kernel... is not worth two caches while it costs minutes once.
guest_key() {
	{
		printf '%s\n' "$1" "$2" "$kernel_script" "$initramfs_script"
		cat "$guests_dir/kernel.config" "$guests_dir/guest-init"
	} | sha256sum | cut -c1-12
}

main() {
	local into='' root source dir

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	--into) into=${2:?--into needs a directory} ;;
	'') ;;
	*) die "unknown argument $1 (see --help)" ;;
	esac
	need_root
	root=$("$vm_dir/root.sh")
	source=$("$vm_dir/ksrc.sh" --full)
}

main "$@"
