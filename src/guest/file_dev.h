/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file of a guest as a device, so that readers of what lies in files (registry hives, package
 * databases, disk images in disk images) need not know file systems. Read-only. Like the file
 * system itself it belongs to one thread.
 */
#ifndef SV_GUEST_FILE_DEV_H
#define SV_GUEST_FILE_DEV_H

#include "fs/fs.h"
#include "io/dev.h"

/*
 * The unnamed stream of the file at `path`, which is also the device's name in messages. The
 * file system must outlive it. A job that is cancelled ends a read with SV_CANCELLED.
 */
struct sv_dev *sv_guest_file_open(
	struct sv_fs *fs, const char *path, struct sv_job *job, struct sv_err *err);

#endif
