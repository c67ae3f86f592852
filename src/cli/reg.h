/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `reg`: keys and values of a registry hive, printed while they are read: as a page, as lines
 * with tabs, as JSON, or as the text that regedit imports.
 */
#ifndef SV_CLI_REG_H
#define SV_CLI_REG_H

#include "cli/cmd.h"
#include "hive/hive.h"

#define SV_REG_NOTES 10 /* places that cannot be read are told; of more only the number */

struct sv_reg_format;

/* What is printed, and how far. */
struct sv_reg {
	struct sv_cli *cli;
	const struct sv_reg_format *format;
	bool recursive;   /* keys in keys, too */
	bool security;    /* and who may do what with them */
	const char *top;  /* path of the key where the walk begins */
	const char *only; /* name of the one value that is wanted; NULL: all of the key */

	/* as it goes */
	struct sv_hive *hive;
	struct sv_json json;
	struct sv_str path;                    /* of the key that is printed */
	size_t lengths[SV_HIVE_DEPTH_MAX + 2]; /* of it, by depth */
	size_t subkeys;                        /* of the key, so far */
	size_t keys;                           /* in all */
	size_t problems;
	struct sv_err err; /* raised in a callback that cannot hand it on */
};

/* Calls come in the order of sv_hive_walk(); `r->path` is that of the key. */
struct sv_reg_format {
	void (*begin)(struct sv_reg *r);
	int (*key)(struct sv_reg *r, const struct sv_hive_visit *v, struct sv_err *err);
	int (*value)(struct sv_reg *r, const char *name, uint32_t type, const void *data,
		size_t n, struct sv_err *err);
	int (*subkey)(struct sv_reg *r, const char *name, struct sv_err *err);
	void (*done)(struct sv_reg *r);
	void (*end)(struct sv_reg *r);
};
extern const struct sv_reg_format sv_reg_page, sv_reg_plain, sv_reg_json, sv_reg_export;

/* One hive from `key` on; r->top is the key's path. */
int sv_reg_walk(struct sv_reg *r, struct sv_hive *h, sv_hive_key key, struct sv_err *err);

/* ---- values as text ---- */

#define SV_REG_TYPE_TEXT 16
/* "REG_SZ"; "0xffff0012" for a type without a name. */
const char *sv_reg_type_text(uint32_t type, char buf[SV_REG_TYPE_TEXT]);

/* Appends data as people read them; `most` bytes of what is no text (0: all). */
void sv_reg_data_text(
	struct sv_str *out, uint32_t type, const void *data, size_t n, size_t most);

/* Is it a string, with at most one NUL, at its end? Gives the number of units before it. */
bool sv_reg_is_text(uint32_t type, const void *data, size_t n, size_t *ret_units);
/* The strings of a REG_MULTI_SZ, one after the other, as UTF-8. */
int sv_reg_each_string(const void *data, size_t n, int (*fn)(void *user, const char *text),
	void *user, struct sv_err *err);

#endif
