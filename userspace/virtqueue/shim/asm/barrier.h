/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_ASM_BARRIER_H
#define VHB_SHIM_ASM_BARRIER_H

/* everything */
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
/* reads before reads */
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
/* writes before writes */
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

#endif
