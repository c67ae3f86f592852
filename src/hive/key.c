/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Subkeys: the lists under a key node ("lf", "lh", "li", and "ri" that joins several of them)
 * and lookup by path. What ends every walk: a list gives no more keys than its node promises,
 * a key hangs below the parent that it names and is listed once, and a walk spends a budget.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <string.h>

enum { LIST_MAX = 4 + 8 * 65535 }; /* bytes: the number of elements has 16 bits */

struct walk {
	const struct sv_hive *h;
	sv_hive_key parent;
	uint32_t left;   /* keys that the parent's node still promises */
	uint64_t budget; /* bytes */
	/* 0: go on, 1: stop, -1: error */
	int (*each)(struct walk *w, sv_hive_key key, const struct sv_regf_key *k,
		struct sv_err *err);
	sv_hive_key *found; /* of collect() and match() */
	size_t n_found;
	const char *text; /* of match() */
	size_t n_text;
};

/* ---- the lists ---- */

static int visit(struct walk *w, sv_hive_key key, uint64_t at, struct sv_err *err)
{
	sv_autonode struct sv_regf_node node = {0};
	const struct sv_regf_key *k = &node.key;

	if (!w->left)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a list has more subkeys than its key node says");
	w->left--;
	if (sv_regf_load_key(w->h, key, &node, err) < 0)
		return -1;
	if (k->parent != w->parent || key == w->h->base.root)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the subkey at 0x%" PRIx32 " names 0x%" PRIx32
			" as its parent, expected 0x%" PRIx32,
			key, k->parent, w->parent);
	if (sv_regf_spend(&w->budget, sizeof(struct sv_regf_disk_key) + k->name.n, at, err) < 0)
		return -1;
	return w->each(w, key, k, err);
}

struct list {
	struct sv_regf_cell cell;
	uint32_t n;
	size_t step;   /* bytes of an element; each begins with an offset */
	bool is_index; /* its elements are lists */
};

static void list_free(struct list *l)
{
	sv_regf_cell_free(&l->cell);
}
#define autolist SV_CLEANUP(list_free)

static int load_list(
	const struct sv_hive *h, uint32_t offset, struct list *ret, struct sv_err *err)
{
	const uint8_t *bytes;

	if (sv_regf_cell(h, offset, 4, LIST_MAX, &ret->cell, err) < 0)
		return -1;
	bytes = ret->cell.bytes;
	ret->n = sv_load_le16(bytes + 2);
	ret->is_index = memcmp(bytes, "ri", 2) == 0;
	if (memcmp(bytes, "lf", 2) == 0 || memcmp(bytes, "lh", 2) == 0)
		ret->step = 8;
	else if (ret->is_index || memcmp(bytes, "li", 2) == 0)
		ret->step = 4;
	else
		return sv_fail_at(err, SV_CORRUPT, NULL, ret->cell.at,
			"a list of subkeys begins with %02x%02x, expected 'lf', 'lh', 'li' or "
			"'ri'",
			bytes[0], bytes[1]);
	if (ret->n > (ret->cell.n - 4) / ret->step)
		return sv_fail_at(err, SV_CORRUPT, NULL, ret->cell.at + 2,
			"a list of subkeys has %" PRIu32 " elements, its cell has room for %zu",
			ret->n, (ret->cell.n - 4) / ret->step);
	return 0;
}

static uint32_t element(const struct list *l, uint32_t i, uint64_t *ret_at)
{
	size_t off = 4 + i * l->step;

	*ret_at = l->cell.at + off;
	return sv_load_le32(l->cell.bytes + off);
}

static int walk_leaf(struct walk *w, const struct list *l, struct sv_err *err)
{
	for (uint32_t i = 0; i < l->n; i++) {
		uint64_t at;
		sv_hive_key key = element(l, i, &at);
		int rc = visit(w, key, at, err);

		if (rc)
			return rc;
	}
	return 0;
}

static int walk_index(struct walk *w, const struct list *index, struct sv_err *err)
{
	for (uint32_t i = 0; i < index->n; i++) {
		autolist struct list leaf = {0};
		uint64_t at;
		uint32_t offset = element(index, i, &at);
		int rc;

		if (load_list(w->h, offset, &leaf, err) < 0)
			return -1;
		if (leaf.is_index)
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"an index of subkeys leads to another index");
		rc = walk_leaf(w, &leaf, err);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_number(const struct sv_hive *h, sv_hive_key key, const struct sv_regf_key *k,
	struct sv_err *err)
{
	uint32_t most = SV_MIN(h->base.bins_size / SV_REGF_KEY_CELL_MIN, SV_HIVE_SUBKEYS_MAX);

	if (k->n_subkeys <= most)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL,
		SV_REGF_BINS_AT + (uint64_t)key + 4 +
			offsetof(struct sv_regf_disk_key, n_subkeys),
		"a key has %" PRIu32 " subkeys, in a hive of this size at most %" PRIu32
		" are expected",
		k->n_subkeys, most);
}

static int walk_subkeys(struct walk *w, const struct sv_regf_key *k, struct sv_err *err)
{
	uint64_t at = SV_REGF_BINS_AT + (uint64_t)w->parent + 4;
	autolist struct list l = {0};
	int rc;

	w->left = k->n_subkeys;
	if (!k->n_subkeys)
		return 0;
	if (check_number(w->h, w->parent, k, err) < 0)
		return -1;
	if (load_list(w->h, k->subkeys, &l, err) < 0)
		return -1;
	rc = l.is_index ? walk_index(w, &l, err) : walk_leaf(w, &l, err);
	if (rc)
		return rc;
	if (w->left && !sv_hive_dirty(w->h))
		return sv_fail_at(err, SV_CORRUPT, NULL,
			at + offsetof(struct sv_regf_disk_key, n_subkeys),
			"a key has %" PRIu32 " subkeys, its list has %" PRIu32, k->n_subkeys,
			k->n_subkeys - w->left);
	return 0;
}

/* ---- listing ---- */

static int collect(
	struct walk *w, sv_hive_key key, const struct sv_regf_key *k, struct sv_err *err)
{
	(void)k;
	(void)err;
	w->found[w->n_found++] = key;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const sv_hive_key *p = a, *q = b;

	return (*p > *q) - (*p < *q);
}

/* Twice the same key, level by level, would make a walk of a small hive endless. */
static int check_distinct(const sv_hive_key *keys, size_t n, uint64_t at, struct sv_err *err)
{
	sv_autofree sv_hive_key *sorted = malloc((n + 1) * sizeof *sorted);

	if (!sorted)
		return sv_fail_nomem(err);
	memcpy(sorted, keys, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_number);
	for (size_t i = 1; i < n; i++) {
		if (sorted[i] == sorted[i - 1])
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"the subkey at 0x%" PRIx32 " is listed twice", sorted[i]);
	}
	return 0;
}

static int call_each(struct sv_hive *h, const sv_hive_key *keys, size_t n, sv_hive_key_fn fn,
	void *user, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		sv_autonode struct sv_regf_node node = {0};
		sv_autofree char *name = NULL;
		int rc;

		if (sv_regf_load_key(h, keys[i], &node, err) < 0)
			return -1;
		name = sv_regf_name_text(&node.key.name);
		if (!name)
			return sv_fail_nomem(err);
		rc = fn(user, name, keys[i]);
		if (rc)
			return rc;
	}
	return 0;
}

static int list_subkeys(
	struct sv_hive *h, sv_hive_key key, sv_hive_key_fn fn, void *user, struct sv_err *err)
{
	struct walk w = {.h = h, .parent = key, .budget = h->base.bins_size, .each = collect};
	sv_autonode struct sv_regf_node node = {0};
	const struct sv_regf_key *k = &node.key;
	sv_autofree sv_hive_key *keys = NULL;

	if (sv_regf_load_key(h, key, &node, err) < 0 || check_number(h, key, k, err) < 0)
		return -1;
	keys = calloc(k->n_subkeys + 1u, sizeof *keys);
	if (!keys)
		return sv_fail_nomem(err);
	w.found = keys;
	if (walk_subkeys(&w, k, err) < 0 ||
		check_distinct(keys, w.n_found, SV_REGF_BINS_AT + (uint64_t)k->subkeys, err) <
			0)
		return -1;
	return call_each(h, keys, w.n_found, fn, user, err);
}

int sv_hive_subkeys(
	struct sv_hive *h, sv_hive_key key, sv_hive_key_fn fn, void *user, struct sv_err *err)
{
	int rc = list_subkeys(h, key, fn, user, err);

	if (rc < 0)
		sv_err_path(err, sv_dev_name(h->dev));
	return rc;
}

/* ---- lookup ---- */

static int match(
	struct walk *w, sv_hive_key key, const struct sv_regf_key *k, struct sv_err *err)
{
	(void)err;
	if (!sv_regf_name_is(&k->name, w->text, w->n_text))
		return 0;
	*w->found = key;
	return 1;
}

/* One step down; SV_NOTFOUND is raised by the caller, which knows the path: *ret_found. */
static int find_child(
	struct walk *w, sv_hive_key key, sv_hive_key *ret, bool *ret_found, struct sv_err *err)
{
	sv_autonode struct sv_regf_node node = {0};
	int rc;

	if (sv_regf_load_key(w->h, key, &node, err) < 0)
		return -1;
	w->parent = key;
	w->found = ret;
	rc = walk_subkeys(w, &node.key, err);
	*ret_found = rc == 1;
	return rc < 0 ? -1 : 0;
}

static int find_path(struct sv_hive *h, sv_hive_key from, const char *path, sv_hive_key *ret,
	struct sv_err *err)
{
	char separator = strchr(path, '\\') ? '\\' : '/';
	struct walk w = {.h = h, .budget = h->base.bins_size, .each = match};
	const char *at = path;
	sv_hive_key key = from, child = from;
	bool found;

	while (*at) {
		w.text = at;
		w.n_text = (size_t)(strchrnul(at, separator) - at);
		at += w.n_text + (at[w.n_text] != 0);
		if (!w.n_text)
			continue;
		if (find_child(&w, key, &child, &found, err) < 0)
			return -1;
		if (!found)
			return sv_fail(err, SV_NOTFOUND, NULL,
				"there is no key '%.*s' in '%.*s'",
				(int)SV_MIN(w.n_text, (size_t)200), w.text,
				(int)SV_MIN((size_t)(w.text - path), (size_t)200), path);
		key = child;
	}
	*ret = key;
	return 0;
}

int sv_hive_find(struct sv_hive *h, sv_hive_key from, const char *path, sv_hive_key *ret,
	struct sv_err *err)
{
	if (find_path(h, from, path, ret, err) < 0)
		return sv_err_path(err, sv_dev_name(h->dev));
	return 0;
}
