#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# debug-kernel.sh - print the directory (in the cache) of the debug kernel, building it first when it is missing or stale
#
# Usage: debug-kernel.sh [--help | --cached]
#   --cached  print the directory if it is there already, otherwise fail; builds nothing
#
# Debian's linux-source with debug.config: KASAN, lockdep, kmemleak, fault injection and more. It is built in the VM's
# root, so the host needs no compiler. In the directory, as `run.sh --kernel DIR` and `chroot.sh` take it:
#
#   vmlinux                the kernel, started by PVH
#   lib/modules/RELEASE    its modules
#   build                  what modules of others are built against, all of it in there; KDIR=.../build
#
# Environment: VHB_CACHE (default /var/cache/vhost-bridge)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

config=$vm_dir/debug.config

# In the root: the source at /mnt, the working directory at /srv. A wish that Kconfig does not grant (a dependency is
# missing, the symbol is gone) must not pass in silence. The headers are chosen as the kernel's own packages do.
#
# enlighten.o: PVH calls memcmp() before KASAN is ready, and dies of it unless the compiler expands the call. The others:
# KASAN there makes stack traces and leak scans slow, and finds nothing of ours.
# shellcheck disable=SC2016
recipe='
set -eu
make -s -C /mnt O=/srv/o KCONFIG_ALLCONFIG=/srv/debug.config allnoconfig
grep -E "^(# )?CONFIG_" /srv/debug.config | while read -r line; do
	grep -qxF -- "$line" /srv/o/.config || { echo "debug.config: not granted: $line"; exit 1; }
done
cd /srv/o
make -s -j"$(nproc)" CFLAGS_enlighten.o=-finline-stringops=memcmp KASAN_SANITIZE_kmemleak.o=n \
	KASAN_SANITIZE_unwind_frame.o=n KASAN_SANITIZE_extable.o=n vmlinux modules
make -s INSTALL_MOD_PATH=/srv/out modules_install
rm -f /srv/out/lib/modules/*/build
cp vmlinux .config /srv/out/
srctree=/mnt SRCARCH=x86 CC=gcc HOSTCC=gcc /mnt/scripts/package/install-extmod-build /srv/out/build
'

build() {
	"$vm_dir/chroot.sh" --read "$1=/mnt" --write "$2=/srv" -- sh -c "$recipe"
}

main() {
	local source version key dir work log=$vm_cache/debugkernel-build.log

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	'' | --cached) ;;
	*) die "unknown argument $1 (see --help)" ;;
	esac
	source=$(KSRC='' "$vm_dir/ksrc.sh" --full)
	hold "${source%/full}"
	version=$(awk '/^(VERSION|PATCHLEVEL|SUBLEVEL) = / { print $3 }' "$source/Makefile" | paste -sd.)
	key=$({ printf '%s\n' "$version" "$recipe"; grep -E '^(# )?CONFIG_' "$config"; } | sha256sum | cut -c1-12)
	dir=$vm_cache/debugkernel-$key
	if [ ! -d "$dir" ]; then
		[ "${1:-}" != --cached ] || die "no debug kernel in $vm_cache for key $key"
		need_root
		lock_cache debugkernel
	fi
	if [ ! -d "$dir" ]; then
		work=$(mktemp -d "$vm_cache/tmp-debugkernel.XXXXXX")
		# shellcheck disable=SC2064
		trap "rm -rf -- '$work'" EXIT
		cp "$config" "$work/"
		: >"$log"
		step "$log" "debug kernel $version, once (about 15 minutes)" build "$source" "$work"
		mv -T -- "$work/out" "$dir"
		rm -rf -- "$work"
		trap - EXIT
		remove_older debugkernel "$dir"
	fi
	printf '%s\n' "$dir"
}

main "$@"
