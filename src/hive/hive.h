/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows registry hives ("regf"), read from bytes in memory. Source of the format: Maxim
 * Suhanov, "Windows registry file format specification". Nothing in a hive is trusted: every
 * cell is range-checked, every walk has a step budget.
 */
#ifndef SV_HIVE_HIVE_H
#define SV_HIVE_HIVE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SV_HIVE_SIZE_MAX (512u << 20) /* SOFTWARE of a used desktop is 100 to 200 MiB */

struct sv_hive;
typedef uint32_t sv_hive_key; /* cell offset of a key node */

/* Takes over `bytes` (malloc'ed) on success. `name` is for messages. */
int sv_hive_open(
	void *bytes, size_t n, const char *name, struct sv_hive **ret, struct sv_err *err);
void sv_hive_close(struct sv_hive *h);
SV_DEFINE_CLEANUP(struct sv_hive, sv_hive_close)

bool sv_hive_dirty(
	const struct sv_hive *h); /* sequence numbers differ: logs were not applied */
int sv_hive_root(struct sv_hive *h, sv_hive_key *ret, struct sv_err *err);
/* Path with '\\' or '/', names compared without case. SV_NOTFOUND names what is missing. */
int sv_hive_find(struct sv_hive *h, sv_hive_key from, const char *path, sv_hive_key *ret,
	struct sv_err *err);

typedef int (*sv_hive_key_fn)(void *user, const char *name, sv_hive_key key);
int sv_hive_subkeys(
	struct sv_hive *h, sv_hive_key key, sv_hive_key_fn fn, void *user, struct sv_err *err);

enum sv_hive_type {
	SV_REG_NONE,
	SV_REG_SZ,
	SV_REG_EXPAND_SZ,
	SV_REG_BINARY,
	SV_REG_DWORD,
	SV_REG_DWORD_BE,
	SV_REG_LINK,
	SV_REG_MULTI_SZ,
	SV_REG_QWORD = 11
};

typedef int (*sv_hive_value_fn)(
	void *user, const char *name, uint32_t type, const void *data, size_t n);
int sv_hive_values(struct sv_hive *h, sv_hive_key key, sv_hive_value_fn fn, void *user,
	struct sv_err *err);

/* One value by name ("" is the default value). Caller frees. */
void *sv_hive_value(struct sv_hive *h, sv_hive_key key, const char *name, uint32_t *ret_type,
	size_t *ret_n, struct sv_err *err);
/* REG_SZ or REG_EXPAND_SZ as UTF-8; caller frees. */
char *sv_hive_string(struct sv_hive *h, sv_hive_key key, const char *name, struct sv_err *err);
int sv_hive_dword(struct sv_hive *h, sv_hive_key key, const char *name, uint32_t *ret,
	struct sv_err *err);

#endif
