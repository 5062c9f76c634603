#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No file is longer than 600 lines, no function longer than 80 lines between its braces.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

file_lines=600
function_lines=80

files_fit() {
	local file lines status=0

	while IFS= read -r file; do
		lines=$(wc -l <"$file")
		if [ "$lines" -gt "$file_lines" ]; then
			printf '%s has %d lines, %d are allowed\n' "$file" "$lines" "$file_lines"
			status=1
		fi
	done
	return "$status"
}

# Functions open and close at the start of a line, in C with a brace alone, in shell with "name() {".
functions_fit() {
	# shellcheck disable=SC2016
	xargs -r awk -v limit="$function_lines" '
		FNR == 1 { start = 0 }
		/^[a-zA-Z_][a-zA-Z0-9_ \*]*\(/ { name = $0 }
		/^\{$/ || /^[a-zA-Z_][a-zA-Z0-9_]*\(\) [{(]$/ { start = FNR }
		/^[})]/ && start {
			if (FNR - start - 1 > limit) {
				printf "%s:%d: %d lines, %d are allowed: %s\n", FILENAME, start,
					FNR - start - 1, limit, name
				bad = 1
			}
			start = 0
		}
		END { exit bad }'
}

c_files_fit() {
	c_files | files_fit
}

c_functions_fit() {
	c_files | functions_fit
}

scripts_fit() {
	{
		shell_files
		tree_files | grep -E '(^|/)(Makefile|Kbuild|[^/]*\.mk)$'
	} | files_fit
}

shell_functions_fit() {
	shell_files | functions_fit
}

ktap_plan 4
ktap_case "C files have at most $file_lines lines" c_files_fit
ktap_case "C functions have at most $function_lines lines" c_functions_fit
ktap_case "scripts and makefiles have at most $file_lines lines" scripts_fit
ktap_case "shell functions have at most $function_lines lines" shell_functions_fit
ktap_end
