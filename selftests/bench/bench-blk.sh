#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bench-blk.sh - the block device compared with its backing device and with qemu-storage-daemon's export
#
# Usage: bench-blk.sh BUILD_DIR
#   BUILD_DIR  inside the checkout (usually build); the tables become BUILD_DIR/bench/blk.{txt,csv,svg}
#
# Two VM runs: one on a clock that counts instructions, where a figure is a path's length on one CPU and the same each
# time; one plain, on two CPUs, where noise of the machine is in it. A run that ended well is kept as NAME.cells:
# ONLY=plain repeats one of them, ONLY=icount the other; what was never measured is measured all the same.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES

build=$(realpath -m --relative-to=. -- "$1")
out=$build/bench
vm=selftests/vm
program=$build/vm/selftests/bench/blk_bench

say() {
	printf 'bench-blk: %s\n' "$*" >&2
}

# sort_out FILE: cells go there, of everything else we say how far it is
sort_out() {
	local line count=0 start=$SECONDS

	: >"$1"
	while IFS= read -r line; do
		case $line in
		'cell '*)
			printf '%s\n' "$line" >>"$1"
			count=$((count + 1))
			[ $((count % 25)) -ne 0 ] || say "$count cells, $((SECONDS - start)) s: $line"
			;;
		*) say "$line" ;;
		esac
	done
}

# measure NAME ROUNDS OPTION...: a VM run, its cells in $out/NAME.cells
measure() {
	local name=$1 rounds=$2
	shift 2

	if [ -n "${ONLY:-}" ] && [ "$ONLY" != "$name" ] && [ -e "$out/$name.cells" ]; then
		return 0
	fi
	say "VM run: $name"
	"$vm/run.sh" "$@" --append mitigations=off --timeout 1500 --results "$out/$name" -- \
		/vhb/selftests/bench/blk-cells.sh "/vhb/$build/vm" "$name" "$rounds" 2>&1 | sort_out "$out/$name.new"
	mv "$out/$name.new" "$out/$name.cells"
}

case ${ONLY:-} in
'' | icount | plain) ;;
*)
	say "ONLY=$ONLY: there is icount and plain"
	exit 2
	;;
esac
mkdir -p "$out"
"$vm/root.sh" >/dev/null
say "building, log in $out/build.log"
"$vm/chroot.sh" make -j"$(nproc)" "O=$build/vm" all >"$out/build.log" 2>&1
"$vm/chroot.sh" make -j"$(nproc)" -f selftests/programs.mk "O=$build/vm" "/vhb/$program" >>"$out/build.log" 2>&1
"$vm/chroot.sh" --kernel 6.12 make -j"$(nproc)" modules >>"$out/build.log" 2>&1
measure icount 3 --icount
measure plain 3
python3 selftests/bench/table.py "$out/icount.cells" "$out/plain.cells" "$out/blk"
cat "$out/blk.txt"
