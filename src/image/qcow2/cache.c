/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Metadata pages: see qcow2_cache.h. A hash table, and a list in order of use. */
#include "image/qcow2/cache.h"

#include "base/num.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS     4096
#define WRITE_BYTES (256U << 10) /* neighbouring pages are written together, up to this */

struct page {
	uint64_t off;
	enum sv_qcow2_class class;
	struct page *chain;         /* in its bucket */
	struct page *newer, *older; /* in the list of use; only clean pages are in it */
	uint8_t bytes[];
};

struct sv_qcow2_cache {
	pthread_mutex_t lock;
	struct sv_dev *file; /* own reference */
	uint32_t page;
	size_t n_clean, max_clean, n_dirty[3];
	struct page *newest, *oldest;
	struct page *buckets[BUCKETS];
};

struct sv_qcow2_cache *sv_qcow2_cache_new(
	struct sv_dev *file, uint32_t page, struct sv_err *err)
{
	struct sv_qcow2_cache *c = calloc(1, sizeof *c);

	if (!c) {
		sv_fail_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	c->file = sv_dev_ref(file);
	c->page = page;
	c->max_clean = SV_QCOW2_CACHE_BYTES / page;
	return c;
}

void sv_qcow2_cache_free(struct sv_qcow2_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct page *p = c->buckets[i], *next;

		for (; p; p = next) {
			next = p->chain;
			free(p);
		}
	}
	pthread_mutex_destroy(&c->lock);
	sv_dev_close(c->file);
	free(c);
}

/* ---- table and list; the lock is held ---- */

static struct page **bucket_of(struct sv_qcow2_cache *c, uint64_t off)
{
	return &c->buckets[off / c->page % BUCKETS];
}

static struct page *find(struct sv_qcow2_cache *c, uint64_t off)
{
	struct page *p = *bucket_of(c, off);

	while (p && p->off != off)
		p = p->chain;
	return p;
}

static void list_remove(struct sv_qcow2_cache *c, struct page *p)
{
	*(p->newer ? &p->newer->older : &c->newest) = p->older;
	*(p->older ? &p->older->newer : &c->oldest) = p->newer;
	c->n_clean--;
}

static void list_add(struct sv_qcow2_cache *c, struct page *p)
{
	p->newer = NULL;
	p->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = p;
	c->newest = p;
	c->n_clean++;
}

/* Takes the page out of the table; the caller frees it. */
static void forget(struct sv_qcow2_cache *c, struct page *p)
{
	struct page **at = bucket_of(c, p->off);

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	if (p->class == SV_QCOW2_CLEAN)
		list_remove(c, p);
	else
		c->n_dirty[p->class]--;
}

/* A page of its own, or the one that was not used for longest. */
static struct page *new_page(struct sv_qcow2_cache *c, struct sv_err *err)
{
	struct page *p = c->oldest;

	if (c->n_clean >= c->max_clean) {
		forget(c, p);
		return p;
	}
	p = malloc(sizeof *p + c->page);
	if (!p)
		sv_fail_nomem(err);
	return p;
}

/* The page at off, which is its beginning; read from the file where it is not held. */
static struct page *load(struct sv_qcow2_cache *c, uint64_t off, struct sv_err *err)
{
	struct page *p = find(c, off);

	if (p && p->class == SV_QCOW2_CLEAN) {
		list_remove(c, p);
		list_add(c, p);
	}
	if (p)
		return p;
	p = new_page(c, err);
	if (!p)
		return NULL;
	if (sv_dev_read(c->file, p->bytes, c->page, off, err) < 0) {
		free(p);
		return NULL;
	}
	p->off = off;
	p->class = SV_QCOW2_CLEAN;
	p->chain = *bucket_of(c, off);
	*bucket_of(c, off) = p;
	list_add(c, p);
	return p;
}

/* ---- */

int sv_qcow2_cache_get(
	struct sv_qcow2_cache *c, uint64_t off, void *ret, size_t n, struct sv_err *err)
{
	struct page *p;

	pthread_mutex_lock(&c->lock);
	p = load(c, sv_align_down(off, c->page), err);
	if (p)
		memcpy(ret, p->bytes + off % c->page, n);
	pthread_mutex_unlock(&c->lock);
	return p ? 0 : -1;
}

int sv_qcow2_cache_put(struct sv_qcow2_cache *c, enum sv_qcow2_class class, uint64_t off,
	const void *bytes, size_t n, struct sv_err *err)
{
	struct page *p;

	pthread_mutex_lock(&c->lock);
	p = load(c, sv_align_down(off, c->page), err);
	if (p) {
		memcpy(p->bytes + off % c->page, bytes, n);
		if (p->class == SV_QCOW2_CLEAN) {
			list_remove(c, p);
			c->n_dirty[class]++;
			p->class = class;
		}
	}
	pthread_mutex_unlock(&c->lock);
	return p ? 0 : -1;
}

/* ---- writing ---- */

static int compare_pages(const void *a, const void *b)
{
	const struct page *x = *(struct page *const *)a, *y = *(struct page *const *)b;

	return (x->off > y->off) - (x->off < y->off);
}

/* The changed pages of the class, sorted. Caller frees. */
static struct page **collect(
	struct sv_qcow2_cache *c, enum sv_qcow2_class class, size_t *ret_n, struct sv_err *err)
{
	struct page **all = malloc((c->n_dirty[class] + 1) * sizeof(struct page *));
	size_t n = 0;

	if (!all) {
		sv_fail_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct page *p = c->buckets[i]; p; p = p->chain) {
			if (p->class == class)
				all[n++] = p;
		}
	}
	if (n)
		qsort(all, n, sizeof(struct page *), compare_pages);
	*ret_n = n;
	return all;
}

/* The first pages of the list, as many as lie behind each other, in one write. */
static int write_some(struct sv_qcow2_cache *c, struct page **pages, size_t n, uint8_t *buf,
	size_t *ret_n, struct sv_err *err)
{
	size_t i = 0;

	do {
		memcpy(buf + i * c->page, pages[i]->bytes, c->page);
		i++;
	} while (i < n && (i + 1) * c->page <= WRITE_BYTES &&
		 pages[i]->off == pages[0]->off + i * c->page);
	*ret_n = i;
	return sv_dev_write(c->file, buf, i * c->page, pages[0]->off, err);
}

/* It can go now, and does where there are clean pages enough. */
static void set_clean(struct sv_qcow2_cache *c, struct page *p)
{
	c->n_dirty[p->class]--;
	p->class = SV_QCOW2_CLEAN;
	list_add(c, p);
	if (c->n_clean <= c->max_clean)
		return;
	p = c->oldest;
	forget(c, p);
	free(p);
}

static int write_all(
	struct sv_qcow2_cache *c, struct page **pages, size_t n, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(WRITE_BYTES);
	size_t run;

	if (!buf)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < n; i += run) {
		if (write_some(c, pages + i, n - i, buf, &run, err) < 0)
			return -1;
		for (size_t k = 0; k < run; k++)
			set_clean(c, pages[i + k]);
	}
	return 0;
}

int sv_qcow2_cache_write(
	struct sv_qcow2_cache *c, enum sv_qcow2_class class, struct sv_err *err)
{
	sv_autofree struct page **pages = NULL;
	size_t n;
	int rc = -1;

	if (!sv_qcow2_cache_dirty(c, class))
		return 0;
	pthread_mutex_lock(&c->lock);
	pages = collect(c, class, &n, err);
	if (pages)
		rc = write_all(c, pages, n, err);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void sv_qcow2_cache_drop(struct sv_qcow2_cache *c, uint64_t off, uint64_t len)
{
	pthread_mutex_lock(&c->lock);
	for (uint64_t at = off; at < off + len; at += c->page) {
		struct page *p = find(c, at);

		if (!p)
			continue;
		forget(c, p);
		free(p);
	}
	pthread_mutex_unlock(&c->lock);
}

bool sv_qcow2_cache_dirty(const struct sv_qcow2_cache *c, enum sv_qcow2_class class)
{
	return c->n_dirty[class] > 0;
}

uint64_t sv_qcow2_cache_dirty_bytes(const struct sv_qcow2_cache *c)
{
	return (uint64_t)(c->n_dirty[SV_QCOW2_L2] + c->n_dirty[SV_QCOW2_REFCOUNTS]) * c->page;
}
