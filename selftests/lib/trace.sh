# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of tests that look at what a real broker traces, and compare Documentation/protocol.rst with what it offers;
# sourced after broker.sh, with the test's directory as the current one. A test leaves the trace's path in $trace. Offers:
#   $time_of_day               as a line of a trace begins: an extended regular expression
#   traced PATTERN             there is such a line
#   documented TYPE            protocol features that the table offers for TYPE, in a line, separated by commas
#   documented_options TYPE    options that offer more, each in a line: --option
#   documented TYPE OPTION     the same as "documented TYPE", and what OPTION adds
#   offered FILE               what the trace FILE says that was offered
# The cell begins with yes, no, TYPE, "net and blk", "with ``--option``" or "TYPE with ``--option``".
trace=
# shellcheck disable=SC2034
time_of_day='[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}'
protocol_doc=../../Documentation/protocol.rst

# traced PATTERN: there is such a line
traced() {
	grep -Eq -- "$1" "$trace" || {
		printf 'no line of the trace matches "%s"\n' "$1"
		cat "$trace"
		return 1
	}
}

# cells TYPE: NAME and OPTION (or -) of what may be offered
cells() {
	awk -v type="$1" '
		/^Protocol features$/ { inside = 1 }
		/^Messages$/ { inside = 0 }
		inside && /^[0-9]+ +[A-Z]/ {
			name = $2
			cell = $0
			sub(/^[0-9]+ +[A-Z_]+ +/, "", cell)
			sub(/[,;.].*/, "", cell)
			option = "-"
			if (match(cell, /``--[a-z-]+(=[a-z-]+)?``/)) {
				option = substr(cell, RSTART + 2, RLENGTH - 4)
				sub(/ *with ``.*/, "", cell)
			}
			if (cell == "yes" || cell == type || cell == "net and blk" || (cell == "" && option != "-"))
				print name, option
		}' "$protocol_doc"
}

documented() {
	cells "$1" | awk -v option="${2:--}" '$2 == "-" || $2 == option { printf "%s%s", comma, $1; comma = "," } END { print "" }'
}

documented_options() {
	cells "$1" | awk '$2 != "-" && !seen[$2]++ { print $2 }'
}

offered() {
	sed -nE 's/^[0-9:.]+ GET_PROTOCOL_FEATURES .*-> reply features=0x[0-9a-f]+\(([^)]*)\).*/\1/p' "$1" | head -n 1
}

# expect_offers TYPE [OPTION]: the broker whose trace is $trace
expect_offers() {
	if [ -z "$(offered "$trace")" ] || [ "$(offered "$trace")" != "$(documented "$@")" ]; then
		printf '%s: offered:    %s\n' "$*" "$(offered "$trace")"
		printf '%s: documented: %s (%s)\n' "$*" "$(documented "$@")" "$protocol_doc"
		return 1
	fi
}
