#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A whole guest moves from QEMU to QEMU, with net and disk of brokers of their own, under traffic of both.
#
# SLOW_ROUNDS: how often it moves (2)
# SLOW_POSTCOPY_ROUNDS: how often it does so by postcopy (1)
# SLOW_CASE: only this case
#
# In each round the guest has a TCP stream coming in, a load on its disk that knows what it has written, and a file
# that is read from the disk into its page cache, which only the device writes: a page that was not marked in the
# dirty log stays behind as it was, and all three show it.
#
# guests/lib.sh is not followed (with broker.sh it is too much for shellcheck), so its variables look strange.
# shellcheck disable=SC2034,SC2154
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
[ -r ../guests/lib.sh ] || { printf 'KTAP version 1\n1..0 # SKIP selftests/guests is not beside the tests\n'; exit 4; }
cd ../blk
# shellcheck source=/dev/null
. ./broker.sh
# shellcheck source=/dev/null
. ../guests/lib.sh

rounds=${SLOW_ROUNDS:-2}
postcopy_rounds=${SLOW_POSTCOPY_ROUNDS:-1}
image=$VHB_RUN/disk.img
address=10.77.0.2/24
port=2000
# Of the disk: what the load uses, what is read by way of the page cache, in pieces of 64 KiB
load_pieces=32 cached_pieces=192

# At once, and whether the case fails or not
exec 7>&1
note() {
	printf '# %s s: %s\n' "$SECONDS" "$*" >&7
}

# One that waits for a guest to come says nothing when it is there.
channel_ready() {
	[ ! -e "$VHB_RUN/$1/is-incoming" ] || return 0
	channel_read "$1" ready "$2" >/dev/null
}

# serve ROUND: both brokers. The two that have the disk at the same time must share it.
serve() {
	local common=(-v -v ${postcopy:+"$postcopy"})

	broker_start "net$1" net "${common[@]}" --socket-path="$VHB_RUN/net$1.sock" --tap="tap$1" --bridge=br0
	broker_start "blk$1" blk "${common[@]}" --socket-path="$VHB_RUN/blk$1.sock" --blk-file="$image" --share-rw
}

# start_guest ROUND QEMU-ARGUMENT...
start_guest() {
	local round=$1
	shift

	qemu_boot "guest$round" 1 "vhb.ip=$address" -chardev "socket,id=vn,path=$VHB_RUN/net$round.sock" \
		-netdev vhost-user,id=net0,chardev=vn \
		-device virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:77:00:02 \
		-chardev "socket,id=vb,path=$VHB_RUN/blk$round.sock" -device vhost-user-blk-pci,chardev=vb,num-queues=1 \
		-monitor "unix:$VHB_RUN/monitor$round,server=on,wait=off" "$@"
	printf '%s\n' "${address%/*}" >"$VHB_RUN/guest$round/ip"
}

start_waiting_guest() {
	touch "$(state "guest$1")/is-incoming"
	start_guest "$1" -incoming defer
	poll_until 30 test -S "$VHB_RUN/monitor$1"
	[ -z "$postcopy" ] || monitor "$1" "migrate_set_capability postcopy-ram on" >/dev/null
	monitor "$1" "migrate_incoming unix:$VHB_RUN/migration$1" >/dev/null
}

# monitor ROUND COMMAND...
monitor() {
	printf '%s\n' "${*:2}" | socat -t 2 - "UNIX-CONNECT:$VHB_RUN/monitor$1" | tr -d '\r'
}

has_moved() {
	monitor "$1" "info migrate" >"$VHB_RUN/move"
	grep -qiE 'status: *(completed|failed|cancelled)' "$VHB_RUN/move"
}

is_running() {
	monitor "$1" "info status" | grep -q 'VM status: running'
}

# start_move FROM TO: to where all or, with postcopy, the rest goes
start_move() {
	local bandwidth=12M

	[ -z "$postcopy" ] || bandwidth=3M
	monitor "$1" "migrate_set_parameter max-bandwidth $bandwidth" >/dev/null
	monitor "$1" "migrate_set_parameter downtime-limit 1000" >/dev/null
	[ -z "$postcopy" ] || monitor "$1" "migrate_set_capability postcopy-ram on" >/dev/null
	monitor "$1" "migrate -d unix:$VHB_RUN/migration$2" >/dev/null
}

# check_postcopy FROM TO: pages were asked for, both brokers were told when all had come
check_postcopy() {
	local device

	grep -E 'postcopy request count: *[1-9]' "$VHB_RUN/move"
	for device in net blk; do
		grep -q POSTCOPY_LISTEN "$VHB_RUN/$device$2/log"
		poll_until 30 grep -q POSTCOPY_END "$VHB_RUN/$device$2/log"
		fails grep -q unanswered "$VHB_RUN/$device$2/log"
	done
}

# The lines of the load in a guest's log; they end as a terminal's do.
load_says() {
	tr -d '\r' <"$VHB_RUN/$1/log" | sed -n 's/^.*verify: //p'
}

progress() {
	load_says "$1" | awk '$2 == "requests" { n = $1 } END { print n + 0 }'
}

has_progressed() {
	[ "$(progress "$1")" -gt "$2" ]
}

has_verdict() {
	load_says "$1" | grep -qE '^(good|bad)$'
}

# read_cached GUEST: the same pieces each time, by way of the page cache
read_cached() {
	guest_exec "$1" "dd if=/dev/vda bs=64k skip=$load_pieces count=$cached_pieces 2>/dev/null | sha256sum"
}

# A stream to the guest, a bit at a time until $VHB_RUN/stream-ends is there; what was sent is kept.
stream() {
	local fd

	{
		while [ -d "$VHB_RUN" ] && [ ! -e "$VHB_RUN/stream-ends" ]; do
			head -c 8192 /dev/urandom
			sleep 0.1
		done
	} | tee "$VHB_RUN/sent" | in_lab socat -u - "TCP:${address%/*}:$port,connect-timeout=20"
}

guest_listens() {
	guest_exec "$1" "grep -q ':07D0 00000000:0000 0A' /proc/net/tcp"
}

has_received() {
	[ "$(guest_exec "$1" "stat -c %s /tmp/got")" = "$(stat -c %s "$VHB_RUN/sent")" ]
}

begin_traffic() {
	guest_exec "$1" "rm -f /tmp/got; busybox nc -l -p $port -e dd bs=4k of=/tmp/got >/dev/null 2>&1 &"
	poll_until 30 guest_listens "$1"
	rm -f "$VHB_RUN/stream-ends"
	stream 7>&- &
	stream_pid=$!
	guest_exec "$1" "echo 3 >/proc/sys/vm/drop_caches"
}

# check_traffic GUEST PROGRESS: all that came before, during and after the move
check_traffic() {
	local name=$1

	poll_until 90 has_progressed "$name" "$2"
	sleep 2
	touch "$VHB_RUN/stream-ends"
	wait "$stream_pid"
	poll_until 30 has_received "$name"
	printf 'stream: %d bytes\n' "$(stat -c %s "$VHB_RUN/sent")"
	[ "$(guest_exec "$name" "sha256sum </tmp/got")" = "$(sha256sum <"$VHB_RUN/sent")" ]
	[ "$(read_cached "$name")" = "$cached_sum" ]
	[ "$(guest_exec "$name" "sha256sum </tmp/ballast")" = "$ballast_sum" ]
	ping_check "$name"
}

# move FROM TO: rounds
move() {
	local from=$1 to=$2 before

	serve "$to"
	start_waiting_guest "$to"
	note "guest$to waits"
	begin_traffic "guest$from"
	before=$(progress "guest$from")
	note "requests so far: $before"
	start_move "$from" "$to"
	# While memory is being copied
	guest_limit=5 guest_exec "guest$from" \
		"dd if=/dev/vda of=/dev/null bs=64k skip=$load_pieces count=$cached_pieces 2>/dev/null" 2>/dev/null ||
		note "it has moved before all was read"
	[ -z "$postcopy" ] || monitor "$from" "migrate_start_postcopy" >/dev/null
	poll_until 240 has_moved "$from" || { cat "$VHB_RUN/move"; return 1; }
	note "moved: $(grep -iE 'status|time|ram' "$VHB_RUN/move" | tr -s ' \t\n' ' ')"
	grep -qi 'status: *completed' "$VHB_RUN/move"
	poll_until 30 is_running "$to"
	[ -z "$postcopy" ] || check_postcopy "$from" "$to"
	# The log was kept by both, and nobody refused anything.
	note "RARPs asked for: $(grep -c SEND_RARP "$VHB_RUN/net$to/log" || true)"
	grep -q SET_LOG_BASE "$VHB_RUN/net$from/log"
	grep -q SET_LOG_BASE "$VHB_RUN/blk$from/log"
	fails grep -E 'refused|broken' "$VHB_RUN"/{net,blk}{"$from","$to"}/log
	end "guest$from" KILL 1 || true
	broker_stop "net$from"
	broker_stop "blk$from"
	check_traffic "guest$to" 0
	note "all is there; requests since: $(progress "guest$to")"
}

# guest_moves ROUNDS
guest_moves() {
	local rounds=$1 round

	# A case is a subshell: what one has left behind the next does not know.
	rm -rf -- "$VHB_RUN"/{guest,net,blk,monitor,migration}*
	lab_enter "move${postcopy#--}"
	in_lab ip link add br0 type bridge forward_delay 0
	in_lab ip addr add 10.77.0.1/24 dev br0
	in_lab ip link set br0 up
	head -c $(((load_pieces + cached_pieces) * 65536)) /dev/urandom >"$image"
	cached_sum=$(dd if="$image" bs=64k skip="$load_pieces" status=none | sha256sum)

	serve 0
	start_guest 0
	ping_check guest0
	note "the guest is there"
	guest_exec guest0 "dd if=/dev/vda bs=64k skip=$load_pieces count=$((cached_pieces / 2)) of=/tmp/ballast 2>/dev/null"
	ballast_sum=$(guest_exec guest0 "sha256sum </tmp/ballast")
	guest_exec guest0 "verify /dev/vda >/dev/ttyS0 2>&1 &"
	poll_until 60 has_progressed guest0 20
	note "and works"
	for ((round = 0; round < rounds; round++)); do
		move "$round" "$((round + 1))"
	done
	guest_exec "guest$rounds" "killall -TERM verify"
	poll_until 60 has_verdict "guest$rounds"
	load_says "guest$rounds" | tail -n 3
	load_says "guest$rounds" | grep -qx good
	fails grep -aiE 'I/O error|blk_update|hung' "$VHB_RUN/guest$rounds/log"
	guest_stop "guest$rounds"
	broker_stop "net$rounds"
	broker_stop "blk$rounds"
	ip netns del "$lab_ns"
}

guest_moves_under_traffic() {
	postcopy=
	guest_moves "$rounds"
}

guest_moves_by_postcopy_under_traffic() {
	postcopy=--postcopy
	guest_moves "$postcopy_rounds"
}

# Called by the trap.
# shellcheck disable=SC2317
leave() {
	guests_cleanup
	clean_up
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
for program in qemu-system-x86_64 socat busybox ip; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
[ -s "$VHB_GUESTS/vmlinux" ] || skip_all "no $VHB_GUESTS/vmlinux (selftests/guests/build.sh --into build/guests)"
modprobe -q vhost_net || true
[ -e /dev/vhost-net ] || skip_all "no /dev/vhost-net"
load_module
[ -e "$blk_device" ] || skip_all "no $blk_device (make modules)"
make_work
trap leave EXIT

if [ -n "${SLOW_CASE-}" ]; then
	run_cases "$SLOW_CASE"
else
	run_cases guest_moves_under_traffic guest_moves_by_postcopy_under_traffic
fi
