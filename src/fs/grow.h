/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing a file system that is not mounted, on a device that keeps the writes apart (an
 * overlay): the caller verifies and only then lets them through, so there is no journal here
 * and a failure in the middle costs nothing.
 */
#ifndef SV_FS_GROW_H
#define SV_FS_GROW_H

#include "base/job.h"
#include "io/dev.h"

struct sv_fs_grow_opts {
	bool quick;        /* neither check the allocation against the bitmap nor count it */
	bool ask_check;    /* leave the volume asking the guest for a check (NTFS dirty flag) */
	bool accept_dirty; /* a dirty flag is ours: the caller has proved it */
	struct sv_job *job;
};

struct sv_fs_grow_plan {
	const char *type;  /* "ntfs" */
	uint64_t old_size; /* bytes that the file system covers now */
	uint64_t new_size; /* and would cover */
	uint64_t used;     /* bytes; 0 where it was not counted (quick) */
	uint64_t free;
	uint64_t overhead; /* bytes of the new space that the file system itself takes */
	uint32_t block_size;
	uint64_t write_bytes; /* estimate of what growing writes */
	char note[256];       /* "" or a sentence for the plan */
};

/* Does anybody here grow file systems of this type (of sv_fs_probe)? */
bool sv_fs_can_grow(const char *type);

/*
 * May the file system on `volume` grow to fill `new_volume_size` bytes? Writes nothing.
 * SV_UNSUPPORTED by name, with the remedy as hint: not a type that can grow, BitLocker,
 * hibernated or fast-startup Windows, dirty, unclean journal, bad clusters, more clusters than
 * the format counts, file system larger than its volume. SV_CORRUPT: a bitmap that disagrees
 * with the allocation (unless quick), or damage met on the way.
 */
int sv_fs_check_grow(struct sv_dev *volume, uint64_t new_volume_size,
	const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret, struct sv_err *err);

/* Grows it to fill `volume`, which is writable and has its new size already. Checks nothing
 * that sv_fs_check_grow() checks but what keeps it from harm. */
int sv_fs_grow(struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err);

#endif
