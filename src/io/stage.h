/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A host that keeps every change in memory: work on files in place can be tried, looked at and
 * recorded (the undo file) before the first byte of a real file changes.
 *
 * Reads through the stage see the staged state. Files opened for writing are opened read-only
 * below; opening a path again, in whatever mode, shows the same staged content. New files are
 * memory. unlink and rename work on what was made in the stage (a rename over a real file, as
 * sv_publish_file() makes, gives it the new content); other changes of names are
 * SV_UNSUPPORTED. One thread.
 */
#ifndef SV_IO_STAGE_H
#define SV_IO_STAGE_H

#include "base/job.h"
#include "io/host.h"

/* At most `cap` bytes of changes to each file (SV_NOMEM beyond it). `under` is borrowed. */
struct sv_host *sv_stage_new(struct sv_host *under, uint64_t cap, struct sv_err *err);

struct sv_staged_file {
	const char *path;
	bool created;                /* did not exist below */
	uint64_t old_size, new_size; /* bytes; old_size 0 when created */
	struct sv_dev *dev;          /* its staged content; borrowed */
};

/* The files that were created, resized or written, in the order of their first opening. */
size_t sv_stage_files(const struct sv_host *stage);
struct sv_staged_file sv_stage_file(const struct sv_host *stage, size_t i);
/* From pos on, the next run of bytes of file i that were changed (written, or cut off and now
 * zeros again); false at the end. What a file lost at its end is told by its sizes. */
bool sv_stage_next(const struct sv_host *stage, size_t i, uint64_t pos, uint64_t *ret_start,
	uint64_t *ret_len);

/*
 * Writes everything to the real host in three passes over all files: created files (flushed,
 * their folders synced); then of each existing file its growth and what lies beyond its old
 * end, flushed; then what lies within the old ends, flushed. So no byte that was there before
 * changes while one that it may refer to could still be lost. Not atomic: whoever needs to go
 * back has recorded the old bytes.
 */
int sv_stage_apply(struct sv_host *stage, struct sv_job *job, struct sv_err *err);

#endif
