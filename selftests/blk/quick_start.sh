#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The README's quick start of a disk works as it is written there, from insmod to a front-end that reads it.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
. ./broker.sh

# readme FIRST WORDS: the one command that begins so, with its lines that go on
readme() {
	awk -v words="    $1 " '
		index($0, words) == 1 { found++; going = 1 }
		going { line = line $0; going = sub(/\\$/, "", line) }
		END { if (found != 1) exit 1; print line }' ../../README.md
}

# Installing packages and compiling are the build's business.
the_module_loads() {
	local command

	command=$(readme insmod)
	(cd ../.. && eval "$command")
	[ -c "$blk_device" ]
}

a_front_end_reads_the_disk() {
	local command

	make_image
	head -c 512 /dev/zero | tr '\0' Z | dd of="$image" conv=notrunc status=none
	attach_loop
	mkdir -p /run/vhost-bridge /dev/vg0
	ln -s "$loop" /dev/vg0/guest
	command=$(readme "vhost-bridge blk")
	(eval "exec $command" 2>"$work/err") &
	wait_for "the broker" grep -qx ready "$work/err"
	command=$(readme "qemu-img info")
	eval "$command" | tee "$work/info"
	grep -q "virtual size: 16 MiB" "$work/info"
	qemu-io -r --image-opts "driver=virtio-blk-vhost-user,path=/run/vhost-bridge/blk0.sock,cache.direct=on" \
		-c "read -P $((16#5a)) 0 512" | tee "$work/read"
	grep -q "read 512/512 bytes" "$work/read"
	fails grep -i "fail" "$work/read"
	kill -TERM %1
	wait %1
	rm /dev/vg0/guest
	rmdir /dev/vg0
	detach_loop
}

the_module_unloads() {
	rmmod vhost_bridge
	[ ! -e "$blk_device" ]
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
need_program "$broker" "make"
[ -e ../../README.md ] || skip_all "the README is not beside the tests"
[ ! -e "$blk_device" ] || skip_all "vhost_bridge is loaded already"
[ -e "../../build/modules/$(uname -r)/vhost_bridge.ko" ] || skip_all "no module (make modules)"
for program in qemu-img qemu-io; do
	command -v "$program" >/dev/null || skip_all "$program is missing"
done
PATH=$(dirname -- "$(realpath -- "$broker")"):$PATH
make_work
trap clean_up EXIT

run_cases \
	the_module_loads \
	a_front_end_reads_the_disk \
	the_module_unloads
