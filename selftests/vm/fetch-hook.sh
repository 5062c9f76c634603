#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mmdebstrap hook of fetch_debs (lib.sh): downloads $VHB_DEB_NAMES into $VHB_DEB_DIR with the apt that mmdebstrap
# set up. META:REGEX means: the packages META depends on whose names match, and theirs in turn.
set -euo pipefail

export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG

depends_of() {
	apt-cache depends --important "$1" | awk '$1 == "Depends:" && $2 !~ /^</ { print $2 }'
}

# Kernel packages carry the ABI in their names, so only the meta package's name is known beforehand.
matching_below() {
	local name

	for name in $(depends_of "$1" | grep -E -- "$2"); do
		printf '%s\n' "$name"
		matching_below "$name" "$2"
	done
}

names=()
for want in $VHB_DEB_NAMES; do
	if [[ $want == *:* ]]; then
		mapfile -t -O "${#names[@]}" names < <(matching_below "${want%%:*}" "${want#*:}")
	else
		names+=("$want")
	fi
done
mapfile -t names < <(printf '%s\n' "${names[@]}" | sort -u)

cd "$VHB_DEB_DIR"
# As root in a directory of root's: apt's drop to its own user would only warn.
apt-get -o APT::Sandbox::User=root download "${names[@]}"
