# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Memory the kernel has lost, as kmemleak sees it; needs the debug kernel and root. Sourced, never run. A case:
#
#   kmemleak_usable || skip ...
#   kmemleak_forget
#   what may leak
#   kmemleak_check

kmemleak_file=/sys/kernel/debug/kmemleak

# Absent in most kernels; and switched off, for good, when its own memory has run out: it then refuses even the default.
kmemleak_usable() {
	[ -w "$kmemleak_file" ] && { echo stack=on >"$kmemleak_file"; } 2>/dev/null
}

# What is suspected already is not reported again.
kmemleak_forget() {
	echo clear >"$kmemleak_file"
}

# kmemleak_check: print what is newly suspected and fail when there is something. An object must have been unreachable
# and unchanged in two scans and be five seconds old.
kmemleak_check() {
	echo scan >"$kmemleak_file"
	sleep 6
	echo scan >"$kmemleak_file"
	! grep -a '' "$kmemleak_file"
}
