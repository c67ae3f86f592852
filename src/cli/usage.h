/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What fills a volume: sizes added up by folder, and by what is likely to go on growing. Kept
 * are the largest entries of the upper folders only, so memory does not grow with the tree. A
 * file with several names counts once, where it is met first.
 */
#ifndef SV_CLI_USAGE_H
#define SV_CLI_USAGE_H

#include "cli/names.h"
#include "cli/roots.h"
#include "cli/tree.h"

struct sv_amount {
	uint64_t allocated; /* bytes that are taken on the volume */
	uint64_t size;      /* bytes as files have them; with named streams */
	uint64_t files, folders;
};

struct sv_usage_node {
	char *name;
	enum sv_fs_type type;
	struct sv_amount sum;
	struct sv_usage_node *children; /* the largest first */
	size_t n;
	struct sv_amount others; /* those that are not kept */
	uint64_t n_others;
};

/* What a rule of guest/growing.h has found. */
struct sv_usage_growing {
	struct sv_amount sum;
	uint64_t places;
	char *path; /* of the first place */
};

struct sv_usage {
	struct sv_usage_node tree;
	struct sv_usage_growing *growing; /* by rule */
	size_t n_growing;
	uint64_t unreadable;
};

struct sv_usage_opts {
	unsigned depth; /* folders below the root that are kept */
	unsigned top;   /* entries of each */
	void (*problem)(void *user, const char *path, const struct sv_err *what);
	void *user;
};

int sv_usage_measure(const struct sv_machine *m, const struct sv_root *root,
	const struct sv_usage_opts *opts, struct sv_job *job, struct sv_usage *ret,
	struct sv_err *err);
void sv_usage_free(struct sv_usage *u); /* frees the content */
#define sv_autousage SV_CLEANUP(sv_usage_free)

#endif
