/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does $Bitmap tell what the MFT records use? Private to the fs room.
 */
#ifndef SV_FS_NTFS_CHECK_H
#define SV_FS_NTFS_CHECK_H

#include "base/job.h"
#include "fs/ntfs/raw_vol.h"

/* 12 MiB of claims, and as much while they are sorted: one pass over $MFT for a million
 * fragments, one more for each further half million. */
#define SV_NTFS_CLAIMS_MAX (1U << 20)

/*
 * Compares the runs of all MFT records in use with $Bitmap. SV_CORRUPT for the first cluster
 * that disagrees, with both values, the record that claims it, and the cluster's offset; for
 * a cluster used twice; for a record that cannot be read. Writes nothing.
 */
int sv_ntfs_cross_check(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *bitmap,
	size_t claims_max, struct sv_job *job, struct sv_err *err);

/* How many of the volume's clusters are marked used. */
int sv_ntfs_count_used(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *bitmap,
	uint64_t *ret, struct sv_job *job, struct sv_err *err);

#endif
