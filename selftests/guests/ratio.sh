#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ratio.sh - DPDK's 64-byte packets through the bridge, and straight on /dev/vhost-net beside it
#
# Usage: ratio.sh [--windows N] [--seconds S] [--report FILE]
#
# Runs in the VM; with run.sh --icount the clock counts instructions and the figures repeat. Both front-ends are up
# all the time, one of them forwards: so the windows alternate without a restart between them. The packets are counted
# by the kernel at the tap.
#
# The last line, also in FILE:  ratio native=PPS bridged=PPS ratio=R windows=N switches=N
# (switches: how often the broker's main thread was switched away from while packets flowed)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

windows=3 seconds=1.5 report=''
while [ $# -gt 0 ]; do
	case $1 in
	--windows) windows=$2 ;;
	--seconds) seconds=$2 ;;
	--report) report=$2 ;;
	*) say "unknown argument $1"; exit 2 ;;
	esac
	shift 2
done

# window FRONT-END TAP: its rate once it is in its stride.
window() {
	dpdk_go "$1"
	sleep 0.2
	rate_window "$2" "$seconds"
	dpdk_pause "$1"
}

main() {
	local i native=() bridged=() rate before=0 after=0 switches=0 line
	# One set of parameters for both, and enough time: start-up is slow when every instruction is counted.
	dpdk_limit=300

	modprobe vhost_net
	lab_enter ratio
	dpdk_start native /dev/vhost-net txonly
	tap_up native ''
	broker_start broker net --socket-path="$VHB_RUN/net.sock" --tap=bridged
	dpdk_start front "$VHB_RUN/net.sock" txonly
	tap_up bridged ''

	for ((i = 1; i <= windows; i++)); do
		rate=$(window native native)
		native+=("$rate")
		before=$(broker_ctxt_switches broker)
		rate=$(window front bridged)
		after=$(broker_ctxt_switches broker)
		switches=$((switches + after - before))
		bridged+=("$rate")
		say "window $i: native ${native[-1]}, bridged ${bridged[-1]} packets a second"
	done
	line=$(printf '%s\n' "${native[*]}" "${bridged[*]}" | awk -v switches="$switches" '
		{ for (i = 1; i <= NF; i++) sum[NR] += $i; n = NF }
		END {
			if (!n || sum[1] <= 0 || sum[2] <= 0) exit 1
			printf "ratio native=%d bridged=%d ratio=%.4f windows=%d switches=%d\n",
				sum[1] / n, sum[2] / n, sum[2] / sum[1], n, switches
		}') || { complain "no packets in some window: ${native[*]} / ${bridged[*]}"; return 1; }
	# Pollers do not end nicely when a virtual second takes twenty real ones.
	dpdk_stop native KILL
	dpdk_stop front KILL
	broker_stop broker
	printf '%s\n' "$line"
	[ -z "$report" ] || printf '%s\n' "$line" >"$report"
}

main
