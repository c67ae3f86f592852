/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Going along a tree in the order of its keys. Levels fall by one with each step down, so that
 * no tree is deeper than BTRFS_LEVELS; a cursor holds the nodes from the root to its leaf.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define HEAD    101u
#define ITEM    25u
#define POINTER 33u

void sv_btrfs_cursor_end(struct sv_btrfs_cursor *c)
{
	for (unsigned i = 0; i < BTRFS_LEVELS; i++) {
		sv_btrfs_node_put(c->nodes[i]);
		c->nodes[i] = NULL;
	}
}

uint64_t sv_btrfs_cursor_at(const struct sv_btrfs_cursor *c)
{
	return c->nodes[0] ? c->nodes[0]->logical + (uint64_t)(c->data - c->nodes[0]->bytes)
			   : 0;
}

/* How many of the node's keys are not behind `key`. */
static unsigned count_upto(const struct sv_btrfs_node *n, const struct sv_btrfs_key *key)
{
	unsigned low = 0, high = n->n;
	struct sv_btrfs_key at;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		sv_btrfs_node_key(n, mid, &at);
		if (sv_btrfs_key_cmp(&at, key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Takes the child at the slot of `level` into the level below. */
static int enter_child(struct sv_btrfs_cursor *c, unsigned level, struct sv_err *err)
{
	const struct sv_btrfs_node *n = c->nodes[level];
	const uint8_t *p = n->bytes + HEAD + (size_t)c->slots[level] * POINTER;
	struct sv_btrfs_key first;
	struct sv_btrfs_expected x = {sv_load_le64(p + BTRFS_KEY_SIZE),
		sv_load_le64(p + BTRFS_KEY_SIZE + 8), level - 1, &first};

	sv_btrfs_parse_key(p, &first);
	sv_btrfs_node_put(c->nodes[level - 1]);
	c->nodes[level - 1] = NULL;
	return sv_btrfs_node_get(c->v, &x, &c->nodes[level - 1], err);
}

static void take_item(struct sv_btrfs_cursor *c)
{
	const struct sv_btrfs_node *n = c->nodes[0];
	const uint8_t *item = n->bytes + HEAD + (size_t)c->slots[0] * ITEM;

	sv_btrfs_parse_key(item, &c->key);
	c->data = n->bytes + HEAD + sv_load_le32(item + 17);
	c->size = sv_load_le32(item + 21);
}

/* To the next leaf's first item. What cannot be read stays behind: the slots were moved. */
static int next_leaf(struct sv_btrfs_cursor *c, struct sv_err *err)
{
	unsigned level = 1;

	while (level <= c->top &&
		(!c->nodes[level] || c->slots[level] + 1 >= c->nodes[level]->n))
		level++;
	if (level > c->top)
		return 0;
	c->slots[level]++;
	for (; level; level--) {
		for (unsigned below = 0; below < level; below++) {
			sv_btrfs_node_put(c->nodes[below]);
			c->nodes[below] = NULL;
		}
		if (enter_child(c, level, err) < 0)
			return -1;
		c->slots[level - 1] = 0;
	}
	take_item(c); /* only a root may be empty */
	return 1;
}

int sv_btrfs_next(struct sv_btrfs_cursor *c, struct sv_err *err)
{
	if (!c->nodes[0] || c->slots[0] + 1 >= c->nodes[0]->n)
		return next_leaf(c, err);
	c->slots[0]++;
	take_item(c);
	return 1;
}

int sv_btrfs_seek_before(struct sv_btrfs *v, const struct sv_btrfs_root *root,
	const struct sv_btrfs_key *key, struct sv_btrfs_cursor *c, struct sv_err *err)
{
	struct sv_btrfs_expected x = {root->logical, root->generation, root->level, NULL};
	unsigned level = root->level;

	sv_btrfs_cursor_end(c);
	c->v = v;
	c->top = level;
	if (sv_btrfs_node_get(v, &x, &c->nodes[level], err) < 0)
		return -1;
	for (;; level--) {
		unsigned upto = count_upto(c->nodes[level], key);

		c->slots[level] = upto ? upto - 1 : 0;
		if (!level)
			break;
		if (enter_child(c, level, err) < 0)
			return -1;
	}
	if (!c->nodes[0]->n)
		return 0;
	take_item(c);
	return 1;
}

int sv_btrfs_seek(struct sv_btrfs *v, const struct sv_btrfs_root *root,
	const struct sv_btrfs_key *key, struct sv_btrfs_cursor *c, struct sv_err *err)
{
	int rc = sv_btrfs_seek_before(v, root, key, c, err);

	if (rc <= 0)
		return rc;
	return sv_btrfs_key_cmp(&c->key, key) < 0 ? sv_btrfs_next(c, err) : 1;
}

int sv_btrfs_find(struct sv_btrfs *v, const struct sv_btrfs_root *root,
	const struct sv_btrfs_key *key, struct sv_btrfs_cursor *c, struct sv_err *err)
{
	int rc = sv_btrfs_seek_before(v, root, key, c, err);

	return rc > 0 ? sv_btrfs_key_cmp(&c->key, key) == 0 : rc;
}
