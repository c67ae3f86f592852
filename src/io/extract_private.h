/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What extract.c and extract_node.c share. */
#ifndef SV_IO_EXTRACT_PRIVATE_H
#define SV_IO_EXTRACT_PRIVATE_H

#include "io/extract.h"

#include <time.h>

struct level {
	int fd;
	char *name;
};

struct sv_extract {
	char *dir;           /* for messages */
	struct level *stack; /* the folders that were entered; [0] is the first */
	size_t depth, cap;
	int fd;            /* the file at hand; -1 */
	char *name, *part; /* its name now and then */
	bool replace;
	bool archive;
	uint64_t left_out; /* owners and attributes that the host did not take */
};

/* The present folder. */
int sv_extract_here(const struct sv_extract *x);
/* Raises an error of errno `sys` about a name in it (NULL: the folder itself). */
int sv_extract_fail(const struct sv_extract *x, const char *name, struct sv_err *err, int sys,
	const char *what);
/* SV_EXISTS where the name is taken, unless it may be replaced. */
int sv_extract_refuse_taken(
	struct sv_extract *x, const char *name, bool replace, struct sv_err *err);
void sv_extract_times(const struct sv_extract_meta *meta, struct timespec ret[2]);

#endif
