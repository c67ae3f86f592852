/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The lists of subkeys under a key node: "lf" (with the first letters of each name), "lh" (with
 * its hash), "li", and "ri" that joins several of them. What ends every listing: a list gives
 * no more keys than its node promises, and a key hangs below the parent that it names.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <string.h>

enum { HEAD = 4 }; /* signature and number of elements */

struct walk {
	const struct sv_hive *h;
	sv_hive_key parent;
	uint32_t left; /* keys that the parent's node still promises */
	const struct sv_regf_wanted *wanted;
	sv_regf_subkey_fn fn;
	void *user;
	struct sv_err damage; /* the first; SV_OK: none */
};

struct list {
	char kind[2];
	struct sv_regf_cell cell;
	uint32_t n;
	size_t step; /* bytes of an element; each begins with an offset */
};

static void list_free(struct list *l)
{
	sv_regf_cell_free(&l->cell);
}
#define autolist SV_CLEANUP(list_free)

bool sv_regf_goes_on(struct sv_err *first, const struct sv_err *why)
{
	if (why->code != SV_CORRUPT && why->code != SV_IO && why->code != SV_UNSUPPORTED)
		return false;
	if (first->code == SV_OK)
		sv_err_copy(first, why);
	return true;
}

/* Damage is written down and passed over: 0; -1 for an error that ends everything. */
static int pass_over(struct walk *w, const struct sv_err *why, struct sv_err *err)
{
	if (sv_regf_goes_on(&w->damage, why))
		return 0;
	sv_err_copy(err, why);
	return -1;
}

/* ---- one list ---- */

static size_t step_of(const char kind[2])
{
	if (memcmp(kind, "lf", 2) == 0 || memcmp(kind, "lh", 2) == 0)
		return 8;
	return memcmp(kind, "li", 2) == 0 || memcmp(kind, "ri", 2) == 0 ? 4 : 0;
}

static bool is_index(const struct list *l)
{
	return memcmp(l->kind, "ri", 2) == 0;
}

static int load_list(
	const struct sv_hive *h, uint32_t offset, struct list *ret, struct sv_err *err)
{
	sv_autocell struct sv_regf_cell head = {0};
	size_t size;

	if (sv_regf_cell(h, offset, HEAD, HEAD, &head, err) < 0)
		return -1;
	memcpy(ret->kind, head.bytes, sizeof ret->kind);
	ret->n = sv_load_le16(head.bytes + 2);
	ret->step = step_of(ret->kind);
	if (!ret->step)
		return sv_fail_at(err, SV_CORRUPT, NULL, head.at,
			"a list of subkeys begins with %02x%02x, expected 'lf', 'lh', 'li' or "
			"'ri'",
			head.bytes[0], head.bytes[1]);
	size = HEAD + ret->n * ret->step;
	if (sv_regf_cell(h, offset, HEAD, size, &ret->cell, err) < 0)
		return -1;
	if (ret->cell.n < size)
		return sv_fail_at(err, SV_CORRUPT, NULL, head.at + 2,
			"a list of subkeys has %" PRIu32 " elements, its cell has room for %zu",
			ret->n, (ret->cell.n - HEAD) / ret->step);
	return 0;
}

static uint32_t element(const struct list *l, uint32_t i, uint64_t *ret_at)
{
	size_t off = HEAD + i * l->step;

	*ret_at = l->cell.at + off;
	return sv_load_le32(l->cell.bytes + off);
}

/* Can the element's key have the name, by what the list tells of it? */
static bool can_be(const struct list *l, uint32_t i, const struct sv_regf_wanted *wanted)
{
	const uint8_t *hint = l->cell.bytes + HEAD + i * l->step + 4;

	if (!wanted || !wanted->ascii || l->step != 8)
		return true;
	if (l->kind[1] == 'h')
		return sv_load_le32(hint) == wanted->hash;
	for (size_t k = 0; k < 4 && k < wanted->n; k++) {
		if (sv_regf_upcase(hint[k]) != wanted->units[k])
			return sv_load_le32(hint) == 0; /* letters that it cannot hold */
	}
	return true;
}

/* ---- all lists of a key ---- */

static int visit(struct walk *w, sv_hive_key key, uint64_t at, struct sv_err *err)
{
	sv_autonode struct sv_regf_node node = {0};
	struct sv_err why = SV_ERR_INIT;

	if (sv_regf_load_key(w->h, key, &node, &why) < 0)
		return pass_over(w, &why, err);
	if (node.key.parent == w->parent && key != w->h->base.root)
		return w->fn(w->user, key, &node, err);
	sv_fail_at(&why, SV_CORRUPT, NULL, at,
		"the subkey at 0x%" PRIx32 " names 0x%" PRIx32
		" as its parent, expected 0x%" PRIx32,
		key, node.key.parent, w->parent);
	return pass_over(w, &why, err);
}

static int walk_leaf(struct walk *w, const struct list *l, struct sv_err *err)
{
	for (uint32_t i = 0; i < l->n; i++) {
		uint64_t at;
		sv_hive_key key = element(l, i, &at);
		struct sv_err why = SV_ERR_INIT;
		int rc;

		if (!w->left) {
			sv_fail_at(&why, SV_CORRUPT, NULL, at,
				"a list has more subkeys than its key node says");
			return pass_over(w, &why, err);
		}
		w->left--;
		rc = can_be(l, i, w->wanted) ? visit(w, key, at, err) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static int walk_one_of_index(struct walk *w, uint32_t offset, uint64_t at, struct sv_err *err)
{
	autolist struct list leaf = {0};
	struct sv_err why = SV_ERR_INIT;

	if (load_list(w->h, offset, &leaf, &why) < 0)
		return pass_over(w, &why, err);
	if (!is_index(&leaf))
		return walk_leaf(w, &leaf, err);
	sv_fail_at(&why, SV_CORRUPT, NULL, at, "an index of subkeys leads to another index");
	return pass_over(w, &why, err);
}

static int walk_index(struct walk *w, const struct list *index, struct sv_err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < index->n && !rc; i++) {
		uint64_t at;
		uint32_t offset = element(index, i, &at);

		rc = walk_one_of_index(w, offset, at, err);
	}
	return rc;
}

/* Where the key's node says how many there are. */
static uint64_t count_at(sv_hive_key key)
{
	return SV_REGF_BINS_AT + (uint64_t)key + 4 +
	       offsetof(struct sv_regf_disk_key, n_subkeys);
}

static int walk_all(struct walk *w, const struct sv_regf_key *k, struct sv_err *err)
{
	autolist struct list l = {0};
	struct sv_err why = SV_ERR_INIT;
	int rc;

	if (load_list(w->h, k->subkeys, &l, &why) < 0)
		return pass_over(w, &why, err);
	rc = is_index(&l) ? walk_index(w, &l, err) : walk_leaf(w, &l, err);
	if (rc || !w->left)
		return rc;
	sv_fail_at(&why, SV_CORRUPT, NULL, count_at(w->parent),
		"a key has %" PRIu32 " subkeys, its list has %" PRIu32, k->n_subkeys,
		k->n_subkeys - w->left);
	return pass_over(w, &why, err);
}

int sv_regf_each_subkey(const struct sv_hive *h, sv_hive_key key,
	const struct sv_regf_wanted *wanted, sv_regf_subkey_fn fn, void *user,
	struct sv_err *err)
{
	struct walk w = {.h = h, .parent = key, .wanted = wanted, .fn = fn, .user = user};
	uint32_t most = SV_MIN(h->base.bins_size / SV_REGF_KEY_CELL_MIN, SV_HIVE_SUBKEYS_MAX);
	sv_autonode struct sv_regf_node node = {0};
	int rc;

	if (sv_regf_load_key(h, key, &node, err) < 0)
		return -1;
	w.left = SV_MIN(node.key.n_subkeys, most);
	if (!node.key.n_subkeys)
		return 0;
	if (w.left < node.key.n_subkeys)
		sv_fail_at(&w.damage, SV_CORRUPT, NULL, count_at(key),
			"a key has %" PRIu32
			" subkeys, a hive of this size has at most %" PRIu32,
			node.key.n_subkeys, most);
	rc = walk_all(&w, &node.key, err);
	if (rc || w.damage.code == SV_OK)
		return rc;
	sv_err_copy(err, &w.damage);
	return -1;
}

/* ---- the keys of a listing, each once ---- */

void sv_regf_keys_free(struct sv_regf_keys *k)
{
	free(k->v);
	*k = (struct sv_regf_keys){0};
}

static int collect(
	void *user, sv_hive_key key, const struct sv_regf_node *node, struct sv_err *err)
{
	struct sv_regf_keys *k = user;

	(void)node;
	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 16;
		sv_hive_key *v = realloc(k->v, cap * sizeof *v);

		if (!v)
			return sv_fail_nomem(err);
		k->v = v;
		k->cap = cap;
	}
	k->v[k->n++] = key;
	return 0;
}

struct place {
	sv_hive_key key;
	uint32_t order;
};

static int by_key(const void *a, const void *b)
{
	const struct place *p = a, *q = b;

	if (p->key != q->key)
		return p->key < q->key ? -1 : 1;
	return (p->order > q->order) - (p->order < q->order);
}

static int by_order(const void *a, const void *b)
{
	const struct place *p = a, *q = b;

	return (p->order > q->order) - (p->order < q->order);
}

/* Of keys that stand there several times, the first stays: twice the same key, level by level,
 * would make a walk of a small hive endless. */
static int drop_repeated(struct sv_regf_keys *k, uint64_t at, struct sv_err *err)
{
	sv_autofree struct place *places = malloc((k->n + 1) * sizeof *places);
	sv_hive_key twice = 0;
	size_t n = 0;

	if (!places)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < k->n; i++)
		places[i] = (struct place){k->v[i], i};
	qsort(places, k->n, sizeof *places, by_key);
	for (size_t i = 0; i < k->n; i++) {
		if (n && places[n - 1].key == places[i].key)
			twice = places[i].key;
		else
			places[n++] = places[i];
	}
	if (n == k->n)
		return 0;
	qsort(places, n, sizeof *places, by_order);
	for (size_t i = 0; i < n; i++)
		k->v[i] = places[i].key;
	k->n = n;
	return sv_fail_at(err, SV_CORRUPT, NULL, at,
		"the subkey at 0x%" PRIx32 " is listed twice", twice);
}

int sv_regf_subkeys(
	const struct sv_hive *h, sv_hive_key key, struct sv_regf_keys *ret, struct sv_err *err)
{
	struct sv_err first = SV_ERR_INIT, why = SV_ERR_INIT;

	if (sv_regf_each_subkey(h, key, NULL, collect, ret, &first) < 0 &&
		!sv_regf_goes_on(&first, &first)) {
		sv_err_copy(err, &first);
		return -1;
	}
	if (drop_repeated(ret, SV_REGF_BINS_AT + (uint64_t)key, &why) < 0 &&
		!sv_regf_goes_on(&first, &why)) {
		sv_err_copy(err, &why);
		return -1;
	}
	if (first.code == SV_OK)
		return 0;
	sv_err_copy(err, &first);
	return -1;
}
