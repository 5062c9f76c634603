#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh - build the module for one kernel outside the source tree
#
# Usage: build.sh KDIR OUT [MAKE [ARG]...]
#   KDIR  a configured kernel build directory (/lib/modules/RELEASE/build)
#   OUT   the module becomes OUT/RELEASE/vhost_bridge.ko
#
# kbuild writes beside the sources, and its MO= for another place came long after 6.1. So each kernel gets a directory
# of its own with links to the sources: several kernels coexist and the checkout stays clean.
set -euo pipefail

die() {
	printf 'module: %s\n' "$*" >&2
	exit 1
}

[ $# -ge 2 ] || die "usage: build.sh KDIR OUT [MAKE [ARG]...]"
kdir=$1 out=$2
shift 2
[ $# -gt 0 ] || set -- make
tree=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

[ -e "$kdir/Makefile" ] ||
	die "no kernel build directory $kdir: install the headers (Debian: linux-headers-$(uname -r)) or give KDIR=DIR"
# What `uname -r` will say; include/config/kernel.release is another number on Debian 12.
utsrelease=$kdir/include/generated/utsrelease.h
[ -s "$utsrelease" ] || die "$kdir is not a configured kernel: it has no ${utsrelease#"$kdir/"}"
release=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"$/\1/p' "$utsrelease")
[ -n "$release" ] || die "no release in $utsrelease"

dir=$out/$release
work=$dir/kbuild
mkdir -p "$work"

# Files that went away must not be built any more.
find "$work" -xtype l -delete
while IFS= read -r -d '' file; do
	if [ ! -L "$work/$file" ]; then
		mkdir -p "$(dirname -- "$work/$file")"
		ln -srf -- "$tree/$file" "$work/$file"
	fi
done < <(cd "$tree" && find Kbuild module include -type f \
	\( -name Kbuild -o -name '*.[chS]' ! -name '*.mod.c' \) -print0)

"$@" --no-print-directory -C "$kdir" M="$work" modules
cp -f -- "$work/module/vhost_bridge.ko" "$dir/vhost_bridge.ko"
printf 'module: %s\n' "$dir/vhost_bridge.ko"
