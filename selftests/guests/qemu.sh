# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# QEMU as a whole guest, with the small kernel and initramfs of build.sh. Part of lib.sh.
#
#   qemu_guest_start NAME SOCKET ADDRESS/LEN [QEMU-ARGUMENT]...   virtio-net-pci on the socket; QEMU connects again
#   qemu_disk_start NAME SOCKET [QEMU-ARGUMENT]...                vhost-user-blk-pci, /dev/vda; QEMU connects again
# then guest_exec and guest_stop. Set before, as needed:
#   qemu_queues    queue pairs or, of a disk, virtqueues (1); more need as many CPUs to be used by the guest's driver
#   qemu_device    more properties of the device, as ",mrg_rxbuf=off,guest_tso4=off"
#   qemu_netdev    a whole -netdev argument with id=net0 in place of the vhost-user one
#   qemu_append    more kernel arguments;  qemu_limit  seconds to boot
#   qemu_kernel    other arguments in place of -kernel, -initrd and -append; qemu_cmdline says what is always needed

qemu_queues=1 qemu_device='' qemu_netdev='' qemu_append='' qemu_limit=300
qemu_mem=96
qemu_kernel=()

qemu_cmdline() {
	local khz

	# Calibrating a clock against emulated timers on a busy host gives nonsense, and takes long. The emulated TSC is
	# ours, so is its rate.
	khz=$(awk '/^cpu MHz/ { printf "%d\n", $4 * 1000; exit }' /proc/cpuinfo)
	printf '%s' "console=ttyS0 panic=-1 mitigations=off vhb.tty=ttyS1 tsc_early_khz=$khz tsc=nowatchdog"
}

# qemu_boot NAME CPUS KERNEL-ARGUMENTS QEMU-ARGUMENT...
qemu_boot() {
	local name=$1 cpus=$2 append=$3 dir kernel
	dir=$(state "$1")
	shift 3

	[ -s "$VHB_GUESTS/vmlinux" ] || { complain "no guest kernel in $VHB_GUESTS (build.sh --into makes it)"; return 1; }
	channel_make "$name"
	printf '%s\n' whole >"$dir/kind"
	# PVH straight into the uncompressed kernel; nothing on the board that the kernel would have to look at.
	kernel=(-kernel "$VHB_GUESTS/vmlinux" -initrd "$VHB_GUESTS/initramfs"
		-append "$(qemu_cmdline) $append $qemu_append")
	[ ${#qemu_kernel[@]} -eq 0 ] || kernel=("${qemu_kernel[@]}")
	spawn "$name" "$dir/qemu.log" "${QEMU:-qemu-system-x86_64}" -name "$name" -nodefaults -no-user-config -no-reboot \
		-display none -accel tcg,thread=multi -cpu max -smp "$cpus" -m "$qemu_mem" \
		-machine q35,memory-backend=mem,hpet=off,sata=off,smbus=off,usb=off,vmport=off,i8042=off \
		-object "memory-backend-memfd,id=mem,size=${qemu_mem}M,share=on" "${kernel[@]}" \
		-serial "file:$dir/log" -chardev "pipe,id=cmd,path=$dir/cmd" -serial chardev:cmd "$@"
	if ! channel_ready "$name" "$qemu_limit"; then
		sed 's/^/    | /' "$dir/qemu.log" >&2
		return 1
	fi
}

qemu_guest_start() {
	local name=$1 socket=$2 address=$3 device netdev
	shift 3

	printf '%s\n' "${address%/*}" >"$(state "$name")/ip"
	device=virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:$(printf '%02x:%02x:%02x' $((RANDOM % 256)) \
		$((RANDOM % 256)) $((RANDOM % 256)))
	netdev=vhost-user,id=net0,chardev=vu
	if [ "$qemu_queues" -gt 1 ]; then
		netdev+=,queues=$qemu_queues
		device+=,mq=on,vectors=$((2 * qemu_queues + 2))
	fi
	qemu_boot "$name" "$qemu_queues" "vhb.ip=$address" -chardev "socket,id=vu,path=$socket,reconnect-ms=100" \
		-netdev "${qemu_netdev:-$netdev}" -device "$device$qemu_device" "$@"
}

qemu_disk_start() {
	local name=$1 socket=$2
	shift 2

	qemu_boot "$name" 1 '' -chardev "socket,id=vu,path=$socket,reconnect-ms=100" \
		-device "vhost-user-blk-pci,chardev=vu,num-queues=$qemu_queues$qemu_device" "$@"
}
