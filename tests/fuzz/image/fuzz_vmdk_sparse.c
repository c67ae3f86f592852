/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A hosted sparse extent in memory, with or without something below it: mapped, read, checked,
 * written, discarded and grown. What the check calls sound must stay sound, and read back as
 * it was written.
 */
#include "image/vmdk/check.h"
#include "image/vmdk/sparse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MEMORY     (64U << 20)
#define STEPS      2000 /* runs of one walk */
#define INPUT_MAX  (1U << 20)
#define READ_CHUNK 8192

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

static struct sv_dev *load(const uint8_t *bytes, size_t n)
{
	struct sv_dev *d = sv_sparse_open(n, MEMORY, "input", NULL);

	require(d && sv_dev_write(d, bytes, n, 0, NULL) == 0);
	return d;
}

static void walk(struct sv_vmdk_sparse *s, bool holes)
{
	uint64_t size = s->h.capacity * SV_SECTOR, off = 0;
	struct sv_err err = SV_ERR_INIT;
	uint8_t buf[READ_CHUNK];
	struct sv_run run;

	for (int i = 0; i < STEPS && off < size; i++) {
		if (sv_vmdk_sparse_map(s, off, size - off, holes, &run, &err) < 0) {
			must_say(&err);
			run.length = s->grain_bytes - off % s->grain_bytes;
		} else {
			require(run.length && run.length <= size - off);
			if (run.kind == SV_RUN_DATA)
				require(sv_dev_read(run.dev, buf,
						SV_MIN(run.length, sizeof buf), run.host_offset,
						NULL) == 0);
		}
		off += run.length;
	}
}

/* Errors and leaks; UINT64_MAX where the check could not be made. */
static uint64_t check(struct sv_vmdk_sparse *s)
{
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	if (sv_vmdk_check_sparse(s, "input", &faults, NULL, &err) < 0) {
		must_say(&err);
		return UINT64_MAX;
	}
	return faults.errors;
}

static bool reads(struct sv_vmdk_sparse *s, uint8_t *buf, uint64_t n, uint64_t off)
{
	struct sv_run run;

	for (uint64_t done = 0; done < n; done += run.length) {
		if (sv_vmdk_sparse_map(s, off + done, n - done, false, &run, NULL) < 0)
			return false;
		if (run.kind != SV_RUN_DATA)
			memset(buf + done, run.kind == SV_RUN_ABSENT && *s->below ? 0x5b : 0,
				run.length);
		else if (sv_dev_read(run.dev, buf + done, run.length, run.host_offset, NULL) <
			 0)
			return false;
	}
	return true;
}

/* A range that the input chooses, spread over the extent. */
static uint64_t spread(struct sv_vmdk_sparse *s, uint64_t place, uint64_t max, uint64_t *ret_n)
{
	uint64_t size = s->h.capacity * SV_SECTOR;
	uint64_t off = place * UINT64_C(0x9e3779b97f4a7c15) % size;

	*ret_n = SV_MIN(size - off, max);
	return off;
}

static void write_there(struct sv_vmdk_sparse *s, uint64_t place, bool sound)
{
	uint8_t data[20000], got[sizeof data];
	struct sv_err err = SV_ERR_INIT;
	uint64_t n, off = spread(s, place, sizeof data, &n);

	memset(data, 0xd7, sizeof data);
	if (sv_vmdk_sparse_write(s, data, n, off, &err) < 0) {
		must_say(&err);
		require(!sound || err.code == SV_NOSPACE || err.code == SV_NOMEM);
	} else if (sound) {
		require(reads(s, got, n, off) && !memcmp(got, data, n));
	}
}

static void discard_there(struct sv_vmdk_sparse *s, uint64_t place, bool sound)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t got[20000];
	uint64_t n, off = spread(s, place, sizeof got, &n);

	if (sv_vmdk_sparse_discard(s, off, n, &err) < 0) {
		must_say(&err);
		require(!sound || err.code == SV_NOSPACE || err.code == SV_NOMEM);
	} else if (sound) {
		require(reads(s, got, n, off) && sv_is_zero(got, n));
	}
}

static void change(struct sv_vmdk_sparse *s, const uint8_t *bytes, size_t n, bool sound)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t place;

	if (n < sizeof place)
		return;
	memcpy(&place, bytes + n - sizeof place, sizeof place);
	for (unsigned i = 0; i < 3; i++) {
		write_there(s, place + 3 * i, sound);
		discard_there(s, place + 3 * i, sound);
		discard_there(s, place + 3 * i + 1, sound);
		write_there(s, place + 3 * i + 1, sound);
	}
	if (sv_vmdk_sparse_flush(s, &err) < 0)
		must_say(&err);
}

static void grow(struct sv_vmdk_sparse *s, uint64_t add, bool sound)
{
	uint64_t old = s->h.capacity, more = old + add;
	const char *desc = s->h.desc_sectors ? "# Disk DescriptorFile\n" : NULL;
	struct sv_err err = SV_ERR_INIT;
	uint8_t before[READ_CHUNK], after[READ_CHUNK];
	uint64_t n = SV_MIN(old * SV_SECTOR, sizeof before);
	bool read = reads(s, before, n, 0);

	/* what libFuzzer has memory for */
	if (sv_vmdk_tables(more, s->h.grain) > 4096 || s->h.desc_sectors > 2048)
		return;
	if (sv_vmdk_sparse_grow(s, more, desc, desc ? strlen(desc) : 0, &err) < 0) {
		must_say(&err);
		return;
	}
	require(s->h.capacity == more);
	if (!sound)
		return;
	require(check(s) == 0);
	require(read && reads(s, after, n, 0) && !memcmp(before, after, n));
	n = SV_MIN(add * SV_SECTOR, sizeof after);
	require(reads(s, after, n, old * SV_SECTOR) && sv_is_zero(after, n));
}

/* Within the last table, to more tables, and from those that the growth has laid. */
static void grow_thrice(struct sv_vmdk_sparse *s, bool sound)
{
	static struct sv_dev *const nothing = NULL;
	struct sv_err err = SV_ERR_INIT;

	s->below = &nothing; /* only a base grows */
	require(sv_vmdk_sparse_check_grow(s, SV_DEV_SIZE_MAX / SV_SECTOR, &err) < 0);
	must_say(&err);
	grow(s, 1, sound);
	grow(s, s->h.capacity / 2 + 77, sound);
	grow(s, 2 * s->h.capacity, sound);
}

static void run(struct sv_vmdk_sparse *s, const uint8_t *bytes, size_t n)
{
	bool sound = check(s) == 0;
	uint64_t allocated;

	walk(s, false);
	walk(s, true);
	require(sv_vmdk_sparse_allocated(s, &allocated, NULL) == 0 &&
		allocated <= s->h.capacity * SV_SECTOR);
	change(s, bytes, n, sound);
	require(!sound || check(s) == 0);
	grow_thrice(s, sound);
	walk(s, true);
}

/* The same byte everywhere, as large as any extent. */
static int read_below(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	(void)d;
	(void)off;
	(void)err;
	memset(buf, 0x5b, n);
	return 0;
}

static void close_below(struct sv_dev *d)
{
	free(d);
}

static struct sv_dev *open_below(void)
{
	static const struct sv_dev_ops ops = {
		.kind = "below", .pread = read_below, .close = close_below};
	struct sv_dev *d = calloc(1, sizeof *d);

	require(d && sv_dev_init(d, &ops, "below", SV_DEV_SIZE_MAX, false, NULL) == 0);
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	sv_autodev struct sv_dev *below = n && bytes[n - 1] & 1 ? open_below() : NULL;
	struct sv_vmdk_tables *tables;
	struct sv_vmdk_sparse *s;
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *file;

	if (n > INPUT_MAX)
		return 0;
	file = load(bytes, n);
	tables = sv_vmdk_tables_new(NULL);
	require(tables != NULL);
	s = sv_vmdk_sparse_open(file, tables, 0, true, &err);
	if (s) {
		s->below = &below;
		run(s, bytes, n);
	} else {
		must_say(&err);
	}
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);
	sv_dev_close(file);
	return 0;
}
