// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flush, discard, write zeroes and secure erase: no file does these without
 * blocking, so a workqueue does.
 */
#include <linux/cgroup.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "memory/memory.h"
#include "personality/blk.h"

/**
 * struct extent - a range, checked
 * @first_byte: where
 * @length_bytes: not zero
 * @may_unmap: write zeroes may free the storage
 */
struct extent {
	loff_t first_byte;
	loff_t length_bytes;
	bool may_unmap;
};

static int change_bdev(const struct vhb_blk_request *request,
		       const struct extent *extent)
{
	struct vhb_blk *blk = request->blk;
	const sector_t sector = extent->first_byte >> SECTOR_SHIFT;
	const sector_t count = extent->length_bytes >> SECTOR_SHIFT;

	switch (request->type) {
	case VIRTIO_BLK_T_DISCARD:
		return blkdev_issue_discard(blk->bdev, sector, count,
					    GFP_KERNEL);
	case VIRTIO_BLK_T_SECURE_ERASE:
		return blkdev_issue_secure_erase(blk->bdev, sector, count,
						 GFP_KERNEL);
	default:
		return blkdev_issue_zeroout(blk->bdev, sector, count,
					    GFP_KERNEL, extent->may_unmap ?
					    0 : BLKDEV_ZERO_NOUNMAP);
	}
}

/* Stale: a page of the host's cache still has what was there before. */
static int change_bdev_and_cache(const struct vhb_blk_request *request,
				 const struct extent *extent, bool *is_stale)
{
	struct address_space *mapping = request->blk->file->f_mapping;
	const loff_t last_byte = extent->first_byte + extent->length_bytes - 1;
	int ret;

	*is_stale = false;
	ret = filemap_write_and_wait_range(mapping, extent->first_byte,
					   last_byte);
	if (ret)
		return ret;
	ret = change_bdev(request, extent);
	if (invalidate_inode_pages2_range(mapping,
					  extent->first_byte >> PAGE_SHIFT,
					  last_byte >> PAGE_SHIFT))
		*is_stale = true;
	return ret;
}

static int write_zeroes_to_cache(const struct vhb_blk_request *request,
				 loff_t byte, loff_t end_byte)
{
	ssize_t done;

	while (byte < end_byte) {
		done = kernel_write(request->blk->file,
				    page_address(ZERO_PAGE(0)),
				    min_t(loff_t, PAGE_SIZE, end_byte - byte),
				    &byte);
		if (done <= 0)
			return done ? done : -EIO;
	}
	return 0;
}

/* Whole pages: nobody has a right to write them meanwhile, but to look at them. */
static int change_cached_pages(const struct vhb_blk_request *request,
			       const struct extent *pages)
{
	bool is_stale;
	int ret;

	ret = change_bdev_and_cache(request, pages, &is_stale);
	if (ret || !is_stale)
		return ret;
	switch (request->type) {
	case VIRTIO_BLK_T_DISCARD:
		return 0;
	case VIRTIO_BLK_T_SECURE_ERASE:
		return -EBUSY;
	default:
		return write_zeroes_to_cache(request, pages->first_byte,
					     pages->first_byte +
						     pages->length_bytes);
	}
}

/*
 * A page that a request has only some sectors of is the cache's to change: a write
 * to another of its sectors would put back what the cache has for these. To discard
 * is to give leave, so it may be left out; to erase is to promise.
 */
static int change_cached_bdev(const struct vhb_blk_request *request,
			      const struct extent *extent)
{
	const loff_t page_bytes =
		max_t(loff_t, PAGE_SIZE,
		      i_blocksize(request->blk->file->f_mapping->host));
	const loff_t end_byte = extent->first_byte + extent->length_bytes;
	const loff_t first_page = round_up(extent->first_byte, page_bytes);
	const loff_t end_page = round_down(end_byte, page_bytes);
	const struct extent pages = {
		.first_byte = first_page,
		.length_bytes = end_page - first_page,
		.may_unmap = extent->may_unmap,
	};
	int ret = 0;

	if (pages.length_bytes == extent->length_bytes)
		return change_cached_pages(request, &pages);
	if (request->type == VIRTIO_BLK_T_SECURE_ERASE)
		return -EINVAL;
	if (request->type == VIRTIO_BLK_T_WRITE_ZEROES) {
		ret = write_zeroes_to_cache(request, extent->first_byte,
					    min(first_page, end_byte));
		if (!ret)
			ret = write_zeroes_to_cache(request,
						    max(first_page, end_page),
						    end_byte);
	}
	if (ret || pages.length_bytes <= 0)
		return ret;
	return change_cached_pages(request, &pages);
}

static int change_bdev_extent(const struct vhb_blk_request *request,
			      const struct extent *extent)
{
	bool is_stale;

	/* Direct I/O, which demands alignment, does not read the cache. */
	return request->blk->length_mask ?
		       change_bdev_and_cache(request, extent, &is_stale) :
		       change_cached_bdev(request, extent);
}

static int allocate(const struct vhb_blk_request *request, int mode,
		    const struct extent *extent)
{
	return vfs_fallocate(request->blk->file, mode | FALLOC_FL_KEEP_SIZE,
			     extent->first_byte, extent->length_bytes);
}

static int change_file(const struct vhb_blk_request *request,
		       const struct extent *extent)
{
	int ret;

	if (request->type == VIRTIO_BLK_T_DISCARD || extent->may_unmap)
		return allocate(request, FALLOC_FL_PUNCH_HOLE, extent);
	ret = allocate(request, FALLOC_FL_ZERO_RANGE, extent);
	if (ret != -EOPNOTSUPP)
		return ret;
	/* tmpfs has no such thing: make a hole and fill it. */
	ret = allocate(request, FALLOC_FL_PUNCH_HOLE, extent);
	return ret ? ret : allocate(request, 0, extent);
}

static int change(const struct vhb_blk_request *request,
		  const struct virtio_blk_discard_write_zeroes *range)
{
	const struct extent extent = {
		.first_byte = le64_to_cpu(range->sector) << SECTOR_SHIFT,
		.length_bytes = (loff_t)le32_to_cpu(range->num_sectors)
				<< SECTOR_SHIFT,
		.may_unmap = le32_to_cpu(range->flags) &
			     VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
	};

	if (!extent.length_bytes)
		return 0;
	if (request->blk->bdev)
		return change_bdev_extent(request, &extent);
	return change_file(request, &extent);
}

/* Without a write cache these rest in none either. */
static int flush_if_due(const struct vhb_blk_request *request)
{
	if (request->type != VIRTIO_BLK_T_FLUSH &&
	    !vhb_blk_is_writethrough(request->base.vq->device))
		return 0;
	return vfs_fsync(request->blk->file, 1);
}

/* A virtqueue's worker is in its owner's cgroups, and outlives its requests. */
#ifdef CONFIG_BLK_CGROUP
static struct cgroup_subsys_state *join_blkcg(const struct vhb_worker *worker)
{
	struct cgroup_subsys_state *css =
		task_get_css(worker->task, io_cgrp_id);

	kthread_associate_blkcg(css);
	return css;
}

static void leave_blkcg(struct cgroup_subsys_state *css)
{
	kthread_associate_blkcg(NULL);
	css_put(css);
}
#else
static struct cgroup_subsys_state *join_blkcg(const struct vhb_worker *worker)
{
	return NULL;
}

static void leave_blkcg(struct cgroup_subsys_state *css)
{
}
#endif

static void run_slow(struct work_struct *work)
{
	struct vhb_blk_request *request =
		container_of(work, struct vhb_blk_request, work);
	const struct vhb_worker *worker = &request->base.vq->worker;
	const struct cred *kernel_cred = override_creds(worker->cred);
	struct cgroup_subsys_state *css = join_blkcg(worker);
	int ret = 0;
	u32 i;

	for (i = 0; !ret && i < request->range_count; i++)
		ret = change(request, &request->ranges[i]);
	if (!ret)
		ret = flush_if_due(request);
	leave_blkcg(css);
	revert_creds(kernel_cred);
	if (ret == -EOPNOTSUPP)
		request->status = VIRTIO_BLK_S_UNSUPP;
	else if (ret)
		request->status = VIRTIO_BLK_S_IOERR;
	vhb_request_complete(&request->base);
}

static u8 check_range(const struct vhb_blk_request *request,
		      const struct virtio_blk_discard_write_zeroes *range)
{
	const struct vhb_blk *blk = request->blk;
	const u64 sectors = vhb_blk_sectors(blk);
	const u64 sector = le64_to_cpu(range->sector);
	const u32 count = le32_to_cpu(range->num_sectors);
	const u32 flags = le32_to_cpu(range->flags);
	const u32 known_flags = request->type == VIRTIO_BLK_T_WRITE_ZEROES ?
					VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

	if (flags & ~known_flags)
		return VIRTIO_BLK_S_UNSUPP;
	if (sector > sectors || count > sectors - sector)
		return VIRTIO_BLK_S_IOERR;
	if ((sector | count) & ((blk->block_bytes >> SECTOR_SHIFT) - 1))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static bool is_offered(const struct vhb_blk_request *request)
{
	switch (request->type) {
	case VIRTIO_BLK_T_DISCARD:
		return request->blk->can_discard;
	case VIRTIO_BLK_T_SECURE_ERASE:
		return request->blk->can_erase;
	default:
		return true;
	}
}

static u8 take_ranges(struct vhb_virtqueue *vq,
		      struct vhb_blk_request *request)
{
	const u32 bytes = request->data.left_bytes;
	const u32 count = bytes / sizeof(*request->ranges);
	u64 left_sectors = vhb_blk_sectors(request->blk);
	u32 i, sectors;
	u8 status;

	if (request->blk->is_read_only)
		return VIRTIO_BLK_S_IOERR;
	if (!is_offered(request))
		return VIRTIO_BLK_S_UNSUPP;
	if (!count || count > VHB_BLK_RANGES_MAX ||
	    bytes % sizeof(*request->ranges))
		return VIRTIO_BLK_S_IOERR;
	request->ranges = kmalloc(bytes, GFP_KERNEL);
	if (!request->ranges)
		return VIRTIO_BLK_S_IOERR;
	if (vhb_cursor_read(&request->data, &vq->view, request->ranges, bytes))
		return VIRTIO_BLK_S_IOERR;
	for (i = 0; i < count; i++) {
		status = check_range(request, &request->ranges[i]);
		if (status != VIRTIO_BLK_S_OK)
			return status;
		/* Once over the disk, or a request could keep it for days. */
		sectors = le32_to_cpu(request->ranges[i].num_sectors);
		if (sectors > left_sectors)
			return VIRTIO_BLK_S_IOERR;
		left_sectors -= sectors;
	}
	request->range_count = count;
	return VIRTIO_BLK_S_OK;
}

u8 vhb_blk_start_slow(struct vhb_virtqueue *vq,
		      struct vhb_blk_request *request)
{
	u8 status;

	if (request->type != VIRTIO_BLK_T_FLUSH) {
		status = take_ranges(vq, request);
		if (status != VIRTIO_BLK_S_OK)
			return status;
	}
	INIT_WORK(&request->work, run_slow);
	queue_work(request->blk->slow, &request->work);
	return VIRTIO_BLK_S_OK;
}
