/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_WIRE_CHANNEL_H
#define VHB_WIRE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/why.h"
#include "wire/protocol.h"

/**
 * struct vhb_channel - one connected stream socket that carries messages
 * @fd: the socket, non-blocking; owned
 * @received_bytes: how much of @message has arrived
 * @message: the message being received, complete when
 *           vhb_channel_receive() returned 1
 * @reply: the reply being sent, header first
 * @reply_bytes: its length; 0 when there is none
 * @reply_sent_bytes: how much of it has left
 * @reply_fd: travels with the reply's first byte; owned, or -1
 * @reply_had_fd: a descriptor went or goes with the reply
 * @why: what was wrong when a function returned -EPROTO
 *
 * At most one message and one reply exist at a time, so a front-end can hold no
 * more memory of ours than this structure and VHB_FDS_MAX + 1 descriptors.
 */
struct vhb_channel {
	int fd;
	size_t received_bytes;
	struct vhb_message message;
	uint8_t reply[sizeof(struct vhb_wire_header) +
		      sizeof(struct vhb_wire_memory)];
	size_t reply_bytes;
	size_t reply_sent_bytes;
	int reply_fd;
	bool reply_had_fd;
	struct vhb_why why;
};

/**
 * vhb_channel_init() - take over a connected socket
 * @channel: zeroed and set up by this
 * @fd: a connected AF_UNIX stream socket; made non-blocking and close-on-exec;
 *      owned by the channel also when this fails
 *
 * Return: 0 or -errno of fcntl().
 */
int vhb_channel_init(struct vhb_channel *channel, int fd);

/**
 * vhb_channel_close() - close the socket and every descriptor received
 * @channel: may be closed already
 */
void vhb_channel_close(struct vhb_channel *channel);

/**
 * vhb_channel_receive() - read on without blocking
 * @channel: the channel; must not hold a complete message
 *
 * Never reads past the end of the message, so descriptors cannot be attributed
 * to the wrong one. Descriptors are received close-on-exec and may come with any
 * byte of the message. The header is judged as soon as it is there: version,
 * reply flag (a front-end's request must not have it) and size.
 *
 * Return: 1 when channel->message is complete; 0 when more has to come;
 * -ECONNRESET when the front-end closed the connection between two messages;
 * -EPROTO for a malformed header, truncated control data (too many
 * descriptors) or a close in the middle of a message, with channel->why set;
 * another -errno of recvmsg().
 */
int vhb_channel_receive(struct vhb_channel *channel);

/**
 * vhb_channel_done() - forget the complete message
 * @channel: the channel
 *
 * Closes the descriptors nobody has taken over, and one attached to a reply that
 * was never sent, and makes ready for the next.
 */
void vhb_channel_done(struct vhb_channel *channel);

/**
 * vhb_channel_attach() - let a descriptor travel with the reply to come
 * @channel: the channel; no reply may be under way
 * @fd: the descriptor; owned by the channel from now on and closed when it has
 *      left, or when the message turns out to get no reply
 */
void vhb_channel_attach(struct vhb_channel *channel, int fd);

/**
 * vhb_channel_reply() - send a reply to the message just received
 * @channel: the channel; no reply may be under way
 * @payload: the reply's payload
 * @size_bytes: its length, at most sizeof(struct vhb_wire_memory)
 *
 * The header gets the request's number, version 1 and the reply flag. What
 * vhb_channel_attach() was given goes along.
 *
 * Return: as vhb_channel_flush().
 */
int vhb_channel_reply(struct vhb_channel *channel, const void *payload,
		      size_t size_bytes);

/**
 * vhb_channel_flush() - go on sending the reply
 * @channel: the channel
 *
 * Return: 0 when there is nothing (more) to send, -EAGAIN when the socket is
 * full, another -errno of send() (never SIGPIPE).
 */
int vhb_channel_flush(struct vhb_channel *channel);

#endif
