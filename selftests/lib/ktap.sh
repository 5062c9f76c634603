# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# KTAP for shell tests. Sourced, never run.

ktap_count=0
ktap_failures=0

# ktap_plan N: how many cases will come; first of all.
ktap_plan() {
	printf 'TAP version 13\n1..%d\n' "$1"
}

# ktap_result STATUS NAME: one case, passed when STATUS is 0.
ktap_result() {
	ktap_count=$((ktap_count + 1))
	if [ "$1" = 0 ]; then
		printf 'ok %d %s\n' "$ktap_count" "$2"
	else
		printf 'not ok %d %s\n' "$ktap_count" "$2"
		ktap_failures=$((ktap_failures + 1))
	fi
}

# ktap_case NAME COMMAND...: one case, passed when COMMAND ends with 0 and, if it is a function, so does all that is in
# it; the output is shown when it does not. Not to be called where errexit looks away (if, &&, ||).
ktap_case() {
	local name=$1 output status
	shift

	set +e
	output=$(
		set -eE
		trap 'printf "line %d: %s\n" "$LINENO" "$BASH_COMMAND"' ERR
		exec 2>&1
		"$@"
	)
	status=$?
	set -e
	if [ "$status" != 0 ] && [ -n "$output" ]; then
		printf '# %s\n' "${output//$'\n'/$'\n'# }"
	fi
	ktap_result "$status" "$name"
}

# ktap_skip NAME REASON: one case that cannot run here.
ktap_skip() {
	ktap_count=$((ktap_count + 1))
	printf 'ok %d %s # SKIP %s\n' "$ktap_count" "$1" "$2"
}

# ktap_skip_all REASON: nothing of this test can run here; instead of a plan.
ktap_skip_all() {
	printf 'TAP version 13\n1..0 # SKIP %s\n' "$1"
	exit 4
}

# ktap_end: the last command of a test.
ktap_end() {
	[ "$ktap_failures" = 0 ]
}
