// SPDX-License-Identifier: GPL-2.0-only
#include "device/personality.h"

#include <linux/kernel.h>

#include "device/device.h"

static const struct vhb_personality * const personalities[] = {
	&vhb_blk_personality,
	&vhb_loop_personality,
};

unsigned int vhb_personality_count(void)
{
	return ARRAY_SIZE(personalities);
}

const struct vhb_personality *vhb_personality_at(unsigned int position)
{
	return personalities[position];
}
