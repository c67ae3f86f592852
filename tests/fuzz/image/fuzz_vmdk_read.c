/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Extents that are only read: stream-optimized, COWD and seSparse ones, by their magic. All of
 * them is mapped, read and checked. What the check calls sound must read without an error, in
 * whatever parts it is read.
 */
#include "image/vmdk/check.h"
#include "image/vmdk/marker.h"
#include "image/vmdk/sesparse.h"
#include "image/vmdk/sparse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define STEPS     500 /* runs of one walk */
#define INPUT_MAX (256U << 10)
#define CHUNK     8192

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

/* One of the two. */
struct extent {
	struct sv_vmdk_sparse *sparse;
	struct sv_vmdk_sesparse *se;
	uint64_t size, grain;
};

static int map(struct extent *x, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	return x->se ? sv_vmdk_se_map(x->se, off, max, holes, ret, err)
		     : sv_vmdk_sparse_map(x->sparse, off, max, holes, ret, err);
}

/* Errors; UINT64_MAX where the check could not be made. */
static uint64_t check(struct extent *x)
{
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;
	int rc = x->se ? sv_vmdk_check_sesparse(x->se, "input", &faults, NULL, &err)
		       : sv_vmdk_check_sparse(x->sparse, "input", &faults, NULL, &err);

	if (rc < 0) {
		must_say(&err);
		return UINT64_MAX;
	}
	return faults.errors;
}

static bool read_run(struct extent *x, const struct sv_run *run, uint64_t off, uint8_t *buf)
{
	struct sv_err err = SV_ERR_INIT;
	size_t n = SV_MIN(run->length, (uint64_t)CHUNK);
	int rc;

	if (run->kind != SV_RUN_DATA)
		memset(buf, 0, n);
	if (run->kind != SV_RUN_DATA)
		return true;
	if (run->dev)
		rc = sv_dev_read(run->dev, buf, n, run->host_offset, &err);
	else
		rc = sv_vmdk_packed_read(x->sparse, buf, n, off, &err);
	if (rc < 0)
		must_say(&err);
	/* what lies in the file was looked for by map() */
	require(rc == 0 || !run->dev);
	return rc == 0;
}

static void walk(struct extent *x, bool holes, bool sound)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t buf[CHUNK];
	struct sv_run run;
	uint64_t off = 0;

	for (int i = 0; i < STEPS && off < x->size; i++) {
		if (map(x, off, x->size - off, holes, &run, &err) < 0) {
			must_say(&err);
			require(!sound);
			run.length = x->grain - off % x->grain;
		} else {
			require(run.length && run.length <= x->size - off);
			require(read_run(x, &run, off, buf) || !sound);
		}
		off += run.length;
	}
}

/* A packed grain is the same in whole and in parts. */
static void read_in_parts(struct extent *x, bool sound)
{
	size_t n = (size_t)SV_MIN(x->grain, x->size), part = n / 3 + 1;
	uint8_t *whole = malloc(n), *parts = malloc(n);
	struct sv_run run;
	bool read = false, again = true;

	require(whole && parts);
	if (x->sparse && map(x, 0, n, false, &run, NULL) == 0 && run.kind == SV_RUN_DATA &&
		!run.dev && run.length == n) {
		read = sv_vmdk_packed_read(x->sparse, whole, n, 0, NULL) == 0;
		for (size_t at = 0; at < n; at += part)
			again &= sv_vmdk_packed_read(x->sparse, parts + at,
					 SV_MIN(part, n - at), at, NULL) == 0;
		require(read == again && (read || !sound));
		require(!read || !memcmp(whole, parts, n));
	}
	free(whole);
	free(parts);
}

static void look_at(struct extent *x)
{
	uint64_t allocated = 0;
	bool sound = check(x) == 0;

	walk(x, false, sound);
	walk(x, true, sound);
	read_in_parts(x, sound);
	require((x->se ? sv_vmdk_se_allocated(x->se, &allocated, NULL)
		       : sv_vmdk_sparse_allocated(x->sparse, &allocated, NULL)) == 0);
	require(allocated <= x->size);
}

static void try_sparse(struct sv_dev *file, struct sv_vmdk_tables *tables)
{
	struct sv_err err = SV_ERR_INIT;
	struct extent x = {.sparse = sv_vmdk_sparse_open(file, tables, 0, false, &err)};

	if (!x.sparse) {
		must_say(&err);
		return;
	}
	x.size = x.sparse->h.capacity * SV_SECTOR;
	x.grain = x.sparse->grain_bytes;
	look_at(&x);
	sv_vmdk_sparse_close(x.sparse);
}

static void try_sesparse(struct sv_dev *file, struct sv_vmdk_tables *tables)
{
	struct sv_err err = SV_ERR_INIT;
	struct extent x = {.se = sv_vmdk_se_open(file, tables, 0, &err)};

	if (!x.se) {
		must_say(&err);
		return;
	}
	x.size = x.se->h.capacity * SV_SECTOR;
	x.grain = SV_VMDK_SE_GRAIN;
	look_at(&x);
	sv_vmdk_se_close(x.se);
}

/* A marker that is read prints to the same bytes, as far as they mean something. */
static void marker_round_trip(const uint8_t bytes[SV_VMDK_MARKER_SIZE])
{
	const struct sv_vmdk_header h = {.capacity = 1 << 20, .grain = SV_VMDK_GRAIN};
	uint8_t printed[SV_VMDK_MARKER_SIZE];
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_marker m;

	if (sv_vmdk_marker_parse(bytes, 0, &h, &m, &err) < 0) {
		must_say(&err);
		return;
	}
	require(sv_vmdk_marker_sectors(&m) >= 1);
	if (m.kind == SV_VMDK_MARKER_GRAIN) {
		sv_vmdk_marker_print_grain(m.value, m.size, printed);
		require(!memcmp(printed, bytes, SV_VMDK_GRAIN_DATA));
	} else {
		sv_vmdk_marker_print(m.kind, m.value, printed);
		require(!memcmp(printed, bytes, 16));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_vmdk_tables *tables;
	struct sv_dev *file;

	if (n > INPUT_MAX)
		return 0;
	if (n >= SV_VMDK_MARKER_SIZE)
		marker_round_trip(bytes + n - SV_VMDK_MARKER_SIZE);
	file = sv_mem_open(bytes, n, false, "input", NULL);
	tables = sv_vmdk_tables_new(NULL);
	require(file && tables);
	if (n >= 8 && !memcmp(bytes, SV_VMDK_SE_MAGIC, 8))
		try_sesparse(file, tables);
	else
		try_sparse(file, tables);
	sv_vmdk_tables_free(tables);
	sv_dev_close(file);
	return 0;
}
