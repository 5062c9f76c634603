// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/postcopy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>

#include <linux/userfaultfd.h>

#include "session/fault_guard.h"

#define PAGE_BYTES UINT64_C(4096)
#define NEED_REPLY_FLAGS 0x9
#define PLAIN_FLAGS 0x1

bool postcopy_is_possible(void)
{
	const char *why;
	int fd = vhb_userfault_open(&why);

	if (fd < 0) {
		printf("1..0 # SKIP %s\n", why);
		return false;
	}
	close(fd);
	return true;
}

int postcopy_advise(struct frontend *frontend, int *userfault_fd_out)
{
	char nothing[1];

	return frontend_ask_fd(frontend, VHB_POSTCOPY_ADVISE, NULL, 0, nothing,
			       userfault_fd_out);
}

static int ask_u64(struct frontend *frontend, uint32_t request)
{
	uint64_t value;
	int ret = frontend_send(frontend, request, NEED_REPLY_FLAGS, NULL, 0,
				NULL, 0);

	if (!ret)
		ret = frontend_receive_reply(frontend, request, &value,
					     sizeof(value));
	if (ret)
		return ret;
	return value ? -EREMOTEIO : 0;
}

int postcopy_listen(struct frontend *frontend)
{
	return ask_u64(frontend, VHB_POSTCOPY_LISTEN);
}

int postcopy_end(struct frontend *frontend)
{
	return ask_u64(frontend, VHB_POSTCOPY_END);
}

/* All but the address must come back as it was sent. */
static int take_base(const struct vhb_wire_region *sent,
		     const struct vhb_wire_region *received,
		     uint64_t *base_out)
{
	struct vhb_wire_region expected = *sent;

	expected.uva = received->uva;
	if (!received->uva || memcmp(&expected, received, sizeof(expected)))
		return -EBADMSG;
	*base_out = received->uva;
	return 0;
}

int postcopy_set_mem_table(struct frontend *frontend,
			   const struct vhb_wire_region *regions,
			   const int *fds, unsigned int count,
			   uint64_t *bases_out)
{
	struct vhb_wire_memory table = { .region_count = count };
	const size_t size_bytes = offsetof(struct vhb_wire_memory, regions) +
				  count * sizeof(regions[0]);
	struct vhb_wire_memory reply;
	int ret;

	memcpy(table.regions, regions, count * sizeof(regions[0]));
	ret = frontend_send(frontend, VHB_SET_MEM_TABLE, PLAIN_FLAGS, &table,
			    size_bytes, fds, count);
	if (!ret)
		ret = frontend_receive_reply(frontend, VHB_SET_MEM_TABLE,
					     &reply, size_bytes);
	if (!ret && reply.region_count != count)
		ret = -EBADMSG;
	for (unsigned int i = 0; !ret && i < count; i++)
		ret = take_base(&regions[i], &reply.regions[i], &bases_out[i]);
	return ret;
}

int postcopy_add_mem_reg(struct frontend *frontend,
			 const struct vhb_wire_region *region, int fd,
			 uint64_t *base_out)
{
	const struct vhb_wire_single_region single = { .region = *region };
	struct vhb_wire_single_region reply;
	int ret;

	ret = frontend_send(frontend, VHB_ADD_MEM_REG, PLAIN_FLAGS, &single,
			    sizeof(single), &fd, 1);
	if (!ret)
		ret = frontend_receive_reply(frontend, VHB_ADD_MEM_REG, &reply,
					     sizeof(reply));
	return ret ? ret : take_base(region, &reply.region, base_out);
}

int postcopy_ack(struct frontend *frontend, uint32_t request, uint64_t value)
{
	return frontend_send(frontend, request, PLAIN_FLAGS, &value,
			     sizeof(value), NULL, 0);
}

static int watch_own(struct page_server *server,
		     const struct guest_memory *memory)
{
	struct uffdio_register registration = {
		.range = {
			.start = (uintptr_t)memory->base,
			.len = memory->region.size_bytes,
		},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	const char *why;

	if (server->own_fd <= 0)
		server->own_fd = vhb_userfault_open(&why);
	if (server->own_fd < 0)
		return server->own_fd;
	return ioctl(server->own_fd, UFFDIO_REGISTER, &registration) ? -errno :
								       0;
}

int page_server_evacuate(struct page_server *server,
			 struct guest_memory *memory)
{
	const uint64_t size_bytes = memory->region.size_bytes;
	const unsigned int i = server->region_count;
	uint8_t *pages;

	if (i == PAGE_SERVER_REGIONS_MAX)
		return -ENOSPC;
	pages = malloc(size_bytes);
	if (!pages)
		return -ENOMEM;
	memcpy(pages, memory->base, size_bytes);
	if (fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      0, size_bytes)) {
		free(pages);
		return -errno;
	}
	server->memory[i] = memory;
	server->pages[i] = pages;
	server->region_count++;
	return watch_own(server, memory);
}

static int wake(int fd, uint64_t start)
{
	struct uffdio_range range = { .start = start, .len = PAGE_BYTES };

	return ioctl(fd, UFFDIO_WAKE, &range) ? -errno : 0;
}

/* Never twice: the guest may have written to it since. */
static int bring(struct page_server *server, unsigned int i,
		 uint64_t offset_bytes)
{
	const struct guest_memory *memory = server->memory[i];
	struct uffdio_copy copy = {
		.dst = (uintptr_t)memory->base + offset_bytes,
		.src = (uintptr_t)server->pages[i] + offset_bytes,
		.len = PAGE_BYTES,
	};
	int ret = 0;

	if (ioctl(server->own_fd, UFFDIO_COPY, &copy)) {
		if (errno != EEXIST)
			return -errno;
		ret = wake(server->own_fd, copy.dst);
	}
	if (ret || !server->bases[i])
		return ret;
	return wake(server->userfault_fd, server->bases[i] + offset_bytes);
}

static bool answer(struct page_server *server, uint64_t address, bool is_own)
{
	for (unsigned int i = 0; i < server->region_count; i++) {
		uint64_t start = is_own ? (uintptr_t)server->memory[i]->base :
					  server->bases[i];
		uint64_t offset_bytes = (address - start) & ~(PAGE_BYTES - 1);

		if (offset_bytes >= server->memory[i]->region.size_bytes)
			continue;
		if (server->delay_ms && !is_own)
			usleep(server->delay_ms * 1000);
		return !bring(server, i, offset_bytes);
	}
	return false;
}

/* Returns whether there was one */
static bool take_fault(struct page_server *server, int fd)
{
	bool is_own = fd == server->own_fd;
	struct uffd_msg message;

	if (fd <= 0 || read(fd, &message, sizeof(message)) != sizeof(message))
		return false;
	if (message.event != UFFD_EVENT_PAGEFAULT ||
	    !answer(server, message.arg.pagefault.address, is_own))
		__atomic_add_fetch(&server->unknown_count, 1, __ATOMIC_RELAXED);
	else if (!is_own)
		__atomic_add_fetch(&server->served_count, 1, __ATOMIC_RELAXED);
	return true;
}

static void *serve(void *argument)
{
	struct page_server *server = argument;
	struct pollfd pollfds[] = {
		{ .fd = server->userfault_fd, .events = POLLIN },
		{ .fd = server->own_fd, .events = POLLIN },
	};

	while (!__atomic_load_n(&server->is_over, __ATOMIC_ACQUIRE)) {
		poll(pollfds, 2, 10);
		while (take_fault(server, server->userfault_fd) ||
		       take_fault(server, server->own_fd))
			;
	}
	return NULL;
}

int page_server_start(struct page_server *server)
{
	return -pthread_create(&server->thread, NULL, serve, server);
}

int page_server_bring_all(struct page_server *server)
{
	uint64_t at;
	int ret = 0;

	for (unsigned int i = 0; i < server->region_count; i++)
		for (at = 0; !ret && at < server->memory[i]->region.size_bytes;
		     at += PAGE_BYTES)
			ret = bring(server, i, at);
	return ret;
}

void page_server_stop(struct page_server *server)
{
	if (server->thread) {
		__atomic_store_n(&server->is_over, true, __ATOMIC_RELEASE);
		pthread_join(server->thread, NULL);
		server->thread = 0;
	}
	if (server->userfault_fd > 0)
		close(server->userfault_fd);
	if (server->own_fd > 0)
		close(server->own_fd);
	server->userfault_fd = 0;
	server->own_fd = 0;
	for (unsigned int i = 0; i < server->region_count; i++)
		free(server->pages[i]);
	server->region_count = 0;
}
