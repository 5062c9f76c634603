#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# blk-cells.sh - in the VM: how long requests on null_blk take, several ways, one line a cell
#
# Usage: blk-cells.sh BUILD_DIR CLOCK ROUNDS [WORD]
#   BUILD_DIR  where vhost-bridge and selftests/bench/blk_bench are; the module is in build/modules of this tree
#   CLOCK      icount or plain: how many requests a cell has, and whether polling is measured
#   WORD       only rows whose "CLIENT PATTERN QUEUES DEPTH" contains it
#
# In a row the ways alternate, so that what disturbs the machine disturbs all of them. Standard output, among other
# lines, per-cell figures ("-": not known):
#   cell CLIENT WAY PATTERN QUEUES DEPTH REQUESTS NANOSECONDS KICKS SWITCHES
# CLIENT is load (blk_bench) or qemu (qemu-img bench). WAY is host (io_uring straight on the device), bridge (split
# virtqueues), packed (the same with packed ones), poll (bridge with --poll-us) or export (qemu-storage-daemon's
# vhost-user-blk export). Each of the back-ends has a disk of its own of the same kind.
set -euo pipefail
set -E

build=$1 clock=$2 rounds=$3 word=${4:-}
work=$(mktemp -d /tmp/vhb-bench.XXXXXX)
module=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)/build/modules/$(uname -r)/vhost_bridge.ko
poll_us=100
declare -A disks=([host]=/dev/nullb0 [bridge]=/dev/nullb1 [export]=/dev/nullb2 [poll]=/dev/nullb3)

say() {
	printf 'blk-cells.sh: %s\n' "$*" >&2
}

# requests SIZE_BYTES DEPTH: in a cell, so that it takes a second or so
requests() {
	case $clock:$1:$2 in
	icount:4096:*) echo 1000 ;;
	icount:*) echo 300 ;;
	plain:4096:1) echo 800 ;;
	plain:4096:*) echo 3000 ;;
	plain:*) echo 500 ;;
	esac
}

size_of() {
	case $1 in
	rand*) echo 4096 ;;
	seq*) echo 131072 ;;
	esac
}

# kicks WAY: how many the bridge has counted. Before its first guest there is nothing to count.
kicks() {
	case $1 in
	bridge)
		"$build/vhost-bridge" status --json | tr , '\n' |
			awk -F: '/"kick_count"/ { n += $2 } END { printf "%d\n", n }'
		;;
	*) echo - ;;
	esac
}

# load_cell WAY PATTERN QUEUES DEPTH
load_cell() {
	local way=$1 pattern=$2 queues=$3 depth=$4 engine target line size
	size=$(size_of "$pattern")

	case $way in
	host) engine=uring target=${disks[host]} ;;
	packed) engine=packed target=$work/bridge.sock ;;
	*) engine=split target=$work/$way.sock ;;
	esac
	line=$(timeout 300 "$build/selftests/bench/blk_bench" "$engine" "$target" "$pattern" "$size" "$queues" "$depth" \
		"$(requests "$size" "$depth")")
	[[ $line =~ requests=([0-9]+)\ ns=([0-9]+)\ kicks=([0-9]+)\ waits=[0-9]+\ switches=([0-9]+) ]]
	printf 'cell load %s %s %s %s %s\n' "$way" "$pattern" "$queues" "$depth" "${BASH_REMATCH[*]:1}"
}

# qemu_cell WAY PATTERN QUEUES DEPTH. It has no random pattern; a step that is no multiple of much does the same here.
# More requests, because it says milliseconds.
qemu_cell() {
	local way=$1 pattern=$2 queues=$3 depth=$4 image count=4000 before after seconds

	[ "$clock:$depth" != plain:1 ] || count=1000
	case $way in
	host) image=(-f raw -i io_uring "${disks[host]}") ;;
	*) image=(--image-opts "driver=virtio-blk-vhost-user,path=$work/$way.sock,cache.direct=on") ;;
	esac
	[ "$pattern" = randread ] || image=(-w "${image[@]}")
	before=$(kicks "$way")
	seconds=$(timeout 300 qemu-img bench -c "$count" -d "$depth" -s 4096 -S 69632 -t none "${image[@]}" |
		sed -n 's/^Run completed in \([0-9.]*\) seconds.*/\1/p')
	[ -n "$seconds" ] || { say "qemu-img, $way, $pattern at depth $depth: no figure"; return 1; }
	after=$(kicks "$way")
	[ "$after" = - ] || after=$((after - before))
	printf 'cell qemu %s %s %s %s %s %s %s -\n' "$way" "$pattern" "$queues" "$depth" "$count" \
		"$(awk -v s="$seconds" 'BEGIN { printf "%.0f", s * 1e9 }')" "$after"
}

# row CLIENT PATTERN QUEUES DEPTH
row() {
	local client=$1 pattern=$2 queues=$3 depth=$4 way ways

	[[ "$*" == *"$word"* ]] || return 0
	case $client in
	qemu) ways=(host bridge export) ;;
	load) ways=(host bridge packed export) ;;
	esac
	if [ "$client:$clock:$depth" = load:plain:1 ]; then
		ways+=(poll)
	fi
	for way in "${ways[@]}"; do
		"${client}_cell" "$way" "$pattern" "$queues" "$depth"
	done
}

# serve NAME OPTION...: a broker
serve() {
	"$build/vhost-bridge" blk --socket-path="$work/$1.sock" --blk-file="${disks[$1]}" --num-queues=4 "${@:2}" \
		2>"$work/$1.err" </dev/null &
}

start() {
	local socket

	insmod "$module"
	modprobe null_blk nr_devices=4 queue_mode=2 irqmode=0 gb=1 memory_backed=0 submit_queues="$(nproc)"
	serve bridge
	serve poll --poll-us="$poll_us"
	qemu-storage-daemon --object iothread,id=thread \
		--blockdev "driver=host_device,node-name=disk,filename=${disks[export]},cache.direct=on,aio=io_uring" \
		--export "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=$work/export.sock,writable=on,num-queues=4,iothread=thread" \
		</dev/null &
	for socket in bridge poll export; do
		timeout 60 sh -c "until [ -S $work/$socket.sock ]; do sleep 0.05; done"
	done
}

# Daemons would spin on, and qemu-storage-daemon is slow to end.
finish() {
	local pid

	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null
	rm -rf -- "$work"
}

trap finish EXIT
trap 'say "failed: $BASH_COMMAND"' ERR
start
for ((round = 1; round <= rounds; round++)); do
	say "$clock, round $round of $rounds"
	for depth in 1 16 64; do
		for pattern in randread randwrite; do
			row qemu "$pattern" 1 "$depth"
		done
		for pattern in randread randwrite seqread seqwrite; do
			for queues in 1 4; do
				row load "$pattern" "$queues" "$depth"
			done
		done
	done
done
