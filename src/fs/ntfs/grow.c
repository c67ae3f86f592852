/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing a planned growth of NTFS. What describes comes after what is described, and the boot
 * sector is last: $Bitmap's bits; the MFT records of $Bitmap, $BadClus and $Volume with their
 * copies in $MFTMirr; the root folder's entry of $Bitmap; the backup boot sector in the
 * volume's last sector; a flush; the boot sector. It is written to an overlay, so that nothing
 * hangs on the order but what a reader of the overlay would see.
 */
#include "fs/ntfs/growth.h"

#include "base/num.h"
#include "fs/ntfs/bitmap.h"
#include "fs/ntfs/check.h"
#include "fs/ntfs/raw_disk.h"
#include "fs/ntfs/root.h"
#include "fs/ntfs/state.h"

#include <stdio.h>

static int free_runs(
	const struct sv_ntfs_bits *b, const struct sv_ntfs_raw_stream *s, struct sv_err *err)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->runs[i].lcn != NTFS_HOLE &&
			sv_ntfs_mark_bits(b, s->runs[i].lcn, s->runs[i].length, false, err) < 0)
			return -1;
	return 0;
}

/* All beyond the old end is free, but the bitmap's own new clusters, and the padding after the
 * new end, which is marked used. The old padding goes, and so does what lay beyond the
 * initialized size: it read as zeros, and is going to be read. */
static int write_new_bits(
	const struct sv_ntfs_growth *g, const struct sv_ntfs_bits *b, struct sv_err *err)
{
	uint64_t old = g->v->geo.clusters, known = sv_div_up(old, 8);
	uint64_t lies = g->moved ? known : SV_MIN(known, g->old_bitmap.initialized);

	if (g->moved && sv_ntfs_copy_bits(b, &g->old_bitmap, known, err) < 0)
		return -1;
	if (sv_ntfs_zero_bits(b, lies, g->bitmap.allocated, err) < 0 ||
		sv_ntfs_mark_bits(b, old, 8 * known - old, false, err) < 0 ||
		sv_ntfs_mark_bits(b, g->added.lcn, g->added.length, true, err) < 0)
		return -1;
	return sv_ntfs_mark_bits(b, g->clusters, 8 * g->bitmap.size - g->clusters, true, err);
}

static int write_bitmap(struct sv_ntfs_growth *g, struct sv_job *job, struct sv_err *err)
{
	sv_autofree uint8_t *buffer = malloc(SV_NTFS_BITS_BUFFER);
	struct sv_ntfs_bits b = {.v = g->v, .bitmap = &g->bitmap, .job = job, .buffer = buffer};

	if (!buffer)
		return sv_fail_nomem(err);
	if (write_new_bits(g, &b, err) < 0)
		return -1;
	if (g->moved && free_runs(&b, &g->old_bitmap, err) < 0)
		return -1;
	return g->leftover.bytes ? 0 : free_runs(&b, &g->leftover.list, err);
}

static enum sv_ntfs_visit set_entry_sizes(void *user, uint64_t reference, uint8_t *key,
	const struct ntfs_file_name *head, const uint8_t *name)
{
	const struct sv_ntfs_growth *g = user;

	(void)head;
	(void)name;
	if (NTFS_REF_RECORD(reference) != NTFS_FILE_BITMAP)
		return SV_NTFS_GO_ON;
	sv_store_le64(key + offsetof(struct ntfs_file_name, allocated), g->bitmap.allocated);
	sv_store_le64(key + offsetof(struct ntfs_file_name, size), g->bitmap.size);
	return SV_NTFS_WRITE_AND_STOP;
}

static int write_boot_sectors(struct sv_ntfs_growth *g, struct sv_err *err)
{
	uint8_t sector[4096];
	size_t size = SV_MAX(g->v->geo.sector_size, sizeof(struct ntfs_boot));
	struct sv_dev *dev = g->v->dev;
	uint64_t last = g->sectors * g->v->geo.sector_size;

	if (sv_dev_read(dev, sector, size, 0, err) < 0)
		return -1;
	sv_store_le64(sector + offsetof(struct ntfs_boot, sectors), g->sectors);
	if (sv_dev_write(dev, sector, g->v->geo.sector_size, last, err) < 0 ||
		sv_dev_flush(dev, err) < 0 ||
		sv_dev_write(dev, sector, g->v->geo.sector_size, 0, err) < 0)
		return -1;
	return sv_dev_flush(dev, err);
}

int sv_ntfs_write_growth(struct sv_ntfs_growth *g, struct sv_job *job, struct sv_err *err)
{
	sv_job_progress(job, "growing the file system", 0, 0);
	if (g->bitmap.count && write_bitmap(g, job, err) < 0)
		return -1;
	if (sv_ntfs_write_leftover(&g->leftover, g->v, err) < 0 ||
		sv_ntfs_write_edits(&g->edits, g->v, err) < 0)
		return -1;
	if (g->bitmap.count && sv_ntfs_visit_root(g->v, set_entry_sizes, g, job, err) < 0)
		return -1;
	return write_boot_sectors(g, err);
}

/* ---- the door ---- */

static void fill_plan(
	const struct sv_ntfs_growth *g, uint64_t used, struct sv_fs_grow_plan *ret)
{
	const struct sv_ntfs_raw_geometry *geo = &g->v->geo;

	*ret = (struct sv_fs_grow_plan){
		.type = "ntfs",
		.old_size = geo->sectors * geo->sector_size,
		.new_size = g->sectors * geo->sector_size,
		.used = used * geo->cluster_size,
		.free = (geo->clusters - used) * geo->cluster_size,
		.overhead = g->added.length * geo->cluster_size,
		.block_size = geo->cluster_size,
		.write_bytes = sv_ntfs_growth_cost(g),
	};
	if (g->moved)
		snprintf(ret->note, sizeof ret->note,
			"the map of free space (%llu KiB) moves to the new space",
			(unsigned long long)(g->old_bitmap.size / SV_KIB));
}

int sv_ntfs_check_grow(struct sv_dev *volume, uint64_t new_volume_size,
	const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_raw_free_vol) struct sv_ntfs_raw_vol v = {0};
	SV_CLEANUP(sv_ntfs_free_growth) struct sv_ntfs_growth g = {0};
	uint64_t used = 0;

	if (sv_ntfs_raw_open_vol(volume, &v, err) < 0 ||
		sv_ntfs_check_state(&v, opts->accept_dirty, opts->job, err) < 0 ||
		sv_ntfs_plan_growth(&v, new_volume_size, opts->ask_check, &g, err) < 0)
		return -1;
	if (!opts->quick &&
		(sv_ntfs_cross_check(&v, &g.old_bitmap, SV_NTFS_CLAIMS_MAX, opts->job, err) <
				0 ||
			sv_ntfs_count_used(&v, &g.old_bitmap, &used, opts->job, err) < 0))
		return -1;
	fill_plan(&g, used, ret);
	if (opts->quick)
		ret->used = ret->free = 0;
	return 0;
}

int sv_ntfs_grow(struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_raw_free_vol) struct sv_ntfs_raw_vol v = {0};
	SV_CLEANUP(sv_ntfs_free_growth) struct sv_ntfs_growth g = {0};

	if (sv_ntfs_raw_open_vol(volume, &v, err) < 0 ||
		sv_ntfs_plan_growth(&v, sv_dev_size(volume), opts->ask_check, &g, err) < 0)
		return -1;
	return sv_ntfs_write_growth(&g, opts->job, err);
}
