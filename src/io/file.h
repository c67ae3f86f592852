/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A host file as a device; only host_posix.c opens one. */
#ifndef SV_IO_FILE_H
#define SV_IO_FILE_H

#include "io/dev.h"

/* The descriptor of a device that is a host's file; -1 for others. */
int sv_file_fd(const struct sv_dev *d);

/* Takes over fd on success. `lock`: QEMU's byte-range locks, see SV_OPEN_LOCK in host.h. */
struct sv_dev *sv_file_from_fd(
	int fd, const char *path, uint64_t size, bool writable, bool lock, struct sv_err *err);

#endif
