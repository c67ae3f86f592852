/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies trees of a guest: see copy.h. What is wrong with one object (unreadable, a name that
 * cannot be used, taken) is told and counted, and the copy goes on; what would be wrong with
 * the next one too (no space, an I/O error of the host) ends it.
 */
#include "cli/copy.h"

#include "base/num.h"
#include "cli/tree.h"
#include "fs/extract.h"
#include "io/extract.h"

#include <string.h>

struct copying {
	struct sv_copy *c;
	const char *name;    /* of the root */
	const char *what;    /* its path in the guest, for messages */
	struct sv_job inner; /* of one file */
	unsigned depth;      /* folders that were entered */
};

static int problem(void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	struct copying *k = user;

	(void)err;
	k->c->failed++;
	sv_job_note(&k->c->cli->job, "%s%s%s: not copied: %s%s%s", k->what, *path ? "/" : "",
		path, what->message, *what->hint ? "; " : "", what->hint);
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
	if (!rc)
		k->c->bytes += item->st.size;
	if (!rc || (!s.failed && what->code != SV_CANCELLED && what->code != SV_NOMEM))
		return 0;
	sv_err_copy(err, what);
	return -1;
}

static int copy_file(struct copying *k, const char *name, const struct sv_tree_item *item,
	struct sv_err *err)
{
	struct sv_sink *sink = k->c->sink;
	struct sv_err what = SV_ERR_INIT;
	bool whole = false;

	if (sink->ops->file(sink, name, &item->st, &what))
		return soften(k, item, &what, err);
	if (!sink->ops->write) { /* --dry-run: the content is not even read */
		k->c->files++;
		k->c->bytes += item->st.size;
		return 0;
	}
	if (pump(k, item, &whole, &what, err))
		return -1;
	if (!whole && problem(k, item->path, &what, err))
		return -1;
	if (sink->ops->end_file(sink, &item->st, whole, &what))
		return soften(k, item, &what, err);
	k->c->files += whole;
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
	struct sv_err *err)
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
	if (sink->ops->link(sink, name, target, &item->st, &what))
		return soften(k, item, &what, err);
	return 0;
}

static int copy_folder(struct copying *k, const char *name, const struct sv_tree_item *item,
	struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;

	if (k->c->sink->ops->folder(k->c->sink, name, &item->st, &what))
		return soften(k, item, &what, err) ? -1 : SV_TREE_SKIP;
	k->depth++;
	k->c->folders++;
	return SV_TREE_ON;
}

static int enter(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct copying *k = user;
	const char *name = item->entry ? item->name : k->name;
	struct sv_err what = SV_ERR_INIT;

	if (sv_extract_check_name(name, &what))
		return problem(k, item->path, &what, err) ? -1 : SV_TREE_SKIP;
	switch (item->st.type) {
	case SV_FS_DIR:
		return copy_folder(k, name, item, err);
	case SV_FS_FILE:
		return copy_file(k, name, item, err) ? -1 : SV_TREE_SKIP;
	case SV_FS_SYMLINK:
		return copy_link(k, name, item, err) ? -1 : SV_TREE_SKIP;
	case SV_FS_CHAR:
	case SV_FS_BLOCK:
	case SV_FS_FIFO:
	case SV_FS_SOCKET:
	case SV_FS_OTHER:
		break;
	}
	k->c->special_left++;
	return SV_TREE_SKIP;
}

static int leave(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct copying *k = user;

	k->depth--;
	return k->c->sink->ops->end_folder(k->c->sink, &item->st, err);
}

int sv_copy_place(
	struct sv_copy *c, const struct sv_place *from, const char *name, struct sv_err *err)
{
	static const struct sv_tree_ops ops = {
		.enter = enter, .leave = leave, .problem = problem};
	struct copying k = {.c = c, .name = name, .what = from->path};

	k.inner.progress = pass_progress;
	k.inner.user = &k;
	return sv_tree_walk(from->fs, from->ino, &ops, &k, &c->cli->job, err);
}

/* ---- counting ---- */

static int count_object(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct sv_copy *c = user;

	(void)err;
	if (item->st.type == SV_FS_FILE)
		c->total += SV_MIN(item->st.size, UINT64_MAX - c->total);
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

	return sv_tree_walk(from->fs, from->ino, &ops, c, &c->cli->job, err);
}
