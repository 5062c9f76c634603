#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tally.sh - count the cases in TAP or KTAP files
#
# Usage: tally.sh FILE...
#
# Names every skipped and every failed case, then prints one last line "N passed, N failed, N skipped". Status 1 when
# something failed. FILE's base name without .ktap says where a case comes from.
#
# A test that runs cases of its own shows them as "# ok 1 name" lines before its own line, as kselftest's runner
# prints them; then the cases count and the line around them does not, unless it is the only one that failed. A case
# that was planned and did not come is a failure, so are a missing plan, more cases than planned and "Bail out!".
set -euo pipefail

if [ $# -eq 0 ]; then
	printf 'usage: tally.sh FILE...\n' >&2
	exit 2
fi

for file in "$@"; do
	if [ ! -r "$file" ]; then
		printf 'tally.sh: cannot read %s\n' "$file" >&2
		exit 2
	fi
done

exec awk '
function note(kind, depth, name) {
	# Held back until the line of the test around it tells its name.
	pending[++pending_count] = kind "\t" depth "\t" name
}

function fail(depth, name) {
	failed++
	failures[depth]++
	note("FAILED", depth, name)
}

# Everything pending below a depth gets the name of the test it belongs to.
function settle(depth, name,	i, field) {
	for (i = 1; i <= pending_count; i++) {
		split(pending[i], field, "\t")
		if (field[2] > depth)
			pending[i] = field[1] "\t" depth "\t" name ": " field[3]
	}
}

# Ends the plan of a depth; the shortfall is one failure.
function close_plan(depth) {
	if (!(depth in plan))
		return
	if (seen[depth] != plan[depth])
		fail(depth, "planned " plan[depth] " cases, " seen[depth] " came")
	delete plan[depth]
	delete seen[depth]
}

function close_below(depth,	d) {
	for (d = deepest; d > depth; d--) {
		close_plan(d)
		delete loose_count[d]
	}
	deepest = depth
}

function forget_below(depth,	d) {
	for (d in cases)
		if (d + 0 > depth)
			delete cases[d]
	for (d in failures)
		if (d + 0 > depth)
			delete failures[d]
}

function sum_below(counts, depth,	d, sum) {
	for (d in counts)
		if (d + 0 > depth)
			sum += counts[d]
	return sum + 0
}

function result(depth, line,	ok, name, outer, skip, inner_cases, inner_failures) {
	ok = line !~ /^not ok/
	skip = line ~ /#[ \t]*[Ss][Kk][Ii][Pp]/
	name = line
	sub(/^(not )?ok [0-9]+ */, "", name)
	sub(/^- */, "", name)
	# cmocka has the name behind the directive.
	if (name ~ /^# *SKIP /)
		name = substr(name, index(name, "SKIP ") + 5) " # SKIP"
	close_below(depth)
	inner_cases = sum_below(cases, depth)
	inner_failures = sum_below(failures, depth)
	outer = name
	sub(/ *# .*$/, "", outer)
	settle(depth, outer)
	forget_below(depth)
	seen[depth]++
	if (inner_cases || inner_failures) {
		failures[depth] += inner_failures
		if (!ok && !skip && !inner_failures)
			fail(depth, name)
		cases[depth] += inner_cases
		return
	}
	cases[depth]++
	if (skip) {
		skipped++
		note("SKIPPED", depth, name)
	} else if (ok) {
		passed++
	} else {
		fail(depth, name)
	}
}

function end_of_file() {
	if (label == "")
		return
	close_below(-1)
	if (!plans)
		fail(0, "no plan: nothing ran")
	settle(-1, label)
	for (i = 1; i <= pending_count; i++) {
		split(pending[i], field, "\t")
		if (field[1] == "FAILED")
			failed_lines[++failed_line_count] = field[3]
		else
			skipped_lines[++skipped_line_count] = field[3]
	}
	pending_count = 0
	plans = 0
	forget_below(-1)
	split("", loose_count)
}

FNR == 1 {
	end_of_file()
	label = FILENAME
	sub(/.*\//, "", label)
	sub(/\.ktap$/, "", label)
	deepest = 0
	files++
}

{
	sub(/\r$/, "")
	gsub(/\t/, " ")
	depth = 0
	line = $0
	while (substr(line, 1, 2) == "# ") {
		depth++
		line = substr(line, 3)
	}
}

line ~ /^1\.\.[0-9]+/ {
	close_below(depth)
	close_plan(depth)
	plan[depth] = substr(line, 4) + 0
	seen[depth] = 0
	deepest = depth
	plans++
	if (loose_count[depth] && loose_count[depth] == plan[depth])
		for (i = 1; i <= plan[depth]; i++)
			result(depth, loose[depth, i])
	delete loose_count[depth]
	if (plan[depth] == 0) {
		skipped++
		cases[depth]++
		sub(/^1\.\.0 *(# *)?(SKIP *)?/, "", line)
		note("SKIPPED", depth, line ? line : "nothing to run")
	}
	next
}

line ~ /^(not )?ok [0-9]+/ {
	# Without a plan it is only talk, unless the plan comes last.
	if (depth in plan)
		result(depth, line)
	else
		loose[depth, ++loose_count[depth]] = line
	next
}

line ~ /^Bail out!/ {
	fail(depth, line)
}

END {
	end_of_file()
	if (files < ARGC - 1) {
		failed_lines[++failed_line_count] = "an empty file: nothing ran"
		failed++
	}
	for (i = 1; i <= skipped_line_count; i++)
		print "SKIPPED: " skipped_lines[i]
	for (i = 1; i <= failed_line_count; i++)
		print "FAILED: " failed_lines[i]
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}
' "$@"
