/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The guest's side of an extension: partition and file system grow in an overlay in memory,
 * the overlay is then looked at as a stranger's disk would be, and only then written out.
 */
#ifndef SV_EXTEND_GUEST_EDIT_H
#define SV_EXTEND_GUEST_EDIT_H

#include "extend/target.h"

/* The most that an edit may keep in memory: 8 TB of NTFS needs about 3 MB. */
#define SV_EDIT_CAP (48ULL << 20)

struct sv_edit {
	struct sv_dev *original; /* the disk as it is now; borrowed */
	struct sv_dev *overlay;  /* the disk as it will be */
	unsigned number;         /* partition, 0 for a disk without a table */
	uint64_t start;          /* of the volume */
	uint64_t old_volume_size, volume_size;
	uint64_t old_fs_size; /* that the file system covers now */
	uint64_t fs_size;     /* and is going to cover */
	bool quick;
};

/* Edits. `under` is what the overlay lies on (the original's device). */
int sv_edit_make(const struct sv_target *t, bool ask_check, bool quick, struct sv_job *job,
	struct sv_edit *ret, struct sv_err *err);
void sv_edit_free(struct sv_edit *e);

/*
 * Looks at `disk`, which claims to be the result: the table is valid and the partition has its
 * new size, all others are as they were, the file system opens and fills it, and (with a
 * `sample`) some files have the original's content. Fills *sample.
 */
struct sv_edit_sample {
	unsigned files;      /* compared */
	uint64_t read_bytes; /* that the comparison read, of both disks */
};
int sv_edit_check(const struct sv_edit *e, struct sv_dev *disk, struct sv_edit_sample *sample,
	struct sv_job *job, struct sv_err *err);

/* Writes what changed to `disk`; zeros are not written where it reads as a hole. */
int sv_edit_write(const struct sv_edit *e, struct sv_dev *disk, struct sv_job *job,
	uint64_t *ret_bytes, struct sv_err *err);
/* Reads back: every changed range of the overlay is on `disk`. */
int sv_edit_compare(
	const struct sv_edit *e, struct sv_dev *disk, struct sv_job *job, struct sv_err *err);

#endif
