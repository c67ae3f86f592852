/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows registry hives ("regf"), read from a device, a page at a time: what a question costs
 * does not depend on the size of the hive. Source of the format: Maxim Suhanov, "Windows
 * registry file format specification". Nothing in a hive is trusted: every cell is
 * range-checked, and an open hive gives only so many bytes until it counts as a circle. An open
 * hive belongs to one thread.
 *
 * Damage: listings give what can be read and then raise the first error; what is wrong with the
 * hive as a whole stands in its state.
 */
#ifndef SV_HIVE_HIVE_H
#define SV_HIVE_HIVE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Data of one value: Windows asks programs to keep to 1 MiB, and lets them have more. */
#define SV_HIVE_DATA_MAX (16u << 20)
/* Subkeys of one key: COMPONENTS has some 100,000. */
#define SV_HIVE_SUBKEYS_MAX (1u << 20)
#define SV_HIVE_VALUES_MAX  (1u << 20)
#define SV_HIVE_DEPTH_MAX   512 /* keys in keys, as Windows allows */

struct sv_dev;
struct sv_hive;
typedef uint32_t sv_hive_key; /* cell offset of a key node */

/* The logs beside a hive, by the endings of their names; NULL where there is none. */
struct sv_hive_logs {
	struct sv_dev *log, *log1, *log2;
};

/* What was found when it was opened. */
struct sv_hive_state {
	bool dirty;        /* Windows had not yet written everything to it */
	unsigned applied;  /* entries of logs that were applied, in memory */
	char problem[400]; /* "" or what is missing or was guessed: sentences parted by "; " */
};

/*
 * Takes references of its own to the devices; the hive's name stands in messages. A dirty hive
 * is shown with the changes of its logs (NULL: as it lies); nothing is ever written. SV_CORRUPT
 * with the offset in the file where it is no hive; SV_UNSUPPORTED for a version before 1.3 or
 * above 1.6. Lesser damage is told by the state.
 */
int sv_hive_open(struct sv_dev *dev, const struct sv_hive_logs *logs, struct sv_hive **ret,
	struct sv_err *err);
void sv_hive_close(struct sv_hive *h);
SV_DEFINE_CLEANUP(struct sv_hive, sv_hive_close)

const struct sv_hive_state *sv_hive_state(const struct sv_hive *h);

/* ---- keys ---- */

int sv_hive_root(struct sv_hive *h, sv_hive_key *ret, struct sv_err *err);

/*
 * From `from` down `path`, names compared without case. The separator is '\\' where the path
 * has one, else '/': names of keys may hold a '/'. Empty components are skipped. SV_NOTFOUND
 * names what is missing, and where; SV_CORRUPT where it may be in what cannot be read.
 */
int sv_hive_find(struct sv_hive *h, sv_hive_key from, const char *path, sv_hive_key *ret,
	struct sv_err *err);

struct sv_hive_time {
	int64_t sec; /* since 1970, UTC */
	uint32_t nsec;
};
/* From Windows' 100 ns since 1601. */
struct sv_hive_time sv_hive_time(uint64_t filetime);

struct sv_hive_key_info {
	struct sv_hive_time written;
	uint32_t n_subkeys, n_values; /* as the key says */
};
int sv_hive_key_info(
	struct sv_hive *h, sv_hive_key key, struct sv_hive_key_info *ret, struct sv_err *err);
/* Its name, its class ("" for none), and who may do what with it as SDDL ("" where that is not
 * stored). Caller frees. */
char *sv_hive_key_name(struct sv_hive *h, sv_hive_key key, struct sv_err *err);
char *sv_hive_key_class(struct sv_hive *h, sv_hive_key key, struct sv_err *err);
char *sv_hive_key_security(struct sv_hive *h, sv_hive_key key, struct sv_err *err);

/*
 * Callbacks get names in UTF-8 (U+FFFD for what has no place there: NUL, unpaired surrogates);
 * a return other than 0 stops the walk and is returned by it. A key is listed once and only
 * under its parent, so that walking down from the root ends.
 */
typedef int (*sv_hive_key_fn)(void *user, const char *name, sv_hive_key key);
int sv_hive_subkeys(
	struct sv_hive *h, sv_hive_key key, sv_hive_key_fn fn, void *user, struct sv_err *err);

/* ---- values ---- */

enum sv_hive_type {
	SV_REG_NONE,
	SV_REG_SZ,
	SV_REG_EXPAND_SZ,
	SV_REG_BINARY,
	SV_REG_DWORD,
	SV_REG_DWORD_BE,
	SV_REG_LINK,
	SV_REG_MULTI_SZ,
	SV_REG_RESOURCE_LIST,
	SV_REG_FULL_RESOURCE_DESCRIPTOR,
	SV_REG_RESOURCE_REQUIREMENTS_LIST,
	SV_REG_QWORD,
};
/* "REG_SZ"; NULL for a number that has no name. */
const char *sv_hive_type_name(uint32_t type);

/* `data` is valid during the call only. The default value has the name "". */
typedef int (*sv_hive_value_fn)(
	void *user, const char *name, uint32_t type, const void *data, size_t n);
int sv_hive_values(struct sv_hive *h, sv_hive_key key, sv_hive_value_fn fn, void *user,
	struct sv_err *err);

/* One value by name ("" is the default value). Caller frees. SV_NOTFOUND names it. */
void *sv_hive_value(struct sv_hive *h, sv_hive_key key, const char *name, uint32_t *ret_type,
	size_t *ret_n, struct sv_err *err);
/* REG_SZ or REG_EXPAND_SZ as UTF-8, up to its first NUL; caller frees. Another type is
 * SV_CORRUPT. */
char *sv_hive_string(struct sv_hive *h, sv_hive_key key, const char *name, struct sv_err *err);
int sv_hive_dword(struct sv_hive *h, sv_hive_key key, const char *name, uint32_t *ret,
	struct sv_err *err);

/* ---- everything below a key ---- */

struct sv_hive_visit {
	sv_hive_key key;
	unsigned depth;   /* 0: where the walk began */
	const char *name; /* of the key; valid during the call */
	struct sv_hive_key_info info;
};

/*
 * For each key, in this order: key(), value() for each value, subkey() for the name of each
 * subkey, done(); then its subkeys, one after the other, in the same way. A return other than 0
 * ends the walk and is returned by it. problem() is told of each thing that cannot be read,
 * the key being that of the last key(); without it the first one ends the walk.
 */
struct sv_hive_walk {
	int (*key)(void *user, const struct sv_hive_visit *v, struct sv_err *err);
	sv_hive_value_fn value;                                 /* may be NULL */
	int (*subkey)(void *user, const char *name);            /* may be NULL */
	int (*done)(void *user, const struct sv_hive_visit *v); /* may be NULL */
	int (*problem)(void *user, const struct sv_err *what);
	bool recursive; /* else only the key itself */
	void *user;
};
int sv_hive_walk(struct sv_hive *h, sv_hive_key key, const struct sv_hive_walk *walk,
	struct sv_err *err);

#endif
