# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the scripts of selftests/vm share. Sourced, never run.
#
# The cache lies outside the checkout: `git clean` must not cost a rebuild, and several checkouts share it.

vm_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# Used by the scripts that source this file.
# shellcheck disable=SC2034
vm_tree=$(cd -- "$vm_dir/../.." && pwd)
vm_cache=${VHB_CACHE:-/var/cache/vhost-bridge}
vm_name=${0##*/}

# Suites by name; the mirror is whatever mmdebstrap takes by itself.
# shellcheck disable=SC2034
vm_suite=trixie
# shellcheck disable=SC2034
vm_old_suite=bookworm

say() {
	printf '%s: %s\n' "$vm_name" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

# Print a script's usage: the comment block at its top, below the SPDX line.
usage_of() {
	awk 'NR > 2 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$1"
}

need_root() {
	[ "$(id -u)" -eq 0 ] || die "needs root (chroot, mounts, files of the VM root)"
}

need_commands() {
	local c missing=()

	for c in "$@"; do
		command -v "$c" >/dev/null || missing+=("$c")
	done
	[ ${#missing[@]} -eq 0 ] || die "missing: ${missing[*]} (try: $vm_dir/packages.sh install vm)"
}

# step LOG WHAT COMMAND...: run COMMAND with its output in LOG, a line when it starts and ends and every 30 s
# between, so that nobody takes a slow mirror for a hang. The log's tail is shown when it fails.
step() {
	local log=$1 what=$2 start=$SECONDS pid status=0 beat=30
	shift 2

	say "$what ..."
	"$@" >>"$log" 2>&1 </dev/null &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		if ((SECONDS - start >= beat)); then
			say "$what ... $((SECONDS - start)) s"
			beat=$((beat + 30))
		fi
	done
	wait "$pid" || status=$?
	if [ "$status" -ne 0 ]; then
		tail -n 20 "$log" >&2
		die "$what: failed with status $status, whole log in $log"
	fi
	say "$what: $((SECONDS - start)) s"
}

# lock_cache NAME: hold the cache's lock NAME until the script ends (file descriptor 8).
lock_cache() {
	mkdir -p "$vm_cache"
	exec 8>"$vm_cache/$1.lock"
	if ! flock -n 8; then
		say "waiting for another run that builds $1"
		flock 8
	fi
}

# fetch_debs SUITE DIR PACKAGE...: download binary packages of a Debian suite into DIR, on any host release.
# A name written META:REGEX stands for the packages META depends on whose names match REGEX, followed downwards.
# mmdebstrap sets up apt for the suite (mirror, keys, architecture); --variant=custom installs nothing at all.
fetch_debs() {
	local suite=$1 dir=$2 scratch
	shift 2

	mkdir -p "$dir"
	scratch=$(mktemp -d "$dir/apt.XXXXXX")
	VHB_DEB_DIR=$dir VHB_DEB_NAMES="$*" mmdebstrap --variant=custom \
		--customize-hook="$vm_dir/fetch-hook.sh" "$suite" "$scratch"
	rm -rf "$scratch"
}

# hold DIR: a cached tree stays as long as this process, or what it becomes, lives: a newer one's builder removes only
# trees that nobody holds.
hold() {
	local fd

	exec {fd}<"$1"
	flock -s "$fd"
}

# remove_older PREFIX KEEP: delete cached trees with that prefix, except KEEP and those in use (hold).
remove_older() {
	local dir

	for dir in "$vm_cache/$1"-*; do
		if [ ! -d "$dir" ] || [ "$dir" = "$2" ]; then
			continue
		fi
		if flock -n "$dir" rm -rf -- "$dir"; then
			say "removed the older $dir"
		else
			say "kept the older $dir: still in use"
		fi
	done
}
