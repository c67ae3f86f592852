/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which clusters are claimed by which MFT record, within a window of the volume: the memory of
 * the cross-check. A volume of 8 TiB has a bitmap of 256 MiB, and its cross-check must do with
 * a fixed amount: when the claims do not fit, the window shrinks to its lower half, and the
 * caller comes back for the rest. Private to the fs room.
 */
#ifndef SV_FS_NTFS_CLAIMS_H
#define SV_FS_NTFS_CLAIMS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sv_ntfs_claim {
	uint32_t lcn, length, record; /* NTFS counts all three in 32 bits */
};

struct sv_ntfs_claims {
	struct sv_ntfs_claim *list;
	size_t count, max;
	uint64_t low, high; /* the window, in clusters */
};

/* Room for `max` (at least 2) claims of 12 bytes. */
int sv_ntfs_claims_new(size_t max, struct sv_ntfs_claims *ret, struct sv_err *err);
void sv_ntfs_claims_free(struct sv_ntfs_claims *c);

/* Forgets all claims and sets a new window. */
void sv_ntfs_claims_begin(struct sv_ntfs_claims *c, uint64_t low, uint64_t high);

/* Notes what of [lcn, lcn+length) lies in the window. May lower c->high; SV_CORRUPT as below.
 */
int sv_ntfs_claim(struct sv_ntfs_claims *c, uint64_t lcn, uint64_t length, uint64_t record,
	struct sv_err *err);

/* Sorts the list by cluster. SV_CORRUPT names the first cluster that is claimed twice, and by
 * whom; the error has no offset. */
int sv_ntfs_claims_sort(struct sv_ntfs_claims *c, struct sv_err *err);

#endif
