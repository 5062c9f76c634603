#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Process 1 of the VM: prepares the system, runs the one command that run.sh left in /run/vhb/argv, brings back its
# status and the kernel's log, and switches the machine off.
#
# /run/vhb is the host's: argv (NUL-separated), env (shell assignments); we write status (one number).
set -uo pipefail

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8 TERM=${TERM:-linux} VHB_IN_VM=1 USER=root LOGNAME=root SHELL=/bin/bash
unset OLDPWD
control=/run/vhb
results=/results
# shellcheck source=../../lib/kmemleak.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../lib/kmemleak.sh"

# To the kernel's log, so that the host finds it in console.txt and dmesg.txt alike.
note() {
	printf '<5>vhb-vm: %s\n' "$*" >/dev/kmsg
}

# The mounts were made by initramfs-init. vhost modules stay out: loading them is the broker's job and tested as such.
set_up() {
	modprobe -q tun
	# With a clock that jumps over idle time, waiting for the host looks like hours of hanging.
	if [[ $(</proc/cmdline) == *vhb_icount* ]]; then
		echo 0 >/proc/sys/kernel/hung_task_timeout_secs
	fi
	# Core dumps would only fill the layer in memory.
	ulimit -c 0
	ulimit -l unlimited
	cd /vhb || return 1
}

# port NAME: the device node of the virtio-serial port of that name.
port() {
	local sys

	for sys in /sys/class/virtio-ports/*; do
		if [ "$(<"$sys/name")" = "$1" ]; then
			printf '/dev/%s\n' "${sys##*/}"
			return 0
		fi
	done
	return 1
}

# The port can be opened only once, so the command writes into a pipe: >/dev/stderr and the like then work too.
run_command() {
	local out pump pid status=0 tries

	out=$(port output) || return 125
	mkfifo /run/output
	cat /run/output >"$out" &
	pump=$!
	exec 7>/run/output
	# A session of its own, as a terminal or a test runner would give it; no fork, so the status is the command's.
	setsid -- "$@" </dev/null >&7 2>&1 7>&- &
	pid=$!
	exec 7>&-
	wait "$pid" || status=$?
	# What the command left running may hold the pipe open for ever: give the pump a moment, not more.
	for ((tries = 0; tries < 20; tries++)); do
		kill -0 "$pump" 2>/dev/null || break
		sleep 0.1
	done
	return "$status"
}

run_shell() {
	local status=0

	stty -F /dev/hvc0 rows "${VHB_ROWS:-24}" cols "${VHB_COLUMNS:-80}"
	setsid -c -- "$@" </dev/hvc0 >/dev/hvc0 2>&1 || status=$?
	return "$status"
}

# What is found the kernel's log says, too, and that decides.
report_leaks() {
	kmemleak_usable || return 0
	kmemleak_check >"$results/kmemleak.txt" || true
}

finish() {
	local status=$1

	# Everything that still runs goes first: what its closing makes the kernel say belongs to the run.
	kill -KILL -1 2>/dev/null
	sleep 0.2
	report_leaks
	note "command ended with status $status"
	dmesg >"$results/dmesg.txt"
	printf '%s\n' "$status" >"$control/status.new"
	mv "$control/status.new" "$control/status"
	sync -f "$results"
	poweroff -f 2>/dev/null || busybox poweroff -f
}

main() {
	local argv status=0

	set_up || note "set-up failed"
	mapfile -d '' -t argv <"$control/argv"
	# shellcheck disable=SC1091
	. "$control/env"
	# Boot noise ends here: the reviewed exceptions of dmesg.allow hold only above this line.
	note "boot done, running the command"
	if [ "${VHB_SHELL:-0}" = 1 ]; then
		run_shell "${argv[@]}" || status=$?
	else
		run_command "${argv[@]}" || status=$?
	fi
	finish "$status"
}

main
