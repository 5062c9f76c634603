#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A file includes only what its layer may see (Documentation/architecture.rst). One case each folder.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

# folder: folders whose headers, or single headers, it may include besides its own. Folders that are not listed must
# not exist. wire/protocol.h is the specification's names and numbers, nothing else: kdev speaks of features with them.
rules='
userspace		session kdev virtqueue wire loop netlink control lib
userspace/session	kdev wire loop lib
userspace/kdev		virtqueue loop netlink lib wire/protocol.h
userspace/virtqueue	ring memory lib
userspace/virtqueue/shim/asm
userspace/virtqueue/shim/linux
userspace/virtqueue/shim/uapi/linux
userspace/wire		lib
userspace/loop		lib
userspace/netlink	lib
userspace/control	loop netlink lib session/report.h wire/socket.h
userspace/lib
module			interface device worker ring memory personality compat
module/interface	device worker ring memory compat trace
module/device		worker ring memory trace
module/personality	device worker ring memory trace
module/worker		ring memory trace
module/trace
module/ring		memory
module/memory
module/compat
'

# The folder of an included header, seen from the top of userspace or module; "." for the top itself.
folder_of() {
	local file=$1 header=$2

	case $header in
	*/*) printf '%s' "${header%%/*}" ;;
	*)
		if [ -e "${file%/*}/$header" ] && [ "${file%/*}" != "${file%%/*}" ]; then
			basename "${file%/*}"
		else
			printf '.'
		fi
		;;
	esac
}

check_file() {
	local file=$1 top=${1%%/*} own allowed=$2 header folder status=0

	own=${file%/*}
	own=${own#"$top"}
	own=${own#/}
	while IFS= read -r header; do
		folder=$(folder_of "$file" "$header")
		case " ${own:-.} $allowed " in
		*" $folder "* | *" $header "*) ;;
		*)
			printf '%s must not include "%s"\n' "$file" "$header"
			status=1
			;;
		esac
	done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file")
	return "$status"
}

check_folder() {
	local folder=$1 allowed=$2 file status=0

	for file in "$folder"/*.[ch]; do
		[ ! -e "$file" ] || check_file "$file" "$allowed" || status=1
	done
	return "$status"
}

# Prints what a folder may include; fails for one that has no rule.
rule_for() {
	awk -v folder="$1" '$1 == folder { $1 = ""; print; found = 1 } END { exit !found }' <<<"$rules"
}

check_by_rule() {
	local allowed

	allowed=$(rule_for "$1") || {
		printf '%s has no rule in %s\n' "$1" "${BASH_SOURCE[0]}"
		return 1
	}
	check_folder "$1" "$allowed"
}

mapfile -t folders < <(c_files | grep -E '^(userspace|module)/' | xargs -n1 dirname | sort -u)

ktap_plan ${#folders[@]}
for folder in "${folders[@]}"; do
	ktap_case "$folder" check_by_rule "$folder"
done
ktap_end
