#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What tally.sh makes of good and bad test output. Each case is an input and the last line and status it must give.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/ktap.sh"

tally=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/tally.sh
dir=$(mktemp -d)
trap 'rm -rf -- "$dir"' EXIT

# expect NAME STATUS LAST_LINE [OTHER_LINE], the input on standard input
expect() {
	local name=$1 want_status=$2 want=$3 other=${4:-} status=0 output result=0

	cat >"$dir/in.ktap"
	output=$("$tally" "$dir/in.ktap") || status=$?
	[ "$status" = "$want_status" ] && [ "$(tail -n 1 <<<"$output")" = "$want" ] || result=1
	if [ -n "$other" ] && ! grep -qxF -- "$other" <<<"$output"; then
		result=1
	fi
	if [ "$result" != 0 ]; then
		printf '# %s\n' "wanted status $want_status: $want" "got status $status:"
		printf '#  %s\n' "${output//$'\n'/$'\n#  '}"
	fi
	ktap_result "$result" "$name"
}

ktap_plan 15

expect "plain cases are counted" 0 "2 passed, 0 failed, 0 skipped" <<'END'
TAP version 13
1..2
ok 1 a
ok 2 - b
END

expect "a failed case is named" 1 "1 passed, 1 failed, 0 skipped" "FAILED: in: b" <<'END'
1..2
ok 1 a
not ok 2 b
END

expect "a skipped case is named with its reason" 0 "1 passed, 0 failed, 1 skipped" "SKIPPED: in: b # SKIP no tun" <<'END'
1..2
ok 1 a
ok 2 b # SKIP no tun
END

expect "cmocka's way to skip is no failure" 0 "0 passed, 0 failed, 1 skipped" <<'END'
1..1
not ok 1 # SKIP b
END

expect "nested cases count, the line around them does not" 1 "2 passed, 1 failed, 0 skipped" "FAILED: in: outer: b" <<'END'
1..1
# 1..3
# ok 1 a
# not ok 2 b
# # b.c:12: wrong
# ok 3 c
not ok 1 outer # exit=1
END

expect "a program that fails after good cases counts once more" 1 "2 passed, 1 failed, 0 skipped" <<'END'
1..1
# 1..2
# ok 1 a
# ok 2 b
not ok 1 outer # exit=139
END

expect "cases that did not come are a failure" 1 "1 passed, 1 failed, 0 skipped" \
	"FAILED: in: outer: planned 3 cases, 1 came" <<'END'
1..1
# 1..3
# ok 1 a
not ok 1 outer # exit=134
END

expect "cases that did not come fail a program that ends well" 1 "0 passed, 1 failed, 0 skipped" <<'END'
1..1
# 1..3
ok 1 outer
END

expect "a case too many is a failure" 1 "2 passed, 1 failed, 0 skipped" <<'END'
1..1
ok 1 a
ok 2 b
END

expect "several groups in one program" 0 "3 passed, 0 failed, 0 skipped" <<'END'
1..1
# 1..2
# ok 1 a
# ok 2 b
# 1..1
# ok 1 c
ok 1 outer
END

expect "a plan at the end" 0 "3 passed, 0 failed, 0 skipped" <<'END'
1..2
# ok 1 a
# ok 2 b
# 1..2
ok 1 outer
ok 2 c
END

expect "talk is not counted" 0 "1 passed, 0 failed, 0 skipped" <<'END'
1..1
# ok 1 I heard
# not ok 2 or so
ok 1 a
END

expect "bailing out is a failure" 1 "1 passed, 1 failed, 0 skipped" "FAILED: in: Bail out! the VM died" <<'END'
1..1
ok 1 a
Bail out! the VM died
END

expect "a stream without a plan is a failure" 1 "0 passed, 1 failed, 0 skipped" <<'END'
make: nothing to be done
END

expect "an empty file is a failure" 1 "0 passed, 1 failed, 0 skipped" </dev/null

ktap_end
