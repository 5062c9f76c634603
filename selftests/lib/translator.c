// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/translator.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <linux/vhost_types.h>

#include "lib/bits.h"
#include "lib/random.h"

#define PAGE_BYTES 4096u
/* The guest addresses of the region have no meaning; they are nowhere near IOVAs. */
#define REGION_GPA UINT64_C(0x10000000000)
#define REGION_STRIDE UINT64_C(0x100000000)
/* Of virtqueues that wait for an answer */
#define REFUSED_MAX 64

/**
 * struct scattered - a memory in disorder
 * @memory: the driver's view of it
 * @region: as the back-end has it
 * @page_count: pages
 * @place_of: by page of the driver: which page of the file it is
 */
struct scattered {
	struct guest_memory *memory;
	struct vhb_wire_region region;
	uint32_t page_count;
	uint32_t *place_of;
};

/**
 * struct translator - a front-end's IOMMU
 * @memories: what it translates to
 * @memory_count: how many
 * @random: the disorder's
 * @lock: of the front-end, while others wait for a reply
 * @frontend: where answers go; NULL while not attached
 * @channel_fd: where misses come from
 * @stop_fd: eventfd that ends @thread
 * @thread: answers misses
 * @state_lock: guards what follows and each @place_of
 * @refused_iova: misses from here on
 * @refused_bytes: that are not answered
 * @refused: some of them
 * @refused_kept: how many of them there are
 * @refused_count: how many there were
 * @miss_count: all misses
 * @error: of an answer
 */
struct translator {
	struct scattered memories[TRANSLATOR_MEMORIES_MAX];
	unsigned int memory_count;
	struct test_random random;
	pthread_mutex_t lock;
	struct frontend *frontend;
	int channel_fd;
	int stop_fd;
	pthread_t thread;
	pthread_mutex_t state_lock;
	uint64_t refused_iova;
	uint64_t refused_bytes;
	uint64_t refused[REFUSED_MAX];
	unsigned int refused_kept;
	unsigned int refused_count;
	unsigned int miss_count;
	int error;
};

struct translator *translator_create(void)
{
	struct translator *translator = calloc(1, sizeof(*translator));

	if (!translator)
		return NULL;
	translator->channel_fd = -1;
	translator->stop_fd = -1;
	translator->random = test_random_of(test_random_seed());
	pthread_mutex_init(&translator->lock, NULL);
	pthread_mutex_init(&translator->state_lock, NULL);
	return translator;
}

void translator_destroy(struct translator *translator)
{
	if (!translator)
		return;
	translator_detach(translator);
	for (unsigned int i = 0; i < translator->memory_count; i++)
		free(translator->memories[i].place_of);
	pthread_mutex_destroy(&translator->lock);
	pthread_mutex_destroy(&translator->state_lock);
	free(translator);
}

static void shuffle(struct translator *translator, uint32_t *place_of,
		    uint32_t count)
{
	for (uint32_t i = count - 1; i; i--) {
		const uint32_t j = test_random_below(&translator->random, i + 1);
		const uint32_t place = place_of[i];

		place_of[i] = place_of[j];
		place_of[j] = place;
	}
}

/* The driver's view, page by page from another place of the file */
static int map_pages(const struct scattered *scattered, uint32_t first,
		     uint32_t count)
{
	const struct guest_memory *memory = scattered->memory;

	for (uint32_t i = first; i < first + count; i++)
		if (mmap(memory->base + (size_t)i * PAGE_BYTES, PAGE_BYTES,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 memory->fd,
			 (off_t)scattered->place_of[i] * PAGE_BYTES) ==
		    MAP_FAILED)
			return -errno;
	return 0;
}

static int rearrange(struct translator *translator, struct scattered *scattered,
		     uint32_t first, uint32_t count)
{
	uint8_t *view = scattered->memory->base + (size_t)first * PAGE_BYTES;
	const size_t bytes = (size_t)count * PAGE_BYTES;
	void *contents = malloc(bytes);
	int ret;

	if (!contents)
		return -ENOMEM;
	memcpy(contents, view, bytes);
	pthread_mutex_lock(&translator->state_lock);
	shuffle(translator, scattered->place_of + first, count);
	ret = map_pages(scattered, first, count);
	if (!ret)
		memcpy(view, contents, bytes);
	pthread_mutex_unlock(&translator->state_lock);
	free(contents);
	return ret;
}

int translator_scatter(struct translator *translator,
		       struct guest_memory *memory)
{
	const unsigned int index = translator->memory_count;
	struct scattered *scattered = &translator->memories[index];

	if (index == TRANSLATOR_MEMORIES_MAX)
		return -ENOSPC;
	*scattered = (struct scattered){
		.memory = memory,
		.region = memory->region,
		.page_count = memory->region.size_bytes / PAGE_BYTES,
	};
	scattered->region.gpa = REGION_GPA + index * REGION_STRIDE;
	scattered->place_of = calloc(scattered->page_count,
				     sizeof(*scattered->place_of));
	if (!scattered->place_of)
		return -ENOMEM;
	for (uint32_t i = 0; i < scattered->page_count; i++)
		scattered->place_of[i] = i;
	memory->region.uva = memory->region.gpa;
	translator->memory_count++;
	return rearrange(translator, scattered, 0, scattered->page_count);
}

/* The page that holds an address, as an update; false where there is none */
static bool look_up(const struct translator *translator, uint64_t iova,
		    struct vhb_wire_iotlb *entry)
{
	for (unsigned int i = 0; i < translator->memory_count; i++) {
		const struct scattered *scattered = &translator->memories[i];
		const struct vhb_wire_region *view = &scattered->memory->region;
		uint64_t page;

		if (!vhb_range_contains(view->gpa, view->size_bytes, iova, 1))
			continue;
		page = (iova - view->gpa) / PAGE_BYTES;
		*entry = (struct vhb_wire_iotlb){
			.iova = view->gpa + page * PAGE_BYTES,
			.size_bytes = PAGE_BYTES,
			.uva = scattered->region.uva +
			       (uint64_t)scattered->place_of[page] * PAGE_BYTES,
			.permission = VHOST_ACCESS_RW,
			.type = VHOST_IOTLB_UPDATE,
		};
		return true;
	}
	return false;
}

static void keep_refused(struct translator *translator, uint64_t iova)
{
	unsigned int i;

	translator->refused_count++;
	for (i = 0; i < translator->refused_kept; i++)
		if (translator->refused[i] == iova)
			return;
	if (i < REFUSED_MAX)
		translator->refused[translator->refused_kept++] = iova;
}

/*
 * The lock is not held while the back-end takes the answer, so a page may have moved
 * by then: whoever moves it invalidates it later than this is sent, or this is what
 * counts.
 */
static void answer(struct translator *translator, uint64_t iova)
{
	struct vhb_wire_iotlb entry;
	bool is_known;
	int ret;

	pthread_mutex_lock(&translator->state_lock);
	is_known = look_up(translator, iova, &entry);
	if (!is_known ||
	    vhb_range_contains(translator->refused_iova,
			       translator->refused_bytes, iova, 1)) {
		keep_refused(translator, iova);
		is_known = false;
	}
	pthread_mutex_unlock(&translator->state_lock);
	if (!is_known)
		return;
	ret = frontend_iotlb(translator->frontend, &entry);
	if (!ret)
		return;
	pthread_mutex_lock(&translator->state_lock);
	translator->error = ret;
	pthread_mutex_unlock(&translator->state_lock);
}

static bool take_miss(struct translator *translator, uint64_t *iova)
{
	struct {
		struct vhb_wire_header header;
		struct vhb_wire_iotlb miss;
	} __attribute__((packed)) message;

	if (recv(translator->channel_fd, &message, sizeof(message),
		 MSG_WAITALL) != sizeof(message))
		return false;
	pthread_mutex_lock(&translator->state_lock);
	translator->miss_count++;
	if (message.header.request != VHB_BACKEND_IOTLB_MSG ||
	    message.header.flags != VHB_FLAG_VERSION ||
	    message.header.size_bytes != sizeof(message.miss) ||
	    message.miss.type != VHOST_IOTLB_MISS ||
	    !message.miss.permission ||
	    message.miss.permission > VHOST_ACCESS_RW)
		translator->error = -EBADMSG;
	pthread_mutex_unlock(&translator->state_lock);
	*iova = message.miss.iova;
	return true;
}

static void *run(void *argument)
{
	struct translator *translator = argument;
	struct pollfd fds[] = {
		{ .fd = translator->channel_fd, .events = POLLIN },
		{ .fd = translator->stop_fd, .events = POLLIN },
	};
	uint64_t iova;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (!fds[0].revents)
			continue;
		if (!take_miss(translator, &iova))
			break;
		answer(translator, iova);
	}
	return NULL;
}

static int give_channel(struct translator *translator)
{
	int fds[2];
	int ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	ret = frontend_tell(translator->frontend, VHB_SET_BACKEND_REQ_FD, NULL,
			    0, &fds[1], 1);
	close(fds[1]);
	if (ret)
		close(fds[0]);
	else
		translator->channel_fd = fds[0];
	return ret;
}

static int share_memory(const struct translator *translator)
{
	struct vhb_wire_region regions[TRANSLATOR_MEMORIES_MAX];
	int fds[TRANSLATOR_MEMORIES_MAX];

	for (unsigned int i = 0; i < translator->memory_count; i++) {
		regions[i] = translator->memories[i].region;
		fds[i] = translator->memories[i].memory->fd;
	}
	return frontend_set_mem_table(translator->frontend, regions, fds,
				      translator->memory_count);
}

int translator_attach(struct translator *translator, struct frontend *frontend)
{
	int ret;

	translator->frontend = frontend;
	frontend->lock = &translator->lock;
	ret = give_channel(translator);
	if (ret)
		return ret;
	ret = share_memory(translator);
	if (ret)
		goto close_channel;
	translator->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (translator->stop_fd < 0) {
		ret = -errno;
		goto close_channel;
	}
	ret = -pthread_create(&translator->thread, NULL, run, translator);
	if (!ret)
		return 0;
	close(translator->stop_fd);
	translator->stop_fd = -1;
close_channel:
	close(translator->channel_fd);
	translator->channel_fd = -1;
	return ret;
}

void translator_detach(struct translator *translator)
{
	if (translator->stop_fd < 0)
		return;
	eventfd_write(translator->stop_fd, 1);
	pthread_join(translator->thread, NULL);
	close(translator->stop_fd);
	close(translator->channel_fd);
	translator->stop_fd = -1;
	translator->channel_fd = -1;
	translator->frontend->lock = NULL;
	translator->frontend = NULL;
}

void translator_tell(struct translator *translator, uint64_t iova)
{
	answer(translator, iova);
}

int translator_invalidate(struct translator *translator, uint64_t iova,
			  uint64_t size_bytes)
{
	const struct vhb_wire_iotlb entry = {
		.iova = iova,
		.size_bytes = size_bytes,
		.type = VHOST_IOTLB_INVALIDATE,
	};

	return frontend_iotlb(translator->frontend, &entry);
}

int translator_refuse(struct translator *translator, uint64_t iova,
		      uint64_t size_bytes)
{
	uint64_t missed[REFUSED_MAX];
	unsigned int count = 0;

	pthread_mutex_lock(&translator->state_lock);
	translator->refused_iova = iova;
	translator->refused_bytes = size_bytes;
	if (!size_bytes) {
		count = translator->refused_kept;
		memcpy(missed, translator->refused, sizeof(missed));
		translator->refused_kept = 0;
	}
	pthread_mutex_unlock(&translator->state_lock);
	for (unsigned int i = 0; i < count; i++)
		answer(translator, missed[i]);
	return size_bytes ? translator_invalidate(translator, iova, size_bytes) :
			    0;
}

int translator_move(struct translator *translator, struct guest_memory *memory,
		    uint64_t start_bytes, uint64_t size_bytes)
{
	for (unsigned int i = 0; i < translator->memory_count; i++) {
		struct scattered *scattered = &translator->memories[i];
		int ret;

		if (scattered->memory != memory)
			continue;
		ret = rearrange(translator, scattered, start_bytes / PAGE_BYTES,
				size_bytes / PAGE_BYTES);
		return ret ? ret :
			     translator_invalidate(translator,
						   memory->region.gpa +
						   start_bytes, size_bytes);
	}
	return -ENOENT;
}

static unsigned int read_locked(struct translator *translator,
				const unsigned int *value)
{
	unsigned int count;

	pthread_mutex_lock(&translator->state_lock);
	count = *value;
	pthread_mutex_unlock(&translator->state_lock);
	return count;
}

unsigned int translator_miss_count(struct translator *translator)
{
	return read_locked(translator, &translator->miss_count);
}

unsigned int translator_refused_count(struct translator *translator)
{
	return read_locked(translator, &translator->refused_count);
}

int translator_error(struct translator *translator)
{
	int error;

	pthread_mutex_lock(&translator->state_lock);
	error = translator->error;
	pthread_mutex_unlock(&translator->state_lock);
	return error;
}
