/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Nodes of btrfs' trees: read, checked against their checksums and against what their parents
 * say of them, and kept in a cache. A copy that is wrong is passed over for the next one. That
 * a node begins with the key that its parent gives it, and that keys grow, makes sure that no
 * walk along a tree comes to a node twice.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define HEAD    101u
#define ITEM    25u
#define POINTER 33u

void sv_btrfs_parse_key(const uint8_t b[BTRFS_KEY_SIZE], struct sv_btrfs_key *ret)
{
	*ret = (struct sv_btrfs_key){sv_load_le64(b), b[8], sv_load_le64(b + 9)};
}

int sv_btrfs_key_cmp(const struct sv_btrfs_key *a, const struct sv_btrfs_key *b)
{
	if (a->objectid != b->objectid)
		return a->objectid < b->objectid ? -1 : 1;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* ---- parsing ---- */

static int check_item(
	const uint8_t *b, size_t n, unsigned count, unsigned i, struct sv_err *err)
{
	const uint8_t *item = b + HEAD + (size_t)i * ITEM;
	uint32_t at = sv_load_le32(item + 17), size = sv_load_le32(item + 21);

	if (at >= (size_t)count * ITEM && sv_in_range(at, size, n - HEAD))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, NULL, HEAD + (size_t)i * ITEM,
		"item %u of %u lies at %u and has %u bytes, outside its leaf", i, count, at,
		size);
}

int sv_btrfs_parse_node(
	const uint8_t *b, size_t n, unsigned *ret_level, unsigned *ret_n, struct sv_err *err)
{
	unsigned level = b[100], count = sv_load_le32(b + 96);
	size_t step = level ? POINTER : ITEM;
	struct sv_btrfs_key last, key;

	if (level >= BTRFS_LEVELS || count > (n - HEAD) / step || (level && !count))
		return sv_fail_at(err, SV_CORRUPT, NULL, 96,
			"a node of level %u has %u entries, at most %zu fit", level, count,
			(n - HEAD) / step);
	for (unsigned i = 0; i < count; i++) {
		sv_btrfs_parse_key(b + HEAD + i * step, &key);
		if (i && sv_btrfs_key_cmp(&last, &key) >= 0)
			return sv_fail_at(err, SV_CORRUPT, NULL, HEAD + i * step,
				"entry %u of %u of a node is not behind the one before it", i,
				count);
		if (!level && check_item(b, n, count, i, err) < 0)
			return -1;
		last = key;
	}
	*ret_level = level;
	*ret_n = count;
	return 0;
}

void sv_btrfs_node_key(const struct sv_btrfs_node *n, unsigned slot, struct sv_btrfs_key *ret)
{
	sv_btrfs_parse_key(n->bytes + HEAD + (size_t)slot * (n->level ? POINTER : ITEM), ret);
}

/* ---- what is expected of it ---- */

static int check_sum(const struct sv_btrfs *v, const uint8_t *b, struct sv_err *err)
{
	char found[BTRFS_SUM_TEXT], expected[BTRFS_SUM_TEXT];
	uint8_t sum[BTRFS_SUM_MAX];

	if (sv_btrfs_sum_ok(v->super.sum, b, v->super.node))
		return 0;
	sv_btrfs_sum(
		v->super.sum, b + BTRFS_SUMMED_FROM, v->super.node - BTRFS_SUMMED_FROM, sum);
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"the checksum of a node of a tree is %s, expected %s",
		sv_btrfs_sum_text(v->super.sum, sum, found),
		sv_btrfs_sum_text(v->super.sum, b, expected));
}

/* Is it the node that was asked for, and of the time that was asked for? */
static int check_head(const struct sv_btrfs *v, const uint8_t *b,
	const struct sv_btrfs_expected *x, struct sv_err *err)
{
	uint64_t logical = sv_load_le64(b + 0x30), generation = sv_load_le64(b + 0x50);

	if (memcmp(b + 0x20, v->super.meta_fsid, 16) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0x20,
			"a node of a tree belongs to another file system");
	if (logical != x->logical)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0x30,
			"a node of a tree says that it lies at %llu, expected %llu",
			(unsigned long long)logical, (unsigned long long)x->logical);
	if (generation != x->generation)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0x50,
			"a node of a tree is of generation %llu, expected %llu",
			(unsigned long long)generation, (unsigned long long)x->generation);
	if (b[100] != x->level)
		return sv_fail_at(err, SV_CORRUPT, NULL, 100,
			"a node of a tree is of level %u, expected %u", b[100], x->level);
	return 0;
}

/* The same of one in the cache: another parent may say otherwise. */
static int check_again(const struct sv_btrfs *v, const struct sv_btrfs_node *n,
	const struct sv_btrfs_expected *x, struct sv_err *err)
{
	struct sv_btrfs_key first;

	if (n->generation != x->generation || n->level != x->level)
		return check_head(v, n->bytes, x, err);
	if (!x->first)
		return 0;
	if (n->n)
		sv_btrfs_node_key(n, 0, &first);
	if (!n->n || sv_btrfs_key_cmp(&first, x->first) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, HEAD,
			"a node of a tree does not begin with the key of its parent");
	return 0;
}

/* ---- the cache ---- */

static struct sv_btrfs_node **bucket_of(struct sv_btrfs_nodes *t, uint64_t logical)
{
	return &t->bucket[(logical >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> 55];
}

static struct sv_btrfs_node *find_cached(struct sv_btrfs_nodes *t, uint64_t logical)
{
	struct sv_btrfs_node *n = *bucket_of(t, logical);

	while (n && n->logical != logical)
		n = n->next;
	return n;
}

static void unlink_node(struct sv_btrfs_nodes *t, struct sv_btrfs_node *n)
{
	struct sv_btrfs_node **at = bucket_of(t, n->logical);

	while (*at && *at != n)
		at = &(*at)->next;
	if (*at)
		*at = n->next;
}

/* The node that goes: not in use, and not used since the hand came by last. */
static struct sv_btrfs_node *take_oldest(struct sv_btrfs_nodes *t)
{
	for (size_t i = 0; i < 2 * t->n; i++) {
		struct sv_btrfs_node *n = t->all[t->hand];

		t->hand = (t->hand + 1) % t->n;
		if (!n->users && !n->fresh) {
			unlink_node(t, n);
			return n;
		}
		n->fresh = false;
	}
	return NULL;
}

static struct sv_btrfs_node *add_node(struct sv_btrfs *v)
{
	struct sv_btrfs_nodes *t = &v->nodes;
	struct sv_btrfs_node *n;

	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		void *grown = realloc(t->all, cap * sizeof *t->all);

		if (!grown)
			return NULL;
		t->all = grown;
		t->cap = cap;
	}
	n = malloc(sizeof *n + v->super.node);
	if (n)
		t->all[t->n++] = n;
	return n;
}

static struct sv_btrfs_node *new_node(struct sv_btrfs *v)
{
	struct sv_btrfs_node *n = NULL;

	if (v->nodes.n >= BTRFS_NODES_BYTES / v->super.node)
		n = take_oldest(&v->nodes);
	return n ? n : add_node(v);
}

/* In the list, but found by nobody. */
static void forget(struct sv_btrfs_node *n)
{
	n->users = 0;
	n->fresh = false;
	n->logical = UINT64_MAX;
	n->next = NULL;
}

void sv_btrfs_nodes_free(struct sv_btrfs_nodes *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->all[i]);
	free(t->all);
	*t = (struct sv_btrfs_nodes){0};
}

/* ---- reading ---- */

static int try_copy(struct sv_btrfs *v, const struct sv_btrfs_expected *x, unsigned copy,
	struct sv_btrfs_node *n, struct sv_err *err)
{
	struct sv_btrfs_piece place = {0};

	if (sv_btrfs_read_copy(v, x->logical, n->bytes, v->super.node, copy, err) < 0)
		return -1;
	if (check_sum(v, n->bytes, err) < 0 || check_head(v, n->bytes, x, err) < 0 ||
		sv_btrfs_parse_node(n->bytes, v->super.node, &n->level, &n->n, err) < 0) {
		sv_btrfs_where(v, x->logical, &place);
		sv_err_shift(err, place.at);
		return sv_err_path(err, sv_dev_name(v->fs.volume));
	}
	n->generation = x->generation;
	return 0;
}

static int read_node(struct sv_btrfs *v, const struct sv_btrfs_expected *x,
	struct sv_btrfs_node *n, struct sv_err *err)
{
	unsigned copies = sv_btrfs_copies_of(v, x->logical);

	if (x->logical % v->super.sector)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->fs.volume),
			"a node of a tree at the odd address %llu",
			(unsigned long long)x->logical);
	if (try_copy(v, x, 0, n, err) == 0)
		return 0;
	for (unsigned copy = 1; copy < copies; copy++) {
		if (try_copy(v, x, copy, n, NULL) == 0)
			return 0;
	}
	return -1; /* the first copy's error */
}

int sv_btrfs_node_get(struct sv_btrfs *v, const struct sv_btrfs_expected *x,
	struct sv_btrfs_node **ret, struct sv_err *err)
{
	struct sv_btrfs_node *n = find_cached(&v->nodes, x->logical), **at;

	if (!n) {
		n = new_node(v);
		if (!n)
			return sv_fail_nomem(err);
		forget(n);
		if (read_node(v, x, n, err) < 0)
			return -1;
		n->logical = x->logical;
		at = bucket_of(&v->nodes, x->logical);
		n->next = *at;
		*at = n;
	}
	if (check_again(v, n, x, err) < 0)
		return sv_err_path(err, sv_dev_name(v->fs.volume));
	n->users++;
	n->fresh = true;
	*ret = n;
	return 0;
}

void sv_btrfs_node_put(struct sv_btrfs_node *n)
{
	if (n)
		n->users--;
}
