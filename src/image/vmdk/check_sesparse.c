/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checks a seSparse extent: every entry of the directory and of the tables by itself, tables
 * that have two names, and (window after window of the file) grains that two entries point to.
 * Which grains nobody points to is not told: how the free bitmap is kept is not known.
 */
#include "image/vmdk/check.h"

#include "base/endian.h"

#include <string.h>

#define BITMAP     (UINT64_C(4) << 20) /* bytes: 128 GiB of grains in one window */
#define ERRORS_MAX 10000               /* of one extent: beyond it the check ends */

struct check {
	struct sv_vmdk_sesparse *s;
	const char *path;
	struct sv_image_faults *faults;
	struct sv_job *job;
	uint64_t errors_before;
	uint64_t n_grains;           /* of the guest's disk */
	uint64_t stored, stored_max; /* grains that the file has room for; the highest used */
	uint64_t window;             /* the first grain of the file in it */
	bool first;                  /* the first window: entries by themselves */
	uint8_t *map;
};

static bool too_many(const struct check *c)
{
	return c->faults->errors - c->errors_before >= ERRORS_MAX;
}

/* True when the bit was set before. */
static bool test_and_set(uint8_t *map, uint64_t i)
{
	uint8_t bit = (uint8_t)(1U << (i % 8));
	bool was = map[i / 8] & bit;

	map[i / 8] |= bit;
	return was;
}

static void check_entry(struct check *c, uint64_t grain, uint64_t raw, uint64_t at)
{
	struct sv_vmdk_se_entry e;

	if (!sv_vmdk_se_decode(raw, &e) ||
		(e.kind == SV_RUN_DATA && sv_vmdk_se_place(c->s, e.grain) == UINT64_MAX)) {
		if (c->first)
			sv_vmdk_fault(c->faults, c->path, at,
				"the entry of grain %llu is %#llx: no grain of the file's %llu "
				"bytes",
				(unsigned long long)grain, (unsigned long long)raw,
				(unsigned long long)sv_dev_size(c->s->file));
		return;
	}
	if (e.kind != SV_RUN_DATA)
		return;
	if (grain >= c->n_grains && c->first)
		sv_vmdk_fault(c->faults, c->path, at,
			"a table entry beyond the capacity is %#llx, not 0",
			(unsigned long long)raw);
	c->stored_max = SV_MAX(c->stored_max, e.grain + 1);
	if (e.grain < c->window || e.grain - c->window >= BITMAP * 8)
		return;
	if (test_and_set(c->map, e.grain - c->window))
		sv_vmdk_fault(c->faults, c->path, at,
			"grain %llu is where another one is: grain %llu of the file",
			(unsigned long long)grain, (unsigned long long)e.grain);
}

static int check_table(struct check *c, uint64_t grain, uint64_t table, struct sv_err *err)
{
	uint64_t raw[SV_VMDK_SE_PIECE];

	for (uint64_t k = 0; k < SV_VMDK_SE_GTES; k += SV_VMDK_SE_PIECE) {
		if (sv_vmdk_se_entries(c->s, table, grain + k, SV_VMDK_SE_PIECE, raw, err) < 0)
			return -1;
		for (unsigned i = 0; i < SV_VMDK_SE_PIECE; i++)
			check_entry(c, grain + k + i, raw[i], table + (k + i) * 8);
	}
	return 0;
}

/* The table of a directory entry; 0 where there is none, or none that can be read. */
static int find_table(
	struct check *c, uint64_t grain, uint8_t *tables, uint64_t *ret, struct sv_err *err)
{
	const struct sv_vmdk_se_header *h = &c->s->h;
	struct sv_err own = SV_ERR_INIT;
	uint64_t number;

	*ret = 0;
	if (sv_vmdk_se_table(c->s, grain, ret, &own) < 0) {
		if (own.code != SV_CORRUPT) {
			sv_err_copy(err, &own);
			return -1;
		}
		if (c->first)
			sv_vmdk_fault(c->faults, c->path, own.offset, "%s", own.message);
		return 0;
	}
	if (!*ret || !c->first)
		return 0;
	number = (*ret - h->tables_at * SV_SECTOR) / (SV_VMDK_SE_GTES * 8);
	if (test_and_set(tables, number))
		sv_vmdk_fault(c->faults, c->path,
			h->gd_at * SV_SECTOR + grain / SV_VMDK_SE_GTES * 8,
			"two directory entries name grain table %llu",
			(unsigned long long)number);
	return 0;
}

static int check_window(struct check *c, uint8_t *tables, struct sv_err *err)
{
	uint64_t table;

	memset(c->map, 0, (size_t)SV_MIN(BITMAP, c->stored / 8 + 1));
	for (uint64_t g = 0; g < c->n_grains && !too_many(c); g += SV_VMDK_SE_GTES) {
		if (sv_job_check(c->job, err) < 0 || find_table(c, g, tables, &table, err) < 0)
			return -1;
		if (table && check_table(c, g, table, err) < 0)
			return -1;
		sv_job_progress(c->job, "checking tables", SV_MIN(g, c->n_grains), c->n_grains);
	}
	return 0;
}

int sv_vmdk_check_sesparse(struct sv_vmdk_sesparse *s, const char *path,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	uint64_t size = sv_dev_size(s->file);
	struct check c = {
		.s = s,
		.path = path,
		.faults = faults,
		.job = job,
		.errors_before = faults->errors,
		.n_grains = sv_div_up(s->h.capacity * SV_SECTOR, SV_VMDK_SE_GRAIN),
		.stored = size / SV_VMDK_SE_GRAIN,
		.first = true,
	};
	/* tables that the file has room for */
	sv_autofree uint8_t *tables = calloc(1, (size_t)(size / (SV_VMDK_SE_GTES * 8) / 8 + 1));
	sv_autofree uint8_t *map = malloc((size_t)SV_MIN(BITMAP, c.stored / 8 + 1));

	if (!tables || !map)
		return sv_fail_nomem(err);
	c.map = map;
	do {
		if (check_window(&c, tables, err) < 0)
			return -1;
		c.first = false;
		c.window += BITMAP * 8;
	} while (c.window < c.stored_max && !too_many(&c));
	if (too_many(&c))
		sv_vmdk_fault(
			faults, path, 0, "more than %d errors: the check ended", ERRORS_MAX);
	return 0;
}
