/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a volume manager's code gives to group.c, and what it is given. For this room only. */
#ifndef SV_VOLUME_MANAGER_H
#define SV_VOLUME_MANAGER_H

#include "volume/group.h"

/*
 * Looks at every member for its own marks, and appends what it finds. A member that is not
 * its business is passed over without a word.
 */
int sv_ldm_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err);
int sv_lvm2_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err);
int sv_md_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err);

/* Appends an empty volume; every string is set. NULL: out of memory, or too many (a group of
 * more than SV_GROUP_VOLUMES_MAX ends there). The pointer holds until the next one. */
struct sv_group_volume *sv_group_add(struct sv_group_volumes *ret, const char *kind,
	const char *name, const char *type_name, const char *uuid, struct sv_err *err);
/* Notes a member, once. */
int sv_group_add_member(struct sv_group_volume *v, size_t member, struct sv_err *err);
/* Notes what is missing of a volume that can be read all the same. */
__attribute__((format(printf, 3, 4))) int sv_group_warn(
	struct sv_group_volume *v, struct sv_err *err, const char *fmt, ...);
/* Writes an error down as the volume's problem; -1 only for SV_NOMEM and SV_CANCELLED. */
int sv_group_problem(struct sv_group_volume *v, const struct sv_err *why, struct sv_err *err);

#endif
