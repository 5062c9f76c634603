// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/postcopy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "lib/bits.h"
#include "lib/log.h"
#include "lib/own_memory.h"
#include "session/fault_guard.h"
#include "session/handlers.h"
#include "session/memory_pages.h"

/**
 * struct vhb_postcopy - a migration into this guest
 * @guard: has the userfaultfd
 * @is_listening: memory that is declared now has its faults answered
 * @waiting_map: the front-end does not know yet where it is; one reference, or
 *               NULL
 */
struct vhb_postcopy {
	struct vhb_fault_guard *guard;
	bool is_listening;
	struct vhb_memory_map *waiting_map;
};

bool vhb_postcopy_is_possible(void)
{
	struct vhb_fault_guard *guard;
	const char *why;
	int fd = vhb_userfault_open(&why);
	int ret;

	if (fd < 0) {
		vhb_warn("postcopy migration is not offered: %s", why);
		return false;
	}
	/* Any descriptor will do: nobody hangs up. */
	ret = vhb_fault_guard_create(fd, fd, &guard);
	if (ret) {
		vhb_warn("postcopy migration is not offered: no thread with descriptors of its own: %s",
			 strerrordesc_np(-ret));
		close(fd);
		return false;
	}
	vhb_fault_guard_destroy(guard);
	return true;
}

bool vhb_postcopy_is_listening(const struct vhb_session *session)
{
	return session->postcopy && session->postcopy->is_listening;
}

/*
 * QEMU (10.0) sends it with the number of the last message about memory. When
 * regions are added and removed one by one there may have been none, and the
 * number is 0.
 */
bool vhb_postcopy_is_ack(const struct vhb_session *session,
			 const struct vhb_message *message)
{
	if (!vhb_postcopy_is_listening(session) || message->fd_count ||
	    message->header.size_bytes != sizeof(message->payload.u64))
		return false;
	switch (message->header.request) {
	case 0:
	case VHB_SET_MEM_TABLE:
	case VHB_ADD_MEM_REG:
	case VHB_REM_MEM_REG:
		return true;
	}
	return false;
}

bool vhb_postcopy_is_own_reply(const struct vhb_session *session,
			       const struct vhb_message *message)
{
	return vhb_postcopy_is_listening(session) &&
	       !vhb_postcopy_is_ack(session, message) &&
	       (message->header.request == VHB_SET_MEM_TABLE ||
		message->header.request == VHB_ADD_MEM_REG);
}

struct vhb_memory_map *vhb_postcopy_map(const struct vhb_session *session,
					const struct vhb_want *want)
{
	if (session->postcopy && session->postcopy->waiting_map)
		return session->postcopy->waiting_map;
	return want->map;
}

/**
 * struct adding - pages on their way to the guard
 * @guard: where they go
 * @error: the first there was
 */
struct adding {
	struct vhb_fault_guard *guard;
	int error;
};

static void add_pages(void *argument, uint64_t hva, uint64_t size_bytes)
{
	struct adding *adding = argument;

	if (!adding->error)
		adding->error = vhb_fault_guard_add(adding->guard, hva,
						    size_bytes);
}

static void remove_pages(void *argument, uint64_t hva, uint64_t size_bytes)
{
	struct vhb_fault_guard *guard = argument;

	vhb_fault_guard_remove(guard, hva, size_bytes);
}

int vhb_postcopy_take_map(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_memory_map *map)
{
	struct vhb_postcopy *postcopy = session->postcopy;
	struct adding adding = { 0 };

	if (!vhb_postcopy_is_listening(session)) {
		want->map = map;
		return 0;
	}
	adding.guard = postcopy->guard;
	vhb_memory_map_for_each(map, add_pages, &adding);
	if (adding.error) {
		vhb_memory_map_put(map);
		return vhb_refuse(session, adding.error, "userfaultfd: %s",
				  strerrordesc_np(-adding.error));
	}
	vhb_memory_map_put(postcopy->waiting_map);
	postcopy->waiting_map = map;
	return 0;
}

int vhb_postcopy_fetch(const struct vhb_session *session,
		       const struct vhb_want *want,
		       const struct vhost_vring_addr *addr)
{
	uint32_t flags_and_index;

	if (!vhb_postcopy_is_listening(session) ||
	    vhb_has_bit(want->features_mask, VIRTIO_F_ACCESS_PLATFORM))
		return 0;
	return vhb_own_memory_read(addr->used_user_addr, &flags_and_index,
				   sizeof(flags_and_index));
}

void vhb_postcopy_alert(struct vhb_session *session)
{
	if (session->postcopy)
		vhb_fault_guard_busy(session->postcopy->guard);
}

bool vhb_postcopy_calm(struct vhb_session *session)
{
	struct vhb_postcopy *postcopy = session->postcopy;

	if (!postcopy)
		return false;
	vhb_fault_guard_idle(postcopy->guard);
	if (!vhb_fault_guard_has_fired(postcopy->guard))
		return false;
	vhb_warn("the front-end left page faults unanswered for too long");
	return true;
}

void vhb_postcopy_give_up(struct vhb_session *session)
{
	if (!session->postcopy)
		return;
	vhb_fault_guard_hurry(session->postcopy->guard);
	vhb_fault_guard_busy(session->postcopy->guard);
}

void vhb_postcopy_destroy(struct vhb_session *session)
{
	struct vhb_postcopy *postcopy = session->postcopy;

	if (!postcopy)
		return;
	vhb_memory_map_put(postcopy->waiting_map);
	vhb_address_space_on_unmap(session->space, NULL, NULL);
	vhb_fault_guard_destroy(postcopy->guard);
	free(postcopy);
	session->postcopy = NULL;
}

static int postcopy_create(struct vhb_session *session, int userfault_fd,
			   struct vhb_postcopy **postcopy_out)
{
	struct vhb_postcopy *postcopy = calloc(1, sizeof(*postcopy));
	int ret;

	if (!postcopy)
		return -ENOMEM;
	ret = vhb_fault_guard_create(userfault_fd, session->channel.fd,
				     &postcopy->guard);
	if (ret)
		goto free_postcopy;
	*postcopy_out = postcopy;
	return 0;

free_postcopy:
	free(postcopy);
	return ret;
}

/* A second time means that the first migration came to nothing. */
int vhb_act_postcopy_advise(struct vhb_session *session, struct vhb_want *want,
			    struct vhb_message *message)
{
	struct vhb_postcopy *postcopy;
	const char *why;
	int fd, reply_fd, ret;

	(void)want;
	(void)message;
	if (vhb_postcopy_is_listening(session))
		return vhb_refuse(session, -EBUSY, "postcopy is under way");
	fd = vhb_userfault_open(&why);
	if (fd < 0)
		return vhb_refuse(session, fd, "%s", why);
	reply_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (reply_fd < 0) {
		ret = -errno;
		goto close_fd;
	}
	ret = postcopy_create(session, fd, &postcopy);
	if (ret)
		goto close_reply_fd;

	vhb_postcopy_destroy(session);
	session->postcopy = postcopy;
	vhb_address_space_on_unmap(session->space, remove_pages,
				   postcopy->guard);
	vhb_channel_attach(&session->channel, reply_fd);
	return 0;

close_reply_fd:
	close(reply_fd);
close_fd:
	close(fd);
	return vhb_refuse(session, ret, "userfaultfd: %s",
			  strerrordesc_np(-ret));
}

size_t vhb_reply_postcopy_advise(struct vhb_session *session,
				 const struct vhb_message *message,
				 union vhb_payload *reply)
{
	(void)session;
	(void)message;
	(void)reply;
	return 0;
}

/* Pages of memory that has been in use are there, and would never fault. */
int vhb_act_postcopy_listen(struct vhb_session *session, struct vhb_want *want,
			    struct vhb_message *message)
{
	(void)message;
	if (!session->postcopy)
		return vhb_refuse(session, -EINVAL,
				  "there was no POSTCOPY_ADVISE");
	if (!vhb_postcopy_is_listening(session) &&
	    vhb_memory_map_region_count(want->map))
		return vhb_refuse(session, -EBUSY,
				  "there is memory of the guest already");
	session->postcopy->is_listening = true;
	return 0;
}

static void take_waiting_map(struct vhb_session *session, struct vhb_want *want)
{
	if (!session->postcopy->waiting_map)
		return;
	want->map = vhb_memory_map_get(session->postcopy->waiting_map);
}

void vhb_postcopy_settle(struct vhb_session *session)
{
	struct vhb_postcopy *postcopy = session->postcopy;

	if (!postcopy || !postcopy->waiting_map ||
	    session->want.map != postcopy->waiting_map)
		return;
	vhb_memory_map_put(postcopy->waiting_map);
	postcopy->waiting_map = NULL;
}

int vhb_edit_postcopy_ack(struct vhb_session *session, struct vhb_want *want,
			  struct vhb_message *message)
{
	if (message->payload.u64)
		return vhb_refuse(session, -EPROTO,
				  "the front-end cannot answer page faults");
	take_waiting_map(session, want);
	return 0;
}

int vhb_act_postcopy_end(struct vhb_session *session, struct vhb_want *want,
			 struct vhb_message *message)
{
	(void)message;
	if (!vhb_postcopy_is_listening(session))
		return vhb_refuse(session, -EINVAL,
				  "there was no POSTCOPY_LISTEN");
	take_waiting_map(session, want);
	vhb_postcopy_destroy(session);
	return 0;
}

size_t vhb_reply_postcopy_end(struct vhb_session *session,
			      const struct vhb_message *message,
			      union vhb_payload *reply)
{
	(void)session;
	(void)message;
	reply->u64 = 0;
	return sizeof(reply->u64);
}

static void put_address(struct vhb_session *session,
			struct vhb_wire_region *region)
{
	uint64_t hva = 0;

	vhb_memory_map_translate(session->postcopy->waiting_map, region->uva,
				 region->size_bytes, &hva);
	region->uva = hva;
}

/* As long as the request, whatever it had behind its regions */
size_t vhb_reply_postcopy_table(struct vhb_session *session,
				const struct vhb_message *message,
				union vhb_payload *reply)
{
	reply->memory = message->payload.memory;
	for (uint32_t i = 0; i < reply->memory.region_count; i++)
		put_address(session, &reply->memory.regions[i]);
	return message->header.size_bytes;
}

size_t vhb_reply_postcopy_region(struct vhb_session *session,
				 const struct vhb_message *message,
				 union vhb_payload *reply)
{
	reply->single_region = message->payload.single_region;
	put_address(session, &reply->single_region.region);
	return sizeof(reply->single_region);
}
