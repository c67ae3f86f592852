/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Making Parallels disks: a .hdd folder, or under any other name a single expanding image. A
 * folder over a parent is a linked clone as Parallels makes them: its descriptor lists the
 * parent's snapshots with the paths of their files, and one more on top.
 */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct plan {
	struct sv_host *host;
	const char *path;
	const char *stem; /* of the folder */
	bool split, plain;
	struct sv_prl_desc desc;
	struct sv_made *made;
};

/* ---- plan ---- */

static int plan_kind(struct plan *p, const struct sv_image_spec *spec, struct sv_err *err)
{
	static const struct {
		const char *name;
		bool split, plain;
	} kinds[] = {{"expanding", false, false}, {"plain", false, true},
		{"splitExpanding", true, false}, {"splitPlain", true, true}};
	const char *kind = spec->subformat ? spec->subformat : "expanding";

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, kind) != 0)
			continue;
		p->split = kinds[i].split;
		p->plain = kinds[i].plain;
		if (!p->plain || !spec->parent)
			return 0;
	}
	return sv_fail(err, SV_USAGE, p->path,
		"no Parallels disk of kind \"%s\" can be made %s a parent", kind,
		spec->parent ? "over" : "without");
}

static int add_image(struct sv_prl_storage *s, const char *guid, bool plain, const char *file,
	struct sv_err *err)
{
	struct sv_prl_image *grown = realloc(s->images, (s->n_images + 1) * sizeof *s->images);

	if (!grown)
		return sv_fail_nomem(err);
	s->images = grown;
	grown[s->n_images] = (struct sv_prl_image){.plain = plain, .file = strdup(file)};
	if (!grown[s->n_images].file)
		return sv_fail_nomem(err);
	memcpy(grown[s->n_images++].guid, guid, SV_PRL_GUID_TEXT);
	return 0;
}

static int plan_storages(struct plan *p, uint64_t size, struct sv_err *err)
{
	struct sv_prl_desc *d = &p->desc;
	uint64_t piece = p->split ? SV_PRL_SPLIT : size;

	if (sv_div_up(size, piece) > SV_PRL_STORAGES_MAX)
		return sv_fail(err, SV_UNSUPPORTED, p->path,
			"a split Parallels disk has at most %d pieces of %llu bytes",
			SV_PRL_STORAGES_MAX, (unsigned long long)piece);
	d->size = size;
	d->n_storages = (size_t)sv_div_up(size, piece);
	d->storages = calloc(d->n_storages, sizeof *d->storages);
	if (!d->storages)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < d->n_storages; i++)
		d->storages[i] = (struct sv_prl_storage){.start = i * piece,
			.end = SV_MIN(size, (i + 1) * piece),
			.cluster = SV_PRL_CLUSTER};
	return 0;
}

/* As the parent is cut, and with its clusters. */
static int plan_storages_like(struct plan *p, const struct sv_prl *parent, struct sv_err *err)
{
	struct sv_prl_desc *d = &p->desc;

	d->size = parent->link.info.virtual_size;
	d->n_storages = parent->n_parts;
	d->storages = calloc(d->n_storages, sizeof *d->storages);
	if (!d->storages)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < d->n_storages; i++) {
		const struct sv_prl_part *part = &parent->parts[i];

		d->storages[i] = (struct sv_prl_storage){.start = part->start,
			.end = part->start + part->length,
			.cluster = SV_PRL_CLUSTER};
	}
	return 0;
}

/* A link of the parent's chain, with its files as seen from the new folder. */
static int add_parent(struct plan *p, const struct sv_prl *link, const char *home,
	const char *guid, struct sv_err *err)
{
	for (size_t i = 0; i < link->n_parts; i++) {
		const struct sv_prl_part *part = &link->parts[i];
		sv_autofree char *way = sv_path_relative(home, part->path);

		if (!way)
			return sv_fail_nomem(err);
		if (add_image(&p->desc.storages[i], guid, !part->hds, way, err) < 0)
			return -1;
	}
	return 0;
}

static int check_link(const struct plan *p, const struct sv_link *l, struct sv_err *err)
{
	const struct sv_prl *link = (const struct sv_prl *)l;
	bool same;

	if (l->driver != &sv_parallels_driver)
		return sv_fail(err, SV_UNSUPPORTED, p->path,
			"the parent of a Parallels disk must be one, this is %s",
			l->driver->name);
	same = link->n_parts == p->desc.n_storages;
	for (size_t i = 0; same && i < link->n_parts; i++)
		same = link->parts[i].start == p->desc.storages[i].start;
	if (same)
		return 0;
	return sv_fail(err, SV_UNSUPPORTED, p->path,
		"the links of the parent's chain are not cut into the same pieces");
}

/* Snapshot i of the new descriptor is link i-1 of the parent's chain; 0 is the new one. */
static int plan_parents(struct plan *p, struct sv_image *parent, struct sv_err *err)
{
	struct sv_prl_desc *d = &p->desc;
	sv_autofree char *dir = sv_path_dir(p->path);
	sv_autofree char *home = dir ? sv_host_real_path(p->host, dir, err) : NULL;
	sv_autofree char *folder = home ? sv_path_join(home, sv_path_base(p->path)) : NULL;

	if (!folder)
		return dir && !home ? -1 : sv_fail_nomem(err);
	for (size_t i = 0; i < sv_image_links(parent); i++) {
		const struct sv_link *l = sv_image_driver_link(parent, i);
		const struct sv_prl *link = (const struct sv_prl *)l;
		char guid[SV_PRL_GUID_TEXT];

		/* the predefined one is the new top's */
		if (check_link(p, l, err) < 0 || sv_prl_guid_new(guid, err) < 0)
			return -1;
		if (link->desc &&
			strcmp(link->desc->shots[link->shot].guid, SV_PRL_TOP_GUID) != 0)
			memcpy(guid, link->desc->shots[link->shot].guid, sizeof guid);
		memcpy(d->shots[i].parent, guid, sizeof guid);
		memcpy(d->shots[i + 1].guid, guid, sizeof guid);
		if (add_parent(p, link, folder, guid, err) < 0)
			return -1;
	}
	return 0;
}

static int plan_shots(struct plan *p, struct sv_image *parent, struct sv_err *err)
{
	struct sv_prl_desc *d = &p->desc;

	d->n_shots = 1 + (parent ? sv_image_links(parent) : 0);
	if (d->n_shots > SV_PRL_SHOTS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, p->path,
			"a Parallels disk has at most %d snapshots", SV_PRL_SHOTS_MAX);
	d->shots = calloc(d->n_shots, sizeof *d->shots);
	if (!d->shots)
		return sv_fail_nomem(err);
	memcpy(d->top_guid, SV_PRL_TOP_GUID, sizeof d->top_guid);
	memcpy(d->shots[0].guid, SV_PRL_TOP_GUID, sizeof d->shots[0].guid);
	memcpy(d->shots[d->n_shots - 1].parent, SV_PRL_NULL_GUID, SV_PRL_GUID_TEXT);
	if (parent && plan_parents(p, parent, err) < 0)
		return -1;
	for (size_t i = 0; i < d->n_storages; i++) {
		sv_autofree char *name = sv_prl_part_name(p->stem, i, SV_PRL_TOP_GUID);

		if (!name)
			return sv_fail_nomem(err);
		if (add_image(&d->storages[i], SV_PRL_TOP_GUID, p->plain, name, err) < 0)
			return -1;
	}
	return sv_prl_guid_new(d->uid, err);
}

static int make_plan(struct plan *p, const struct sv_image_spec *spec, struct sv_err *err)
{
	const struct sv_link *parent =
		spec->parent ? sv_image_driver_link(spec->parent, 0) : NULL;
	struct sv_prl_disk_header h;

	if (plan_kind(p, spec, err) < 0 || sv_prl_header_make(spec->size, &h, err) < 0)
		return -1;
	if (!parent)
		return plan_storages(p, spec->size, err) < 0 ? -1 : plan_shots(p, NULL, err);
	if (parent->driver != &sv_parallels_driver)
		return sv_fail(err, SV_UNSUPPORTED, p->path,
			"the parent of a Parallels disk must be one, this is %s",
			parent->driver->name);
	if (spec->size != parent->info.virtual_size)
		return sv_fail(err, SV_UNSUPPORTED, p->path,
			"a Parallels disk over a parent has its size, %llu bytes",
			(unsigned long long)parent->info.virtual_size);
	return plan_storages_like(p, (const struct sv_prl *)parent, err) < 0
		       ? -1
		       : plan_shots(p, spec->parent, err);
}

/* ---- files ---- */

char *sv_prl_part_name(const char *stem, size_t i, const char *guid)
{
	return sv_format("%s.hdd.%zu.{%s}.hds", stem, i, guid);
}

int sv_prl_make_folder(
	struct sv_host *host, const char *path, struct sv_made *made, struct sv_err *err)
{
	if (sv_host_exists(host, path))
		return sv_fail(err, SV_EXISTS, path, "there is a file of this name already");
	if (sv_host_make_dir(host, path, err) < 0)
		return -1;
	return sv_made_add(made, path, err);
}

static int make_file(struct sv_host *host, const char *folder, const char *name,
	const void *bytes, size_t n, struct sv_made *made, struct sv_err *err)
{
	sv_autofree char *path = sv_path_join(folder, name);

	if (!path)
		return sv_fail_nomem(err);
	return sv_made_add(made, path, err) < 0 ? -1
						: sv_host_write_file(host, path, bytes, n, err);
}

int sv_prl_make_folder_files(struct sv_host *host, const char *folder, const char *text,
	size_t n, struct sv_made *made, struct sv_err *err)
{
	return make_file(host, folder, sv_path_base(folder), "", 0, made, err) < 0
		       ? -1
		       : make_file(host, folder, SV_PRL_DESC_NAME, text, n, made, err);
}

static int make_image(struct plan *p, const char *path, uint64_t size, struct sv_err *err)
{
	sv_autodev struct sv_dev *d = NULL;

	if (sv_host_open(p->host, path, SV_OPEN_CREATE, &d, err) < 0 ||
		sv_made_add(p->made, path, err) < 0 ||
		(p->plain ? sv_dev_resize(d, size, err) : sv_hds_make(d, size, err)) < 0)
		return sv_err_path(err, path);
	return sv_dev_flush(d, err);
}

static int make_folder(struct plan *p, struct sv_err *err)
{
	const struct sv_prl_desc *d = &p->desc;
	sv_autofree char *text = sv_prl_desc_print(d, err);

	if (!text || sv_prl_make_folder(p->host, p->path, p->made, err) < 0)
		return -1;
	for (size_t i = 0; i < d->n_storages; i++) {
		const struct sv_prl_storage *s = &d->storages[i];
		sv_autofree char *path =
			sv_path_join(p->path, sv_prl_storage_image(s, d->top_guid)->file);

		if (!path)
			return sv_fail_nomem(err);
		if (make_image(p, path, s->end - s->start, err) < 0)
			return -1;
	}
	if (sv_prl_make_folder_files(p->host, p->path, text, strlen(text), p->made, err) < 0)
		return -1;
	return sv_host_sync_dir(p->host, p->path, err);
}

static int make_single(struct plan *p, const struct sv_image_spec *spec, struct sv_err *err)
{
	if (!spec->parent && !p->split && !p->plain)
		return make_image(p, p->path, spec->size, err);
	sv_fail(err, SV_USAGE, p->path,
		"only a .hdd folder can have a parent, or be plain or split");
	return sv_hint(err, "give it a name that ends in .hdd");
}

int sv_prl_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	const char *base = sv_path_base(path);
	bool folder = sv_ends_with_nocase(base, ".hdd");
	sv_autofree char *dir = sv_path_dir(path);
	sv_autofree char *stem = strndup(base, strlen(base) - (folder ? 4 : 0));
	struct plan p = {.host = host, .path = path, .stem = stem, .made = &made};
	int rc;

	if (!dir || !stem)
		return sv_fail_nomem(err);
	rc = make_plan(&p, spec, err);
	if (!rc)
		rc = folder ? make_folder(&p, err) : make_single(&p, spec, err);
	sv_prl_desc_clear(&p.desc);
	if (rc < 0 || sv_host_sync_dir(host, dir, err) < 0)
		return sv_err_path(err, path);
	sv_made_keep(&made);
	return 0;
}
