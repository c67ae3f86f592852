/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What of a system's files is likely to go on growing, by where it lies and what it is called:
 * why it grows, and what its owner can do. A table; nothing is read here.
 */
#ifndef SV_GUEST_GROWING_H
#define SV_GUEST_GROWING_H

#include <stdbool.h>
#include <stddef.h>

struct sv_growing {
	const char *family;  /* "windows", "linux"; "" for every system */
	const char *pattern; /* a glob from the volume's root: '*' is within one name */
	const char *kind;    /* a word for programs: "log", "database", "page-file" */
	const char *title;   /* a phrase: "the page file" */
	const char *why;     /* a sentence: why it grows */
	const char *remedy;  /* a sentence: what to do in the running system */
};

/* The ith rule; NULL behind the last. */
const struct sv_growing *sv_growing_rule(size_t i);

/*
 * The index of the rule for `path` ("/Windows/WinSxS", from the root of its volume, or of a
 * Unix), whose last name is `name`; -1 for none. `family` "" stands for unknown: names that any
 * system may have fit then.
 */
int sv_growing_find(const char *family, const char *path, const char *name);

#endif
