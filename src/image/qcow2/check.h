/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking a qcow2 image: qcow2_check.c visits everything that its tables refer to, window
 * after window of the file; qcow2_check_refs.c counts who uses which cluster and compares
 * with the refcounts.
 */
#ifndef SV_IMAGE_QCOW2_CHECK_H
#define SV_IMAGE_QCOW2_CHECK_H

#include "image/qcow2/qcow2.h"

/* Clusters of one window: 16 MiB of counts, 256 GiB of a file in clusters of 64 KiB. */
#define SV_QCOW2_WINDOW (UINT64_C(4) << 20)
/* Beyond it the check ends: a hostile image has many millions. */
#define SV_QCOW2_ERRORS_MAX 10000

enum sv_qcow2_use {
	SV_QCOW2_USE_TABLE, /* nothing else may lie there */
	SV_QCOW2_USE_DATA,
};

struct sv_qcow2_check {
	struct sv_qcow2 *q;
	const char *path;
	struct sv_image_faults *faults;
	struct sv_job *job;
	uint64_t errors_before;
	uint64_t file_size, n_clusters; /* of the file, the last one cut */
	/* L2 tables of the active state and all snapshots, sorted: offset, and bit 0 where the
	 * active state uses it */
	uint64_t *tables;
	size_t n_tables, max_tables;
	/* the window */
	uint64_t first, end;
	bool first_window; /* faults of the tables themselves are told once */
	uint32_t *counts;
};

__attribute__((format(printf, 3, 4))) void sv_qcow2_fault(
	struct sv_qcow2_check *c, uint64_t offset, const char *fmt, ...);
bool sv_qcow2_too_many(const struct sv_qcow2_check *c);

/* [at, at+len) of the file is used, `times` times over. */
void sv_qcow2_count(struct sv_qcow2_check *c, uint64_t at, uint64_t len, enum sv_qcow2_use use,
	uint32_t times);
/* An active entry for the cluster at `at` says, or does not say, that it is not shared. */
void sv_qcow2_count_flag(struct sv_qcow2_check *c, uint64_t at, bool copied);
/* Compares the window with the refcounts of the image. */
int sv_qcow2_compare_window(struct sv_qcow2_check *c, struct sv_err *err);

#endif
