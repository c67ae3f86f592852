/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The real host file system behind host.h, on Linux. */
#include "io/host.h"

#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void fill_stat(const struct stat *st, struct sv_host_stat *ret)
{
	*ret = (struct sv_host_stat){
		.type = S_ISREG(st->st_mode)   ? SV_HOST_FILE
			: S_ISDIR(st->st_mode) ? SV_HOST_DIR
			: S_ISLNK(st->st_mode) ? SV_HOST_LINK
					       : SV_HOST_OTHER,
		.size = (uint64_t)st->st_size,
		.allocated = (uint64_t)st->st_blocks * 512,
		.mtime_sec = st->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mode = st->st_mode,
	};
}

static int posix_stat(struct sv_host *h, const char *path, bool follow,
	struct sv_host_stat *ret, struct sv_err *err)
{
	struct stat st;

	(void)h;
	if ((follow ? stat(path, &st) : lstat(path, &st)) < 0)
		return sv_fail_errno(err, errno, path, "cannot look at it");
	fill_stat(&st, ret);
	return 0;
}

void sv_host_allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int refuse_open(int sys, const char *path, unsigned flags, struct sv_err *err)
{
	struct rlimit limit;

	if (sys == ELOOP && (flags & SV_OPEN_NOFOLLOW))
		return sv_fail(err, SV_UNSUPPORTED, path,
			"it is a symbolic link where a file is expected");
	sv_fail_errno(err, sys, path,
		flags & SV_OPEN_CREATE ? "cannot make the file" : "cannot open");
	if (sys != EMFILE || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	return sv_hint(err,
		"this process may have %llu files open at once, and the disk needs more: begin a "
		"shell in which it may (as root: ulimit -n 32768), and give the command there",
		(unsigned long long)limit.rlim_cur);
}

static int posix_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	bool writable = flags & (SV_OPEN_WRITE | SV_OPEN_CREATE);
	int oflags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (writable ? O_RDWR : O_RDONLY);
	sv_autofd int fd = -1;
	struct stat st;

	(void)h;
	if (flags & SV_OPEN_CREATE)
		oflags |= O_CREAT | O_EXCL;
	if (flags & SV_OPEN_NOFOLLOW)
		oflags |= O_NOFOLLOW;
	fd = open(path, oflags, 0666);
	if (fd < 0)
		return refuse_open(errno, path, flags, err);
	if (fstat(fd, &st) < 0)
		return sv_fail_errno(err, errno, path, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return sv_fail(err, SV_UNSUPPORTED, path, "it is not a regular file");
	*ret = sv_file_from_fd(
		fd, path, (uint64_t)st.st_size, writable, flags & SV_OPEN_LOCK, err);
	if (!*ret)
		return -1;
	fd = -1;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(DIR *dir, const char *path, char ***names, size_t *n, struct sv_err *err)
{
	size_t cap = 0;
	struct dirent *e;

	while (errno = 0, (e = readdir(dir))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (*n == SV_HOST_NAMES_MAX)
			return sv_fail(err, SV_NOMEM, path, "more than %d names in one folder",
				SV_HOST_NAMES_MAX);
		if (*n == cap) {
			size_t more = cap ? 2 * cap : 32;
			char **grown = realloc(*names, more * sizeof *grown);

			if (!grown)
				return sv_fail_nomem(err);
			*names = grown;
			cap = more;
		}
		(*names)[*n] = strdup(e->d_name);
		if (!(*names)[*n])
			return sv_fail_nomem(err);
		++*n;
	}
	return errno ? sv_fail_errno(err, errno, path, "cannot list the folder") : 0;
}

static int posix_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	DIR *dir = opendir(path);
	char **names = NULL;
	size_t n = 0;
	int rc;

	(void)h;
	if (!dir)
		return sv_fail_errno(err, errno, path, "cannot open the folder");
	rc = read_names(dir, path, &names, &n, err);
	closedir(dir);
	if (rc < 0) {
		sv_host_free_names(names, n);
		return -1;
	}
	if (n)
		qsort(names, n, sizeof *names, compare_names);
	*ret = names;
	*ret_n = n;
	return 0;
}

static int posix_make_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	return mkdir(path, 0777) < 0 ? sv_fail_errno(err, errno, path, "cannot make the folder")
				     : 0;
}

static int posix_rename(
	struct sv_host *h, const char *from, const char *to, bool replace, struct sv_err *err)
{
	int rc;

	(void)h;
	rc = replace ? rename(from, to)
		     : renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
	if (rc < 0 && !replace && (errno == EINVAL || errno == ENOSYS)) {
		/* a file system without RENAME_NOREPLACE */
		if (access(to, F_OK) == 0)
			return sv_fail_errno(err, EEXIST, to, "cannot rename to it");
		rc = rename(from, to);
	}
	return rc < 0 ? sv_fail_errno(err, errno, to, "cannot rename to it") : 0;
}

static int posix_unlink(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	return unlink(path) < 0 ? sv_fail_errno(err, errno, path, "cannot delete") : 0;
}

static int posix_remove_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	return rmdir(path) < 0 ? sv_fail_errno(err, errno, path, "cannot delete the folder")
			       : 0;
}

static int posix_sync_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	sv_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)h;
	if (fd < 0)
		return sv_fail_errno(err, errno, path, "cannot open the folder");
	/* some network file systems know no fsync of a folder */
	if (fsync(fd) < 0 && errno != EINVAL)
		return sv_fail_errno(err, errno, path, "cannot flush the folder");
	return 0;
}

static int posix_reflink(
	struct sv_host *h, const char *src, const char *dst, struct sv_err *err)
{
	sv_autofd int in = open(src, O_RDONLY | O_CLOEXEC);
	sv_autofd int out = -1;
	int sys;

	(void)h;
	if (in < 0)
		return sv_fail_errno(err, errno, src, "cannot open");
	out = open(dst, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (out < 0)
		return sv_fail_errno(err, errno, dst, "cannot make the file");
	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	sys = errno;
	unlink(dst);
	if (sys == EOPNOTSUPP || sys == EXDEV || sys == EINVAL || sys == ENOTTY)
		return sv_fail(err, SV_UNSUPPORTED, dst,
			"the host's file system cannot share blocks between files");
	return sv_fail_errno(err, sys, dst, "cannot share the blocks of %s", src);
}

/* Tried on a file without a name, which goes with its descriptor. */
static bool posix_can_reflink(struct sv_host *h, const char *src, const char *dir)
{
	sv_autofd int in = open(src, O_RDONLY | O_CLOEXEC);
	sv_autofd int out = -1;

	(void)h;
	if (in < 0)
		return false;
	out = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return out >= 0 && ioctl(out, FICLONE, in) == 0;
}

static int posix_free_space(
	struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	struct statvfs vfs;

	(void)h;
	if (statvfs(path, &vfs) < 0)
		return sv_fail_errno(err, errno, path, "cannot ask for the free space");
	*ret = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

static char *posix_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	char *real = realpath(path, NULL);

	(void)h;
	if (!real)
		sv_fail_errno(err, errno, path, "cannot be found");
	return real;
}

static void posix_close(struct sv_host *h)
{
	(void)h;
}

static const struct sv_host_ops posix_ops = {
	.open = posix_open,
	.stat = posix_stat,
	.list = posix_list,
	.make_dir = posix_make_dir,
	.rename = posix_rename,
	.unlink = posix_unlink,
	.remove_dir = posix_remove_dir,
	.sync_dir = posix_sync_dir,
	.reflink = posix_reflink,
	.can_reflink = posix_can_reflink,
	.free_space = posix_free_space,
	.real_path = posix_real_path,
	.close = posix_close,
};

struct sv_host *sv_host_posix(void)
{
	static const struct sv_host host = {&posix_ops};

	return (struct sv_host *)&host;
}
