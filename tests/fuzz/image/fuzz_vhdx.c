/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A VHDX in memory, with or without something below it: opened for reading, which replays its
 * log in memory, mapped, read and checked; opened for writing, which replays the log on the
 * disk and must show the same; then written, discarded, flushed, grown. What the check calls
 * sound must stay sound, and read back as it was written.
 *
 * The input: the size of the file in units of 64 KiB (16 bits, big-endian; the highest bit: the
 * checksums stay as they are, else they are made right), then pieces: a place in units of 512
 * bytes and a length (16 bits each), then the bytes.
 */
#include "image/vhdx/vhdx.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MEMORY         (64U << 20)
#define STEPS          500 /* runs of one walk */
#define SIZE_MAX_UNITS 384
#define CHUNK          8192

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

/* ---- a host of one image ---- */

struct host {
	struct sv_host h;
	struct sv_dev *image;
};

static int host_stat(struct sv_host *h, const char *path, bool follow, struct sv_host_stat *ret,
	struct sv_err *err)
{
	struct host *host = (struct host *)h;

	(void)path;
	(void)follow;
	(void)err;
	*ret = (struct sv_host_stat){
		.type = SV_HOST_FILE, .size = sv_dev_size(host->image), .allocated = 4096};
	return 0;
}

static const struct sv_host_ops host_ops = {.stat = host_stat};

/* ---- the image ---- */

static void put(struct sv_dev *d, const void *bytes, size_t n, uint64_t at)
{
	if (at < sv_dev_size(d))
		require(sv_dev_write(d, bytes, SV_MIN(n, (size_t)(sv_dev_size(d) - at)), at,
				NULL) == 0);
}

static void get(struct sv_dev *d, void *bytes, size_t n, uint64_t at)
{
	memset(bytes, 0, n);
	if (sv_in_range(at, n, sv_dev_size(d)))
		require(sv_dev_read(d, bytes, n, at, NULL) == 0);
}

static void put_pieces(struct sv_dev *d, const uint8_t *bytes, size_t n)
{
	while (n >= 4) {
		uint64_t at = sv_load_be16(bytes) * SV_SECTOR;
		size_t len = SV_MIN((size_t)sv_load_be16(bytes + 2), n - 4);

		put(d, bytes + 4, len, at);
		bytes += 4 + len;
		n -= 4 + len;
	}
}

static void sum_block(struct sv_dev *d, uint64_t at, size_t n, const char *signature)
{
	uint8_t *bytes = malloc(n);

	get(d, bytes, n, at);
	if (!memcmp(bytes, signature, 4)) {
		sv_store_le32(bytes + 4, 0);
		sv_store_le32(bytes + 4, sv_crc32c(0, bytes, n));
		put(d, bytes + 4, 4, at + 4);
	}
	free(bytes);
}

/* An entry at this page of the log, which may go round its end. */
static void sum_entry(struct sv_dev *d, uint64_t log_at, uint32_t pages, uint32_t page)
{
	uint8_t bytes[SV_VHDX_PAGE], sum[4];
	uint32_t crc = 0, n;

	get(d, bytes, sizeof bytes, log_at + page * (uint64_t)SV_VHDX_PAGE);
	n = sv_load_le32(bytes + 8) / SV_VHDX_PAGE;
	if (memcmp(bytes, "loge", 4) != 0 || n > pages)
		return;
	memset(bytes + 4, 0, 4);
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			get(d, bytes, sizeof bytes,
				log_at + (page + i) % pages * (uint64_t)SV_VHDX_PAGE);
		crc = sv_crc32c(crc, bytes, sizeof bytes);
	}
	sv_store_le32(sum, crc);
	put(d, sum, sizeof sum, log_at + page * (uint64_t)SV_VHDX_PAGE + 4);
}

static void repair_sums(struct sv_dev *d)
{
	for (unsigned i = 0; i < 2; i++) {
		uint8_t h[80];
		uint64_t at;
		uint32_t pages;

		sum_block(d, SV_VHDX_HEADER_AT(i), SV_VHDX_HEADER_SIZE, "head");
		sum_block(d, SV_VHDX_TABLE_AT(i), SV_VHDX_TABLE_SIZE, "regi");
		get(d, h, sizeof h, SV_VHDX_HEADER_AT(i));
		at = sv_load_le64(h + 72);
		pages = SV_MIN(sv_load_le32(h + 68) / SV_VHDX_PAGE, 256U);
		for (uint32_t page = 0; page < pages && at < sv_dev_size(d); page++)
			sum_entry(d, at, pages, page);
	}
}

static struct sv_dev *load(const uint8_t *bytes, size_t n)
{
	uint64_t units = sv_load_be16(bytes);
	bool repair = !(units & 0x8000);
	struct sv_dev *d =
		sv_sparse_open(SV_MIN(units & 0x7fff, (uint64_t)SIZE_MAX_UNITS) * 65536, MEMORY,
			"/image", NULL);

	require(d != NULL);
	put_pieces(d, bytes + 2, n - 2);
	if (repair)
		repair_sums(d);
	return d;
}

static struct sv_vhdx *open_link(struct host *h, bool writable)
{
	struct sv_link_env env = {.host = &h->h, .writable = writable};
	struct sv_err err = SV_ERR_INIT;
	struct sv_link *l;

	if (sv_vhdx_driver.open(&env, "/image", h->image, &l, &err) < 0) {
		must_say(&err);
		return NULL;
	}
	l->info.path = strdup("/image");
	return sv_vhdx_of(l);
}

/* ---- reading ---- */

static uint32_t sum_run(const struct sv_run *run, uint32_t crc)
{
	uint8_t buf[CHUNK];
	size_t n = (size_t)SV_MIN(run->length, (uint64_t)sizeof buf);

	if (run->kind != SV_RUN_DATA)
		return crc;
	require(run->dev != NULL);
	require(sv_dev_read(run->dev, buf, n, run->host_offset, NULL) == 0);
	return sv_crc32c(crc, buf, n);
}

/* What it shows, as a number. */
static uint32_t walk(struct sv_vhdx *v, bool holes)
{
	uint64_t size = v->link.info.virtual_size, off = 0;
	struct sv_err err = SV_ERR_INIT;
	struct sv_run run;
	uint32_t crc = 0;

	for (int i = 0; i < STEPS && off < size; i++) {
		if (sv_vhdx_map(&v->link, off, size - off, holes, &run, &err) < 0) {
			must_say(&err);
			run.length = v->params.block - off % v->params.block;
			run.kind = SV_RUN_HOLE;
		}
		require(run.length && (run.length <= size - off || run.kind == SV_RUN_HOLE));
		crc = sv_crc32c(sum_run(&run, crc), &run.length, sizeof run.length);
		off += run.length;
	}
	return crc;
}

/* Errors; UINT64_MAX where the check could not be made. */
static uint64_t check(struct host *h)
{
	struct sv_link_env env = {.host = &h->h};
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	if (sv_vhdx_check(&env, "/image", h->image, &faults, NULL, &err) < 0) {
		must_say(&err);
		return UINT64_MAX;
	}
	return faults.errors;
}

/* ---- changing ---- */

static void read_view(struct sv_vhdx *v, uint8_t *buf, uint64_t n, uint64_t off)
{
	while (n) {
		struct sv_run run;

		require(sv_vhdx_map(&v->link, off, n, false, &run, NULL) == 0);
		memset(buf, 0, run.length);
		if (run.kind == SV_RUN_DATA)
			require(sv_dev_read(run.dev, buf, run.length, run.host_offset, NULL) ==
				0);
		else if (run.kind == SV_RUN_ABSENT && v->link.below)
			require(sv_dev_read(v->link.below, buf, run.length, off, NULL) == 0);
		buf += run.length;
		off += run.length;
		n -= run.length;
	}
}

/* A range that the input chooses, spread over the disk. */
static uint64_t spread(struct sv_vhdx *v, uint64_t place, uint64_t max, uint64_t *ret_n)
{
	uint64_t size = v->link.info.virtual_size;
	uint64_t off = place * UINT64_C(0x9e3779b97f4a7c15) % size;

	if (place % 3 == 0)
		off = sv_align_down(off, v->params.block);
	*ret_n = SV_MIN(size - off, 1 + place % max);
	return off;
}

/* A sound image takes every change, but for what only our memory stops. */
static void may_fail(const struct sv_err *err, bool sound)
{
	must_say(err);
	require(!sound || err->code == SV_NOSPACE || err->code == SV_NOMEM);
}

static bool write_there(struct sv_vhdx *v, uint64_t place, bool sound)
{
	uint8_t data[20000], got[sizeof data];
	struct sv_err err = SV_ERR_INIT;
	uint64_t n, off = spread(v, place, sizeof data, &n);

	memset(data, 0xd7, sizeof data);
	if (sv_vhdx_write(&v->link, data, (size_t)n, off, &err) < 0) {
		may_fail(&err, sound);
		return false;
	}
	if (sound) {
		read_view(v, got, n, off);
		require(!memcmp(got, data, n));
	}
	return true;
}

static bool discard_there(struct sv_vhdx *v, uint64_t place, bool sound)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t n, off = spread(v, place, 40000, &n);
	uint8_t got[40000];

	if (place % 5 == 0) /* whole blocks, too */
		n = SV_MIN(v->link.info.virtual_size - off, 2 * v->params.block);
	if (sv_vhdx_discard(&v->link, off, n, &err) < 0) {
		may_fail(&err, sound);
		return false;
	}
	if (sound) {
		n = SV_MIN(n, (uint64_t)sizeof got);
		read_view(v, got, n, off);
		require(sv_is_zero(got, n));
	}
	return true;
}

static void change(struct sv_vhdx *v, const uint8_t *bytes, size_t n, bool sound)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t place;

	if (n < sizeof place)
		return;
	memcpy(&place, bytes + n - sizeof place, sizeof place);
	for (unsigned i = 0; i < 4; i++) {
		if (!write_there(v, place + 3 * i, sound) ||
			!discard_there(v, place + 3 * i + 1, sound) ||
			!write_there(v, place + 3 * i + 1, sound) ||
			!discard_there(v, place + 3 * i, sound))
			break;
		if (i % 2 && sv_vhdx_flush(&v->link, &err) < 0)
			may_fail(&err, false);
	}
	if (sv_vhdx_flush(&v->link, &err) < 0)
		may_fail(&err, false);
}

static void grow(struct sv_vhdx *v, bool sound)
{
	uint64_t old = v->link.info.virtual_size;
	uint64_t more = SV_MIN(old + old / 2 + 77 * v->params.sector, SV_VHDX_SIZE_MAX);
	struct sv_err err = SV_ERR_INIT;

	more = sv_align_down(more, v->params.sector);
	/* what libFuzzer has time and memory for */
	if (v->params.has_parent || more < old || sv_vhdx_entries(&v->params, more) > 1000000)
		return;
	if (sv_vhdx_grow(&v->link, NULL, more, &err) < 0) {
		may_fail(&err, sound);
		return;
	}
	require(v->params.size == more);
	v->link.info.virtual_size = more;
	walk(v, true);
}

static void change_all(
	struct host *h, struct sv_dev *below, uint32_t shown, const uint8_t *bytes, size_t n)
{
	bool sound = check(h) == 0;
	struct sv_vhdx *v = open_link(h, true);

	if (!v)
		return;
	require(walk(v, false) == shown);
	v->link.below = v->params.has_parent ? sv_dev_ref(below) : NULL;
	change(v, bytes, n, sound);
	if (sound)
		require(check(h) == 0);
	grow(v, sound);
	sv_link_close(&v->link);
	if (sound)
		require(check(h) == 0);
}

/* ---- */

/* The same byte everywhere, as large as any disk. */
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
	struct host h = {.h = {&host_ops}};
	sv_autodev struct sv_dev *below = NULL;
	struct sv_vhdx *v;
	uint32_t shown;

	if (n < 6)
		return 0;
	below = open_below();
	h.image = load(bytes, n);
	v = open_link(&h, false);
	if (v) {
		shown = walk(v, false);
		walk(v, true);
		sv_link_close(&v->link);
		change_all(&h, below, shown, bytes, n);
	} else {
		check(&h);
	}
	sv_dev_close(h.image);
	return 0;
}
