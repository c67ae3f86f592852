/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Filling a new image with what a device shows, on all processors: pieces of the device are
 * read and searched for zeros by workers, given their places in the order of the disk,
 * and written by workers again. The result depends on the device's bytes alone, not on timing.
 * Holes are neither read nor written; zeros that are stored as data are read, not written.
 */
#ifndef SV_IMAGE_FILL_H
#define SV_IMAGE_FILL_H

#include "image/image.h"

struct sv_fill_opts {
	uint64_t expected; /* bytes of data in `from`, about: for the progress */
	unsigned threads;  /* workers; 0: one per processor */
	const char *stage; /* of the progress: "converting" */
};

struct sv_fill_stats {
	uint64_t read;    /* bytes of `from` that were read */
	uint64_t written; /* guest bytes stored in `to`: whole units, zeros left out */
};

/*
 * Copies all of `from` to the beginning of `to`, a writable image that was just made, has no
 * parent and is at least as large. What `to` holds afterwards is not flushed. `ret` may be
 * NULL. At most 20 MB of memory.
 */
int sv_image_fill(struct sv_dev *from, struct sv_image *to, const struct sv_fill_opts *opts,
	struct sv_job *job, struct sv_fill_stats *ret, struct sv_err *err);

#endif
