/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Comparing what two disks show, on all processors. What both say is zeros is not read; what
 * one says is zeros is looked for in the other alone.
 */
#ifndef SV_IMAGE_COMPARE_H
#define SV_IMAGE_COMPARE_H

#include "base/job.h"
#include "io/dev.h"

struct sv_compare_opts {
	bool strict;      /* disks of different sizes differ, whatever they hold */
	unsigned threads; /* 0: one per processor */
};

struct sv_compare_result {
	bool equal;
	uint64_t size_a, size_b; /* bytes */
	uint64_t first;          /* where they differ first; undefined if equal */
	/* The shorter one shows the same as far as it goes, and the other has only zeros
	 * behind it (equal, unless strict; `first` is the shorter one's end then). */
	bool only_size;
	uint64_t read; /* bytes, of both */
};

int sv_image_compare(struct sv_dev *a, struct sv_dev *b, const struct sv_compare_opts *opts,
	struct sv_job *job, struct sv_compare_result *ret, struct sv_err *err);

#endif
