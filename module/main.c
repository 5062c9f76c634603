// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-bridge: kernel devices behind vhost-user front-ends
 *
 * The broker (vhost-bridge) sets them up, and any program that speaks the
 * requests of <linux/vhost.h> can: see include/uapi/linux/vhost_bridge.h.
 */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/vhost_bridge.h>

#include "interface/interface.h"
#include "interface/netlink.h"

static bool loopback;
module_param(loopback, bool, 0444);
MODULE_PARM_DESC(loopback, "Make /dev/vhost-bridge-loop, which answers every request with its own data (for tests)");

static int __init vhb_init(void)
{
	int ret;

	/* First, as a device that is opened has news. */
	ret = vhb_netlink_register();
	if (ret)
		return ret;
	ret = vhb_chardevs_register(loopback);
	if (ret)
		vhb_netlink_unregister();
	return ret;
}

static void __exit vhb_exit(void)
{
	vhb_chardevs_unregister();
	vhb_netlink_unregister();
}

module_init(vhb_init);
module_exit(vhb_exit);

MODULE_DESCRIPTION("Kernel devices behind vhost-user front-ends");
MODULE_LICENSE("GPL");
MODULE_VERSION(VHOST_BRIDGE_VERSION);
