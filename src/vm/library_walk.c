/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders searched for files that may be machines: by their endings, for no file is opened
 * here. What VMware calls NAME-flat.vmdk, NAME-s001.vmdk and so on beside a NAME.vmdk is a
 * part of that disk.
 */
#include "vm/found.h"
#include "vm/library.h"
#include "vm/parts.h"

#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const image_endings[] = {".vmdk", ".vdi", ".vhd", ".vhdx", ".avhd", ".avhdx",
	".qcow2", ".qcow", ".img", ".raw", ".hdd"};

void sv_found_free(struct sv_found *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->files[i].path);
	free(f->files);
	f->files = NULL;
	f->n = f->cap = 0;
}

static int grow(struct sv_found *f, struct sv_err *err)
{
	size_t cap = f->cap ? 2 * f->cap : 64;
	void *p;

	if (f->n < f->cap)
		return 0;
	if (f->n >= SV_LIBRARY_MAX)
		return sv_fail(err, SV_NOMEM, NULL,
			"more than %d files may be virtual machines: name a smaller folder",
			SV_LIBRARY_MAX);
	p = realloc(f->files, cap * sizeof *f->files);
	if (!p)
		return sv_fail_nomem(err);
	f->files = p;
	f->cap = cap;
	return 0;
}

int sv_found_add(struct sv_found *f, const char *path, bool config, struct sv_err *err)
{
	struct sv_host_stat st;
	char *copy;

	if (sv_host_stat(f->host, path, &st, NULL) < 0 ||
		(st.type != SV_HOST_FILE && (config || st.type != SV_HOST_DIR)))
		return 0;
	if (grow(f, err) < 0)
		return -1;
	copy = strdup(path);
	if (!copy)
		return sv_fail_nomem(err);
	f->files[f->n++] = (struct sv_found_file){copy, st.dev, st.ino, config};
	return 0;
}

static int by_file(const void *a, const void *b)
{
	const struct sv_found_file *p = a, *q = b;

	if (p->dev != q->dev)
		return p->dev < q->dev ? -1 : 1;
	if (p->ino != q->ino)
		return p->ino < q->ino ? -1 : 1;
	return strcmp(p->path, q->path);
}

void sv_found_unite(struct sv_found *f)
{
	size_t n = 0;

	if (f->n)
		qsort(f->files, f->n, sizeof *f->files, by_file);
	for (size_t i = 0; i < f->n; i++) {
		const struct sv_found_file *last = n ? &f->files[n - 1] : NULL;

		if (last && last->dev == f->files[i].dev && last->ino == f->files[i].ino)
			free(f->files[i].path);
		else
			f->files[n++] = f->files[i];
	}
	f->n = n;
}

/* ---- names ---- */

static bool is_image(const char *name)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(image_endings); i++)
		if (sv_ends_with_nocase(name, image_endings[i]))
			return true;
	return false;
}

static bool all_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isdigit((unsigned char)s[i]))
			return false;
	return n > 0;
}

/* What follows the last '-' of a part's name: "flat", "s001". */
static bool names_a_part(const char *word, size_t n)
{
	static const char *const words[] = {"flat", "delta", "sesparse", "rdm", "rdmp", "ctk"};

	for (size_t i = 0; i < SV_ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && !strncasecmp(word, words[i], n))
			return true;
	return n > 1 && (*word == 's' || *word == 'f') && all_digits(word + 1, n - 1);
}

static bool has_name(char **names, size_t n, const char *stem, size_t stem_n)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == stem_n + 5 && !strncmp(names[i], stem, stem_n) &&
			!strcasecmp(names[i] + stem_n, ".vmdk"))
			return true;
	return false;
}

static bool is_part(char **names, size_t n, const char *name)
{
	size_t stem = strlen(name) - 5; /* ".vmdk" */
	const char *dash = sv_ends_with_nocase(name, ".vmdk") ? strrchr(name, '-') : NULL;

	return dash && dash + 1 < name + stem &&
	       names_a_part(dash + 1, (size_t)(name + stem - dash - 1)) &&
	       has_name(names, n, name, (size_t)(dash - name));
}

/* ---- folders ---- */

static int walk(
	struct sv_found *f, const char *dir, bool quiet, unsigned depth, struct sv_err *err);

static int look_at(struct sv_found *f, const char *dir, char **names, size_t n, size_t i,
	unsigned depth, struct sv_err *err)
{
	const char *name = names[i];
	sv_autofree char *path = sv_path_join(dir, name);
	bool config = sv_vm_is_config(name), image = is_image(name);
	struct sv_host_stat st;

	if (!path)
		return sv_fail_nomem(err);
	if (name[0] == '.' || sv_host_lstat(f->host, path, &st, NULL) < 0)
		return 0; /* hidden, or gone by now */
	if (st.type == SV_HOST_DIR && !sv_ends_with_nocase(name, ".hdd"))
		return sv_ends_with_nocase(name, ".lck") ? 0 : walk(f, path, true, depth, err);
	if (config)
		return sv_found_add(f, path, true, err);
	return image && !is_part(names, n, name) ? sv_found_add(f, path, false, err) : 0;
}

static int unreadable(struct sv_found *f, const char *dir, bool quiet, const struct sv_err *why,
	struct sv_err *err)
{
	if (why->code == SV_NOMEM || why->code == SV_CANCELLED) {
		sv_err_copy(err, why);
		return -1;
	}
	if (!quiet) {
		sv_err_copy(err, why);
		return sv_err_path(err, dir);
	}
	if (why->code == SV_NOTFOUND)
		return 0;
	f->unreadable++;
	sv_job_note(f->job, "%s: %s", dir, why->message);
	return 0;
}

static int walk(
	struct sv_found *f, const char *dir, bool quiet, unsigned depth, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	char **names = NULL;
	size_t n = 0;
	int rc = 0;

	if (sv_job_check(f->job, err) < 0)
		return -1;
	if (depth >= SV_LIBRARY_DEPTH)
		sv_fail(&why, SV_UNSUPPORTED, NULL, "folders are nested too deeply");
	else
		sv_host_list(f->host, dir, &names, &n, &why);
	if (why.code)
		return unreadable(f, dir, quiet, &why, err);
	for (size_t i = 0; !rc && i < n; i++)
		rc = look_at(f, dir, names, n, i, depth + 1, err);
	sv_host_free_names(names, n);
	return rc;
}

int sv_found_walk(struct sv_found *f, const char *dir, bool quiet, struct sv_err *err)
{
	return walk(f, dir, quiet, 0, err);
}
