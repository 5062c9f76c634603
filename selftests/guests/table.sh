# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The demo's table. Sourced by demo.sh (in the VM) and make-demo.sh (outside).

# print_table FILE: rows of tab-separated cells, the first is the head; columns as wide as they need to be.
print_table() {
	awk -F'\t' '
		{ for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } }
		NF > columns { columns = NF }
		END {
			for (row = 1; row <= NR; row++) {
				line = ""
				for (i = 1; i <= columns; i++)
					line = line sprintf("%s%-*s", i > 1 ? " | " : "", width[i], cell[row, i])
				sub(/ +$/, "", line)
				print line
				if (row > 1)
					continue
				rule = ""
				for (i = 1; i <= columns; i++) {
					dashes = sprintf("%*s", width[i], "")
					gsub(/ /, "-", dashes)
					rule = rule (i > 1 ? "-+-" : "") dashes
				}
				print rule
			}
		}' "$1"
}
