/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of this room share: filling a table, and the steps that table.c and grow.c
 * hand to the MBR and the GPT side. Not for other rooms. */
#ifndef SV_VOLUME_PARTS_H
#define SV_VOLUME_PARTS_H

#include "volume/table.h"

/* Appends a copy; p->name goes with it (NULL becomes ""), also when it fails. */
int sv_table_add(struct sv_table *t, struct sv_partition *p, struct sv_err *err);
/* Appends a sentence to t->warning. */
__attribute__((format(printf, 3, 4))) int sv_table_warn(
	struct sv_table *t, struct sv_err *err, const char *fmt, ...);
/* The extended partition around a logical one; NULL where there is none. */
const struct sv_partition *sv_table_container(
	const struct sv_table *t, const struct sv_partition *logical);

bool sv_partition_is_recovery(const struct sv_table *t, const struct sv_partition *p);

/* The two editors behind sv_table_grow(), which has checked the request already. */
int sv_mbr_grow(struct sv_dev *disk, const struct sv_table *t, const struct sv_partition *p,
	uint64_t new_size, struct sv_err *err);
/* p may be NULL: only the backup moves. */
int sv_gpt_grow(struct sv_dev *disk, const struct sv_table *t, const struct sv_partition *p,
	uint64_t new_size, struct sv_job *job, struct sv_err *err);

#endif
