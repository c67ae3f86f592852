/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which host files outside a virtual machine's own folder may be used as part of its disks.
 *
 * A disk image can name any path as an extent. Such a path is used only when it resolves (all
 * links followed) to a regular file in the image's own folder or below it, below a folder
 * that the user allowed (--allow-path), or when it is a file that a manifest of ours recorded
 * and whose size and modification time are still the recorded ones. Parents of a chain are
 * another matter: they are followed read-only and shown.
 */
#ifndef SV_IO_ALLOW_H
#define SV_IO_ALLOW_H

#include "io/host.h"

struct sv_allow; /* NULL stands for "nothing outside the folder" everywhere */

struct sv_allow *sv_allow_new(struct sv_err *err);
void sv_allow_free(struct sv_allow *a);
SV_DEFINE_CLEANUP(struct sv_allow, sv_allow_free)

int sv_allow_add_dir(
	struct sv_allow *a, struct sv_host *h, const char *dir, struct sv_err *err);
/* path is absolute and canonical already, as a manifest holds it. */
int sv_allow_add_file(struct sv_allow *a, const char *path, uint64_t size, int64_t mtime_sec,
	uint32_t mtime_nsec, struct sv_err *err);

/*
 * May `path` (relative paths: to `home`) be an extent of an image that lies in folder `home`?
 * Gives the canonical path to open. SV_UNSUPPORTED with the `--allow-path` hint otherwise;
 * SV_NOTFOUND where it does not exist. Caller frees *ret_path.
 */
int sv_allow_resolve(const struct sv_allow *a, struct sv_host *h, const char *home,
	const char *path, char **ret_path, struct sv_err *err);

#endif
