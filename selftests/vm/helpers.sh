#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# helpers.sh - print a directory (in the cache) with what run.sh needs compiled, building it first when necessary:
#
#   tsc_khz                guest/tsc_khz.c, a static program for the host
#   RELEASE/poke_twice.ko  guest/poke_twice, for each kernel of the VM root
#
# Usage: helpers.sh [--help]
#
# Apart from the root's own cache, so that a change here does not cost a new root.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Runs in the chroot, where only /tmp can be written: the result leaves as a tar archive on standard output.
# shellcheck disable=SC2016
recipe='
set -eu
src=/vhb/selftests/vm/guest out=/tmp/out
mkdir $out
gcc -O2 -Wall -Wextra -static -o $out/tsc_khz $src/tsc_khz.c
for build in /lib/modules/*/build; do
	release=$(basename "$(dirname "$build")")
	cp -r $src/poke_twice "/tmp/$release"
	make -s -C "$build" M="/tmp/$release" modules >&2
	mkdir "$out/$release"
	cp "/tmp/$release/poke_twice.ko" "$out/$release/"
done
tar -C $out -c .
'

build() {
	"$vm_dir/chroot.sh" sh -c "$recipe" | tar -C "$1" -x
}

main() {
	local key dir tmp

	if [ "${1:-}" = --help ]; then
		usage_of "$0"
		return
	fi
	key=$({ "$vm_dir/root.sh" --key; printf '%s' "$recipe"; cat "$vm_dir"/guest/tsc_khz.c \
		"$vm_dir"/guest/poke_twice/{Kbuild,poke_twice.c}; } | sha256sum | cut -c1-12)
	dir=$vm_cache/helpers-$key
	if [ ! -d "$dir" ]; then
		lock_cache helpers
		if [ ! -d "$dir" ]; then
			tmp=$(mktemp -d "$vm_cache/tmp-helpers.XXXXXX")
			# shellcheck disable=SC2064
			trap "rm -rf -- '$tmp'" EXIT
			: >"$vm_cache/helpers-build.log"
			step "$vm_cache/helpers-build.log" "building the VM's helpers" build "$tmp"
			mv -T -- "$tmp" "$dir"
			trap - EXIT
			remove_older helpers "$dir"
		fi
	fi
	printf '%s\n' "$dir"
}

main "$@"
