# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The command channel into whole guests (guest-init is the other end). Part of lib.sh.
#
# Two FIFOs, $VHB_RUN/NAME/cmd.in and cmd.out, that stand for the guest's second serial line. Whoever runs the guest
# holds both open for reading and writing, so nothing is lost between commands and nobody sees an end of file.
#
#   guest_exec NAME COMMAND...     the command's output on stdout; its status, or 124 when the guest did not answer
#   guest_stop NAME                also for guests that are only a network namespace (dpdk_tcp_start)
# Set before: guest_limit (seconds a command may take).

guest_limit=60

channel_make() {
	local dir
	dir=$(state "$1")

	mkfifo "$dir/cmd.in" "$dir/cmd.out"
	printf '0\n' >"$dir/seq"
}

# channel_read NAME ID SECONDS: copy what the guest says to stdout up to the marker of ID, whose status it returns.
# A line's newline is printed with the next line: the one before the marker is guest-init's, not the command's.
channel_read() {
	local dir=$VHB_RUN/$1 id=$2 deadline=$((SECONDS + $3)) line part='' newline='' fd left

	exec {fd}<>"$dir/cmd.out"
	while left=$((deadline - SECONDS)); [ "$left" -gt 0 ] && alive "$1"; do
		# A long line cut in two by the timeout is put together again by the next round.
		line=''
		if ! IFS= read -r -t "$((left < 5 ? left : 5))" line <&"$fd"; then
			part+=$line
			continue
		fi
		line=$part$line
		part=''
		if [[ $line == "%vhb $id "* ]]; then
			exec {fd}>&-
			return "$((${line##* }))"
		fi
		printf '%s%s' "$newline" "$line"
		newline=$'\n'
	done
	exec {fd}>&-
	if alive "$1"; then
		complain "guest '$1' did not answer within $3 s" "$dir/log"
	else
		complain "guest '$1' died" "$dir/log"
	fi
	return 124
}

# channel_ready NAME SECONDS: the guest is up and its network configured.
channel_ready() {
	local status=0

	channel_read "$1" ready "$2" >/dev/null || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 124 ] ||
		complain "guest '$1': step $status of its network set-up failed" "$VHB_RUN/$1/log"
	return "$status"
}

guest_exec() {
	local name=$1 dir=$VHB_RUN/$1 id command
	shift

	command=$*
	if [ "$(<"$dir/kind")" = netns ]; then
		timeout "$guest_limit" ip netns exec "$(<"$dir/netns")" sh -c "$command" </dev/null
		return
	fi
	if [[ $command == *$'\n'* ]]; then
		complain "guest_exec takes one line"
		return 125
	fi
	id=$(($(<"$dir/seq") + 1))
	printf '%s\n' "$id" >"$dir/seq"
	# The FIFO always has a reader (the guest's monitor), but a dead one must not block us.
	alive "$name" || { complain "guest '$name' is not running" "$dir/log"; return 124; }
	printf 'run %s %s %s\n' "$id" "$guest_limit" "$command" 1<>"$dir/cmd.in"
	channel_read "$name" "$id" "$((guest_limit + 10))"
}

# guest_stop NAME: by its own power-off, and the hard way when that does not come.
guest_stop() {
	local dir=$VHB_RUN/$1 status=0

	if [ "$(<"$dir/kind")" = netns ]; then
		dpdk_tcp_stop "$1"
		return
	fi
	if alive "$1"; then
		printf 'halt\n' 1<>"$dir/cmd.in"
	fi
	if ! poll_until 30 gone "$1"; then
		complain "guest '$1' does not power off" "$dir/log" || status=1
	fi
	end "$1" KILL 1 || true
	return "$status"
}
