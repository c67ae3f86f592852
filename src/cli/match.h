/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files `find` wants: the words of its options made into a test. */
#ifndef SV_CLI_MATCH_H
#define SV_CLI_MATCH_H

#include "cli/opt.h"
#include "fs/fs.h"

struct sv_match_words { /* as they were written; NULL for none */
	const struct sv_words *names;
	const char *type, *size, *newer, *older, *depth;
	bool ignore_case;
};

struct sv_match {
	const struct sv_words *names; /* globs, of which one has to fit; borrowed */
	bool ignore_case;
	uint32_t types; /* bits by enum sv_fs_type; 0: all */
	int size_sign;  /* 1: larger than size; -1: smaller; 0: that size */
	uint64_t size;
	bool has_size, has_newer, has_older, has_depth;
	int64_t newer, older; /* seconds since 1970 */
	unsigned depth;
};

/* SV_USAGE names the word that cannot be understood. */
int sv_match_parse(
	const struct sv_match_words *words, struct sv_match *ret, struct sv_err *err);

/* `folds`: names of that volume compare without case. Only files have a size to compare. */
bool sv_match_file(
	const struct sv_match *m, const char *name, const struct sv_fs_stat *st, bool folds);

#endif
