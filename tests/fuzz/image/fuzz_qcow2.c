/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A qcow2 image in memory, with or without something below it: opened, at its snapshots too,
 * mapped, read, checked, written, discarded and grown. What the check calls sound must stay
 * sound, and read back as it was written.
 *
 * The input is the image; or, when it begins with "S", pieces of it: a place in units of 512
 * bytes and a length (16 bits each, big-endian), then the bytes. So an image of large clusters
 * is a small input.
 */
#include "image/qcow2/qcow2.h"

#include "base/endian.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MEMORY    (64U << 20)
#define STEPS     2000 /* runs of one walk */
#define INPUT_MAX (1U << 20)
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

/* ---- a host of one image and data files ---- */

struct host {
	struct sv_host h;
	struct sv_dev *image, *data;
};

static int host_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	struct host *host = (struct host *)h;

	(void)flags;
	(void)err;
	*ret = sv_dev_ref(strcmp(path, "/image") ? host->data : host->image);
	return 0;
}

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

static char *host_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	(void)err;
	return strdup(path);
}

static const struct sv_host_ops host_ops = {
	.open = host_open, .stat = host_stat, .real_path = host_real_path};

/* ---- the image ---- */

static void put_pieces(struct sv_dev *d, const uint8_t *bytes, size_t n)
{
	while (n >= 4) {
		uint64_t at = sv_load_be16(bytes) * SV_SECTOR;
		size_t len = SV_MIN((size_t)sv_load_be16(bytes + 2), n - 4);

		if (sv_dev_size(d) < at + len)
			require(sv_dev_resize(d, at + len, NULL) == 0);
		require(sv_dev_write(d, bytes + 4, len, at, NULL) == 0);
		bytes += 4 + len;
		n -= 4 + len;
	}
	require(sv_dev_resize(d, sv_align_up(sv_dev_size(d), SV_SECTOR), NULL) == 0);
}

static struct sv_dev *load(const uint8_t *bytes, size_t n)
{
	bool pieces = n && *bytes == 'S';
	struct sv_dev *d = sv_sparse_open(pieces ? 0 : n, MEMORY, "/image", NULL);

	require(d != NULL);
	if (pieces)
		put_pieces(d, bytes + 1, n - 1);
	else
		require(sv_dev_write(d, bytes, n, 0, NULL) == 0);
	return d;
}

static struct sv_qcow2 *open_link(struct host *h, bool writable, const char *snapshot)
{
	struct sv_link_env env = {.host = &h->h, .writable = writable, .snapshot = snapshot};
	struct sv_err err = SV_ERR_INIT;
	struct sv_link *l;

	if (sv_qcow2_driver.open(&env, "/image", h->image, &l, &err) < 0) {
		must_say(&err);
		return NULL;
	}
	l->info.path = strdup("/image");
	return sv_qcow2_of(l);
}

/* ---- reading ---- */

static void read_run(struct sv_qcow2 *q, uint64_t off, const struct sv_run *run)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t buf[CHUNK];
	size_t n = (size_t)SV_MIN(run->length, (uint64_t)sizeof buf);

	if (run->kind != SV_RUN_DATA)
		return;
	if (run->dev)
		require(sv_dev_read(run->dev, buf, n, run->host_offset, NULL) == 0);
	else if (sv_qcow2_read_packed(&q->link, buf, n, off, &err) < 0)
		must_say(&err);
}

static void walk(struct sv_qcow2 *q, bool holes)
{
	uint64_t size = q->link.info.virtual_size, off = 0;
	struct sv_err err = SV_ERR_INIT;
	struct sv_run run;

	for (int i = 0; i < STEPS && off < size; i++) {
		if (sv_qcow2_map(&q->link, off, size - off, holes, &run, &err) < 0) {
			must_say(&err);
			run.length = q->cluster - off % q->cluster;
		} else {
			require(run.length && run.length <= size - off);
			read_run(q, off, &run);
		}
		off += run.length;
	}
}

static void look_at_snapshots(struct host *h, const struct sv_qcow2 *q)
{
	for (size_t i = 0; i < q->snapshots.n && i < 4; i++) {
		struct sv_qcow2 *s = open_link(h, false, q->snapshots.all[i].info.id);

		if (!s)
			continue;
		walk(s, false);
		sv_link_close(&s->link);
	}
}

/* Errors; UINT64_MAX where the check could not be made. */
static uint64_t check(struct host *h)
{
	struct sv_link_env env = {.host = &h->h};
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	if (sv_qcow2_check(&env, "/image", h->image, &faults, NULL, &err) < 0) {
		must_say(&err);
		return UINT64_MAX;
	}
	return faults.errors;
}

/* ---- changing ---- */

/* A range that the input chooses, spread over the disk. */
static uint64_t spread(struct sv_qcow2 *q, uint64_t place, uint64_t max, uint64_t *ret_n)
{
	uint64_t size = q->link.info.virtual_size;
	uint64_t off = place * UINT64_C(0x9e3779b97f4a7c15) % size;

	*ret_n = SV_MIN(size - off, 1 + place % max);
	return off;
}

/* A sound image takes every change, but for what only its lies or our memory stop. */
static void may_fail(const struct sv_err *err, bool sound)
{
	must_say(err);
	require(!sound || err->code == SV_NOSPACE || err->code == SV_NOMEM ||
		err->code == SV_USAGE);
}

/* Compressed data are not looked at by the check. */
static bool can_be_damaged(const struct sv_err *err)
{
	return err->code == SV_CORRUPT && strstr(err->message, "unpacks");
}

static bool write_there(struct sv_qcow2 *q, uint64_t place, bool sound)
{
	uint8_t data[20000], got[sizeof data];
	struct sv_err err = SV_ERR_INIT;
	uint64_t n, off = spread(q, place, sizeof data, &n);

	memset(data, 0xd7, sizeof data);
	if (sv_qcow2_write(&q->link, data, (size_t)n, off, &err) < 0) {
		if (!can_be_damaged(&err))
			may_fail(&err, sound);
		return false;
	}
	if (sound) {
		require(sv_qcow2_read_view(q, got, n, off, &err) == 0);
		require(!memcmp(got, data, n));
	}
	return true;
}

static bool discard_there(struct sv_qcow2 *q, uint64_t place, bool sound)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t got[40000];
	uint64_t n, off = spread(q, place, sizeof got, &n);

	if (sv_qcow2_discard(&q->link, off, n, &err) < 0) {
		if (!can_be_damaged(&err))
			may_fail(&err, sound);
		return false;
	}
	if (sound) {
		require(sv_qcow2_read_view(q, got, n, off, &err) == 0);
		require(sv_is_zero(got, n));
	}
	return true;
}

static void change(struct sv_qcow2 *q, const uint8_t *bytes, size_t n, bool sound)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t place;

	if (n < sizeof place || !q->link.info.virtual_size)
		return;
	memcpy(&place, bytes + n - sizeof place, sizeof place);
	for (unsigned i = 0; i < 4; i++) {
		if (!write_there(q, place + 3 * i, sound) ||
			!discard_there(q, place + 3 * i + 1, sound) ||
			!write_there(q, place + 3 * i + 1, sound) ||
			!discard_there(q, place + 3 * i, sound))
			break;
		if (i % 2 && sv_qcow2_flush(&q->link, &err) < 0)
			may_fail(&err, false);
	}
	if (sv_qcow2_flush(&q->link, &err) < 0)
		may_fail(&err, false);
}

static void grow(struct sv_qcow2 *q)
{
	uint64_t old = q->link.info.virtual_size, more = (old + old / 2 + 77 * SV_SECTOR);
	struct sv_err err = SV_ERR_INIT;

	more = sv_align_up(more, SV_SECTOR);
	/* what libFuzzer has memory for */
	if (*q->h.backing || sv_qcow2_l1_needed(&q->h, more) > 65536)
		return;
	if (sv_qcow2_grow(&q->link, NULL, more, &err) < 0) {
		must_say(&err);
		return;
	}
	require(q->h.size == more);
	q->link.info.virtual_size = more;
	walk(q, true);
}

static void change_all(struct host *h, struct sv_dev *below, const uint8_t *bytes, size_t n)
{
	bool sound = check(h) == 0;
	struct sv_qcow2 *q = open_link(h, true, NULL);

	if (!q)
		return;
	q->link.below = sv_dev_ref(below);
	change(q, bytes, n, sound);
	if (sound)
		require(check(h) == 0);
	grow(q);
	sv_link_close(&q->link);
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
	struct sv_qcow2 *q;

	if (n > INPUT_MAX)
		return 0;
	h.image = load(bytes, n);
	h.data = sv_sparse_open(100000, MEMORY, "/data", NULL);
	require(h.data != NULL);
	q = open_link(&h, false, NULL);
	if (q) {
		walk(q, false);
		walk(q, true);
		look_at_snapshots(&h, q);
		if (*q->h.backing)
			below = open_below();
		sv_link_close(&q->link);
		change_all(&h, below, bytes, n);
	} else {
		check(&h);
	}
	sv_dev_close(h.image);
	sv_dev_close(h.data);
	return 0;
}
