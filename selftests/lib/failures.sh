#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# failures.sh - what failed test programs said at their end
#
# Usage: failures.sh FILE...
#   FILE  TAP or KTAP, in which a program's own output comes before its line, each line of it after "# "
#
# Of each program that failed: its name, and its last lines that are not about cases that went well. Where only the end
# of a long log is kept, this is what one wants to find there.
set -euo pipefail

if [ $# -eq 0 ]; then
	printf 'usage: failures.sh FILE...\n' >&2
	exit 2
fi

exec awk '
BEGIN {
	programs_max = 5
	lines_max = 20
}

FNR == 1 {
	said = 0
}

/^# / {
	line = substr($0, 3)
	if (line !~ /^(# )*ok [0-9]/)
		lines[said++ % lines_max] = line
	next
}

/^(not )?ok [0-9]/ {
	if (/^not ok/ && programs++ < programs_max) {
		label = FILENAME
		sub(/.*\//, "", label)
		sub(/\.ktap$/, "", label)
		print "---- " label ": " $0
		for (i = said > lines_max ? said - lines_max : 0; i < said; i++)
			print lines[i % lines_max]
	}
	said = 0
}

END {
	if (programs > programs_max)
		print "---- and " programs - programs_max " more"
}
' "$@"
