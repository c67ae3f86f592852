/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which machines there are: in a folder and all below it, or in the places where hypervisors
 * keep those of a user. Nothing is opened for writing, and no link to a folder is followed.
 *
 * A machine is a configuration that sv_vm_open() knows, or a disk image that belongs to none.
 * No machines of their own are: the parts of a disk (NAME-flat.vmdk), a disk that a
 * configuration uses, what such a disk stands on or what stands on it (snapshots), and what
 * another image stands on.
 */
#ifndef SV_VM_LIBRARY_H
#define SV_VM_LIBRARY_H

#include "base/job.h"
#include "vm/vm.h"

#define SV_LIBRARY_DEPTH 16     /* folders in folders */
#define SV_LIBRARY_MAX   100000 /* files that may be machines; beyond it SV_NOMEM */

struct sv_library_machine {
	char *path; /* to be opened: a configuration, or an image */
	char *name; /* as sv_vm_open() calls it; where it cannot be opened, after its file */
};

struct sv_library {
	struct sv_library_machine *machines; /* sorted by name, then by path */
	size_t n;
};

/*
 * Everything in `dirs`, and with `home` (may be NULL) in the libraries of the user whose folder
 * that is. A folder below that cannot be read becomes a note of the job, and is counted in
 * *ret_unreadable; libraries that do not exist are none.
 */
int sv_library_scan(struct sv_host *host, const char *const *dirs, size_t n_dirs,
	const char *home, struct sv_job *job, struct sv_library *ret, size_t *ret_unreadable,
	struct sv_err *err);
void sv_library_free(struct sv_library *l); /* frees the content */

/*
 * Where such a scan of a user's libraries reads: called for each folder (or registry) that
 * exists, and for that of each machine. For who must allow it before a scan.
 */
typedef int (*sv_library_place_fn)(void *user, const char *path, struct sv_err *err);
int sv_library_places(struct sv_host *host, const char *home, sv_library_place_fn fn,
	void *user, struct sv_err *err);

/*
 * The machine of that name: exact, else the only one whose name begins so (capitals count as
 * small letters). SV_NOTFOUND, or SV_USAGE with the candidates. Caller frees *ret_path.
 */
int sv_library_find(
	const struct sv_library *l, const char *name, char **ret_path, struct sv_err *err);

#endif
