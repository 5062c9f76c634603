// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "session/handle_inband.h"
#include "session/handlers.h"
#include "session/message_trace.h"
#include "session/postcopy.h"
#include "session/program.h"
#include "session/state.h"
#include "session/vring.h"
#include "wire/backend.h"
#include "wire/message_table.h"

/* Messages handled before others get their turn in the loop */
#define MESSAGES_PER_TURN 16
/* Refusals logged each session: a front-end must not fill the disk */
#define REFUSALS_LOGGED 20

/**
 * struct handler - what a message does, see handlers.h; nothing: it is not offered
 * @edit: change what is wanted
 * @act: the same, but with an effect at once; not beside @edit
 * @reply: fill in the message's own reply
 */
struct handler {
	int (*edit)(struct vhb_session *session, struct vhb_want *want,
		    struct vhb_message *message);
	int (*act)(struct vhb_session *session, struct vhb_want *want,
		   struct vhb_message *message);
	size_t (*reply)(struct vhb_session *session,
			const struct vhb_message *message,
			union vhb_payload *reply);
};

static const struct handler handlers[VHB_REQUEST_COUNT] = {
	[VHB_GET_FEATURES] = { .reply = vhb_reply_features },
	[VHB_SET_FEATURES] = { .edit = vhb_edit_features },
	[VHB_SET_OWNER] = { .edit = vhb_edit_owner },
	[VHB_RESET_OWNER] = { .edit = vhb_edit_reset_owner },
	[VHB_SET_MEM_TABLE] = { .edit = vhb_edit_mem_table,
				.reply = vhb_reply_postcopy_table },
	[VHB_SET_LOG_BASE] = { .edit = vhb_edit_log_base,
			       .reply = vhb_reply_log_base },
	[VHB_SET_LOG_FD] = { .edit = vhb_edit_log_fd },
	[VHB_SET_VRING_NUM] = { .edit = vhb_edit_vring_num },
	[VHB_SET_VRING_ADDR] = { .edit = vhb_edit_vring_addr },
	[VHB_SET_VRING_BASE] = { .edit = vhb_edit_vring_base },
	[VHB_GET_VRING_BASE] = { .edit = vhb_edit_vring_stop,
				 .reply = vhb_reply_vring_base },
	[VHB_SET_VRING_KICK] = { .edit = vhb_edit_vring_kick },
	[VHB_SET_VRING_CALL] = { .edit = vhb_edit_vring_call },
	[VHB_SET_VRING_ERR] = { .edit = vhb_edit_vring_err },
	[VHB_GET_PROTOCOL_FEATURES] = { .reply = vhb_reply_protocol_features },
	[VHB_SET_PROTOCOL_FEATURES] = { .edit = vhb_edit_protocol_features },
	[VHB_GET_QUEUE_NUM] = { .reply = vhb_reply_queue_num },
	[VHB_SET_VRING_ENABLE] = { .edit = vhb_edit_vring_enable },
	[VHB_SEND_RARP] = { .act = vhb_act_rarp },
	[VHB_NET_SET_MTU] = { .act = vhb_act_mtu },
	[VHB_SET_BACKEND_REQ_FD] = { .edit = vhb_edit_backend_fd },
	[VHB_IOTLB_MSG] = { .act = vhb_act_iotlb },
	[VHB_GET_CONFIG] = { .reply = vhb_reply_config },
	[VHB_SET_CONFIG] = { .act = vhb_act_config },
	[VHB_POSTCOPY_ADVISE] = { .act = vhb_act_postcopy_advise,
				  .reply = vhb_reply_postcopy_advise },
	[VHB_POSTCOPY_LISTEN] = { .act = vhb_act_postcopy_listen },
	[VHB_POSTCOPY_END] = { .act = vhb_act_postcopy_end,
			       .reply = vhb_reply_postcopy_end },
	[VHB_GET_INFLIGHT_FD] = { .edit = vhb_edit_inflight_offer,
				  .reply = vhb_reply_inflight },
	[VHB_SET_INFLIGHT_FD] = { .edit = vhb_edit_inflight },
	[VHB_RESET_DEVICE] = { .edit = vhb_edit_reset_device },
	[VHB_VRING_KICK] = { .act = vhb_act_inband_kick },
	[VHB_GET_MAX_MEM_SLOTS] = { .reply = vhb_reply_mem_slots },
	[VHB_ADD_MEM_REG] = { .edit = vhb_edit_add_region,
			      .reply = vhb_reply_postcopy_region },
	[VHB_REM_MEM_REG] = { .edit = vhb_edit_remove_region },
	[VHB_SET_STATUS] = { .edit = vhb_edit_status },
	[VHB_GET_STATUS] = { .reply = vhb_reply_status },
	[VHB_SET_DEVICE_STATE_FD] = { .reply = vhb_reply_state_fd },
	[VHB_CHECK_DEVICE_STATE] = { .reply = vhb_reply_check_state },
};

static const struct handler postcopy_ack = { .edit = vhb_edit_postcopy_ack };

bool vhb_message_has_handler(uint32_t request)
{
	return request < VHB_REQUEST_COUNT &&
	       (handlers[request].edit || handlers[request].act ||
		handlers[request].reply);
}

int vhb_refuse(struct vhb_session *session, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vhb_vwrong(&session->why, error, format, args);
	va_end(args);
	return error;
}

static void close_if_dropped(int dropped_fd, int kept_fd)
{
	if (dropped_fd >= 0 && dropped_fd != kept_fd)
		close(dropped_fd);
}

/* Release what one state holds and the other does not */
static void drop_difference(const struct vhb_want *dropped,
			    const struct vhb_want *kept)
{
	for (unsigned int i = 0; i < VHB_VRING_COUNT_MAX; i++) {
		const struct vhb_vring_want *old = &dropped->vrings[i];
		const struct vhb_vring_want *new = &kept->vrings[i];

		close_if_dropped(old->kick_fd, new->kick_fd);
		close_if_dropped(old->call_fd, new->call_fd);
		close_if_dropped(old->err_fd, new->err_fd);
	}
	close_if_dropped(dropped->backend_fd, kept->backend_fd);
	close_if_dropped(dropped->log_fd, kept->log_fd);
	if (dropped->map != kept->map)
		vhb_memory_map_put(dropped->map);
	if (dropped->inflight != kept->inflight)
		vhb_inflight_unmap(dropped->inflight);
	if (dropped->log != kept->log)
		vhb_dirty_log_put(dropped->log);
}

static void init_want(struct vhb_want *want)
{
	memset(want, 0, sizeof(*want));
	want->backend_fd = -1;
	want->log_fd = -1;
	for (unsigned int i = 0; i < VHB_VRING_COUNT_MAX; i++) {
		want->vrings[i].kick_fd = -1;
		want->vrings[i].call_fd = -1;
		want->vrings[i].err_fd = -1;
	}
}

/* Only now: the vring may have run, and saved its base, until a moment ago. */
static void settle(struct vhb_want *want)
{
	want->must_reset = false;
	for (unsigned int i = 0; i < VHB_VRING_COUNT_MAX; i++) {
		want->vrings[i].base_is_new = false;
		if (want->vrings[i].is_slot_stale)
			vhb_inflight_forget(want->inflight, i);
		want->vrings[i].is_slot_stale = false;
	}
}

/* All or nothing; -ENOTRECOVERABLE when not even nothing was possible */
static int program_next(struct vhb_session *session)
{
	struct vhb_why why;
	int ret;

	ret = vhb_program(session, &session->next);
	if (ret) {
		why = session->why;
		if (vhb_program(session, &session->want)) {
			/* The kernel lets go before we unmap and close. */
			vhb_program_nothing(session);
			ret = -ENOTRECOVERABLE;
		}
		session->why = why;
		drop_difference(&session->next, &session->want);
		return ret;
	}

	if (session->want.backend_fd != session->next.backend_fd)
		vhb_iotlb_pause(session);
	drop_difference(&session->want, &session->next);
	session->want = session->next;
	settle(&session->want);
	vhb_postcopy_settle(session);
	vhb_iotlb_resume(session);
	return 0;
}

/* -EINPROGRESS when vrings have to drain before the rest can be done */
static int edit_and_program(struct vhb_session *session,
			    const struct handler *handler,
			    struct vhb_message *message)
{
	int ret;

	session->next = session->want;
	ret = (handler->edit ?: handler->act)(session, &session->next, message);
	if (ret) {
		drop_difference(&session->next, &session->want);
		return ret;
	}
	if (vhb_program_drain(session, &session->next)) {
		session->stage = VHB_SESSION_WAITS;
		return -EINPROGRESS;
	}
	return program_next(session);
}

static int handle(struct vhb_session *session, struct vhb_message *message)
{
	const uint32_t request = message->header.request;
	const struct handler *handler;
	const struct vhb_gate gate = {
		.offered_mask = session->offered_protocol_mask,
		.acked_mask = session->want.protocol_features_mask,
		.vring_count = session->config.kdev->vring_count,
	};
	int ret;

	if (vhb_postcopy_is_ack(session, message))
		return edit_and_program(session, &postcopy_ack, message);

	ret = vhb_message_check(message, &gate, &session->why);
	if (ret)
		return ret;

	if (!vhb_message_has_handler(request))
		return vhb_refuse(session, -EOPNOTSUPP, "not offered");
	handler = &handlers[request];
	if (!handler->edit && !handler->act)
		return 0;
	return edit_and_program(session, handler, message);
}

void vhb_log_refusal(struct vhb_session *session,
		     const struct vhb_message *message, bool is_over)
{
	if (++session->refusal_count > REFUSALS_LOGGED && !is_over)
		return;
	vhb_warn("refused %s: %s%s", vhb_message_name(message->header.request),
		 session->why.clause, is_over ? "; connection closed" : "");
	if (session->refusal_count == REFUSALS_LOGGED && !is_over)
		vhb_warn("further refusals of this front-end are not logged");
}

static bool has_own_reply(const struct vhb_session *session,
			  const struct vhb_message *message)
{
	const struct vhb_message_row *row =
		vhb_message_row(message->header.request);

	if (message->header.request == VHB_SET_LOG_BASE)
		return vhb_log_base_has_own_reply(session, message);
	return (row && row->reply_kind == VHB_REPLY_OWN) ||
	       vhb_postcopy_is_own_reply(session, message);
}

static int answer(struct vhb_session *session, struct vhb_message *message,
		  int result)
{
	union vhb_payload reply;

	if (has_own_reply(session, message)) {
		size_t size_bytes;

		/* Whatever is sent would be taken for the real thing. */
		if (result)
			return -EPROTO;
		memset(&reply, 0, sizeof(reply.config));
		size_bytes = handlers[message->header.request].reply(session,
								     message,
								     &reply);
		/* "zero length of payload to indicate an error" */
		if (!size_bytes &&
		    message->header.request != VHB_POSTCOPY_ADVISE)
			vhb_log_refusal(session, message, false);
		return vhb_channel_reply(&session->channel, &reply, size_bytes);
	}

	if (vhb_has_bit(session->want.protocol_features_mask,
			VHB_PROTOCOL_F_REPLY_ACK) &&
	    vhb_has_bit(message->header.flags, VHB_FLAG_NEED_REPLY_BIT)) {
		if (result == -ENOTRECOVERABLE)
			return -EPROTO;
		reply.u64 = result ? (uint64_t)-result : 0;
		return vhb_channel_reply(&session->channel, &reply.u64,
					 sizeof(reply.u64));
	}
	return result ? -EPROTO : 0;
}

/* Returns 0 to go on, -EAGAIN when the reply waits for room, else the end */
static int finish_message(struct vhb_session *session, int result)
{
	struct vhb_message *message = &session->channel.message;
	int ret = -ETIMEDOUT;

	if (!vhb_postcopy_calm(session))
		ret = answer(session, message, result);
	if (result)
		vhb_log_refusal(session, message, ret && ret != -EAGAIN);
	vhb_message_trace_end(session, result);
	vhb_channel_done(&session->channel);
	return ret;
}

/* As finish_message(); -EINPROGRESS when it has to wait */
static int handle_message(struct vhb_session *session)
{
	struct vhb_message *message = &session->channel.message;
	int result;

	session->message_number++;
	vhb_debug("%s%s", vhb_message_name(message->header.request),
		  vhb_has_bit(message->header.flags, VHB_FLAG_NEED_REPLY_BIT) ?
			  " (needs reply)" : "");
	vhb_message_trace_begin(session);
	vhb_postcopy_alert(session);
	result = handle(session, message);
	return result == -EINPROGRESS ? result :
					finish_message(session, result);
}

static int receive_messages(struct vhb_session *session)
{
	int ret = vhb_channel_flush(&session->channel);

	for (int i = 0; !ret && i < MESSAGES_PER_TURN; i++) {
		ret = vhb_channel_receive(&session->channel);
		if (ret == 0)
			return 0;
		if (ret == -EPROTO)
			vhb_warn("refused %s: %s; connection closed",
				 vhb_message_name(session->channel.message
							  .header.request),
				 session->channel.why.clause);
		if (ret < 0) {
			vhb_message_trace_failed(session, ret);
			return ret;
		}
		ret = handle_message(session);
	}
	return ret;
}

/*
 * The front-end sees the end at once; the kernel may still need its memory. On
 * return the session may be gone.
 */
static void end(struct vhb_session *session)
{
	vhb_message_trace_disconnect(session);
	vhb_loop_unwatch(session->config.loop, &session->watch);
	vhb_patience_end(session);
	if (session->stage == VHB_SESSION_WAITS)
		drop_difference(&session->next, &session->want);
	session->stage = VHB_SESSION_ENDS;
	vhb_postcopy_give_up(session);
	vhb_channel_close(&session->channel);
	vhb_iotlb_pause(session);
	if (!vhb_program_drain_all(session))
		session->config.on_end(session->config.argument);
}

static void on_ready(void *argument, unsigned int events);

static int await(struct vhb_session *session, unsigned int events)
{
	int ret = vhb_loop_watch(session->config.loop, session->channel.fd,
				 events, on_ready, session, &session->watch);

	return ret ? ret : vhb_patience_begin(session, events == POLLOUT);
}

/* What follows from what handling messages returned; as end() */
static void go_on(struct vhb_session *session, int ret)
{
	unsigned int next_events = POLLIN;

	if (ret == -EINPROGRESS)
		return;
	/* Not read from while it does not read: one reply is all we keep. */
	if (ret == -EAGAIN)
		next_events = POLLOUT;
	if (!ret || ret == -EAGAIN)
		ret = await(session, next_events);
	if (!ret)
		return;

	if (ret == -ECONNRESET)
		vhb_info("front-end has left");
	else
		vhb_info("session ended: %s", strerrordesc_np(-ret));
	end(session);
}

static void on_ready(void *argument, unsigned int events)
{
	struct vhb_session *session = argument;

	(void)events;
	session->watch.value = 0;
	go_on(session, receive_messages(session));
}

static void on_drained(void *argument, unsigned int index)
{
	struct vhb_session *session = argument;
	int ret;

	if (!vhb_program_drained(session, index))
		return;
	if (session->stage == VHB_SESSION_ENDS) {
		session->config.on_end(session->config.argument);
		return;
	}
	session->stage = VHB_SESSION_SERVES;
	ret = finish_message(session, program_next(session));
	if (!ret)
		ret = receive_messages(session);
	go_on(session, ret);
}

static void on_broken(void *argument, unsigned int index, const char *fault)
{
	struct vhb_session *session = argument;

	/*
	 * It could not be set up anew: nothing of that memory comes back. Looking at
	 * memory that is still on its way would have to wait for the front-end.
	 */
	if (session->stage != VHB_SESSION_ENDS &&
	    !vhb_postcopy_is_listening(session) &&
	    vhb_vring_is_cut_off(session, index)) {
		vhb_warn("guest memory under vring %u is gone, its file was truncated; connection closed",
			 index);
		end(session);
		return;
	}
	if (session->break_count++ < REFUSALS_LOGGED)
		vhb_warn("vring %u is broken: its driver broke the rules (%s); it rests until it is set up anew",
			 index, fault);
}

/* A front-end that does not read has messages enough to tell it the same. */
static void on_config(void *argument)
{
	struct vhb_session *session = argument;
	const struct vhb_want *want = &session->want;
	int ret;

	if (session->stage == VHB_SESSION_ENDS || want->backend_fd < 0 ||
	    !vhb_has_bit(want->protocol_features_mask,
			 VHB_PROTOCOL_F_BACKEND_REQ) ||
	    !vhb_has_bit(want->protocol_features_mask, VHB_PROTOCOL_F_CONFIG))
		return;
	ret = vhb_backend_tell(want->backend_fd, VHB_BACKEND_CONFIG_CHANGE_MSG);
	if (ret)
		vhb_debug("CONFIG_CHANGE_MSG: %s", strerrordesc_np(-ret));
}

/* A message that waits for vrings to drain has said so already. */
static void on_memory(void *argument, bool begins)
{
	struct vhb_session *session = argument;

	if (session->stage != VHB_SESSION_SERVES)
		return;
	if (begins)
		vhb_postcopy_alert(session);
	else if (vhb_postcopy_calm(session))
		end(session);
}

int vhb_session_create(const struct vhb_session_config *config, int fd,
		       struct vhb_session **session_out)
{
	struct vhb_session *session = calloc(1, sizeof(*session));
	struct vhb_kdev *kdev = config->kdev;
	int ret;

	if (!session) {
		close(fd);
		return -ENOMEM;
	}
	session->config = *config;
	init_want(&session->want);
	session->offered_mask = kdev->ops->features(kdev) |
				vhb_bit(VHB_F_PROTOCOL_FEATURES_BIT);
	if (!config->has_iommu || !kdev->ops->iotlb_write)
		session->offered_mask &= ~vhb_bit(VIRTIO_F_ACCESS_PLATFORM);
	session->offered_protocol_mask =
		vhb_bit(VHB_PROTOCOL_F_MQ) |
		vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
		vhb_bit(VHB_PROTOCOL_F_BACKEND_REQ) |
		vhb_bit(VHB_PROTOCOL_F_CONFIG) |
		vhb_bit(VHB_PROTOCOL_F_RESET_DEVICE) |
		vhb_bit(VHB_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |
		vhb_bit(VHB_PROTOCOL_F_STATUS) |
		kdev->ops->protocol_features(kdev) |
		config->protocol_features_mask;
	if (kdev->ops->save_state)
		session->offered_protocol_mask |=
			vhb_bit(VHB_PROTOCOL_F_DEVICE_STATE);
	vhb_state_init(&session->transfer);
	if (!config->has_postcopy)
		session->offered_protocol_mask &=
			~vhb_bit(VHB_PROTOCOL_F_PAGEFAULT);

	ret = vhb_channel_init(&session->channel, fd);
	if (ret)
		goto close_channel;
	ret = vhb_address_space_create(&session->space);
	if (ret)
		goto close_channel;
	ret = vhb_create_inband(session);
	if (ret)
		goto destroy_space;
	vhb_patience_init(session);
	ret = await(session, POLLIN);
	if (ret)
		goto forget_socket;

	session->listener = (struct vhb_kdev_listener){
		.on_drained = on_drained,
		.on_broken = on_broken,
		.on_config = on_config,
		.on_memory = on_memory,
		.on_miss = vhb_iotlb_miss,
		.on_unanswered = vhb_iotlb_unanswered,
		.argument = session,
	};
	if (kdev->ops->listen)
		kdev->ops->listen(kdev, config->loop, &session->listener);
	vhb_message_trace_connect(session);
	*session_out = session;
	return 0;

forget_socket:
	vhb_loop_unwatch(config->loop, &session->watch);
	vhb_patience_end(session);
	vhb_inband_destroy(session->inband);
destroy_space:
	vhb_address_space_destroy(session->space);
close_channel:
	vhb_channel_close(&session->channel);
	free(session);
	return ret;
}

void vhb_session_end(struct vhb_session *session)
{
	if (session->stage != VHB_SESSION_ENDS)
		end(session);
}

void vhb_session_destroy(struct vhb_session *session)
{
	struct vhb_want nothing;
	struct vhb_kdev *kdev;

	if (!session)
		return;
	kdev = session->config.kdev;
	if (kdev->ops->listen)
		kdev->ops->listen(kdev, session->config.loop, NULL);
	vhb_loop_unwatch(session->config.loop, &session->watch);
	vhb_iotlb_pause(session);
	vhb_patience_end(session);
	if (session->stage == VHB_SESSION_WAITS)
		drop_difference(&session->next, &session->want);
	vhb_postcopy_give_up(session);
	vhb_program_nothing(session);
	vhb_inband_destroy(session->inband);
	vhb_state_end(&session->transfer);
	vhb_postcopy_destroy(session);
	init_want(&nothing);
	drop_difference(&session->want, &nothing);
	vhb_address_space_destroy(session->space);
	vhb_channel_close(&session->channel);
	free(session);
}
