# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What tests ask of a running guest. Part of lib.sh. Figures go to stdout, complaints to stderr.
#
#   ping_check NAME                       the host (in the lab) pings the guest
#   transfer_check to-guest|from-guest NAME FILE    TCP and checksums; prints MB/s (10^6 bytes)
#   rate_window INTERFACE SECONDS         packets a second that the front-end sent, by the kernel's counter

transfer_limit=120

ping_check() {
	local log
	log=$(state "$1")/ping

	# The first packet may wait for the neighbour's answer and the guest's first interrupt.
	in_lab ping -n -q -c 5 -i 0.2 -W 5 "$(<"$VHB_RUN/$1/ip")" >"$log" 2>&1 || true
	grep -qE '\b(5|4) received' "$log" || complain "no answer to ping from guest '$1'" "$log"
}

# 10^6 bytes a second: BYTES a microsecond.
rate_of() {
	awk -v bytes="$1" -v us="$2" 'BEGIN { printf "%.2f\n", bytes / us }'
}

transfer_check() {
	local direction=$1 name=$2 file=$3 port

	# Another port each time: nobody waits for the old connection's TIME_WAIT.
	port=$((20000 + RANDOM % 10000))
	case $direction in
	to-guest) transfer_to_guest "$name" "$file" "$port" ;;
	from-guest) transfer_from_guest "$name" "$file" "$port" ;;
	*) complain "transfer_check: no direction '$direction'" ;;
	esac
}

# transfer_says NAME LINE: has the guest's answer such a line yet?
transfer_says() {
	grep -qsx "$2" "$VHB_RUN/$1/transfer"
}

# dd moves the bytes because nc itself does so a KiB at a time, and a system call of an emulated guest is dear.
# The guest says when it listens and when it has the whole file: that is what the clock counts, not its checksum.
# The received file stays in the guest for transfer_from_guest.
transfer_to_guest() {
	local name=$1 file=$2 port=$3 dir=$VHB_RUN/$1 waiter start end status=0 hex got want
	printf -v hex '%04X' "$port"

	rm -f "$dir/transfer"
	guest_limit=$transfer_limit guest_exec "$name" "busybox nc -l -p $port -e dd bs=64k of=/tmp/vhb-$name 2>/dev/null &" \
		"until grep -qs ':$hex 00000000:0000 0A' /proc/net/tcp || grep -qs ':$hex 0*:0000 0A' /proc/net/tcp6;" \
		"do sleep 0.1; done; echo listening; wait; echo received" >"$dir/transfer" &
	waiter=$!
	if ! poll_until 60 transfer_says "$name" listening; then
		kill "$waiter" 2>/dev/null || true
		complain "guest '$name' does not listen on port $port" "$dir/transfer"
		return 1
	fi
	start=$(now_us)
	in_lab timeout "$transfer_limit" socat -u "OPEN:$file" "TCP:$(<"$dir/ip"):$port,connect-timeout=20" || status=$?
	wait "$waiter" || status=$?
	end=$(now_us)
	if [ "$status" -ne 0 ] || ! transfer_says "$name" received; then
		complain "sending to guest '$name' failed (status $status)" "$dir/transfer"
		return 1
	fi
	want=$(busybox md5sum <"$file")
	got=$(guest_exec "$name" "busybox md5sum </tmp/vhb-$name") || return 1
	[ "$got" = "$want" ] || { complain "guest '$name' received something else: $got, not $want"; return 1; }
	rate_of "$(stat -c %s "$file")" "$((end - start))"
}

transfer_listens() {
	in_lab ss -Hltn "sport = :$1" | grep -q .
}

# What the guest sends is what it received before, which must have been FILE. The clock starts with the first byte.
transfer_from_guest() {
	local name=$1 file=$2 port=$3 dir=$VHB_RUN/$1 receiver status=0 ip times
	ip=$(<"$dir/ip")

	{
		in_lab timeout "$transfer_limit" socat -u "TCP-LISTEN:$port,reuseaddr" STDOUT | {
			dd bs=1 count=1 status=none >"$dir/back"
			now_us
			cat >>"$dir/back"
			now_us
		} >"$dir/times"
	} &
	receiver=$!
	poll_until 20 transfer_listens "$port" || { complain "socat does not listen on port $port"; return 1; }
	guest_limit=$transfer_limit guest_exec "$name" \
		"busybox nc ${ip%.*}.1 $port -e dd bs=64k if=/tmp/vhb-$name 2>/dev/null" >"$dir/transfer" || status=$?
	if [ "$status" -ne 0 ]; then
		kill "$receiver" 2>/dev/null || true
		complain "sending from guest '$name' failed (status $status)" "$dir/transfer"
		return 1
	fi
	wait "$receiver" || true
	cmp -s "$file" "$dir/back" || { complain "what came back from guest '$name' differs"; return 1; }
	mapfile -t times <"$dir/times"
	rate_of "$(stat -c %s "$file")" "$((times[1] - times[0]))"
}

rate_window() {
	# shellcheck disable=SC2016
	in_lab bash -c '
		counter=/sys/class/net/$1/statistics/rx_packets
		read -r before <"$counter"; start=${EPOCHREALTIME/[.,]/}
		sleep "$2"
		read -r after <"$counter"; end=${EPOCHREALTIME/[.,]/}
		printf "%s\n" "$(((after - before) * 1000000 / (end - start)))"' bash "$1" "$2"
}
