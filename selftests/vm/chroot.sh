#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# chroot.sh - run a command in the VM's root without booting it: builds at native speed, with the VM's own compiler,
# libraries and kernel headers
#
# Usage: chroot.sh [--] COMMAND [ARG]...
#
# The checkout is /vhb, writable, and the current directory; so what is built there appears in the checkout. The root
# itself is read-only, /tmp is empty memory. The command's exit status is passed on.
# Example: chroot.sh make -C /vhb O=build/vm
#
# Environment: VHB_CACHE (default /var/cache/vhost-bridge)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# In the new namespaces: mount, enter, run. The mounts vanish with the namespace.
inside() {
	local root=$1 dir
	shift

	mount --bind "$root" "$root"
	mount -o remount,bind,ro "$root"
	mount --bind "$vm_tree" "$root/vhb"
	mount -t proc proc "$root/proc"
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	for dir in null zero full random urandom tty; do
		: >"$root/dev/$dir"
		mount --bind "/dev/$dir" "$root/dev/$dir"
	done
	ln -s /proc/self/fd "$root/dev/fd"
	ln -s fd/0 "$root/dev/stdin"
	ln -s fd/1 "$root/dev/stdout"
	ln -s fd/2 "$root/dev/stderr"
	mkdir "$root/dev/shm"
	mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
	mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
	# Not exec: as process 1 of its namespace the command would be deaf to signals.
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \
		TERM="${TERM:-dumb}" VHB_IN_CHROOT=1 \
		chroot "$root" sh -c 'cd /vhb && exec "$@"' sh "$@"
}

main() {
	local root

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	--inside) shift; inside "$@"; return ;;
	--) shift ;;
	-*) die "unknown option $1 (see --help)" ;;
	esac
	[ $# -gt 0 ] || die "no command (see --help)"
	need_root
	root=$("$vm_dir/root.sh")
	exec 9<"$root"
	flock -s 9
	exec unshare --mount --pid --fork --kill-child "$0" --inside "$root" "$@"
}

main "$@"
