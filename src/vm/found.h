/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that may be machines, as library_walk.c and library_user.c find them. */
#ifndef SV_VM_FOUND_H
#define SV_VM_FOUND_H

#include "base/job.h"
#include "io/host.h"

struct sv_found_file {
	char *path;
	uint64_t dev, ino;
	bool config; /* else a disk image */
};

struct sv_found {
	struct sv_host *host;
	struct sv_job *job;
	struct sv_found_file *files;
	size_t n, cap;
	size_t unreadable; /* folders */
};

void sv_found_free(struct sv_found *f); /* frees the content */

/* A file that may be a machine's; what is no file is passed over. */
int sv_found_add(struct sv_found *f, const char *path, bool config, struct sv_err *err);
/* Leaves each file once, by whatever paths it was found. */
void sv_found_unite(struct sv_found *f);
/* A folder and all below it. Without `quiet` an error where the folder itself cannot be read.
 */
int sv_found_walk(struct sv_found *f, const char *dir, bool quiet, struct sv_err *err);
/* The libraries of the hypervisors, for the user with this home. */
int sv_found_add_user(struct sv_found *f, const char *home, struct sv_err *err);

#endif
