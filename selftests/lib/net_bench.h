/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_NET_BENCH_H
#define SELFTESTS_LIB_NET_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/broker.h"
#include "lib/frame.h"
#include "lib/net_guest.h"

/**
 * DOC: a guest, the real broker and the host's end of the tap
 *
 * Frames are UDP datagrams that carry their number and bytes that follow from
 * it, so that each is compared in full. Functions return 0 or -errno unless said
 * otherwise.
 */

#define NET_BENCH_TAP "vhbtest0"
/** Frames under way at once: fits every ring and the tap's own queue */
#define NET_BENCH_BURST 32

/**
 * struct net_bench - one of each
 * @broker: the broker on NET_BENCH_TAP
 * @guest: its front-end
 * @host_fd: packet socket on the tap, for IPv4
 * @guest_sent: frames the guest has sent
 * @host_taken: those of them that the host has seen
 * @host_sent: frames the host has sent
 * @guest_taken: those of them that the guest has seen
 * @stale_below: frames with a lower number are left over from a guest that is
 *               gone and may be still in the tap's queue
 */
struct net_bench {
	struct broker broker;
	struct net_guest guest;
	int host_fd;
	uint32_t guest_sent;
	uint32_t host_taken;
	uint32_t host_sent;
	uint32_t guest_taken;
	uint32_t stale_below;
};

/**
 * net_bench_start() - broker, tap and packet socket; no guest yet
 * @bench: set up by this
 * @arguments: for the broker, besides --tap; NULL at the end
 */
int net_bench_start(struct net_bench *bench, const char *const *arguments);

/** net_bench_stop() - end it all; broker_stop()'s result */
int net_bench_stop(struct net_bench *bench);

/** net_bench_frame() - frame @number; its length with the header */
int net_bench_frame(uint8_t *frame, size_t vnet_bytes, uint32_t number,
		    uint16_t port);

/**
 * net_bench_check() - is this frame @number?
 *
 * Return: 0, -ENOMSG for a frame that is none of ours or older than
 * @stale_below, -EBADMSG for one that came out of turn or is damaged.
 */
int net_bench_check(const uint8_t *frame, size_t frame_bytes, size_t vnet_bytes,
		    uint32_t number, uint32_t stale_below);

/** net_bench_guest_queue() - the guest sends @count frames, at most a burst */
int net_bench_guest_queue(struct net_bench *bench, unsigned int pair,
			  unsigned int count);

/** net_bench_host_queue() - the host sends @count frames, at most a burst */
int net_bench_host_queue(struct net_bench *bench, unsigned int pair,
			 unsigned int count);

/** net_bench_host_take() - the next @count frames arrive at the host, unharmed */
int net_bench_host_take(struct net_bench *bench, unsigned int count);

/** net_bench_guest_take() - the same at the guest */
int net_bench_guest_take(struct net_bench *bench, unsigned int pair,
			 unsigned int count);

/** net_bench_guest_sends() - @count frames arrive at the host, unharmed */
int net_bench_guest_sends(struct net_bench *bench, unsigned int pair,
			  unsigned int count);

/** net_bench_host_sends() - @count frames arrive at the guest, unharmed */
int net_bench_host_sends(struct net_bench *bench, unsigned int pair,
			 unsigned int count);

/** net_bench_exchange() - both, in turn */
int net_bench_exchange(struct net_bench *bench, unsigned int pair,
		       unsigned int count);

/** net_bench_forget() - frames under way may come, late, or not at all */
void net_bench_forget(struct net_bench *bench);

/** net_bench_session() - a whole good session: open, exchange, stop, close */
int net_bench_session(struct net_bench *bench,
		      const struct net_guest_config *config,
		      unsigned int count);

#endif
