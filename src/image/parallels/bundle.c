/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The .hdd folder: its descriptor, the files that it names, and the chain of snapshots. The
 * files of the snapshot that is opened must lie in the folder, or where the user allowed it;
 * those of its parents are only read, and may lie elsewhere: a linked clone names its
 * original's by absolute paths. Where such a file is gone it is looked for beside the disk, as
 * people move machines as a whole.
 */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int sv_prl_read_desc(
	struct sv_host *host, const char *path, struct sv_prl_desc **ret, struct sv_err *err)
{
	size_t n = 0;
	sv_autofree char *text = sv_host_read_file(host, path, SV_PRL_DESC_MAX, &n, err);

	if (!text)
		return -1;
	return sv_prl_desc_parse(text, n, ret, err) < 0 ? sv_err_path(err, path) : 0;
}

/* ---- files ---- */

/* The last n components of a path; fewer where it has fewer. */
static const char *last_components(const char *path, unsigned n)
{
	const char *at = path + strlen(path);

	while (at > path && (at[-1] != '/' || --n))
		at--;
	return at;
}

/*
 * The nth place to look for a file: as it is written; of an absolute path also by its name
 * beside the descriptor, in a disk beside this one, in a machine beside this one's.
 */
static char *candidate(const char *home, const char *file, unsigned nth)
{
	static const char *const up[] = {"", "../", "../../"};

	if (!nth)
		return sv_path_join(home, file);
	if (nth > SV_ARRAY_LEN(up) || *file != '/')
		return NULL;
	return sv_format("%s/%s%s", home, up[nth - 1], last_components(file, nth));
}

char *sv_prl_image_path(const struct sv_link_env *env, const char *desc_path,
	const struct sv_prl_image *image, bool parent, struct sv_err *err)
{
	sv_autofree char *home = sv_path_dir(desc_path);
	struct sv_err first = SV_ERR_INIT;

	for (unsigned nth = 0; home; nth++) {
		sv_autofree char *name = candidate(home, image->file, nth);
		char *path = NULL;

		if (!name)
			break;
		if (parent)
			path = sv_host_real_path(env->host, name, nth ? NULL : &first);
		else
			sv_allow_resolve(
				env->allow, env->host, home, name, &path, nth ? NULL : &first);
		if (path)
			return path;
		if (!nth && first.code != SV_NOTFOUND)
			break;
	}
	if (first.code == SV_OK)
		sv_fail_nomem(&first);
	sv_err_copy(err, &first);
	if (first.code == SV_NOTFOUND) {
		sv_fail(err, SV_NOTFOUND, first.path,
			"a file of the disk is missing: %s names \"%.200s\"",
			sv_path_base(desc_path), image->file);
		sv_hint(err, "put the file back, or bring the whole folder back from a backup");
	}
	return NULL;
}

/* ---- the descriptor beside a file ---- */

/* The snapshot whose image in some storage is this file; SIZE_MAX: none. */
static size_t shot_of_file(struct sv_host *host, const struct sv_prl_desc *d,
	const char *desc_path, const char *path)
{
	const struct sv_link_env env = {.host = host};
	const char *base = sv_path_base(path);

	for (size_t i = 0; i < d->n_storages; i++) {
		for (size_t k = 0; k < d->storages[i].n_images; k++) {
			const struct sv_prl_image *image = &d->storages[i].images[k];
			sv_autofree char *found = NULL;

			if (!image->file || strcmp(sv_path_base(image->file), base) != 0)
				continue;
			found = sv_prl_image_path(&env, desc_path, image, true, NULL);
			if (found && !strcmp(found, path))
				return sv_prl_desc_find_shot(d, image->guid);
		}
	}
	return SIZE_MAX;
}

int sv_prl_find_desc(struct sv_host *host, const char *path, struct sv_prl_desc **ret_desc,
	char **ret_desc_path, size_t *ret_shot, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);
	sv_autofree char *desc_path = dir ? sv_path_join(dir, SV_PRL_DESC_NAME) : NULL;
	struct sv_prl_desc *d = NULL;
	struct sv_host_stat st;

	*ret_desc = NULL;
	*ret_desc_path = NULL;
	if (!desc_path)
		return sv_fail_nomem(err);
	if (sv_host_stat(host, desc_path, &st, NULL) < 0 || st.type != SV_HOST_FILE)
		return 0;
	if (sv_prl_read_desc(host, desc_path, &d, err) < 0)
		return sv_hint(err, "to open the file alone, without what its parents hold, "
				    "copy it into a folder of its own");
	*ret_shot = shot_of_file(host, d, desc_path, path);
	if (*ret_shot == SIZE_MAX) {
		sv_prl_desc_close(d);
		return 0;
	}
	*ret_desc = d;
	*ret_desc_path = SV_STEAL(desc_path);
	return 0;
}

/* ---- snapshots ---- */

static int refuse_to_write(const struct sv_prl_desc *d, size_t shot, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, NULL,
		"snapshot {%s} is not what the guest writes to: it can only be read",
		d->shots[shot].guid);
	return sv_hint(err, "open the .hdd folder to write to the disk itself");
}

static int open_parts(const struct sv_prl_source *from, struct sv_prl *p, struct sv_err *err)
{
	const struct sv_prl_desc *d = p->desc;

	p->parts = calloc(d->n_storages, sizeof *p->parts);
	if (!p->parts)
		return sv_fail_nomem(err);
	p->n_parts = d->n_storages;
	for (size_t i = 0; i < d->n_storages; i++) {
		const struct sv_prl_storage *s = &d->storages[i];
		const struct sv_prl_image *image =
			sv_prl_storage_image(s, d->shots[p->shot].guid);

		p->parts[i].start = s->start;
		p->parts[i].length = s->end - s->start;
		p->parts[i].path =
			sv_prl_image_path(from->env, p->desc_path, image, from->parent, err);
		if (!p->parts[i].path || sv_prl_open_part(from, p, i, image->plain, err) < 0)
			return -1;
	}
	return 0;
}

int sv_prl_open_shot(
	const struct sv_prl_source *from, size_t shot, struct sv_prl **ret, struct sv_err *err)
{
	struct sv_prl *p;

	if (from->env->writable && shot != from->desc->top)
		return refuse_to_write(from->desc, shot, err);
	p = calloc(1, sizeof *p);
	if (!p)
		return sv_fail_nomem(err);
	p->link.driver = &sv_parallels_driver;
	p->link.writable = from->env->writable;
	p->desc = sv_prl_desc_ref(from->desc);
	p->shot = shot;
	p->desc_path = strdup(from->desc_path);
	if (!p->desc_path || open_parts(from, p, err) < 0) {
		if (!p->desc_path)
			sv_fail_nomem(err);
		sv_prl_close(&p->link);
		return -1;
	}
	*ret = p;
	return 0;
}
