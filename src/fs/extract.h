/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copying a file out of a guest. */
#ifndef SV_FS_EXTRACT_H
#define SV_FS_EXTRACT_H

#include "fs/fs.h"

/*
 * Writes all of a file (or of its named stream) to `out`, a new, empty, resizable device, in
 * pieces of 1 MiB. Holes are not read and zeros are not written: what was sparse stays
 * sparse. Times and names are the caller's. Refuses what sv_fs_read() refuses.
 */
int sv_fs_extract(struct sv_fs *fs, uint64_t ino, const char *stream, struct sv_dev *out,
	struct sv_job *job, struct sv_err *err);

/* Where a file may have data, in order and apart from each other: the rest of it is zeros. */
struct sv_fs_range {
	uint64_t off, len;
};
/*
 * The ranges of the unnamed stream, within its size; one for all of it where its holes cannot
 * be told (compressed data). SV_NOMEM beyond `max` ranges. Caller frees *ret.
 */
int sv_fs_data_ranges(struct sv_fs *fs, uint64_t ino, size_t max, struct sv_fs_range **ret,
	size_t *ret_n, struct sv_err *err);

#endif
