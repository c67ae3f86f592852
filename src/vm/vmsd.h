/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VMware's snapshot list (.vmsd): a dictionary text (vmx.h) of `snapshotN.name` keys. The
 * numbers N need not be contiguous; a snapshot is known by its uid. `snapshotN.type` "1" is a
 * snapshot with the machine's memory; `snapshotN.cloneM` is the configuration of a linked
 * clone that stands on it (VMware does not always forget one that was deleted).
 */
#ifndef SV_VM_VMSD_H
#define SV_VM_VMSD_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define SV_VMSD_SNAPSHOTS_MAX 4096 /* VMware stops at about 100 */
#define SV_VMSD_CLONES_MAX    4096 /* of all snapshots together */

struct sv_vmsd_snapshot {
	unsigned number; /* N of its keys */
	char *uid;
	char *parent; /* uid; "" for a root */
	char *name;   /* UTF-8 where the encoding is known */
	bool memory;
};

struct sv_vmsd {
	char *current; /* uid of the snapshot that the machine's state stands on; "" for none */
	struct sv_vmsd_snapshot *snapshots; /* in the order of their numbers */
	size_t n_snapshots;
	char **clones; /* paths as written */
	size_t n_clones;
};

/* SV_CORRUPT for what is no dictionary, and beyond the caps. Zeroes *ret first; the caller
 * frees its content with sv_vmsd_clear() also after a failure. */
int sv_vmsd_parse(const void *bytes, size_t n, struct sv_vmsd *ret, struct sv_err *err);
void sv_vmsd_clear(struct sv_vmsd *vmsd);

#endif
