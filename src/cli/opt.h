/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Options: one table per command says everything about them. The parser fills the command's
 * own argument struct from it, `--help`, the man page's OPTIONS section and the shells'
 * completions are printed from it; so they can never disagree.
 *
 * Long options are `--name`, `--name VALUE`, `--name=VALUE`; letters may be bundled (`-nq`),
 * and take a value as `-oVALUE` or `-o VALUE`. Nothing is abbreviated. `--` ends the options;
 * options and operands may be mixed; a lone `-` is an operand.
 */
#ifndef SV_CLI_OPT_H
#define SV_CLI_OPT_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* What an option does, and the type of the field that it fills. */
enum sv_opt_kind {
	SV_OPT_END,    /* closes a table */
	SV_OPT_FLAG,   /* bool */
	SV_OPT_SET,    /* int: stores `set`; options of one field exclude each other */
	SV_OPT_CHOICE, /* int: index of the value in `choices`; 0 is the default */
	SV_OPT_TEXT,   /* const char *, borrowed from argv */
	SV_OPT_SIZE,   /* uint64_t, above 0 */
	SV_OPT_LIST,   /* struct sv_words: may be repeated */
};

/* What a shell offers for a value or an operand. */
enum sv_complete { SV_COMPLETE_NONE, SV_COMPLETE_FILE, SV_COMPLETE_DIR };

struct sv_opt {
	enum sv_opt_kind kind;
	const char *name;           /* without the dashes */
	char letter;                /* 0: none */
	const char *value;          /* how help calls the value ("SIZE"); NULL for flags */
	size_t field;               /* offsetof in the arguments */
	int set;                    /* SV_OPT_SET; never 0 */
	const char *const *choices; /* SV_OPT_CHOICE; ends with NULL */
	enum sv_complete complete;
	bool hidden;      /* understood, but not offered */
	const char *help; /* one phrase, for the help screen */
	const char *more; /* further sentences for the man page; NULL: none */
};

struct sv_words {
	const char **item; /* borrowed from argv; the array is owned */
	size_t n;
};
void sv_words_free(struct sv_words *w);

/* A table and the struct that it fills. */
struct sv_opt_scope {
	const struct sv_opt *table;
	void *into;
};

/*
 * Reads argv[0..argc) into the scopes (the first that knows an option takes it) and the
 * operands (appended). With `stop`, ends before the first operand. *ret_used (may be NULL) is
 * how many words were read. SV_USAGE names the word, and the nearest option as hint.
 */
int sv_opt_parse(const struct sv_opt_scope *scopes, size_t n_scopes, char *const *argv,
	size_t argc, bool stop, struct sv_words *operands, size_t *ret_used,
	struct sv_err *err);

/* Frees the lists of a filled struct. */
void sv_opt_free(const struct sv_opt_scope *scope);

#endif
