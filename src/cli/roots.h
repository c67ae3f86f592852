/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where commands begin that look through a machine: at a place that was named, at all places
 * that a pattern names, or, where none is named, at every volume that can be read.
 */
#ifndef SV_CLI_ROOTS_H
#define SV_CLI_ROOTS_H

#include "cli/machine.h"

struct sv_root {
	struct sv_place at;
	char *path; /* as a person would write it, without a '/' at its end: "C:", "", "/etc" */
};

struct sv_roots {
	struct sv_root *item;
	size_t n;
};

#define SV_ROOTS_MAX 1000000 /* places that one pattern may name */

/*
 * `inside`: "C:/Users", "/etc"; with '*', '?' or '[' in a name that does not exist as it is
 * written, all that fit, by name; a leading dot has to be written, and capitals count where the
 * file system says so. NULL: the guest's own root with all that it mounts, and every other
 * volume that can be read. SV_NOTFOUND where nothing fits. With `links` a link at the end is
 * the place itself.
 */
int sv_roots_find(struct sv_machine *m, const char *inside, bool links, struct sv_roots *ret,
	struct sv_err *err);
void sv_roots_free(struct sv_roots *r); /* frees the content */
#define sv_autoroots SV_CLEANUP(sv_roots_free)

/* "PATH/REST", or what of the two is not empty; "/" for neither; "C:/" for a drive alone.
 * Caller frees; NULL when out of memory. */
char *sv_root_path(const char *path, const char *rest);

/* Do names of this volume compare without case? */
bool sv_folds_case(const struct sv_guest *g, size_t volume);

#endif
