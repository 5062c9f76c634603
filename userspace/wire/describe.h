/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_WIRE_DESCRIBE_H
#define VHB_WIRE_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"
#include "wire/protocol.h"

/**
 * DOC: messages in words
 *
 * A message may be anything a front-end can send: nothing is taken for granted
 * but the header's size, and nothing beyond it is read. Fields are NAME=VALUE, in
 * the order they have on the wire; numbers that count are decimal, addresses, sizes and
 * sets of bits are hexadecimal, bits are named. A payload that ends too early shows
 * as "truncated=N", N being its size; bytes behind the last field as "+N bytes".
 */

/**
 * vhb_describe_message() - a front-end's message: name, fields, descriptors
 * @message: any message; its descriptors must still be there
 * @type_name: device type, for the names of features
 * @text: where to
 */
void vhb_describe_message(const struct vhb_message *message,
			  const char *type_name, struct vhb_text *text);

/**
 * vhb_describe_reply() - what a message was answered, where that is no ack
 * @request: as on the wire
 * @payload: the reply's
 * @size_bytes: its size
 * @type_name: device type
 * @text: where to
 */
void vhb_describe_reply(uint32_t request, const void *payload,
			size_t size_bytes, const char *type_name,
			struct vhb_text *text);

/**
 * vhb_describe_backend() - a message of ours on the back-end channel
 * @request: as on the wire
 * @payload: the message's
 * @size_bytes: its size
 * @text: where to
 */
void vhb_describe_backend(uint32_t request, const void *payload,
			  size_t size_bytes, struct vhb_text *text);

#endif
