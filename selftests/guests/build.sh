#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh - build the small guest for QEMU inside the VM once and print the paths of its vmlinux and its initramfs
#
# Usage: build.sh [--help | --into DIR]
#   --into DIR  also copy both into DIR (the VM sees nothing of the cache, only the checkout)
#
# Kernel: Debian's linux-source with kernel.config on top of allnoconfig, about four minutes on two CPUs. Initramfs:
# Debian's static busybox, guest-init and verify. Both are made in the VM's root, so the host needs no compiler.
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
gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -static -s -o /srv/ramfs/bin/verify /srv/verify.c
cd /srv/ramfs
mknod dev/console c 5 1
mknod dev/null c 1 3
find . -print0 | sort -z | cpio --quiet -0 -o -H newc >/srv/initramfs
'

# make_tree PREFIX KEY WHAT SCRIPT ROOT SOURCE FILE: print the cached tree PREFIX-KEY; when it is missing, SCRIPT makes
# FILE for it. The caller may have put more into $work.
make_tree() {
	local prefix=$1 final=$vm_cache/$1-$2 what=$3 script=$4 root=$5 source=$6 file=$7 log=$vm_cache/$1-build.log
	local work

	if [ ! -d "$final" ]; then
		lock_cache "$prefix"
	fi
	if [ ! -d "$final" ]; then
		work=$(mktemp -d "$vm_cache/tmp-$prefix.XXXXXX")
		# shellcheck disable=SC2064
		trap "rm -rf -- '$work'" EXIT
		cp "$guests_dir/kernel.config" "$guests_dir/guest-init" "$guests_dir/verify.c" "$work/"
		: >"$log"
		step "$log" "$what" in_root "$root" "$source" "$work" "$script"
		mkdir "$work/out"
		mv "$work/$file" "$work/out/"
		mv -T -- "$work/out" "$final"
		rm -rf -- "$work"
		trap - EXIT
		remove_older "$prefix" "$final"
	fi
	printf '%s\n' "$final"
}

# Replaced by name: a VM that runs may still read the old one.
install_file() {
	local to=$2/${1##*/}

	if ! cmp -s "$1" "$to"; then
		cp "$1" "$to.new"
		mv "$to.new" "$to"
	fi
}

key_of() {
	sha256sum | cut -c1-12
}

main() {
	local into='' root source version kernel ramfs

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	--into) into=${2:?--into needs a directory} ;;
	'') ;;
	*) die "unknown argument $1 (see --help)" ;;
	esac
	need_root
	need_commands unshare chroot flock
	root=$("$vm_dir/root.sh")
	source=$("$vm_dir/ksrc.sh" --full)
	version=$(awk '/^(VERSION|PATCHLEVEL|SUBLEVEL) = / { print $3 }' "$source/Makefile" | paste -sd.)

	kernel=$(make_tree guestkernel "$({
		printf '%s\n' "$version" "$kernel_script"
		grep -E '^(# )?CONFIG_' "$guests_dir/kernel.config"
	} | key_of)" "guest kernel $version, once (about 4 minutes)" "$kernel_script" "$root" "$source" vmlinux)
	# The root's name is its key: a new busybox comes with a new root.
	ramfs=$(make_tree guestramfs "$({
		printf '%s\n' "${root##*/}" "$initramfs_script"
		cat "$guests_dir/guest-init" "$guests_dir/verify.c"
	} | key_of)" "guest initramfs" "$initramfs_script" "$root" "$source" initramfs)

	if [ -n "$into" ]; then
		mkdir -p "$into"
		install_file "$kernel/vmlinux" "$into"
		install_file "$ramfs/initramfs" "$into"
	fi
	printf '%s\n' "$kernel/vmlinux" "$ramfs/initramfs"
}

main "$@"
