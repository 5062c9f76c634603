// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include <net/ethernet.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "lib/fd.h"
#include "lib/log.h"
#include "session/handle_inband.h"
#include "session/handlers.h"

/* VIRTIO 1.2, 2.1: device status */
#define VIRTIO_STATUS_MASK 0xffu

static void enable_all(struct vhb_session *session, struct vhb_want *want,
		       bool enable)
{
	for (unsigned int i = 0; i < session->config.kdev->vring_count; i++)
		want->vrings[i].is_enabled = enable;
}

/* Where one in the other layout was says nothing of what begins now. */
static void begin_anew(const struct vhb_session *session, struct vhb_want *want)
{
	for (unsigned int i = 0; i < session->config.kdev->vring_count; i++) {
		if (!session->have.vrings[i].is_running)
			continue;
		want->vrings[i].base = 0;
		want->vrings[i].has_base = false;
		want->vrings[i].base_is_new = true;
	}
}

int vhb_edit_features(struct vhb_session *session, struct vhb_want *want,
		      struct vhb_message *message)
{
	const uint64_t acked_mask = message->payload.u64;
	const uint64_t excess_mask = acked_mask & ~session->offered_mask;

	if (excess_mask)
		return vhb_refuse(session, -EINVAL,
				  "feature bits %#llx were not offered",
				  (unsigned long long)excess_mask);

	if ((want->features_mask ^ acked_mask) & vhb_bit(VIRTIO_F_RING_PACKED))
		begin_anew(session, want);
	want->has_features = true;
	want->features_mask = acked_mask & ~vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT);
	/* "Ring states": such a front-end cannot enable them itself. */
	if (!vhb_has_bit(acked_mask, VHB_F_PROTOCOL_FEATURES_BIT))
		enable_all(session, want, true);
	return 0;
}

size_t vhb_reply_features(struct vhb_session *session,
			  const struct vhb_message *message,
			  union vhb_payload *reply)
{
	(void)message;
	session->has_asked = true;
	reply->u64 = session->offered_mask;
	return sizeof(reply->u64);
}

int vhb_edit_protocol_features(struct vhb_session *session,
			       struct vhb_want *want,
			       struct vhb_message *message)
{
	const uint64_t mask = message->payload.u64;
	const uint64_t excess_mask = mask & ~session->offered_protocol_mask;
	int ret;

	if (excess_mask)
		return vhb_refuse(session, -EINVAL,
				  "protocol feature bits %#llx were not offered",
				  (unsigned long long)excess_mask);
	want->protocol_features_mask = mask;
	ret = vhb_check_gpa_addresses(session, want);
	return ret ? ret : vhb_check_inband(session, want);
}

size_t vhb_reply_protocol_features(struct vhb_session *session,
				   const struct vhb_message *message,
				   union vhb_payload *reply)
{
	(void)message;
	reply->u64 = session->offered_protocol_mask;
	return sizeof(reply->u64);
}

/* The connection is the owner; the kernel's owner is set when a vring starts. */
int vhb_edit_owner(struct vhb_session *session, struct vhb_want *want,
		   struct vhb_message *message)
{
	(void)want;
	(void)message;
	if (!session->has_asked)
		session->is_owner_first = true;
	return 0;
}

/*
 * Offered for any device, also for one that has nothing to tell: without this
 * channel User-Mode Linux has no interrupt for its virtqueues, and its driver
 * gives up.
 */
int vhb_edit_backend_fd(struct vhb_session *session, struct vhb_want *want,
			struct vhb_message *message)
{
	/* Of no other kind is it told, by poll(2), that nothing comes any more. */
	if (!vhb_fd_is_unix_stream(message->fds[0]))
		return vhb_refuse(session, -EINVAL,
				  "the descriptor is no UNIX stream socket");
	want->backend_fd = message->fds[0];
	message->fds[0] = -1;
	return 0;
}

int vhb_edit_reset_owner(struct vhb_session *session, struct vhb_want *want,
			 struct vhb_message *message)
{
	(void)message;
	enable_all(session, want, false);
	return 0;
}

/*
 * Back to the initial state but for what belongs to the connection: memory,
 * protocol features, the region of saved bases and the call and error
 * descriptors, which front-ends do not send again.
 */
int vhb_edit_reset_device(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_message *message)
{
	(void)message;
	for (unsigned int i = 0; i < session->config.kdev->vring_count; i++) {
		struct vhb_vring_want *vring = &want->vrings[i];

		vring->num = 0;
		vring->base = 0;
		vring->has_base = false;
		vring->base_is_new = true;
		vring->has_unread_slot = false;
		vring->is_slot_stale = true;
		vring->has_addr = false;
		vring->kick_fd = -1;
		vring->is_enabled = false;
	}
	want->has_features = false;
	want->features_mask = 0;
	want->status = 0;
	want->must_reset = true;
	return 0;
}

/* A driver that writes zero has reset the device: VIRTIO 1.2, 2.4. */
int vhb_edit_status(struct vhb_session *session, struct vhb_want *want,
		    struct vhb_message *message)
{
	if (message->payload.u64 & ~(uint64_t)VIRTIO_STATUS_MASK)
		return vhb_refuse(session, -EINVAL,
				  "status %#llx has more than eight bits",
				  (unsigned long long)message->payload.u64);

	want->status = message->payload.u64;
	if (want->status)
		return 0;
	for (unsigned int i = 0; i < session->config.kdev->vring_count; i++) {
		want->vrings[i].kick_fd = -1;
		want->vrings[i].has_unread_slot = false;
		want->vrings[i].is_slot_stale = true;
	}
	return 0;
}

size_t vhb_reply_status(struct vhb_session *session,
			const struct vhb_message *message,
			union vhb_payload *reply)
{
	(void)message;
	reply->u64 = session->want.status;
	return sizeof(reply->u64);
}

size_t vhb_reply_queue_num(struct vhb_session *session,
			   const struct vhb_message *message,
			   union vhb_payload *reply)
{
	(void)message;
	reply->u64 = session->config.queue_num;
	return sizeof(reply->u64);
}

/*
 * The flags are echoed and not judged: rust-vmm's front-ends send 1 where the
 * specification has 0, and QEMU the reverse.
 */
size_t vhb_reply_config(struct vhb_session *session,
			const struct vhb_message *message,
			union vhb_payload *reply)
{
	const struct vhb_wire_config *asked = &message->payload.config;
	struct vhb_kdev *kdev = session->config.kdev;
	int ret;

	reply->config = *asked;
	ret = kdev->ops->get_config(kdev, asked->offset_bytes,
				    asked->size_bytes, reply->config.data);
	if (ret) {
		vhb_refuse(session, ret,
			   "%u bytes at %u are not in the configuration space: answered with nothing",
			   asked->size_bytes, asked->offset_bytes);
		return 0;
	}
	return VHB_WIRE_CONFIG_HEADER_BYTES + asked->size_bytes;
}

int vhb_act_config(struct vhb_session *session, struct vhb_want *want,
		   struct vhb_message *message)
{
	const struct vhb_wire_config *config = &message->payload.config;
	struct vhb_kdev *kdev = session->config.kdev;
	int ret = -EACCES;

	(void)want;
	if (kdev->ops->set_config)
		ret = kdev->ops->set_config(kdev, config->offset_bytes,
					    config->size_bytes, config->data);
	if (ret)
		return vhb_refuse(session, ret, "%u bytes at %u: %s",
				  config->size_bytes, config->offset_bytes,
				  strerrordesc_np(-ret));
	return 0;
}

int vhb_act_mtu(struct vhb_session *session, struct vhb_want *want,
		struct vhb_message *message)
{
	struct vhb_kdev *kdev = session->config.kdev;
	int ret = -EOPNOTSUPP;

	(void)want;
	if (kdev->ops->set_mtu)
		ret = kdev->ops->set_mtu(kdev, message->payload.u64);
	if (ret)
		return vhb_refuse(session, ret, "MTU %llu: %s",
				  (unsigned long long)message->payload.u64,
				  strerrordesc_np(-ret));
	return 0;
}

int vhb_act_rarp(struct vhb_session *session, struct vhb_want *want,
		 struct vhb_message *message)
{
	struct vhb_kdev *kdev = session->config.kdev;
	uint8_t mac[ETH_ALEN];
	int ret = -EOPNOTSUPP;

	(void)want;
	memcpy(mac, message->payload.bytes, sizeof(mac));
	if (kdev->ops->send_rarp)
		ret = kdev->ops->send_rarp(kdev, mac);
	if (ret == -EINVAL || ret == -EOPNOTSUPP)
		return vhb_refuse(session, ret, "RARP: %s",
				  strerrordesc_np(-ret));
	/*
	 * QEMU, whose guest has moved, asks for no reply: it would lose its
	 * connection, where only an announcement is lost.
	 */
	if (ret)
		vhb_warn("the guest's new place is not announced, RARP: %s",
			 strerrordesc_np(-ret));
	return 0;
}
