// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/feature_names.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "lib/bits.h"

#define BITS 64

/* The virtio specification 1.3, and what vhost and vhost-user put between */
static const char * const common_names[BITS] = {
	[24] = "NOTIFY_ON_EMPTY",
	[26] = "LOG_ALL",
	[27] = "ANY_LAYOUT",
	[28] = "INDIRECT_DESC",
	[29] = "EVENT_IDX",
	[30] = "PROTOCOL_FEATURES",
	[32] = "VERSION_1",
	[33] = "ACCESS_PLATFORM",
	[34] = "RING_PACKED",
	[35] = "IN_ORDER",
	[36] = "ORDER_PLATFORM",
	[37] = "SR_IOV",
	[38] = "NOTIFICATION_DATA",
	[39] = "NOTIF_CONFIG_DATA",
	[40] = "RING_RESET",
	[41] = "ADMIN_VQ",
};

static const char * const net_names[BITS] = {
	[0] = "CSUM",
	[1] = "GUEST_CSUM",
	[2] = "CTRL_GUEST_OFFLOADS",
	[3] = "MTU",
	[5] = "MAC",
	[6] = "GSO",
	[7] = "GUEST_TSO4",
	[8] = "GUEST_TSO6",
	[9] = "GUEST_ECN",
	[10] = "GUEST_UFO",
	[11] = "HOST_TSO4",
	[12] = "HOST_TSO6",
	[13] = "HOST_ECN",
	[14] = "HOST_UFO",
	[15] = "MRG_RXBUF",
	[16] = "STATUS",
	[17] = "CTRL_VQ",
	[18] = "CTRL_RX",
	[19] = "CTRL_VLAN",
	[20] = "CTRL_RX_EXTRA",
	[21] = "GUEST_ANNOUNCE",
	[22] = "MQ",
	[23] = "CTRL_MAC_ADDR",
	[51] = "DEVICE_STATS",
	[52] = "VQ_NOTF_COAL",
	[53] = "NOTF_COAL",
	[54] = "GUEST_USO4",
	[55] = "GUEST_USO6",
	[56] = "HOST_USO",
	[57] = "HASH_REPORT",
	[59] = "GUEST_HDRLEN",
	[60] = "RSS",
	[61] = "RSC_EXT",
	[62] = "STANDBY",
	[63] = "SPEED_DUPLEX",
};

static const char * const blk_names[BITS] = {
	[0] = "BARRIER",
	[1] = "SIZE_MAX",
	[2] = "SEG_MAX",
	[4] = "GEOMETRY",
	[5] = "RO",
	[6] = "BLK_SIZE",
	[7] = "SCSI",
	[9] = "FLUSH",
	[10] = "TOPOLOGY",
	[11] = "CONFIG_WCE",
	[12] = "MQ",
	[13] = "DISCARD",
	[14] = "WRITE_ZEROES",
	[15] = "LIFETIME",
	[16] = "SECURE_ERASE",
	[17] = "ZONED",
};

static const char * const protocol_names[] = {
	[0] = "MQ",
	[1] = "LOG_SHMFD",
	[2] = "RARP",
	[3] = "REPLY_ACK",
	[4] = "MTU",
	[5] = "BACKEND_REQ",
	[6] = "CROSS_ENDIAN",
	[7] = "CRYPTO_SESSION",
	[8] = "PAGEFAULT",
	[9] = "CONFIG",
	[10] = "BACKEND_SEND_FD",
	[11] = "HOST_NOTIFIER",
	[12] = "INFLIGHT_SHMFD",
	[13] = "RESET_DEVICE",
	[14] = "INBAND_NOTIFICATIONS",
	[15] = "CONFIGURE_MEM_SLOTS",
	[16] = "STATUS",
	[17] = "XEN_MMAP",
	[18] = "SHARED_OBJECT",
	[19] = "DEVICE_STATE",
	[20] = "GET_VRING_BASE_INFLIGHT",
	[21] = "GPA_ADDRESSES",
	[22] = "SHMEM",
};

static const char * const status_names[] = {
	[0] = "ACKNOWLEDGE",
	[1] = "DRIVER",
	[2] = "DRIVER_OK",
	[3] = "FEATURES_OK",
	[6] = "NEEDS_RESET",
	[7] = "FAILED",
};

const char *vhb_feature_name(const char *type_name, unsigned int bit)
{
	if (bit >= BITS)
		return NULL;
	if (type_name && !strcmp(type_name, "vhost-net")) {
		if (bit == 27)
			return "VIRTIO_NET_HDR";
		type_name = "net";
	}
	if (type_name && !strcmp(type_name, "net") && net_names[bit])
		return net_names[bit];
	if (type_name && !strcmp(type_name, "blk") && blk_names[bit])
		return blk_names[bit];
	return common_names[bit];
}

const char *vhb_protocol_feature_name(unsigned int bit)
{
	return bit < VHB_ARRAY_COUNT(protocol_names) ? protocol_names[bit] :
						       NULL;
}

const char *vhb_status_bit_name(unsigned int bit)
{
	return bit < VHB_ARRAY_COUNT(status_names) ? status_names[bit] : NULL;
}

static void add_name(struct vhb_text *text, uint64_t mask, unsigned int bit,
		     const char *name)
{
	/* Lower bits that are set stand before. */
	if (mask & (vhb_bit(bit) - 1))
		vhb_text_add(text, ",");
	if (name)
		vhb_text_add(text, "%s", name);
	else
		vhb_text_add(text, "%u", bit);
}

void vhb_features_add(struct vhb_text *text, const char *type_name,
		      uint64_t mask)
{
	unsigned int bit;

	vhb_text_add(text, "0x%" PRIx64 "(", mask);
	for (bit = 0; bit < BITS; bit++)
		if (vhb_has_bit(mask, bit))
			add_name(text, mask, bit,
				 vhb_feature_name(type_name, bit));
	vhb_text_add(text, ")");
}

static void add_by(struct vhb_text *text, uint64_t mask,
		   const char *(*name_of)(unsigned int bit))
{
	unsigned int bit;

	vhb_text_add(text, "0x%" PRIx64 "(", mask);
	for (bit = 0; bit < BITS; bit++)
		if (vhb_has_bit(mask, bit))
			add_name(text, mask, bit, name_of(bit));
	vhb_text_add(text, ")");
}

void vhb_protocol_features_add(struct vhb_text *text, uint64_t mask)
{
	add_by(text, mask, vhb_protocol_feature_name);
}

void vhb_status_bits_add(struct vhb_text *text, uint64_t mask)
{
	add_by(text, mask, vhb_status_bit_name);
}
