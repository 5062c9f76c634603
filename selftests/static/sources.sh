# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the static tests look at. Sourced, never run; the current directory becomes the top of the checkout.
. "$(dirname -- "${BASH_SOURCE[0]}")/../lib/ktap.sh"

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." || exit 1

# Everything that is, or would be, under version control. Outside of git: everything but the build directories.
tree_files() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard --deduplicate | while IFS= read -r file; do
			# A file that was removed but is still in the index is no file.
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done
	else
		find . -type f -not -path './build/*' -printf '%P\n'
	fi | sort
}

c_files() {
	tree_files | grep -E '\.[ch]$'
}

# Shell scripts, by name or by first line.
shell_files() {
	local file line

	tree_files | while IFS= read -r file; do
		line=
		case $file in
		*.sh) ;;
		*) IFS= read -r line 2>/dev/null <"$file" || true ;;
		esac
		case $file:$line in
		*.sh:* | *:'#!/bin/sh'* | *:'#!/bin/bash'* | *:'#!/usr/bin/env bash'*) printf '%s\n' "$file" ;;
		esac
	done
}
