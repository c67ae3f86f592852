/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies into a folder of the host, and into nowhere: see sink.h. */
#include "cli/sink.h"

#include <sys/stat.h>

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

struct sv_extract_meta sv_sink_meta(const struct sv_object *o)
{
	const struct sv_fs_stat *st = &o->st;

	return (struct sv_extract_meta){
		.mtime_sec = st->mtime.sec,
		.mtime_nsec = st->mtime.nsec,
		.atime_sec = st->atime.sec,
		.atime_nsec = st->atime.nsec,
		.has_mode = st->mode || st->owned,
		.mode = st->mode,
		.uid = st->uid,
		.gid = st->gid,
		.attrs = o->attrs,
		.n_attrs = o->n_attrs,
	};
}

static struct host_sink *host(struct sv_sink *s)
{
	return (struct host_sink *)s;
}

static int host_folder(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	(void)o;
	return sv_extract_enter(host(s)->x, name, err);
}

static int host_end_folder(struct sv_sink *s, const struct sv_object *o, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);

	return sv_extract_leave(host(s)->x, &meta, err);
}

static int host_file(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	(void)o;
	return sv_extract_begin(host(s)->x, name, host(s)->replace, err);
}

static int host_write(
	struct sv_sink *s, const void *bytes, size_t n, uint64_t off, struct sv_err *err)
{
	return sv_extract_write(host(s)->x, bytes, n, off, err);
}

static int host_end_file(
	struct sv_sink *s, const struct sv_object *o, bool whole, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);

	if (whole)
		return sv_extract_finish(host(s)->x, o->st.size, &meta, err);
	sv_extract_drop(host(s)->x);
	return 0;
}

static int host_link(struct sv_sink *s, const char *name, const char *target,
	const struct sv_object *o, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);

	return sv_extract_link(host(s)->x, name, target, host(s)->replace, &meta, err);
}

uint32_t sv_sink_mode(enum sv_fs_type type)
{
	return type == SV_FS_CHAR    ? S_IFCHR
	       : type == SV_FS_BLOCK ? S_IFBLK
	       : type == SV_FS_FIFO  ? S_IFIFO
				     : S_IFSOCK;
}

static int host_node(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	struct sv_extract_meta meta = sv_sink_meta(o);

	return sv_extract_node(host(s)->x, name, sv_sink_mode(o->st.type), o->st.dev_major,
		o->st.dev_minor, host(s)->replace, &meta, err);
}

static int host_again(struct sv_sink *s, const char *name, const char *first,
	const struct sv_object *o, struct sv_err *err)
{
	(void)o;
	return sv_extract_again(host(s)->x, name, first, host(s)->replace, err);
}

static int host_end(struct sv_sink *s, struct sv_err *err)
{
	(void)err;
	s->left_out = sv_extract_left_out(host(s)->x);
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
	.node = host_node,
	.again = host_again,
	.end = host_end,
	.close = host_close,
};

struct sv_sink *sv_sink_host(const char *dir, bool replace, bool archive, struct sv_err *err)
{
	struct host_sink *h = calloc(1, sizeof *h);

	if (!h) {
		sv_fail_nomem(err);
		return NULL;
	}
	h->base = (struct sv_sink){.ops = &host_ops,
		.keeps_all_links = archive,
		.keeps_devices = archive,
		.keeps_sockets = archive,
		.wants_attrs = true};
	h->replace = replace;
	if (sv_extract_open(dir, archive, &h->x, err)) {
		free(h);
		return NULL;
	}
	return &h->base;
}

/* ---- nowhere: what --dry-run copies to ---- */

static int end_nothing(struct sv_sink *s, struct sv_err *err)
{
	(void)s;
	(void)err;
	return 0;
}

static int skip_object(
	struct sv_sink *s, const char *name, const struct sv_object *o, struct sv_err *err)
{
	(void)s;
	(void)name;
	(void)o;
	(void)err;
	return 0;
}

static int skip_end_folder(struct sv_sink *s, const struct sv_object *o, struct sv_err *err)
{
	return skip_object(s, "", o, err);
}

static int skip_link(struct sv_sink *s, const char *name, const char *target,
	const struct sv_object *o, struct sv_err *err)
{
	(void)target;
	return skip_object(s, name, o, err);
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
	.node = skip_object,
	.again = skip_link,
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
