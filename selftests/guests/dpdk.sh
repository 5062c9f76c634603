# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# DPDK's virtio-user port as a front-end, by testpmd. Part of lib.sh.
#
#   dpdk_start NAME PATH MODE [TESTPMD-ARG]...   PATH is a vhost-user socket or /dev/vhost-net; forwarding is idle
#   dpdk_go NAME / dpdk_pause NAME               start and stop forwarding; a paused port uses no CPU
#   dpdk_stop NAME [SIGNAL]
#   dpdk_tcp_start NAME PATH ADDRESS/LEN         a network namespace behind the port, so that NAME is a guest that
#                                                pings and speaks TCP (guest_exec NAME runs in it)
# Set before: dpdk_vdev (more devargs for the virtio-user port), dpdk_lcores.

dpdk_vdev=''
# One CPU: the forwarding thread sleeps between commands, and the other CPU is vhost's.
dpdk_lcores=0@0,1@0

# testpmd starts with a prompt, so that forwarding starts and stops by command and start-up stays out of figures.
dpdk_start() {
	local name=$1 path=$2 mode=$3 log vdev
	log=$(state "$1")/log
	shift 3

	vdev=virtio_user0,path=$path,queue_size=256${dpdk_vdev:+,$dpdk_vdev}
	[ "$path" != /dev/vhost-net ] || vdev+=,iface=$name
	spawn "$name" "$log" dpdk-testpmd --lcores "$dpdk_lcores" --no-pci --in-memory --no-telemetry -m 256 \
		--single-file-segments --vdev="$vdev" ${dpdk_eal[@]+"${dpdk_eal[@]}"} -- \
		-i --forward-mode="$mode" --no-mlockall "$@"
	dpdk_log_has_or_gone() { grep -q "$2" "$VHB_RUN/$1/log" || gone "$1"; }
	if ! poll_until "${dpdk_timeout:-60}" dpdk_log_has_or_gone "$name" '^testpmd> ' || gone "$name"; then
		complain "testpmd '$name' on $path does not start" "$log"
		return 1
	fi
}

# dpdk_command NAME TEXT PATTERN: type it at the prompt and wait for the answer to it.
dpdk_command() {
	local log=$VHB_RUN/$1/log before
	before=$(wc -l <"$log")

	printf '%s\n' "$2" >"$VHB_RUN/$1/stdin"
	dpdk_answered() { tail -n "+$before" "$log" | grep -q "$1"; }
	poll_until 30 dpdk_answered "$3" || complain "testpmd '$1' does not answer '$2'" "$log"
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
