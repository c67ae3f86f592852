/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A new image, or several, of one or more files each, that appear at once: they are made in the
 * folder NAME.partial beside their place and under their own names (so that those which name
 * each other do it right), and moved to their place when they are complete; the main one, that
 * people open, last. Whatever cuts a run off, there is no main file then, or all are there;
 * the next run for the same name removes what was left.
 */
#ifndef SV_IMAGE_PUBLISH_H
#define SV_IMAGE_PUBLISH_H

#include "base/cleanup.h"
#include "io/host.h"

struct sv_publish;

/* Makes the folder. SV_EXISTS where there is something named `path` already, SV_BUSY where
 * another run makes it. */
int sv_publish_begin(
	struct sv_host *host, const char *path, struct sv_publish **ret, struct sv_err *err);
/* Where a file is made that will be called `name` beside `path`. Caller frees. */
char *sv_publish_place(const struct sv_publish *p, const char *name);
/* SV_EXISTS where one of the files that were made has a name that is taken. */
int sv_publish_check(struct sv_publish *p, struct sv_err *err);
/* Deletes the files that were made: they can be made anew. */
int sv_publish_clear(struct sv_publish *p, struct sv_err *err);
/* Bytes that the host stores for them. */
int sv_publish_size(struct sv_publish *p, uint64_t *ret, struct sv_err *err);
/* Moves the files, which are flushed, to their place. */
int sv_publish_end(struct sv_publish *p, struct sv_err *err);
/* Removes what was not published. NULL-safe. */
void sv_publish_close(struct sv_publish *p);
SV_DEFINE_CLEANUP(struct sv_publish, sv_publish_close)

#endif
