/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A group of dynamic disks, and its volumes as devices. For this folder only. */
#ifndef SV_VOLUME_LDM_VOLUME_H
#define SV_VOLUME_LDM_VOLUME_H

#include "volume/group.h"
#include "volume/ldm/database.h"

/* A disk of a group: what the database says of it, and where it is. */
struct sv_ldm_place {
	const struct sv_ldm_record *disk;
	struct sv_dev *dev; /* borrowed; NULL: missing */
	const struct sv_ldm_member *member;
	size_t index; /* of the member */
};

struct sv_ldm_group {
	const char *name;
	uint32_t unit;
	const struct sv_ldm_records *records;
	struct sv_ldm_place *places;
	size_t n_places;
};

/* Appends the volume that a record of the group describes, put together or with its problem. */
int sv_ldm_add_volume(const struct sv_ldm_group *g, const struct sv_ldm_record *volume,
	struct sv_group_volumes *ret, struct sv_err *err);

#endif
