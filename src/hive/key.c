/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys for other rooms: lookup by path, subkeys, and what a key's node tells. */
#include "hive/regf.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define FILETIME_1970   UINT64_C(116444736000000000)
#define FILETIME_SECOND UINT64_C(10000000)

static int blame(const struct sv_hive *h, struct sv_err *err)
{
	return sv_err_path(err, sv_dev_name(h->dev));
}

/* ---- listing ---- */

static int call_one(
	struct sv_hive *h, sv_hive_key key, sv_hive_key_fn fn, void *user, struct sv_err *err)
{
	sv_autonode struct sv_regf_node node = {0};
	sv_autofree char *name = NULL;

	if (sv_regf_load_key(h, key, &node, err) < 0)
		return -1;
	name = sv_regf_name_text(&node.key.name);
	return name ? fn(user, name, key) : sv_fail_nomem(err);
}

int sv_hive_subkeys(
	struct sv_hive *h, sv_hive_key key, sv_hive_key_fn fn, void *user, struct sv_err *err)
{
	sv_autokeys struct sv_regf_keys keys = {0};
	struct sv_err damage = SV_ERR_INIT;

	if (sv_regf_subkeys(h, key, &keys, &damage) < 0 && !sv_regf_goes_on(&damage, &damage)) {
		sv_err_copy(err, &damage);
		return blame(h, err);
	}
	for (size_t i = 0; i < keys.n; i++) {
		int rc = call_one(h, keys.v[i], fn, user, err);

		if (rc)
			return rc < 0 ? blame(h, err) : rc;
	}
	if (damage.code == SV_OK)
		return 0;
	sv_err_copy(err, &damage);
	return blame(h, err);
}

/* ---- lookup ---- */

struct search {
	const struct sv_regf_wanted *wanted;
	sv_hive_key found;
};

static int match(
	void *user, sv_hive_key key, const struct sv_regf_node *node, struct sv_err *err)
{
	struct search *s = user;

	(void)err;
	if (!sv_regf_name_is(&node->key.name, s->wanted))
		return 0;
	s->found = key;
	return 1;
}

/* 1: *ret is the subkey with that name, 0: there is none, -1: error. By the hashes in the list
 * first; because hashes may be wrong, then by the names. */
static int find_child(const struct sv_hive *h, sv_hive_key key, const char *name, size_t n,
	sv_hive_key *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_regf_wanted_free) struct sv_regf_wanted wanted = {0};
	struct search s = {.wanted = &wanted};
	int rc;

	if (sv_regf_wanted(name, n, &wanted, err) < 0)
		return -1;
	rc = sv_regf_each_subkey(h, key, &wanted, match, &s, NULL);
	if (rc != 1)
		rc = sv_regf_each_subkey(h, key, NULL, match, &s, err);
	if (rc == 1)
		*ret = s.found;
	return rc;
}

static int find_path(struct sv_hive *h, sv_hive_key from, const char *path, sv_hive_key *ret,
	struct sv_err *err)
{
	char separator = strchr(path, '\\') ? '\\' : '/';
	const char *at = path;
	sv_hive_key key = from;

	while (*at) {
		const char *name = at;
		size_t n = (size_t)(strchrnul(at, separator) - at);
		int rc = n ? find_child(h, key, name, n, &key, err) : 1;

		at += n + (at[n] != 0);
		if (rc < 0)
			return -1;
		if (!rc)
			return sv_fail(err, SV_NOTFOUND, NULL,
				"there is no key '%.*s' in '%.*s'", (int)SV_MIN(n, (size_t)200),
				name, (int)SV_MIN((size_t)(name - path), (size_t)200), path);
	}
	*ret = key;
	return 0;
}

int sv_hive_find(struct sv_hive *h, sv_hive_key from, const char *path, sv_hive_key *ret,
	struct sv_err *err)
{
	return find_path(h, from, path, ret, err) < 0 ? blame(h, err) : 0;
}

int sv_hive_root(struct sv_hive *h, sv_hive_key *ret, struct sv_err *err)
{
	sv_autonode struct sv_regf_node n = {0};

	if (sv_regf_load_key(h, h->base.root, &n, err) < 0)
		return blame(h, err);
	*ret = h->base.root;
	return 0;
}

/* ---- what a key's node tells ---- */

struct sv_hive_time sv_hive_time(uint64_t filetime)
{
	/* before 1970 the difference is negative, and the fraction counts upwards all the same
	 */
	int64_t ticks = (int64_t)(filetime - FILETIME_1970);
	int64_t sec = ticks / (int64_t)FILETIME_SECOND, rest = ticks % (int64_t)FILETIME_SECOND;

	if (rest < 0) {
		rest += (int64_t)FILETIME_SECOND;
		sec--;
	}
	return (struct sv_hive_time){.sec = sec, .nsec = (uint32_t)rest * 100};
}

int sv_hive_key_info(
	struct sv_hive *h, sv_hive_key key, struct sv_hive_key_info *ret, struct sv_err *err)
{
	sv_autonode struct sv_regf_node n = {0};

	if (sv_regf_load_key(h, key, &n, err) < 0)
		return blame(h, err);
	*ret = (struct sv_hive_key_info){
		.written = sv_hive_time(n.key.written),
		.n_subkeys = n.key.n_subkeys,
		.n_values = n.key.n_values,
	};
	return 0;
}

static char *or_nomem(char *text, struct sv_err *err)
{
	if (!text)
		sv_fail_nomem(err);
	return text;
}

char *sv_hive_key_name(struct sv_hive *h, sv_hive_key key, struct sv_err *err)
{
	sv_autonode struct sv_regf_node n = {0};

	if (sv_regf_load_key(h, key, &n, err) == 0)
		return or_nomem(sv_regf_name_text(&n.key.name), err);
	blame(h, err);
	return NULL;
}

char *sv_hive_key_class(struct sv_hive *h, sv_hive_key key, struct sv_err *err)
{
	sv_autonode struct sv_regf_node n = {0};
	sv_autocell struct sv_regf_cell cell = {0};
	struct sv_regf_name name = {.wide = true};

	if (sv_regf_load_key(h, key, &n, err) < 0) {
		blame(h, err);
		return NULL;
	}
	if (!n.key.class_size || n.key.class_name == SV_REGF_NOWHERE)
		return or_nomem(strdup(""), err);
	if (sv_regf_cell(h, n.key.class_name, n.key.class_size, n.key.class_size, &cell, err) <
		0) {
		blame(h, err);
		return NULL;
	}
	name.bytes = cell.bytes;
	name.n = cell.n / 2;
	return or_nomem(sv_regf_name_text(&name), err);
}

static char *load_security(struct sv_hive *h, uint32_t offset, struct sv_err *err)
{
	sv_autocell struct sv_regf_cell cell = {0};
	struct sv_regf_disk_security raw;
	size_t size;
	char *text;

	if (sv_regf_cell(h, offset, sizeof raw, sizeof raw + SV_REGF_SECURITY_MAX, &cell, err) <
		0)
		return NULL;
	memcpy(&raw, cell.bytes, sizeof raw);
	size = sv_get_le32(raw.size);
	if (memcmp(raw.signature, "sk", 2) != 0 || size > cell.n - sizeof raw) {
		sv_fail_at(err, SV_CORRUPT, NULL, cell.at,
			"a key's security begins with %02x%02x and has %zu bytes, expected 'sk' "
			"and at most %zu",
			cell.bytes[0], cell.bytes[1], size, cell.n - sizeof raw);
		return NULL;
	}
	text = sv_regf_parse_security(cell.bytes + sizeof raw, size, err);
	if (!text)
		sv_err_shift(err, cell.at + sizeof raw);
	return text;
}

char *sv_hive_key_security(struct sv_hive *h, sv_hive_key key, struct sv_err *err)
{
	sv_autonode struct sv_regf_node n = {0};
	char *text = NULL;

	if (sv_regf_load_key(h, key, &n, err) == 0)
		text = n.key.security == SV_REGF_NOWHERE
			       ? or_nomem(strdup(""), err)
			       : load_security(h, n.key.security, err);
	if (!text)
		blame(h, err);
	return text;
}
