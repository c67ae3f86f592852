/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The description of an appliance (DMTF DSP0243, "Open Virtualization Format Specification",
 * 1.x and 2.x; the draft 0.9 that VMware wrote, too): files, disks, and which disk hangs on
 * which controller. Elements and attributes are known by their local names: makers differ in
 * namespaces, and the names are unambiguous. Pure: no I/O.
 */
#ifndef SV_VM_OVF_H
#define SV_VM_OVF_H

#include "base/err.h"

#include <stddef.h>

#define SV_OVF_SIZE_MAX     (8U << 20) /* bytes of a description; real ones have some 10 KB */
#define SV_OVF_DEPTH_MAX    64         /* of elements */
#define SV_OVF_LIST_MAX     4096       /* files, disks, items: each */
#define SV_OVF_TEXT_MAX     4096       /* bytes of one value */
#define SV_OVF_ITEM_IDE     5          /* CIM resource types */
#define SV_OVF_ITEM_SCSI    6
#define SV_OVF_ITEM_DISK    17
#define SV_OVF_ITEM_STORAGE 20 /* SATA and others */

/* All strings are owned and never NULL: "" where nothing was said. */
struct sv_ovf_file {
	char *id, *href;
	char *compression; /* "gzip" */
	char *chunk_size;  /* not "": it is cut into HREF.000000000 and so on */
};

struct sv_ovf_disk {
	char *id, *file; /* id of a file; "" for an empty disk */
	char *parent;    /* id of the disk that it is a delta of */
};

struct sv_ovf_item {
	unsigned type; /* 0 where it is no number */
	char *instance, *parent, *address, *on_parent;
	char *resource; /* the first HostResource: "ovf:/disk/ID" or "/disk/ID" */
};

struct sv_ovf {
	char *name; /* of the machine */
	size_t n_systems;
	struct sv_ovf_file *files;
	size_t n_files;
	struct sv_ovf_disk *disks;
	size_t n_disks;
	struct sv_ovf_item *items;
	size_t n_items;
};

/*
 * SV_CORRUPT with the offset of what is wrong: no XML, no OVF, more of something than the
 * limits above; SV_UNSUPPORTED for a document type declaration, which no OVF has and in which
 * entities could be hidden that blow up memory.
 */
int sv_ovf_parse(const char *text, size_t n, struct sv_ovf *ret, struct sv_err *err);
void sv_ovf_clear(struct sv_ovf *o); /* frees the content */

/* NULL where there is none. */
const struct sv_ovf_file *sv_ovf_find_file(const struct sv_ovf *o, const char *id);
const struct sv_ovf_disk *sv_ovf_find_disk(const struct sv_ovf *o, const char *id);

#endif
