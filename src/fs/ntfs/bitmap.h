/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writing $Bitmap in place. The new part of a grown bitmap is almost all zeros, and it lies
 * where the volume has just been enlarged: what the device knows to be zero, or what reads as
 * zero, is not written, and no loop goes over single bits. Private to the fs room.
 */
#ifndef SV_FS_NTFS_BITMAP_H
#define SV_FS_NTFS_BITMAP_H

#include "base/job.h"
#include "fs/ntfs/raw_vol.h"

struct sv_ntfs_bits {
	struct sv_ntfs_raw_vol *v;
	const struct sv_ntfs_raw_stream *bitmap; /* mapped */
	struct sv_job *job;
	uint8_t *buffer; /* SV_NTFS_BITS_BUFFER bytes */
};
#define SV_NTFS_BITS_BUFFER (256U << 10)

/* Bytes [from, to) of what is allocated become zeros. */
int sv_ntfs_zero_bits(
	const struct sv_ntfs_bits *b, uint64_t from, uint64_t to, struct sv_err *err);
/* `count` bits from `first` on are set or cleared. */
int sv_ntfs_mark_bits(const struct sv_ntfs_bits *b, uint64_t first, uint64_t count, bool used,
	struct sv_err *err);
/* The first n bytes of another stream, as it is now, are copied to the beginning. */
int sv_ntfs_copy_bits(const struct sv_ntfs_bits *b, const struct sv_ntfs_raw_stream *from,
	uint64_t n, struct sv_err *err);

#endif
