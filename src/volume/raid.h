/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RAID 0 of unequal parts, 4, 5, 6 and 10 as devices, read-only, with as many parts missing as
 * the level bears: what is missing is computed. Layout numbers are those of Linux md (md(4) and
 * the layouts that mdadm(8) --layout names); LVM2 and Windows' dynamic disks are told in them.
 */
#ifndef SV_VOLUME_RAID_H
#define SV_VOLUME_RAID_H

#include "io/dev.h"

#define SV_RAID_PARTS_MAX 384 /* md's own limit for version 1 */

/* RAID 5, and the first of them for RAID 6. */
enum sv_raid_layout {
	SV_RAID_LEFT_ASYMMETRIC = 0,
	SV_RAID_RIGHT_ASYMMETRIC = 1,
	SV_RAID_LEFT_SYMMETRIC = 2,
	SV_RAID_RIGHT_SYMMETRIC = 3,
	SV_RAID_PARITY_FIRST = 4,
	SV_RAID_PARITY_LAST = 5,
	/* RAID 6 only: as DDF places and counts Q */
	SV_RAID_ZERO_RESTART = 8,
	SV_RAID_N_RESTART = 9,
	SV_RAID_N_CONTINUE = 10,
	/* RAID 6 only: a RAID 5 on all parts but the last, which holds Q */
	SV_RAID_LEFT_ASYMMETRIC_6 = 16,
	SV_RAID_RIGHT_ASYMMETRIC_6 = 17,
	SV_RAID_LEFT_SYMMETRIC_6 = 18,
	SV_RAID_RIGHT_SYMMETRIC_6 = 19,
	SV_RAID_PARITY_FIRST_6 = 20,
};

struct sv_raid {
	unsigned level;  /* 0, 4, 5, 6 or 10 */
	unsigned layout; /* 0: 1 as the first kernels placed unequal parts, 2 as later ones do;
			  * 4: not used; 5, 6: enum sv_raid_layout; 10: near copies | far copies
			  * << 8 | offset << 16 */
	uint64_t chunk;  /* bytes, a multiple of 512 */
	uint64_t part_size; /* bytes of each part that are used; level 0: those of the part */
	struct sv_dev *const *parts; /* NULL where one is missing */
	size_t n;
};

/* Bytes of the whole; 0 where the geometry is none. */
uint64_t sv_raid_size(const struct sv_raid *r);

/* SV_CORRUPT for a geometry that cannot be, SV_NOTFOUND when too many parts are missing,
 * SV_UNSUPPORTED for a layout that is not known. The parts are referenced. */
struct sv_dev *sv_raid_open(
	const struct sv_raid *r, uint64_t size, const char *name, struct sv_err *err);

#endif
