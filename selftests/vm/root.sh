#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# root.sh - print the path of the VM's root file system, building it first when it is missing or stale
#
# Usage: root.sh [--help | --key | --cached]
#   --key     only print the key of the wanted root (a hash of everything it is made from)
#   --cached  print the path if it is there already, otherwise fail; builds nothing
#
# The root is a plain directory: Debian 13 (trixie) with its 6.12 kernel and everything the tests call, and beside
# it Debian 12's (bookworm's) 6.1 kernel with modules and headers. run.sh boots from it over 9p, chroot.sh builds in
# it. Nobody writes into it after it was built.
#
# Environment: VHB_CACHE (default /var/cache/vhost-bridge)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# One group a line, with the reason it is there.
root_packages=(
	linux-image-amd64 linux-headers-amd64				# the 6.12 kernel
	gcc gcc-12 clang libc6-dev make pkg-config			# gcc-12 is what 6.1's headers ask for
	liburing-dev libmnl-dev libkmod-dev libcmocka-dev sparse	# the broker, its tests
	bc bison flex libelf-dev libssl-dev pahole xz-utils zstd cpio	# building kernels
	kmod iproute2 iputils-ping procps psmisc util-linux ethtool	# what tests call
	busybox-static netcat-openbsd socat strace e2fsprogs
	python3-minimal iperf3 tcpdump fio
	dpdk-dev user-mode-linux					# front-ends
	qemu-system-x86 qemu-utils qemu-block-extra			# QEMU as a front-end; -extra has libblkio
)

# The meta package pulls the whole ABI-named family in; compilers and initramfs tools of bookworm are not wanted.
old_kernel_packages=(
	'linux-image-amd64:^linux-image-6\.'
	'linux-headers-amd64:^linux-(headers|kbuild|compiler)-'
)

build_base() {
	# INITRD=No: we boot with our own initramfs, making Debian's costs half a minute.
	INITRD=No mmdebstrap --variant=minbase --include="$(IFS=,; printf '%s' "${root_packages[*]}")" \
		"$vm_suite" "$1"
	# Mount points: the root is read-only wherever it is used.
	mkdir -p "$1/vhb" "$1/results" "$1/run/vhb"
}

# Unpacked, not installed: apt of trixie does not know these packages and needs not.
add_old_kernel() {
	local root=$1 debs=$1/old-kernel deb release

	fetch_debs "$vm_old_suite" "$debs" "${old_kernel_packages[@]}"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$debs/tree"
	done
	# bookworm's packages still say /lib; trixie's /lib is a link to usr/lib that must stay one.
	cp -a "$debs/tree/usr/." "$root/usr/"
	cp -a "$debs/tree/lib/." "$root/usr/lib/"
	cp -a "$debs/tree/boot/." "$root/boot/"
	release=$(basename "$debs"/tree/lib/modules/*)
	rm -rf "$debs"
	chroot "$root" depmod "$release"
}

# unpack_kernel IMAGE OUTPUT: the ELF inside a bzImage, by the fields of its boot header. An emulated CPU takes
# seconds to decompress it at each boot, and QEMU boots an ELF with a PVH entry directly.
unpack_kernel() {
	local image=$1 setup_sectors offset length payload

	setup_sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$image")
	offset=$(od -An -tu4 -j $((0x248)) -N 4 "$image")
	length=$(od -An -tu4 -j $((0x24c)) -N 4 "$image")
	payload=$2.payload
	# The payload's last four bytes are the unpacked size, which xz would take for garbage.
	dd if="$image" of="$payload" bs=1M iflag=skip_bytes,count_bytes status=none \
		skip=$(((setup_sectors + 1) * 512 + offset)) count=$((length - 4))
	xz -dc <"$payload" >"$2" 2>/dev/null || zstd -qdc <"$payload" >"$2" || gzip -dc <"$payload" >"$2"
	rm -f "$payload"
}

unpack_kernels() {
	local image

	for image in "$1"/boot/vmlinuz-*; do
		unpack_kernel "$image" "${image/vmlinuz/vmlinux}"
	done
}

# Both kernels must be whole: a root that only half works would fail much later and far less clearly.
check_root() {
	local root=$1 version release

	for version in 6.12 6.1; do
		release=$(cd "$root/usr/lib/modules" && compgen -G "$version.*") || return 1
		[ "$(wc -l <<<"$release")" -eq 1 ] || return 1
		[ -s "$root/boot/vmlinux-$release" ] && [ -s "$root/usr/lib/modules/$release/modules.dep" ] || return 1
		chroot "$root" test -e "/lib/modules/$release/build/Module.symvers" || return 1
	done
	[ -x "$root/usr/bin/busybox" ] && [ -x "$root/usr/bin/linux.uml" ] && [ -x "$root/usr/bin/dpdk-testpmd" ]
}

# Comments do not count: `declare -f` prints the functions without them.
root_key() {
	{
		printf '%s\n' "$vm_suite" "$vm_old_suite" "${root_packages[@]}" "${old_kernel_packages[@]}"
		declare -f build_base add_old_kernel unpack_kernel unpack_kernels check_root fetch_debs
		grep -v '^ *#' "$vm_dir/fetch-hook.sh"
	} | sha256sum | cut -c1-12
}

build_root() {
	local final=$1 tmp log=$vm_cache/root-build.log

	need_root
	need_commands mmdebstrap dpkg-deb chroot xz zstd
	tmp=$(mktemp -d "$vm_cache/tmp-root.XXXXXX")
	# shellcheck disable=SC2064
	trap "rm -rf -- '$tmp'" EXIT
	chmod 755 "$tmp"
	: >"$log"
	say "building the VM root, once (about 3 minutes; log: $log)"
	step "$log" "Debian $vm_suite with ${#root_packages[@]} packages" build_base "$tmp"
	step "$log" "kernel 6.1 of $vm_old_suite" add_old_kernel "$tmp"
	step "$log" "unpacking the kernels" unpack_kernels "$tmp"
	step "$log" "checking the root" check_root "$tmp"
	mv -T -- "$tmp" "$final"
	trap - EXIT
	remove_older root "$final"
}

main() {
	local key root

	case ${1:-} in
	--help) usage_of "$0"; return ;;
	--key) root_key; return ;;
	'' | --cached) ;;
	*) die "unknown argument $1 (see --help)" ;;
	esac

	key=$(root_key)
	root=$vm_cache/root-$key
	if [ ! -d "$root" ]; then
		[ "${1:-}" != --cached ] || die "no VM root in $vm_cache for key $key"
		lock_cache root
		[ -d "$root" ] || build_root "$root"
	fi
	printf '%s\n' "$root"
}

main "$@"
