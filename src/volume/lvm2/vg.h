/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume group: its description as a tree, and the devices that hold its physical volumes.
 * Shared by the files of this folder.
 */
#ifndef SV_VOLUME_LVM2_VG_H
#define SV_VOLUME_LVM2_VG_H

#include "io/dev.h"
#include "volume/lvm2/text.h"

#define SV_LVM2_PVS_MAX   1024
#define SV_LVM2_DEPTH_MAX 12 /* a thin volume on a mirrored pool on stripes is 4 deep */

struct sv_lvm2_pv {
	const char *name; /* in the text: "pv0" */
	const char *uuid; /* without hyphens, as in the text */
	uint64_t start;   /* bytes; where extent 0 begins */
	uint64_t extents;
	struct sv_dev *dev; /* borrowed; NULL where it is missing */
	size_t member;      /* which one */
};

struct sv_lvm2_vg {
	struct sv_lvm2_tree *tree;
	const struct sv_lvm2_node *node; /* the group's section */
	const char *name, *uuid;
	uint64_t seqno, extent; /* bytes of an extent */
	struct sv_lvm2_pv *pvs;
	size_t n_pvs;
	const struct sv_lvm2_node *lvs; /* NULL: it has none */
};

/* Reads a description; takes the tree in any case. */
int sv_lvm2_vg_read(struct sv_lvm2_tree *tree, struct sv_lvm2_vg *ret, struct sv_err *err);
void sv_lvm2_vg_free(struct sv_lvm2_vg *vg);

/* What a build has used: the members, and how much work it may still do. */
struct sv_lvm2_build {
	const struct sv_lvm2_vg *vg;
	bool *used; /* by pv */
	unsigned depth;
	unsigned budget; /* segments that may still be built */
};

/* The device of a logical volume by name; new reference. */
struct sv_dev *sv_lvm2_open_lv(struct sv_lvm2_build *b, const char *name, struct sv_err *err);

/* The segment that makes `name` the store of a snapshot; NULL where it is none. The volume
 * around that segment ("snapshot0") carries the mark "visible", the store the name. */
const struct sv_lvm2_node *sv_lvm2_find_snapshot(const struct sv_lvm2_vg *vg, const char *name);

/* "linear", "RAID 5 over 3", "thin": a new string. */
char *sv_lvm2_describe(const struct sv_lvm2_vg *vg, const struct sv_lvm2_node *lv);

/* ---- the two kinds that keep tables of their own (thin.c, snapshot.c) ---- */

/* One thin device of a pool; `outside` (may be NULL) is what unmapped blocks show. */
struct sv_dev *sv_lvm2_thin_open(struct sv_dev *metadata, struct sv_dev *data, uint64_t id,
	uint64_t size, struct sv_dev *outside, const char *name, struct sv_err *err);
/* A classic snapshot: the origin, but for the chunks that the store keeps. */
struct sv_dev *sv_lvm2_snapshot_open(struct sv_dev *origin, struct sv_dev *store, uint64_t size,
	const char *name, struct sv_err *err);

#endif
