/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_CONTROL_BROKER_H
#define VHB_CONTROL_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/json.h"
#include "netlink/link_stats.h"
#include "session/report.h"

/**
 * DOC: what a broker says of itself
 *
 * As a structure, and as the JSON object that goes over its control socket and
 * that vhost-bridge status --json prints. Names and meanings stay; there may be
 * more of them.
 */

/** The longest text a broker says, in bytes: 160 vrings take a third of it */
#define VHB_BROKER_TEXT_MAX (128 * 1024)

/**
 * struct vhb_broker - a running vhost-bridge
 * @version: of the program
 * @pid: its process
 * @type: device type
 * @socket: where front-ends come, empty for an inherited socket
 * @host: what there is on the host's side: tap, or file
 * @time_ns: when this was asked, on the monotonic clock
 * @session: the front-end there is
 * @has_stats: @stats is valid
 * @stats: what the tap has counted
 */
struct vhb_broker {
	char version[32];
	uint32_t pid;
	char type[16];
	char socket[112];
	char host[256];
	uint64_t time_ns;
	struct vhb_report session;
	bool has_stats;
	struct vhb_link_stats stats;
};

/**
 * vhb_broker_write() - as JSON
 * @json: where to
 * @key: its name, or NULL
 * @broker: the broker
 */
void vhb_broker_write(struct vhb_json *json, const char *key,
		      const struct vhb_broker *broker);

/**
 * vhb_broker_read() - from JSON
 * @text: what a broker sent, or anybody else
 * @size_bytes: its length
 * @broker: filled in; what is missing is zero, what makes no sense is left out
 *
 * Return: 0, -EBADMSG when it is no broker, -E2BIG, -ENOMEM.
 */
int vhb_broker_read(const char *text, size_t size_bytes,
		    struct vhb_broker *broker);

#endif
