# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Front-ends for tests and the demo: DPDK virtio-user, User-Mode Linux and QEMU as whole guests, and the broker they
# talk to. Sourced, never run; needs root and a machine of its own (selftests/vm/run.sh), or one that does not mind
# network namespaces named vhb-*.
#
# Everything has a name. The state of NAME is in $VHB_RUN/NAME: pid, log, kind, ip ... Whatever still runs when the
# script ends is killed. Functions return non-zero after saying why, with the tail of the log that tells more.
#
#   lab_enter NAME                     a network namespace of its own for what follows (host side of the bridge)
#   broker_start NAME ARGS...          guest_exec NAME COMMAND           tap_up TAP ADDRESS/LEN
#   dpdk_*, uml_*, qemu_*              one file each beside this one     transfer_check, ping_check (measure.sh)
#
# Environment: VHB_BROKER (the program under test), VHB_GUESTS (directory with vmlinux and initramfs, see build.sh)

guests_src=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
guests_tree=$(cd -- "$guests_src/../.." && pwd)
guests_program=${0##*/}
VHB_BROKER=${VHB_BROKER:-$guests_tree/build/vm/vhost-bridge}
VHB_GUESTS=${VHB_GUESTS:-$guests_tree/build/guests}
# /dev/shm: memory, and unlike /tmp no script of the checkout's tests would think of wiping it.
VHB_RUN=$(mktemp -d /dev/shm/vhb.XXXXXX)
# The namespace commands of the host side run in; empty: where we are.
lab_ns=''
declare -A lab_namespaces=()

say() {
	printf '%s: %s\n' "$guests_program" "$*" >&2
}

# complain WHAT [LOG]: say it with the end of the log, and be the non-zero status of the caller.
complain() {
	say "FAIL: $1"
	if [ -n "${2:-}" ] && [ -s "$2" ]; then
		sed 's/^/    | /' <(tail -n 20 "$2") >&2
	fi
	return 1
}

# Factor for all time limits. A clock that counts instructions jumps ahead whenever the machine waits for its host, so
# there a limit says nothing about real time: scripts for such a machine raise this and leave the bound to run.sh.
lab_patience=${VHB_PATIENCE:-1}

# poll_until SECONDS COMMAND...: true as soon as the command is; false when the time is over.
poll_until() {
	local deadline=$((SECONDS + $1 * lab_patience))
	shift

	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.25
	done
}

# state NAME: the directory of that name, made when missing.
state() {
	mkdir -p "$VHB_RUN/$1"
	printf '%s\n' "$VHB_RUN/$1"
}

# Microseconds; EPOCHREALTIME costs no process.
now_us() {
	local t=${EPOCHREALTIME/[.,]/}
	printf '%s\n' "$t"
}

# lab_owns NAMESPACE: it goes when the script ends.
lab_owns() {
	lab_namespaces[$1]=1
}

# lab_enter NAME: what is started and configured from now on lives in the network namespace vhb-NAME.
lab_enter() {
	lab_ns=vhb-$1
	if [ -z "${lab_namespaces[$lab_ns]:-}" ]; then
		ip netns add "$lab_ns"
		lab_owns "$lab_ns"
		# Neighbour discovery would add packets nobody counts on.
		in_lab sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
		in_lab ip link set lo up
	fi
}

# `ip netns exec` becomes the command itself, so $! of a job is the command's pid.
in_lab() {
	if [ -n "$lab_ns" ]; then
		ip netns exec "$lab_ns" "$@"
	else
		"$@"
	fi
}

# spawn NAME LOG COMMAND...: start it in the lab in the background; standard input is a FIFO that never ends.
# File descriptors 3 and 4, where the caller has them open, are passed on.
spawn() {
	local dir log=$2
	dir=$(state "$1")
	shift 2

	[ -p "$dir/stdin" ] || mkfifo "$dir/stdin"
	if [ -n "$lab_ns" ]; then
		ip netns exec "$lab_ns" "$@" <>"$dir/stdin" >"$log" 2>&1 &
	else
		"$@" <>"$dir/stdin" >"$log" 2>&1 &
	fi
	printf '%s\n' "$!" >"$dir/pid"
}

alive() {
	local pid

	pid=$(cat "$VHB_RUN/$1/pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

gone() {
	! alive "$1"
}

# end NAME SIGNAL SECONDS: signal it, wait for its end, kill it when it takes longer. Status: the process's own;
# 137 when it had to be killed.
end() {
	local pid status=0

	pid=$(cat "$VHB_RUN/$1/pid" 2>/dev/null) || return 0
	kill -"$2" "$pid" 2>/dev/null || true
	# Standard error is closed to the shell itself: it would report each job that a signal ended.
	{
		if ! poll_until "$3" gone "$1"; then
			kill -KILL "$pid" || true
		fi
		wait "$pid" || status=$?
	} 2>/dev/null
	rm -f "$VHB_RUN/$1/pid"
	return "$status"
}

# Trap of the sourcing script; it may call this from a trap of its own.
guests_cleanup() {
	local file ns

	for file in "$VHB_RUN"/*/pid; do
		[ -e "$file" ] || continue
		kill -KILL "$(<"$file")" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	for ns in "${!lab_namespaces[@]}"; do
		ip netns del "$ns" 2>/dev/null || true
	done
	rm -rf -- "$VHB_RUN"
}
trap guests_cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# broker_start NAME ARGS...: as soon as it returns true, the socket accepts front-ends.
broker_start() {
	local name=$1
	shift

	[ -x "$VHB_BROKER" ] || { complain "no broker at $VHB_BROKER"; return 1; }
	spawn "$name" "$(state "$name")/log" "$VHB_BROKER" "$@"
	broker_wait "$name"
}

broker_wait() {
	if ! poll_until 15 broker_says_ready_or_is_gone "$1" || ! broker_is_ready "$1"; then
		complain "broker '$1' is not ready" "$VHB_RUN/$1/log"
		return 1
	fi
}

broker_is_ready() {
	grep -qE '(^|[ :])ready$' "$VHB_RUN/$1/log"
}

broker_says_ready_or_is_gone() {
	broker_is_ready "$1" || gone "$1"
}

# broker_stop NAME: the contract is status 0 within a second; an emulated CPU gets five.
broker_stop() {
	local status=0

	end "$1" TERM 5 || status=$?
	[ "$status" -eq 0 ] || complain "broker '$1' ended with status $status on SIGTERM" "$VHB_RUN/$1/log"
}

broker_log() {
	cat "$VHB_RUN/$1/log"
}

# broker_ctxt_switches NAME: how often its main thread was switched away from, for whatever reason.
broker_ctxt_switches() {
	local pid
	pid=$(<"$VHB_RUN/$1/pid")

	awk '/ctxt_switches:/ { n += $2; seen++ } END { if (seen != 2) exit 1; print n }' \
		"/proc/$pid/task/$pid/status"
}

# tap_up TAP ADDRESS/LEN: give the host's end of the bridge an address ('' for none).
tap_up() {
	if [ -n "$2" ]; then
		in_lab ip addr add "$2" dev "$1"
	fi
	in_lab ip link set "$1" up
}

# counter INTERFACE COUNTER: of the lab's interface, as the kernel counts (rx: what the front-end sent).
counter() {
	in_lab cat "/sys/class/net/$1/statistics/$2"
}

# shellcheck source-path=SCRIPTDIR
. "$guests_src/channel.sh"
# shellcheck source-path=SCRIPTDIR
. "$guests_src/dpdk.sh"
# shellcheck source-path=SCRIPTDIR
. "$guests_src/uml.sh"
# shellcheck source-path=SCRIPTDIR
. "$guests_src/qemu.sh"
# shellcheck source-path=SCRIPTDIR
. "$guests_src/measure.sh"
