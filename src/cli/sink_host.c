/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies into a folder of the host, and into nowhere: see sink.h. */
#include "cli/sink.h"

#include "io/extract.h"

struct host_sink {
	struct sv_sink base;
	struct sv_extract *x;
	bool replace;
};

void sv_sink_close(struct sv_sink *s)
{
	if (s)
		s->ops->close(s);
}

static struct sv_extract_meta meta_of(const struct sv_fs_stat *st)
{
	return (struct sv_extract_meta){
		.mtime_sec = st->mtime.sec, .mtime_nsec = st->mtime.nsec, .mode = st->mode};
}

static struct host_sink *host(struct sv_sink *s)
{
	return (struct host_sink *)s;
}

static int host_folder(
	struct sv_sink *s, const char *name, const struct sv_fs_stat *st, struct sv_err *err)
{
	(void)st;
	return sv_extract_enter(host(s)->x, name, err);
}

static int host_end_folder(struct sv_sink *s, const struct sv_fs_stat *st, struct sv_err *err)
{
	struct sv_extract_meta meta = meta_of(st);

	return sv_extract_leave(host(s)->x, &meta, err);
}

static int host_file(
	struct sv_sink *s, const char *name, const struct sv_fs_stat *st, struct sv_err *err)
{
	(void)st;
	return sv_extract_begin(host(s)->x, name, host(s)->replace, err);
}

static int host_write(
	struct sv_sink *s, const void *bytes, size_t n, uint64_t off, struct sv_err *err)
{
	return sv_extract_write(host(s)->x, bytes, n, off, err);
}

static int host_end_file(
	struct sv_sink *s, const struct sv_fs_stat *st, bool whole, struct sv_err *err)
{
	struct sv_extract_meta meta = meta_of(st);

	if (whole)
		return sv_extract_finish(host(s)->x, st->size, &meta, err);
	sv_extract_drop(host(s)->x);
	return 0;
}

static int host_link(struct sv_sink *s, const char *name, const char *target,
	const struct sv_fs_stat *st, struct sv_err *err)
{
	(void)st;
	return sv_extract_link(host(s)->x, name, target, host(s)->replace, err);
}

static int end_nothing(struct sv_sink *s, struct sv_err *err)
{
	(void)s;
	(void)err;
	return 0;
}

static void host_close(struct sv_sink *s)
{
	sv_extract_close(host(s)->x);
	free(s);
}

static const struct sv_sink_ops host_ops = {
	.folder = host_folder,
	.end_folder = host_end_folder,
	.file = host_file,
	.write = host_write,
	.end_file = host_end_file,
	.link = host_link,
	.end = end_nothing,
	.close = host_close,
};

struct sv_sink *sv_sink_host(const char *dir, bool replace, struct sv_err *err)
{
	struct host_sink *h = calloc(1, sizeof *h);

	if (!h) {
		sv_fail_nomem(err);
		return NULL;
	}
	h->base.ops = &host_ops;
	h->replace = replace;
	if (sv_extract_open(dir, &h->x, err)) {
		free(h);
		return NULL;
	}
	return &h->base;
}

/* ---- nowhere: what --dry-run copies to ---- */

static int skip_object(
	struct sv_sink *s, const char *name, const struct sv_fs_stat *st, struct sv_err *err)
{
	(void)s;
	(void)name;
	(void)st;
	(void)err;
	return 0;
}

static int skip_end_folder(struct sv_sink *s, const struct sv_fs_stat *st, struct sv_err *err)
{
	return skip_object(s, "", st, err);
}

static int skip_link(struct sv_sink *s, const char *name, const char *target,
	const struct sv_fs_stat *st, struct sv_err *err)
{
	(void)target;
	return skip_object(s, name, st, err);
}

static void close_nowhere(struct sv_sink *s)
{
	free(s);
}

/* Has no write and end_file: the content is not even read. */
static const struct sv_sink_ops nowhere_ops = {
	.folder = skip_object,
	.end_folder = skip_end_folder,
	.file = skip_object,
	.link = skip_link,
	.end = end_nothing,
	.close = close_nowhere,
};

struct sv_sink *sv_sink_nowhere(struct sv_err *err)
{
	struct sv_sink *s = calloc(1, sizeof *s);

	if (s)
		s->ops = &nowhere_ops;
	else
		sv_fail_nomem(err);
	return s;
}
