/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pages of a hive that were read last. A hive may have hundreds of MiB, of which a question
 * needs some dozens of pages; so it is read page by page, and at most 4 MiB are held. Whoever
 * walks all of it reads further and further ahead, because cells lie roughly in the order of
 * the keys.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <string.h>

enum {
	PAGE = 4096, /* the unit of hive bins */
	SETS = 256,
	WAYS = 4,       /* places that a page may take; the least recently used one goes */
	PATIENCE = 256, /* misses before another page is read ahead with each one */
	PAGES_AT_ONCE = 16,
	TIMES = 64, /* that all of a hive can be asked for */
};

struct page {
	uint64_t number; /* UINT64_MAX: empty */
	uint64_t used;   /* tick of the last use */
	uint8_t *bytes;  /* allocated when it is first needed */
};

struct sv_regf_pages {
	struct sv_dev *dev;
	uint64_t tick, misses;
	uint64_t left; /* see sv_regf_spend() */
	struct page sets[SETS][WAYS];
	uint8_t ahead[PAGES_AT_ONCE * PAGE];
};

struct sv_regf_pages *sv_regf_pages_new(struct sv_dev *dev, struct sv_err *err)
{
	struct sv_regf_pages *c = calloc(1, sizeof *c);

	if (!c) {
		sv_fail_nomem(err);
		return NULL;
	}
	for (size_t s = 0; s < SETS; s++) {
		for (size_t w = 0; w < WAYS; w++)
			c->sets[s][w].number = UINT64_MAX;
	}
	c->dev = sv_dev_ref(dev);
	c->left = SV_MIN(SV_MIB + TIMES * sv_dev_size(dev), 4 * SV_GIB);
	return c;
}

void sv_regf_pages_free(struct sv_regf_pages *c)
{
	if (!c)
		return;
	for (size_t s = 0; s < SETS; s++) {
		for (size_t w = 0; w < WAYS; w++)
			free(c->sets[s][w].bytes);
	}
	sv_dev_close(c->dev);
	free(c);
}

static struct page *held(struct sv_regf_pages *c, uint64_t number)
{
	struct page *set = c->sets[number % SETS];

	for (size_t w = 0; w < WAYS; w++) {
		if (set[w].number == number)
			return &set[w];
	}
	return NULL;
}

/* A place for the page; what it held is forgotten. NULL: out of memory. */
static struct page *place_for(struct sv_regf_pages *c, uint64_t number)
{
	struct page *set = c->sets[number % SETS], *oldest = &set[0];

	for (size_t w = 1; w < WAYS; w++) {
		if (set[w].used < oldest->used)
			oldest = &set[w];
	}
	oldest->number = UINT64_MAX;
	if (!oldest->bytes)
		oldest->bytes = malloc(PAGE);
	return oldest->bytes ? oldest : NULL;
}

static int keep(struct sv_regf_pages *c, uint64_t number, const uint8_t *bytes, size_t n,
	struct sv_err *err)
{
	struct page *p = held(c, number);

	if (p)
		return 0;
	p = place_for(c, number);
	if (!p)
		return sv_fail_nomem(err);
	memcpy(p->bytes, bytes, n);
	p->number = number;
	p->used = ++c->tick;
	return 0;
}

/* Reads the page, and some behind it once many were asked for. */
static int fetch(struct sv_regf_pages *c, uint64_t number, struct sv_err *err)
{
	uint64_t start = number * PAGE, left = sv_dev_size(c->dev) - start;
	size_t pages = (size_t)SV_MIN(1 + c->misses++ / PATIENCE, (uint64_t)PAGES_AT_ONCE);
	size_t n = (size_t)SV_MIN(pages * PAGE, left);

	if (sv_dev_read(c->dev, c->ahead, n, start, err) < 0)
		return -1;
	for (size_t off = (n - 1) / PAGE * PAGE;; off -= PAGE) { /* the wanted one is newest */
		if (keep(c, number + off / PAGE, c->ahead + off, SV_MIN((size_t)PAGE, n - off),
			    err) < 0)
			return -1;
		if (!off)
			return 0;
	}
}

int sv_regf_spend(const struct sv_hive *h, uint64_t cost, uint64_t at, struct sv_err *err)
{
	struct sv_regf_pages *c = h->pages;

	if (cost > c->left)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"what was read is far more than the hive has: it goes in circles");
	c->left -= cost;
	return 0;
}

int sv_regf_read(const struct sv_hive *h, uint64_t at, void *buf, size_t n, struct sv_err *err)
{
	struct sv_regf_pages *c = h->pages;
	uint8_t *out = buf;

	if (!sv_in_range(at, n, sv_dev_size(c->dev)))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"%zu bytes are expected here, the hive's file ends at 0x%llx", n,
			(unsigned long long)sv_dev_size(c->dev));
	while (n) {
		uint64_t number = at / PAGE;
		size_t within = (size_t)(at % PAGE), run = SV_MIN(n, PAGE - within);
		struct page *p = held(c, number);

		if (!p && fetch(c, number, err) < 0)
			return -1;
		p = p ? p : held(c, number);
		p->used = ++c->tick;
		memcpy(out, p->bytes + within, run);
		out += run;
		at += run;
		n -= run;
	}
	return 0;
}
