/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The folder in which something is made before it is published: see partial.h. */
#include "io/partial.h"

#include "base/str.h"

#include <string.h>

int sv_partial_make(
	struct sv_host *host, const char *path, struct sv_dev **ret_lock, struct sv_err *err)
{
	sv_autofree char *mark = sv_path_join(path, SV_PARTIAL_MARK);

	if (!mark)
		return sv_fail_nomem(err);
	if (sv_host_make_dir(host, path, err) < 0)
		return -1;
	return sv_host_open(host, mark, SV_OPEN_CREATE | SV_OPEN_LOCK, ret_lock, err);
}

static bool has_name(char **names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

static int refuse_foreign(const char *path, const char *why, struct sv_err *err)
{
	sv_fail(err, SV_EXISTS, path, "%s", why);
	return sv_hint(err, "move it away, or choose another name for the result");
}

/* The mark goes last: until then the folder is recognised as ours. */
static int delete_files(
	struct sv_host *host, const char *path, char **names, size_t n, struct sv_err *err)
{
	for (int last = 0; last < 2; last++) {
		for (size_t i = 0; i < n; i++) {
			sv_autofree char *file = sv_path_join(path, names[i]);
			bool is_mark = strcmp(names[i], SV_PARTIAL_MARK) == 0;

			if (!file)
				return sv_fail_nomem(err);
			if (is_mark == (last == 1) && sv_host_remove(host, file, err) < 0)
				return -1;
		}
	}
	return sv_host_remove_dir(host, path, err);
}

static int check_plain_files(
	struct sv_host *host, const char *path, char **names, size_t n, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *file = sv_path_join(path, names[i]);

		if (!file)
			return sv_fail_nomem(err);
		if (sv_host_check_flat(host, file, err) < 0)
			return -1;
	}
	return 0;
}

static int remove_listed(struct sv_host *host, const char *path, const char *also, char **names,
	size_t n, struct sv_err *err)
{
	sv_autofree char *mark = sv_path_join(path, SV_PARTIAL_MARK);
	sv_autodev struct sv_dev *lock = NULL;
	bool marked = has_name(names, n, SV_PARTIAL_MARK);

	if (!mark)
		return sv_fail_nomem(err);
	if (n && !marked && !(also && has_name(names, n, also)))
		return refuse_foreign(
			path, "there is a folder of that name that is not ours", err);
	if (marked && sv_host_open(host, mark, SV_OPEN_WRITE | SV_OPEN_LOCK | SV_OPEN_NOFOLLOW,
			      &lock, err) < 0) {
		if (err && err->code == SV_BUSY) {
			sv_fail(err, SV_BUSY, path,
				"another run of sharevm works in this folder");
			sv_hint(err, "wait until it has ended");
		}
		return -1;
	}
	if (check_plain_files(host, path, names, n, err) < 0)
		return -1;
	return delete_files(host, path, names, n, err);
}

int sv_partial_remove(
	struct sv_host *host, const char *path, const char *also, struct sv_err *err)
{
	struct sv_host_stat st;
	char **names;
	size_t n;
	int rc;

	if (!sv_host_exists(host, path))
		return 0;
	if (sv_host_lstat(host, path, &st, err) < 0)
		return -1;
	if (st.type != SV_HOST_DIR)
		return refuse_foreign(path, "there is a file of that name", err);
	if (sv_host_list(host, path, &names, &n, err) < 0)
		return -1;
	rc = remove_listed(host, path, also, names, n, err);
	sv_host_free_names(names, n);
	return rc;
}
