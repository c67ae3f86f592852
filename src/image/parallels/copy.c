/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copies of Parallels disks in own files, and what derivations cost and where they end. Of a
 * folder the files are copied and the descriptor's text is kept but for their names and the
 * disk's id. A linked disk is one more snapshot, in a folder of its own, over the original's
 * files; Parallels gives a child the size of its parent.
 */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a single file ---- */

static int copy_single(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	const char *dot = strrchr(sv_path_base(l->info.path), '.');
	sv_autofree char *name = sv_format("%s%s", stem, dot ? dot : ".hds");
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	(void)host;
	if (!path)
		return sv_fail_nomem(err);
	if (sv_made_copy(made, l->info.path, path, reflink, job, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

/* ---- a folder ---- */

struct copy {
	struct sv_host *host;
	struct sv_prl *p;
	bool reflink;
	const char *folder, *stem;
	struct sv_job *job;
	struct sv_made *made;
	struct sv_prl_edit *edits;
	char **texts; /* of the edits */
	size_t n;
};

static int add_edit(
	struct copy *c, struct sv_prl_span span, const char *text, struct sv_err *err)
{
	if (!span.at)
		return 0;
	c->texts[c->n] = strdup(text);
	if (!c->texts[c->n])
		return sv_fail_nomem(err);
	c->edits[c->n] = (struct sv_prl_edit){span, c->texts[c->n]};
	c->n++;
	return 0;
}

static int copy_parts(struct copy *c, const struct sv_prl_desc *now, struct sv_err *err)
{
	const char *guid = now->shots[now->top].guid;

	for (size_t i = 0; i < c->p->n_parts; i++) {
		const struct sv_prl_image *image =
			sv_prl_storage_image(&now->storages[i], guid);
		sv_autofree char *name = sv_prl_part_name(c->stem, i, guid);
		sv_autofree char *path = name ? sv_path_join(c->folder, name) : NULL;

		if (!path)
			return sv_fail_nomem(err);
		if (add_edit(c, image->file_span, name, err) < 0 ||
			sv_made_copy(c->made, c->p->parts[i].path, path, c->reflink, c->job,
				err) < 0)
			return -1;
	}
	return 0;
}

static int new_uid(struct copy *c, const struct sv_prl_desc *now, struct sv_err *err)
{
	char guid[SV_PRL_GUID_TEXT], text[SV_PRL_GUID_TEXT + 2];

	if (sv_prl_guid_new(guid, err) < 0)
		return -1;
	snprintf(text, sizeof text, "{%s}", guid);
	return add_edit(c, now->uid_span, text, err);
}

static int copy_edited(struct copy *c, const struct sv_prl_desc *now, const char *text,
	size_t n, struct sv_err *err)
{
	sv_autofree char *edited = NULL;

	if (!now->editable || now->n_shots != 1 || now->n_storages != c->p->n_parts)
		return sv_fail(err, SV_UNSUPPORTED, c->p->desc_path,
			"the descriptor cannot be copied: it is not in UTF-8, or another "
			"program has changed it");
	if (new_uid(c, now, err) < 0 || copy_parts(c, now, err) < 0)
		return -1;
	edited = sv_prl_desc_edit(text, n, c->edits, c->n, err);
	if (!edited)
		return -1;
	return sv_prl_make_folder_files(
		c->host, c->folder, edited, strlen(edited), c->made, err);
}

static int copy_files(struct copy *c, struct sv_err *err)
{
	struct sv_prl_desc *now = NULL;
	size_t n = 0, max = c->p->n_parts + 1;
	sv_autofree char *text =
		sv_host_read_file(c->host, c->p->desc_path, SV_PRL_DESC_MAX, &n, err);
	int rc;

	if (!text || sv_prl_desc_parse(text, n, &now, err) < 0)
		return sv_err_path(err, c->p->desc_path);
	c->edits = calloc(max, sizeof *c->edits);
	c->texts = calloc(max, sizeof *c->texts);
	rc = c->edits && c->texts ? copy_edited(c, now, text, n, err) : sv_fail_nomem(err);
	for (size_t i = 0; i < c->n; i++)
		free(c->texts[i]);
	free(c->texts);
	free(c->edits);
	sv_prl_desc_close(now);
	return rc;
}

static int copy_folder(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	sv_autofree char *name = sv_format("%s.hdd", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;
	struct copy c = {host, sv_prl_of(l), reflink, path, stem, job, made, NULL, NULL, 0};

	if (!path)
		return sv_fail_nomem(err);
	if (sv_prl_make_folder(host, path, made, err) < 0 || copy_files(&c, err) < 0 ||
		sv_host_sync_dir(host, path, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

int sv_prl_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	return (sv_prl_of(l)->desc ? copy_folder : copy_single)(
		host, l, reflink, dir, stem, made, job, ret_path, err);
}

/* ---- a linked disk ---- */

int sv_prl_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err)
{
	const struct sv_image_spec spec = {
		.format = "parallels", .size = size, .parent = original};
	sv_autofree char *name = sv_format("%s.hdd", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_image_create(host, path, &spec, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

/* ---- costs and limits ---- */

const char *sv_prl_flat_subformat(const struct sv_link *l)
{
	const struct sv_prl *p = (const struct sv_prl *)l;

	return p->n_parts > 1 ? "splitExpanding" : "expanding";
}

static bool is_copied(const struct sv_image *original, enum sv_image_derive how)
{
	return how != SV_DERIVE_LINKED && sv_image_links(original) == 1 &&
	       !sv_image_driver_link(original, 0)->flatten;
}

uint64_t sv_prl_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	const struct sv_prl *p = sv_prl_of(sv_image_driver_link(original, 0));
	const struct sv_prl_part *last = &p->parts[p->n_parts - 1];
	uint64_t desc = SV_PRL_DESC_MAX;

	if (!p->desc && how != SV_DERIVE_LINKED)
		desc = 0;
	if (is_copied(original, how))
		return desc +
		       (last->hds ? sv_hds_grow_cost(&last->hds->h, size - last->start) : 0);
	/* new files: a header and a BAT each, in whole clusters */
	return desc + sv_prl_entry_at(sv_div_up(size, SV_PRL_CLUSTER)) +
	       (p->n_parts + size / SV_PRL_SPLIT + 1) * SV_PRL_CLUSTER;
}

static int check_linked(const struct sv_image *original, uint64_t size, struct sv_err *err)
{
	const struct sv_link *l = sv_image_driver_link(original, 0);

	if (size == l->info.virtual_size)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, l->info.path,
		"a linked Parallels disk cannot be larger than its parent");
	return sv_hint(err, "make an independent copy: --copy");
}

int sv_prl_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	const struct sv_prl *p = sv_prl_of(sv_image_driver_link(original, 0));
	const struct sv_prl_part *last = &p->parts[p->n_parts - 1];
	struct sv_prl_disk_header h;
	int rc = 0;

	if (how == SV_DERIVE_LINKED)
		return check_linked(original, size, err);
	if (!is_copied(original, how))
		rc = sv_prl_header_make(size, &h, err);
	else if (last->hds)
		rc = sv_hds_check_size(&last->hds->h, size - last->start, err);
	return rc < 0 ? sv_err_path(err, p->link.info.path) : 0;
}
