/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ".partial" folder in which a result is made before it is published. It is ours when it
 * holds the mark, and in use while the mark is locked. Only plain files in it, and folders of
 * plain files (a disk may be one), are ever deleted.
 */
#ifndef SV_IO_PARTIAL_H
#define SV_IO_PARTIAL_H

#include "io/host.h"

#define SV_PARTIAL_SUFFIX ".partial"
#define SV_PARTIAL_MARK   "sharevm.partial" /* the file that says so, and is locked */

/* Makes the folder with its mark, and holds the mark's lock in *ret_lock. */
int sv_partial_make(
	struct sv_host *host, const char *path, struct sv_dev **ret_lock, struct sv_err *err);

/*
 * Removes a .partial folder of ours that an ended run left; 0 also when there is none. SV_BUSY
 * when another run works in it, SV_EXISTS when it is not ours. `also` (may be NULL) names a
 * file that proves it ours as the mark does.
 */
int sv_partial_remove(
	struct sv_host *host, const char *path, const char *also, struct sv_err *err);

#endif
