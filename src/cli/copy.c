/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies trees of a guest: see copy.h. What is wrong with one object (unreadable, a name that
 * cannot be used, taken) is told and counted, and the copy goes on; what would be wrong with
 * the next one too (no space, an I/O error of the host) ends it.
 */
#include "cli/copy.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/names.h"
#include "cli/tree.h"
#include "fs/extract.h"
#include "io/extract.h"

#include <string.h>

#define RANGES_MAX 100000 /* of one file: 4 MiB of map in a tar */

struct copying {
	struct sv_copy *c;
	const char *name;    /* of the root */
	const char *what;    /* its path in the guest, for messages */
	struct sv_job inner; /* of one file */
	unsigned depth;      /* folders that were entered */
	struct sv_str path;  /* of the object at hand, in the copy */
	struct sv_names names;
	struct sv_object o;
};

static int problem(void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	struct copying *k = user;

	(void)err;
	k->c->failed++;
	/* the root's own path ends with a '/' */
	sv_job_note(&k->c->cli->job, "%s%s%s: not copied: %s%s%s", k->what,
		*path && k->what[1] ? "/" : "", path, what->message, *what->hint ? "; " : "",
		what->hint);
	return 0;
}

/* An error of the host for one object, or for all that would follow? */
static int soften(struct copying *k, const struct sv_tree_item *item, const struct sv_err *what,
	struct sv_err *err)
{
	if (what->code == SV_EXISTS || what->code == SV_UNSUPPORTED ||
		what->code == SV_CORRUPT || what->code == SV_PERMISSION ||
		what->code == SV_NOTFOUND)
		return problem(k, item->path, what, err);
	sv_err_copy(err, what);
	return -1;
}

/* ---- what is kept beside the data ---- */

static void forget_attrs(struct sv_object *o)
{
	for (size_t i = 0; i < o->n_attrs; i++) {
		free(o->attrs[i].name);
		free(o->attrs[i].value);
	}
	free(o->attrs);
	o->attrs = NULL;
	o->n_attrs = 0;
}

static int take_attr(void *user, const char *name, const void *value, size_t n)
{
	struct sv_object *o = user;
	struct sv_extract_attr *a = realloc(o->attrs, (o->n_attrs + 1) * sizeof *a);

	if (!a)
		return SV_NOMEM;
	o->attrs = a;
	a += o->n_attrs++;
	*a = (struct sv_extract_attr){strdup(name), malloc(n ? n : 1), n};
	if (!a->name || !a->value)
		return SV_NOMEM;
	if (n)
		memcpy(a->value, value, n);
	return 0;
}

/* Where a file with holes has its data. Without that it is copied as if it had none. */
static void load_ranges(struct copying *k, const struct sv_tree_item *item)
{
	struct sv_object *o = &k->o;

	free(o->ranges);
	o->ranges = NULL;
	o->n_ranges = 0;
	o->has_ranges = k->c->sink->wants_ranges && item->st.type == SV_FS_FILE &&
			item->st.allocated < item->st.size && !item->st.compressed &&
			sv_fs_data_ranges(item->fs, item->st.ino, RANGES_MAX, &o->ranges,
				&o->n_ranges, NULL) == 0;
}

/* Attributes that cannot be read are told; the object is copied without them. */
static int load_object(struct copying *k, const struct sv_tree_item *item, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	int rc;

	forget_attrs(&k->o);
	k->o.st = item->st;
	load_ranges(k, item);
	if (!k->c->sink->wants_attrs)
		return 0;
	rc = sv_fs_xattrs(item->fs, item->st.ino, take_attr, &k->o, &what);
	if (rc > 0 || (rc < 0 && what.code == SV_NOMEM))
		return sv_fail_nomem(err);
	return rc < 0 ? problem(k, item->path, &what, err) : 0;
}

/* ---- a file's data: sv_fs_extract() writes to a device, and the device is the sink ---- */

struct sink_dev {
	struct sv_dev dev;
	struct copying *k;
	bool failed; /* the sink did: not the guest's fault */
};

static int sink_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	(void)buf;
	(void)n;
	return sv_fail_at(err, SV_INTERNAL, sv_dev_name(d), off, "a copy is only written");
}

static int sink_pwrite(
	struct sv_dev *d, const void *bytes, size_t n, uint64_t off, struct sv_err *err)
{
	struct sink_dev *s = (struct sink_dev *)d;
	struct sv_sink *sink = s->k->c->sink;

	if (sv_job_check(&s->k->c->cli->job, err) == 0 &&
		sink->ops->write(sink, bytes, n, off, err) == 0)
		return 0;
	s->failed = true;
	return -1;
}

/* The size was announced with the file. */
static int sink_resize(struct sv_dev *d, uint64_t size, struct sv_err *err)
{
	(void)d;
	(void)size;
	(void)err;
	return 0;
}

static void sink_close(struct sv_dev *d)
{
	(void)d; /* it lies on the stack */
}

/* What sv_fs_extract() tells of one file becomes the progress of all; Ctrl-C goes down. */
static void pass_progress(void *user, const char *stage, uint64_t done, uint64_t total)
{
	struct copying *k = user;
	struct sv_copy *c = k->c;

	(void)stage;
	(void)total;
	sv_job_progress(&c->cli->job, "copying", c->bytes + done, c->total);
	if (sv_job_check(&c->cli->job, NULL))
		atomic_store(&k->inner.cancel, true);
}

/* *ret_whole: all was read; else `what` says why not. -1 only where the sink failed, or the
 * work was cancelled. */
static int pump(struct copying *k, const struct sv_tree_item *item, bool *ret_whole,
	struct sv_err *what, struct sv_err *err)
{
	static const struct sv_dev_ops ops = {.kind = "copy",
		.pread = sink_pread,
		.pwrite = sink_pwrite,
		.resize = sink_resize,
		.close = sink_close};
	struct sink_dev s = {.k = k};
	int rc;

	if (sv_dev_init(&s.dev, &ops, item->path, 0, true, err))
		return -1;
	rc = sv_fs_extract(item->fs, item->st.ino, NULL, &s.dev, &k->inner, what);
	sv_dev_close(&s.dev);
	*ret_whole = !rc;
	if (!rc || (!s.failed && what->code != SV_CANCELLED && what->code != SV_NOMEM))
		return 0;
	sv_err_copy(err, what);
	return -1;
}

static int copy_file(struct copying *k, const char *name, const struct sv_tree_item *item,
	bool *ret_done, struct sv_err *err)
{
	struct sv_sink *sink = k->c->sink;
	struct sv_err what = SV_ERR_INIT;
	bool whole = false;

	if (sink->ops->file(sink, name, &k->o, &what))
		return soften(k, item, &what, err);
	if (!sink->ops->write) { /* --dry-run: the content is not even read */
		k->c->files++;
		k->c->bytes += item->st.size;
		*ret_done = true;
		return 0;
	}
	if (pump(k, item, &whole, &what, err))
		return -1;
	if (!whole && problem(k, item->path, &what, err))
		return -1;
	if (sink->ops->end_file(sink, &k->o, whole, &what))
		return soften(k, item, &what, err);
	if (whole) {
		k->c->files++;
		k->c->bytes += item->st.size;
	}
	*ret_done = whole;
	return 0;
}

/* Does a relative link, seen from `depth` folders below the copy's root, stay in the copy? */
static bool stays_inside(const char *target, unsigned depth)
{
	const char *p = target;

	if (!*p || *p == '/' || strchr(p, ':') || strchr(p, '\\'))
		return false;
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (!depth--)
				return false;
		} else if (n && !(n == 1 && *p == '.')) {
			depth++;
		}
		p += n + strspn(p + n, "/");
	}
	return true;
}

static int copy_link(struct copying *k, const char *name, const struct sv_tree_item *item,
	bool *ret_done, struct sv_err *err)
{
	struct sv_sink *sink = k->c->sink;
	struct sv_err what = SV_ERR_INIT;
	sv_autofree char *target = sv_fs_readlink(item->fs, item->st.ino, &what);

	if (!target)
		return problem(k, item->path, &what, err);
	if (!sink->keeps_all_links && (!k->depth || !stays_inside(target, k->depth - 1))) {
		k->c->links_left++;
		if (k->c->cli->global.verbose)
			sv_job_note(&k->c->cli->job, "%s/%s: a link to %s is left out", k->what,
				item->path, target);
		return 0;
	}
	if (sink->ops->link(sink, name, target, &k->o, &what))
		return soften(k, item, &what, err);
	*ret_done = true;
	return 0;
}

static int copy_node(struct copying *k, const char *name, const struct sv_tree_item *item,
	bool *ret_done, struct sv_err *err)
{
	struct sv_sink *sink = k->c->sink;
	bool kept = item->st.type == SV_FS_SOCKET ? sink->keeps_sockets : sink->keeps_devices;
	struct sv_err what = SV_ERR_INIT;

	if (!kept || item->st.type == SV_FS_OTHER) {
		k->c->special_left++;
		return 0;
	}
	if (sink->ops->node(sink, name, &k->o, &what))
		return soften(k, item, &what, err);
	*ret_done = true;
	return 0;
}

/* Another name of what was copied before; *ret_done is false where it has to be copied. */
static int copy_again(struct copying *k, const char *name, const struct sv_tree_item *item,
	bool *ret_done, struct sv_err *err)
{
	const char *first = sv_names_find(&k->names, item->volume, item->st.ino);
	struct sv_err what = SV_ERR_INIT;

	if (!first)
		return 0;
	if (k->c->sink->ops->again(k->c->sink, name, first, &k->o, &what) == 0) {
		k->c->files += item->st.type == SV_FS_FILE;
		*ret_done = true;
		return 0;
	}
	if (what.code != SV_EXISTS)
		return 0; /* a host that knows no second names, or too few */
	*ret_done = true;
	return soften(k, item, &what, err);
}

static int copy_folder(struct copying *k, const char *name, const struct sv_tree_item *item,
	struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;

	if (k->c->sink->ops->folder(k->c->sink, name, &k->o, &what))
		return soften(k, item, &what, err) ? -1 : SV_TREE_SKIP;
	sv_str_addf(&k->path, "%s/", name);
	if (k->path.failed)
		return sv_fail_nomem(err);
	k->depth++;
	k->c->folders++;
	return SV_TREE_ON;
}

static int copy_leaf(struct copying *k, const char *name, const struct sv_tree_item *item,
	bool *ret_done, struct sv_err *err)
{
	if (item->st.type == SV_FS_FILE)
		return copy_file(k, name, item, ret_done, err);
	if (item->st.type == SV_FS_SYMLINK)
		return copy_link(k, name, item, ret_done, err);
	return copy_node(k, name, item, ret_done, err);
}

static int copy_object(struct copying *k, const char *name, const struct sv_tree_item *item,
	struct sv_err *err)
{
	sv_autofree char *path = NULL;
	bool again = false, done = false;

	if (item->st.nlink < 2)
		return copy_leaf(k, name, item, &done, err);
	if (copy_again(k, name, item, &again, err))
		return -1;
	if (again)
		return 0;
	if (copy_leaf(k, name, item, &done, err))
		return -1;
	if (!done)
		return 0;
	path = sv_format("%s%s", k->path.data ? k->path.data : "", name);
	if (!path)
		return sv_fail_nomem(err);
	return sv_names_add(&k->names, item->volume, item->st.ino, path, item->st.nlink, err);
}

/* A name that is no UTF-8 keeps its bytes where the guest's names are bytes, too. */
static char *name_of(const struct copying *k, const struct sv_tree_item *item)
{
	const struct sv_entry *e = item->entry;

	if (!e)
		return strdup(k->name);
	if (e->raw && item->st.owned && !item->st.encrypted && !memchr(e->raw, 0, e->raw_len) &&
		!memchr(e->raw, '/', e->raw_len))
		return strndup(e->raw, e->raw_len);
	return strdup(item->name);
}

static int enter(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct copying *k = user;
	sv_autofree char *name = name_of(k, item);
	struct sv_err what = SV_ERR_INIT;

	if (!name)
		return sv_fail_nomem(err);
	if (sv_extract_check_name(name, &what))
		return problem(k, item->path, &what, err) ? -1 : SV_TREE_SKIP;
	if (load_object(k, item, err))
		return -1;
	if (item->st.type == SV_FS_DIR)
		return copy_folder(k, name, item, err);
	return copy_object(k, name, item, err) ? -1 : SV_TREE_SKIP;
}

static int leave(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct copying *k = user;
	size_t n = k->path.len - 1; /* without the '/' at the end */

	while (n && k->path.data[n - 1] != '/')
		n--;
	k->path.len = n;
	k->path.data[n] = 0;
	k->depth--;
	if (load_object(k, item, err))
		return -1;
	return k->c->sink->ops->end_folder(k->c->sink, &k->o, err);
}

int sv_copy_place(
	struct sv_copy *c, const struct sv_place *from, const char *name, struct sv_err *err)
{
	static const struct sv_tree_ops ops = {
		.enter = enter, .leave = leave, .problem = problem};
	struct copying k = {.c = c, .name = name, .what = from->path};
	int rc;

	k.inner.progress = pass_progress;
	k.inner.user = &k;
	rc = sv_tree_walk_guest(
		from->mounts, from->volume, from->fs, from->ino, &ops, &k, &c->cli->job, err);
	sv_str_free(&k.path);
	sv_names_free(&k.names);
	forget_attrs(&k.o);
	free(k.o.ranges);
	return rc;
}

/* ---- counting ---- */

struct counting {
	struct sv_copy *c;
	struct sv_names names;
};

static int count_object(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct counting *k = user;

	if (item->st.type != SV_FS_FILE ||
		(item->st.nlink > 1 && sv_names_find(&k->names, item->volume, item->st.ino)))
		return SV_TREE_ON;
	k->c->total += SV_MIN(item->st.size, UINT64_MAX - k->c->total);
	if (item->st.nlink > 1 && sv_names_add(&k->names, item->volume, item->st.ino, "",
					  item->st.nlink, err) < 0)
		return -1;
	return SV_TREE_ON;
}

/* The copy itself will tell. */
static int ignore_problem(
	void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	(void)user;
	(void)path;
	(void)what;
	(void)err;
	return 0;
}

int sv_copy_count(struct sv_copy *c, const struct sv_place *from, struct sv_err *err)
{
	static const struct sv_tree_ops ops = {
		.enter = count_object, .problem = ignore_problem};
	struct counting k = {.c = c};
	int rc = sv_tree_walk_guest(
		from->mounts, from->volume, from->fs, from->ino, &ops, &k, &c->cli->job, err);

	sv_names_free(&k.names);
	return rc;
}
