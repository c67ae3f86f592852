/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A radix tree of 64-way nodes whose height is fixed: page numbers have 50 bits (2^62 bytes of
 * device), so nine levels of six bits. A node that becomes empty is kept until the end: maps
 * here live for one operation.
 */
#include "io/pagemap.h"

#include <stdlib.h>

#define LEVELS 9
#define BITS   6
#define WAYS   (1U << BITS)

struct node {
	void *slot[WAYS]; /* nodes, and pages at level 0 */
};

struct sv_pagemap {
	struct node root;
	uint64_t count;
	uint64_t cap; /* in pages */
};

struct sv_pagemap *sv_pagemap_new(uint64_t cap, struct sv_err *err)
{
	struct sv_pagemap *m = calloc(1, sizeof *m);

	if (!m) {
		sv_fail_nomem(err);
		return NULL;
	}
	m->cap = cap / SV_PAGE;
	return m;
}

static void free_level(struct node *n, unsigned level)
{
	for (unsigned i = 0; i < WAYS; i++) {
		if (level && n->slot[i])
			free_level(n->slot[i], level - 1);
		free(n->slot[i]);
	}
}

void sv_pagemap_free(struct sv_pagemap *m)
{
	if (!m)
		return;
	free_level(&m->root, LEVELS - 1);
	free(m);
}

static unsigned index_at(uint64_t page, unsigned level)
{
	return (unsigned)(page >> (level * BITS)) & (WAYS - 1);
}

/* The level-0 slot of a page; NULL where a node on the way is missing and `make` is not set,
 * or cannot be made. */
static void **find_slot(struct sv_pagemap *m, uint64_t page, bool make)
{
	struct node *n = &m->root;

	for (unsigned level = LEVELS - 1; level; level--) {
		void **slot = &n->slot[index_at(page, level)];

		if (!*slot && make)
			*slot = calloc(1, sizeof(struct node));
		if (!*slot)
			return NULL;
		n = *slot;
	}
	return &n->slot[index_at(page, 0)];
}

uint8_t *sv_pagemap_get(const struct sv_pagemap *m, uint64_t page)
{
	/* find_slot changes nothing when it may not make nodes */
	void **slot = find_slot((struct sv_pagemap *)m, page, false);

	return slot ? *slot : NULL;
}

uint8_t *sv_pagemap_make(struct sv_pagemap *m, uint64_t page, bool *ret_new, struct sv_err *err)
{
	void **slot = find_slot(m, page, true);

	*ret_new = false;
	if (!slot) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (*slot)
		return *slot;
	if (m->count >= m->cap) {
		sv_fail(err, SV_NOMEM, NULL,
			"more than %llu MiB would have to be kept in memory",
			(unsigned long long)(m->cap * SV_PAGE >> 20));
		return NULL;
	}
	*slot = calloc(1, SV_PAGE);
	if (!*slot) {
		sv_fail_nomem(err);
		return NULL;
	}
	m->count++;
	*ret_new = true;
	return *slot;
}

void sv_pagemap_drop(struct sv_pagemap *m, uint64_t page)
{
	void **slot = find_slot(m, page, false);

	if (!slot || !*slot)
		return;
	free(*slot);
	*slot = NULL;
	m->count--;
}

static bool next_in(
	const struct node *n, unsigned level, uint64_t base, uint64_t from, uint64_t *ret_page)
{
	unsigned first = from > base ? index_at(from, level) : 0;

	for (unsigned i = first; i < WAYS; i++) {
		uint64_t here = base + ((uint64_t)i << (level * BITS));

		if (!n->slot[i])
			continue;
		if (!level) {
			*ret_page = here;
			return true;
		}
		if (next_in(n->slot[i], level - 1, here, from, ret_page))
			return true;
	}
	return false;
}

bool sv_pagemap_next(const struct sv_pagemap *m, uint64_t from, uint64_t *ret_page)
{
	if (from >> (LEVELS * BITS))
		return false;
	return next_in(&m->root, LEVELS - 1, 0, from, ret_page);
}

uint64_t sv_pagemap_count(const struct sv_pagemap *m)
{
	return m->count;
}
