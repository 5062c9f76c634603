#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bench-blk.sh - the block device compared with its backing device and with qemu-storage-daemon's export
#
# Usage: bench-blk.sh BUILD_DIR
#   BUILD_DIR  inside the checkout (usually build); the tables become BUILD_DIR/bench/blk.{txt,csv,svg}
#
# Two VM runs: one on a clock that counts instructions, where a figure is a path's length on one CPU and the same each
# time; one plain, on two CPUs, where noise of the machine is in it.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES

build=$(realpath -m --relative-to=. -- "$1")
out=$build/bench
vm=selftests/vm

say() {
	printf 'bench-blk: %s\n' "$*" >&2
}

# measure NAME ROUNDS OPTION...: a VM run, its cells in $out/NAME.cells
measure() {
	local name=$1 rounds=$2
	shift 2

	say "VM run: $name"
	"$vm/run.sh" "$@" --append mitigations=off --timeout 1500 --results "$out/$name" -- \
		/vhb/selftests/bench/blk-cells.sh "/vhb/$build/vm" "$rounds" >"$out/$name.cells"
}

mkdir -p "$out"
"$vm/root.sh" >/dev/null
"$vm/chroot.sh" make -j"$(nproc)" "O=$build/vm" all >"$out/build.log" 2>&1
"$vm/chroot.sh" --kernel 6.12 make -j"$(nproc)" modules >>"$out/build.log" 2>&1
measure icount 1 --icount
measure plain 3
python3 selftests/bench/table.py "$out/icount.cells" "$out/plain.cells" "$out/blk"
cat "$out/blk.txt"
