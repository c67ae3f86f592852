/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Growing a file system: which one it is, and what speaks against it. */
#include "fs/grow.h"

#include "fs/ntfs_check.h"
#include "fs/ntfs_growth.h"
#include "fs/ntfs_state.h"

#include <stdio.h>

static void fill_plan(
	const struct sv_ntfs_growth *g, uint64_t used, struct sv_fs_grow_plan *ret)
{
	const struct sv_raw_vol *v = g->v;

	*ret = (struct sv_fs_grow_plan){
		.type = "ntfs",
		.old_size = v->geo.sectors * v->geo.sector_size,
		.new_size = g->sectors * v->geo.sector_size,
		.used = used * v->geo.cluster_size,
		.free = (v->geo.clusters - used) * v->geo.cluster_size,
		.block_size = v->geo.cluster_size,
		.write_bytes = sv_ntfs_growth_cost(g),
	};
	if (g->moved)
		snprintf(ret->note, sizeof ret->note,
			"the free-space map (%llu KiB) moves to the new space",
			(unsigned long long)(g->old_bitmap.size / 1024));
}

int sv_fs_check_grow(struct sv_dev *volume, uint64_t new_volume_size,
	const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_raw_free_vol) struct sv_raw_vol v = {0};
	SV_CLEANUP(sv_ntfs_free_growth) struct sv_ntfs_growth g = {0};
	uint64_t used;

	if (sv_raw_open_vol(volume, &v, err) < 0 ||
		sv_ntfs_check_state(&v, opts->accept_dirty, opts->job, err) < 0 ||
		sv_ntfs_plan_growth(&v, new_volume_size, opts->ask_check, &g, err) < 0)
		return -1;
	if (!opts->quick &&
		sv_ntfs_cross_check(&v, &g.old_bitmap, SV_NTFS_CLAIMS_MAX, opts->job, err) < 0)
		return -1;
	if (sv_ntfs_count_used(&v, &g.old_bitmap, &used, opts->job, err) < 0)
		return -1;
	fill_plan(&g, used, ret);
	return 0;
}

int sv_fs_grow(struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err)
{
	SV_CLEANUP(sv_raw_free_vol) struct sv_raw_vol v = {0};
	SV_CLEANUP(sv_ntfs_free_growth) struct sv_ntfs_growth g = {0};

	if (sv_raw_open_vol(volume, &v, err) < 0 ||
		sv_ntfs_plan_growth(&v, sv_dev_size(volume), opts->ask_check, &g, err) < 0)
		return -1;
	return sv_ntfs_write_growth(&g, opts->job, err);
}
