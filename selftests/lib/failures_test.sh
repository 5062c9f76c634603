#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What failures.sh shows of test output, good and bad
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/ktap.sh"

failures=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/failures.sh
dir=$(mktemp -d)
trap 'rm -rf -- "$dir"' EXIT

# expect NAME OUTPUT, the input on standard input
expect() {
	local name=$1 want=$2 output status=0

	cat >"$dir/in.ktap"
	output=$("$failures" "$dir/in.ktap")
	if [ "$output" != "$want" ]; then
		printf '# wanted: %s\n# got: %s\n' "${want//$'\n'/$'\n# '}" "${output//$'\n'/$'\n# '}"
		status=1
	fi
	ktap_result "$status" "$name"
}

ktap_plan 4

expect "nothing is shown of what went well" "" <<'END'
TAP version 13
1..1
# # a remark
# ok 1 a
ok 1 program
END

expect "of a program that failed its own words are shown" '---- in: not ok 2 bad # exit=1
# before: 1
not ok 2 b
# bad_test.c:7: error' <<'END'
1..2
# # another program
# ok 1 a
ok 1 good
# ok 1 a
# # before: 1
# not ok 2 b
# # bad_test.c:7: error
not ok 2 bad # exit=1
END

expect "only its last lines are shown" "---- in: not ok 1 long
$(seq 11 30)" < <(printf '1..1\n'; seq 30 | sed 's/^/# /'; printf 'not ok 1 long\n')

expect "only the first programs are shown" "$(printf -- '---- in: not ok %d\n' 1 2 3 4 5)
---- and 2 more" < <(printf '1..7\n'; printf 'not ok %d\n' 1 2 3 4 5 6 7)

ktap_end
