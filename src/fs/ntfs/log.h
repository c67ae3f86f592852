/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is NTFS's journal clean? Reads the restart pages at the beginning of $LogFile (the page
 * header, the restart area, its clients) and nothing of the log itself: what is closed, or
 * open and marked clean, has nothing to redo. Private to the fs room.
 */
#ifndef SV_FS_NTFS_LOG_H
#define SV_FS_NTFS_LOG_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A restart page lies at 0 and at the system page's size, which is at most 64 KiB: this much
 * of $LogFile holds all that is looked at. */
#define SV_NTFS_LOG_HEAD (128U << 10)

enum sv_ntfs_log {
	SV_NTFS_LOG_EMPTY, /* filled with 0xFF: it was clean before it got emptied */
	SV_NTFS_LOG_CLEAN,
	SV_NTFS_LOG_UNCLEAN, /* open, and not marked clean: changes wait to be redone */
	SV_NTFS_LOG_CACHED,  /* version 2.0: Windows keeps metadata over a fast shutdown */
};

/* `bytes` is the beginning of $LogFile as it lies on the disk, up to SV_NTFS_LOG_HEAD of it.
 * SV_CORRUPT, with the offset within $LogFile, where there is no sound restart page. */
int sv_ntfs_parse_log(const void *bytes, size_t n, enum sv_ntfs_log *ret, struct sv_err *err);

#endif
