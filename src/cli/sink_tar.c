/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies into a tar stream: POSIX.1-2008 pax interchange format (pax(1), "ustar Interchange
 * Format" and "pax Header Block"). A pax header is written only where ustar cannot hold a
 * path, a size or a time; times always have their nanoseconds. Files with holes are written as
 * GNU tar's sparse format 1.0 has them ("Storing Sparse Files" in its manual): the true name
 * and size in the pax header, then a map of the data in decimal lines, then the data alone.
 */
#include "base/num.h"
#include "base/str.h"
#include "cli/sink.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ID_MAX   07777777u /* what seven octal digits hold */
#define BLOCK    512u
#define WORTH_IT 65536 /* bytes of holes from which on the map is written */

struct tar_header {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char checksum[8];
	char type;
	char linkname[100];
	char magic[6], version[2];
	char uname[32], gname[32];
	char devmajor[8], devminor[8];
	char prefix[155];
	char pad[12];
};
static_assert(sizeof(struct tar_header) == BLOCK, "a tar header is one block");

struct tar_sink {
	struct sv_sink base;
	struct sv_out *out;
	struct sv_job *job;
	struct sv_str path;  /* of the folder at hand, with '/' at its end */
	uint64_t size, done; /* of the file at hand: how far it is written */
	uint64_t stored;     /* what of it is in the stream, the map not counted */
	bool sparse; /* then these say where its data are; borrowed while it is written */
	const struct sv_fs_range *ranges;
	size_t n_ranges, range;
};

static struct tar_sink *tar(struct sv_sink *s)
{
	return (struct tar_sink *)s;
}

static int check_out(const struct tar_sink *t, struct sv_err *err)
{
	if (!sv_out_gone(t->out))
		return 0;
	if (t->out->sys == EPIPE)
		return sv_fail(err, SV_CANCELLED, NULL, "nobody reads the stream any more");
	return sv_fail_errno(err, t->out->sys, NULL, "cannot write the stream");
}

/* "LEN key=value\n", where LEN counts its own digits too. */
static void add_bytes(
	struct sv_str *pax, const char *prefix, const char *key, const void *value, size_t n)
{
	size_t rest = strlen(prefix) + strlen(key) + n + 3, digits = 1, limit = 10;

	while (rest + digits >= limit) {
		digits++;
		limit *= 10;
	}
	sv_str_addf(pax, "%zu %s%s=", rest + digits, prefix, key);
	sv_str_addn(pax, value, n);
	sv_str_add(pax, "\n");
}

static void add_record(struct sv_str *pax, const char *key, const char *value)
{
	add_bytes(pax, "", key, value, strlen(value));
}

static void add_number(struct sv_str *pax, const char *key, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	add_record(pax, key, text);
}

static void put_octal(char *field, size_t n, uint64_t value)
{
	snprintf(field, n, "%0*llo", (int)n - 1, (unsigned long long)value);
}

/* Windows has no permissions that a tar could hold, and links have none. */
static uint32_t mode_of(const struct sv_fs_stat *st, char type)
{
	if (type != '2' && (st->owned || st->mode))
		return st->mode & (st->owned ? 07777 : 0777);
	return type == '2' ? 0777 : type == '5' ? 0755 : 0644;
}

static void put_header(struct tar_sink *t, const char *path, char type, uint64_t size,
	const struct sv_fs_stat *st, const char *link)
{
	uint32_t sum = 0;
	struct tar_header h = {.type = type, .magic = "ustar", .version = {'0', '0'}};
	const uint8_t *p = (const uint8_t *)&h;

	memcpy(h.name, path, SV_MIN(strlen(path), sizeof h.name));
	memcpy(h.linkname, link, SV_MIN(strlen(link), sizeof h.linkname));
	put_octal(h.mode, sizeof h.mode, mode_of(st, type));
	put_octal(h.uid, sizeof h.uid, st->uid > ID_MAX ? 0 : st->uid);
	put_octal(h.gid, sizeof h.gid, st->gid > ID_MAX ? 0 : st->gid);
	put_octal(h.size, sizeof h.size, size >> 33 ? 0 : size);
	put_octal(h.mtime, sizeof h.mtime,
		st->mtime.sec > 0 && !(st->mtime.sec >> 33) ? (uint64_t)st->mtime.sec : 0);
	if (type == '3' || type == '4') {
		put_octal(h.devmajor, sizeof h.devmajor, st->dev_major);
		put_octal(h.devminor, sizeof h.devminor, st->dev_minor);
	}
	memset(h.checksum, ' ', sizeof h.checksum);
	for (size_t i = 0; i < sizeof h; i++)
		sum += p[i];
	snprintf(h.checksum, sizeof h.checksum, "%06o", sum);
	sv_out_bytes(t->out, &h, sizeof h);
}

static void put_padding(struct tar_sink *t, uint64_t size)
{
	static const char zeros[BLOCK];

	sv_out_bytes(t->out, zeros, (size_t)(-size % BLOCK));
}

/* The time as pax writes it: seconds with a fraction, rounded down before 1970 too. */
static void add_time(struct sv_str *pax, struct sv_fs_time t)
{
	char text[40];
	bool whole = t.sec >= 0 || !t.nsec;

	snprintf(text, sizeof text, "%s%lld.%09u", whole || t.sec + 1 ? "" : "-",
		(long long)(whole ? t.sec : t.sec + 1), whole ? t.nsec : 1000000000 - t.nsec);
	add_record(pax, "mtime", text);
}

static bool is_ascii(const char *s)
{
	while (*s && (unsigned char)*s < 0x80)
		s++;
	return !*s;
}

static void add_text(struct sv_str *pax, const char *key, const char *value)
{
	if (strlen(value) > 100 || !is_ascii(value))
		add_record(pax, key, value);
}

/* What does not fit into the header. */
static void add_records(struct sv_str *pax, const char *path, uint64_t size,
	const struct sv_object *o, const char *link)
{
	add_time(pax, o->st.mtime);
	add_text(pax, "path", path);
	add_text(pax, "linkpath", link);
	if (size >> 33)
		add_number(pax, "size", size);
	if (o->st.uid > ID_MAX)
		add_number(pax, "uid", o->st.uid);
	if (o->st.gid > ID_MAX)
		add_number(pax, "gid", o->st.gid);
	for (size_t i = 0; i < o->n_attrs; i++)
		add_bytes(pax, "SCHILY.xattr.", o->attrs[i].name, o->attrs[i].value,
			o->attrs[i].n);
}

/* `more`: records that come last, and so win; may be NULL. */
static int put_with_pax(struct tar_sink *t, const struct sv_str *more, const char *path,
	char type, uint64_t size, const struct sv_object *o, const char *link,
	struct sv_err *err)
{
	sv_autostr struct sv_str pax = {0};

	add_records(&pax, path, size, o, link);
	if (more)
		sv_str_addn(&pax, more->data, more->len);
	if (pax.failed || (more && more->failed))
		return sv_fail_nomem(err);
	put_header(t, "././@PaxHeader", 'x', pax.len, &o->st, "");
	sv_out_bytes(t->out, pax.data, pax.len);
	put_padding(t, pax.len);
	put_header(t, path, type, size, &o->st, link);
	return check_out(t, err);
}

static int put_named(struct tar_sink *t, const char *name, char type, uint64_t size,
	const struct sv_object *o, const char *link, struct sv_err *err)
{
	sv_autofree char *path = sv_format("%s%s", t->path.data ? t->path.data : "", name);

	if (!path)
		return sv_fail_nomem(err);
	return put_with_pax(t, NULL, path, type, size, o, link, err);
}

static int tar_folder(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	struct tar_sink *t = tar(s);

	sv_str_addf(&t->path, "%s/", name);
	if (t->path.failed)
		return sv_fail_nomem(err);
	return put_with_pax(t, NULL, t->path.data, '5', 0, o, "", err);
}

static int tar_end_folder(struct sv_sink *s, const struct sv_object *o, struct sv_err *err)
{
	struct tar_sink *t = tar(s);

	(void)o;
	(void)err;
	do
		t->path.len--; /* the '/' at the end, then the name */
	while (t->path.len && t->path.data[t->path.len - 1] != '/');
	t->path.data[t->path.len] = 0;
	return 0;
}

/* ---- files, and files with holes ---- */

/* How many ranges, then the place and the length of each, a number a line, in whole blocks. One
 * that is empty ends the map: it tells the size to readers that look for it there. */
static void make_map(const struct sv_object *o, struct sv_str *ret)
{
	static const char zeros[BLOCK];

	sv_str_addf(ret, "%zu\n", o->n_ranges + 1);
	for (size_t i = 0; i < o->n_ranges; i++)
		sv_str_addf(ret, "%llu\n%llu\n", (unsigned long long)o->ranges[i].off,
			(unsigned long long)o->ranges[i].len);
	sv_str_addf(ret, "%llu\n0\n", (unsigned long long)o->st.size);
	sv_str_addn(ret, zeros, -ret->len % BLOCK);
}

static int put_sparse(
	struct tar_sink *t, const char *name, const struct sv_object *o, struct sv_err *err)
{
	const char *folder = t->path.data ? t->path.data : "";
	sv_autofree char *path = sv_format("%s%s", folder, name);
	sv_autofree char *shown = sv_format("%sGNUSparseFile.0/%s", folder, name);
	sv_autostr struct sv_str pax = {0}, map = {0};

	make_map(o, &map);
	if (!path || !shown || map.failed)
		return sv_fail_nomem(err);
	add_record(&pax, "GNU.sparse.major", "1");
	add_record(&pax, "GNU.sparse.minor", "0");
	add_record(&pax, "GNU.sparse.name", path);
	add_number(&pax, "GNU.sparse.realsize", o->st.size);
	if (put_with_pax(t, &pax, shown, '0', map.len + t->stored, o, "", err))
		return -1;
	sv_out_bytes(t->out, map.data, map.len);
	return check_out(t, err);
}

static uint64_t data_of(const struct sv_object *o)
{
	uint64_t n = 0;

	for (size_t i = 0; i < o->n_ranges; i++)
		n += o->ranges[i].len;
	return n;
}

static int tar_file(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	struct tar_sink *t = tar(s);
	bool sparse = o->has_ranges && o->st.size - data_of(o) >= WORTH_IT;

	t->size = o->st.size;
	t->stored = sparse ? data_of(o) : o->st.size;
	t->sparse = sparse;
	t->ranges = sparse ? o->ranges : NULL;
	t->n_ranges = sparse ? o->n_ranges : 0;
	t->done = t->range = 0;
	return sparse ? put_sparse(t, name, o, err)
		      : put_named(t, name, '0', o->st.size, o, "", err);
}

static int put_zeros(struct tar_sink *t, uint64_t n, struct sv_err *err)
{
	static const char zeros[64 * SV_KIB];

	while (n) {
		size_t part = (size_t)SV_MIN(n, (uint64_t)sizeof zeros);

		if (sv_job_check(t->job, err) || check_out(t, err))
			return -1;
		sv_out_bytes(t->out, zeros, part);
		n -= part;
	}
	return 0;
}

/* The next part of [t->done, end) that is all in the stream, or all in a hole. */
static uint64_t part_of(struct tar_sink *t, uint64_t end, bool *ret_stored)
{
	const struct sv_fs_range *r;

	*ret_stored = !t->sparse;
	if (!t->sparse)
		return end - t->done;
	while (t->range < t->n_ranges &&
		t->done >= t->ranges[t->range].off + t->ranges[t->range].len)
		t->range++;
	if (t->range == t->n_ranges)
		return end - t->done;
	r = &t->ranges[t->range];
	*ret_stored = t->done >= r->off;
	return SV_MIN(end, *ret_stored ? r->off + r->len : r->off) - t->done;
}

/* Goes on to `end` with zeros: what was not written. */
static int skip_to(struct tar_sink *t, uint64_t end, struct sv_err *err)
{
	while (t->done < end) {
		bool stored;
		uint64_t n = part_of(t, end, &stored);

		if (stored && put_zeros(t, n, err))
			return -1;
		t->done += n;
	}
	return 0;
}

static int tar_write(
	struct sv_sink *s, const void *bytes, size_t n, uint64_t off, struct sv_err *err)
{
	struct tar_sink *t = tar(s);
	const uint8_t *p = bytes;
	uint64_t end = off + n;

	if (off < t->done || !sv_in_range(off, n, t->size))
		return sv_fail(err, SV_INTERNAL, NULL, "a tar stream is written in order");
	if (skip_to(t, off, err))
		return -1;
	while (t->done < end) {
		bool stored;
		size_t part = (size_t)part_of(t, end, &stored);

		if (stored)
			sv_out_bytes(t->out, p, part);
		else if (!sv_is_zero(p, part))
			return sv_fail(err, SV_INTERNAL, NULL, "a hole has data");
		p += part;
		t->done += part;
	}
	return check_out(t, err);
}

/* The size was promised in the header: what could not be read is zeros. */
static int tar_end_file(
	struct sv_sink *s, const struct sv_object *o, bool whole, struct sv_err *err)
{
	struct tar_sink *t = tar(s);

	(void)o;
	(void)whole;
	if (skip_to(t, t->size, err))
		return -1;
	t->ranges = NULL;
	t->n_ranges = 0;
	put_padding(t, t->stored);
	return check_out(t, err);
}

static int tar_link(struct sv_sink *s, const char *name, const char *target,
	const struct sv_object *o, struct sv_err *err)
{
	return put_named(tar(s), name, '2', 0, o, target, err);
}

static int tar_node(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	char type = o->st.type == SV_FS_CHAR ? '3' : o->st.type == SV_FS_BLOCK ? '4' : '6';

	return put_named(tar(s), name, type, 0, o, "", err);
}

static int tar_again(struct sv_sink *s, const char *name, const char *first,
	const struct sv_object *o, struct sv_err *err)
{
	return put_named(tar(s), name, '1', 0, o, first, err);
}

static int tar_end(struct sv_sink *s, struct sv_err *err)
{
	static const char zeros[2 * BLOCK];

	sv_out_bytes(tar(s)->out, zeros, sizeof zeros);
	return check_out(tar(s), err);
}

static void tar_close(struct sv_sink *s)
{
	sv_str_free(&tar(s)->path);
	free(s);
}

static const struct sv_sink_ops tar_ops = {
	.folder = tar_folder,
	.end_folder = tar_end_folder,
	.file = tar_file,
	.write = tar_write,
	.end_file = tar_end_file,
	.link = tar_link,
	.node = tar_node,
	.again = tar_again,
	.end = tar_end,
	.close = tar_close,
};

struct sv_sink *sv_sink_tar(struct sv_out *out, struct sv_job *job, struct sv_err *err)
{
	struct tar_sink *t = calloc(1, sizeof *t);

	if (!t) {
		sv_fail_nomem(err);
		return NULL;
	}
	t->base = (struct sv_sink){.ops = &tar_ops,
		.keeps_all_links = true,
		.keeps_devices = true,
		.wants_attrs = true,
		.wants_ranges = true};
	t->out = out;
	t->job = job;
	return &t->base;
}
