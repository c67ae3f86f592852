/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that may be folders of files: some disks are (Parallels' .hdd). Never more than one
 * level deep, so that nothing that a person put somewhere is deleted by a loop of ours.
 */
#include "io/host.h"

#include "base/str.h"

#include <string.h>

typedef int (*each_fn)(struct sv_host *h, const char *path, void *user, struct sv_err *err);

static int for_each(
	struct sv_host *h, const char *dir, each_fn fn, void *user, struct sv_err *err)
{
	char **names;
	size_t n;
	int rc = 0;

	if (sv_host_list(h, dir, &names, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && !rc; i++) {
		sv_autofree char *path = sv_path_join(dir, names[i]);

		rc = path ? fn(h, path, user, err) : sv_fail_nomem(err);
	}
	sv_host_free_names(names, n);
	return rc;
}

static int check_plain(struct sv_host *h, const char *path, void *user, struct sv_err *err)
{
	struct sv_host_stat st;

	(void)user;
	if (sv_host_lstat(h, path, &st, err) < 0)
		return -1;
	if (st.type == SV_HOST_FILE)
		return 0;
	sv_fail(err, SV_EXISTS, path, "it is in a folder of ours but not a plain file");
	return sv_hint(err, "move it away, or choose another name for the result");
}

int sv_host_check_flat(struct sv_host *h, const char *path, struct sv_err *err)
{
	struct sv_host_stat st;

	if (sv_host_lstat(h, path, &st, err) < 0)
		return -1;
	return st.type == SV_HOST_DIR ? for_each(h, path, check_plain, NULL, err)
				      : check_plain(h, path, NULL, err);
}

static int remove_one(struct sv_host *h, const char *path, void *user, struct sv_err *err)
{
	(void)user;
	return sv_host_unlink(h, path, err);
}

int sv_host_remove(struct sv_host *h, const char *path, struct sv_err *err)
{
	struct sv_host_stat st;

	if (sv_host_lstat(h, path, &st, err) < 0)
		return -1;
	if (st.type != SV_HOST_DIR)
		return sv_host_unlink(h, path, err);
	if (for_each(h, path, check_plain, NULL, err) < 0 ||
		for_each(h, path, remove_one, NULL, err) < 0)
		return -1;
	return sv_host_remove_dir(h, path, err);
}

static int add_stored(struct sv_host *h, const char *path, void *user, struct sv_err *err)
{
	uint64_t *sum = user;
	struct sv_host_stat st;

	if (sv_host_lstat(h, path, &st, err) < 0)
		return -1;
	*sum += st.allocated;
	return 0;
}

int sv_host_stored(struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	struct sv_host_stat st;
	uint64_t sum = 0;

	if (sv_host_lstat(h, path, &st, err) < 0)
		return -1;
	if (st.type == SV_HOST_DIR && for_each(h, path, add_stored, &sum, err) < 0)
		return -1;
	*ret = sum + st.allocated;
	return 0;
}
