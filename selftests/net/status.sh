#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vhost-bridge status and top, while guests ping each other through two bridges.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

status() {
	timeout 60 "$broker" status --control-dir="$work/control" "$@"
}

# serve NAME: a net bridge that can be asked
serve() {
	start_broker "$1" --tap="vhbst$1" --control-dir="$work/control" "${@:2}"
}

# start_pings: two guests that send to each other for a while, the second through bridge two
start_pings() {
	ip link del vhbstbr 2>/dev/null || true
	ip link add vhbstbr type bridge
	ip link set vhbstbr up
	serve one --bridge=vhbstbr
	serve two --bridge=vhbstbr
	"$pinger" "$work/two.sock" 2 echo >"$work/echo.out" 2>&1 &
	wait_for "the echo" grep -q '^up$' "$work/echo.out"
	"$pinger" "$work/one.sock" 1 ping 2 100000 >"$work/ping.out" 2>&1 &
	pinging=$!
	wait_for "the pings" grep -q '^up$' "$work/ping.out"
}

without_a_bridge_it_says_so() {
	mkdir "$work/control"
	[ "$(status 2>/dev/null | head -n 1)" = "no bridge is running" ]
	says 1 'No such file' 'name the directory' "$broker" status --control-dir="$work/no"
	says 1 'No such file' 'name the directory' "$broker" top --control-dir="$work/no"
}

a_bridge_without_a_front_end_is_shown() {
	serve one
	[ "$(stat -c '%a %F' "$work/control/${pids[one]}.control")" = "600 socket" ]
	status >"$work/status" || true
	cat "$work/status"
	grep -Fxq "bridge ${pids[one]}: net, vhbstone, socket $work/one.sock" "$work/status"
	grep -Fxq '  front-end: none' "$work/status"
	grep -Eq '^  from the guest: 0 packets, 0 B, 0 dropped; 0 packets/s, 0 B/s$' "$work/status"
	stop_broker one
	[ -z "$(ls -A "$work/control")" ]
}

bridges_at_work_are_shown() {
	start_pings
	sleep 0.5
	status >"$work/status" || true
	status --json >"$work/json" || true
	"$broker" top --control-dir="$work/control" --count=2 --interval=1 >"$work/top"
	cat "$work/status" "$work/top"
	[ "$(grep -c '^bridge [0-9]*: net, vhbst' "$work/status")" -eq 2 ]
	grep -Fxq "  front-end: pinger, pid $pinging, uid 0" "$work/status"
	grep -Eq '^  memory: [0-9.]+ MiB in 1 region$' "$work/status"
	grep -Eq '^  features: (.*, )?VERSION_1' "$work/status"
	grep -Eq '^  protocol features: MQ, .*REPLY_ACK' "$work/status"
	grep -Eq '^  from the guest: [1-9][0-9]* packets, [0-9.]+ .*; [1-9][0-9]* packets/s' "$work/status"
	grep -Eq '^      1  running +[0-9]+ +[0-9]+ +[1-9][0-9]* +[1-9][0-9]*/s  eventfd      eventfd$' "$work/status"
	[ "$(grep -c '^vhost-bridge top, ..:..:.., 2 bridges$' "$work/top")" -eq 2 ]
	grep -Eq '^[0-9]+ +net +vhbstone +pinger +from guest [1-9][0-9]*/s, to guest [1-9][0-9]*/s$' "$work/top"
	grep -Eq '^  vring 1 +running +[0-9]+ entries +avail [0-9]+ +used [0-9]+ +[1-9][0-9]*/s$' "$work/top"
	perl -MJSON::PP -e 'undef $/; my $all = decode_json(<STDIN>)->{bridges}; @$all == 2 or die;
		for my $b (@$all) {
			$b->{type} eq "net" && $b->{front_end}{command} eq "pinger" && $b->{tap}{received_packets} > 0 or die;
			grep { $_ eq "VERSION_1" } @{$b->{feature_names}} or die;
			$b->{vrings}[1]{running} && $b->{vrings}[1]{used_index} > 0 && $b->{vrings}[1]{num} == 256 or die;
		}' <"$work/json"
	kill "$pinging"
	stop_broker one
	stop_broker two
	ip link del vhbstbr
}

a_killed_bridge_is_not_shown() {
	serve one
	serve two
	end_broker one KILL
	[ -n "$(ls "$work/control")" ]
	status >"$work/status" 2>"$work/status.err" || true
	[ "$(grep -c '^bridge ' "$work/status")" -eq 1 ]
	grep -q "^bridge ${pids[two]}: " "$work/status"
	fails grep -q 'did not answer' "$work/status.err"
	stop_broker two
}

# A bridge that does not come to answer, and a great many clients that do not read.
nobody_waits_for_a_bridge_that_hangs() {
	serve one
	kill -STOP "${pids[one]}"
	status >"$work/status" 2>"$work/status.err" || true
	kill -CONT "${pids[one]}"
	grep -q '1 bridges did not answer' "$work/status.err"
	[ "$(head -n 1 "$work/status")" = "no bridge is running" ]
	status >"$work/status"
	cat "$work/status"
	grep -q "^bridge ${pids[one]}: " "$work/status"
	stop_broker one
}

there_need_not_be_a_control_socket() {
	serve one
	start_broker two --tap=vhbsttwo --no-control
	[ "$(status 2>/dev/null | grep -c '^bridge ')" -eq 1 ]
	stop_broker one
	stop_broker two
	says 1 'Not a directory' 'no-control' "$broker" net --socket-path="$work/s" --tap=vhbstone \
		--control-dir=/dev/null/no
	[ ! -e "$work/s" ]
}

other_users_cannot_ask() {
	serve one
	chmod 755 "$work"
	setpriv --reuid=65534 --clear-groups "$broker" status --control-dir="$work/control" >"$work/status" \
		2>"$work/status.err" || true
	grep -q '1 bridges of other users are not shown: run this as root' "$work/status.err"
	[ "$(head -n 1 "$work/status")" = "no bridge is running" ]
	stop_broker one
}

# type_at_top KEY: runs top on a terminal, and types that as soon as there is a picture
type_at_top() {
	local terminal

	rm -f "$work/keys" "$work/typed"
	mkfifo "$work/keys"
	timeout 60 script -qefc "stty -a >$work/before; $broker top --control-dir=$work/control; echo ended \$?; stty -a >$work/after" \
		/dev/null <"$work/keys" >"$work/typed" 2>&1 &
	terminal=$!
	exec 3>"$work/keys"
	wait_for "a picture" grep -q 'vhost-bridge top, ..:..:.., 1 bridge' "$work/typed"
	printf '%s' "$1" >&3
	wait_for "the end" grep -q 'ended' "$work/typed"
	exec 3>&-
	wait "$terminal"
}

# q and Ctrl-C end it, and the terminal is as before.
top_works_on_a_terminal() {
	local key

	command -v script >/dev/null || skip_case "no script (Debian: bsdutils)"
	serve one
	for key in q $'\003'; do
		type_at_top "$key"
		grep -q $'\033\\[H\033\\[J' "$work/typed"
		grep -q 'ended 0' "$work/typed"
		cmp "$work/before" "$work/after"
	done
	stop_broker one
}

need_vhost_net
need_program "$pinger" "make test-programs"
command -v perl >/dev/null || skip_all "perl is missing"
enter_netns
run_cases without_a_bridge_it_says_so a_bridge_without_a_front_end_is_shown bridges_at_work_are_shown \
	a_killed_bridge_is_not_shown nobody_waits_for_a_bridge_that_hangs there_need_not_be_a_control_socket \
	other_users_cannot_ask top_works_on_a_terminal
