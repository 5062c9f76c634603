#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vhost-bridge blk --trace=protocol, while a client reads from a disk.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh
. ../lib/trace.sh

# read_some: a client of the broker
read_some() {
	timeout 60 qemu-img bench -c 50 -d 8 -s 4096 -t none --image-opts \
		"driver=virtio-blk-vhost-user,path=$work/disk.sock,cache.direct=on" >/dev/null
	wait_for "the end" grep -q 'front-end disconnected' "$trace"
}

need_all() {
	need_module
	command -v qemu-img >/dev/null || skip_case "no qemu-img (Debian: qemu-utils, qemu-block-extra)"
	make_image
}

offers_what_the_documentation_says() {
	local option

	need_all
	trace=$work/plain
	start_broker disk --blk-file="$image" --trace="protocol,$trace"
	read_some
	stop_broker disk
	expect_offers blk
	for option in $(documented_options blk); do
		trace=$work/option
		rm -f "$trace"
		start_broker disk --blk-file="$image" --trace="protocol,$trace" "$option"
		read_some
		stop_broker disk
		expect_offers blk "$option"
	done
}

tells_messages_answers_and_calls() {
	need_all
	trace=$work/trace
	start_broker disk --blk-file="$image" --trace="protocol,$trace"
	read_some
	stop_broker disk
	head -n 60 "$trace"
	traced "^$time_of_day vhost-bridge [0-9.]+ blk pid=[0-9]+\$"
	traced '^    VHOST_BRIDGE_BLK_SET_BACKING fd=[0-9]+ file=(file|shm:0x1000000) flags=0x0 queues=1 = 0$'
	traced "^$time_of_day GET_FEATURES -> reply features=0x[0-9a-f]+\(.*BLK_SIZE,FLUSH.*VERSION_1.*\) \([0-9]+ us\)\$"
	traced "^$time_of_day GET_CONFIG .*offset=0 size=[0-9]+ flags=0x[0-9a-f]+.* -> reply offset=0 size=[0-9]+ .*data=0080000000000000"
	traced "^$time_of_day SET_VRING_NUM .*vring=0 num=[0-9]+ -> "
	traced '^    VHOST_SET_FEATURES fd=[0-9]+ features=0x[0-9a-f]+\(.*\) = 0$'
	traced '^    VHOST_BRIDGE_START_VRING fd=[0-9]+ vring=0 slot=0x[0-9a-f]+ = 0$'
	traced '^    VHOST_BRIDGE_URING_DRAIN fd=[0-9]+ vring=0 = 0$'
	traced '^    VHOST_BRIDGE_URING_DRAIN vring=0 has ended: 0$'
	fails grep -vE "^$time_of_day (vhost-bridge |front-end |[A-Z_]+ .* \([0-9]+ us\)\$)|^    VHOST_[A-Z_]+ " "$trace"
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
make_work
trap clean_up EXIT
load_module
run_cases tells_messages_answers_and_calls offers_what_the_documentation_says
