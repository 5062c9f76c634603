#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever ran on this kernel since it booted has lost no memory; so the last test of all.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source=selftests/lib/ktap.sh
. ../lib/ktap.sh
# shellcheck source=selftests/lib/kmemleak.sh
. ../lib/kmemleak.sh

kmemleak_usable || ktap_skip_all "no kmemleak: this needs the debug kernel"
ktap_plan 1
ktap_case "no memory is lost" kmemleak_check
ktap_end
