// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat/compat_uring.h"
#include "device/device.h"
#include "interface/interface.h"
#include "interface/netlink.h"

/**
 * struct chardev - /dev/vhost-bridge-NAME
 * @misc: as registered
 * @personality: what it makes
 * @is_registered: it is there
 */
struct chardev {
	struct miscdevice misc;
	const struct vhb_personality *personality;
	bool is_registered;
};

static struct chardev *chardevs;

/* &vhb_device.on_news: to all who may want to hear */
static void on_news(void *argument, enum vhb_news news, unsigned int index)
{
	struct vhb_handle *handle = argument;

	vhb_netlink_tell(&handle->device->virtqueues[index], news);
	vhb_slots_tell(&handle->slots, news, index);
}

static int chardev_open(struct inode *inode, struct file *file)
{
	/* The misc core left its structure here. */
	const struct chardev *chardev = container_of(file->private_data,
						     struct chardev, misc);
	struct vhb_handle *handle;
	int ret;

	handle = kzalloc(sizeof(*handle), GFP_KERNEL_ACCOUNT);
	if (!handle)
		return -ENOMEM;
	ret = vhb_device_create(chardev->personality, &handle->device);
	if (ret) {
		kfree(handle);
		return ret;
	}
	vhb_slots_init(&handle->slots);
	handle->device->on_news_argument = handle;
	handle->device->on_news = on_news;
	file->private_data = handle;
	return nonseekable_open(inode, file);
}

/*
 * Does the file go with the process that ends, and is kept by nothing but
 * io_uring? Each command that waits has a reference to it.
 */
static bool dies_with_process(const struct file *file,
			      struct vhb_slots *slots)
{
	long others;

	if (!(current->flags & PF_EXITING) ||
	    atomic_read(&current->signal->live))
		return false;
	others = file_count(file) - 1;
	/*
	 * With no others release comes in this very exit, behind those of files
	 * that were opened later: our threads may wait for what one of these does.
	 */
	return others > 0 && others <= vhb_slots_count(slots);
}

static int chardev_flush(struct file *file, fl_owner_t owner)
{
	struct vhb_handle *handle = file->private_data;
	const bool is_dying = dies_with_process(file, &handle->slots);

	vhb_slots_flush(&handle->slots);
	/*
	 * io_uring's references may go later than the process. Who waits for its
	 * end must find all drained, and its disk free.
	 */
	if (is_dying)
		vhb_device_abandon(handle->device);
	return 0;
}

static int chardev_release(struct inode *inode, struct file *file)
{
	struct vhb_handle *handle = file->private_data;

	vhb_device_destroy(handle->device);
	kfree(handle);
	return 0;
}

static long chardev_ioctl(struct file *file, unsigned int command,
			  unsigned long argument)
{
	struct vhb_handle *handle = file->private_data;

	return vhb_ioctl(handle->device, command, argument);
}

static int chardev_uring_cmd(struct io_uring_cmd *command,
			     unsigned int issue_flags)
{
	return vhb_uring_cmd(command->file->private_data, command, issue_flags);
}

static struct vhb_device *device_of(const struct file *file)
{
	const struct vhb_handle *handle = file->private_data;

	return handle->device;
}

static ssize_t chardev_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return vhb_iotlb_read(device_of(iocb->ki_filp), iocb, to);
}

static ssize_t chardev_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	return vhb_iotlb_write(device_of(iocb->ki_filp), iocb, from);
}

static __poll_t chardev_poll(struct file *file, poll_table *wait)
{
	return vhb_iotlb_poll(device_of(file), file, wait);
}

static const struct file_operations chardev_fops = {
	.owner = THIS_MODULE,
	.read_iter = chardev_read_iter,
	.write_iter = chardev_write_iter,
	.poll = chardev_poll,
	.open = chardev_open,
	.flush = chardev_flush,
	.release = chardev_release,
	.unlocked_ioctl = chardev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = chardev_uring_cmd,
	.llseek = noop_llseek,
};

static int register_one(struct chardev *chardev,
			const struct vhb_personality *personality)
{
	int ret;

	chardev->personality = personality;
	chardev->misc.minor = MISC_DYNAMIC_MINOR;
	chardev->misc.fops = &chardev_fops;
	chardev->misc.mode = 0600;
	chardev->misc.name = kasprintf(GFP_KERNEL, "vhost-bridge-%s",
				       personality->name);
	if (!chardev->misc.name)
		return -ENOMEM;
	ret = misc_register(&chardev->misc);
	if (ret)
		kfree(chardev->misc.name);
	else
		chardev->is_registered = true;
	return ret;
}

int vhb_chardevs_register(bool with_loop)
{
	unsigned int i;
	int ret;

	chardevs = kcalloc(vhb_personality_count(), sizeof(*chardevs),
			   GFP_KERNEL);
	if (!chardevs)
		return -ENOMEM;
	for (i = 0; i < vhb_personality_count(); i++) {
		if (vhb_personality_at(i) == &vhb_loop_personality && !with_loop)
			continue;
		ret = register_one(&chardevs[i], vhb_personality_at(i));
		if (ret)
			goto unregister;
	}
	return 0;

unregister:
	vhb_chardevs_unregister();
	return ret;
}

void vhb_chardevs_unregister(void)
{
	unsigned int i;

	for (i = 0; i < vhb_personality_count(); i++) {
		if (!chardevs[i].is_registered)
			continue;
		misc_deregister(&chardevs[i].misc);
		kfree(chardevs[i].misc.name);
	}
	kfree(chardevs);
}
