#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ratio.sh - DPDK's 64-byte packets through the bridge, and straight on /dev/vhost-net beside it
#
# Usage: ratio.sh [--windows N] [--seconds S] [--report FILE]
#
# Runs in the VM; with run.sh --icount the clock counts instructions and the figures repeat. Three front-ends are up
# all the time, one of them forwards: so the windows alternate without a restart between them. The packets are counted
# by the kernel at the tap.
#   native   testpmd on /dev/vhost-net, on the tap it makes itself
#   bridged  testpmd on the bridge, on a tap opened with the same flags: what the bridge itself costs
#   own      testpmd on the bridge, on the tap the broker makes: what a user gets
#
# The last line, also in FILE:  ratio native=PPS bridged=PPS ratio=R own=PPS windows=N switches=N
# (switches: how often the brokers' main threads were switched away from while packets flowed)
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

windows=3 seconds=1.5 report=''
lab_patience=10000
while [ $# -gt 0 ]; do
	case $1 in
	--windows) windows=$2 ;;
	--seconds) seconds=$2 ;;
	--report) report=$2 ;;
	*) say "unknown argument $1"; exit 2 ;;
	esac
	shift 2
done

# window NAME: its rate once it is in its stride; tap and front-end have the same name.
window() {
	dpdk_go "$1"
	sleep 0.2
	rate_window "$1" "$seconds"
	dpdk_pause "$1"
}

start_all() {
	local name

	modprobe vhost_net
	lab_enter ratio
	dpdk_start native /dev/vhost-net txonly
	tap_up native ''
	dpdk_broker_start broker-bridged native bridged net --socket-path="$VHB_RUN/bridged.sock"
	broker_start broker-own net --socket-path="$VHB_RUN/own.sock" --tap=own
	for name in bridged own; do
		dpdk_start "$name" "$VHB_RUN/$name.sock" txonly
		tap_up "$name" ''
	done
}

# Pollers do not end nicely when a virtual second takes twenty real ones.
stop_all() {
	local name

	for name in native bridged own; do
		dpdk_stop "$name" KILL
	done
	broker_stop broker-bridged
	broker_stop broker-own
}

switches_of() {
	echo "$(($(broker_ctxt_switches broker-bridged) + $(broker_ctxt_switches broker-own)))"
}

main() {
	local i name rate before switches=0 rates='' line

	start_all
	for ((i = 1; i <= windows; i++)); do
		for name in native bridged own; do
			before=$(switches_of)
			rate=$(window "$name")
			switches=$((switches + $(switches_of) - before))
			rates+="$name $rate"$'\n'
			say "window $i: $rate packets a second, $name"
		done
	done
	stop_all
	line=$(awk -v windows="$windows" -v switches="$switches" '
		NF { sum[$1] += $2 }
		END {
			if (!sum["native"] || !sum["bridged"] || !sum["own"]) exit 1
			printf "ratio native=%d bridged=%d ratio=%.4f own=%d windows=%d switches=%d\n",
				sum["native"] / windows, sum["bridged"] / windows, sum["bridged"] / sum["native"],
				sum["own"] / windows, windows, switches
		}' <<<"$rates") || { complain "one of the three sent no packets at all"; return 1; }
	printf '%s\n' "$line"
	[ -z "$report" ] || printf '%s\n' "$line" >"$report"
}

main
