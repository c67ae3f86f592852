/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The database of a dynamic disk: 1 MiB, the same on every disk of a group. On a disk with an
 * MBR it lies behind the partitions, at the disk's end; on one with a GPT in a partition of its
 * own. PRIVHEAD lies there three times, the table of contents four times.
 */
#ifndef SV_VOLUME_LDM_DATABASE_H
#define SV_VOLUME_LDM_DATABASE_H

#include "io/dev.h"
#include "volume/ldm/header.h"
#include "volume/ldm/record.h"

/* A disk that belongs to a group. */
struct sv_ldm_member {
	struct sv_ldm_private private;
	uint32_t unit; /* bytes of a sector */
	uint64_t vmdb; /* where the records begin, in bytes on the disk */
	uint64_t room; /* bytes from there on that belong to them */
	struct sv_ldm_vmdb head;
};

/* SV_NOTFOUND: the disk has no partition of a dynamic disk. */
int sv_ldm_read_member(struct sv_dev *disk, struct sv_ldm_member *ret, struct sv_err *err);

struct sv_ldm_records {
	struct sv_ldm_record *r; /* none is SV_LDM_BLANK */
	size_t n;
	struct sv_err first; /* a record that could not be read, else SV_OK */
};

/* All records of a member's database. Damaged ones are left out. */
int sv_ldm_read_records(struct sv_dev *disk, const struct sv_ldm_member *m,
	struct sv_ldm_records *ret, struct sv_err *err);
void sv_ldm_records_free(struct sv_ldm_records *r); /* frees the content */

#endif
