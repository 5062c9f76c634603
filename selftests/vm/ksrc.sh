#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ksrc.sh - print a directory with the kernel's own test and style tools, taken from Debian's linux-source package
#
# Usage: ksrc.sh [--help | --full]
#   --full  print a whole unpacked linux source tree instead (1.5 GB, unpacked once); treat it as read-only: build
#           with O=
#
# In the directory, as in a kernel tree: scripts/checkpatch.pl with its data files and scripts/kernel-doc, and
# tools/testing/selftests with lib.mk, the harness and the runner. They are not ours to copy into the checkout.
#
# Environment: KSRC, a kernel tree: printed as it is; VHB_CACHE (default /var/cache/vhost-bridge)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

package=linux-source-6.12
# What checkpatch, kernel-doc and the kselftest framework read, as tar patterns below the archive's top directory.
# shellcheck disable=SC2016
wanted=(
	scripts/checkpatch.pl scripts/spelling.txt scripts/const_structs.checkpatch scripts/kernel-doc
	scripts/spdxcheck.py scripts/Makefile.arch scripts/subarch.include scripts/cc-can-link.sh
	'tools/scripts/*' tools/build/Build.include tools/build/Makefile.feature
	tools/testing/selftests/lib.mk tools/testing/selftests/Makefile tools/testing/selftests/run_kselftest.sh
	tools/testing/selftests/kselftest_install.sh tools/testing/selftests/gen_kselftest_tar.sh
	tools/testing/selftests/kselftest_deps.sh
	'tools/testing/selftests/kselftest*.h' 'tools/testing/selftests/kselftest/*'
	COPYING 'LICENSES/*'
)

fetch() {
	local dir=$1

	fetch_debs "$vm_suite" "$dir" "$package"
	dpkg-deb -x "$dir/$package"_*.deb "$dir/unpacked"
	mv "$dir/unpacked/usr/src/$package.tar.xz" "$dir/linux.tar.xz"
	rm -rf "$dir/unpacked" "$dir"/*.deb
}

take_tools() {
	mkdir "$1/tools-only"
	tar -C "$1/tools-only" --strip-components=1 --wildcards -xJf "$1/linux.tar.xz" "${wanted[@]/#/*/}"
}

unpack_all() {
	mkdir "$1"
	tar -C "$1" --strip-components=1 -xJf "$2"
}

build() {
	local final=$1 tmp log=$vm_cache/ksrc-build.log

	need_root
	need_commands mmdebstrap dpkg-deb tar xz
	tmp=$(mktemp -d "$vm_cache/tmp-ksrc.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf -- '$tmp'" EXIT
	chmod 755 "$tmp"
	: >"$log"
	step "$log" "fetching $package of Debian $vm_suite" fetch "$tmp"
	step "$log" "unpacking checkpatch and kselftest" take_tools "$tmp"
	mv -T -- "$tmp" "$final"
	trap - EXIT
	remove_older ksrc "$final"
}

main() {
	local full=0 dir key

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	--full) full=1 ;;
	'') ;;
	*) die "unknown argument $1 (see --help)" ;;
	esac
	if [ -n "${KSRC:-}" ]; then
		[ -f "$KSRC/tools/testing/selftests/lib.mk" ] || die "KSRC=$KSRC is no kernel tree"
		printf '%s\n' "$KSRC"
		return
	fi

	key=$({ printf '%s\n' "$vm_suite" "$package" "${wanted[@]}"; declare -f fetch take_tools; } |
		sha256sum | cut -c1-12)
	dir=$vm_cache/ksrc-$key
	if [ ! -d "$dir" ]; then
		lock_cache ksrc
		[ -d "$dir" ] || build "$dir"
	fi
	if [ "$full" = 1 ]; then
		lock_cache ksrc
		if [ ! -d "$dir/full" ]; then
			rm -rf "$dir/full.new"
			step "$vm_cache/ksrc-build.log" "unpacking all of $package" unpack_all "$dir/full.new" "$dir/linux.tar.xz"
			mv "$dir/full.new" "$dir/full"
		fi
		printf '%s\n' "$dir/full"
	else
		printf '%s\n' "$dir/tools-only"
	fi
}

main "$@"
