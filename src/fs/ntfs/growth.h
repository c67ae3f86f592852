/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing NTFS: first a plan that holds every changed MFT record (so that what does not fit
 * shows before anything is written), then the writing. Private to the fs room.
 */
#ifndef SV_FS_NTFS_GROWTH_H
#define SV_FS_NTFS_GROWTH_H

#include "base/job.h"
#include "fs/grow.h"
#include "fs/ntfs/edit.h"
#include "fs/ntfs/list.h"
#include "fs/ntfs/raw_vol.h"

struct sv_ntfs_growth {
	struct sv_ntfs_raw_vol *v; /* borrowed */
	uint64_t sectors;          /* as the boot sector will count them: the backup follows */
	uint64_t clusters;
	struct sv_ntfs_raw_stream old_bitmap;
	struct sv_ntfs_raw_stream bitmap; /* as it will lie; no runs where nothing changes */
	struct sv_ntfs_raw_run added; /* its clusters beyond the old end; length 0 for none */
	bool moved;                   /* all of it lies there, and the old clusters are free */
	struct sv_ntfs_edits edits;
	struct sv_ntfs_leftover leftover;
};

/*
 * What it takes to fill a volume of `volume_size` bytes. Reads only. SV_UNSUPPORTED where the
 * format or a full MFT record does not allow it, SV_USAGE where the volume would not grow.
 * *ret is to be freed also after a failure.
 */
int sv_ntfs_plan_growth(struct sv_ntfs_raw_vol *v, uint64_t volume_size, bool ask_check,
	struct sv_ntfs_growth *ret, struct sv_err *err);
/* An upper bound of what writing touches, in 4 KiB pages, where the new space is empty. */
uint64_t sv_ntfs_growth_cost(const struct sv_ntfs_growth *g);
/* Writes to the volume, which has its new size. */
int sv_ntfs_write_growth(struct sv_ntfs_growth *g, struct sv_job *job, struct sv_err *err);
void sv_ntfs_free_growth(struct sv_ntfs_growth *g);

/* What grow.h promises, for this file system. */
int sv_ntfs_check_grow(struct sv_dev *volume, uint64_t new_volume_size,
	const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret, struct sv_err *err);
int sv_ntfs_grow(struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err);

#endif
