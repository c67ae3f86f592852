/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The host whose tar archives are folders: see tar.h. An archive is looked at only after the
 * host below has said that there is no such file, and read anew each time: it has few members,
 * and nothing needs to be kept in step.
 */
#include "io/tar.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

struct tar_host {
	struct sv_host host;
	struct sv_host *under;
};

static struct sv_host *under(struct sv_host *h)
{
	return ((struct tar_host *)h)->under;
}

/* A path in an archive. */
struct place {
	char *archive; /* as it was named */
	struct sv_dev *dev;
	struct sv_tar_member member;
};

static void leave(struct place *p)
{
	free(p->archive);
	free(p->member.name);
	sv_dev_close(p->dev);
	*p = (struct place){0};
}

/* ---- finding ---- */

/* The part of the path that is a file, and what follows it; NULL where no part is. */
static char *archive_of(struct sv_host *h, const char *path, const char **ret_rest)
{
	for (size_t n = strlen(path); n-- > 1;) {
		sv_autofree char *prefix = NULL;
		struct sv_host_stat st;

		if (path[n] != '/' || path[n - 1] == '/')
			continue;
		prefix = strndup(path, n);
		if (!prefix)
			return NULL;
		if (sv_host_stat(under(h), prefix, &st, NULL) < 0)
			continue;
		*ret_rest = path + n + strspn(path + n, "/");
		return st.type == SV_HOST_FILE ? SV_STEAL(prefix) : NULL;
	}
	return NULL;
}

/* Members before the one that is looked for may be cut off no more than it may: the archive
 * is read up to it. */
static int find_member(struct place *p, const char *name, struct sv_err *err)
{
	struct sv_tar_walk w = {.dev = p->dev};
	bool more;

	for (;;) {
		struct sv_tar_member m;

		if (sv_tar_next(&w, &m, &more, err) < 0)
			return -1;
		if (!more)
			break;
		if (m.file && !strcmp(m.name, name)) {
			p->member = m;
			return 0;
		}
		free(m.name);
	}
	sv_fail(err, SV_NOTFOUND, p->archive, "no file \"%.200s\" is in the archive", name);
	return sv_hint(err, "to see what is: tar tf '%s'", p->archive);
}

/* 0: the path leads into an archive; 1: it does not, and `err` is untouched. */
static int enter(struct sv_host *h, const char *path, unsigned flags, struct place *ret,
	struct sv_err *err)
{
	struct place p = {0};
	const char *rest;
	int rc;

	p.archive = archive_of(h, path, &rest);
	if (!p.archive)
		return 1;
	if (sv_host_open(under(h), p.archive, flags & SV_OPEN_LOCK, &p.dev, err) < 0) {
		leave(&p);
		return -1;
	}
	rc = sv_tar_probe(p.dev) ? find_member(&p, rest, err) : 1;
	if (rc)
		leave(&p);
	else
		*ret = p;
	return rc;
}

/* The same after the host below did not find the path: its error is `own`. */
static int enter_after(struct sv_host *h, const char *path, unsigned flags,
	const struct sv_err *own, struct place *ret, struct sv_err *err)
{
	int rc = own->code == SV_NOTFOUND ? enter(h, path, flags, ret, err) : 1;

	if (rc > 0)
		sv_err_copy(err, own);
	return rc ? -1 : 0;
}

/* ---- the calls ---- */

static int open_member(const struct place *p, const char *path, unsigned flags,
	struct sv_dev **ret, struct sv_err *err)
{
	const struct sv_tar_member *m = &p->member;

	if (flags & (SV_OPEN_WRITE | SV_OPEN_CREATE)) {
		sv_fail(err, SV_UNSUPPORTED, path,
			"it lies in an archive, and is only read, not written");
		return sv_hint(err, "unpack it first: tar xf '%s'", p->archive);
	}
	if (m->sparse) {
		sv_fail(err, SV_UNSUPPORTED, path,
			"the archive stores it as a sparse file, not in one piece");
		return sv_hint(err, "unpack it first: tar xf '%s'", p->archive);
	}
	if (!sv_in_range(m->at, m->size, sv_dev_size(p->dev))) {
		sv_fail_at(err, SV_CORRUPT, p->archive, m->at,
			"%s has %llu bytes from here, the archive ends after %llu", m->name,
			(unsigned long long)m->size,
			(unsigned long long)(sv_dev_size(p->dev) - m->at));
		return sv_hint(err, "the transfer was cut off: copy or download it again");
	}
	*ret = sv_window_open(p->dev, m->at, m->size, path, err);
	return *ret ? 0 : -1;
}

static int tar_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	struct sv_err own = SV_ERR_INIT;
	struct place p;
	int rc;

	if (sv_host_open(under(h), path, flags, ret, &own) == 0)
		return 0;
	if (enter_after(h, path, flags, &own, &p, err) < 0)
		return -1;
	rc = open_member(&p, path, flags, ret, err);
	leave(&p);
	return rc;
}

static int tar_stat(struct sv_host *h, const char *path, bool follow, struct sv_host_stat *ret,
	struct sv_err *err)
{
	struct sv_err own = SV_ERR_INIT;
	struct place p;
	int rc;

	if (under(h)->ops->stat(under(h), path, follow, ret, &own) == 0)
		return 0;
	if (enter_after(h, path, 0, &own, &p, err) < 0)
		return -1;
	rc = sv_host_stat(under(h), p.archive, ret, err);
	if (!rc)
		ret->size = ret->allocated = p.member.size;
	leave(&p);
	return rc;
}

static char *tar_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	struct sv_err own = SV_ERR_INIT;
	sv_autofree char *archive = NULL;
	char *real = sv_host_real_path(under(h), path, &own);
	struct place p;

	if (real || enter_after(h, path, 0, &own, &p, err) < 0)
		return real;
	archive = sv_host_real_path(under(h), p.archive, err);
	if (archive)
		real = sv_format("%s/%s", archive, p.member.name);
	if (archive && !real)
		sv_fail_nomem(err);
	leave(&p);
	return real;
}

/* ---- what is the lower host's alone ---- */

static int tar_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	return sv_host_list(under(h), path, ret, ret_n, err);
}

static int tar_make_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	return sv_host_make_dir(under(h), path, err);
}

static int tar_rename(
	struct sv_host *h, const char *from, const char *to, bool replace, struct sv_err *err)
{
	return sv_host_rename(under(h), from, to, replace, err);
}

static int tar_unlink(struct sv_host *h, const char *path, struct sv_err *err)
{
	return sv_host_unlink(under(h), path, err);
}

static int tar_remove_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	return sv_host_remove_dir(under(h), path, err);
}

static int tar_sync_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	return sv_host_sync_dir(under(h), path, err);
}

static int tar_reflink(struct sv_host *h, const char *src, const char *dst, struct sv_err *err)
{
	return sv_host_reflink(under(h), src, dst, err);
}

static bool tar_can_reflink(struct sv_host *h, const char *src, const char *dir)
{
	return sv_host_can_reflink(under(h), src, dir);
}

static int tar_free_space(
	struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	return sv_host_free_space(under(h), path, ret, err);
}

static bool tar_process_exists(struct sv_host *h, int64_t pid, struct sv_process *ret)
{
	return sv_host_process_exists(under(h), pid, ret);
}

static bool tar_find_writer(struct sv_host *h, const struct sv_file_id *files, size_t n,
	struct sv_process *ret, size_t *ret_file)
{
	return sv_host_find_writer(under(h), files, n, ret, ret_file);
}

static void tar_look_at_computer(struct sv_host *h, struct sv_computer *ret)
{
	sv_host_look_at_computer(under(h), ret);
}

static char *tar_recode(struct sv_host *h, const char *text, const char *encoding, bool to_utf8)
{
	return sv_host_recode(under(h), text, encoding, to_utf8);
}

static void tar_close(struct sv_host *h)
{
	free(h);
}

static const struct sv_host_ops tar_ops = {
	.open = tar_open,
	.stat = tar_stat,
	.list = tar_list,
	.make_dir = tar_make_dir,
	.rename = tar_rename,
	.unlink = tar_unlink,
	.remove_dir = tar_remove_dir,
	.sync_dir = tar_sync_dir,
	.reflink = tar_reflink,
	.can_reflink = tar_can_reflink,
	.free_space = tar_free_space,
	.real_path = tar_real_path,
	.process_exists = tar_process_exists,
	.find_writer = tar_find_writer,
	.look_at_computer = tar_look_at_computer,
	.recode = tar_recode,
	.close = tar_close,
};

struct sv_host *sv_tar_host(struct sv_host *lower, struct sv_err *err)
{
	struct tar_host *t = calloc(1, sizeof *t);

	if (!t) {
		sv_fail_nomem(err);
		return NULL;
	}
	t->host.ops = &tar_ops;
	t->under = lower;
	return &t->host;
}
