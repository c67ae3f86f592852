/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Registry hives in the files of a guest, with the logs beside them. */
#ifndef SV_GUEST_HIVE_FILE_H
#define SV_GUEST_HIVE_FILE_H

#include "fs/fs.h"
#include "hive/hive.h"

/*
 * The hive at `path` of a file system. Where Windows had not yet written all of it, the logs
 * beside it (.LOG1, .LOG2, .LOG) are shown with it; else they are not even looked for. What is
 * missing or was guessed becomes a note of the job. The file system must outlive the hive.
 */
int sv_guest_hive_open(struct sv_fs *fs, const char *path, struct sv_job *job,
	struct sv_hive **ret, struct sv_err *err);

#endif
