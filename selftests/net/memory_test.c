// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory as real front-ends have it, on the kernel's own vhost-net */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <cmocka.h>

#include <linux/memfd.h>

#include "lib/host_link.h"
#include "lib/net_bench.h"

#define KIB UINT64_C(1024)
#define MIB (KIB << 10)
#define GIB (MIB << 10)
#define TIB (GIB << 10)

/* What GET_MAX_MEM_SLOTS says, and what the kernel takes in one table */
#define SLOTS 509
#define KERNEL_REGIONS 64
/* A memory slot, and how far apart they are: none touches the next. */
#define SLOT_BYTES (64 * KIB)
#define SLOT_STRIDE MIB
#define FRAMES 64

#define HUGE_PAGE (2 * MIB)
#define HUGE_BYTES (6 * HUGE_PAGE)

/**
 * struct memory_bench - a guest under traffic
 * @net: broker, guest and host
 * @slots_fd: a file with a page or more for each slot
 */
struct memory_bench {
	struct net_bench net;
	int slots_fd;
};

static int set_up(void **state)
{
	static struct memory_bench bench;
	int ret;

	*state = &bench;
	bench.slots_fd = memfd_create("slots", MFD_CLOEXEC);
	if (bench.slots_fd < 0 ||
	    ftruncate(bench.slots_fd, SLOTS * SLOT_BYTES))
		return -errno;
	ret = net_bench_start(&bench.net, NULL);
	if (ret)
		return ret;
	return net_guest_open(&bench.net.guest, &net_guest_config_default,
			      bench.net.broker.socket_path);
}

static int tear_down(void **state)
{
	struct memory_bench *bench = *state;

	net_guest_close(&bench->net.guest);
	close(bench->slots_fd);
	if (!broker_is_alive(&bench->net.broker))
		broker_show_log(&bench->net.broker);
	return net_bench_stop(&bench->net);
}

static int add(struct memory_bench *bench, const struct guest_memory *memory)
{
	return frontend_add_mem_reg(&bench->net.guest.frontend,
				    &memory->region, memory->fd);
}

/* All buffers of both rings are in this memory from now on. */
static void use_buffers(struct memory_bench *bench,
			struct guest_memory *memory, uint64_t offset_bytes)
{
	struct net_guest *guest = &bench->net.guest;

	guest->queues[0].buffers = memory;
	guest->queues[0].buffers_offset = offset_bytes;
	guest->queues[1].buffers = memory;
	guest->queues[1].buffers_offset =
		offset_bytes + guest->config.ring_num *
					guest->config.buffer_bytes;
}

/*
 * More than once round the receive ring, so that every buffer in it is a new
 * one at the end.
 */
static void expect_traffic(struct memory_bench *bench)
{
	assert_int_equal(net_bench_exchange(&bench->net, 0,
					    2 * bench->net.guest.config.ring_num),
			 0);
}

static struct vhb_wire_region slot_region(unsigned int slot, uint64_t first,
					  uint64_t stride)
{
	return (struct vhb_wire_region){
		.gpa = first + slot * stride,
		.size_bytes = SLOT_BYTES,
		.uva = first + slot * stride,
		.offset_bytes = slot * SLOT_BYTES,
	};
}

static int add_slot(struct memory_bench *bench,
		    const struct vhb_wire_region *region)
{
	return frontend_add_mem_reg(&bench->net.guest.frontend, region,
				    bench->slots_fd);
}

/* Each is added, and half of them removed, with frames under way. */
static void five_hundred_and_nine_slots_with_holes_work(void **state)
{
	struct memory_bench *bench = *state;
	struct net_guest *guest = &bench->net.guest;
	struct guest_memory *last = &guest->memory[1];
	struct vhb_wire_region region;
	uint64_t slots;
	unsigned int i;

	assert_int_equal(frontend_get_max_mem_slots(&guest->frontend, &slots),
			 0);
	assert_int_equal(slots, SLOTS);
	/* The guest begins with one, and the last is a large one. */
	for (i = 1; i < SLOTS - 1; i++) {
		region = slot_region(i, 4 * GIB, SLOT_STRIDE);
		if (!(i % 64))
			assert_int_equal(net_bench_guest_queue(&bench->net, 0,
							       8), 0);
		assert_int_equal(add_slot(bench, &region), 0);
		if (!(i % 64))
			assert_int_equal(net_bench_host_take(&bench->net, 8),
					 0);
	}
	assert_int_equal(guest_memory_create(last, NET_GUEST_REGION_MIB,
					     8 * GIB, 0), 0);
	assert_int_equal(add(bench, last), 0);
	use_buffers(bench, last, 0);
	expect_traffic(bench);

	region = slot_region(0, 4 * GIB, SLOT_STRIDE);
	assert_int_equal(add_slot(bench, &region), -EREMOTEIO);
	assert_int_equal(net_bench_exchange(&bench->net, 0, FRAMES), 0);
	for (i = 1; i < SLOTS - 1; i += 2) {
		region = slot_region(i, 4 * GIB, SLOT_STRIDE);
		assert_int_equal(frontend_rem_mem_reg(&guest->frontend,
						      &region), 0);
	}
	expect_traffic(bench);
	region = slot_region(0, 4 * GIB, SLOT_STRIDE);
	assert_int_equal(add_slot(bench, &region), 0);
	expect_traffic(bench);
}

/*
 * DPDK: guest addresses are those of the process, all over its 47 bits. Each
 * region is one of the kernel's then, and it takes 64.
 */
static void regions_far_apart_work_up_to_the_kernels_limit(void **state)
{
	struct memory_bench *bench = *state;
	struct net_guest *guest = &bench->net.guest;
	struct guest_memory *far = &guest->memory[1];
	struct vhb_wire_region region;
	unsigned int i;

	assert_int_equal(guest_memory_create(far, NET_GUEST_REGION_MIB,
					     127 * TIB, 127 * TIB), 0);
	assert_int_equal(add(bench, far), 0);
	for (i = 2; i < KERNEL_REGIONS; i++) {
		region = slot_region(i, TIB / 2, TIB);
		assert_int_equal(add_slot(bench, &region), 0);
	}
	use_buffers(bench, far, 0);
	expect_traffic(bench);

	region = slot_region(i, TIB / 2, TIB);
	assert_int_equal(add_slot(bench, &region), -EREMOTEIO);
	assert_true(broker_comes_to_say(&bench->net.broker, "refused ADD_MEM_REG"));
	expect_traffic(bench);
	/* Room again */
	region = slot_region(2, TIB / 2, TIB);
	assert_int_equal(frontend_rem_mem_reg(&guest->frontend, &region), 0);
	region = slot_region(i, TIB / 2, TIB);
	assert_int_equal(add_slot(bench, &region), 0);
	expect_traffic(bench);
}

/* From @offset_bytes on in a file of huge pages; false when there are none */
static bool create_huge(struct guest_memory *memory, uint64_t gpa,
			uint64_t offset_bytes)
{
	uint8_t *base;

	memory->fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB |
					  MFD_HUGE_2MB);
	if (memory->fd < 0)
		return false;
	assert_int_equal(ftruncate(memory->fd, HUGE_BYTES), 0);
	base = mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		    memory->fd, 0);
	if (base == MAP_FAILED)
		return false;
	memory->base = base + offset_bytes;
	memory->region = (struct vhb_wire_region){
		.gpa = gpa,
		.size_bytes = HUGE_BYTES - HUGE_PAGE,
		.uva = (uintptr_t)memory->base,
		.offset_bytes = offset_bytes,
	};
	return true;
}

static void destroy_huge(struct guest_memory *memory)
{
	munmap(memory->base - memory->region.offset_bytes, HUGE_BYTES);
	close(memory->fd);
	memory->base = NULL;
	memory->fd = -1;
}

static void use_huge_pages(struct memory_bench *bench, uint64_t gpa,
			   uint64_t offset_bytes)
{
	struct net_guest *guest = &bench->net.guest;
	struct guest_memory *huge = &guest->memory[1];
	struct guest_memory *small = &guest->memory[0];

	if (!create_huge(huge, gpa, offset_bytes)) {
		print_message("# no huge pages of 2 MiB\n");
		skip();
	}
	assert_int_equal(add(bench, huge), 0);
	use_buffers(bench, huge, 0);
	expect_traffic(bench);
	use_buffers(bench, small, MIB);
	expect_traffic(bench);
	assert_int_equal(frontend_rem_mem_reg(&guest->frontend,
					      &huge->region), 0);
	expect_traffic(bench);
	destroy_huge(huge);
}

static void huge_pages_in_step_work(void **state)
{
	use_huge_pages(*state, 4 * GIB, HUGE_PAGE);
}

/* The guest address says another place in its huge page than the offset. */
static void huge_pages_at_an_odd_offset_work(void **state)
{
	use_huge_pages(*state, 4 * GIB + 8 * KIB, 4 * KIB);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(five_hundred_and_nine_slots_with_holes_work),
		CASE(regions_far_apart_work_up_to_the_kernels_limit),
		CASE(huge_pages_in_step_work),
		CASE(huge_pages_at_an_odd_offset_work),
	};

	if (!vhost_net_is_there())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	return cmocka_run_group_tests_name("net: memory", tests, NULL, NULL);
}
