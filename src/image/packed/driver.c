/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The drivers of packed raw disks: gzip, xz, zstd. One stream each, a device over it, and a raw
 * disk on that. What is packed must be a raw disk: another format inside is named and refused,
 * as is writing.
 */
#include "image/packed/packed.h"
#include "image/raw.h"

#include "base/str.h"

#include <string.h>

struct packer {
	const struct sv_image_driver *driver;
	const struct sv_packed_kind *kind;
	const char *unpack; /* a command, without the file */
};

static const struct packer packers[] = {
	{&sv_gzip_driver, &sv_packed_gzip, "gunzip -k"},
	{&sv_xz_driver, &sv_packed_xz, "xz -dk"},
	{&sv_zstd_driver, &sv_packed_zstd, "zstd -d"},
};

static const struct packer *packer_of(const struct sv_image_driver *d)
{
	const struct packer *p = packers;

	while (p->driver != d)
		p++;
	return p;
}

/* ---- probing ---- */

static bool begins(const struct sv_probe *p, size_t at, const char *bytes, size_t n)
{
	return sv_in_range(at, n, p->n_head) && !memcmp(p->head + at, bytes, n);
}

static bool gzip_probe(const struct sv_probe *p)
{
	return begins(p, 0, "\x1f\x8b\x08", 3) && p->n_head > 3 && !(p->head[3] & 0xe0);
}

static bool xz_probe(const struct sv_probe *p)
{
	return begins(p, 0,
		"\xfd"
		"7zXZ\0",
		6);
}

/* pzstd puts a skippable frame of 4 bytes before each. */
static bool zstd_probe(const struct sv_probe *p)
{
	static const char magic[] = "\x28\xb5\x2f\xfd";

	return begins(p, 0, magic, 4) ||
	       (begins(p, 0, "\x50\x2a\x4d\x18\4\0\0\0", 8) && begins(p, 12, magic, 4));
}

/* ---- opening ---- */

static struct sv_dev *open_unpacked(
	const struct packer *k, struct sv_dev *file, const char *path, struct sv_err *err)
{
	struct sv_stream *s = k->kind->open(file, err);
	struct sv_dev *d = s ? sv_pages_open(s, err) : NULL;

	if (!d)
		sv_err_path(err, path);
	return d;
}

static int refuse_content(
	const struct packer *k, struct sv_dev *unpacked, const char *path, struct sv_err *err)
{
	struct sv_probe_buf *buf = malloc(sizeof *buf);
	size_t n = (size_t)SV_MIN(sv_dev_size(unpacked), SV_PROBE_HEAD);
	char name[SV_PROBE_NAME];
	bool known;
	int rc;

	if (!buf)
		return sv_fail_nomem(err);
	/* its end would be unpacked for nothing: what can be told there only is no raw disk's
	 */
	buf->probe = (struct sv_probe){buf->head, n, buf->tail, 0, sv_dev_size(unpacked)};
	rc = sv_dev_read(unpacked, buf->head, n, 0, err);
	known = rc == 0 && sv_probe_name(&buf->probe, name);
	free(buf);
	if (!known)
		return rc;
	sv_fail(err, SV_UNSUPPORTED, path,
		"what is packed in it is %s; only raw disks are read in place", name);
	return sv_hint(err, "unpack it, and open what is in it: %s %s", k->unpack, path);
}

static int refuse_writing(const struct packer *k, const char *path, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, path, "a disk packed with %s is only read, not written",
		k->driver->name);
	return sv_hint(err, "unpack it, and open what is in it: %s %s", k->unpack, path);
}

/* Bytes of data, as far as that is known. */
static uint64_t count_data(const struct sv_raw *r)
{
	uint64_t size = sv_dev_size(r->file), data = 0;
	struct sv_extent e;

	for (uint64_t off = 0; off < size; off += e.length) {
		sv_dev_extent(r->file, off, size - off, &e, NULL); /* of pages: never fails */
		data += e.kind == SV_EXTENT_DATA ? e.length : 0;
	}
	return data;
}

static int fill_info(
	struct sv_raw *r, const struct sv_link_env *env, const char *path, struct sv_err *err)
{
	struct sv_image_link *info = &r->link.info;

	r->link.flatten = true;
	info->compressed = true;
	free(info->subformat);
	info->subformat = strdup("raw");
	if (!info->subformat)
		return sv_fail_nomem(err);
	info->allocated = count_data(r);
	return sv_link_add_file(&r->link, env->host, path, true, err);
}

static int open_with(const struct sv_image_driver *d, const struct sv_link_env *env,
	const char *path, struct sv_dev *file, struct sv_link **ret, struct sv_err *err)
{
	const struct packer *k = packer_of(d);
	sv_autodev struct sv_dev *unpacked = NULL;
	struct sv_raw *r;

	if (env->writable)
		return refuse_writing(k, path, err);
	unpacked = open_unpacked(k, file, path, err);
	if (!unpacked || refuse_content(k, unpacked, path, err) < 0)
		return -1;
	r = sv_raw_new(env, d, path, unpacked, err);
	if (!r)
		return -1;
	if (fill_info(r, env, path, err) < 0) {
		sv_link_close(&r->link);
		return -1;
	}
	*ret = &r->link;
	return 0;
}

static int gzip_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	return open_with(&sv_gzip_driver, env, path, file, ret, err);
}

static int xz_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	return open_with(&sv_xz_driver, env, path, file, ret, err);
}

static int zstd_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	return open_with(&sv_zstd_driver, env, path, file, ret, err);
}

/* ---- reading ---- */

static struct sv_dev *unpacked_of(struct sv_link *l)
{
	return ((struct sv_raw *)l)->file;
}

/* Nothing lies in the file as the guest sees it. */
static int packed_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	struct sv_extent e;

	(void)holes;
	if (sv_dev_extent(unpacked_of(l), off, max, &e, err) < 0)
		return -1;
	*ret = (struct sv_run){e.length, e.kind == SV_EXTENT_DATA ? SV_RUN_DATA : SV_RUN_ZERO,
		SV_NO_HOST_OFFSET, NULL};
	return 0;
}

static int packed_read(struct sv_link *l, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	return sv_dev_read(unpacked_of(l), buf, n, off, err);
}

/* ---- checking ---- */

struct check {
	const char *path;
	struct sv_image_faults *faults;
	struct sv_job *job;
	struct sv_err *err;
};

/* Damage is what a check looks for; anything else ends it. */
static int note_damage(const struct check *c, const struct sv_err *why)
{
	if (why->code != SV_CORRUPT) {
		sv_err_copy(c->err, why);
		return sv_err_path(c->err, c->path);
	}
	c->faults->errors++;
	if (c->faults->report)
		c->faults->report(c->faults->user, false, c->path, why->offset, why->message);
	return 0;
}

/* From one start to the next: the first damage in it is told. */
static int check_part(
	const struct check *c, struct sv_stream *s, uint64_t from, uint64_t to, uint8_t *bin)
{
	struct sv_err why = SV_ERR_INIT;
	uint64_t off = from;
	size_t n;

	if (s->kind->seek(s, from, &off, &why) < 0)
		return note_damage(c, &why);
	for (; off < to; off += n) {
		n = (size_t)SV_MIN(to - off, SV_PACKED_PAGE);
		sv_job_progress(c->job, "checking", off, s->size);
		if (sv_job_check(c->job, c->err) < 0)
			return -1;
		if (s->kind->next(s, bin, n, &why) < 0)
			return note_damage(c, &why);
	}
	return 0;
}

static int check_stream(const struct check *c, struct sv_stream *s)
{
	sv_autofree uint8_t *bin = malloc(SV_PACKED_PAGE);
	uint64_t next;

	if (!bin)
		return sv_fail_nomem(c->err);
	for (uint64_t off = 0; off < s->size; off = next) {
		next = s->kind->next_start(s, off);
		if (check_part(c, s, off, next, bin) < 0)
			return -1;
	}
	return sv_raw_check_size(s->size, c->path, c->faults, c->err);
}

static int check_with(
	const struct sv_packed_kind *kind, struct sv_dev *file, const struct check *c)
{
	SV_CLEANUP(sv_stream_closep) struct sv_stream *s = NULL;
	struct sv_err why = SV_ERR_INIT;

	s = kind->open(file, &why);
	return s ? check_stream(c, s) : note_damage(c, &why);
}

static int gzip_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	const struct check c = {path, faults, job, err};

	(void)env;
	return check_with(&sv_packed_gzip, file, &c);
}

static int xz_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	const struct check c = {path, faults, job, err};

	(void)env;
	return check_with(&sv_packed_xz, file, &c);
}

static int zstd_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	const struct check c = {path, faults, job, err};

	(void)env;
	return check_with(&sv_packed_zstd, file, &c);
}

/* ---- */

static uint64_t packed_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	(void)original;
	(void)how;
	(void)size;
	return 0;
}

static int packed_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	const struct sv_link *l = sv_image_driver_link(original, 0);

	(void)size;
	if (how == SV_DERIVE_COPY)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, l->info.path,
		"no other program reads a disk packed with %s: nothing can be linked to it",
		l->driver->name);
	return sv_hint(err, "make an independent copy instead: --copy");
}

#define PACKED_DRIVER(kind, ending)                                                            \
	const struct sv_image_driver sv_##kind##_driver = {                                    \
		.name = #kind,                                                                 \
		.extension = ending,                                                           \
		.flat_format = "raw",                                                          \
		.probe = kind##_probe,                                                         \
		.open = kind##_open,                                                           \
		.close = sv_raw_close,                                                         \
		.map = packed_map,                                                             \
		.read = packed_read,                                                           \
		.check = kind##_check,                                                         \
		.flat_subformat = sv_raw_flat_subformat,                                       \
		.metadata_cost = packed_metadata_cost,                                         \
		.limits = packed_limits,                                                       \
	}

PACKED_DRIVER(gzip, ".gz");
PACKED_DRIVER(xz, ".xz");
PACKED_DRIVER(zstd, ".zst");
