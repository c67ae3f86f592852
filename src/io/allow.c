/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files outside an image's folder may be used: see allow.h. */
#include "io/allow.h"

#include "base/str.h"

#include <string.h>

struct allowed_file {
	char *path;
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
};

struct sv_allow {
	char **dirs;
	size_t n_dirs;
	struct allowed_file *files;
	size_t n_files;
};

struct sv_allow *sv_allow_new(struct sv_err *err)
{
	struct sv_allow *a = calloc(1, sizeof *a);

	if (!a)
		sv_fail_nomem(err);
	return a;
}

void sv_allow_free(struct sv_allow *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_dirs; i++)
		free(a->dirs[i]);
	for (size_t i = 0; i < a->n_files; i++)
		free(a->files[i].path);
	free(a->dirs);
	free(a->files);
	free(a);
}

int sv_allow_add_dir(struct sv_allow *a, struct sv_host *h, const char *dir, struct sv_err *err)
{
	sv_autofree char *real = sv_host_real_path(h, dir, err);
	struct sv_host_stat st;
	char **grown;

	if (!real || sv_host_stat(h, real, &st, err) < 0)
		return -1;
	if (st.type != SV_HOST_DIR)
		return sv_fail(err, SV_USAGE, dir, "it is not a folder");
	grown = realloc(a->dirs, (a->n_dirs + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	a->dirs = grown;
	a->dirs[a->n_dirs++] = SV_STEAL(real);
	return 0;
}

int sv_allow_add_file(struct sv_allow *a, const char *path, uint64_t size, int64_t mtime_sec,
	uint32_t mtime_nsec, struct sv_err *err)
{
	char *copy = strdup(path);
	struct allowed_file *grown = realloc(a->files, (a->n_files + 1) * sizeof *grown);

	if (grown)
		a->files = grown;
	if (!copy || !grown) {
		free(copy);
		return sv_fail_nomem(err);
	}
	a->files[a->n_files++] = (struct allowed_file){copy, size, mtime_sec, mtime_nsec};
	return 0;
}

static bool is_recorded(
	const struct sv_allow *a, const char *path, const struct sv_host_stat *st)
{
	for (size_t i = 0; i < a->n_files; i++) {
		const struct allowed_file *f = &a->files[i];

		if (!strcmp(f->path, path) && f->size == st->size &&
			f->mtime_sec == st->mtime_sec && f->mtime_nsec == st->mtime_nsec)
			return true;
	}
	return false;
}

static bool is_allowed(const struct sv_allow *a, const char *home, const char *path,
	const struct sv_host_stat *st)
{
	if (sv_path_is_below(path, home))
		return true;
	if (!a)
		return false;
	for (size_t i = 0; i < a->n_dirs; i++) {
		if (sv_path_is_below(path, a->dirs[i]))
			return true;
	}
	return is_recorded(a, path, st);
}

static int refuse(const struct sv_allow *a, const char *real, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(real);

	for (size_t i = 0; a && i < a->n_files; i++) {
		if (strcmp(a->files[i].path, real))
			continue;
		sv_fail(err, SV_UNSUPPORTED, real,
			"this original has changed since the disk that refers to it was made");
		return sv_hint(err,
			"a linked disk is worth nothing once its original was used; "
			"`sharevm verify` tells what changed");
	}
	sv_fail(err, SV_UNSUPPORTED, real,
		"a part of the disk lies outside the virtual machine's folder");
	return sv_hint(err, "if you know that file, allow its folder: --allow-path '%s'",
		dir ? dir : "/");
}

static int explain_missing(const char *path, struct sv_err *err)
{
	sv_fail(err, SV_NOTFOUND, path, "a part of the disk is missing");
	return sv_hint(err, "bring the file back to that place: look where it was moved to, or "
			    "in a backup");
}

int sv_allow_resolve(const struct sv_allow *a, struct sv_host *h, const char *home,
	const char *path, char **ret_path, struct sv_err *err)
{
	sv_autofree char *joined = sv_path_join(home, path);
	sv_autofree char *real_home = sv_host_real_path(h, home, err);
	sv_autofree char *real = NULL;
	struct sv_host_stat st;

	if (!joined)
		return sv_fail_nomem(err);
	if (!real_home)
		return -1;
	real = sv_host_real_path(h, joined, err);
	if (!real)
		return err && err->code == SV_NOTFOUND ? explain_missing(joined, err) : -1;
	if (sv_host_stat(h, real, &st, err) < 0)
		return -1;
	if (st.type != SV_HOST_FILE) {
		sv_fail(err, SV_UNSUPPORTED, real, "a part of the disk is not a regular file");
		return sv_hint(err, "only files are read as disks, never devices or pipes: "
				    "see what the disk's description names");
	}
	if (!is_allowed(a, real_home, real, &st))
		return refuse(a, real, err);
	*ret_path = SV_STEAL(real);
	return 0;
}
