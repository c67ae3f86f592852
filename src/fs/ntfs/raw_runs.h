/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mapping pairs: where the clusters of an attribute lie, packed as differences. Pure. Private
 * to the fs room.
 */
#ifndef SV_FS_NTFS_RAW_RUNS_H
#define SV_FS_NTFS_RAW_RUNS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sv_ntfs_raw_run {
	uint64_t vcn;    /* of the attribute */
	uint64_t lcn;    /* of the volume; NTFS_HOLE for a hole */
	uint64_t length; /* clusters, at least 1 */
};

/* Reads runs one by one, keeping nothing. */
struct sv_ntfs_raw_run_reader {
	const uint8_t *bytes;
	size_t size, at;
	uint64_t vcn, lcn;
	uint64_t clusters; /* of the volume: no run lies beyond */
};

void sv_ntfs_raw_runs_begin(struct sv_ntfs_raw_run_reader *r, const uint8_t *bytes, size_t size,
	uint64_t first_vcn, uint64_t clusters);
/* Returns 1 and a run, 0 at the end, -1 (SV_CORRUPT, offset within the bytes). */
int sv_ntfs_raw_next_run(
	struct sv_ntfs_raw_run_reader *r, struct sv_ntfs_raw_run *ret, struct sv_err *err);

/* What packing would take, with the end mark; the runs follow one another in vcn. */
size_t sv_ntfs_raw_runs_packed_size(const struct sv_ntfs_raw_run *runs, size_t n);
/* Packs them; `out` has that many bytes. */
void sv_ntfs_raw_pack_runs(const struct sv_ntfs_raw_run *runs, size_t n, uint8_t *out);

#endif
