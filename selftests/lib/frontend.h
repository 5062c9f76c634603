/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_FRONTEND_H
#define SELFTESTS_LIB_FRONTEND_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/guest_memory.h"
#include "wire/protocol.h"

/**
 * DOC: a vhost-user front-end for tests
 *
 * Well-behaved through the typed functions, hostile through frontend_send() and
 * frontend_send_bytes(). Every wait is bounded. Unless said otherwise functions
 * return 0 or -errno:
 * -ETIMEDOUT (nothing came in time), -ECONNRESET or -EPIPE (the back-end closed
 * the connection), -EPROTO (a reply that breaks the specification; see
 * &struct frontend.why), -EREMOTEIO (the back-end acknowledged with a value
 * that is not zero; see &struct frontend.last_ack).
 */

/**
 * struct frontend - one connection to a back-end
 * @fd: the socket, or -1
 * @timeout_ms: the longest wait for one reply, for room in the socket, and for
 *              a back-end to listen
 * @need_reply: ask for an ack of every message once REPLY_ACK is
 *              negotiated (also of those that have a reply of their own, as
 *              Cloud Hypervisor does)
 * @acked_protocol_mask: what frontend_set_protocol_features() negotiated
 * @last_ack: value of the last one; 0 means success
 * @is_reply_empty: the last reply had no payload
 * @lock: held while a request waits for its reply, if others send too; or NULL
 * @why: what was wrong when a function returned -EPROTO
 */
struct frontend {
	int fd;
	unsigned int timeout_ms;
	bool need_reply;
	uint64_t acked_protocol_mask;
	uint64_t last_ack;
	bool is_reply_empty;
	pthread_mutex_t *lock;
	char why[160];
};

/** Descriptors one reply may carry (the specification has no more than one) */
#define FRONTEND_REPLY_FDS_MAX 8

/**
 * struct frontend_reply - whatever the back-end sent
 * @header: as on the wire
 * @payload: header.size_bytes of it are valid
 * @fds: owned by the caller of frontend_receive()
 * @fd_count: how many came
 */
struct frontend_reply {
	struct vhb_wire_header header;
	union vhb_payload payload;
	int fds[FRONTEND_REPLY_FDS_MAX];
	unsigned int fd_count;
};

/** frontend_connect() - connect, retrying until a back-end listens on @path */
int frontend_connect(struct frontend *frontend, const char *path,
		     unsigned int timeout_ms);

/** frontend_adopt() - use a connected socket; owned from now on */
void frontend_adopt(struct frontend *frontend, int fd, unsigned int timeout_ms);

/** frontend_close() - hang up; may be closed already */
void frontend_close(struct frontend *frontend);

/**
 * frontend_send_bytes() - send anything
 * @frontend: the connection
 * @bytes: what; need not be a message or only one
 * @size_bytes: its length
 * @fds: descriptors that travel with the first byte; may be NULL
 * @fd_count: how many; 0 sends no control data
 */
int frontend_send_bytes(struct frontend *frontend, const void *bytes,
			size_t size_bytes, const int *fds,
			unsigned int fd_count);

/**
 * frontend_send() - send a message with any request, flags and payload
 *
 * The header's size is @size_bytes. Waits for no reply.
 */
int frontend_send(struct frontend *frontend, uint32_t request, uint32_t flags,
		  const void *payload, size_t size_bytes, const int *fds,
		  unsigned int fd_count);

/** frontend_receive() - receive a message of the back-end, whatever it is */
int frontend_receive(struct frontend *frontend, struct frontend_reply *reply);

/** frontend_reply_close() - close the descriptors that came with a reply */
void frontend_reply_close(struct frontend_reply *reply);

/**
 * frontend_receive_reply() - receive the reply to a request
 * @frontend: the connection
 * @request: what it must answer
 * @payload: receives the payload; may be NULL
 * @size_bytes: the size it must have
 *
 * The flags must be exactly version 1 and reply, and no descriptor may come.
 */
int frontend_receive_reply(struct frontend *frontend, uint32_t request,
			   void *payload, size_t size_bytes);

/** frontend_ask() - send a request that has a reply of its own, receive that */
int frontend_ask(struct frontend *frontend, uint32_t request,
		 const void *payload, size_t size_bytes, void *reply,
		 size_t reply_bytes);

/**
 * frontend_ask_fd() - the same for a reply of the request's size that brings a
 * descriptor, to be closed by the caller
 */
int frontend_ask_fd(struct frontend *frontend, uint32_t request,
		    const void *payload, size_t size_bytes, void *answer,
		    int *fd_out);

/**
 * frontend_tell() - send a request without a reply of its own
 *
 * Waits for the ack when frontend->need_reply is set and REPLY_ACK
 * was negotiated; otherwise a failure shows only later.
 */
int frontend_tell(struct frontend *frontend, uint32_t request,
		  const void *payload, size_t size_bytes, const int *fds,
		  unsigned int fd_count);

/**
 * frontend_expect_silence() - nothing comes for @wait_ms
 *
 * Return: 0; -EEXIST when something came; -ECONNRESET when closed.
 */
int frontend_expect_silence(struct frontend *frontend, unsigned int wait_ms);

/**
 * frontend_expect_closed() - the back-end closes without another byte
 *
 * Return: 0; -EEXIST when something came; -ETIMEDOUT when it stays open.
 */
int frontend_expect_closed(struct frontend *frontend);

int frontend_get_features(struct frontend *frontend, uint64_t *mask_out);
int frontend_set_features(struct frontend *frontend, uint64_t mask);
int frontend_get_protocol_features(struct frontend *frontend,
				   uint64_t *mask_out);
int frontend_set_protocol_features(struct frontend *frontend, uint64_t mask);
int frontend_set_owner(struct frontend *frontend);
int frontend_reset_owner(struct frontend *frontend);
int frontend_reset_device(struct frontend *frontend);
int frontend_get_queue_num(struct frontend *frontend, uint64_t *count_out);

/** frontend_set_mem_table() - @count regions with one descriptor each */
int frontend_set_mem_table(struct frontend *frontend,
			   const struct vhb_wire_region *regions,
			   const int *fds, unsigned int count);
int frontend_add_mem_reg(struct frontend *frontend,
			 const struct vhb_wire_region *region, int fd);
int frontend_rem_mem_reg(struct frontend *frontend,
			 const struct vhb_wire_region *region);
int frontend_get_max_mem_slots(struct frontend *frontend, uint64_t *count_out);

int frontend_set_vring_num(struct frontend *frontend, unsigned int index,
			   unsigned int num);
int frontend_set_vring_addr(struct frontend *frontend,
			    const struct vhb_wire_vring_addr *addr);
int frontend_set_vring_base(struct frontend *frontend, unsigned int index,
			    unsigned int base);
int frontend_get_vring_base(struct frontend *frontend, unsigned int index,
			    unsigned int *base_out);
int frontend_set_vring_enable(struct frontend *frontend, unsigned int index,
			      bool enable);

/* A negative @fd sets the bit that says there is none. */
int frontend_set_vring_kick(struct frontend *frontend, unsigned int index,
			    int fd);
int frontend_set_vring_call(struct frontend *frontend, unsigned int index,
			    int fd);
int frontend_set_vring_err(struct frontend *frontend, unsigned int index,
			   int fd);

/** frontend_get_config() - -EIO when the back-end answers "error" (no payload) */
int frontend_get_config(struct frontend *frontend, uint32_t offset_bytes,
			uint32_t flags, void *data, uint32_t size_bytes);
int frontend_set_config(struct frontend *frontend, uint32_t offset_bytes,
			uint32_t flags, const void *data, uint32_t size_bytes);

/** frontend_iotlb() - IOTLB_MSG, an update or an invalidation */
int frontend_iotlb(struct frontend *frontend,
		   const struct vhb_wire_iotlb *entry);
int frontend_set_mtu(struct frontend *frontend, uint64_t mtu);
int frontend_send_rarp(struct frontend *frontend, const uint8_t mac[6]);
int frontend_get_status(struct frontend *frontend, uint64_t *status_out);
int frontend_set_status(struct frontend *frontend, uint64_t status);

/** frontend_get_inflight_fd() - the caller closes @fd_out */
int frontend_get_inflight_fd(struct frontend *frontend, unsigned int queue_count,
			     unsigned int queue_entries,
			     struct vhb_wire_inflight *inflight_out,
			     int *fd_out);
int frontend_set_inflight_fd(struct frontend *frontend,
			     const struct vhb_wire_inflight *inflight, int fd);

#endif
