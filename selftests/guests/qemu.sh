# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# QEMU as a whole guest, with the small kernel and initramfs of build.sh. Part of lib.sh.
#
#   qemu_guest_start NAME SOCKET ADDRESS/LEN [QEMU-ARGUMENT]...   virtio-net-pci on the vhost-user socket
# then guest_exec and guest_stop. Set before, as needed:
#   qemu_queues    queue pairs (1); more need as many CPUs to be used by the guest's driver
#   qemu_device    more properties of the device, as ",mrg_rxbuf=off,guest_tso4=off"
#   qemu_netdev    a whole -netdev argument with id=net0 in place of the vhost-user one
#   qemu_append    more kernel arguments;  qemu_limit  seconds to boot

qemu_queues=1 qemu_device='' qemu_netdev='' qemu_append='' qemu_limit=300
qemu_mem=96

qemu_guest_start() {
	local name=$1 socket=$2 address=$3 dir device netdev khz
	dir=$(state "$1")
	shift 3

	[ -s "$VHB_GUESTS/vmlinux" ] || { complain "no guest kernel in $VHB_GUESTS (build.sh --into makes it)"; return 1; }
	channel_make "$name"
	printf '%s\n' whole >"$dir/kind"
	printf '%s\n' "${address%/*}" >"$dir/ip"
	device=virtio-net-pci,netdev=net0,romfile=,mac=52:54:00:$(printf '%02x:%02x:%02x' $((RANDOM % 256)) \
		$((RANDOM % 256)) $((RANDOM % 256)))
	netdev=vhost-user,id=net0,chardev=vu
	if [ "$qemu_queues" -gt 1 ]; then
		netdev+=,queues=$qemu_queues
		device+=,mq=on,vectors=$((2 * qemu_queues + 2))
	fi
	# Calibrating a clock against emulated timers on a busy host gives nonsense, and takes long. The emulated TSC is
	# ours, so is its rate.
	khz=$(awk '/^cpu MHz/ { printf "%d\n", $4 * 1000; exit }' /proc/cpuinfo)
	# PVH straight into the uncompressed kernel; nothing on the board that the kernel would have to look at.
	spawn "$name" "$dir/qemu.log" "${QEMU:-qemu-system-x86_64}" -name "$name" -nodefaults -no-user-config -no-reboot \
		-display none -accel tcg,thread=multi -cpu max -smp "$qemu_queues" -m "$qemu_mem" \
		-machine q35,memory-backend=mem,hpet=off,sata=off,smbus=off,usb=off,vmport=off,i8042=off \
		-object "memory-backend-memfd,id=mem,size=${qemu_mem}M,share=on" \
		-kernel "$VHB_GUESTS/vmlinux" -initrd "$VHB_GUESTS/initramfs" \
		-append "console=ttyS0 panic=-1 mitigations=off vhb.tty=ttyS1 vhb.ip=$address tsc_early_khz=$khz tsc=nowatchdog \
			$qemu_append" \
		-serial "file:$dir/log" -chardev "pipe,id=cmd,path=$dir/cmd" -serial chardev:cmd \
		-chardev "socket,id=vu,path=$socket" -netdev "${qemu_netdev:-$netdev}" \
		-device "$device$qemu_device" "$@"
	if ! channel_ready "$name" "$qemu_limit"; then
		sed 's/^/    | /' "$dir/qemu.log" >&2
		return 1
	fi
}
