/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of internal snapshots (docs/interop/qcow2.txt, section "Snapshots"). Each has an
 * L1 table of its own, and so shows the disk as it was.
 */
#ifndef SV_IMAGE_QCOW2_SNAPSHOT_H
#define SV_IMAGE_QCOW2_SNAPSHOT_H

#include "image/image.h"
#include "image/qcow2/header.h"

/* QEMU's own limit of the whole table, and of the part of an entry that is not known. */
#define SV_QCOW2_SNAPSHOT_BYTES_MAX (64U << 20)
#define SV_QCOW2_SNAPSHOT_EXTRA_MAX 1024U

struct sv_qcow2_snapshot {
	uint64_t l1_at;
	uint32_t l1_size;
	bool knows_size; /* the disk's size was recorded with it */
	struct sv_image_snapshot info;
};

struct sv_qcow2_snapshots {
	struct sv_qcow2_snapshot *all;
	size_t n;
	uint64_t bytes; /* of the table in the file */
};

/*
 * Reads one entry from `bytes`; *ret_n: its length. `at` is its place in the file, for errors,
 * `file_size` bounds the L1 table. SV_CORRUPT where the entry does not fit into n bytes. The
 * caller frees ret->info with sv_qcow2_snapshot_free().
 */
int sv_qcow2_snapshot_parse(const uint8_t *bytes, size_t n, uint64_t at,
	const struct sv_qcow2_header *h, uint64_t file_size, struct sv_qcow2_snapshot *ret,
	size_t *ret_n, struct sv_err *err);
void sv_qcow2_snapshot_free(struct sv_qcow2_snapshot *s);

/* Reads the whole table. The caller frees it, also after a failure. */
int sv_qcow2_snapshots_load(struct sv_dev *file, const struct sv_qcow2_header *h,
	struct sv_qcow2_snapshots *ret, struct sv_err *err);
void sv_qcow2_snapshots_free(struct sv_qcow2_snapshots *s);

/* By id first, then by name, as QEMU does; NULL where there is none. */
const struct sv_qcow2_snapshot *sv_qcow2_snapshots_find(
	const struct sv_qcow2_snapshots *s, const char *name);

#endif
