# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of shell tests that run the broker; sourced, with the test's directory as the current one, after $device_type
# was set. Offers:
#   $broker                            the program
#   $work                              an empty directory for each case
#   need_program                       ends with "skip" when something is missing
#   skip_case REASON                   ends a case with "skip"
#   make_work                          make $work, and have it removed at the end
#   start_broker NAME OPTION...        of $device_type on $work/NAME.sock, ready; its number is in ${pids[NAME]}, its
#                                      words in $work/NAME.err
#   stop_broker NAME                   SIGTERM; fails unless it ends within five seconds with status 0
#   end_broker NAME SIGNAL             the same with any signal; the exit status is left in $ended
#   wait_for WHAT COMMAND...           until the command succeeds, ten seconds at most; times $VHB_PATIENCE
#   fails COMMAND...                   succeeds if the command does not
#   says, misused                      what the broker says when it does not run
#   run_cases FUNCTION...              KTAP; a case fails when any command in it does
: "${device_type:?}"
declare -A pids=()
work=

: "${VHB_BUILD:=$(cd ../.. && pwd)/build/vm}"
broker=${VHB_BROKER:-$VHB_BUILD/vhost-bridge}

skip_all() {
	printf 'KTAP version 1\n1..0 # SKIP %s\n' "$*"
	exit 4
}

skip_case() {
	printf '%s' "$*" >"$work/skip"
	exit 4
}

need_program() {
	[ -x "$1" ] || skip_all "$1 is missing ($2)"
}

make_work() {
	work=$(mktemp -d "/tmp/vhb-$device_type.XXXXXX")
	trap 'rm -rf -- "$work"' EXIT
}

# Called by a trap only.
# shellcheck disable=SC2317
kill_all() {
	local pid

	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null || true
	done
	wait
}

# "! command" would not end a case: errexit looks away.
fails() {
	if "$@"; then
		printf '"%s" should have failed\n' "$*"
		return 1
	fi
}

wait_for() {
	local what=$1 tries
	shift

	for ((tries = 0; tries < 200 * ${VHB_PATIENCE:-1}; tries++)); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.05
	done
	printf 'timeout: %s\n' "$what"
	return 1
}

start_broker() {
	local name=$1
	shift

	"$broker" "$device_type" --socket-path="$work/$name.sock" "$@" 2>"$work/$name.err" </dev/null &
	pids[$name]=$!
	wait_ready "$name"
}

# wait_ready NAME: until it says so; fails at once when it has ended
wait_ready() {
	wait_for "broker $1" ready_or_ended "$work/$1.err" "${pids[$1]}"
	grep -q '^ready$' "$work/$1.err"
}

ready_or_ended() {
	grep -q '^ready$' "$1" || has_ended "$2"
}

# has_ended PID: also as a zombie
has_ended() {
	! grep -q '^State:.[^Z]' "/proc/$1/status" 2>/dev/null
}

end_broker() {
	local pid=${pids[$1]} tries

	kill "-$2" "$pid"
	for ((tries = 0; tries < 100; tries++)); do
		! has_ended "$pid" || break
		sleep 0.05
	done
	if ! has_ended "$pid"; then
		printf 'broker %s does not end\n' "$1"
		kill -KILL "$pid"
	fi
	ended=0
	wait "$pid" || ended=$?
	unset "pids[$1]"
}

stop_broker() {
	end_broker "$1" TERM
	[ "$ended" -eq 0 ]
}

# says STATUS WHAT REMEDY COMMAND...: ends with this status and exactly one line that names both what is wrong and what
# to do (extended regular expressions)
says() {
	local status=0 expected=$1 what=$2 remedy=$3 lines
	shift 3

	timeout -k 1 20 "$@" >"$work/says.out" 2>"$work/says.err" </dev/null || status=$?
	mapfile -t lines <"$work/says.err"
	if [ "$status" -ne "$expected" ] || [ ${#lines[@]} -ne 1 ] || [ -s "$work/says.out" ] ||
		! [[ ${lines[0]} =~ $what ]] || ! [[ ${lines[0]} =~ $remedy ]]; then
		printf 'status %s, not %s with "%s" and "%s": %s\n' "$status" "$expected" "$what" "$remedy" "$*"
		return 1
	fi
}

# misused WHAT REMEDY ARGUMENT...: wrong usage
misused() {
	says 2 "$1" "$2" "$broker" "${@:3}"
}

# Each case is a subshell with errexit on and brokers of its own; what it says is shown if it fails.
run_cases() {
	local name number=0 failed=0 status start

	printf 'KTAP version 1\n1..%d\n' $#
	for name in "$@"; do
		number=$((number + 1))
		rm -rf -- "${work:?}"/*
		start=${EPOCHREALTIME/./}
		set +e
		(
			set -eE
			trap 'printf "line %d: %s\n" "$LINENO" "$BASH_COMMAND"' ERR
			trap kill_all EXIT
			"$name"
		) >"$work/case.out" 2>&1
		status=$?
		set -e
		printf '# %d ms\n' $(((${EPOCHREALTIME/./} - start) / 1000))
		if [ "$status" -eq 0 ]; then
			printf 'ok %d %s\n' "$number" "$name"
		elif [ "$status" -eq 4 ] && [ -e "$work/skip" ]; then
			printf 'ok %d %s # SKIP %s\n' "$number" "$name" "$(cat "$work/skip")"
		else
			failed=1
			sed -s 's/^/# /' "$work"/case.out "$work"/*.err 2>/dev/null || true
			printf 'not ok %d %s\n' "$number" "$name"
		fi
	done
	return "$failed"
}
