// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-bridge: kernel devices behind vhost-user front-ends
 *
 * Nothing is registered yet: the broker drives the kernel's own vhost-net.
 */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/vhost_bridge.h>

static int __init vhb_init(void)
{
	pr_debug("version %s\n", VHOST_BRIDGE_VERSION);
	return 0;
}

static void __exit vhb_exit(void)
{
	pr_debug("unloaded\n");
}

module_init(vhb_init);
module_exit(vhb_exit);

MODULE_DESCRIPTION("Kernel devices behind vhost-user front-ends");
MODULE_LICENSE("GPL");
MODULE_VERSION(VHOST_BRIDGE_VERSION);
