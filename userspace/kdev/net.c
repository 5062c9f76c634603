// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/net_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "kdev/vhost_ioctl.h"
#include "lib/bits.h"
#include "lib/log.h"

static unsigned int pair_of(unsigned int index)
{
	return index / 2;
}

/* -1 for the last vring, which vhost-net does not know */
static int vring_fd(const struct vhb_net *net, unsigned int index)
{
	return index < 2 * net->pair_count ?
		       net->vhost_fds[vhb_net_vhost_of(net, index)] : -1;
}

/* The kernel's index in it: also where the other one is not used, 1 transmits. */
static unsigned int vring_index(unsigned int index)
{
	return index & 1;
}

static void reset_vhost(struct vhb_net *net, unsigned int vhost)
{
	unsigned int index;
	int ret;

	if (!net->is_owned[vhost])
		return;
	ret = vhb_vhost_reset_owner(net->vhost_fds[vhost]);
	if (!ret) {
		net->is_owned[vhost] = false;
		return;
	}
	vhb_warn("VHOST_RESET_OWNER for vhost descriptor %u: %s", vhost,
		 strerrordesc_np(-ret));
	/* What it runs on is about to be unmapped. */
	for (index = 0; index < 2 * net->pair_count; index++)
		if (net->is_running[index] && vhb_net_vhost_of(net, index) == vhost)
			vhb_vhost_net_set_backend(vring_fd(net, index),
						  vring_index(index), -1);
	/* A given descriptor cannot be replaced: set_owner tries once more. */
	if (!net->vhost_path)
		return;
	close(net->vhost_fds[vhost]);
	net->vhost_fds[vhost] = -1;
	net->is_owned[vhost] = false;
}

static int own_vhost(struct vhb_net *net, unsigned int vhost)
{
	int ret;

	reset_vhost(net, vhost);
	if (net->vhost_fds[vhost] < 0) {
		ret = vhb_net_open_vhost(net, vhost);
		if (ret)
			return ret;
	}
	ret = vhb_vhost_set_owner(net->vhost_fds[vhost]);
	if (!ret)
		net->is_owned[vhost] = true;
	return ret;
}

static int set_owner(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;
	int ret;

	if (net->is_owner)
		return -EBUSY;
	for (i = 0; i < net->vhost_count; i++) {
		ret = own_vhost(net, i);
		if (ret)
			goto reset_owned;
	}
	net->is_owner = true;
	return 0;

reset_owned:
	while (i-- > 0)
		reset_vhost(net, i);
	return ret;
}

static void disown(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;

	vhb_net_set_iotlb(net, false);
	vhb_control_queue_reset(&net->control.queue);
	for (i = 0; i < net->vhost_count; i++)
		reset_vhost(net, i);
	for (i = 0; i < net->pair_count; i++) {
		/* The first queue is attached when idle, as at the start. */
		vhb_tap_attach(&net->tap, i, i == 0);
	}
	memset(net->is_running, 0, sizeof(net->is_running));
	net->is_owner = false;
	vhb_tap_set_features(&net->tap, 0);
}

static void reset(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);

	disown(kdev);
	vhb_net_control_reset(net);
	memcpy(net->mac, net->own_mac, sizeof(net->mac));
	net->asked_mtu = 0;
	net->mtu = net->own_mtu;
}

static int set_features(struct vhb_kdev *kdev, uint64_t acked_mask)
{
	struct vhb_net *net = vhb_net_of(kdev);
	uint64_t kernel_mask =
		vhb_net_kernel_bits(acked_mask) & net->kernel_mask;
	unsigned int i;
	int ret;

	if (acked_mask & ~vhb_net_features(kdev))
		return -EINVAL;
	ret = vhb_net_set_iotlb(net, vhb_has_bit(kernel_mask,
						 VIRTIO_F_ACCESS_PLATFORM));
	if (ret)
		return ret;
	for (i = 0; i < net->vhost_count; i++) {
		ret = vhb_vhost_set_features(net->vhost_fds[i], kernel_mask);
		if (ret)
			return ret;
	}
	vhb_net_control_set_features(net, acked_mask);
	return vhb_tap_set_features(&net->tap, acked_mask);
}

static int set_mem_table(struct vhb_kdev *kdev,
			 const struct vhost_memory *table)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;
	int ret;

	ret = vhb_control_queue_set_table(&net->control.queue, table);
	if (ret)
		return ret;
	for (i = 0; i < net->vhost_count; i++) {
		ret = vhb_vhost_set_mem_table(net->vhost_fds[i], table);
		if (ret)
			return ret;
	}
	return 0;
}

static int set_log_base(struct vhb_kdev *kdev, uint64_t address)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;
	int ret;

	vhb_control_queue_set_log_base(&net->control.queue, address);
	for (i = 0; i < net->vhost_count; i++) {
		ret = vhb_vhost_set_log_base(net->vhost_fds[i], address);
		if (ret)
			return ret;
	}
	return 0;
}

static int set_log_fd(struct vhb_kdev *kdev, int fd)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;
	int ret;

	/* The kernel keeps a reference; we only what stays open for sure. */
	net->control.queue.log_fd = -1;
	for (i = 0; i < net->vhost_count; i++) {
		ret = vhb_vhost_set_log_fd(net->vhost_fds[i], fd);
		if (ret)
			return ret;
	}
	net->control.queue.log_fd = fd;
	return 0;
}

/* Where a vring is: with vhost, with the control queue, or nowhere */
enum place {
	IN_VHOST,
	IN_CONTROL,
	NOWHERE,
};

static enum place place_of(const struct vhb_net *net, unsigned int index)
{
	if (vhb_net_control_has(net, index))
		return IN_CONTROL;
	/* The last one is nothing but a control queue. */
	return index < 2 * net->pair_count ? IN_VHOST : NOWHERE;
}

static int set_vring_num(struct vhb_kdev *kdev, unsigned int index,
			 uint32_t num)
{
	struct vhb_net *net = vhb_net_of(kdev);

	switch (place_of(net, index)) {
	case IN_VHOST:
		return vhb_vhost_set_vring_num(vring_fd(net, index),
					       vring_index(index), num);
	case IN_CONTROL:
		net->control.queue.config.num = num;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int set_vring_base(struct vhb_kdev *kdev, unsigned int index,
			  uint32_t base)
{
	struct vhb_net *net = vhb_net_of(kdev);

	if (place_of(net, index) == IN_CONTROL) {
		net->control.queue.config.base = base;
		return 0;
	}
	return vhb_vhost_set_vring_base(vring_fd(net, index),
					vring_index(index), base);
}

static int set_vring_addr(struct vhb_kdev *kdev,
			  const struct vhost_vring_addr *addr)
{
	struct vhb_net *net = vhb_net_of(kdev);
	struct vhost_vring_addr kernel_addr = *addr;

	if (place_of(net, addr->index) == IN_CONTROL) {
		vhb_control_queue_set_addr(&net->control.queue, addr);
		return 0;
	}
	kernel_addr.index = vring_index(addr->index);
	return vhb_vhost_set_vring_addr(vring_fd(net, addr->index),
					&kernel_addr);
}

static int set_vring_kick(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	struct vhb_net *net = vhb_net_of(kdev);

	if (place_of(net, index) == IN_CONTROL)
		return vhb_control_queue_set_kick(&net->control.queue, fd);
	return vhb_vhost_set_vring_kick(vring_fd(net, index),
					vring_index(index), fd);
}

static int set_vring_call(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	struct vhb_net *net = vhb_net_of(kdev);

	if (place_of(net, index) == IN_CONTROL) {
		net->control.queue.call_fd = fd;
		return 0;
	}
	return vhb_vhost_set_vring_call(vring_fd(net, index),
					vring_index(index), fd);
}

static int set_vring_err(struct vhb_kdev *kdev, unsigned int index, int fd)
{
	struct vhb_net *net = vhb_net_of(kdev);

	if (place_of(net, index) == IN_CONTROL) {
		net->control.queue.err_fd = fd;
		return 0;
	}
	return vhb_vhost_set_vring_err(vring_fd(net, index),
				       vring_index(index), fd);
}

/* A queue that nobody reads would swallow its share of the packets. */
static int settle_pair(struct vhb_net *net, unsigned int pair)
{
	const bool is_in_use = net->is_running[2 * pair] ||
			       net->is_running[2 * pair + 1];

	return vhb_tap_attach(&net->tap, pair,
			      is_in_use && vhb_net_control_allows(net, pair));
}

int vhb_net_settle_pairs(struct vhb_net *net)
{
	unsigned int pair;
	int ret;

	for (pair = 0; pair < net->pair_count; pair++) {
		ret = settle_pair(net, pair);
		if (ret)
			return ret;
	}
	return 0;
}

static int start_vring(struct vhb_kdev *kdev, unsigned int index)
{
	struct vhb_net *net = vhb_net_of(kdev);
	const unsigned int pair = pair_of(index);
	int ret;

	switch (place_of(net, index)) {
	case IN_VHOST:
		break;
	case IN_CONTROL:
		return vhb_net_control_start(net);
	default:
		return -EOPNOTSUPP;
	}
	if (net->poll_us) {
		ret = vhb_vhost_set_vring_poll_us(vring_fd(net, index),
						  vring_index(index),
						  net->poll_us);
		if (ret)
			return ret;
	}
	/* vhost would take a detached queue too, one that never gets a frame. */
	net->is_running[index] = true;
	ret = settle_pair(net, pair);
	if (!ret)
		ret = vhb_vhost_net_set_backend(vring_fd(net, index),
						vring_index(index),
						net->tap.fds[pair]);
	if (!ret)
		return 0;
	net->is_running[index] = false;
	settle_pair(net, pair);
	/* It reads the used ring: through the IOTLB, which may not know it yet. */
	return ret == -EFAULT && vhb_net_has_iotlb(net) ? -EAGAIN : ret;
}

static int stop_vring(struct vhb_kdev *kdev, unsigned int index,
		      uint32_t *base_out)
{
	struct vhb_net *net = vhb_net_of(kdev);
	const int fd = vring_fd(net, index);
	int ret;

	switch (place_of(net, index)) {
	case IN_VHOST:
		break;
	case IN_CONTROL:
		*base_out = vhb_net_control_stop(net);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
	/*
	 * Only where there is one: without a memory table the kernel refuses
	 * even to take the back-end away (EFAULT, seen in 6.1 to 6.12).
	 */
	if (net->is_running[index]) {
		ret = vhb_vhost_net_set_backend(fd, vring_index(index), -1);
		if (ret)
			return ret;
		net->is_running[index] = false;
		/* Those of the descriptor's other vring, too: see vhb_program(). */
		vhb_iotlb_port_forget(&net->iotlbs[vhb_net_vhost_of(net, index)]);
	}
	settle_pair(net, pair_of(index));
	return vhb_vhost_get_vring_base(fd, vring_index(index), base_out);
}

static void listen_all(struct vhb_kdev *kdev, struct vhb_loop *loop,
		       const struct vhb_kdev_listener *listener)
{
	vhb_net_listen(kdev, loop, listener);
	vhb_net_listen_iotlb(vhb_net_of(kdev), loop, listener);
}

static void destroy(struct vhb_kdev *kdev)
{
	struct vhb_net *net = vhb_net_of(kdev);
	unsigned int i;

	vhb_net_set_iotlb(net, false);
	vhb_net_unfollow(net);
	vhb_net_control_reset(net);
	for (i = 0; i < net->vhost_count; i++) {
		if (net->vhost_fds[i] >= 0)
			close(net->vhost_fds[i]);
	}
	vhb_tap_close(&net->tap);
	free(net->vhost_path);
	free(net);
}

const char *vhb_net_tap_name(struct vhb_kdev *kdev)
{
	return vhb_net_of(kdev)->tap.name;
}

bool vhb_net_has_tap_here(struct vhb_kdev *kdev)
{
	return vhb_net_of(kdev)->tap.ifindex;
}

const struct vhb_kdev_ops vhb_net_ops = {
	.name = "net",
	.features = vhb_net_features,
	.protocol_features = vhb_net_protocol_features,
	.set_owner = set_owner,
	.disown = disown,
	.reset = reset,
	.set_features = set_features,
	.set_mem_table = set_mem_table,
	.set_log_base = set_log_base,
	.set_log_fd = set_log_fd,
	.set_vring_num = set_vring_num,
	.set_vring_base = set_vring_base,
	.set_vring_addr = set_vring_addr,
	.set_vring_kick = set_vring_kick,
	.set_vring_call = set_vring_call,
	.set_vring_err = set_vring_err,
	.listen = listen_all,
	.iotlb_write = vhb_net_iotlb_write,
	.start_vring = start_vring,
	.stop_vring = stop_vring,
	.get_config = vhb_net_get_config,
	.set_config = vhb_net_set_config,
	.set_mtu = vhb_net_set_mtu,
	.save_state = vhb_net_save_state,
	.load_state = vhb_net_load_state,
	.reset_state = vhb_net_reset_state,
	.send_rarp = vhb_net_send_rarp,
	.destroy = destroy,
};
