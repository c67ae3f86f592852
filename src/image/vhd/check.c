/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checking a VHD: both copies of the footer, the header, and every entry of the block table:
 * within the file, on no other block and on no structure. Space as large as a block that
 * nothing points to is a leak.
 */
#include "image/vhd/vhd.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct look {
	const char *path;
	struct sv_vhd *v;
	struct sv_image_faults *faults;
	struct block {
		uint32_t sector, number;
	} * blocks; /* those that lie in the file, by place */
	size_t n;
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

static uint64_t block_bytes(const struct sv_vhd *v)
{
	return v->header.bitmap_size + v->header.block_size;
}

static uint64_t entry_at(const struct sv_vhd *v, uint64_t block)
{
	return v->header.table_at + block * 4;
}

static void check_footers(const struct look *k)
{
	struct sv_vhd *v = k->v;

	if (!v->footer.sum_ok)
		report(k, false, v->next, "the checksum of the footer is wrong");
	if (v->footer.type == SV_VHD_FIXED)
		return;
	if (!v->header.sum_ok)
		report(k, false, v->footer.header_at, "the checksum of the header is wrong");
	if (v->footer.sum_ok && v->end_bad)
		report(k, false, v->next,
			"the footer at the end is broken, or lies on the table");
	if (v->footer.sum_ok && v->front_bad)
		report(k, false, 0,
			v->front_old ? "the two copies of the footer differ"
				     : "the copy of the footer at the beginning is broken");
}

/* Does the block lie on the footer's copy, the header, the table or a locator? */
static bool on_structure(const struct sv_vhd *v, uint64_t at)
{
	uint64_t n = block_bytes(v);

	if (sv_overlaps(at, n, 0, SV_VHD_FOOTER_SIZE) ||
		sv_overlaps(at, n, v->footer.header_at, SV_VHD_HEADER_SIZE) ||
		sv_overlaps(at, n, v->header.table_at, v->header.n_blocks * 4))
		return true;
	for (size_t i = 0; i < SV_VHD_LOCATORS; i++) {
		const struct sv_vhd_locator *l = &v->header.locators[i];

		if (*l->code && sv_overlaps(at, n, l->offset, l->length))
			return true;
	}
	return false;
}

static void check_entry(struct look *k, uint64_t i)
{
	struct sv_vhd *v = k->v;
	uint32_t sector = v->bat[i];
	uint64_t at = sector * SV_SECTOR;

	if (sector == SV_VHD_FREE)
		return;
	if (!sv_in_range(at, block_bytes(v), v->next))
		report(k, false, entry_at(v, i),
			"block %llu is said to be at sector %u, the blocks end at sector %llu",
			(unsigned long long)i, sector,
			(unsigned long long)(v->next / SV_SECTOR));
	else if (on_structure(v, at))
		report(k, false, entry_at(v, i),
			"block %llu at sector %u lies on the image's own structures",
			(unsigned long long)i, sector);
	else
		k->blocks[k->n++] = (struct block){sector, (uint32_t)i};
}

static int by_place(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	if (x->sector != y->sector)
		return x->sector < y->sector ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* Once for all of it: a sparse file can have room for more blocks than there is time for. */
static void report_gap(const struct look *k, uint64_t from, uint64_t to)
{
	uint64_t n = to > from ? (to - from) / block_bytes(k->v) : 0;

	if (n)
		report(k, true, from, "nothing points to the space of %llu blocks",
			(unsigned long long)n);
}

static void check_order(struct look *k)
{
	struct sv_vhd *v = k->v;
	uint64_t end = entry_at(v, v->header.n_blocks);

	if (k->n)
		qsort(k->blocks, k->n, sizeof *k->blocks, by_place);
	for (size_t i = 0; i < k->n; i++) {
		uint64_t at = k->blocks[i].sector * SV_SECTOR;

		if (i && at < end)
			report(k, false, entry_at(v, k->blocks[i].number),
				"blocks %u and %u share the sectors from %u on",
				k->blocks[i - 1].number, k->blocks[i].number,
				k->blocks[i].sector);
		else
			report_gap(k, end, at);
		end = SV_MAX(end, at + block_bytes(v));
	}
	report_gap(k, end, v->next);
}

static int check_blocks(struct look *k, struct sv_job *job, struct sv_err *err)
{
	struct sv_vhd *v = k->v;

	k->blocks = malloc(v->header.n_blocks * sizeof *k->blocks);
	if (!k->blocks)
		return sv_fail_nomem(err);
	for (uint64_t i = 0; i < v->header.n_blocks; i++) {
		if (i % 65536 == 0 && sv_job_check(job, err) < 0)
			return -1;
		check_entry(k, i);
	}
	check_order(k);
	return 0;
}

static void keep_first(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct sv_err *first = user;

	if (!leak && first->code == SV_OK)
		sv_fail_at(first, SV_CORRUPT, path, offset, "%s", message);
}

int sv_vhd_refuse_faults(struct sv_vhd *v, struct sv_err *err)
{
	struct sv_err first = SV_ERR_INIT;
	struct sv_image_faults faults = {.report = keep_first, .user = &first};
	struct look k = {.path = sv_dev_name(v->file), .v = v, .faults = &faults};
	int rc = check_blocks(&k, NULL, err);

	free(k.blocks);
	if (rc < 0 || first.code == SV_OK)
		return rc;
	sv_err_copy(err, &first);
	return sv_hint(err, "it can be read, not written; `sharevm image check` tells more");
}

/* The recorded time of the parent's file is told, not judged: copying a file changes it. */
static void compare_time(
	const struct sv_link_env *env, const struct look *k, struct sv_job *job)
{
	sv_autofree char *dir = sv_path_dir(k->path);
	struct sv_host_stat st;

	for (size_t i = 0; dir && k->v->header.parent_time && k->v->hints[i]; i++) {
		sv_autofree char *path = sv_path_join(dir, k->v->hints[i]);

		if (!path || sv_host_stat(env->host, path, &st, NULL) < 0)
			continue;
		if (st.mtime_sec - SV_VHD_EPOCH > k->v->header.parent_time + INT64_C(2))
			sv_job_note(job, "%s was written after %s was made over it (or copied)",
				path, sv_path_base(k->path));
		return;
	}
}

int sv_vhd_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct look k = {.path = path, .faults = faults};
	int rc = 0;

	if (sv_vhd_load(file, false, &k.v, err) < 0)
		return -1;
	check_footers(&k);
	if (k.v->bat)
		rc = check_blocks(&k, job, err);
	if (!rc && env->host)
		compare_time(env, &k, job);
	free(k.blocks);
	sv_vhd_close(&k.v->link);
	return rc;
}
