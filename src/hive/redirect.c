/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hive with patches over it: a device that reads what logs hold from the logs, and the rest
 * from the hive. Nothing is copied, however much the logs hold.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <string.h>

#define SECTOR 512

struct redirect {
	struct sv_dev dev;
	struct sv_dev *hive;
	struct sv_dev *logs[SV_REGF_LOGS];
	struct sv_regf_patch *runs; /* in order, none over another */
	size_t n;
};

/* ---- from patches, the later over the earlier, to runs that do not overlap ---- */

struct sector {
	uint64_t number, log_at;
	uint32_t order;
	uint8_t log;
};

static int by_number(const void *a, const void *b)
{
	const struct sector *p = a, *q = b;

	if (p->number != q->number)
		return p->number < q->number ? -1 : 1;
	return (p->order > q->order) - (p->order < q->order);
}

static size_t count_sectors(const struct sv_regf_patches *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].n / SECTOR;
	return n;
}

static void split(const struct sv_regf_patches *p, struct sector *out)
{
	for (size_t i = 0; i < p->n; i++) {
		for (uint32_t off = 0; off < p->v[i].n; off += SECTOR)
			*out++ = (struct sector){(p->v[i].at + off) / SECTOR,
				p->v[i].log_at + off, (uint32_t)i, p->v[i].log};
	}
}

static bool goes_on(const struct sv_regf_patch *run, const struct sector *s)
{
	return run->log == s->log && run->at + run->n == s->number * SECTOR &&
	       run->log_at + run->n == s->log_at;
}

/* The last of each number's sectors wins; neighbours become one run. */
static size_t join(const struct sector *sectors, size_t n, struct sv_regf_patch *runs)
{
	size_t n_runs = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sector *s = &sectors[i];

		if (i + 1 < n && s[1].number == s->number)
			continue;
		if (n_runs && goes_on(&runs[n_runs - 1], s))
			runs[n_runs - 1].n += SECTOR;
		else
			runs[n_runs++] = (struct sv_regf_patch){
				s->number * SECTOR, s->log_at, SECTOR, s->log};
	}
	return n_runs;
}

static int make_runs(
	struct redirect *r, const struct sv_regf_patches *patches, struct sv_err *err)
{
	size_t n = count_sectors(patches);
	sv_autofree struct sector *sectors = NULL;
	void *shorter;

	if (n > SV_REGF_PATCHES_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the logs hold %zu sectors, at most %u are applied", n,
			SV_REGF_PATCHES_MAX);
	sectors = calloc(n + 1, sizeof *sectors);
	r->runs = calloc(n + 1, sizeof *r->runs);
	if (!sectors || !r->runs)
		return sv_fail_nomem(err);
	split(patches, sectors);
	qsort(sectors, n, sizeof *sectors, by_number);
	r->n = join(sectors, n, r->runs);
	shorter = realloc(r->runs, (r->n + 1) * sizeof *r->runs);
	r->runs = shorter ? shorter : r->runs;
	return 0;
}

/* ---- reading ---- */

/* The first run that ends behind off; r->n where there is none. */
static size_t run_at(const struct redirect *r, uint64_t off)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (r->runs[mid].at + r->runs[mid].n <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* From the hive's own file, which ends where the logs may have made it longer. */
static int read_hive(
	struct redirect *r, uint8_t *out, size_t n, uint64_t off, struct sv_err *err)
{
	uint64_t size = sv_dev_size(r->hive);
	size_t there = off < size ? (size_t)SV_MIN(n, size - off) : 0;

	memset(out + there, 0, n - there);
	return there ? sv_dev_read(r->hive, out, there, off, err) : 0;
}

static int redirect_pread(
	struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct redirect *r = (struct redirect *)d;
	uint8_t *out = buf;

	while (n) {
		size_t i = run_at(r, off), part = n;
		const struct sv_regf_patch *run = i < r->n ? &r->runs[i] : NULL;
		int rc;

		if (run && run->at <= off) {
			part = (size_t)SV_MIN(n, run->at + run->n - off);
			rc = sv_dev_read(r->logs[run->log], out, part,
				run->log_at + (off - run->at), err);
		} else {
			if (run)
				part = (size_t)SV_MIN(n, run->at - off);
			rc = read_hive(r, out, part, off, err);
		}
		if (rc < 0)
			return -1;
		out += part;
		off += part;
		n -= part;
	}
	return 0;
}

static void redirect_close(struct sv_dev *d)
{
	struct redirect *r = (struct redirect *)d;

	sv_dev_close(r->hive);
	for (size_t i = 0; i < SV_REGF_LOGS; i++)
		sv_dev_close(r->logs[i]);
	free(r->runs);
	free(r);
}

static const struct sv_dev_ops redirect_ops = {
	.kind = "hive with its logs",
	.pread = redirect_pread,
	.close = redirect_close,
};

struct sv_dev *sv_regf_redirect(struct sv_dev *hive, uint64_t size,
	struct sv_dev *const logs[SV_REGF_LOGS], const struct sv_regf_patches *patches,
	struct sv_err *err)
{
	struct redirect *r = calloc(1, sizeof *r);

	if (!r) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&r->dev, &redirect_ops, sv_dev_name(hive), size, false, err) < 0) {
		free(r);
		return NULL;
	}
	r->hive = sv_dev_ref(hive);
	for (size_t i = 0; i < SV_REGF_LOGS; i++)
		r->logs[i] = sv_dev_ref(logs[i]);
	if (make_runs(r, patches, err) < 0) {
		sv_dev_close(&r->dev);
		return NULL;
	}
	return &r->dev;
}
