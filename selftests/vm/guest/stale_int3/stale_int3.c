// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Works around a race of QEMU's multi-threaded emulation (TCG), so that it does not kill the guest under a test.
 *
 * Linux patches its own code while other CPUs run it (static keys, static calls, tracing): it plants an int3, writes
 * the rest of the new instruction, then replaces the int3. QEMU discards the translation of a page before it lets
 * the store happen; a CPU that translates the page in between keeps the int3 although memory no longer has one. The
 * kernel then meets a breakpoint nobody set and dies with "Oops: int3". Seen with QEMU 7.2 and 10.0; two CPUs that
 * flip one hot static key do it within a second.
 *
 * Where the int3 is no longer in memory, do here what the instruction in memory says and go on behind it. A
 * breakpoint that is really there is left to its owner.
 */
#include <linux/kdebug.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/string.h>

#include <asm/text-patching.h>

/* How often it was needed, for the runner's log. */
static ulong handled;
module_param(handled, ulong, 0444);

/* The no-ops that the kernel patches in, by length. */
static const u8 nop2[] = { 0x66, 0x90 };
static const u8 nop5[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
static const u8 nop5_prefixed[] = { 0x3e, 0x0f, 0x1f, 0x04, 0x20 };

/* The trap leaves regs->ip one behind the int3's address. Returns false for code that is not known here. */
static bool emulate(struct pt_regs *regs, const u8 *insn)
{
	unsigned long addr = (unsigned long)insn;

	switch (insn[0]) {
	case CALL_INSN_OPCODE:
		int3_emulate_call(regs, addr + CALL_INSN_SIZE + *(const s32 *)(insn + 1));
		return true;
	case JMP32_INSN_OPCODE:
		int3_emulate_jmp(regs, addr + JMP32_INSN_SIZE + *(const s32 *)(insn + 1));
		return true;
	case JMP8_INSN_OPCODE:
		int3_emulate_jmp(regs, addr + JMP8_INSN_SIZE + *(const s8 *)(insn + 1));
		return true;
	case RET_INSN_OPCODE:
		int3_emulate_ret(regs);
		return true;
	}
	if (!memcmp(insn, nop2, sizeof(nop2)))
		int3_emulate_jmp(regs, addr + sizeof(nop2));
	else if (!memcmp(insn, nop5, sizeof(nop5)) || !memcmp(insn, nop5_prefixed, sizeof(nop5_prefixed)))
		int3_emulate_jmp(regs, addr + sizeof(nop5));
	else
		return false;
	return true;
}

static int stale_int3_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	struct die_args *args = data;
	const u8 *insn;

	if (event != DIE_INT3 || user_mode(args->regs))
		return NOTIFY_DONE;
	insn = (const u8 *)(args->regs->ip - INT3_INSN_SIZE);
	if (READ_ONCE(*insn) == INT3_INSN_OPCODE || !emulate(args->regs, insn))
		return NOTIFY_DONE;
	WRITE_ONCE(handled, handled + 1);
	return NOTIFY_STOP;
}

static struct notifier_block stale_int3_nb = {
	.notifier_call = stale_int3_notify,
	.priority = -1,	/* after everyone who may have set a breakpoint */
};

static int __init stale_int3_init(void)
{
	return register_die_notifier(&stale_int3_nb);
}

static void __exit stale_int3_exit(void)
{
	unregister_die_notifier(&stale_int3_nb);
}

module_init(stale_int3_init);
module_exit(stale_int3_exit);
MODULE_DESCRIPTION("Survive int3 instructions that only the emulator still sees");
MODULE_LICENSE("GPL");
