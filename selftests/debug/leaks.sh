#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever ran on this kernel since it booted has lost no memory; so the last test of all.
set -euo pipefail

# shellcheck source=selftests/lib/kmemleak.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/kmemleak.sh"

printf 'TAP version 13\n'
if ! kmemleak_usable; then
	printf '1..0 # SKIP no kmemleak: this needs the debug kernel\n'
	exit 4
fi
printf '1..1\n'
if kmemleak_check; then
	printf 'ok 1 no memory is lost\n'
else
	printf 'not ok 1 no memory is lost\n'
	exit 1
fi
