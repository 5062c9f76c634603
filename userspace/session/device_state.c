// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/device_state.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "lib/crc32.h"

#define MAGIC "vhbstate"
#define VERSION 1
#define TYPE_BYTES 8
#define CRC_BYTES sizeof(uint32_t)

/** struct header - as in device_state.h */
struct header {
	uint8_t magic[sizeof(MAGIC) - 1];
	uint16_t version;
	uint16_t size_bytes;
	uint8_t type[TYPE_BYTES];
};

static_assert(sizeof(struct header) == 20, "device_state.h");

#define STREAM_MAX_BYTES (sizeof(struct header) + VHB_KDEV_STATE_MAX_BYTES + \
			  CRC_BYTES)

static void put_type(uint8_t type[TYPE_BYTES], const struct vhb_kdev *kdev)
{
	const size_t length = strlen(kdev->ops->name);

	memset(type, 0, TYPE_BYTES);
	memcpy(type, kdev->ops->name,
	       length < TYPE_BYTES ? length : TYPE_BYTES);
}

static int create_memfd(void)
{
	int fd = memfd_create("vhost-bridge-state",
			      MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

/* Memory takes all of it, or it is full. */
static int fill(int fd, const uint8_t *stream, size_t bytes)
{
	ssize_t written = pwrite(fd, stream, bytes, 0);

	if (written < 0)
		return -errno;
	if ((size_t)written != bytes)
		return -ENOSPC;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW |
		  F_SEAL_SEAL))
		return -errno;
	return 0;
}

int vhb_device_state_save(struct vhb_kdev *kdev, int *fd_out)
{
	uint8_t stream[STREAM_MAX_BYTES];
	struct header header = { .version = htole16(VERSION) };
	size_t bytes = sizeof(header);
	uint32_t crc;
	int fd, ret;

	ret = kdev->ops->save_state(kdev, stream + sizeof(header));
	if (ret < 0)
		return ret;
	bytes += ret;
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.size_bytes = htole16(ret);
	put_type(header.type, kdev);
	memcpy(stream, &header, sizeof(header));
	crc = htole32(vhb_crc32(stream, bytes));
	memcpy(stream + bytes, &crc, sizeof(crc));
	bytes += sizeof(crc);

	fd = create_memfd();
	if (fd < 0)
		return fd;
	ret = fill(fd, stream, bytes);
	if (ret) {
		close(fd);
		return ret;
	}
	*fd_out = fd;
	return 0;
}

int vhb_device_state_receive(int *fd_out, int *kept_fd_out)
{
	int ret;

	*kept_fd_out = create_memfd();
	if (*kept_fd_out < 0)
		return *kept_fd_out;
	*fd_out = fcntl(*kept_fd_out, F_DUPFD_CLOEXEC, 0);
	if (*fd_out >= 0)
		return 0;
	ret = -errno;
	close(*kept_fd_out);
	*kept_fd_out = -1;
	return ret;
}

static const char *fault_of(const struct vhb_kdev *kdev, const uint8_t *stream,
			    size_t bytes)
{
	uint8_t type[TYPE_BYTES];
	struct header header;
	uint32_t crc;

	if (bytes < sizeof(header) + sizeof(crc))
		return "it is too short";
	memcpy(&header, stream, sizeof(header));
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)))
		return "it is no state of vhost-bridge";
	if (header.version != htole16(VERSION))
		return "it is of another version";
	if (le16toh(header.size_bytes) != bytes - sizeof(header) - sizeof(crc))
		return "it is too short or too long";
	memcpy(&crc, stream + bytes - sizeof(crc), sizeof(crc));
	if (le32toh(crc) != vhb_crc32(stream, bytes - sizeof(crc)))
		return "its checksum is wrong";
	put_type(type, kdev);
	if (memcmp(header.type, type, sizeof(type)))
		return "it is of another type of device";
	return NULL;
}

/* A copy: the front-end may still write. */
int vhb_device_state_load(struct vhb_kdev *kdev, int fd, struct vhb_why *why)
{
	uint8_t stream[STREAM_MAX_BYTES + 1];
	const char *fault = "it is too long";
	ssize_t bytes;
	int ret;

	bytes = pread(fd, stream, sizeof(stream), 0);
	if (bytes < 0) {
		ret = -errno;
		return vhb_wrong(why, ret, "reading the state: %s",
				 strerrordesc_np(-ret));
	}
	if ((size_t)bytes < sizeof(stream))
		fault = fault_of(kdev, stream, bytes);
	if (fault)
		return vhb_wrong(why, -EINVAL, "the state is refused: %s",
				 fault);
	ret = kdev->ops->load_state(kdev, stream + sizeof(struct header),
				    bytes - sizeof(struct header) - CRC_BYTES);
	if (ret)
		return vhb_wrong(why, ret, "the device refuses its state: %s",
				 strerrordesc_np(-ret));
	return 0;
}
