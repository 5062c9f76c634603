#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - run one command as root in a fresh virtual machine and pass on its output and exit status
#
# Usage: run.sh [OPTION]... -- COMMAND [ARG]...
#        run.sh [OPTION]... --shell [-- COMMAND [ARG]...]
#   --kernel WHICH      6.12 (default) or 6.1, Debian's; debug, ours (debug-kernel.sh); or a directory with vmlinuz
#                       (or vmlinux, bzImage) and, when it has modules, lib/modules/RELEASE. Such a kernel should be
#                       built without CONFIG_JUMP_LABEL, or QEMU's emulation may kill it (guest/poke_twice)
#   --smp N             virtual CPUs (2)
#   --mem MIB           memory (6144, debug: 3072); from 2048 on, 300 huge pages of 2 MiB are reserved
#   --icount            one CPU, and a clock that counts instructions (1 ns each): same run, same figures
#   --timeout SECONDS   end the VM after so much real time (600, debug: 1800; 0: never); a shell has no limit
#   --results DIR       the guest's /results: console.txt and dmesg.txt are left there, and what COMMAND writes.
#                       Without it: a temporary directory, kept (and named) only when the run failed
#   --append ARGS       more arguments for the kernel (may be repeated)
#   --allow-dmesg REGEX kernel log lines that do not make the log dirty (extended regexp; may be repeated)
#   --shell             an interactive shell (or COMMAND) on this terminal
#
# In the guest the checkout is /vhb (the current directory; writes stay in the guest's memory), VHB_IN_VM=1 is set,
# standard input is empty, the arguments arrive as they were given.
#
# Exit status: COMMAND's own, or
#   120  COMMAND ended, but the kernel's log is dirty (dmesg.dirty says what that means)
#   121  the guest died (panic, power-off), or never came as far as running COMMAND
#   124  timeout
#   125  the VM could not be started at all; 2 wrong usage
#
# Environment: VHB_ACCEL=tcg|kvm (default: KVM only when a probe has shown that it boots this kernel here),
#              VHB_CACHE (default /var/cache/vhost-bridge), QEMU (default qemu-system-x86_64)
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

kernel=6.12 smp=2 mem='' icount=0 timeout='' results='' shell=0
append=() allow=() argv=() qemu=()
kernel_image='' kernel_modules='' share_modules=0 machine=pc
root='' helpers='' work='' keep_results=1 accel=''

usage_error() {
	say "$* (see --help)"
	exit 2
}

parse_options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--help) usage_of "$0"; exit 0 ;;
		--icount) icount=1; shift; continue ;;
		--shell) shell=1; shift; continue ;;
		--) shift; argv=("$@"); break ;;
		--*) [ $# -ge 2 ] || usage_error "$1 needs a value, or is unknown" ;;
		*) usage_error "unexpected argument '$1': the command goes behind --" ;;
		esac
		case $1 in
		--kernel) kernel=$2 ;;
		--smp) smp=$2 ;;
		--mem) mem=$2 ;;
		--timeout) timeout=$2 ;;
		--results) results=$2 ;;
		--append) append+=("$2") ;;
		--allow-dmesg) allow+=("$2") ;;
		*) usage_error "unknown option $1" ;;
		esac
		shift 2
	done
	# KASAN and kmemleak take the longer, to boot and to look for leaks, the more memory there is.
	if [ "$kernel" = debug ]; then
		: "${timeout:=1800}" "${mem:=3072}"
	fi
	: "${timeout:=600}" "${mem:=6144}"
	[[ $smp =~ ^[1-9][0-9]*$ && $mem =~ ^[1-9][0-9]*$ && $timeout =~ ^[0-9]+$ ]] ||
		usage_error "--smp, --mem and --timeout take numbers"
	if [ ${#argv[@]} -eq 0 ]; then
		[ "$shell" = 1 ] || usage_error "no command"
		argv=(bash -l)
	fi
	[ "$shell" = 0 ] || [ -t 0 ] || usage_error "--shell needs a terminal"
	[ "$icount" = 0 ] || smp=1
}

find_kernel() {
	local release file dir

	case $kernel in
	debug)
		dir=$("$vm_dir/debug-kernel.sh") || exit 125
		hold "$dir"
		kernel_image=$dir/vmlinux
		# The pc's interrupt routing is a program, which takes this kernel half a minute for each device.
		machine=q35
		kernel_modules=$(compgen -G "$dir/lib/modules/*")
		share_modules=1
		;;
	*/*)
		for file in vmlinuz bzImage vmlinux; do
			if [ -s "$kernel/$file" ]; then
				kernel_image=$kernel/$file
				break
			fi
		done
		[ -n "$kernel_image" ] || usage_error "no vmlinuz, bzImage or vmlinux in $kernel"
		if release=$(cd "$kernel/lib/modules" 2>/dev/null && compgen -G '*'); then
			kernel_modules=$kernel/lib/modules/$release
			share_modules=1
		fi
		;;
	*)
		release=$(cd "$root/usr/lib/modules" && compgen -G "$kernel.*") ||
			usage_error "no kernel $kernel in the VM root"
		kernel_image=$root/boot/vmlinux-$release
		kernel_modules=$root/usr/lib/modules/$release
		;;
	esac
}

# KVM may be there and still not boot a kernel (nested machines), so it has to prove itself once for each kernel
# and boot of this machine.
choose_accel() {
	local proof boot_id

	if [ "$icount" = 1 ]; then
		accel=icount
		return
	fi
	accel=${VHB_ACCEL:-}
	case $accel in
	kvm | tcg) return ;;
	'') ;;
	*) usage_error "VHB_ACCEL is kvm or tcg" ;;
	esac
	accel=tcg
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 0
	boot_id=$(</proc/sys/kernel/random/boot_id)
	proof=$vm_cache/accel-$boot_id-$(sha256sum <<<"$kernel_image" | cut -c1-12)
	if [ ! -s "$proof" ]; then
		lock_cache accel
		if [ ! -s "$proof" ]; then
			say "probing KVM with kernel $kernel (once for each boot of this machine, at most 20 s)"
			if VHB_ACCEL=kvm "$0" --kernel "$kernel" --timeout 20 -- true >/dev/null 2>&1 8>&-; then
				accel=kvm
			fi
			find "$vm_cache" -maxdepth 1 -name 'accel-*' ! -name "accel-$boot_id-*" -delete
			printf '%s\n' "$accel" >"$proof"
			say "the probe says: $accel"
		fi
		exec 8>&-
	fi
	accel=$(<"$proof")
}

# QEMU's options are separated by commas, so a comma in a path is written twice.
share() {
	qemu+=(-fsdev "local,id=$1,path=${2//,/,,},security_model=none,multidevs=remap${3:+,$3}"
		-device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

kernel_arguments() {
	local args=(console=ttyS0 sysrq_always_enabled panic=-1 oops=panic mitigations=off log_buf_len=4M printk.devkmsg=on
		# Emulated CPUs of a busy host lose seconds; a stall report must mean a real one, and the boot-time check
		# of the timer interrupt must not find it dead.
		no_timer_check rcupdate.rcu_cpu_stall_timeout=60 watchdog_thresh=30)

	# See guest/tsc_khz.c. All emulated CPUs have one counter, so it is reliable.
	case $accel in
	tcg) args+=(tsc=reliable "tsc_early_khz=$("$helpers/tsc_khz")") ;;
	icount) args+=(tsc=reliable tsc_early_khz=1000000 vhb_icount) ;;
	esac

	[ "$mem" -lt 2048 ] || args+=(hugepages=300)
	[ ${#append[@]} -eq 0 ] || args+=("${append[@]}")
	printf '%s' "${args[*]}"
}

compose_qemu() {
	qemu=("${QEMU:-qemu-system-x86_64}" -name vhb-vm -nodefaults -no-user-config -no-reboot -display none
		-machine "$machine" -cpu max -smp "$smp" -m "$mem"
		-kernel "$kernel_image" -initrd "$work/initramfs" -append "$(kernel_arguments)"
		-device virtio-rng-pci -device virtio-serial-pci
		-serial "file:${results//,/,,}/console.txt")
	case $accel in
	icount) qemu+=(-accel "tcg,thread=single" -icount "shift=0,sleep=off") ;;
	tcg) qemu+=(-accel "tcg,thread=multi") ;;
	kvm) qemu+=(-accel kvm) ;;
	esac
	share root "$root" readonly=on
	share tree "$vm_tree" readonly=on
	share results "$results"
	share control "$work/control"
	[ "$share_modules" = 0 ] || share modules "$kernel_modules" readonly=on
	if [ "$shell" = 1 ]; then
		qemu+=(-chardev "stdio,id=output,signal=off" -device "virtconsole,chardev=output")
	else
		qemu+=(-chardev "file,id=output,path=${work//,/,,}/output"
			-device "virtserialport,chardev=output,name=output"
			-chardev "pipe,id=monitor,path=${work//,/,,}/monitor" -mon "chardev=monitor")
	fi
}

prepare_work() {
	local cure

	work=$(mktemp -d "${TMPDIR:-/tmp}/vhb-vm.XXXXXX")
	trap clean_up EXIT
	mkdir "$work/control"
	if [ -z "$results" ]; then
		keep_results=0
		results=$work/results
	fi
	mkdir -p "$results"
	results=$(cd "$results" && pwd)
	rm -f "$results"/{console,dmesg,kmemleak,cpus}.txt
	printf '%s\0' "${argv[@]}" >"$work/control/argv"
	printf 'export VHB_KERNEL=%q VHB_ACCEL=%q VHB_SHELL=%q VHB_ROWS=%q VHB_COLUMNS=%q TERM=%q\n' \
		"$kernel" "$accel" "$shell" "$(tput lines 2>/dev/null || echo 24)" \
		"$(tput cols 2>/dev/null || echo 80)" "${TERM:-dumb}" >"$work/control/env"
	# Only emulation with one thread for each CPU has the race; a kernel of the user's own is left alone.
	cure=$helpers/${kernel_modules##*/}/poke_twice.ko
	if [ "$accel" != tcg ] || [ "$smp" = 1 ] || [ "$share_modules" = 1 ] || [ ! -e "$cure" ]; then
		cure=''
	fi
	VHB_SHARE_MODULES=$share_modules "$vm_dir/initramfs.sh" "$root" "$kernel_modules" "$work/initramfs" \
		${cure:+"$cure"}
}

# Called by the trap only.
# shellcheck disable=SC2317
clean_up() {
	local pid

	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null || true
	done
	[ -z "$work" ] || rm -rf -- "$work"
}

# Time is up: before QEMU goes, have the guest tell where it hangs. The answers of sysrq (backtraces of the CPUs, of
# blocked tasks) land in console.txt, the CPUs' registers, for a guest too dead for that, in cpus.txt.
end_of_time() {
	local pid=$1

	# Should our parent have been killed meanwhile, that number may be somebody else's.
	grep -qaF "$work" "/proc/$pid/cmdline" 2>/dev/null || return 0
	: >"$work/timed-out"
	tail -n 30 "$results/console.txt" >"$work/last-lines" || true
	# shellcheck disable=SC2016
	timeout 5 sh -c 'printf "info registers -a\nsendkey alt-sysrq-l\nsendkey alt-sysrq-w\n" >"$1"; sleep 3' sh \
		"$work/monitor.in" || true
	kill "$pid" 2>/dev/null || true
	sleep 5
	kill -KILL "$pid" 2>/dev/null || true
}

# Leaves QEMU's status in qemu_status. setpriv: the VM must not outlive us, however we die.
boot() {
	local readers=() watchdog='' pid

	qemu_status=0
	if [ "$shell" = 1 ]; then
		"${qemu[@]}" || qemu_status=$?
		return
	fi
	rm -f "$work"/{output,monitor.in,monitor.out,clock}
	mkfifo "$work"/{output,monitor.in,monitor.out,clock}
	cat "$work/output" &
	readers+=("$!")
	cat "$work/monitor.out" >"$results/cpus.txt" &
	readers+=("$!")
	setpriv --pdeathsig KILL "${qemu[@]}" </dev/null >"$work/qemu.txt" 2>&1 &
	pid=$!
	if [ "$timeout" -gt 0 ]; then
		# Not sleep: killing this shell would leave it behind, with our standard output open.
		(read -rt "$timeout" <>"$work/clock" || end_of_time "$pid") &
		watchdog=$!
	fi
	wait "$pid" || qemu_status=$?
	[ -z "$watchdog" ] || kill "$watchdog" 2>/dev/null || true
	# QEMU may have ended before it opened its pipes.
	: <>"$work/output" <>"$work/monitor.out"
	wait "${readers[@]}" || true
	[ -e "$work/timed-out" ] || rm -f "$results/cpus.txt"
}

# Whether the guest died of the emulator's race (guest/poke_twice has the story) before that module could help and
# before the command ran, so that a second attempt hides nothing.
lost_to_emulator() {
	[ "$accel" = tcg ] && [ ! -s "$work/control/status" ] && [ -s "$results/console.txt" ] &&
		! grep -qa 'vhb-vm: boot done' "$results/console.txt" &&
		grep -qaE 'Oops: int3|\bint3: 0000' "$results/console.txt"
}

# without REGEX_FILE: drop the lines that match one of its expressions (no expression: drop none).
without() {
	if [ -s "$1" ]; then
		grep -avE -f "$1" || true
	else
		cat
	fi
}

# dirty_lines FILE: what makes the log dirty. Boot noise is forgiven only above the line where the command starts.
dirty_lines() {
	local dirty=$work/dirty boot_allow=$work/boot-allow user_allow=$work/user-allow

	grep -vE '^(#|$)' "$vm_dir/dmesg.dirty" >"$dirty"
	grep -vE '^(#|$)' "$vm_dir/dmesg.allow" >"$boot_allow" || true
	: >"$user_allow"
	[ ${#allow[@]} -eq 0 ] || printf '%s\n' "${allow[@]}" >"$user_allow"
	{
		sed '/vhb-vm: boot done/q' "$1" | { grep -aE -f "$dirty" || true; } | without "$boot_allow"
		sed '1,/vhb-vm: boot done/d' "$1" | { grep -aE -f "$dirty" || true; }
	} | without "$user_allow"
}

# The guest's own words for the end, from the console: it dies too fast to write dmesg.txt.
died_of() {
	grep -aoE 'Kernel panic.*|BUG: .*|Oops: int3|vhb-init: .*|Out of memory.*' "$results/console.txt" | tail -n 1 | tr -d '\r'
}

failed() {
	local status=$1 reason=$2

	if [ "$keep_results" = 0 ]; then
		keep_results=$(mktemp -d "${TMPDIR:-/tmp}/vhb-vm-failed.XXXXXX")
		cp -a "$results/." "$keep_results/"
		results=$keep_results
	fi
	say "FAIL: $reason (kernel $kernel, $accel; $results)"
	exit "$status"
}

judge() {
	local status dirty

	if [ -s "$results/console.txt" ]; then
		[ -s "$results/dmesg.txt" ] || cp "$results/console.txt" "$results/dmesg.txt"
	fi
	if [ ! -s "$work/control/status" ]; then
		if [ -e "$work/timed-out" ]; then
			say "the guest's last lines (where it hangs: end of console.txt, and cpus.txt):"
			cat "$work/last-lines" >&2
			failed 124 "timeout after $timeout s"
		fi
		if [ "$qemu_status" -ne 0 ]; then
			cat "$work/qemu.txt" >&2 2>/dev/null || true
			failed 125 "QEMU ended with status $qemu_status"
		fi
		tail -n 30 "$results/console.txt" >&2
		failed 121 "the guest died: $(died_of || echo 'no reason on the console')"
	fi
	status=$(<"$work/control/status")
	# What comes after dmesg.txt was written (power-off) is on the console only.
	dirty=$(dirty_lines "$results/dmesg.txt"; sed '1,/vhb-vm: command ended/d' "$results/console.txt" >"$work/late"
		dirty_lines "$work/late")
	if [ -n "$dirty" ] && [ "$shell" = 0 ]; then
		head -n 10 <<<"$dirty" >&2
		failed 120 "dirty dmesg, $(wc -l <<<"$dirty") lines; the command's own status was $status"
	fi
	exit "$status"
}

main() {
	local attempt

	parse_options "$@"
	need_root
	root=$("$vm_dir/root.sh") || exit 125
	hold "$root"
	find_kernel
	need_commands "${QEMU:-qemu-system-x86_64}" cpio xz setpriv
	choose_accel
	helpers=$("$vm_dir/helpers.sh") || exit 125
	prepare_work
	compose_qemu
	boot
	for attempt in 1 2 3; do
		lost_to_emulator || break
		say "QEMU's code patching race killed the guest while it booted: again ($attempt of 3)"
		boot
	done
	judge
}

main "$@"
