#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The broker's command line and life cycle: what users, scripts and service managers rely on.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

# refuses WHAT REMEDY OPTION...: as a net device with a socket and these options, at run time
refuses() {
	says 1 "$1" "$2" "$broker" net --socket-path="$work/refused.sock" "${@:3}"
	[ ! -e "$work/refused.sock" ]
}

link_exists() {
	ip link show dev "$1" >/dev/null 2>&1
}

# A client that only connects: knock PATH
knock() {
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1' "$1"
}

# "${with_socket[@]}" KIND PATH COMMAND...: becomes the command, with a socket as descriptor 9. KIND: listening; connected
# (the command itself holds the other end); widowed (nobody holds it); stray (never connected)
# shellcheck disable=SC2016
with_socket=(perl -MSocket -MPOSIX -e '
	my ($kind, $path, @command) = @ARGV;
	my ($socket, $peer);
	$^F = 99;
	if ($kind eq "connected" || $kind eq "widowed") {
		socketpair($socket, $peer, AF_UNIX, SOCK_STREAM, 0) or die;
		close($peer) if $kind eq "widowed";
	} else {
		socket($socket, AF_UNIX, SOCK_STREAM, 0) or die;
	}
	if ($kind eq "listening") {
		bind($socket, sockaddr_un($path)) && listen($socket, 5) or die;
	}
	POSIX::dup2(fileno($socket), 9) or die;
	exec(@command) or die;' --)

# The options' own test has the rest.
usage_errors_end_with_two() {
	local socket=--socket-path=$work/a.sock

	misused 'no device type' 'net --socket-path' </dev/null
	misused "unknown device type 'nett'" 'net' nett "$socket" --tap=vhbcli0
	misused "unknown option '--tapp'" '--help' net "$socket" --tapp=vhbcli0
	misused '--tap' '--tap|--help' net "$socket"
	misused '--socket-path' '--fd' net --tap=vhbcli0
	misused 'no interface name' '--help' net "$socket" --tap=a-name-too-long0
	misused 'queue-pairs=0' 'from 1 to 64' net "$socket" --tap=vhbcli0 --queue-pairs=0
	misused 'queue-pairs=65' 'from 1 to 64' net "$socket" --tap=vhbcli0 --queue-pairs=65
	fails link_exists vhbcli0
}

busy_tap_is_refused() {
	start_broker one --tap=vhbcli0
	refuses 'vhbcli0 is in use' 'end that or choose another --tap' --tap=vhbcli0
	stop_broker one
}

busy_multi_queue_tap_is_refused() {
	start_broker one --tap=vhbcli0 --queue-pairs=2
	refuses 'vhbcli0 is in use' 'end that or choose another --tap' --tap=vhbcli0 --queue-pairs=2
	refuses 'vhbcli0 is in use' 'end that or choose another --tap' --tap=vhbcli0
	stop_broker one
}

interface_that_is_no_tap_is_refused() {
	refuses 'lo exists and is not a tap' 'choose another --tap' --tap=lo
}

single_queue_tap_is_refused_for_two_pairs() {
	ip tuntap add vhbcli1 mode tap
	refuses 'single queue' 'multi_queue' --tap=vhbcli1 --queue-pairs=2
	ip link del vhbcli1
}

missing_bridge_is_refused() {
	refuses 'bridge vhbnone does not exist' 'ip link add vhbnone type bridge' --tap=vhbcli0 --bridge=vhbnone
	refuses 'lo is not a bridge' 'choose another --bridge' --tap=vhbcli0 --bridge=lo
	fails link_exists vhbcli0
}

missing_device_is_refused() {
	refuses '/nonexistent' '--vhost-fd' --tap=vhbcli0 --vhost-device=/nonexistent
	refuses '/dev/null is no vhost-net' '.' --tap=vhbcli0 --vhost-device=/dev/null
	fails link_exists vhbcli0
}

# Only where it is a module; in a mount namespace of the broker's own all modules vanish.
missing_module_is_named() {
	rmmod vhost_net
	says 1 '/dev/vhost-net.*no module vhost_net' 'install or boot a kernel' \
		unshare --mount sh -c 'mount -t tmpfs tmpfs /usr/lib/modules && exec "$@"' sh \
		"$broker" net --socket-path="$work/a.sock" --tap=vhbcli0
}

module_is_loaded_when_missing() {
	rmmod vhost_net || true
	[ ! -e /dev/vhost-net ]
	start_broker one --tap=vhbcli0
	[ -e /dev/vhost-net ]
	stop_broker one
}

lack_of_permission_is_named() {
	local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)

	chmod 777 "$work"
	chmod 666 /dev/net/tun
	says 1 'vhbcli0 may not be made or used' 'CAP_NET_ADMIN|--tap-fd' \
		"${nobody[@]}" "$broker" net --socket-path="$work/a.sock" --tap=vhbcli0
	ip tuntap add vhbcli1 mode tap user 65534
	ip link set vhbcli1 up
	says 1 '/dev/vhost-net may not be opened' 'as root|--vhost-fd' \
		"${nobody[@]}" "$broker" net --socket-path="$work/a.sock" --tap=vhbcli1
	chmod 755 "$work"
	chmod 666 /dev/vhost-net
	says 1 'a.sock: no permission' 'choose another' \
		"${nobody[@]}" "$broker" net --socket-path="$work/a.sock" --tap=vhbcli1
	chmod 600 /dev/vhost-net
	ip link del vhbcli1
}

unprivileged_user_can_run_it() {
	chmod 777 "$work"
	chmod 666 /dev/net/tun /dev/vhost-net
	ip tuntap add vhbcli1 mode tap user 65534
	ip link set vhbcli1 up
	setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
		"$broker" net --socket-path="$work/user.sock" --tap=vhbcli1 2>"$work/user.err" &
	pids[user]=$!
	wait_ready user
	hold_guest user
	stop_broker user
	chmod 600 /dev/vhost-net
	ip link del vhbcli1
}

# hold_guest NAME: a front-end with a working card on that broker
hold_guest() {
	"$pinger" "$work/$1.sock" 1 hold >"$work/hold.out" 2>&1 &
	wait_for "the guest" grep -q '^up$' "$work/hold.out"
}

stale_socket_is_replaced() {
	start_broker one --tap=vhbcli0
	end_broker one KILL
	[ -S "$work/one.sock" ]
	fails knock "$work/one.sock"
	start_broker one --tap=vhbcli0
	knock "$work/one.sock"
	stop_broker one
}

live_socket_is_refused() {
	start_broker one --tap=vhbcli0
	says 1 'one.sock: another program listens' 'choose another --socket-path' \
		"$broker" net --socket-path="$work/one.sock" --tap=vhbcli1
	knock "$work/one.sock"
	stop_broker one
}

other_files_are_left_alone() {
	echo precious >"$work/file"
	ln -s "$work/file" "$work/link"
	mkdir "$work/dir"
	for path in file link dir; do
		says 1 "$path: exists and is no socket" 'remove it or choose another' \
			"$broker" net --socket-path="$work/$path" --tap=vhbcli0
	done
	[ "$(cat "$work/link")" = precious ] && [ -d "$work/dir" ]
	says 1 'directory does not exist' 'make it' "$broker" net --socket-path="$work/none/a.sock" --tap=vhbcli0
	says 1 'longer than' 'shorter' "$broker" net --socket-path="/tmp/$(printf '%0120d' 0)" --tap=vhbcli0
	fails link_exists vhbcli0
}

listening_descriptor_is_served() {
	"${with_socket[@]}" listening "$work/fd.sock" "$broker" net --fd=9 --tap=vhbcli0 2>"$work/fd.err" &
	pids[fd]=$!
	wait_ready fd
	hold_guest fd
	stop_broker fd
	# Who made the socket removes it.
	[ -S "$work/fd.sock" ]
}

connected_descriptor_is_served_once() {
	"${with_socket[@]}" widowed - timeout 10 "$broker" net --fd=9 --tap=vhbcli0 2>"$work/fd.err"
	grep -q '^ready$' "$work/fd.err"
	"${with_socket[@]}" connected - "$broker" net --fd=9 --tap=vhbcli0 2>"$work/fd.err" &
	pids[fd]=$!
	wait_ready fd
	sleep 0.3
	fails has_ended "${pids[fd]}"
	stop_broker fd
}

wrong_descriptors_are_refused() {
	local remedy='connected or listening'

	says 1 '--fd=9' "$remedy" "$broker" net --fd=9 --tap=vhbcli0
	says 1 '--fd=0' "$remedy" "$broker" net --fd=0 --tap=vhbcli0
	says 1 '--fd=9' "$remedy" "$broker" net --fd=9 --tap=vhbcli0 9<>/dev/udp/127.0.0.1/9
	says 1 '--fd=9' "$remedy" "${with_socket[@]}" stray - "$broker" net --fd=9 --tap=vhbcli0
	fails link_exists vhbcli0
}

signals_end_it_at_once() {
	local signal

	for signal in TERM INT; do
		start_broker one --tap=vhbcli0
		end_within_a_second one "$signal"
		start_broker one --tap=vhbcli0
		hold_guest one
		end_within_a_second one "$signal"
	done
}

# end_within_a_second NAME SIGNAL: status 0, nothing left behind, nothing said but "ready"
end_within_a_second() {
	local start=${EPOCHREALTIME/./} limit=1000000

	# Emulated CPUs of a busy host are slow.
	[ "${VHB_ACCEL:-}" != tcg ] || limit=3000000
	end_broker "$1" "$2"
	[ $((${EPOCHREALTIME/./} - start)) -lt "$limit" ]
	[ "$ended" -eq 0 ]
	[ ! -e "$work/$1.sock" ]
	fails link_exists vhbcli0
	[ "$(cat "$work/$1.err")" = ready ]
}

once_ends_after_the_first() {
	start_broker one --tap=vhbcli0 --once
	hold_guest one
	fails has_ended "${pids[one]}"
	kill %%
	wait_for "the end" has_ended "${pids[one]}"
	wait "${pids[one]}"
	unset 'pids[one]'
	[ ! -e "$work/one.sock" ]
}

next_front_end_is_served() {
	start_broker one --tap=vhbcli0
	for _ in 1 2 3; do
		hold_guest one
		kill %%
		wait %% || true
	done
	stop_broker one
}

only_ready_is_said() {
	start_broker one --tap=vhbcli0
	hold_guest one
	stop_broker one
	[ "$(cat "$work/one.err")" = ready ]
}

service_manager_is_told() {
	perl -MSocket -e '
		socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die;
		bind($socket, sockaddr_un($ARGV[0])) or die;
		recv($socket, my $text, 100, 0);
		print $text;' "$work/notify" >"$work/told" &
	wait_for "the manager" test -S "$work/notify"
	NOTIFY_SOCKET=$work/notify start_broker one --tap=vhbcli0
	wait_for "READY=1" grep -qx READY=1 "$work/told"
	stop_broker one
}

capabilities_are_json() {
	"$broker" net --print-capabilities >"$work/json" 2>"$work/one.err"
	[ ! -s "$work/one.err" ]
	perl -MJSON::PP -e 'undef $/; exit(decode_json(<STDIN>)->{type} ne "net")' <"$work/json"
}

help_and_version_are_said() {
	"$broker" --help | grep -q '^Usage: vhost-bridge'
	"$broker" net --help | grep -q -- '--queue-pairs'
	"$broker" --version | grep -qE '^vhost-bridge [0-9]+\.'
	[ -z "$("$broker" net --help 2>&1 >/dev/null)" ]
}

name_tells_the_type() {
	ln -s "$broker" "$work/vhost-bridge-net"
	"$work/vhost-bridge-net" --help | grep -q -- '--queue-pairs'
	"$work/vhost-bridge-net" --print-capabilities | grep -q '"net"'
	says 2 '--socket-path' '--fd' "$work/vhost-bridge-net" --tap=vhbcli0
}

own_tap_goes_at_the_end() {
	start_broker one --tap=vhbcli0
	ip -o link show dev vhbcli0 up | grep -q vhbcli0
	stop_broker one
	fails link_exists vhbcli0
}

existing_tap_stays() {
	ip tuntap add vhbcli1 mode tap multi_queue
	start_broker one --tap=vhbcli1 --queue-pairs=2
	stop_broker one
	link_exists vhbcli1
	start_broker one --tap=vhbcli1
	stop_broker one
	link_exists vhbcli1
	ip link del vhbcli1
}

need_vhost_net
need_program "$pinger" "make test-programs"
command -v perl >/dev/null || skip_all "perl is missing"
enter_netns
run_cases usage_errors_end_with_two busy_tap_is_refused busy_multi_queue_tap_is_refused \
	interface_that_is_no_tap_is_refused single_queue_tap_is_refused_for_two_pairs missing_bridge_is_refused \
	missing_device_is_refused missing_module_is_named module_is_loaded_when_missing lack_of_permission_is_named \
	unprivileged_user_can_run_it stale_socket_is_replaced live_socket_is_refused other_files_are_left_alone \
	listening_descriptor_is_served connected_descriptor_is_served_once wrong_descriptors_are_refused \
	signals_end_it_at_once once_ends_after_the_first next_front_end_is_served only_ready_is_said \
	service_manager_is_told capabilities_are_json help_and_version_are_said name_tells_the_type \
	own_tap_goes_at_the_end existing_tap_stays
