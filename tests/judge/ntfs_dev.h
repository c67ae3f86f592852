/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * libntfs-3g on top of a byte device: the judge of what our own NTFS code reads and writes.
 *
 * A mounted volume belongs to one thread; different volumes may be used by different threads.
 */
#ifndef SV_JUDGE_NTFS_DEV_H
#define SV_JUDGE_NTFS_DEV_H

#include "io/dev.h"

#include <stdbool.h>
/* libntfs-3g's headers take these for granted */
#include <sys/stat.h>
#include <time.h>

#include <ntfs-3g/volume.h>

/*
 * Mounts what lies on `volume`. Mounting itself writes nothing, and looks neither at the
 * hibernation file nor at the journal: whoever means to write asks first (grow.h). A volume
 * that is mounted read-only is never written, whatever the library is asked to do, and is
 * read through a cache, so that the caller must not write it by other ways meanwhile.
 * Takes a reference of `volume`. SV_CORRUPT where the library finds no sound NTFS.
 */
int sv_ntfs_mount(struct sv_dev *volume, bool writable, ntfs_volume **ret, struct sv_err *err);

/* Writes out what the library holds, flushes, and frees the volume, also when it fails.
 * NULL-safe. */
int sv_ntfs_unmount(ntfs_volume *vol, struct sv_err *err);

/*
 * Raises what a call of the library that set errno has met: the error of the device below,
 * where there was one, else SV_NOMEM, SV_NOSPACE, SV_UNSUPPORTED or SV_CORRUPT by errno, with
 * this phrase ("cannot read the record of $Bitmap"). Returns -1. To be called before anything
 * else can change errno.
 */
__attribute__((format(printf, 3, 4))) int sv_ntfs_fail(
	ntfs_volume *vol, struct sv_err *err, const char *fmt, ...);

#endif
