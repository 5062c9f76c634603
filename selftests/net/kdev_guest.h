/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_NET_KDEV_GUEST_H
#define SELFTESTS_NET_KDEV_GUEST_H

/**
 * DOC: a guest without a VMM
 *
 * Drives a net device on the real vhost-net as the session does, with rings in
 * the test's own memory, and has the host's end of the tap at hand.
 */

#include "net/net_fixture.h"

#include <ctype.h>

#include <arpa/inet.h>
#include <netpacket/packet.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <linux/if_ether.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "kdev/module.h"
#include "kdev/net_private.h"
#include "kdev/vhost_ioctl.h"
#include "lib/bits.h"
#include "lib/guest_ring.h"
#include "netlink/link.h"

#define VHOST_PATH "/dev/vhost-net"
#define TAP_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
#define WAIT_MS 5000
#define ROUNDS 40

#define RING_ENTRIES 64
#define GUEST_GPA 0x40000000
#define GUEST_MIB 4
#define RING_STRIDE 0x10000
#define BUFFERS_OFFSET 0x100000
#define BUFFER_BYTES 2048

/* For local experiments: the kernel sends none of these by itself. */
#define TEST_ETHERTYPE 0x88b5
#define FRAME_LENGTH 60

/*
 * struct guest - a driver, as far as these tests need one
 * @kdev: the device
 * @memory: where everything lies
 * @rings: as many as the device has vrings, each used from add_ring() on
 * @has_ring: which are
 * @header_bytes: length of the virtio-net header
 */
struct guest {
	struct vhb_kdev *kdev;
	struct guest_memory memory;
	struct guest_ring rings[8];
	bool has_ring[8];
	unsigned int header_bytes;
};

static bool has_vhost;
static int workers_before;

static inline int find_vhost(void **state)
{
	struct caught_lines lines;
	int fd;

	(void)state;
	catch_lines(&lines);
	fd = vhb_kdev_open(VHOST_PATH, "vhost_net");
	release_lines(&lines);
	has_vhost = fd >= 0;
	if (has_vhost)
		close(fd);
	return 0;
}

/* Worker threads: kernel threads up to 6.3, then threads of the process */
static inline int count_workers_in(const char *path, const char *wanted)
{
	struct dirent *entry;
	char name[300], comm[32];
	int count = 0;
	FILE *file;
	DIR *dir;

	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(name, sizeof(name), "%s/%s/comm", path, entry->d_name);
		file = fopen(name, "re");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) &&
		    !strncmp(comm, wanted, strlen(wanted)) &&
		    comm[strlen(wanted)] == '\n')
			count++;
		fclose(file);
	}
	closedir(dir);
	return count;
}

static inline int count_workers(void)
{
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "vhost-%d", getpid());
	return count_workers_in("/proc", wanted) +
	       count_workers_in("/proc/self/task", wanted);
}

/* A thread that has ended may be seen for a moment more. */
static inline void assert_workers(int wanted)
{
	unsigned int i;

	wanted += workers_before;
	for (i = 0; i < WAIT_MS / 10 && count_workers() != wanted; i++)
		usleep(10000);
	assert_int_equal(count_workers(), wanted);
}

static inline int setup(void **state)
{
	(void)state;
	if (!has_vhost) {
		snprintf(missing, sizeof(missing), VHOST_PATH);
		return 0;
	}
	workers_before = count_workers();
	return begin_netns_test();
}

static inline int teardown(void **state)
{
	(void)state;
	if (!has_vhost)
		return 0;
	assert_workers(0);
	return end_netns_test();
}

static inline struct vhb_net_config config_of(unsigned int pairs)
{
	return (struct vhb_net_config){
		.vhost_path = VHOST_PATH,
		.tap_name = "vhb0",
		.queue_pairs = pairs,
	};
}

static inline struct vhb_kdev *make_net(unsigned int pairs)
{
	const struct vhb_net_config config = config_of(pairs);
	struct vhb_kdev *kdev = NULL;

	assert_int_equal(vhb_net_create(&config, &kdev), 0);
	return kdev;
}

static inline void set_memory(struct guest *guest)
{
	union {
		struct vhost_memory head;
		uint8_t bytes[sizeof(struct vhost_memory) +
			      sizeof(struct vhost_memory_region)];
	} table = { .head.nregions = 1 };

	table.head.regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = GUEST_GPA,
		.memory_size = GUEST_MIB << 20,
		.userspace_addr = (uintptr_t)guest->memory.base,
	};
	assert_int_equal(guest->kdev->ops->set_mem_table(guest->kdev,
							 &table.head), 0);
}

/* Everything up to the vrings */
static inline void begin(struct guest *guest, struct vhb_kdev *kdev,
			 uint64_t acked_mask)
{
	memset(guest, 0, sizeof(*guest));
	guest->kdev = kdev;
	guest->header_bytes =
		acked_mask & (vhb_bit(VIRTIO_F_VERSION_1) |
			      vhb_bit(VIRTIO_NET_F_MRG_RXBUF)) ? 12 : 10;
	assert_int_equal(guest_memory_create(&guest->memory, GUEST_MIB,
					     GUEST_GPA, 0), 0);
	assert_int_equal(kdev->ops->set_owner(kdev), 0);
	assert_int_equal(kdev->ops->set_features(kdev, acked_mask), 0);
	set_memory(guest);
}

static inline void end(struct guest *guest)
{
	unsigned int i;

	guest->kdev->ops->reset(guest->kdev);
	for (i = 0; i < VHB_ARRAY_COUNT(guest->rings); i++) {
		if (guest->has_ring[i])
			guest_ring_destroy(&guest->rings[i]);
	}
	guest_memory_destroy(&guest->memory);
}

static inline struct guest_ring *add_ring(struct guest *guest,
					  unsigned int index)
{
	assert_int_equal(guest_ring_init(&guest->rings[index], &guest->memory,
					 index * RING_STRIDE, RING_ENTRIES), 0);
	guest->has_ring[index] = true;
	return &guest->rings[index];
}

static inline void program(struct guest *guest, unsigned int index,
			   uint32_t base)
{
	const struct vhb_kdev_ops *ops = guest->kdev->ops;
	struct vhb_kdev *kdev = guest->kdev;
	struct guest_ring *ring = &guest->rings[index];
	const struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};

	assert_int_equal(ops->set_vring_num(kdev, index, ring->num), 0);
	assert_int_equal(ops->set_vring_base(kdev, index, base), 0);
	assert_int_equal(ops->set_vring_addr(kdev, &addr), 0);
	assert_int_equal(ops->set_vring_kick(kdev, index, ring->kick_fd), 0);
	assert_int_equal(ops->set_vring_call(kdev, index, ring->call_fd), 0);
}

static inline void start(struct guest *guest, unsigned int index,
			 uint32_t base)
{
	program(guest, index, base);
	assert_int_equal(guest->kdev->ops->start_vring(guest->kdev, index), 0);
}

static inline uint64_t buffer_gpa(unsigned int index, unsigned int slot)
{
	return GUEST_GPA + BUFFERS_OFFSET +
	       (index * RING_ENTRIES + slot) * BUFFER_BYTES;
}

static inline void fill_frame(uint8_t *frame, uint8_t mark)
{
	memset(frame, mark, FRAME_LENGTH);
	memset(frame, 0xff, ETH_ALEN);
	memset(frame + ETH_ALEN, 0x02, ETH_ALEN);
	frame[12] = TEST_ETHERTYPE >> 8;
	frame[13] = TEST_ETHERTYPE & 0xff;
}

/* The host's end of the tap, where frames are seen and sent */
static inline int open_host_end(const char *name)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(TEST_ETHERTYPE),
		.sll_ifindex = if_nametoindex(name),
	};
	struct timeval timeout = { .tv_sec = WAIT_MS / 1000 };
	int fd;

	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout,
				    sizeof(timeout)), 0);
	return fd;
}

/* The guest sends a frame, the host receives it. */
static inline void transmit(struct guest *guest, unsigned int index,
			    int host_fd, uint8_t mark)
{
	struct guest_ring *ring = &guest->rings[index];
	struct guest_buffer buffer = {
		.gpa = buffer_gpa(index, 0),
		.size_bytes = guest->header_bytes + FRAME_LENGTH,
	};
	uint8_t *bytes = guest_memory_at(&guest->memory, buffer.gpa,
					 buffer.size_bytes);
	uint8_t seen[BUFFER_BYTES];
	int head;

	assert_non_null(bytes);
	memset(bytes, 0, guest->header_bytes);
	fill_frame(bytes + guest->header_bytes, mark);
	head = guest_ring_add(ring, &buffer, 1, 0);
	assert_true(head >= 0);
	assert_true(guest_ring_kick_always(ring) >= 0);
	assert_int_equal(guest_ring_get(ring, WAIT_MS, NULL), head);
	assert_int_equal(recv(host_fd, seen, sizeof(seen), 0), FRAME_LENGTH);
	assert_memory_equal(seen, bytes + guest->header_bytes, FRAME_LENGTH);
}

static inline void post_receive_buffer(struct guest *guest, unsigned int index,
				       unsigned int slot)
{
	struct guest_buffer buffer = {
		.gpa = buffer_gpa(index, slot),
		.size_bytes = BUFFER_BYTES,
	};

	assert_true(guest_ring_add(&guest->rings[index], &buffer, 0, 1) >= 0);
	assert_true(guest_ring_kick_always(&guest->rings[index]) >= 0);
}

/*
 * The host sends a frame, the guest receives it. There may be others before it:
 * IPv6 greets every new link.
 */
static inline void receive(struct guest *guest, unsigned int index,
			   int host_fd, uint8_t mark)
{
	struct guest_ring *ring = &guest->rings[index];
	uint8_t frame[FRAME_LENGTH];
	const uint8_t *seen;
	uint32_t size_bytes;
	int head;

	post_receive_buffer(guest, index, 0);
	fill_frame(frame, mark);
	assert_int_equal(send(host_fd, frame, sizeof(frame), 0), FRAME_LENGTH);
	for (;;) {
		head = guest_ring_get(ring, WAIT_MS, &size_bytes);
		assert_true(head >= 0);
		seen = guest_memory_at(&guest->memory, ring->desc[head].addr,
				       size_bytes);
		assert_non_null(seen);
		if (size_bytes == guest->header_bytes + FRAME_LENGTH &&
		    !memcmp(seen + guest->header_bytes, frame, FRAME_LENGTH))
			break;
		post_receive_buffer(guest, index, 0);
	}
	assert_int_equal(guest_ring_wait_call(ring, WAIT_MS), 0);
}

#endif
