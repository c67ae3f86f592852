/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hives for guests: keys by their paths, values by their names. */
#ifndef SV_TESTS_GUEST_HIVES_H
#define SV_TESTS_GUEST_HIVES_H

#include "hive/build.h"

#include "base/str.h"
#include "io/host.h"

enum { CHILDREN = 12, VALUES = 12, NODES = 120 };

struct node {
	char name[80];
	struct node *children[CHILDREN];
	uint16_t n_children;
	uint32_t values[VALUES], n_values;
	uint32_t cell;
};

struct tree {
	struct build *b;
	struct node nodes[NODES]; /* the root first */
	size_t n;
};

static inline struct tree *tree_new(void)
{
	struct tree *t = calloc(1, sizeof *t);

	assert_non_null(t);
	t->b = build_new();
	t->nodes[t->n++].cell = t->b->root;
	return t;
}

static inline struct node *child_of(struct tree *t, struct node *at, const char *name, size_t n)
{
	struct node *child;

	for (uint16_t i = 0; i < at->n_children; i++) {
		if (strlen(at->children[i]->name) == n &&
			!memcmp(at->children[i]->name, name, n))
			return at->children[i];
	}
	assert_true(t->n < NODES && at->n_children < CHILDREN && n < sizeof child->name);
	child = &t->nodes[t->n++];
	memcpy(child->name, name, n);
	at->children[at->n_children++] = child;
	return child;
}

/* The key at a path ("A\\B\\C"), made where it is not there. */
static inline struct node *key_at(struct tree *t, const char *path)
{
	struct node *at = &t->nodes[0];

	while (*path) {
		size_t n = strcspn(path, "\\");

		at = child_of(t, at, path, n);
		path += n + (path[n] != 0);
	}
	return at;
}

static inline void add_value(struct tree *t, const char *path, const char *name, uint32_t type,
	const void *data, uint32_t n)
{
	struct node *at = key_at(t, path);

	assert_true(at->n_values < VALUES);
	at->values[at->n_values++] = put_value(t->b, name, type, data, n);
}

static inline void add_text(
	struct tree *t, const char *path, const char *name, const char *text)
{
	size_t n = 0;
	sv_autofree uint8_t *units = sv_utf8_to_utf16(text, &n);
	uint8_t buf[512] = {0};

	assert_true(units && 2 * n + 2 <= sizeof buf);
	memcpy(buf, units, 2 * n);
	add_value(t, path, name, SV_REG_SZ, buf, (uint32_t)(2 * n + 2));
}

static inline void add_number(
	struct tree *t, const char *path, const char *name, uint32_t number)
{
	number = htole32(number);
	add_value(t, path, name, SV_REG_DWORD, &number, 4);
}

static inline void tree_emit(struct build *b, struct node *at)
{
	uint32_t cells[CHILDREN];

	for (uint16_t i = 0; i < at->n_children; i++) {
		at->children[i]->cell = put_key(b, at->cell, at->children[i]->name);
		cells[i] = at->children[i]->cell;
		tree_emit(b, at->children[i]);
	}
	if (at->n_children)
		set_subkeys(
			b, at->cell, put_list(b, "li", cells, at->n_children), at->n_children);
	if (at->n_values)
		set_values(b, at->cell, at->values, at->n_values);
}

/* Writes the hive to DIR/NAME and frees it. */
static inline void tree_save(struct tree *t, const char *dir, const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	char path[256];

	tree_emit(t->b, &t->nodes[0]);
	build_end(t->b);
	seal(t->b);
	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_ok(sv_host_write_file(
		sv_host_posix(), path, t->b->bytes, sizeof t->b->bytes, &err));
	free(t->b);
	free(t);
}

#endif
