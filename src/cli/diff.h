/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What differs between two machines: their files, their software, their registries. What is
 * found is handed over as it is found; kept in memory are one folder or key of each side for
 * each step down, and the software.
 */
#ifndef SV_CLI_DIFF_H
#define SV_CLI_DIFF_H

#include "cli/roots.h"

enum sv_change {
	SV_CHANGE_ADDED,   /* only in B */
	SV_CHANGE_REMOVED, /* only in A */
	SV_CHANGE_CONTENT, /* data, target, or version differ */
	SV_CHANGE_TYPE,    /* a file here, a folder there */
	SV_CHANGE_META,    /* permissions, owner, attributes or time only */
	SV_CHANGE_N,
};

/* Something that differs. What a side does not have is NULL. */
struct sv_difference {
	enum sv_change change;
	const char *path;               /* of a file or key; the name of a program */
	const struct sv_fs_stat *a, *b; /* files */
	const char *text_a, *text_b;    /* programs: versions */
	const char *detail;             /* the source of a program; the value in a key; "" */
	uint64_t files, bytes;          /* of what was added or removed, all that is in it */
};

struct sv_diff {
	int (*found)(void *user, const struct sv_difference *d, struct sv_err *err);
	void (*problem)(void *user, const char *path, const struct sv_err *what);
	void *user;
	struct sv_job *job;
	bool content;  /* compare data even where size and time are the same */
	bool metadata; /* tell what differs in metadata only */
};

/* The trees below two places. */
int sv_diff_files(const struct sv_diff *d, const struct sv_machine *ma, const struct sv_root *a,
	const struct sv_machine *mb, const struct sv_root *b, struct sv_err *err);
/* The software of both; nothing where none of them has a system whose records are known. */
int sv_diff_apps(const struct sv_diff *d, struct sv_machine *a, struct sv_machine *b,
	struct sv_err *err);
/* The registries of both first systems; nothing where one is no Windows. */
int sv_diff_registry(const struct sv_diff *d, struct sv_machine *a, struct sv_machine *b,
	struct sv_err *err);

#endif
