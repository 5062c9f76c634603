// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file behind a block device, and what it lets us tell the guest.
 */
#include <linux/file.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/virtio_byteorder.h>

#include "personality/blk.h"

#define SECTOR_BYTES 512U

u64 vhb_blk_sectors(const struct vhb_blk *blk)
{
	return i_size_read(blk->file->f_mapping->host) >> SECTOR_SHIFT;
}

static int check_file(const struct file *file, bool is_read_only)
{
	const umode_t mode = file_inode(file)->i_mode;

	if (!S_ISREG(mode) && !S_ISBLK(mode))
		return -EINVAL;
	if (!(file->f_mode & FMODE_READ) ||
	    (!is_read_only && !(file->f_mode & FMODE_WRITE)))
		return -EBADF;
	/* Every write would go to the end. */
	if (file->f_flags & O_APPEND)
		return -EINVAL;
	if (!file->f_op->read_iter ||
	    (!is_read_only && !file->f_op->write_iter))
		return -EINVAL;
	if (i_size_read(file->f_mapping->host) < SECTOR_BYTES)
		return -EINVAL;
	return 0;
}

static void align_to_bdev(struct vhb_blk *blk, struct block_device *bdev)
{
	blk->block_bytes = bdev_logical_block_size(bdev);
	blk->length_mask = blk->block_bytes - 1;
	blk->address_mask = bdev_dma_alignment(bdev);
}

static void align_to_file(struct vhb_blk *blk)
{
	struct super_block *sb = file_inode(blk->file)->i_sb;
	struct kstat stat = {};

	if (!vfs_getattr(&blk->file->f_path, &stat, STATX_DIOALIGN, 0) &&
	    stat.result_mask & STATX_DIOALIGN && stat.dio_offset_align) {
		blk->block_bytes = max(stat.dio_offset_align, SECTOR_BYTES);
		blk->length_mask = blk->block_bytes - 1;
		blk->address_mask = stat.dio_mem_align - 1;
	} else if (sb->s_bdev) {
		align_to_bdev(blk, sb->s_bdev);
	} else {
		blk->block_bytes = SECTOR_BYTES;
		blk->length_mask = SECTOR_BYTES - 1;
		blk->address_mask = SECTOR_BYTES - 1;
	}
}

/* What direct I/O demands; nothing where the page cache copies anyway */
static void learn_alignment(struct vhb_blk *blk)
{
	if (!(blk->file->f_flags & O_DIRECT)) {
		blk->block_bytes = blk->bdev ?
					   bdev_logical_block_size(blk->bdev) :
					   SECTOR_BYTES;
		blk->length_mask = 0;
		blk->address_mask = 0;
	} else if (blk->bdev) {
		align_to_bdev(blk, blk->bdev);
	} else {
		align_to_file(blk);
	}
}

/* Not on the second of other timers alone: a CPU that sleeps wakes once for all. */
static void watch_on(struct vhb_blk *blk)
{
	queue_delayed_work(system_power_efficient_wq, &blk->watch,
			   round_jiffies_relative(VHB_BLK_WATCH_S * HZ));
}

/*
 * No file tells a module that its size has changed. The configuration space and
 * the checks of requests look at it each time, so all that is left is to tell.
 */
static void watch_size(struct work_struct *work)
{
	struct vhb_blk *blk = container_of(to_delayed_work(work),
					   struct vhb_blk, watch);
	const u64 sectors = vhb_blk_sectors(blk);

	if (sectors != blk->told_sectors) {
		blk->told_sectors = sectors;
		vhb_device_tell_config(blk->device);
	}
	watch_on(blk);
}

void vhb_blk_init_backing(struct vhb_blk *blk)
{
	INIT_DELAYED_WORK(&blk->watch, watch_size);
}

int vhb_blk_set_backing(struct vhb_blk *blk,
			const struct vhost_bridge_blk_backing *backing)
{
	const bool is_read_only = backing->flags & VHOST_BRIDGE_BLK_READ_ONLY;
	struct file *file;
	int ret;

	if (backing->fd == -1) {
		vhb_blk_drop_backing(blk);
		return 0;
	}
	file = fget(backing->fd);
	if (!file)
		return -EBADF;
	ret = check_file(file, is_read_only);
	if (ret) {
		fput(file);
		return ret;
	}

	vhb_blk_drop_backing(blk);
	blk->file = file;
	if (S_ISBLK(file_inode(file)->i_mode))
		blk->bdev = I_BDEV(file->f_mapping->host);
	blk->is_read_only = is_read_only;
	blk->is_writeback = true;
	vhb_blk_acked(blk->device);
	blk->vring_count = backing->vring_count;
	memcpy(blk->serial, backing->serial, sizeof(blk->serial));
	blk->can_discard = !is_read_only &&
			   (blk->bdev ? bdev_max_discard_sectors(blk->bdev) > 0 :
					!!file->f_op->fallocate);
	blk->can_erase = !is_read_only && blk->bdev &&
			 bdev_max_secure_erase_sectors(blk->bdev);
	learn_alignment(blk);
	blk->told_sectors = vhb_blk_sectors(blk);
	watch_on(blk);
	return 0;
}

void vhb_blk_drop_backing(struct vhb_blk *blk)
{
	/* It takes no lock but that of the slots, so it may be waited for here. */
	cancel_delayed_work_sync(&blk->watch);
	if (blk->file)
		fput(blk->file);
	blk->file = NULL;
	blk->bdev = NULL;
	blk->can_discard = false;
	blk->can_erase = false;
}

/* Fields are little-endian; a legacy driver on a big-endian host is not served. */
static __virtio16 virtio16(u16 value)
{
	return __cpu_to_virtio16(true, value);
}

static __virtio32 virtio32(u32 value)
{
	return __cpu_to_virtio32(true, value);
}

static __virtio64 virtio64(u64 value)
{
	return __cpu_to_virtio64(true, value);
}

static void put_topology(struct virtio_blk_config *config,
			 const struct vhb_blk *blk)
{
	const u32 block_bytes = blk->block_bytes;
	struct block_device *bdev = blk->bdev;

	config->blk_size = virtio32(block_bytes);
	if (!bdev)
		return;
	config->physical_block_exp =
		ilog2(bdev_physical_block_size(bdev) / block_bytes);
	config->alignment_offset =
		max(bdev_alignment_offset(bdev), 0) / block_bytes;
	config->min_io_size = virtio16(min_t(u32, U16_MAX,
					     bdev_io_min(bdev) / block_bytes));
	config->opt_io_size = virtio32(bdev_io_opt(bdev) / block_bytes);
}

static void put_limits(struct virtio_blk_config *config,
		       const struct vhb_blk *blk)
{
	const u32 max_sectors = round_down(U32_MAX, blk->block_bytes) >>
				SECTOR_SHIFT;
	u32 align_sectors = blk->block_bytes >> SECTOR_SHIFT;

	/* What goes by way of the page cache is done by whole pages. */
	if (blk->bdev && !blk->length_mask)
		align_sectors = max_t(u32, align_sectors,
				      PAGE_SIZE >> SECTOR_SHIFT);
	if (blk->can_discard) {
		if (blk->bdev)
			align_sectors = max(align_sectors,
					    bdev_discard_granularity(blk->bdev) >>
						    SECTOR_SHIFT);
		config->max_discard_sectors = virtio32(max_sectors);
		config->max_discard_seg = virtio32(VHB_BLK_RANGES_MAX);
		config->discard_sector_alignment = virtio32(align_sectors);
	}
	if (!blk->is_read_only) {
		config->max_write_zeroes_sectors = virtio32(max_sectors);
		config->max_write_zeroes_seg = virtio32(VHB_BLK_RANGES_MAX);
		config->write_zeroes_may_unmap = blk->can_discard;
	}
	if (blk->can_erase) {
		config->max_secure_erase_sectors = virtio32(max_sectors);
		config->max_secure_erase_seg = virtio32(VHB_BLK_RANGES_MAX);
		config->secure_erase_sector_alignment =
			virtio32(align_sectors);
	}
}

void vhb_blk_get_config(struct vhb_device *device, u8 *space)
{
	const struct vhb_blk *blk = device->private;
	struct virtio_blk_config config = {};

	static_assert(sizeof(config) <= VHB_CONFIG_BYTES);
	if (!blk->file)
		return;
	config.capacity = virtio64(vhb_blk_sectors(blk));
	config.seg_max = virtio32(VHB_BLK_SEGMENTS_MAX);
	config.wce = blk->is_writeback;
	config.num_queues = virtio16(blk->vring_count);
	put_topology(&config, blk);
	put_limits(&config, blk);
	memcpy(space, &config, sizeof(config));
}
