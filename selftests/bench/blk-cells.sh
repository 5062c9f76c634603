#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# blk-cells.sh - in the VM: how long requests take on null_blk, by three ways, one line a cell
#
# Usage: blk-cells.sh BUILD_DIR ROUNDS
#   BUILD_DIR  where vhost-bridge is; the module is in build/modules of this tree
#
# The ways alternate, so that what disturbs the machine disturbs all of them. Standard output:
#   WAY PATTERN DEPTH REQUESTS SECONDS
# WAY is host (io_uring straight on the device), bridge or export (qemu-storage-daemon's vhost-user-blk export). All are
# driven by qemu-img bench.
set -euo pipefail

build=$1 rounds=$2
work=$(mktemp -d /tmp/vhb-bench.XXXXXX)
module=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)/build/modules/$(uname -r)/vhost_bridge.ko
depths=(1 16 64)
# name: size in bytes, bytes from one request to the next, requests, and what else qemu-img wants
patterns=(
	'randread:4096:69632:2000:'
	'randwrite:4096:69632:2000:-w'
	'seqread:131072:131072:400:'
	'seqwrite:131072:131072:400:-w'
)

say() {
	printf 'blk-cells.sh: %s\n' "$*" >&2
}

# target WAY: what qemu-img is to open
target() {
	case $1 in
	host) printf '%s\n' -f raw -i io_uring /dev/nullb0 ;;
	bridge) printf '%s\n' --image-opts "driver=virtio-blk-vhost-user,path=$work/bridge.sock,cache.direct=on" ;;
	export) printf '%s\n' --image-opts "driver=virtio-blk-vhost-user,path=$work/export.sock,cache.direct=on" ;;
	esac
}

# cell WAY PATTERN SIZE STEP COUNT DEPTH [OPTION]
cell() {
	local way=$1 pattern=$2 size=$3 step=$4 count=$5 depth=$6 options seconds
	shift 6

	mapfile -t options < <(target "$way")
	seconds=$(timeout 300 qemu-img bench -c "$count" -d "$depth" -s "$size" -S "$step" -t none "$@" "${options[@]}" |
		sed -n 's/^Run completed in \([0-9.]*\) seconds.*/\1/p')
	[ -n "$seconds" ] || { say "$way, $pattern at depth $depth: no figure"; exit 1; }
	printf '%s %s %s %s %s\n' "$way" "$pattern" "$depth" "$count" "$seconds"
}

start() {
	insmod "$module"
	modprobe null_blk nr_devices=1 queue_mode=2 irqmode=0 gb=1 memory_backed=0 submit_queues="$(nproc)"
	"$build/vhost-bridge" blk --socket-path="$work/bridge.sock" --blk-file=/dev/nullb0 --share-rw 2>"$work/bridge.err" &
	qemu-storage-daemon --blockdev driver=host_device,node-name=disk,filename=/dev/nullb0,cache.direct=on,aio=io_uring \
		--export "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=$work/export.sock,writable=on" &
	for socket in bridge export; do
		timeout 60 sh -c "until [ -S $work/$socket.sock ]; do sleep 0.05; done"
	done
}

# Daemons would spin on, and qemu-storage-daemon is slow to end.
finish() {
	local pid

	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf -- "$work"
}

trap finish EXIT
start
for ((round = 0; round < rounds; round++)); do
	for row in "${patterns[@]}"; do
		IFS=: read -r pattern size step count option <<<"$row"
		for depth in "${depths[@]}"; do
			for way in host bridge export; do
				cell "$way" "$pattern" "$size" "$step" "$count" "$depth" ${option:+"$option"}
			done
		done
	done
	say "round $((round + 1)) of $rounds"
done
