/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making the attribute list of a file shorter: when an attribute that was spread over several
 * MFT records fits in one again. Private to the fs room.
 */
#ifndef SV_FS_NTFS_LIST_H
#define SV_FS_NTFS_LIST_H

#include "fs/ntfs/edit.h"

/* What is to be done outside the edited records. */
struct sv_ntfs_leftover {
	uint64_t freed[SV_NTFS_EDITS_MAX]; /* MFT records that became empty */
	size_t freed_count;
	struct sv_ntfs_raw_stream list; /* mapped: the list as it lay */
	uint8_t *bytes; /* its new content; NULL: the list is gone, free its runs */
	size_t size;
};

/*
 * Takes the parts [1, count) of an attribute of the file with base record `base` out of their
 * records and out of the list; a list that names only the base record goes too. The first
 * part stays as it is. *ret is to be freed also after a failure.
 */
int sv_ntfs_forget_parts(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v, uint64_t base,
	uint32_t type, const char *name, const struct sv_ntfs_raw_part *parts, size_t count,
	struct sv_ntfs_leftover *ret, struct sv_err *err);

/* Writes the shortened list and marks the freed records free in $MFT's bitmap. */
int sv_ntfs_write_leftover(
	const struct sv_ntfs_leftover *l, struct sv_ntfs_raw_vol *v, struct sv_err *err);
void sv_ntfs_free_leftover(struct sv_ntfs_leftover *l);

#endif
