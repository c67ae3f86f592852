/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking a VHDX: both headers, the log, both region tables, the metadata, and every entry of
 * the block table: a known state, within the file, on no other block and on no structure. The
 * file is counted in units of 1 MiB; those that nothing points to are leaks.
 */
#include "image/vhdx/vhdx.h"

#include <stdio.h>
#include <string.h>

struct look {
	const char *path;
	struct sv_vhdx *v;
	struct sv_image_faults *faults;
	uint8_t *taken; /* a bit per unit of the file */
	uint64_t units;
};

__attribute__((format(printf, 4, 5))) static void report(
	const struct look *k, bool leak, uint64_t at, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (leak)
		k->faults->leaks++;
	else
		k->faults->errors++;
	if (!k->faults->report)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	k->faults->report(k->faults->user, leak, k->path, at, text);
}

/* ---- headers, tables, metadata ---- */

static void check_headers(const struct look *k, struct sv_job *job)
{
	const struct sv_vhdx *v = k->v;

	for (unsigned i = 0; i < 2; i++) {
		if (v->header_bad[i])
			report(k, false, SV_VHDX_HEADER_AT(i), "header %u is broken", i + 1);
		if (v->table_bad[i])
			report(k, false, SV_VHDX_TABLE_AT(i), "region table %u is broken",
				i + 1);
	}
	if (v->log_lost)
		report(k, false, v->header.log_at,
			"the header names a log, but it has no whole entry");
	if (v->n_replayed)
		sv_job_note(job,
			"the log has %u entries to be written to their places: that happens "
			"when the disk is next opened for writing",
			v->n_replayed);
}

static int check_tables_equal(const struct look *k, struct sv_err *err)
{
	struct sv_vhdx *v = k->v;
	uint8_t a[SV_VHDX_PAGE], b[SV_VHDX_PAGE];

	if (v->table_bad[0] || v->table_bad[1])
		return 0;
	for (uint64_t at = 0; at < SV_VHDX_TABLE_SIZE; at += sizeof a) {
		if (sv_dev_read(v->file, a, sizeof a, SV_VHDX_TABLE_AT(0) + at, err) < 0 ||
			sv_dev_read(v->file, b, sizeof b, SV_VHDX_TABLE_AT(1) + at, err) < 0)
			return -1;
		if (!memcmp(a, b, sizeof a))
			continue;
		report(k, false, SV_VHDX_TABLE_AT(1) + at, "the two region tables differ");
		return 0;
	}
	return 0;
}

static void check_items(const struct look *k)
{
	const struct sv_vhdx *v = k->v;
	uint64_t at = sv_vhdx_metadata(v)->at;

	if (!v->items.known[SV_VHDX_ITEM_DISK_ID].length)
		report(k, false, at, "the metadata lack the virtual disk id");
	if (!v->items.known[SV_VHDX_ITEM_PHYSICAL_SECTOR].length)
		report(k, false, at, "the metadata lack the physical sector size");
}

/* ---- the file's units ---- */

/* Takes units that nothing has yet; false where one of them is taken, or beyond the end. */
static bool take(struct look *k, uint64_t at, uint64_t length)
{
	uint64_t first = at / SV_VHDX_UNIT, n = length / SV_VHDX_UNIT;
	bool free = sv_in_range(first, n, k->units);

	for (uint64_t i = first; free && i < first + n; i++)
		free = !(k->taken[i / 8] >> (i % 8) & 1);
	for (uint64_t i = first; free && i < first + n; i++)
		k->taken[i / 8] |= (uint8_t)(1 << (i % 8));
	return free;
}

static void take_structures(struct look *k)
{
	const struct sv_vhdx *v = k->v;

	take(k, 0, SV_VHDX_UNIT);
	if (!take(k, v->header.log_at, v->header.log_size))
		report(k, false, v->header.log_at, "the log ends beyond the end of the file");
	for (size_t i = 0; i < v->regions.n; i++) {
		const struct sv_vhdx_region *r = &v->regions.all[i];

		if (!take(k, r->at, r->length))
			report(k, false, r->at,
				"a region of %llu bytes ends beyond the end of the file",
				(unsigned long long)r->length);
	}
}

static void report_leaks(const struct look *k)
{
	for (uint64_t i = 0; i < k->units; i++) {
		uint64_t first = i;

		while (i < k->units && !(k->taken[i / 8] >> (i % 8) & 1))
			i++;
		if (i > first)
			report(k, true, first * SV_VHDX_UNIT,
				"nothing points to these %llu MiB",
				(unsigned long long)(i - first));
	}
}

/* ---- block table ---- */

static void check_place(
	struct look *k, uint64_t index, const struct sv_vhdx_entry *e, uint64_t length)
{
	uint64_t size = sv_dev_size(k->v->file), at = sv_vhdx_entry_at(k->v, index);

	if (!sv_in_range(e->at, length, size))
		report(k, false, at,
			"entry %llu says byte %llu, its block would end beyond the end of the "
			"file (%llu)",
			(unsigned long long)index, (unsigned long long)e->at,
			(unsigned long long)size);
	else if (!take(k, e->at, length))
		report(k, false, at,
			"entry %llu says byte %llu, which another block or a structure has",
			(unsigned long long)index, (unsigned long long)e->at);
}

static bool is_bitmap(const struct sv_vhdx_params *p, uint64_t index)
{
	uint64_t ratio = sv_vhdx_chunk_ratio(p);

	return index % (ratio + 1) == ratio;
}

/* Who made a disk without a parent may leave anything where the bitmaps' entries are. */
static void check_bitmap(struct look *k, uint64_t index, const struct sv_vhdx_entry *e)
{
	if (!k->v->params.has_parent || e->state == SV_VHDX_NOT_PRESENT)
		return;
	if (e->state == SV_VHDX_FULL)
		check_place(k, index, e, SV_VHDX_BITMAP);
	else
		report(k, false, sv_vhdx_entry_at(k->v, index),
			"entry %llu, of a sector bitmap, has the unknown state %u",
			(unsigned long long)index, e->state);
}

static int check_partial(struct look *k, uint64_t index, struct sv_err *err)
{
	uint64_t ratio = sv_vhdx_chunk_ratio(&k->v->params);
	uint64_t bitmap = (index / (ratio + 1) + 1) * (ratio + 1) - 1;
	uint8_t raw[8];

	if (!k->v->params.has_parent) {
		report(k, false, sv_vhdx_entry_at(k->v, index),
			"entry %llu is of a block stored in part, but there is no parent",
			(unsigned long long)index);
		return 0;
	}
	if (sv_vhdx_page_read(k->v, sv_vhdx_entry_at(k->v, bitmap), raw, sizeof raw, err) < 0)
		return -1;
	if (sv_vhdx_entry_load(raw).state != SV_VHDX_FULL)
		report(k, false, sv_vhdx_entry_at(k->v, index),
			"entry %llu is of a block stored in part, its sector bitmap is missing",
			(unsigned long long)index);
	return 0;
}

static int check_entry(
	struct look *k, uint64_t index, const struct sv_vhdx_entry *e, struct sv_err *err)
{
	if (is_bitmap(&k->v->params, index)) {
		check_bitmap(k, index, e);
		return 0;
	}
	if (e->state == 4 || e->state == 5)
		report(k, false, sv_vhdx_entry_at(k->v, index),
			"entry %llu has the unknown state %u", (unsigned long long)index,
			e->state);
	if (!sv_vhdx_has_place(e->state))
		return 0;
	check_place(k, index, e, k->v->params.block);
	return e->state == SV_VHDX_PARTIAL ? check_partial(k, index, err) : 0;
}

/* A block that is undefined or unmapped may keep a place that no other block has. */
static void check_kept_place(struct look *k, uint64_t index, const struct sv_vhdx_entry *e)
{
	if (!is_bitmap(&k->v->params, index) && !sv_vhdx_has_place(e->state) && e->at)
		take(k, e->at, k->v->params.block);
}

static int walk_table(struct look *k, bool kept, struct sv_job *job, struct sv_err *err)
{
	uint64_t n = sv_vhdx_entries(&k->v->params, k->v->params.size);

	for (uint64_t i = 0; i < n; i++) {
		struct sv_vhdx_entry e;
		uint8_t raw[8];

		if (i % 65536 == 0 && sv_job_check(job, err) < 0)
			return -1;
		if (sv_vhdx_page_read(k->v, sv_vhdx_entry_at(k->v, i), raw, sizeof raw, err) <
			0)
			return -1;
		e = sv_vhdx_entry_load(raw);
		if (kept)
			check_kept_place(k, i, &e);
		else if (check_entry(k, i, &e, err) < 0)
			return -1;
	}
	return 0;
}

static int check_units(struct look *k, struct sv_job *job, struct sv_err *err)
{
	uint64_t size = sv_dev_size(k->v->file);

	if (size > SV_VHDX_FILE_MAX)
		return sv_fail(err, SV_UNSUPPORTED, k->path,
			"the file has %llu bytes, more than any disk of 64 TiB takes",
			(unsigned long long)size);
	k->units = sv_div_up(size, SV_VHDX_UNIT);
	k->taken = calloc(k->units / 8 + 1, 1);
	if (!k->taken)
		return sv_fail_nomem(err);
	take_structures(k);
	if (walk_table(k, false, job, err) < 0 || walk_table(k, true, job, err) < 0)
		return -1;
	report_leaks(k);
	return 0;
}

int sv_vhdx_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct look k = {.path = path, .faults = faults};
	int rc;

	(void)env;
	if (sv_vhdx_load(file, false, &k.v, err) < 0)
		return -1;
	check_headers(&k, job);
	check_items(&k);
	rc = check_tables_equal(&k, err);
	if (!rc)
		rc = check_units(&k, job, err);
	free(k.taken);
	sv_vhdx_close(&k.v->link);
	return rc;
}
