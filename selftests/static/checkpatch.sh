#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's checkpatch.pl --strict has nothing to say about any C file. One case each file.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/sources.sh"

# Advice that names things only the kernel has: its types, attributes and string functions, its meaning of ENOSYS.
# LONG_LINE_STRING contradicts SPLIT_STRING, which keeps messages whole so that they can be searched for.
userspace_ignore=PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,BIT_MACRO,STRCPY,STRNCPY,STRLCPY,ENOSYS
userspace_ignore+=,LONG_LINE_STRING
# <inttypes.h> names what printf() needs.
userspace_ignore+=,CAMELCASE
# The linker's --wrap, which declares in .c files what no header has.
selftests_ignore=$userspace_ignore,AVOID_EXTERNS
# Memory that another thread or a signal handler writes; expected output that is longer than any line.
selftests_ignore+=,VOLATILE,SPLIT_STRING

classes=(compat kernel selftests userspace)

class_of() {
	case $1 in
	module/compat/*) printf compat ;;
	module/* | include/*) printf kernel ;;
	selftests/*) printf selftests ;;
	*) printf userspace ;;
	esac
}

ignored_in() {
	case $1 in
	# Asking for the version is what this folder is for.
	compat) printf 'LINUX_VERSION_CODE,CONSTANT_COMPARISON' ;;
	kernel) ;;
	selftests) printf '%s' "$selftests_ignore" ;;
	userspace) printf '%s' "$userspace_ignore" ;;
	esac
}

# Many files at once, because starting it takes longer than a file; somewhere else, because it leaves files behind.
# Its status says no more than that there were findings.
run_checkpatch() {
	local class=$1 ignore options=(--strict --no-tree "--root=$tree" --terse --show-types --no-summary)
	shift

	ignore=$(ignored_in "$class")
	[ -z "$ignore" ] || options+=("--ignore=$ignore")
	(
		cd "$scratch"
		printf '%s\0' "${@/#/$tree/}" |
			xargs -0 -n 16 -P "$(nproc)" "$checkpatch" "${options[@]}" -f || true
	) >>"$scratch/findings" 2>&1
}

findings_on() {
	! grep -F -- "$tree/$1:" "$scratch/findings"
}

# Or else no finding might mean that it did not run.
finds_a_fault() {
	local output

	printf '/* SPDX-License-Identifier: GPL-2.0-or-later */\nint a (void) ;\n' >"$scratch/fault.h"
	output=$(cd "$scratch" && "$checkpatch" --strict --no-tree "--root=$tree" --terse --show-types -f fault.h) || true
	grep -q '^fault.h:2: WARNING:SPACING' <<<"$output"
}

ksrc=$(selftests/vm/ksrc.sh) || ktap_skip_all "no kernel source for checkpatch.pl"
checkpatch=$ksrc/scripts/checkpatch.pl
tree=$PWD
scratch=$(mktemp -d)
trap 'rm -rf -- "$scratch"' EXIT
mapfile -t files < <(c_files)

ktap_plan $((${#files[@]} + 2))
ktap_case "a planted fault is found" finds_a_fault
: >"$scratch/findings"
for class in "${classes[@]}"; do
	members=()
	for file in "${files[@]}"; do
		[ "$(class_of "$file")" != "$class" ] || members+=("$file")
	done
	[ ${#members[@]} -eq 0 ] || run_checkpatch "$class" "${members[@]}"
done
for file in "${files[@]}"; do
	ktap_case "$file" findings_on "$file"
done
# Nothing it said may get lost because it names no file of ours.
ktap_case "checkpatch itself has no trouble" sh -c "! grep -vF '$tree/' '$scratch/findings'"
ktap_end
