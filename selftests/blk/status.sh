#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vhost-bridge status, and the module's trace events, while a client reads from a disk.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

reads=500
read_bytes=4096
tracing=/sys/kernel/tracing

status() {
	timeout 60 "$broker" status "$@"
}

# bench: the reads, by a client of the broker
bench() {
	timeout 60 qemu-img bench -c "$reads" -d 8 -s "$read_bytes" -t none --image-opts \
		"driver=virtio-blk-vhost-user,path=$work/disk.sock,cache.direct=on" >/dev/null
}

# serve: a disk
serve() {
	need_module
	command -v qemu-img >/dev/null || skip_case "no qemu-img (Debian: qemu-utils, qemu-block-extra)"
	make_image
	start_broker disk --blk-file="$image"
}

# value NAME: of vring 0 of the only device
value() {
	status --json | sed -n "s/.*\"vrings\":\[{\"index\":0,[^}]*\"$1\":\([^,}]*\)[,}].*/\1/p"
}

# monitor FILE OPTION...: what happens from now on; its words are in FILE.out and FILE.err, its number in $monitor
monitor() {
	local file=$work/$1
	shift

	"$broker" status --monitor --verbose "$@" >"$file.out" 2>"$file.err" </dev/null &
	monitor=$!
	wait_for "the monitor" grep -q listening "$file.err"
}

end_monitor() {
	kill "$monitor"
	wait "$monitor" || true
}

# partly WHAT REMEDY COMMAND...: shows what it can, says what it cannot and what to do, and ends with status 1
partly() {
	local status=0 what=$1 remedy=$2
	shift 2

	timeout 20 "$@" >"$work/partly.out" 2>"$work/partly.err" </dev/null || status=$?
	[ "$status" -eq 1 ]
	[ "$(cat "$work/partly.out")" = "no bridge is running" ]
	grep -qE "$what.*$remedy" "$work/partly.err"
}

without_the_module_it_says_so() {
	if [ -n "$has_loaded" ]; then
		rmmod vhost_bridge
	elif [ -e /sys/module/vhost_bridge ]; then
		skip_case "the module is in use"
	fi
	# A net bridge needs no module: then there are no devices.
	[ "$(status 2>&1)" = "no bridge is running" ]
	[ "$(status --json 2>&1)" = '{"bridges":[],"devices":null}' ]
	says 1 "vhost_bridge is not loaded" "modprobe" "$broker" status --monitor
	load_module
}

without_permission_it_says_so() {
	need_module
	partly "not allowed" "as root" setpriv --reuid=65534 --clear-groups "$broker" status
	says 1 "not allowed" "as root" setpriv --reuid=65534 --clear-groups "$broker" status --monitor
	serve
	partly "1 bridges of other users" "as root" setpriv --reuid=65534 --clear-groups "$broker" status
	stop_broker disk
}

in_another_namespace_it_says_so() {
	need_module
	partly "initial network namespace" "nsenter" unshare --net "$broker" status
}

without_room_it_says_so() {
	local ret=0

	need_module
	status >/dev/full 2>"$work/full.err" || ret=$?
	[ "$ret" -eq 1 ]
	grep -q "standard output" "$work/full.err"
}

without_a_device_it_says_so() {
	need_module
	[ "$(status)" = "no bridge is running"$'\n'"no device of module vhost_bridge is open" ]
	[ "$(status --json)" = '{"bridges":[],"devices":[]}' ]
}

# The device stays open from one client to the next, and its counters go on.
counts_what_a_client_does() {
	local chains bytes

	serve
	[ -z "$(value chain_count)" ]
	bench
	chains=$(value chain_count)
	bytes=$(value read_bytes)
	printf '%s chains, %s bytes\n' "$chains" "$bytes"
	[ "$chains" -ge "$reads" ]
	[ "$chains" -le $((reads + 100)) ]
	[ "$bytes" -ge $((reads * read_bytes)) ]
	[ "$(value written_bytes)" = 0 ]
	[ "$(value error_count)" = 0 ]
	[ "$(value kick_count)" -gt 0 ]
	[ "$(value in_flight_count)" = 0 ]
	[ "$(value state)" = '"stopped"' ]
	bench
	[ $(($(value chain_count) - chains)) -ge "$reads" ]
	[ $(($(value read_bytes) - bytes)) -ge $((reads * read_bytes)) ]
	stop_broker disk
	[ "$(status --json)" = '{"bridges":[],"devices":[]}' ]
}

shows_a_table() {
	serve
	bench
	status >"$work/table"
	cat "$work/table"
	grep -Eq "^device [0-9]+: blk, owner ${pids[disk]}, features 0x[0-9a-f]+, [1-9][0-9]* of [0-9]+ vrings used\$" \
		"$work/table"
	grep -Eq '^  VRING  STATE +ENTRIES ' "$work/table"
	grep -Eq '^      0  stopped .* [0-9.]+ MiB ' "$work/table"
	stop_broker disk
}

writes_valid_json() {
	command -v python3 >/dev/null || skip_case "no python3"
	serve
	bench
	status --json | python3 -c 'if True:
		import json, sys
		shown = json.load(sys.stdin)
		device, = shown["devices"]
		bridge, = shown["bridges"]
		assert bridge["type"] == "blk" and bridge["pid"] == device["owner_pid"] and bridge["front_end"] is None
		assert bridge["host"].endswith("/disk.img") and bridge["socket"].endswith("/disk.sock")
		assert bridge["tap"] is None and bridge["vrings"] == []
		assert device["type"] == "blk" and int(device["features"], 16) >= 0
		assert device["owner_pid"] == int(sys.argv[1])
		assert device["vrings"][0]["index"] == 0 and device["vrings"][0]["drain_count"] == 1
		assert 1 <= len(device["vrings"]) <= device["vring_count_max"]' "${pids[disk]}"
	stop_broker disk
}

is_running() {
	status --json | grep -q '"running":true'
}

shows_a_bridge_at_work() {
	local reader

	serve
	qemu-img bench -c 1000000 -d 4 -s "$read_bytes" -t none --image-opts \
		"driver=virtio-blk-vhost-user,path=$work/disk.sock,cache.direct=on" >/dev/null 2>&1 &
	reader=$!
	wait_for "the client" is_running
	status >"$work/bridge"
	"$broker" top --count=2 >"$work/top"
	kill "$reader" 2>/dev/null || true
	wait "$reader" || true
	cat "$work/bridge" "$work/top"
	grep -Eq "^bridge ${pids[disk]}: blk, .*/disk.img, socket .*/disk.sock, device [0-9]+\$" "$work/bridge"
	grep -Eq "^  front-end: qemu-img, pid $reader, uid 0\$" "$work/bridge"
	grep -Eq '^  memory: [0-9.]+ [KM]iB in [0-9]+ regions?$' "$work/bridge"
	grep -Eq '^  features: .*BLK_SIZE, FLUSH' "$work/bridge"
	grep -Eq '^  protocol features: MQ, REPLY_ACK, CONFIG, CONFIGURE_MEM_SLOTS$' "$work/bridge"
	grep -Eq '^      0  running       256 +[0-9]+ +[0-9]+ +[1-9][0-9]*/s  eventfd      eventfd$' "$work/bridge"
	[ "$(grep -c '^vhost-bridge top, ..:..:.., 1 bridge$' "$work/top")" -eq 2 ]
	grep -Eq '^  vring 0 +running +256 entries +avail [0-9]+ +used [0-9]+ +[1-9][0-9]*/s$' "$work/top"
	stop_broker disk
}

has_states() {
	[ "$(sed -nE "s/$2/\1/p" "$work/$1.out" | tr '\n' ' ')" = "running draining stopped " ]
}

tells_what_happens() {
	serve
	monitor text
	bench
	wait_for "events" has_states text '.* device [0-9]+ \(blk\) vring 0: (.*)'
	end_monitor
	monitor json --json
	bench
	wait_for "events" has_states json '\{"time_ms":[0-9]+,"device":[0-9]+,"type":"blk","vring":0,"state":"(.*)","fault":null\}'
	end_monitor
	stop_broker disk
}

# traced PATTERN: there is such a line
traced() {
	grep -Eq "$1" "$work/trace" || {
		printf 'no line of the trace matches "%s"\n' "$1"
		return 1
	}
}

can_be_traced() {
	serve
	mountpoint -q "$tracing" || mount -t tracefs tracefs "$tracing" || skip_case "no tracefs"
	[ -e "$tracing/events/vhost_bridge" ] || skip_case "this kernel has no trace events for modules"
	# What somebody else left there
	echo >"$tracing/trace"
	echo 1 >"$tracing/events/vhost_bridge/enable"
	reads=20 bench
	echo 0 >"$tracing/events/vhost_bridge/enable"
	grep -v '^#' "$tracing/trace" >"$work/trace"
	head -n 12 "$work/trace"
	traced ' vhb_state: device=[0-9]+ vring=0 state=running$'
	traced ' vhb_kick: device=[0-9]+ vring=0$'
	traced ' vhb_chain: device=[0-9]+ vring=0 id=[0-9]+ readable=16 writable=4097$'
	traced ' vhb_used: device=[0-9]+ vring=0 id=[0-9]+ written=4097$'
	traced ' vhb_call: device=[0-9]+ vring=0 (called|suppressed)$'
	traced ' vhb_state: device=[0-9]+ vring=0 state=draining$'
	traced ' vhb_state: device=[0-9]+ vring=0 state=stopped$'
	echo >"$tracing/trace"
	stop_broker disk
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
make_work
trap clean_up EXIT
load_module
run_cases without_the_module_it_says_so without_permission_it_says_so in_another_namespace_it_says_so \
	without_room_it_says_so without_a_device_it_says_so counts_what_a_client_does shows_a_table writes_valid_json \
	shows_a_bridge_at_work tells_what_happens can_be_traced
