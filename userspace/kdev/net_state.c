// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest or front-end has changed in a network device: the address, by a
 * legacy driver, and what the guest is told of the MTU.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "kdev/net_private.h"

#define MTU_OFFSET ETH_ALEN
#define STATE_BYTES (ETH_ALEN + sizeof(uint16_t))

int vhb_net_save_state(struct vhb_kdev *kdev, uint8_t *data)
{
	const struct vhb_net *net = vhb_net_of(kdev);
	const uint16_t mtu = htole16(net->mtu);

	memcpy(data, net->mac, ETH_ALEN);
	memcpy(data + MTU_OFFSET, &mtu, sizeof(mtu));
	return STATE_BYTES;
}

/*
 * The driver sends frames as long as it was told it may: a tap that does not take
 * them is the wrong one. Where the MTU was not known, none was told.
 */
int vhb_net_load_state(struct vhb_kdev *kdev, const uint8_t *data,
		       size_t size_bytes)
{
	struct vhb_net *net = vhb_net_of(kdev);
	uint16_t mtu;
	int ret;

	if (size_bytes != STATE_BYTES)
		return -EINVAL;
	memcpy(&mtu, data + MTU_OFFSET, sizeof(mtu));
	mtu = le16toh(mtu);
	if (mtu && mtu != net->mtu) {
		ret = vhb_net_set_mtu(kdev, mtu);
		if (ret)
			return ret;
	}
	memcpy(net->mac, data, ETH_ALEN);
	return 0;
}

/* The MTU is what the front-end has set: it belongs to the session. */
int vhb_net_reset_state(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);

	vhb_net_control_forget(net);
	memcpy(net->mac, net->own_mac, sizeof(net->mac));
	return 0;
}
