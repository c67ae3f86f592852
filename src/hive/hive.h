/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Windows registry hives ("regf"), read from a device, a page at a time: what a question costs
 * does not depend on the size of the hive. Source of the format: Maxim Suhanov, "Windows
 * registry file format specification". Nothing in a hive is trusted: every cell is
 * range-checked, every walk has a step budget. An open hive belongs to one thread.
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

struct sv_dev;
struct sv_hive;
typedef uint32_t sv_hive_key; /* cell offset of a key node */

/*
 * Takes a reference of its own to the device, whose name stands in messages. SV_CORRUPT with
 * the offset in the file for a base block or a first hive bin that cannot be; SV_UNSUPPORTED
 * for a version before 1.3 or above 1.6. Logs (.LOG1, .LOG2) are not applied here.
 */
int sv_hive_open(struct sv_dev *dev, struct sv_hive **ret, struct sv_err *err);
void sv_hive_close(struct sv_hive *h);
SV_DEFINE_CLEANUP(struct sv_hive, sv_hive_close)

/* Do the sequence numbers differ: were changes left in the logs? Such a hive is read with less
 * rigour: bins and counts that do not agree are let pass. */
bool sv_hive_dirty(const struct sv_hive *h);

int sv_hive_root(struct sv_hive *h, sv_hive_key *ret, struct sv_err *err);

/*
 * From `from` down `path`, names compared without case. The separator is '\\' where the path
 * has one, else '/': names of keys may hold a '/'. Empty components are skipped. SV_NOTFOUND
 * names what is missing, and where.
 */
int sv_hive_find(struct sv_hive *h, sv_hive_key from, const char *path, sv_hive_key *ret,
	struct sv_err *err);

/*
 * Callbacks get names in UTF-8 (U+FFFD for what has no place there: NUL, unpaired surrogates);
 * a return other than 0 stops the walk and is returned by it. A key is listed once and only
 * under its parent, so that walking down from the root ends.
 */
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
	SV_REG_QWORD = 11,
};

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

#endif
