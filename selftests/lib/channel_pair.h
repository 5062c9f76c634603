/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_CHANNEL_PAIR_H
#define SELFTESTS_LIB_CHANNEL_PAIR_H

#include <stddef.h>
#include <stdint.h>

#include "lib/frontend.h"
#include "wire/channel.h"

#define HEADER_BYTES 12

/**
 * struct pair - a channel with a front-end at its other end
 * @peer: the front-end
 * @channel: the channel under test
 * @fds_before: descriptors of this process before there was a pair
 */
struct pair {
	struct frontend peer;
	struct vhb_channel channel;
	unsigned int fds_before;
};

/** struct bytes - a message as it goes over the wire */
struct bytes {
	size_t size;
	uint8_t data[HEADER_BYTES + VHB_PAYLOAD_MAX_BYTES];
};

/** connect_pair() - cmocka set-up: *state becomes a &struct pair */
int connect_pair(void **state);

/** close_pair() - cmocka teardown: fails when a descriptor was left behind */
int close_pair(void **state);

/** make_message() - a message whose payload counts up from 1 */
struct bytes make_message(uint32_t request, uint32_t flags,
			  uint32_t size_bytes);

/** open_fds() - new eventfds that count 0, 1, 2 ... */
void open_fds(int *fds, unsigned int count);
void close_fds(const int *fds, unsigned int count);

/** send_with_fds() - send bytes with new descriptors on the first of them */
void send_with_fds(struct pair *pair, const void *bytes, size_t size,
		   unsigned int fd_count);
void send_bytes(struct pair *pair, const struct bytes *bytes);

/** assert_received() - the channel holds just this message */
void assert_received(const struct pair *pair, const struct bytes *bytes,
		     unsigned int fd_count);

/** assert_refused() - receiving fails with -EPROTO and a clause with @why */
void assert_refused(struct pair *pair, const char *why);

#define PAIR_TEST(function) \
	cmocka_unit_test_setup_teardown(function, connect_pair, close_pair)

#endif
