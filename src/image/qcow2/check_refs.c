/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The second half of a check: how often each cluster of the window is used, against its
 * refcount. A word for each cluster has the count, and marks of how it is used.
 */
#include "image/qcow2/check.h"

#include "base/endian.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TABLE      (UINT32_C(1) << 31) /* used as a table */
#define DATA       (UINT32_C(1) << 30) /* used for guest data, or bitmaps */
#define COPIED     (UINT32_C(1) << 29) /* an active entry says that it is not shared */
#define NOT_COPIED (UINT32_C(1) << 28) /* an active entry says that it is */
#define COUNT      (NOT_COPIED - 1)

void sv_qcow2_fault(struct sv_qcow2_check *c, uint64_t offset, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->faults->errors++;
	if (c->faults->report)
		c->faults->report(c->faults->user, false, c->path, offset, text);
}

bool sv_qcow2_too_many(const struct sv_qcow2_check *c)
{
	return c->faults->errors - c->errors_before >= SV_QCOW2_ERRORS_MAX;
}

/* ---- counting ---- */

static void count_cluster(
	struct sv_qcow2_check *c, uint64_t cluster, enum sv_qcow2_use use, uint32_t times)
{
	uint32_t *word = &c->counts[cluster - c->first], n = *word & COUNT;
	uint64_t at = cluster * c->q->cluster;

	if (use == SV_QCOW2_USE_TABLE && *word & (TABLE | DATA))
		sv_qcow2_fault(c, at, "a table lies over %s",
			*word & TABLE ? "another table" : "guest data");
	if (use == SV_QCOW2_USE_DATA && *word & TABLE)
		sv_qcow2_fault(c, at, "guest data lie over a table");
	n = COUNT - n < times ? COUNT : n + times;
	*word = (*word & ~COUNT) | n | (use == SV_QCOW2_USE_TABLE ? TABLE : DATA);
}

void sv_qcow2_count(struct sv_qcow2_check *c, uint64_t at, uint64_t len, enum sv_qcow2_use use,
	uint32_t times)
{
	uint64_t from = SV_MAX(at / c->q->cluster, c->first);
	uint64_t to = SV_MIN(sv_div_up(at + len, c->q->cluster), c->end);

	for (; from < to; from++)
		count_cluster(c, from, use, times);
}

void sv_qcow2_count_flag(struct sv_qcow2_check *c, uint64_t at, bool copied)
{
	uint64_t cluster = at / c->q->cluster;

	if (cluster >= c->first && cluster < c->end)
		c->counts[cluster - c->first] |= copied ? COPIED : NOT_COPIED;
}

/* ---- comparing ---- */

/* Clusters that nothing uses, although they have refcounts: told when the run ends. */
struct leak {
	uint64_t first, n;
};

static void tell_leak(struct sv_qcow2_check *c, struct leak *l)
{
	char text[128];

	if (!l->n)
		return;
	snprintf(text, sizeof text, "nothing points to %llu bytes, or fewer than they count",
		(unsigned long long)(l->n * c->q->cluster));
	c->faults->leaks += l->n;
	if (c->faults->report)
		c->faults->report(
			c->faults->user, true, c->path, l->first * c->q->cluster, text);
	l->n = 0;
}

static void compare(
	struct sv_qcow2_check *c, uint64_t cluster, uint64_t refcount, struct leak *leak)
{
	uint32_t word = c->counts[cluster - c->first], used = word & COUNT;
	uint64_t at = cluster * c->q->cluster;

	if (refcount > used && leak->n && leak->first + leak->n != cluster)
		tell_leak(c, leak);
	if (refcount > used) {
		leak->first = leak->n ? leak->first : cluster;
		leak->n++;
	}
	if (refcount < used)
		sv_qcow2_fault(c, at,
			"the refcount of cluster %llu is %llu, it is used %u times",
			(unsigned long long)cluster, (unsigned long long)refcount, used);
	if ((word & COPIED && refcount != 1) || (word & NOT_COPIED && refcount == 1))
		sv_qcow2_fault(c, at, "the entry for cluster %llu %s, its refcount is %llu",
			(unsigned long long)cluster,
			word & COPIED ? "has the flag \"copied\"" : "lacks the flag \"copied\"",
			(unsigned long long)refcount);
}

/* The part of the window that one block describes; `block` is NULL where it does not exist. */
static void compare_block(struct sv_qcow2_check *c, const uint8_t *block, uint64_t first,
	uint64_t end, struct leak *leak)
{
	uint64_t per_block = sv_qcow2_block_entries(c->q);

	for (uint64_t i = first; i < end && !sv_qcow2_too_many(c); i++) {
		uint64_t n = block ? sv_qcow2_count_load(
					     block, i % per_block, c->q->h.refcount_order)
				   : 0;

		compare(c, i, n, leak);
	}
}

/* Bad entries of the table were told of before: such blocks count nothing. */
static int read_block(struct sv_qcow2_check *c, uint64_t i, uint8_t *block, bool *ret_exists,
	struct sv_err *err)
{
	const struct sv_qcow2_refs *r = &c->q->refs;
	uint64_t at = i < r->n ? r->table[i] : 0;

	*ret_exists =
		at && at % c->q->cluster == 0 && sv_in_range(at, c->q->cluster, c->file_size);
	if (!*ret_exists)
		return 0;
	return sv_dev_read(c->q->file, block, (size_t)c->q->cluster, at, err);
}

int sv_qcow2_compare_window(struct sv_qcow2_check *c, struct sv_err *err)
{
	uint64_t per_block = sv_qcow2_block_entries(c->q), next;
	sv_autofree uint8_t *block = malloc((size_t)c->q->cluster);
	struct leak leak = {0};
	bool exists;

	if (!block)
		return sv_fail_nomem(err);
	for (uint64_t i = c->first; i < c->end && !sv_qcow2_too_many(c); i = next) {
		next = SV_MIN(c->end, (i / per_block + 1) * per_block);
		if (sv_job_check(c->job, err) < 0 ||
			read_block(c, i / per_block, block, &exists, err) < 0)
			return -1;
		compare_block(c, exists ? block : NULL, i, next, &leak);
	}
	tell_leak(c, &leak);
	return 0;
}
