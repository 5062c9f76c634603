#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every file says its licence in its first three lines, the right one for its place, and the texts are in LICENSES.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

licence_of() {
	sed -n '1,3s/.*SPDX-License-Identifier: \(.*\)/\1/p' "$1" | sed -E 's, *(\*/|-->)$,,'
}

# files_with LICENCE: all files on standard input have it
files_with() {
	local want=$1 file got status=0

	while IFS= read -r file; do
		got=$(licence_of "$file")
		if [ "$got" != "$want" ]; then
			printf '%s: %s instead of %s\n' "$file" "${got:-no licence}" "$want"
			status=1
		fi
	done
	return "$status"
}

module_files() {
	tree_files | grep -E '^(module/|Kbuild$)'
}

uapi_files() {
	tree_files | grep '^include/uapi/'
}

other_files() {
	tree_files | grep -vE '^(module/|Kbuild$|include/uapi/|LICENSES/)'
}

module_is_gpl2_only() {
	module_files | files_with "GPL-2.0-only"
}

uapi_has_the_syscall_note() {
	uapi_files | files_with "GPL-2.0 WITH Linux-syscall-note"
}

rest_is_gpl2_or_later() {
	other_files | files_with "GPL-2.0-or-later"
}

texts_are_there() {
	[ -s LICENSES/GPL-2.0 ] && [ -s LICENSES/Linux-syscall-note ]
}

ktap_plan 4
ktap_case "the module is GPL-2.0-only" module_is_gpl2_only
ktap_case "the user interface of the module has the syscall note" uapi_has_the_syscall_note
ktap_case "everything else is GPL-2.0-or-later" rest_is_gpl2_or_later
ktap_case "the licences' texts are in LICENSES" texts_are_there
ktap_end
