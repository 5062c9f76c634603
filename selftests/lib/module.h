/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_MODULE_H
#define SELFTESTS_LIB_MODULE_H

#include <sys/types.h>

/**
 * DOC: our kernel module, for tests that need it
 *
 * Tests run in any order, so each finds the module as it may be and leaves it
 * as it was: loaded for the test alone, or there all the time.
 */

/**
 * module_need() - have the module with its loop device, or end this test program
 *
 * The module is build/modules/RELEASE/vhost_bridge.ko above the program, or
 * $VHB_MODULE. Without root, or without that file, the program ends with a plan
 * that says it is skipped.
 */
void module_need(void);

/**
 * module_load() - load it
 *
 * Return: 0 or -errno.
 */
int module_load(void);

/**
 * module_unload() - unload it; waits a little for the last of its users
 *
 * Return: 0 or -errno.
 */
int module_unload(void);

/** module_try_unload() - the same, now or not at all; -EAGAIN while it is used */
int module_try_unload(void);

/** module_is_loaded() - is it? */
int module_is_loaded(void);

/** module_restore() - as it was before module_need(); at the end of main() */
void module_restore(void);

/** module_users() - what lsmod says of its users, or -ENOENT */
int module_users(void);

/**
 * module_each_thread() - threads, the module's or others, by their name
 * @beginning: what the name, with a line feed behind it, begins with
 * @visit: called for each; may be NULL
 * @argument: handed to it
 *
 * Return: how many there are.
 */
unsigned int module_each_thread(const char *beginning,
				void (*visit)(pid_t thread, void *argument),
				void *argument);

/** module_thread_count() - threads of devices there are on this machine */
unsigned int module_thread_count(void);

/** module_thread_of() - the thread of this process's virtqueue, or -ESRCH */
pid_t module_thread_of(unsigned int index);

/**
 * module_wait_threads() - wait for that number: 0, or -ETIMEDOUT
 *
 * A thread that was stopped is seen for a moment more: kthread_stop() waits for
 * its last instruction of the module's, not for the end of its exit.
 */
int module_wait_threads(unsigned int wanted);

#endif
