/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes that a volume manager makes of partitions and disks: LVM2's logical volumes, Linux
 * md arrays, volumes of Windows' dynamic disks. Members are told by what they hold, wherever
 * they lie; what cannot be put together is named with the reason, and never stops the rest.
 */
#ifndef SV_VOLUME_GROUP_H
#define SV_VOLUME_GROUP_H

#include "base/job.h"
#include "io/dev.h"

#define SV_GROUP_MEMBERS_MAX 4096
#define SV_GROUP_VOLUMES_MAX 4096

/* A device that may belong to a group. All strings and devices are borrowed. */
struct sv_member {
	struct sv_dev *dev;
	const char *id; /* for messages: "disk0p2" */
	/* A disk with a partition table: for managers whose database lies beside the
	 * partitions; the others pass it over. */
	bool table;
};

struct sv_group_volume {
	char *name;       /* "vg/root", "md/home": how a person names it */
	const char *kind; /* "lvm2", "md", "ldm" */
	char *type_name;  /* for people: "LVM2, striped over 2", "RAID 5" */
	char *uuid;       /* as the manager's tools print it */
	uint64_t size;
	struct sv_dev *dev; /* owned; NULL where it cannot be put together: see problem */
	char *problem;      /* "" or why it is incomplete or unreadable */
	enum sv_code problem_code;
	char *warning;   /* "" or what is missing of it, though it can be read */
	size_t *members; /* indices of the members it lies on, each once */
	size_t n_members;
	uint8_t guid[16]; /* LDM: as the database holds it, which MountedDevices names */
	char letter;      /* LDM: the drive letter that Windows gave it last; 0 for none */
};

struct sv_group_volumes {
	struct sv_group_volume *v;
	size_t n;
};

/*
 * Finds the groups among the members and appends their volumes, ordered by name within a
 * group. Managers: a row each in group.c. Only SV_NOMEM and SV_CANCELLED are errors.
 */
int sv_group_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err);
void sv_group_volumes_free(struct sv_group_volumes *v); /* frees the content */

#endif
