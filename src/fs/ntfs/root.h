/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The root folder of an NTFS volume, entry by entry in no order: what growing needs of it is
 * two entries (hiberfil.sys, and $Bitmap's copy of its sizes). Private to the fs room.
 */
#ifndef SV_FS_NTFS_ROOT_H
#define SV_FS_NTFS_ROOT_H

#include "base/job.h"
#include "fs/ntfs/raw_disk.h"
#include "fs/ntfs/raw_vol.h"

enum sv_ntfs_visit {
	SV_NTFS_GO_ON,
	SV_NTFS_STOP,
	SV_NTFS_WRITE_AND_STOP, /* `key` was changed */
};

/* One entry: the file's reference, its key (head copied out), its name in UTF-16LE. */
typedef enum sv_ntfs_visit (*sv_ntfs_visit_fn)(void *user, uint64_t reference, uint8_t *key,
	const struct ntfs_file_name *head, const uint8_t *name);

/* Returns 1 where fn stopped, 0 at the end, -1. */
int sv_ntfs_visit_root(struct sv_ntfs_raw_vol *v, sv_ntfs_visit_fn fn, void *user,
	struct sv_job *job, struct sv_err *err);

/* Does the name equal this ASCII one, whatever the case of its letters? */
bool sv_ntfs_name_is(const uint8_t *name, size_t units, const char *ascii);

#endif
