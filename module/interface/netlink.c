// SPDX-License-Identifier: GPL-2.0-only
#include "interface/netlink.h"

#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/pid.h>
#include <linux/vhost_bridge_netlink.h>
#include <net/genetlink.h>

#include "compat/compat_genl.h"
#include "device/registry.h"

/* The only group */
#define GROUP_EVENTS 0

static struct genl_family family;

static const struct nla_policy policy[] = {
	[VHOST_BRIDGE_ATTR_DEVICE_ID] = { .type = NLA_U32 },
	[VHOST_BRIDGE_ATTR_VRING_INDEX] = { .type = NLA_U32 },
};

static int put_u64(struct sk_buff *skb, enum vhost_bridge_genl_attr attr,
		   u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, VHOST_BRIDGE_ATTR_PAD);
}

static int add_device(struct sk_buff *skb, const struct vhb_device *device)
{
	const struct vhb_personality *personality = device->personality;

	if (nla_put_u32(skb, VHOST_BRIDGE_ATTR_DEVICE_ID, device->id) ||
	    nla_put_string(skb, VHOST_BRIDGE_ATTR_DEVICE_TYPE,
			   personality->name) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_FEATURES,
		    READ_ONCE(device->features)) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_COUNT,
			personality->virtqueue_count_max))
		return -EMSGSIZE;
	if (device->owner && nla_put_u32(skb, VHOST_BRIDGE_ATTR_OWNER_PID,
					 pid_vnr(device->owner)))
		return -EMSGSIZE;
	return 0;
}

static int add_vring(struct sk_buff *skb, const struct vhb_virtqueue *vq)
{
	struct vhost_bridge_vring_status status;

	vhb_virtqueue_get_status(vq, &status);
	if (nla_put_u32(skb, VHOST_BRIDGE_ATTR_DEVICE_ID, vq->device->id) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_INDEX, vq->index) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_STATE, status.state) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_FAULT, status.fault) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_NUM,
			READ_ONCE(vq->num)) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_IN_FLIGHT_COUNT,
			status.in_flight_count) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_CHAIN_COUNT, status.chain_count) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_READ_BYTES, status.read_bytes) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_WRITTEN_BYTES,
		    status.written_bytes) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_ERROR_COUNT, status.error_count) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_KICK_COUNT, status.kick_count) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_CALL_COUNT, status.call_count) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_CALL_SUPPRESSED_COUNT,
		    status.call_suppressed_count) ||
	    put_u64(skb, VHOST_BRIDGE_ATTR_DRAIN_COUNT, status.drain_count))
		return -EMSGSIZE;
	return 0;
}

static int add_event(struct sk_buff *skb, const struct vhb_virtqueue *vq)
{
	if (nla_put_u32(skb, VHOST_BRIDGE_ATTR_DEVICE_ID, vq->device->id) ||
	    nla_put_string(skb, VHOST_BRIDGE_ATTR_DEVICE_TYPE,
			   vq->device->personality->name) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_INDEX, vq->index) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_STATE, vq->state) ||
	    nla_put_u32(skb, VHOST_BRIDGE_ATTR_VRING_FAULT, vq->fault))
		return -EMSGSIZE;
	return 0;
}

/* The device that is asked for, the registry locked; or an error */
static const struct vhb_device *find_device(struct nlattr **attrs)
{
	const struct vhb_device *device;
	u32 id;

	if (!attrs || !attrs[VHOST_BRIDGE_ATTR_DEVICE_ID])
		return ERR_PTR(-EINVAL);
	id = nla_get_u32(attrs[VHOST_BRIDGE_ATTR_DEVICE_ID]);
	device = vhb_registry_from(id);
	return device && device->id == id ? device : ERR_PTR(-ENODEV);
}

static const struct vhb_virtqueue *find_vring(struct nlattr **attrs)
{
	const struct vhb_device *device = find_device(attrs);
	unsigned int count;
	u32 index;

	if (IS_ERR(device))
		return ERR_CAST(device);
	if (!attrs[VHOST_BRIDGE_ATTR_VRING_INDEX])
		return ERR_PTR(-EINVAL);
	index = nla_get_u32(attrs[VHOST_BRIDGE_ATTR_VRING_INDEX]);
	count = device->personality->virtqueue_count_max;
	if (index >= count)
		return ERR_PTR(-ENOBUFS);
	/* A guessed branch must not reach behind the array. */
	return &device->virtqueues[array_index_nospec(index, count)];
}

/* Finishes the message that begins at @header, or takes it away. */
static int finish_message(struct sk_buff *skb, void *header, int ret)
{
	if (ret)
		genlmsg_cancel(skb, header);
	else
		genlmsg_end(skb, header);
	return ret;
}

static int answer_device(struct sk_buff *skb, struct genl_info *info)
{
	const struct vhb_device *device = find_device(info->attrs);
	void *header;

	if (IS_ERR(device))
		return PTR_ERR(device);
	header = genlmsg_put_reply(skb, info, &family, 0,
				   VHOST_BRIDGE_CMD_GET_DEVICE);
	if (!header)
		return -EMSGSIZE;
	return finish_message(skb, header, add_device(skb, device));
}

static int answer_vring(struct sk_buff *skb, struct genl_info *info)
{
	const struct vhb_virtqueue *vq = find_vring(info->attrs);
	void *header;

	if (IS_ERR(vq))
		return PTR_ERR(vq);
	header = genlmsg_put_reply(skb, info, &family, 0,
				   VHOST_BRIDGE_CMD_GET_VRING);
	if (!header)
		return -EMSGSIZE;
	return finish_message(skb, header, add_vring(skb, vq));
}

static int reply(struct genl_info *info,
		 int (*answer)(struct sk_buff *skb, struct genl_info *info))
{
	struct sk_buff *skb;
	int ret;

	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	vhb_registry_lock();
	ret = answer(skb, info);
	vhb_registry_unlock();
	if (ret) {
		nlmsg_free(skb);
		return ret;
	}
	return genlmsg_reply(skb, info);
}

static int reply_device(struct sk_buff *skb, struct genl_info *info)
{
	return reply(info, answer_device);
}

static int reply_vring(struct sk_buff *skb, struct genl_info *info)
{
	return reply(info, answer_vring);
}

static void *put_dump_header(struct sk_buff *skb, struct netlink_callback *cb,
			     enum vhost_bridge_genl_command command)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &family, NLM_F_MULTI, command);
}

static int dump_device(struct sk_buff *skb, struct netlink_callback *cb,
		       const struct vhb_device *device)
{
	void *header = put_dump_header(skb, cb, VHOST_BRIDGE_CMD_GET_DEVICE);

	if (!header)
		return -EMSGSIZE;
	return finish_message(skb, header, add_device(skb, device));
}

/*
 * Between two parts of a dump cb->args[0] has the number of the device to go on
 * with. It may be gone then; the next one follows.
 */
static int dump_devices(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct vhb_device *device;
	int ret = 0;

	vhb_registry_lock();
	while (!ret && (device = vhb_registry_from(cb->args[0]))) {
		ret = dump_device(skb, cb, device);
		cb->args[0] = device->id + !ret;
	}
	vhb_registry_unlock();
	/* What does not fit comes next time, unless not even one does. */
	return skb->len ? skb->len : ret;
}

/* cb->args[1] has the vring to go on with. */
static int dump_vrings_of(struct sk_buff *skb, struct netlink_callback *cb,
			  const struct vhb_device *device)
{
	void *header;
	int ret;

	while (cb->args[1] < device->personality->virtqueue_count_max) {
		header = put_dump_header(skb, cb, VHOST_BRIDGE_CMD_GET_VRING);
		if (!header)
			return -EMSGSIZE;
		ret = finish_message(skb, header,
				     add_vring(skb, &device->virtqueues[cb->args[1]]));
		if (ret)
			return ret;
		cb->args[1]++;
	}
	cb->args[1] = 0;
	return 0;
}

static int dump_all_vrings(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct vhb_device *device;
	int ret = 0;

	while (!ret && (device = vhb_registry_from(cb->args[0]))) {
		/* Another one than we left off with */
		if (device->id != cb->args[0])
			cb->args[1] = 0;
		ret = dump_vrings_of(skb, cb, device);
		cb->args[0] = device->id + !ret;
	}
	return ret;
}

/* cb->args[2] tells that the only one that was asked for is complete. */
static int dump_vrings_of_one(struct sk_buff *skb, struct netlink_callback *cb,
			      struct nlattr **attrs)
{
	const struct vhb_device *device;
	int ret;

	if (cb->args[2])
		return 0;
	device = find_device(attrs);
	if (IS_ERR(device))
		return PTR_ERR(device);
	ret = dump_vrings_of(skb, cb, device);
	cb->args[2] = !ret;
	return ret;
}

static int dump_vrings(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr **attrs = genl_info_dump(cb)->attrs;
	int ret;

	vhb_registry_lock();
	if (attrs && attrs[VHOST_BRIDGE_ATTR_DEVICE_ID])
		ret = dump_vrings_of_one(skb, cb, attrs);
	else
		ret = dump_all_vrings(skb, cb);
	vhb_registry_unlock();
	return skb->len ? skb->len : ret;
}

static const struct genl_small_ops ops[] = {
	{
		.cmd = VHOST_BRIDGE_CMD_GET_DEVICE,
		.flags = GENL_ADMIN_PERM,
		.doit = reply_device,
		.dumpit = dump_devices,
	},
	{
		.cmd = VHOST_BRIDGE_CMD_GET_VRING,
		.flags = GENL_ADMIN_PERM,
		.doit = reply_vring,
		.dumpit = dump_vrings,
	},
};

static const struct genl_multicast_group groups[] = {
	[GROUP_EVENTS] = {
		.name = VHOST_BRIDGE_GENL_GROUP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

static struct genl_family family __ro_after_init = {
	.name = VHOST_BRIDGE_GENL_NAME,
	.version = VHOST_BRIDGE_GENL_VERSION,
	.module = THIS_MODULE,
	.policy = policy,
	.maxattr = ARRAY_SIZE(policy) - 1,
	.small_ops = ops,
	.n_small_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

static bool is_state(enum vhb_news news)
{
	switch (news) {
	case VHB_NEWS_STARTED:
	case VHB_NEWS_DRAINING:
	case VHB_NEWS_STOPPED:
	case VHB_NEWS_BROKEN:
		return true;
	case VHB_NEWS_CALL:
	case VHB_NEWS_CONFIG:
	case VHB_NEWS_MISS:
	case VHB_NEWS_DISOWNED:
		break;
	}
	return false;
}

static struct sk_buff *make_event(const struct vhb_virtqueue *vq)
{
	struct sk_buff *skb;
	void *header;

	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_NOWAIT | __GFP_NOWARN);
	if (!skb)
		return NULL;
	header = genlmsg_put(skb, 0, 0, &family, 0,
			     VHOST_BRIDGE_CMD_VRING_EVENT);
	if (!header || finish_message(skb, header, add_event(skb, vq))) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

void vhb_netlink_tell(const struct vhb_virtqueue *vq, enum vhb_news news)
{
	struct sk_buff *skb;

	if (!is_state(news) ||
	    !genl_has_listeners(&family, &init_net, GROUP_EVENTS))
		return;
	skb = make_event(vq);
	/* Who is too slow is told so by netlink itself. */
	if (skb)
		genlmsg_multicast(&family, skb, 0, GROUP_EVENTS,
				  GFP_NOWAIT | __GFP_NOWARN);
	else
		genl_set_err(&family, &init_net, 0, GROUP_EVENTS, -ENOBUFS);
}

int vhb_netlink_register(void)
{
	return genl_register_family(&family);
}

void vhb_netlink_unregister(void)
{
	genl_unregister_family(&family);
}
