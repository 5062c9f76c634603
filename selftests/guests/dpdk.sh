# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# DPDK's virtio-user port as a front-end, by testpmd. Part of lib.sh.
#
#   dpdk_start NAME PATH MODE [TESTPMD-ARG]...   PATH is a vhost-user socket or /dev/vhost-net; forwarding is idle
#   dpdk_go NAME / dpdk_pause NAME               start and stop forwarding; a paused port uses no CPU
#   dpdk_stop NAME [SIGNAL]
#   vhost_pin NAME CPU                           where the kernel's thread for that testpmd or broker runs
#   dpdk_broker_start NAME MODEL TAP ARGS...     a broker on a tap with the flags of testpmd's own tap MODEL
#   dpdk_tcp_start NAME PATH ADDRESS/LEN         a network namespace behind the port, so that NAME is a guest that
#                                                pings and speaks TCP (guest_exec NAME runs in it)
# Set before: dpdk_vdev (more devargs for the virtio-user port), dpdk_lcores, dpdk_limit (seconds for each step).

dpdk_vdev='' dpdk_limit=60
# One CPU: the forwarding thread sleeps between commands, and the other CPU is vhost's.
dpdk_lcores=0@0,1@0
# More arguments for EAL.
dpdk_eal=()

# testpmd starts with a prompt, so that forwarding starts and stops by command and start-up stays out of figures.
dpdk_start() {
	local name=$1 path=$2 mode=$3 log vdev
	log=$(state "$1")/log
	shift 3

	vdev=virtio_user0,path=$path,queue_size=256${dpdk_vdev:+,$dpdk_vdev}
	[ "$path" != /dev/vhost-net ] || vdev+=,iface=$name
	# Output by lines: a file would else get the answers to commands in blocks of 4 KiB. A small pool of buffers:
	# several instances share the huge pages, and filling them takes time.
	spawn "$name" "$log" stdbuf -oL dpdk-testpmd --lcores "$dpdk_lcores" --no-pci --in-memory --no-telemetry -m 64 \
		--single-file-segments --vdev="$vdev" "${dpdk_eal[@]}" -- \
		-i --forward-mode="$mode" --no-mlockall --total-num-mbufs=8192 "$@"
	if ! poll_until "$dpdk_limit" dpdk_prompts_or_is_gone "$name" || gone "$name"; then
		complain "testpmd '$name' on $path does not start" "$log"
		return 1
	fi
}

dpdk_prompts_or_is_gone() {
	grep -q '^testpmd> ' "$VHB_RUN/$1/log" || gone "$1"
}

# dpdk_answered NAME LINE PATTERN: does the log match from that line on?
dpdk_answered() {
	tail -n "+$2" "$VHB_RUN/$1/log" | grep -q "$3"
}

# dpdk_command NAME TEXT PATTERN: type it at the prompt and wait for the answer to it.
dpdk_command() {
	local log=$VHB_RUN/$1/log before
	before=$(wc -l <"$log")

	printf '%s\n' "$2" >"$VHB_RUN/$1/stdin"
	poll_until "$dpdk_limit" dpdk_answered "$1" "$before" "$3" || complain "testpmd '$1' does not answer '$2'" "$log"
}

dpdk_go() {
	dpdk_command "$1" start 'packet forwarding'
}

dpdk_pause() {
	dpdk_command "$1" stop 'Done\.'
}

dpdk_stop() {
	local status=0

	end "$1" "${2:-INT}" 20 || status=$?
	[ "$status" -eq 0 ] || [ "${2:-INT}" = KILL ] ||
		complain "testpmd '$1' ended with status $status" "$VHB_RUN/$1/log"
}

# vhost_pin NAME CPU: the kernel thread that serves process NAME's vrings inherits its creator's CPUs: testpmd's single
# one or all of the broker's. Figures of the two are comparable only when that is made equal.
vhost_pin() {
	local pid task comm pinned=0
	pid=$(<"$VHB_RUN/$1/pid")

	# A thread of the owner since 6.4, before that a kernel thread named after it.
	for task in /proc/"$pid"/task/* $(pgrep -x "vhost-$pid" | sed 's|^|/proc/|'); do
		comm=$(cat "$task/comm" 2>/dev/null) || continue
		if [[ $comm == vhost-* ]]; then
			taskset -pc "$2" "${task##*/}" >/dev/null && pinned=1
		fi
	done
	[ "$pinned" = 1 ] || complain "no vhost thread of '$1' found"
}

# On /dev/vhost-net testpmd opens its tap in a way of its own (multi-queue, NAPI): a fifth of the path is in that, so a
# comparison with it needs a bridge on a tap like that. The interface goes with the broker, which holds its only queue.
dpdk_broker_start() {
	local name=$1 model=$2 tap=$3 flags
	shift 3

	flags=$(in_lab cat "/sys/class/net/$model/tun_flags")
	# shellcheck disable=SC2016
	spawn "$name" "$(state "$name")/log" perl -e '
		$^F = 255;	# or exec would close the tap
		my ($flags, $name, @command) = @ARGV;
		my $settable = 0x5132;	# IFF_TAP, _NAPI, _NAPI_FRAGS, _MULTI_QUEUE, _NO_PI, _VNET_HDR
		open(my $tap, "+<", "/dev/net/tun") or die "/dev/net/tun: $!\n";
		ioctl($tap, 0x400454ca, pack("a16 S x22", $name, oct($flags) & $settable)) or die "TUNSETIFF: $!\n";
		exec(@command, "--tap-fd=" . fileno($tap)) or die "$command[0]: $!\n"' \
		"$flags" "$tap" "$VHB_BROKER" "$@"
	broker_wait "$name"
}

# The port's frames go on, by testpmd's io forwarding, to a veth pair whose far end lives in a namespace of its own.
dpdk_tcp_start() {
	local name=$1 path=$2 address=$3 dir ns=vhb-c-$1 near=vn$1
	dir=$(state "$1")

	ip netns add "$ns"
	lab_owns "$ns"
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	in_lab ip link add "$near" type veth peer name eth0 netns "$ns"
	# The packet socket carries frames, not what offloads leave to be done: whole checksums, one segment each.
	ip netns exec "$ns" ethtool -K eth0 tx off rx off tso off gso off gro off >/dev/null
	in_lab ethtool -K "$near" tx off rx off tso off gso off gro off >/dev/null
	ip netns exec "$ns" ip addr add "$address" dev eth0
	ip netns exec "$ns" ip link set eth0 up
	in_lab ip link set "$near" up
	printf '%s\n' netns >"$dir/kind"
	printf '%s\n' "$ns" >"$dir/netns"
	printf '%s\n' "${address%/*}" >"$dir/ip"

	dpdk_eal=(--vdev="net_af_packet0,iface=$near")
	dpdk_start "$name" "$path" io || { dpdk_eal=(); return 1; }
	dpdk_eal=()
	dpdk_go "$name"
}

dpdk_tcp_stop() {
	local status=0

	dpdk_stop "$1" || status=$?
	ip netns del "vhb-c-$1" 2>/dev/null || true
	return "$status"
}
