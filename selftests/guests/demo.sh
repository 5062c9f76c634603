#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh - three front-ends through the bridge, one after the other, and a table of what worked and how fast
#
# Usage: demo.sh [--report FILE] [FRONT-END]...     FRONT-END: dpdk, uml, qemu (all)
#
# Runs in the VM (make-demo.sh starts it). Each front-end has a broker and a network namespace of its own; the guest is
# pinged, a file goes over TCP into it and back, and is compared. DPDK also sends 64-byte packets as fast as it can,
# through the bridge and straight on /dev/vhost-net in turn. FILE gets the table's rows, tab-separated.
#
# Exit status: 0 when everything worked.
set -euo pipefail
guests_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR
. "$guests_dir/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$guests_dir/table.sh"

report='' fronts=()
while [ $# -gt 0 ]; do
	case $1 in
	--report) report=$2; shift 2 ;;
	dpdk | uml | qemu) fronts+=("$1"); shift ;;
	*) say "unknown argument $1"; exit 2 ;;
	esac
done
[ ${#fronts[@]} -gt 0 ] || fronts=(dpdk uml qemu)

# Enough packets that a broker which is woken for one in ten thousand would show.
packets_wanted=1000000
failures=0
declare -A cell=()
declare -A title=([dpdk]='DPDK virtio-user' [uml]='User-Mode Linux' [qemu]='QEMU'
	[native]='on /dev/vhost-net' [like]='through the bridge')

note() {
	say "[$SECONDS s] $*"
}

# try ROW COLUMN COMMAND...: its output is the cell, "ok" when it has none, FAIL when it fails.
try() {
	local key=$1,$2 output
	shift 2

	if output=$("$@"); then
		cell[$key]=${output:-ok}
		note "${key/,/: }: ${cell[$key]}"
	else
		cell[$key]=FAIL
		failures=$((failures + 1))
		note "${key/,/: }: FAIL"
		return 1
	fi
}

failed() {
	failures=$((failures + 1))
	note "$1: FAIL"
}

# file_of MIB: random, so that nothing on the way can get away with less than all of it.
file_of() {
	head -c "$(($1 * 1048576))" /dev/urandom >"$VHB_RUN/file"
}

# exchange ROW BROKER TAP: ping and both transfers with the guest ROW, and the broker's switches meanwhile.
exchange() {
	local row=$1 broker=$2 tap=$3 switches packets rate direction

	switches=$(broker_ctxt_switches "$broker")
	packets=$(($(counter "$tap" rx_packets) + $(counter "$tap" tx_packets)))
	try "$row" ping ping_check "$row" || return 1
	for direction in to-guest from-guest; do
		if rate=$(transfer_check "$direction" "$row" "$VHB_RUN/file"); then
			cell[$row,$direction]=ok
			cell[$row,$direction-rate]="$rate MB/s"
			note "$row: file $direction, checksum compared: ok, $rate MB/s"
		else
			cell[$row,$direction]=FAIL
			failed "$row: file $direction"
		fi
	done
	switches=$(($(broker_ctxt_switches "$broker") - switches))
	packets=$(($(counter "$tap" rx_packets) + $(counter "$tap" tx_packets) - packets))
	cell[$row,switches]="$switches in $packets packets"
}

# The alternation cancels what changes slowly on a busy machine, where a window may still be half or double another;
# exact figures need ratio.sh and its clock.
dpdk_rates() {
	local rates='' rate front

	for front in native like like native native like; do
		dpdk_go "$front"
		sleep 0.5
		rate=$(rate_window "$front" 2)
		dpdk_pause "$front"
		rates+="$front $rate"$'\n'
		note "dpdk: 64-byte packets a second: $rate ${title[$front]}"
	done
	awk 'NF { sum[$1] += $2 }
		END { if (!sum["native"] || !sum["like"]) exit 1; printf "%.2f (plain)\n", sum["like"] / sum["native"] }' \
		<<<"$rates"
}

# The rule that shapes everything: no wake-up of the broker, however many packets flow.
dpdk_silence() {
	local switches first packets=0 deadline=$((SECONDS + 240))

	dpdk_go bridged
	switches=$(broker_ctxt_switches broker)
	first=$(counter bridged rx_packets)
	while [ "$packets" -lt "$packets_wanted" ]; do
		[ "$SECONDS" -lt "$deadline" ] || { complain "only $packets packets in 240 s"; return 1; }
		sleep 2
		packets=$(($(counter bridged rx_packets) - first))
	done
	switches=$(($(broker_ctxt_switches broker) - switches))
	dpdk_pause bridged
	printf '%s\n' "$switches in $packets packets"
	[ "$switches" -eq 0 ] || complain "the broker ran $switches times"
}

dpdk_traffic() {
	local name

	dpdk_start native /dev/vhost-net txonly || return 1
	tap_up native ''
	dpdk_broker_start broker-like native like net --socket-path="$VHB_RUN/like.sock" || return 1
	tap_up like ''
	dpdk_start like "$VHB_RUN/like.sock" txonly || return 1
	dpdk_start bridged "$VHB_RUN/dpdk.sock" txonly || return 1
	# testpmd keeps to CPU 0, so all three are plain two-CPU figures.
	for name in native broker-like broker; do
		vhost_pin "$name" 1 || return 1
	done
	try dpdk ratio dpdk_rates || true
	try dpdk silence dpdk_silence || true
	dpdk_stop native && dpdk_stop like && broker_stop broker-like && dpdk_stop bridged
}

dpdk_row() {
	note "dpdk: broker, and DPDK's virtio-user port as the front-end"
	lab_enter dpdk
	broker_start broker net --socket-path="$VHB_RUN/dpdk.sock" --tap=bridged || return 1
	tap_up bridged 10.77.1.1/24
	dpdk_traffic || failed "dpdk: txonly"
	note "dpdk: the next front-end on the same broker: a network namespace behind DPDK's port"
	file_of 8
	dpdk_tcp_start dpdk "$VHB_RUN/dpdk.sock" 10.77.1.2/24 || return 1
	exchange dpdk broker bridged || true
	guest_stop dpdk || failed "dpdk: the guest's end"
	broker_stop broker || failed "dpdk: the broker's end"
	# What counts is the steady state of the fast path, which dpdk_silence measured.
	cell[dpdk,switches]=${cell[dpdk,silence]:-FAIL}
}

uml_row() {
	note "uml: broker, and a whole User-Mode Linux as the front-end (boots in about 20 s)"
	lab_enter uml
	broker_start broker-uml net --socket-path="$VHB_RUN/uml.sock" --tap=uml0 || return 1
	tap_up uml0 10.77.2.1/24
	file_of 8
	uml_guest_start uml "$VHB_RUN/uml.sock" 10.77.2.2/24 || return 1
	note "uml: is up"
	exchange uml broker-uml uml0 || true
	guest_stop uml || failed "uml: the guest's end"
	broker_stop broker-uml || failed "uml: the broker's end"
}

qemu_row() {
	note "qemu: broker, and a whole QEMU guest as the front-end (boots in about 60 s, emulated twice)"
	lab_enter qemu
	broker_start broker-qemu net --socket-path="$VHB_RUN/qemu.sock" --tap=qemu0 || return 1
	tap_up qemu0 10.77.3.1/24
	file_of 4
	qemu_guest_start qemu "$VHB_RUN/qemu.sock" 10.77.3.2/24 || return 1
	note "qemu: is up"
	exchange qemu broker-qemu qemu0 || true
	guest_stop qemu || failed "qemu: the guest's end"
	broker_stop broker-qemu || failed "qemu: the broker's end"
}

main() {
	local front rows="$VHB_RUN/rows" column

	modprobe vhost_net
	for front in "${fronts[@]}"; do
		"${front}_row" || failed "$front"
	done
	{
		printf 'front-end\tping\tfile to host\tfile to guest\tto host\tto guest\tratio to native\tbroker context switches\n'
		for front in "${fronts[@]}"; do
			printf '%s' "${title[$front]}"
			for column in ping from-guest to-guest from-guest-rate to-guest-rate ratio switches; do
				printf '\t%s' "${cell[$front,$column]:--}"
			done
			printf '\n'
		done
	} >"$rows"
	printf '\n'
	print_table "$rows"
	[ -z "$report" ] || cp "$rows" "$report"
	[ "$failures" -eq 0 ] || { say "$failures failed"; return 1; }
}

main
