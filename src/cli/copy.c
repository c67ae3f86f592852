/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies trees of a guest: see copy.h. What is wrong with one object (unreadable, a name that
 * cannot be used, taken) is told and counted, and the copy goes on; what would be wrong with
 * the next one too (no space, an I/O error of the host) ends it.
 */
#include "cli/copy.h"

#include "base/num.h"
#include "cli/tree.h"
#include "io/extract.h"

#include <string.h>

#define PIECE (1u << 20)

struct copying {
	struct sv_copy *c;
	const char *name; /* of the root */
	const char *what; /* its path in the guest, for messages */
	uint8_t *piece;
	unsigned depth; /* folders that were entered */
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

/* *ret_whole: all was read. -1 only where the sink fails. */
static int pump(struct copying *k, const struct sv_tree_item *item, bool *ret_whole,
	struct sv_err *what, struct sv_err *err)
{
	struct sv_sink *sink = k->c->sink;
	uint64_t off = 0;
	size_t got = 0;

	for (; off < item->st.size; off += got) {
		size_t want = (size_t)SV_MIN(item->st.size - off, (uint64_t)PIECE);

		if (sv_job_check(&k->c->cli->job, err))
			return -1;
		if (sv_fs_read(item->fs, item->st.ino, NULL, k->piece, want, off, &got, what))
			return 0;
		if (!got) {
			sv_fail(what, SV_CORRUPT, NULL, "its data end at %llu of %llu bytes",
				(unsigned long long)off, (unsigned long long)item->st.size);
			return 0;
		}
		if (sink->ops->write(sink, k->piece, got, off, err))
			return -1;
		k->c->bytes += got;
		sv_job_progress(&k->c->cli->job, "copying", k->c->bytes, k->c->total);
	}
	*ret_whole = true;
	return 0;
}

static int copy_file(struct copying *k, const char *name, const struct sv_tree_item *item,
	struct sv_err *err)
{
	struct sv_sink *sink = k->c->sink;
	struct sv_err what = SV_ERR_INIT;
	bool whole = false;

	if (sink->ops->file(sink, name, &item->st, &what))
		return soften(k, item, &what, err);
	if (!sink->ops->write) {
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
	sv_autofree uint8_t *piece = malloc(PIECE);
	struct copying k = {.c = c, .name = name, .what = from->path, .piece = piece};

	if (!piece)
		return sv_fail_nomem(err);
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
