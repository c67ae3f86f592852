/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Processes by way of Linux' /proc (proc(5)), the machine by way of /sys. Files there have no
 * size, so they are read here directly and not through a device.
 */
#include "io/process.h"

#include "base/cleanup.h"
#include "base/hash.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/sysmacros.h>

/* The beginning of a small file as a string; false where it cannot be read. */
static bool read_text(int dir, const char *path, char *buf, size_t size)
{
	sv_autofd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return false;
	buf[n] = 0;
	return true;
}

/* "4711 (name (x)) S 1 ...": the name may hold anything, so the last ")" ends it. */
static void parse_stat(const char *text, struct sv_process *ret)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	const char *p = close;

	if (!open || !close || close < open)
		return;
	snprintf(ret->name, sizeof ret->name, "%.*s", (int)(close - open - 1), open + 1);
	/* behind the name follows field 3 */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		ret->start = strtoull(p + 1, NULL, 10);
}

bool sv_process_exists(int64_t pid, struct sv_process *ret)
{
	char path[64], text[1024];

	*ret = (struct sv_process){.pid = pid};
	if (pid <= 0 || pid > INT32_MAX)
		return false;
	/* the kernel's own answer: /proc may be mounted so that others' processes are hidden */
	if (kill((pid_t)pid, 0) < 0 && errno != EPERM)
		return false;
	snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
	if (read_text(AT_FDCWD, path, text, sizeof text))
		parse_stat(text, ret);
	return true;
}

void sv_process_own(struct sv_process *ret)
{
	sv_process_exists(getpid(), ret);
}

/* Is the descriptor open for writing, as /proc/PID/fdinfo/N says (octal flags)? */
static bool is_writer(int proc_dir, const char *fd_name)
{
	char path[300], text[512];
	const char *flags;

	snprintf(path, sizeof path, "fdinfo/%s", fd_name);
	if (!read_text(proc_dir, path, text, sizeof text))
		return false;
	flags = strstr(text, "flags:");
	return flags && (strtoul(flags + 6, NULL, 8) & O_ACCMODE) != O_RDONLY;
}

static bool match_fd(int proc_dir, const char *fd_name, const struct sv_file_id *files,
	size_t n, size_t *ret_file)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof path, "fd/%s", fd_name);
	if (fstatat(proc_dir, path, &st, 0) < 0 || !S_ISREG(st.st_mode))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (st.st_dev != files[i].dev || st.st_ino != files[i].ino)
			continue;
		*ret_file = i;
		return is_writer(proc_dir, fd_name);
	}
	return false;
}

static bool process_writes(
	int proc_dir, const struct sv_file_id *files, size_t n, size_t *ret_file)
{
	int fd = openat(proc_dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && (e = readdir(dir))) {
		if (isdigit((unsigned char)e->d_name[0]))
			found = match_fd(proc_dir, e->d_name, files, n, ret_file);
	}
	closedir(dir);
	return found;
}

bool sv_process_find_writer(
	const struct sv_file_id *files, size_t n, struct sv_process *ret, size_t *ret_file)
{
	DIR *dir = n ? opendir("/proc") : NULL;
	bool found = false;
	struct dirent *e;

	if (!dir)
		return false;
	while (!found && (e = readdir(dir))) {
		long pid = strtol(e->d_name, NULL, 10);
		sv_autofd int proc_dir = -1;

		if (pid <= 0 || pid == getpid())
			continue;
		proc_dir = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc_dir >= 0 && process_writes(proc_dir, files, n, ret_file))
			found = sv_process_exists(pid, ret);
	}
	closedir(dir);
	return found;
}

/* ---- all of them at once ---- */

struct writer {
	struct sv_file_id file;
	int64_t pid;
};

struct sv_process_writers {
	struct writer *item; /* sorted by file */
	size_t n, cap;
};

void sv_process_writers_free(struct sv_process_writers *w)
{
	if (w)
		free(w->item);
	free(w);
}

static int add_writer(struct sv_process_writers *w, const struct stat *st, int64_t pid)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		void *p = realloc(w->item, cap * sizeof *w->item);

		if (!p)
			return -1;
		w->item = p;
		w->cap = cap;
	}
	w->item[w->n++] = (struct writer){{st->st_dev, st->st_ino}, pid};
	return 0;
}

static int gather_process(struct sv_process_writers *w, int proc_dir, int64_t pid)
{
	int fd = openat(proc_dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (!rc && (e = readdir(dir))) {
		struct stat st;

		if (isdigit((unsigned char)e->d_name[0]) &&
			fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
			is_writer(proc_dir, e->d_name))
			rc = add_writer(w, &st, pid);
	}
	closedir(dir);
	return rc;
}

static int by_file(const void *a, const void *b)
{
	const struct sv_file_id *p = &((const struct writer *)a)->file;
	const struct sv_file_id *q = &((const struct writer *)b)->file;

	if (p->dev != q->dev)
		return p->dev < q->dev ? -1 : 1;
	return p->ino < q->ino ? -1 : p->ino > q->ino;
}

struct sv_process_writers *sv_process_writers_gather(struct sv_err *err)
{
	struct sv_process_writers *w = calloc(1, sizeof *w);
	DIR *dir = w ? opendir("/proc") : NULL;
	int rc = w ? 0 : -1;
	struct dirent *e;

	while (!rc && dir && (e = readdir(dir))) {
		long pid = strtol(e->d_name, NULL, 10);
		sv_autofd int proc_dir = -1;

		if (pid <= 0 || pid == getpid())
			continue;
		proc_dir = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc_dir >= 0)
			rc = gather_process(w, proc_dir, pid);
	}
	if (dir)
		closedir(dir);
	if (rc) {
		sv_process_writers_free(w);
		sv_fail_nomem(err);
		return NULL;
	}
	if (w->n)
		qsort(w->item, w->n, sizeof *w->item, by_file);
	return w;
}

bool sv_process_writers_find(const struct sv_process_writers *w, const struct sv_file_id *files,
	size_t n, struct sv_process *ret, size_t *ret_file)
{
	for (size_t i = 0; w->n && i < n; i++) {
		struct writer key = {files[i], 0};
		const struct writer *found = bsearch(&key, w->item, w->n, sizeof key, by_file);

		if (found && sv_process_exists(found->pid, ret)) {
			*ret_file = i;
			return true;
		}
	}
	return false;
}

/* ---- the machine ---- */

/* Reads 2n hex digits, with whatever lies between them. */
static bool parse_hex(const char *text, uint8_t *out, size_t n)
{
	char digits[33];
	size_t count = 0;

	for (; *text && count < 2 * n; text++) {
		if (isxdigit((unsigned char)*text))
			digits[count++] = *text;
	}
	digits[count] = 0;
	return count == 2 * n && sv_unhex(digits, out, n);
}

static void look_for_mac(struct sv_computer *m)
{
	char path[64], text[64];

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof path, "/sys/class/net/eth%d/address", i);
		if (read_text(AT_FDCWD, path, text, sizeof text) &&
			parse_hex(text, m->mac, sizeof m->mac))
			return;
	}
}

static void look_for_uuid(struct sv_computer *m)
{
	char text[64];

	/* readable for root only; it stays unknown for others */
	m->has_uuid =
		read_text(AT_FDCWD, "/sys/class/dmi/id/product_uuid", text, sizeof text) &&
		parse_hex(text, m->uuid, sizeof m->uuid);
}

void sv_machine_look(struct sv_computer *ret)
{
	struct utsname u;

	*ret = (struct sv_computer){0};
	if (uname(&u) == 0)
		snprintf(ret->host_name, sizeof ret->host_name, "%s", u.nodename);
	look_for_mac(ret);
	look_for_uuid(ret);
}
