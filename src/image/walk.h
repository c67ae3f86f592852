/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Walking a device from its front to its end in steps that are shorter than its extents. What
 * was found last is remembered: to find the end of an extent a host may look through all its
 * pages, which a step of 1 MiB must not do again and again.
 */
#ifndef SV_IMAGE_WALK_H
#define SV_IMAGE_WALK_H

#include "io/dev.h"

struct sv_walk {
	struct sv_dev *dev;      /* borrowed */
	struct sv_extent extent; /* the last; length 0: none yet */
};

/* The extent that off lies in, from off on. Behind the device's end is one hole, `end` long. */
int sv_walk_at(struct sv_walk *w, uint64_t off, uint64_t end, struct sv_extent *ret,
	struct sv_err *err);

#endif
