/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A VMDK of one link with files of its own: each file is reflinked or copied, and the
 * descriptor rewritten with the new names and a new content id. The disk keeps its identity
 * (ddb.uuid); what belongs to one file in one program's register does not go with it.
 */
#include "image/vmdk/vmdk.h"

#include "base/str.h"

#include <string.h>

struct copy {
	struct sv_host *host;
	struct sv_vmdk *v;
	bool reflink;
	const char *dir, *stem;
	struct sv_job *job;
	struct sv_made *made;
};

const char *sv_vmdk_flat_subformat(const struct sv_link *l)
{
	return sv_vmdk_is_split(&((const struct sv_vmdk *)l)->desc) ? "twoGbMaxExtentSparse"
								    : "monolithicSparse";
}

/* VirtualBox registers disks by these; VMware's change tracking names a file. */
static void drop_registrations(struct sv_vmdk_desc *d)
{
	sv_vmdk_desc_unset(d, "changeTrackPath");
	sv_vmdk_desc_unset(d, "ddb.uuid.image");
	sv_vmdk_desc_unset(d, "ddb.uuid.modification");
	sv_vmdk_desc_unset(d, "ddb.uuid.parent");
	sv_vmdk_desc_unset(d, "ddb.uuid.parentmodification");
}

static int copy_file(const struct copy *c, const char *from, const char *to, struct sv_err *err)
{
	return sv_made_copy(c->made, from, to, c->reflink, c->job, err);
}

/* The new names are the host's own. */
static int set_encoding(struct sv_vmdk_desc *d, struct sv_err *err)
{
	char *utf8 = strdup("UTF-8");

	if (!utf8)
		return sv_fail_nomem(err);
	free(d->encoding);
	d->encoding = utf8;
	return 0;
}

static int rename_extent(struct sv_vmdk_desc *d, size_t i, const char *name, struct sv_err *err)
{
	char *copy = strdup(name);

	if (!copy)
		return sv_fail_nomem(err);
	if (!sv_vmdk_text_valid(name)) {
		free(copy);
		return sv_fail(err, SV_UNSUPPORTED, name,
			"a VMDK descriptor cannot name it: it holds a quote or a control character");
	}
	free(d->extents[i].file);
	d->extents[i].file = copy;
	return 0;
}

/* ---- embedded descriptor ---- */

static int rewrite_embedded(const struct copy *c, const char *path, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;
	struct sv_vmdk *v;
	int rc;

	if (sv_host_open(c->host, path, SV_OPEN_WRITE | SV_OPEN_NOFOLLOW, &file, err) < 0 ||
		sv_vmdk_load(path, file, true, &v, err) < 0)
		return -1;
	drop_registrations(&v->desc);
	rc = set_encoding(&v->desc, err);
	if (!rc)
		rc = rename_extent(&v->desc, 0, sv_path_base(path), err);
	if (!rc)
		rc = sv_vmdk_desc_new_cid(&v->desc, err);
	if (!rc)
		rc = sv_vmdk_write_desc(v, err);
	sv_link_close(&v->link);
	return rc < 0 ? -1 : sv_dev_flush(file, err);
}

static int copy_embedded(const struct copy *c, const char *path, struct sv_err *err)
{
	if (copy_file(c, c->v->parts[0].path, path, err) < 0)
		return -1;
	return rewrite_embedded(c, path, err);
}

/* ---- text descriptor ---- */

/* Copies the file of extent i, and gives its new name to every extent that lies in it. */
static int copy_extent(
	const struct copy *c, struct sv_vmdk_desc *d, size_t i, struct sv_err *err)
{
	const struct sv_vmdk_part *p = &c->v->parts[i];
	bool split = sv_vmdk_is_split(d) || c->v->n_parts > 1;
	sv_autofree char *name = sv_vmdk_part_name(c->stem, p->type, split, i);
	sv_autofree char *path = name ? sv_path_join(c->dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	for (size_t k = i + 1; k < c->v->n_parts; k++) {
		const char *other = c->v->parts[k].path;

		if (other && !strcmp(other, p->path) && rename_extent(d, k, name, err) < 0)
			return -1;
	}
	if (rename_extent(d, i, name, err) < 0)
		return -1;
	return copy_file(c, p->path, path, err);
}

static bool is_first_of_file(const struct sv_vmdk *v, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (v->parts[k].path && !strcmp(v->parts[k].path, v->parts[i].path))
			return false;
	}
	return true;
}

static int copy_text(
	const struct copy *c, struct sv_vmdk_desc *d, const char *path, struct sv_err *err)
{
	if (sv_vmdk_desc_copy(&c->v->desc, d, err) < 0 || sv_vmdk_desc_new_cid(d, err) < 0 ||
		set_encoding(d, err) < 0)
		return -1;
	drop_registrations(d);
	for (size_t i = 0; i < c->v->n_parts; i++) {
		if (!c->v->parts[i].path || !is_first_of_file(c->v, i))
			continue;
		if (copy_extent(c, d, i, err) < 0)
			return -1;
	}
	return sv_vmdk_make_text(c->host, path, d, c->made, err);
}

int sv_vmdk_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	const struct copy c = {host, (struct sv_vmdk *)l, reflink, dir, stem, job, made};
	sv_autofree char *name = sv_format("%s.vmdk", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;
	struct sv_vmdk_desc d = {0};
	int rc;

	if (!path)
		return sv_fail_nomem(err);
	if (c.v->embedded)
		rc = copy_embedded(&c, path, err);
	else
		rc = copy_text(&c, &d, path, err);
	sv_vmdk_desc_free(&d);
	if (rc < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}
