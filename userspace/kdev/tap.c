// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/tap.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/stat.h>

#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "kdev/module.h"
#include "lib/bits.h"
#include "lib/log.h"
#include "netlink/link.h"

/* Kernel headers before 6.2 */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO 56
#endif

#define TUN_PATH "/dev/net/tun"
#define TUN_MODULE "tun"

/* What every queue must have: Ethernet frames, a virtio header, no more. */
#define QUEUE_FLAGS (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
/* Of these TUNGETIFF tells; IFF_NO_PI is hidden by IFF_NOFILTER, the same bit. */
#define REPORTED_FLAGS (IFF_TAP | IFF_VNET_HDR)

#define TSO_OFFLOADS (TUN_F_TSO4 | TUN_F_TSO6)
#define USO_OFFLOADS (TUN_F_USO4 | TUN_F_USO6)

/* Offloads of packets to the guest */
static const struct {
	unsigned int feature;
	unsigned int offload;
} guest_offloads[] = {
	{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
	{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
	{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
	{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
	{ VIRTIO_NET_F_GUEST_UFO, TUN_F_UFO },
	{ VIRTIO_NET_F_GUEST_USO4, TUN_F_USO4 },
	{ VIRTIO_NET_F_GUEST_USO6, TUN_F_USO6 },
};

/* Sets of offloads to try, best first; USO came with Linux 6.2. */
static const unsigned int offload_sets[] = {
	TUN_F_CSUM | TSO_OFFLOADS | TUN_F_TSO_ECN | TUN_F_UFO | USO_OFFLOADS,
	TUN_F_CSUM | TSO_OFFLOADS | TUN_F_TSO_ECN | TUN_F_UFO,
	TUN_F_CSUM | TSO_OFFLOADS | TUN_F_TSO_ECN,
	TUN_F_CSUM,
};

static int tun_ioctl(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

static int set_offload(int fd, unsigned int offload_mask)
{
	/* The mask is the argument itself, not what it points to. */
	return ioctl(fd, TUNSETOFFLOAD, (unsigned long)offload_mask) < 0 ?
	       -errno : 0;
}

static void init_tap(struct vhb_tap *tap)
{
	unsigned int i;

	memset(tap, 0, sizeof(*tap));
	for (i = 0; i < VHB_NET_QUEUE_PAIRS_MAX; i++)
		tap->fds[i] = -1;
}

static unsigned int probe_offloads(int fd)
{
	unsigned int offload_mask = 0;
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(offload_sets) && !offload_mask; i++) {
		if (!set_offload(fd, offload_sets[i]))
			offload_mask = offload_sets[i];
	}
	set_offload(fd, 0);
	return offload_mask;
}

/* Only the first queue takes packets until the session asks for others. */
static int attach_only_first(struct vhb_tap *tap)
{
	unsigned int i;
	int ret;

	for (i = 0; i < tap->queue_count; i++) {
		ret = vhb_tap_attach(tap, i, i == 0);
		if (ret) {
			vhb_err("tap %s: queue %u cannot be %s: %s", tap->name,
				i, i ? "detached" : "attached",
				strerrordesc_np(-ret));
			return ret;
		}
	}
	return 0;
}

static int check_queue(int fd, struct ifreq *request)
{
	int ret;

	memset(request, 0, sizeof(*request));
	ret = tun_ioctl(fd, TUNGETIFF, request);
	if (ret == -EBADFD) {
		vhb_err("descriptor %d is a tap queue without an interface: do TUNSETIFF first",
			fd);
		return -EINVAL;
	}
	if (ret) {
		vhb_err("descriptor %d is no tap queue: %s", fd,
			strerrordesc_np(-ret));
		return -EINVAL;
	}
	if ((request->ifr_flags & REPORTED_FLAGS) != REPORTED_FLAGS) {
		vhb_err("%s is not set up with IFF_TAP and IFF_VNET_HDR: open it so, with IFF_NO_PI too",
			request->ifr_name);
		return -EINVAL;
	}
	return 0;
}

static int check_name(const char *name)
{
	const char *c;

	if (!*name || strlen(name) >= IFNAMSIZ) {
		vhb_err("tap name '%s' is not of 1 to %d characters", name,
			IFNAMSIZ - 1);
		return -EINVAL;
	}
	/* The kernel replaces %d by a number nobody would get to know. */
	for (c = name; *c; c++) {
		if (strchr("/:%", *c) || !isgraph((unsigned char)*c))
			goto report;
	}
	if (strcmp(name, ".") && strcmp(name, ".."))
		return 0;
report:
	vhb_err("'%s' is no name for a tap: no '/', ':', '%%', spaces, '.' or '..'",
		name);
	return -EINVAL;
}

static int set_interface(int fd, const char *name, unsigned int flags)
{
	struct ifreq request = { .ifr_flags = QUEUE_FLAGS | flags };

	memcpy(request.ifr_name, name, strlen(name) + 1);
	return tun_ioctl(fd, TUNSETIFF, &request);
}

/* The kernel says no more than EINVAL: find out what it meant. */
static void report_invalid(int fd, const char *name, unsigned int queue_count)
{
	struct vhb_link link;

	if (vhb_link_get(name, &link))
		vhb_err("tap %s cannot be made: %s", name,
			strerrordesc_np(EINVAL));
	else if (queue_count > 1 && set_interface(fd, name, 0) != -EINVAL)
		vhb_err("tap %s has a single queue, %u were asked for: make it anew with 'ip link delete %s; ip tuntap add %s mode tap multi_queue', or use --queue-pairs=1",
			name, queue_count, name, name);
	else
		vhb_err("interface %s exists and is not a tap: choose another --tap",
			name);
}

static void report_open(int fd, const char *name, unsigned int queue_count,
			int error)
{
	const char *multi_queue = queue_count > 1 ? " multi_queue" : "";

	switch (error) {
	case -EBUSY:
		vhb_err("tap %s is in use by another process: end that or choose another --tap",
			name);
		break;
	case -EPERM:
		vhb_err("tap %s may not be made or used: run with CAP_NET_ADMIN, or let root do 'ip tuntap add %s mode tap%s user %u', or pass a ready queue with --tap-fd",
			name, name, multi_queue, geteuid());
		break;
	case -E2BIG:
		vhb_err("tap %s has no room for %u more queues", name,
			queue_count);
		break;
	case -EINVAL:
		report_invalid(fd, name, queue_count);
		break;
	default:
		vhb_err("tap %s does not open: %s", name,
			strerrordesc_np(-error));
	}
}

/*
 * An interface keeps the kind it was made with: with or without several queues.
 * To ask for the other kind gives EINVAL.
 */
static int open_first(struct vhb_tap *tap, const char *name,
		      unsigned int queue_count)
{
	struct vhb_link link = { 0 };
	int fd = tap->fds[0];
	bool is_multi_queue = queue_count > 1;
	int ret;

	vhb_link_get(name, &link);
	ret = set_interface(fd, name, is_multi_queue ? IFF_MULTI_QUEUE : 0);
	if (ret == -EINVAL && !is_multi_queue) {
		is_multi_queue = true;
		ret = set_interface(fd, name, IFF_MULTI_QUEUE);
	}
	/*
	 * The kernel lets several processes have queues of one tap: each would
	 * get some of the packets. The carrier tells that somebody was there.
	 */
	if (!ret && is_multi_queue && link.has_carrier)
		ret = -EBUSY;
	if (ret)
		report_open(fd, name, queue_count, ret);
	return ret;
}

int vhb_tap_open(struct vhb_tap *tap, const char *name,
		 unsigned int queue_count)
{
	struct ifreq request;
	unsigned int i;
	int ret;

	init_tap(tap);
	ret = check_name(name);
	if (ret)
		return ret;

	tap->is_multi_queue = queue_count > 1;
	for (i = 0; i < queue_count; i++) {
		ret = vhb_kdev_open(TUN_PATH, TUN_MODULE);
		if (ret < 0)
			goto close_queues;
		tap->fds[i] = ret;
		tap->queue_count++;
		if (i == 0) {
			ret = open_first(tap, name, queue_count);
		} else {
			ret = set_interface(tap->fds[i], name, IFF_MULTI_QUEUE);
			if (ret)
				report_open(tap->fds[i], name, queue_count,
					    ret);
		}
		if (ret)
			goto close_queues;
		tap->attached_mask |= vhb_bit(i);
	}

	ret = check_queue(tap->fds[0], &request);
	if (ret)
		goto close_queues;
	memcpy(tap->name, request.ifr_name, IFNAMSIZ);
	tap->ifindex = if_nametoindex(tap->name);
	tap->offload_mask = probe_offloads(tap->fds[0]);
	ret = attach_only_first(tap);
	if (ret)
		goto close_queues;
	return 0;

close_queues:
	vhb_tap_close(tap);
	return ret;
}

/*
 * A queue made in another network namespace may come by descriptor. Its name
 * means nothing here, or something else. To ask for the namespace needs
 * CAP_NET_ADMIN (and a tun, not a macvtap); without it no link can be changed
 * by mistake either.
 */
static bool is_in_other_netns(int fd)
{
	struct stat tap_ns, own_ns;
	int ns_fd;
	bool is_other;

	ns_fd = ioctl(fd, TUNGETDEVNETNS);
	if (ns_fd < 0)
		return false;
	is_other = !fstat(ns_fd, &tap_ns) &&
		   !stat("/proc/thread-self/ns/net", &own_ns) &&
		   tap_ns.st_ino != own_ns.st_ino;
	close(ns_fd);
	return is_other;
}

/* Give up a descriptor that is in the list twice, so that it is closed once. */
static int refuse_twins(struct vhb_tap *tap)
{
	unsigned int i, k;

	for (i = 1; i < tap->queue_count; i++) {
		for (k = 0; k < i; k++) {
			if (tap->fds[i] != tap->fds[k])
				continue;
			vhb_err("descriptor %d is given for two tap queues",
				tap->fds[i]);
			tap->fds[i] = -1;
			return -EINVAL;
		}
	}
	return 0;
}

int vhb_tap_adopt(struct vhb_tap *tap, const int *fds, unsigned int fd_count)
{
	struct ifreq request;
	unsigned int i;
	int ret;

	init_tap(tap);
	memcpy(tap->fds, fds, fd_count * sizeof(*fds));
	tap->queue_count = fd_count;
	tap->is_multi_queue = fd_count > 1;

	ret = refuse_twins(tap);
	if (ret)
		goto close_queues;
	for (i = 0; i < fd_count; i++) {
		ret = check_queue(fds[i], &request);
		if (ret)
			goto close_queues;
		if (i == 0)
			memcpy(tap->name, request.ifr_name, IFNAMSIZ);
		if (strcmp(request.ifr_name, tap->name)) {
			vhb_err("descriptor %d is a queue of tap %s, the first one is of %s",
				fds[i], request.ifr_name, tap->name);
			ret = -EINVAL;
			goto close_queues;
		}
		if (!(request.ifr_flags & IFF_DETACH_QUEUE))
			tap->attached_mask |= vhb_bit(i);
	}

	if (!is_in_other_netns(tap->fds[0]))
		tap->ifindex = if_nametoindex(tap->name);
	tap->offload_mask = probe_offloads(tap->fds[0]);
	ret = attach_only_first(tap);
	if (ret)
		goto close_queues;
	return 0;

close_queues:
	vhb_tap_close(tap);
	return ret;
}

uint64_t vhb_tap_features(const struct vhb_tap *tap)
{
	/* What the guest sends, the kernel segments: all of it with a header */
	uint64_t mask = vhb_bit(VIRTIO_NET_F_CSUM) |
			vhb_bit(VIRTIO_NET_F_HOST_TSO4) |
			vhb_bit(VIRTIO_NET_F_HOST_TSO6) |
			vhb_bit(VIRTIO_NET_F_HOST_ECN) |
			vhb_bit(VIRTIO_NET_F_HOST_UFO);
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(guest_offloads); i++) {
		if (tap->offload_mask & guest_offloads[i].offload)
			mask |= vhb_bit(guest_offloads[i].feature);
	}
	/* One kernel change (6.2) brought USO in both directions. */
	if (tap->offload_mask & USO_OFFLOADS)
		mask |= vhb_bit(VIRTIO_NET_F_HOST_USO);
	return mask;
}

/* The combinations that TUNSETOFFLOAD refuses are lowered to ones it takes. */
static unsigned int offloads_of(const struct vhb_tap *tap, uint64_t acked_mask)
{
	unsigned int offload_mask = 0;
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(guest_offloads); i++) {
		if (vhb_has_bit(acked_mask, guest_offloads[i].feature))
			offload_mask |= guest_offloads[i].offload;
	}
	offload_mask &= tap->offload_mask;
	if (!(offload_mask & TUN_F_CSUM))
		return 0;
	if (!(offload_mask & TSO_OFFLOADS))
		offload_mask &= ~TUN_F_TSO_ECN;
	/* One without the other: EINVAL, as of Linux 6.2 */
	if ((offload_mask & USO_OFFLOADS) != USO_OFFLOADS)
		offload_mask &= ~USO_OFFLOADS;
	return offload_mask;
}

int vhb_tap_set_features(struct vhb_tap *tap, uint64_t acked_mask)
{
	const bool has_version_1 = vhb_has_bit(acked_mask, VIRTIO_F_VERSION_1);
	const bool has_num_buffers =
		has_version_1 ||
		vhb_has_bit(acked_mask, VIRTIO_NET_F_MRG_RXBUF);
	int header_bytes = has_num_buffers ?
			   sizeof(struct virtio_net_hdr_mrg_rxbuf) :
			   sizeof(struct virtio_net_hdr);
	int is_little_endian = has_version_1;
	unsigned int i;
	int ret;

	/* One call for a tun would do, but a macvtap keeps them each queue. */
	for (i = 0; i < tap->queue_count; i++) {
		ret = tun_ioctl(tap->fds[i], TUNSETVNETHDRSZ, &header_bytes);
		if (ret)
			return ret;
		ret = tun_ioctl(tap->fds[i], TUNSETVNETLE, &is_little_endian);
		if (ret)
			return ret;
	}
	return set_offload(tap->fds[0], offloads_of(tap, acked_mask));
}

int vhb_tap_attach(struct vhb_tap *tap, unsigned int queue, bool attach)
{
	struct ifreq request = {
		.ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE,
	};
	int ret;

	if (!tap->is_multi_queue ||
	    vhb_has_bit(tap->attached_mask, queue) == attach)
		return 0;
	ret = tun_ioctl(tap->fds[queue], TUNSETQUEUE, &request);
	if (!ret)
		tap->attached_mask ^= vhb_bit(queue);
	return ret;
}

bool vhb_tap_has_interface(const struct vhb_tap *tap)
{
	struct ifreq request = { 0 };

	return !tun_ioctl(tap->fds[0], TUNGETIFF, &request);
}

void vhb_tap_close(struct vhb_tap *tap)
{
	unsigned int i;

	for (i = 0; i < tap->queue_count; i++) {
		if (tap->fds[i] >= 0)
			close(tap->fds[i]);
	}
	init_tap(tap);
}
