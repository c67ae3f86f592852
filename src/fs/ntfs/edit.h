/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Changing MFT records: pure edits of one record, and a set of edited records that is written
 * at the end or thrown away, so that a plan finds out by doing whether everything fits. Private
 * to the fs room.
 */
#ifndef SV_FS_NTFS_EDIT_H
#define SV_FS_NTFS_EDIT_H

#include "fs/ntfs/raw_vol.h"

/* ---- pure: false, and nothing changed, where the record has no room ---- */

/* A mapped attribute gets these runs (from its own lowest vcn on). */
bool sv_ntfs_set_runs(uint8_t *record, size_t size, const struct sv_ntfs_raw_attr *a,
	const struct sv_ntfs_raw_run *runs, size_t count);
/* A resident attribute without a name becomes a mapped one, its sizes 0. */
bool sv_ntfs_make_mapped(uint8_t *record, size_t size, const struct sv_ntfs_raw_attr *a,
	const struct sv_ntfs_raw_run *runs, size_t count);
/* The sizes of the first part of a mapped attribute; fits always. */
void sv_ntfs_set_sizes(uint8_t *record, const struct sv_ntfs_raw_attr *a, uint64_t allocated,
	uint64_t size, uint64_t initialized);

/* ---- a set of records under change ---- */

#define SV_NTFS_EDITS_MAX 64 /* growing changes four, and those that hold parts of $Bitmap */

struct sv_ntfs_edits {
	struct sv_ntfs_edit {
		uint64_t number;
		uint8_t *record; /* unprotected, geo.record_size bytes */
	} list[SV_NTFS_EDITS_MAX];
	size_t count;
};

/* The record as it is so far; read from the volume the first time. NULL on failure. Owned by
 * the set. */
uint8_t *sv_ntfs_edit(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v, uint64_t number,
	struct sv_err *err);
/* The attribute that a part names, in the record as it is so far; *ret_record too. */
int sv_ntfs_edit_part(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v,
	const struct sv_ntfs_raw_part *part, uint32_t type, const char *name,
	uint8_t **ret_record, struct sv_ntfs_raw_attr *ret, struct sv_err *err);
int sv_ntfs_write_edits(struct sv_ntfs_edits *e, struct sv_ntfs_raw_vol *v, struct sv_err *err);
void sv_ntfs_free_edits(struct sv_ntfs_edits *e);

#endif
