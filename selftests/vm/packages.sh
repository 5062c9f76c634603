#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# packages.sh - see to it that the tools and libraries for one job are there
#
# Usage: packages.sh check SET...     say what is missing, exit status 1 when something is
#        packages.sh install SET...   as root on Debian or Ubuntu, install what is missing; else the same as check
# Sets:
#   build   to build the broker
#   unit    to build and run the unit tests and the fuzzers
#   static  to run the style and static checks
#   vm      to make and boot the virtual machine
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# set, Debian's name, and how to see that it is there: command, pkg-config module, or one of the functions below.
# Looking for the thing, not for the package, is right on any distribution and for whatever provides it.
table='
build	gcc				command gcc
build	libc6-dev			header stdio.h
build	make				command make
build	pkg-config			command pkg-config
build	liburing-dev			module liburing
build	libmnl-dev			module libmnl
build	libkmod-dev			module libkmod
unit	gcc				command gcc
unit	libc6-dev			header stdio.h
unit	make				command make
unit	pkg-config			command pkg-config
unit	libcmocka-dev			module cmocka
unit	clang				command clang
unit	libclang-rt-dev			sanitizers
static	sparse				command sparse
static	shellcheck			command shellcheck
static	perl				command perl
static	python3				command python3
vm	qemu-system-x86			command qemu-system-x86_64
vm	mmdebstrap			command mmdebstrap
vm	debian-archive-keyring		file /usr/share/keyrings/debian-archive-keyring.gpg
vm	cpio				command cpio
vm	xz-utils			command xz
vm	zstd				command zstd
vm	util-linux			command setpriv
'

have_command() {
	command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ]
}

have_module() {
	pkg-config --exists "$1" 2>/dev/null
}

have_file() {
	[ -e "$1" ]
}

have_header() {
	printf '#include <%s>\n' "$1" | gcc -E -x c - >/dev/null 2>&1
}

# clang's runtime is a package of its own on some releases and part of clang's on others: only linking tells.
have_sanitizers() {
	printf 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n > 9; }\n' |
		clang -fsanitize=fuzzer,address,undefined -x c -o /dev/null - >/dev/null 2>&1
}

# missing_of SET...: Debian's names of what is missing, each once.
missing_of() {
	local set package probe argument

	while read -r set package probe argument; do
		if [ -z "$set" ] || [[ " $* " != *" $set "* ]]; then
			continue
		fi
		"have_$probe" ${argument:+"$argument"} || printf '%s\n' "$package"
	done <<<"$table" | sort -u
}

on_debian() {
	(. /etc/os-release && [[ " ${ID:-} ${ID_LIKE:-} " == *" debian "* ]]) 2>/dev/null
}

install_packages() {
	local log names=("$@") name

	log=$(mktemp "${TMPDIR:-/tmp}/vhb-packages.XXXXXX")
	export DEBIAN_FRONTEND=noninteractive
	step "$log" "apt-get update" apt-get update
	# Not every release has a package of that name; where not, clang brings the runtime itself.
	for name in "${!names[@]}"; do
		if [ "${names[name]}" = libclang-rt-dev ] && ! apt-cache show libclang-rt-dev >/dev/null 2>&1; then
			unset "names[name]"
		fi
	done
	[ ${#names[@]} -eq 0 ] ||
		step "$log" "installing ${names[*]}" apt-get install -y --no-install-recommends "${names[@]}"
	rm -f "$log"
}

main() {
	local action=${1:-} set missing

	case $action in
	--help) usage_of "$0"; return ;;
	check | install) shift ;;
	*) die "check or install? (see --help)" ;;
	esac
	[ $# -gt 0 ] || die "no set given (see --help)"
	for set; do
		[[ $set =~ ^(build|unit|static|vm)$ ]] || die "unknown set $set (see --help)"
	done

	missing=$(missing_of "$@")
	[ -n "$missing" ] || return 0
	if [ "$action" = install ] && [ "$(id -u)" -eq 0 ] && on_debian && command -v apt-get >/dev/null; then
		# Names of packages: no white space in them.
		# shellcheck disable=SC2086
		install_packages $missing
		missing=$(missing_of "$@")
		[ -n "$missing" ] || return 0
		die "installed, but still not usable: ${missing//$'\n'/ }"
	fi
	die "missing for $*: ${missing//$'\n'/ } (Debian's names$([ "$action" = check ] || echo '; root could install them'))"
}

main "$@"
