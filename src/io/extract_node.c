/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links, devices, pipes, and second names, written below one folder: see extract.h. */
#include "io/extract_private.h"

#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Of what must not be opened, through its name in /proc: for a link that means itself, as an
 * O_PATH descriptor of it does. */
static void set_attrs_by_path(
	struct sv_extract *x, const char *path, const struct sv_extract_meta *meta)
{
	for (size_t i = 0; x->archive && i < meta->n_attrs; i++) {
		const struct sv_extract_attr *a = &meta->attrs[i];

		if (setxattr(path, a->name, a->value, a->n, 0))
			x->left_out++;
	}
}

static int set_meta_at(struct sv_extract *x, const char *name, bool is_link,
	const struct sv_extract_meta *meta, struct sv_err *err)
{
	sv_autofd int fd = openat(sv_extract_here(x), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct timespec times[2];
	char path[40];

	if (fd < 0)
		return sv_extract_fail(x, name, err, errno, "cannot look at it");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (x->archive && meta->has_mode &&
		fchownat(fd, "", meta->uid, meta->gid, AT_EMPTY_PATH))
		x->left_out++;
	if (!is_link && meta->has_mode && chmod(path, meta->mode & 0777))
		return sv_extract_fail(x, name, err, errno, "cannot set the permissions");
	set_attrs_by_path(x, path, meta);
	sv_extract_times(meta, times);
	if (utimensat(sv_extract_here(x), name, times, AT_SYMLINK_NOFOLLOW))
		return sv_extract_fail(x, name, err, errno, "cannot set the time");
	return 0;
}

/* Makes room for a name that must be free. */
static int make_way(struct sv_extract *x, const char *name, bool replace, struct sv_err *err)
{
	if (sv_extract_check_name(name, err) || sv_extract_refuse_taken(x, name, replace, err))
		return -1;
	if (replace)
		unlinkat(sv_extract_here(x), name, 0);
	return 0;
}

int sv_extract_link(struct sv_extract *x, const char *name, const char *target, bool replace,
	const struct sv_extract_meta *meta, struct sv_err *err)
{
	if (make_way(x, name, replace, err))
		return -1;
	if (symlinkat(target, sv_extract_here(x), name))
		return sv_extract_fail(x, name, err, errno, "cannot make the link");
	return set_meta_at(x, name, true, meta, err);
}

int sv_extract_node(struct sv_extract *x, const char *name, uint32_t type, uint32_t major,
	uint32_t minor, bool replace, const struct sv_extract_meta *meta, struct sv_err *err)
{
	if (make_way(x, name, replace, err))
		return -1;
	if (mknodat(sv_extract_here(x), name, type | 0600, makedev(major, minor)))
		return sv_extract_fail(x, name, err, errno, "cannot make the node");
	return set_meta_at(x, name, false, meta, err);
}

/* The folder in which `path` (from the first one) lies; its last component in *ret_name. */
static int walk_down(
	const struct sv_extract *x, const char *path, const char **ret_name, struct sv_err *err)
{
	int fd = dup(x->stack[0].fd);

	for (const char *slash; fd >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		sv_autofree char *name = strndup(path, (size_t)(slash - path));
		int next;

		if (!name) {
			close(fd);
			return sv_fail_nomem(err);
		}
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	*ret_name = path;
	return fd < 0 ? sv_extract_fail(x, path, err, errno, "cannot find the other name") : fd;
}

int sv_extract_again(struct sv_extract *x, const char *name, const char *first, bool replace,
	struct sv_err *err)
{
	sv_autofd int dir = -1;
	const char *other = NULL;

	if (make_way(x, name, replace, err))
		return -1;
	dir = walk_down(x, first, &other, err);
	if (dir < 0)
		return -1;
	if (linkat(dir, other, sv_extract_here(x), name, 0))
		return sv_extract_fail(x, name, err, errno, "cannot give a second name");
	return 0;
}

uint64_t sv_extract_left_out(const struct sv_extract *x)
{
	return x->left_out;
}
