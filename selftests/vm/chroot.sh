#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# chroot.sh - run a command in the VM's root without booting it: builds at native speed, with the VM's own compiler,
# libraries and kernel headers
#
# Usage: chroot.sh [OPTION]... [--] COMMAND [ARG]...
#   --kernel WHICH      6.12, 6.1 or debug (as for run.sh): KDIR says where that kernel's headers are, for make modules
#   --read DIR=PLACE    show DIR at PLACE, an empty directory of the root: /mnt, /opt or /srv (may be repeated)
#   --write DIR=PLACE   the same, and writable
#
# The checkout is /vhb, writable, and the current directory; so what is built there appears in the checkout. The root
# itself is read-only, /tmp is empty memory. The command's exit status is passed on.
# Examples: chroot.sh make -C /vhb O=build/vm
#           chroot.sh --kernel debug make modules
#
# Environment: VHB_CACHE (default /var/cache/vhost-bridge)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

root='' kernel='' kdir='' shown=() argv=()

usage_error() {
	say "$* (see --help)"
	exit 2
}

# In the new namespaces: mount, enter, run. The mounts vanish with the namespace.
# inside ROOT KDIR [ACCESS DIR PLACE]... -- COMMAND [ARG]...
inside() {
	local root=$1 kdir=$2 dir
	shift 2

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
	while [ "$1" != -- ]; do
		mount --bind "$2" "$root$3"
		mount -o "remount,bind,$1" "$root$3"
		shift 3
	done
	shift
	# Not exec: as process 1 of its namespace the command would be deaf to signals.
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \
		TERM="${TERM:-dumb}" VHB_IN_CHROOT=1 ${kdir:+"KDIR=$kdir"} \
		chroot "$root" sh -c 'cd /vhb && exec "$@"' sh "$@"
}

# show ACCESS DIR=PLACE
show() {
	local dir=${2%=*} place=${2##*=}

	if [ "$dir" = "$2" ] || [ ! -d "$dir" ]; then
		usage_error "'$2' is not DIR=PLACE, or there is no such DIR"
	fi
	shown+=("$1" "$dir" "$place")
}

# A kernel of the root has its headers there; the debug kernel's come from outside.
choose_kernel() {
	local dir

	if [ "$1" = debug ]; then
		dir=$("$vm_dir/debug-kernel.sh") || exit 1
		hold "$dir"
		show ro "$dir=/run/vhb"
		kdir=/run/vhb/build
		return
	fi
	kdir=$(cd "$root/usr/lib/modules" && compgen -G "$1.*") || usage_error "no kernel $1 in the VM root"
	kdir=/lib/modules/$kdir/build
}

parse_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--help) usage_of "$0"; exit 0 ;;
		--) shift; break ;;
		--kernel | --read | --write) [ $# -ge 2 ] || usage_error "$1 needs a value" ;;
		-*) usage_error "unknown option $1" ;;
		*) break ;;
		esac
		case $1 in
		--kernel) kernel=$2 ;;
		--read) show ro "$2" ;;
		--write) show rw "$2" ;;
		esac
		shift 2
	done
	[ $# -gt 0 ] || usage_error "no command"
	argv=("$@")
}

main() {
	if [ "${1:-}" = --inside ]; then
		shift
		inside "$@"
		return
	fi
	parse_options "$@"
	need_root
	root=$("$vm_dir/root.sh")
	hold "$root"
	[ -z "$kernel" ] || choose_kernel "$kernel"
	exec unshare --mount --pid --fork --kill-child "$0" --inside "$root" "$kdir" ${shown[@]+"${shown[@]}"} -- "${argv[@]}"
}

main "$@"
