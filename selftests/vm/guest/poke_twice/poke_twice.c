// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Works around a race of QEMU's multi-threaded emulation (TCG), so that it
 * does not kill the guest under a test.
 *
 * Linux patches its own code while other CPUs run it (static keys, static
 * calls, tracing): it plants an int3, writes the rest of the new instruction,
 * replaces the int3, and after each step interrupts all CPUs so that they
 * forget what they have fetched. In QEMU a CPU reads code, translates it, and
 * only then sees to it that later stores to that page throw the translation
 * away. A store that falls in between is lost on it: the CPU keeps the int3
 * for good. Linux then meets a breakpoint that nobody set: 6.12 dies with
 * "Oops: int3", 6.1 tries the instruction again for ever. Seen with QEMU 7.2
 * and 10.0; two CPUs and one hot static key take a second to get there.
 *
 * Cure: when all CPUs have answered, store the same bytes again. Whoever was
 * translating has finished by then, so this store is noticed; and the patching
 * code has not yet forgotten its breakpoint, so who meets it until then is
 * helped.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/string.h>

/*
 * The kernel patches at most a page full of descriptors between two rounds of
 * interrupts, two stores for each.
 */
#define POKES_MAX 512
#define POKE_LEN_MAX 16

/* How often it had work, to be seen in /sys/module. */
static ulong rounds;
module_param(rounds, ulong, 0444);

struct poke {
	void *addr;
	size_t len;
};

/* The probes below run under text_mutex, which protects these. */
static struct poke pokes[POKES_MAX];
static unsigned int pokes_count;
static struct task_struct *poker;

/* Never armed: it only tells where text_poke() is. */
static struct kprobe text_poke_place = {
	.symbol_name = "text_poke",
	.flags = KPROBE_FLAG_DISABLED,
};

/*
 * __text_poke(func, addr, src, len): text_poke() itself is inlined where it
 * matters.
 */
static int note_poke(struct kprobe *probe, struct pt_regs *regs)
{
	struct poke poke = {
		.addr = (void *)regs_get_kernel_argument(regs, 1),
		.len = regs_get_kernel_argument(regs, 3),
	};

	if (poke.len > POKE_LEN_MAX || pokes_count == POKES_MAX)
		return 0;
	pokes[pokes_count++] = poke;
	poker = current;
	return 0;
}

static struct kprobe poke_probe = {
	.symbol_name = "__text_poke",
	.pre_handler = note_poke,
};

/* The calls made here are not probed again: kprobes do not nest. */
static int poke_again(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	void *(*text_poke)(void *addr, const void *opcode, size_t len) =
		(void *)text_poke_place.addr;
	u8 bytes[POKE_LEN_MAX];

	if (READ_ONCE(poker) != current)
		return 0;
	while (pokes_count) {
		struct poke *poke = &pokes[--pokes_count];

		memcpy(bytes, poke->addr, poke->len);
		text_poke(poke->addr, bytes, poke->len);
	}
	WRITE_ONCE(poker, NULL);
	rounds++;
	return 0;
}

/* What text_poke_sync(), inlined too, calls to interrupt all CPUs. */
static struct kretprobe sync_probe = {
	.kp.symbol_name = "on_each_cpu_cond_mask",
	.handler = poke_again,
};

static int __init poke_twice_init(void)
{
	int ret;

	ret = register_kprobe(&text_poke_place);
	if (ret)
		return ret;
	ret = register_kprobe(&poke_probe);
	if (ret)
		goto err_text_poke_place;
	ret = register_kretprobe(&sync_probe);
	if (ret)
		goto err_poke_probe;
	return 0;

err_poke_probe:
	unregister_kprobe(&poke_probe);
err_text_poke_place:
	unregister_kprobe(&text_poke_place);
	return ret;
}

static void __exit poke_twice_exit(void)
{
	unregister_kretprobe(&sync_probe);
	unregister_kprobe(&poke_probe);
	unregister_kprobe(&text_poke_place);
}

module_init(poke_twice_init);
module_exit(poke_twice_exit);
MODULE_DESCRIPTION("Patch code so that QEMU's multi-threaded emulation notices");
MODULE_LICENSE("GPL");
