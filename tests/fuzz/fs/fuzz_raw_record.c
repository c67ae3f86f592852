/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A FILE record of 1 KiB as growing sees it: read, and changed in the ways in which growing
 * changes records. What was accepted must be accepted again after each change, and runs that
 * were packed must come back as they were.
 */
#include "sparse.h"

#include "fs/ntfs/edit.h"
#include "fs/ntfs/raw_disk.h"

#include <stdio.h>

#define RECORD   1024
#define CLUSTERS 100000
#define RUNS_MAX RECORD

#define MUST(x)                                                                                \
	do {                                                                                   \
		if (!(x)) {                                                                    \
			fprintf(stderr, "broken promise: %s\n", #x);                           \
			abort();                                                               \
		}                                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool held(int rc, const struct sv_err *err)
{
	if (rc < 0)
		MUST(err->message[0] && err->code != SV_OK && err->code != SV_INTERNAL);
	return rc >= 0;
}

/* ---- runs ---- */

static int read_runs(const uint8_t *bytes, size_t size, uint64_t vcn,
	struct sv_ntfs_raw_run *ret, struct sv_err *err)
{
	struct sv_ntfs_raw_run_reader r;
	int n = 0, more;

	sv_ntfs_raw_runs_begin(&r, bytes, size, vcn, CLUSTERS);
	while ((more = sv_ntfs_raw_next_run(&r, &ret[n], err)) == 1)
		n++;
	return more < 0 ? -1 : n;
}

static void pack_again(const struct sv_ntfs_raw_run *runs, size_t n, uint64_t vcn)
{
	static struct sv_ntfs_raw_run again[RUNS_MAX];
	size_t size = sv_ntfs_raw_runs_packed_size(runs, n);
	uint8_t *packed = malloc(size);

	MUST(packed);
	sv_ntfs_raw_pack_runs(runs, n, packed);
	MUST(read_runs(packed, size, vcn, again, NULL) == (int)n);
	MUST(!n || !memcmp(again, runs, n * sizeof *runs));
	free(packed);
}

/* Half of the runs instead of all. */
static void set_half(const uint8_t *record, const struct sv_ntfs_raw_attr *a,
	const struct sv_ntfs_raw_run *runs, size_t n)
{
	uint8_t copy[RECORD];
	struct sv_ntfs_raw_attr b = *a;

	memcpy(copy, record, RECORD);
	b.name = copy + (a->name - record);
	if (n < 2 || !sv_ntfs_set_runs(copy, RECORD, &b, runs, n / 2))
		return;
	MUST(sv_ntfs_raw_check_record(copy, RECORD, NULL) == 0);
}

static void use_runs(const uint8_t *record, const struct sv_ntfs_raw_attr *a)
{
	static struct sv_ntfs_raw_run runs[RUNS_MAX];
	struct sv_err err = SV_ERR_INIT;
	int n = read_runs(record + a->runs_offset, a->runs_length, a->lowest_vcn, runs, &err);

	if (!held(n, &err))
		return;
	pack_again(runs, (size_t)n, a->lowest_vcn);
	set_half(record, a, runs, (size_t)n);
}

/* ---- changes ---- */

static void resize(const uint8_t *record, const struct sv_ntfs_raw_attr *a, uint32_t length)
{
	uint8_t copy[RECORD];

	memcpy(copy, record, RECORD);
	if (sv_ntfs_raw_resize_attr(copy, RECORD, a, length))
		MUST(sv_ntfs_raw_check_record(copy, RECORD, NULL) == 0);
}

static void map_it(const uint8_t *record, const struct sv_ntfs_raw_attr *a)
{
	const struct sv_ntfs_raw_run runs[] = {{0, 1000, 3}, {3, 20, 1}, {4, NTFS_HOLE, 5}};
	uint8_t copy[RECORD];
	struct sv_ntfs_raw_attr now = {0};

	memcpy(copy, record, RECORD);
	if (a->name_length || !sv_ntfs_make_mapped(copy, RECORD, a, runs, 3))
		return;
	MUST(sv_ntfs_raw_check_record(copy, RECORD, NULL) == 0);
	while (now.offset != a->offset)
		MUST(sv_ntfs_raw_next_attr(copy, RECORD, &now, NULL) == 1);
	MUST(now.mapped && now.type == a->type);
	sv_ntfs_set_sizes(copy, &now, 36864, 36000, 35000);
	MUST(sv_ntfs_raw_check_record(copy, RECORD, NULL) == 0);
}

static void use_attr(const uint8_t *record, const struct sv_ntfs_raw_attr *a)
{
	struct sv_ntfs_raw_attr found;

	MUST(sv_ntfs_raw_find_attr(record, RECORD, a->type, "", &found, NULL) >= 0);
	sv_ntfs_raw_find_attr(record, RECORD, a->type, "$Bad", &found, NULL);
	if (a->mapped)
		use_runs(record, a);
	else
		map_it(record, a);
	resize(record, a, 0);
	resize(record, a, a->length + 8);
	resize(record, a, a->length + RECORD);
}

static void use_record(uint8_t *record)
{
	struct sv_ntfs_raw_attr a = {0};
	struct sv_err err = SV_ERR_INIT;
	uint8_t before[RECORD];

	memcpy(before, record, RECORD);
	if (held(sv_ntfs_raw_check_record(record, RECORD, &err), &err)) {
		while (sv_ntfs_raw_next_attr(record, RECORD, &a, &err) == 1)
			use_attr(record, &a);
	}
	sv_ntfs_raw_protect(record, RECORD);
	MUST(sv_ntfs_raw_unprotect(record, RECORD, "FILE", &err) == 0);
	/* all but the update sequence is as it was */
	MUST(!memcmp(record + RECORD / 2, before + RECORD / 2, RECORD / 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t record[RECORD] = {0}, torn[RECORD];
	struct sv_err err = SV_ERR_INIT;

	memcpy(record, bytes, SV_MIN(n, (size_t)RECORD));
	memcpy(torn, record, RECORD);
	held(sv_ntfs_raw_unprotect(torn, RECORD, "FILE", &err), &err);
	sv_ntfs_raw_protect(torn, RECORD); /* of whatever is there */
	sparse_protect(record, RECORD);
	if (held(sv_ntfs_raw_unprotect(record, RECORD, "FILE", &err), &err))
		use_record(record);
	return 0;
}
