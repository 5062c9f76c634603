// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Works around a race of QEMU's multi-threaded emulation (TCG), so that it does not kill the guest under a test.
 *
 * Linux patches its own code while other CPUs run it (static keys, static calls, tracing): it plants an int3, writes
 * the rest of the new instruction, then replaces the int3. For a store into code QEMU first throws away what it has
 * translated from there and then stores. A CPU that translates the code in between keeps the int3, and nobody tells
 * QEMU again. Linux then meets a breakpoint that nobody set: 6.12 dies with "Oops: int3", 6.1 tries the instruction
 * again for ever. Seen with QEMU 7.2 and 10.0; two CPUs and one hot static key take a second to get there.
 *
 * Cure: store everything twice. The second store throws away what was translated around the first one, and what is
 * translated around the second is right, because the bytes are in memory already.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

struct poke {
	void *addr;
	const void *opcode;
	size_t len;
};

static int poke_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct poke *poke = (struct poke *)instance->data;

	poke->addr = (void *)regs_get_kernel_argument(regs, 0);
	poke->opcode = (const void *)regs_get_kernel_argument(regs, 1);
	poke->len = regs_get_kernel_argument(regs, 2);
	return 0;
}

static int poke_again(struct kretprobe_instance *instance, struct pt_regs *regs);

static struct kretprobe text_poke_probe = {
	.kp.symbol_name = "text_poke",
	.entry_handler = poke_entry,
	.handler = poke_again,
	.data_size = sizeof(struct poke),
};

/*
 * text_mutex is still held by text_poke()'s caller, and its opcode bytes still exist. The call made here is not probed
 * again: kprobes do not nest.
 */
static int poke_again(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	void *(*text_poke)(void *addr, const void *opcode, size_t len) = (void *)text_poke_probe.kp.addr;
	struct poke *poke = (struct poke *)instance->data;

	text_poke(poke->addr, poke->opcode, poke->len);
	return 0;
}

static int __init poke_twice_init(void)
{
	return register_kretprobe(&text_poke_probe);
}

static void __exit poke_twice_exit(void)
{
	unregister_kretprobe(&text_poke_probe);
}

module_init(poke_twice_init);
module_exit(poke_twice_exit);
MODULE_DESCRIPTION("Patch code so that QEMU's multi-threaded emulation notices");
MODULE_LICENSE("GPL");
