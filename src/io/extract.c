/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files from inside a guest, written below one folder: see extract.h. */
#include "io/extract_private.h"

#include "base/num.h"
#include "base/str.h"
#include "io/dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define HOLE_PAGE 4096u /* the smallest hole that host file systems keep */

int sv_extract_here(const struct sv_extract *x)
{
	return x->stack[x->depth - 1].fd;
}

/* The host path of a name in the present folder (NULL: the folder itself), for messages. */
static char *path_here(const struct sv_extract *x, const char *name)
{
	struct sv_str path = {0};

	sv_str_add(&path, x->dir);
	for (size_t i = 1; i < x->depth; i++)
		sv_str_addf(&path, "/%s", x->stack[i].name);
	if (name)
		sv_str_addf(&path, "/%s", name);
	return sv_str_take(&path);
}

int sv_extract_fail(const struct sv_extract *x, const char *name, struct sv_err *err, int sys,
	const char *what)
{
	sv_autofree char *path = path_here(x, name);

	return sv_fail_errno(err, sys, path, "%s", what);
}

static int push(struct sv_extract *x, int fd, const char *name, struct sv_err *err)
{
	if (x->depth == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 16;
		struct level *stack = realloc(x->stack, cap * sizeof *stack);

		if (!stack)
			return sv_fail_nomem(err);
		x->stack = stack;
		x->cap = cap;
	}
	x->stack[x->depth].fd = fd;
	x->stack[x->depth].name = strdup(name);
	if (!x->stack[x->depth].name)
		return sv_fail_nomem(err);
	x->depth++;
	return 0;
}

static void pop(struct sv_extract *x)
{
	struct level *top = &x->stack[--x->depth];

	close(top->fd);
	free(top->name);
}

int sv_extract_open(const char *dir, bool archive, struct sv_extract **ret, struct sv_err *err)
{
	struct sv_extract *x = calloc(1, sizeof *x);
	sv_autofd int fd = -1;

	if (!x)
		return sv_fail_nomem(err);
	x->fd = -1;
	x->archive = archive;
	x->dir = strdup(dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		sv_fail_errno(err, errno, dir, "cannot open the folder");
	else if (x->dir && push(x, fd, "", err) == 0) {
		fd = -1; /* the stack owns it */
		*ret = x;
		return 0;
	}
	if (!x->dir)
		sv_fail_nomem(err);
	sv_extract_close(x);
	return -1;
}

void sv_extract_close(struct sv_extract *x)
{
	if (!x)
		return;
	sv_extract_drop(x);
	while (x->depth)
		pop(x);
	free(x->stack);
	free(x->dir);
	free(x);
}

int sv_extract_check_name(const char *name, struct sv_err *err)
{
	if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/'))
		return 0;
	return sv_fail(
		err, SV_UNSUPPORTED, NULL, "'%s' cannot be the name of a file here", name);
}

int sv_extract_enter(struct sv_extract *x, const char *name, struct sv_err *err)
{
	sv_autofd int fd = -1;

	if (sv_extract_check_name(name, err))
		return -1;
	if (mkdirat(sv_extract_here(x), name, 0777) && errno != EEXIST)
		return sv_extract_fail(x, name, err, errno, "cannot make the folder");
	fd = openat(sv_extract_here(x), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return sv_extract_fail(x, name, err, errno == ELOOP ? ENOTDIR : errno,
			"cannot go into the folder");
	if (push(x, fd, name, err))
		return -1;
	fd = -1; /* the stack owns it */
	return 0;
}

/* Before the permissions, which may forbid it; of another kind, behind them. */
static void set_attrs(
	struct sv_extract *x, int fd, const struct sv_extract_meta *meta, bool of_user)
{
	for (size_t i = 0; i < meta->n_attrs; i++) {
		const struct sv_extract_attr *a = &meta->attrs[i];

		if (sv_starts_with(a->name, "user.") == of_user && (of_user || x->archive) &&
			fsetxattr(fd, a->name, a->value, a->n, 0))
			x->left_out++;
	}
}

void sv_extract_times(const struct sv_extract_meta *meta, struct timespec ret[2])
{
	ret[0].tv_sec = (time_t)meta->atime_sec;
	ret[0].tv_nsec = (long)(meta->atime_nsec % 1000000000);
	ret[1].tv_sec = (time_t)meta->mtime_sec;
	ret[1].tv_nsec = (long)(meta->mtime_nsec % 1000000000);
}

/* The owner first: it takes set-id bits and capabilities away. */
static int set_meta(
	struct sv_extract *x, int fd, const struct sv_extract_meta *meta, struct sv_err *err)
{
	uint32_t bits = x->archive ? 07777 : 0777;
	struct timespec times[2];

	set_attrs(x, fd, meta, true);
	if (x->archive && meta->has_mode && fchown(fd, meta->uid, meta->gid)) {
		x->left_out++;
		bits = 0777; /* set-id bits were another owner's */
	}
	if (meta->has_mode && fchmod(fd, meta->mode & bits))
		return sv_extract_fail(x, x->name, err, errno, "cannot set the permissions");
	set_attrs(x, fd, meta, false);
	sv_extract_times(meta, times);
	if (futimens(fd, times))
		return sv_extract_fail(x, x->name, err, errno, "cannot set the time");
	return 0;
}

int sv_extract_leave(
	struct sv_extract *x, const struct sv_extract_meta *meta, struct sv_err *err)
{
	int rc;

	if (x->depth < 2)
		return sv_fail(err, SV_INTERNAL, x->dir, "no folder to leave");
	rc = set_meta(x, sv_extract_here(x), meta, err);
	pop(x);
	return rc;
}

int sv_extract_refuse_taken(
	struct sv_extract *x, const char *name, bool replace, struct sv_err *err)
{
	sv_autofree char *path = NULL;
	struct stat st;

	if (fstatat(sv_extract_here(x), name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT
			       ? 0
			       : sv_extract_fail(x, name, err, errno, "cannot look at it");
	if (replace && !S_ISDIR(st.st_mode))
		return 0;
	path = path_here(x, name);
	if (S_ISDIR(st.st_mode))
		return sv_fail(err, SV_EXISTS, path, "a folder of this name exists");
	sv_fail(err, SV_EXISTS, path, "a file of this name exists");
	return sv_hint(err, "--force replaces it");
}

int sv_extract_begin(struct sv_extract *x, const char *name, bool replace, struct sv_err *err)
{
	if (sv_extract_check_name(name, err) || sv_extract_refuse_taken(x, name, replace, err))
		return -1;
	sv_extract_drop(x);
	x->replace = replace;
	x->name = strdup(name);
	/* a long name leaves no room for more: the rest of it may go */
	x->part = sv_format(".%.200s.sharevm-part", name);
	if (!x->name || !x->part)
		return sv_fail_nomem(err);
	unlinkat(sv_extract_here(x), x->part, 0); /* of a run that was killed */
	x->fd = openat(sv_extract_here(x), x->part,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (x->fd < 0)
		return sv_extract_fail(x, name, err, errno, "cannot make the file");
	return 0;
}

static int write_all(int fd, const uint8_t *p, size_t n, uint64_t off)
{
	while (n) {
		ssize_t got = pwrite(fd, p, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		p += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int sv_extract_fd(const struct sv_extract *x)
{
	return x->fd;
}

int sv_extract_write_to(int fd, const void *bytes, size_t n, uint64_t off)
{
	const uint8_t *p = bytes;
	size_t at = 0;
	int sys = 0;

	while (!sys && at < n) {
		size_t begin, end;

		while (at < n && sv_is_zero(p + at, SV_MIN(n - at, (size_t)HOLE_PAGE)))
			at += SV_MIN(n - at, (size_t)HOLE_PAGE);
		begin = end = at;
		while (end < n && !sv_is_zero(p + end, SV_MIN(n - end, (size_t)HOLE_PAGE)))
			end += SV_MIN(n - end, (size_t)HOLE_PAGE);
		sys = write_all(fd, p + begin, end - begin, off + begin);
		at = end;
	}
	return sys;
}

int sv_extract_write(
	struct sv_extract *x, const void *bytes, size_t n, uint64_t off, struct sv_err *err)
{
	int sys = sv_extract_write_to(x->fd, bytes, n, off);

	return sys ? sv_extract_fail(x, x->name, err, sys, "cannot write") : 0;
}

/* A damaged file system can say that a file has any size; that concerns this file only. */
static int refuse_size(struct sv_extract *x, uint64_t size, struct sv_err *err)
{
	sv_autofree char *path = path_here(x, x->name);

	return sv_fail(err, SV_UNSUPPORTED, path,
		"its %llu bytes are more than a file can have here", (unsigned long long)size);
}

int sv_extract_finish(struct sv_extract *x, uint64_t size, const struct sv_extract_meta *meta,
	struct sv_err *err)
{
	int fd = x->fd;

	if (size > INT64_MAX)
		return refuse_size(x, size, err);
	if (ftruncate(fd, (off_t)size))
		return errno == EFBIG
			       ? refuse_size(x, size, err)
			       : sv_extract_fail(x, x->name, err, errno, "cannot set the size");
	if (set_meta(x, fd, meta, err) || sv_extract_refuse_taken(x, x->name, x->replace, err))
		return -1;
	if (renameat(sv_extract_here(x), x->part, sv_extract_here(x), x->name))
		return sv_extract_fail(x, x->name, err, errno, "cannot give the file its name");
	x->fd = -1;
	if (close(fd))
		return sv_extract_fail(x, x->name, err, errno, "cannot write");
	free(x->part);
	x->part = NULL;
	return 0;
}

void sv_extract_drop(struct sv_extract *x)
{
	if (x->fd >= 0) {
		close(x->fd);
		x->fd = -1;
		unlinkat(sv_extract_here(x), x->part, 0);
	}
	free(x->name);
	free(x->part);
	x->name = x->part = NULL;
}
