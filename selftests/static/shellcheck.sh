#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No shell script has a finding of shellcheck, and each one stops at errors. One case each file.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

check() {
	local status=0

	shellcheck --external-sources --source-path=SCRIPTDIR --format=gcc "$1" || status=1
	# A script that runs on after an error makes tests that cannot fail. Sourced files inherit it.
	case $(head -n 1 "$1") in
	'#!'*bash)
		if ! grep -qE '^set -(euo|uo) pipefail$' "$1"; then
			printf '%s: no "set -euo pipefail"\n' "$1"
			status=1
		fi
		;;
	esac
	return "$status"
}

command -v shellcheck >/dev/null || ktap_skip_all "no shellcheck"
mapfile -t files < <(shell_files)

ktap_plan ${#files[@]}
for file in "${files[@]}"; do
	ktap_case "$file" check "$file"
done
ktap_end
