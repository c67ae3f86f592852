/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two trees of files, folder by folder, both sorted by name: see diff.h. Files of one size
 * whose times differ are read and compared; a folder that one side lacks is told once, with
 * what it holds. Folders that hold one another are entered once.
 */
#include "base/num.h"
#include "base/str.h"
#include "cli/diff.h"
#include "cli/names.h"
#include "cli/tree.h"

#include <string.h>
#include <strings.h>

#define PIECE (1u << 20)

struct side {
	const struct sv_guest *mounts; /* NULL: none lead on */
	const struct sv_guest *guest;
	struct sv_fs *fs;
	size_t volume;
};

struct diff {
	const struct sv_diff *d;
	struct sv_names seen; /* folders of A */
	struct sv_str path;
	uint8_t *piece[2];
};

/* ---- one file ---- */

static void tell(struct diff *k, const struct sv_err *what)
{
	k->d->problem(k->d->user, k->path.data ? k->path.data : "", what);
}

static bool is_fatal(const struct sv_err *what, struct sv_err *err)
{
	if (what->code != SV_CANCELLED && what->code != SV_NOMEM)
		return false;
	sv_err_copy(err, what);
	return true;
}

/* Reads both, in pieces. */
static int same_data(struct diff *k, const struct side *a, const struct side *b,
	const struct sv_fs_stat *st, uint64_t ino_b, bool *ret, struct sv_err *err)
{
	for (uint64_t off = 0; off < st->size; off += PIECE) {
		size_t n[2];

		if (sv_job_check(k->d->job, err) < 0 ||
			sv_fs_read(a->fs, st->ino, NULL, k->piece[0], PIECE, off, &n[0], err) <
				0 ||
			sv_fs_read(b->fs, ino_b, NULL, k->piece[1], PIECE, off, &n[1], err) < 0)
			return -1;
		if (n[0] != n[1] || memcmp(k->piece[0], k->piece[1], n[0]) != 0) {
			*ret = false;
			return 0;
		}
	}
	*ret = true;
	return 0;
}

static int same_target(const struct side *a, const struct side *b, uint64_t ino_a,
	uint64_t ino_b, bool *ret, struct sv_err *err)
{
	sv_autofree char *ta = sv_fs_readlink(a->fs, ino_a, err);
	sv_autofree char *tb = ta ? sv_fs_readlink(b->fs, ino_b, err) : NULL;

	if (!ta || !tb)
		return -1;
	*ret = !strcmp(ta, tb);
	return 0;
}

/* Names and sizes of named streams, added up so that their order does not matter. */
static int add_stream(void *user, const char *name, uint64_t size)
{
	uint64_t h = UINT64_C(1469598103934665603) ^ size, *sum = user;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(1099511628211);
	*sum += h;
	return 0;
}

static bool same_streams(const struct side *a, const struct side *b,
	const struct sv_fs_stat *sa, const struct sv_fs_stat *sb)
{
	uint64_t sum[2] = {0, 0};

	if (sa->attributes)
		sv_fs_streams(a->fs, sa->ino, add_stream, &sum[0], NULL);
	if (sb->attributes)
		sv_fs_streams(b->fs, sb->ino, add_stream, &sum[1], NULL);
	return sum[0] == sum[1];
}

static bool same_time(const struct sv_fs_time *a, const struct sv_fs_time *b)
{
	return a->sec == b->sec && a->nsec == b->nsec;
}

static bool same_meta(const struct sv_fs_stat *a, const struct sv_fs_stat *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->attributes == b->attributes &&
	       (a->type == SV_FS_DIR || same_time(&a->mtime, &b->mtime));
}

static int same_content(struct diff *k, const struct side *a, const struct side *b,
	const struct sv_fs_stat *sa, const struct sv_fs_stat *sb, bool *ret, struct sv_err *err)
{
	*ret = true;
	if (sa->type == SV_FS_SYMLINK)
		return same_target(a, b, sa->ino, sb->ino, ret, err);
	if (sa->type == SV_FS_CHAR || sa->type == SV_FS_BLOCK)
		*ret = sa->dev_major == sb->dev_major && sa->dev_minor == sb->dev_minor;
	if (sa->type != SV_FS_FILE)
		return 0;
	if (sa->size != sb->size || !same_streams(a, b, sa, sb)) {
		*ret = false;
		return 0;
	}
	/* the time of the last change of any kind tells what was put back in time */
	if (!k->d->content && same_time(&sa->mtime, &sb->mtime) &&
		same_time(&sa->ctime, &sb->ctime))
		return 0;
	return same_data(k, a, b, sa, sb->ino, ret, err);
}

static int found(struct diff *k, enum sv_change change, const struct sv_fs_stat *a,
	const struct sv_fs_stat *b, uint64_t files, uint64_t bytes, struct sv_err *err)
{
	struct sv_difference d = {.change = change,
		.path = k->path.data ? k->path.data : "",
		.a = a,
		.b = b,
		.detail = "",
		.files = files,
		.bytes = bytes};

	return k->d->found(k->d->user, &d, err);
}

static int compare_files(struct diff *k, const struct side *a, const struct side *b,
	const struct sv_fs_stat *sa, const struct sv_fs_stat *sb, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	bool same = true;

	if (sa->type != sb->type)
		return found(k, SV_CHANGE_TYPE, sa, sb, 0, 0, err);
	if (same_content(k, a, b, sa, sb, &same, &what) < 0) {
		if (is_fatal(&what, err))
			return -1;
		tell(k, &what);
		return 0;
	}
	if (!same)
		return found(k, SV_CHANGE_CONTENT, sa, sb, 0, 0, err);
	if (k->d->metadata && !same_meta(sa, sb))
		return found(k, SV_CHANGE_META, sa, sb, 0, 0, err);
	return 0;
}

/* ---- what only one side has ---- */

struct counting {
	struct diff *k;
	uint64_t files, bytes;
};

static int count(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct counting *c = user;

	(void)err;
	c->files += item->st.type != SV_FS_DIR;
	if (item->st.type == SV_FS_FILE)
		c->bytes += SV_MIN(item->st.size, UINT64_MAX - c->bytes);
	return SV_TREE_ON;
}

static int ignore(void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	struct counting *c = user;

	(void)path, (void)err;
	tell(c->k, what);
	return 0;
}

static int only_one(
	struct diff *k, const struct side *s, uint64_t ino, bool in_b, struct sv_err *err)
{
	static const struct sv_tree_ops ops = {.enter = count, .problem = ignore};
	struct sv_err what = SV_ERR_INIT;
	struct counting c = {.k = k};
	struct sv_fs_stat st;

	if (sv_fs_stat(s->fs, ino, &st, &what) < 0) {
		tell(k, &what);
		return 0;
	}
	if (sv_tree_walk_guest(s->mounts, s->volume, s->fs, ino, &ops, &c, k->d->job, err))
		return -1;
	return in_b ? found(k, SV_CHANGE_ADDED, NULL, &st, c.files, c.bytes, err)
		    : found(k, SV_CHANGE_REMOVED, &st, NULL, c.files, c.bytes, err);
}

/* ---- folders ---- */

static int compare(struct diff *k, const struct side *a, uint64_t ino_a, const struct side *b,
	uint64_t ino_b, unsigned depth, struct sv_err *err);

/* The object that an entry leads to: the root of what is mounted there. */
static void go_on(
	const struct side *from, const struct sv_entry *e, struct side *ret, uint64_t *ino)
{
	const struct sv_guest_mount *m = NULL;
	struct sv_fs *other;

	*ret = *from;
	*ino = e->ino;
	if (from->mounts && e->type == SV_FS_DIR)
		m = sv_guest_mounted_on(from->mounts, from->volume, e->ino);
	if (!m || sv_guest_fs(
			  (struct sv_guest *)(uintptr_t)from->mounts, m->volume, &other, NULL))
		return;
	ret->volume = m->volume;
	ret->fs = other;
	*ino = m->root;
}

static int order(const struct sv_entry *x, const struct sv_entry *y, bool folds)
{
	int rc = strcasecmp(x->name, y->name);

	if (rc || folds)
		return rc;
	rc = strcmp(x->name, y->name);
	if (rc || (!x->raw && !y->raw))
		return rc;
	if (x->raw_len != y->raw_len)
		return x->raw_len < y->raw_len ? -1 : 1;
	return memcmp(x->raw, y->raw, x->raw_len);
}

/* One name, of A, of B, or of both. */
static int compare_entry(struct diff *k, const struct side *a, const struct sv_entry *ea,
	const struct side *b, const struct sv_entry *eb, unsigned depth, struct sv_err *err)
{
	size_t kept = k->path.len;
	struct side sa, sb;
	uint64_t ia, ib;
	int rc;

	sv_str_addf(&k->path, "/%s", ea ? ea->name : eb->name);
	if (k->path.failed)
		return sv_fail_nomem(err);
	if (ea)
		go_on(a, ea, &sa, &ia);
	if (eb)
		go_on(b, eb, &sb, &ib);
	if (ea && eb)
		rc = compare(k, &sa, ia, &sb, ib, depth, err);
	else
		rc = ea ? only_one(k, &sa, ia, false, err) : only_one(k, &sb, ib, true, err);
	k->path.len = kept;
	k->path.data[kept] = 0;
	return rc;
}

static int merge(struct diff *k, const struct side *a, const struct sv_entries *ea,
	const struct side *b, const struct sv_entries *eb, unsigned depth, struct sv_err *err)
{
	bool folds = sv_folds_case(a->guest, a->volume) && sv_folds_case(b->guest, b->volume);
	size_t i = 0, j = 0;

	while (i < ea->n || j < eb->n) {
		int rc = i == ea->n   ? 1
			 : j == eb->n ? -1
				      : order(&ea->item[i], &eb->item[j], folds);

		if (compare_entry(k, a, rc <= 0 ? &ea->item[i] : NULL, b,
			    rc >= 0 ? &eb->item[j] : NULL, depth, err))
			return -1;
		i += rc <= 0;
		j += rc >= 0;
	}
	return 0;
}

static int compare_folders(struct diff *k, const struct side *a, uint64_t ino_a,
	const struct side *b, uint64_t ino_b, unsigned depth, struct sv_err *err)
{
	sv_autoentries struct sv_entries ea = {0}, eb = {0};
	struct sv_err what = SV_ERR_INIT;

	if (depth >= SV_TREE_DEPTH || sv_names_find(&k->seen, a->volume, ino_a)) {
		sv_fail(&what, SV_CORRUPT, NULL,
			depth >= SV_TREE_DEPTH ? "folders are nested too deeply"
					       : "this folder was met before");
		tell(k, &what);
		return 0;
	}
	if (sv_names_add(&k->seen, a->volume, ino_a, "", UINT32_MAX, err) < 0)
		return -1;
	if (sv_entries_read(a->fs, ino_a, &ea, &what) ||
		sv_entries_read(b->fs, ino_b, &eb, &what)) {
		if (is_fatal(&what, err))
			return -1;
		tell(k, &what);
		return 0;
	}
	return merge(k, a, &ea, b, &eb, depth + 1, err);
}

static int compare(struct diff *k, const struct side *a, uint64_t ino_a, const struct side *b,
	uint64_t ino_b, unsigned depth, struct sv_err *err)
{
	struct sv_err what = SV_ERR_INIT;
	struct sv_fs_stat sa, sb;

	if (sv_job_check(k->d->job, err) < 0)
		return -1;
	if (sv_fs_stat(a->fs, ino_a, &sa, &what) < 0 ||
		sv_fs_stat(b->fs, ino_b, &sb, &what) < 0) {
		tell(k, &what);
		return 0;
	}
	if (compare_files(k, a, b, &sa, &sb, err))
		return -1;
	if (sa.type != SV_FS_DIR || sb.type != SV_FS_DIR)
		return 0;
	return compare_folders(k, a, ino_a, b, ino_b, depth, err);
}

int sv_diff_files(const struct sv_diff *d, const struct sv_machine *ma, const struct sv_root *a,
	const struct sv_machine *mb, const struct sv_root *b, struct sv_err *err)
{
	struct side sa = {a->at.mounts, ma->guest, a->at.fs, a->at.volume};
	struct side sb = {b->at.mounts, mb->guest, b->at.fs, b->at.volume};
	struct diff k = {.d = d, .piece = {malloc(PIECE), malloc(PIECE)}};
	int rc;

	if (k.piece[0] && k.piece[1])
		sv_str_add(&k.path, strcmp(a->path, b->path) ? "" : b->path);
	else
		k.path.failed = true;
	rc = k.path.failed ? sv_fail_nomem(err)
			   : compare(&k, &sa, a->at.ino, &sb, b->at.ino, 0, err);
	free(k.piece[0]);
	free(k.piece[1]);
	sv_names_free(&k.seen);
	sv_str_free(&k.path);
	return rc;
}
