/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver of Parallels disks: what is told of an image, and which of the ways to open one
 * it takes (parallels.h).
 */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

/* ---- probe ---- */

static bool is_expanding(const void *bytes, size_t n)
{
	const size_t magic = sizeof(SV_PRL_MAGIC) - 1;

	return n >= magic &&
	       (!memcmp(bytes, SV_PRL_MAGIC, magic) || !memcmp(bytes, SV_PRL_MAGIC_EXT, magic));
}

/* XML whose first element is the descriptor's. */
static bool is_descriptor(const void *bytes, size_t n)
{
	static const char root[] = "<Parallels_disk_image";
	const char *text = bytes, *at = memmem(bytes, n, root, sizeof root - 1);
	size_t skip = n >= 3 && !memcmp(bytes, "\xef\xbb\xbf", 3) ? 3 : 0;

	while (skip < n && strchr(" \t\r\n", text[skip]) && text[skip])
		skip++;
	return at && text[skip] == '<';
}

static bool prl_probe(const struct sv_probe *p)
{
	return is_expanding(p->head, p->n_head) || is_descriptor(p->head, p->n_head);
}

/* ---- what is told about the link ---- */

static const char *kind_of(const struct sv_prl *p)
{
	bool plain = true;

	for (size_t i = 0; i < p->n_parts; i++)
		plain &= !p->parts[i].hds;
	if (p->n_parts > 1)
		return plain ? "splitPlain" : "splitExpanding";
	return plain ? "plain" : "expanding";
}

/* The empty file of the folder's own name, which Parallels makes: it goes with the disk. */
static int add_empty_file(const struct sv_link_env *env, struct sv_prl *p, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(p->desc_path);
	sv_autofree char *path = dir ? sv_path_join(dir, sv_path_base(dir)) : NULL;
	struct sv_host_stat st;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_host_lstat(env->host, path, &st, NULL) < 0 || st.type != SV_HOST_FILE || st.size)
		return 0;
	return sv_link_add_file(&p->link, env->host, path, false, err);
}

static int describe_part(const struct sv_link_env *env, struct sv_prl *p,
	const struct sv_prl_part *part, struct sv_err *err)
{
	struct sv_image_link *info = &p->link.info;
	uint64_t before = info->host_size, stored;

	if (sv_link_add_file(&p->link, env->host, part->path, true, err) < 0)
		return -1;
	stored = part->hds ? sv_hds_stored(part->hds) : info->host_size - before;
	info->virtual_size += part->length;
	info->allocated += SV_MIN(stored, part->length);
	if (part->hds) {
		info->block_size = (uint32_t)part->hds->h.cluster;
		info->dirty |= part->hds->h.in_use == SV_PRL_IN_USE;
	}
	return 0;
}

static int add_snapshot(
	const struct sv_link_env *env, struct sv_prl *p, size_t shot, struct sv_err *err)
{
	const struct sv_prl_desc *d = p->desc;
	const char *guid = d->shots[shot].guid;
	struct sv_image_snapshot *s = &p->link.info.snapshots[p->link.info.n_snapshots];
	sv_autofree char *path = sv_prl_image_path(
		env, p->desc_path, sv_prl_storage_image(d->storages, guid), true, NULL);
	struct sv_host_stat st;

	*s = (struct sv_image_snapshot){
		.id = strdup(guid), .name = strdup(""), .virtual_size = d->size};
	p->link.info.n_snapshots++;
	/* nothing is written to it after it was taken */
	if (path && sv_host_stat(env->host, path, &st, NULL) == 0) {
		s->date_sec = st.mtime_sec;
		s->date_nsec = st.mtime_nsec;
	}
	return s->id && s->name ? 0 : sv_fail_nomem(err);
}

static int describe_shot(const struct sv_link_env *env, struct sv_prl *p, struct sv_err *err)
{
	const struct sv_prl_desc *d = p->desc;
	struct sv_image_link *info = &p->link.info;
	size_t parent = sv_prl_desc_parent(d, p->shot);

	info->id = sv_format("{%s}", d->shots[p->shot].guid);
	info->parent_hint =
		parent == SIZE_MAX ? strdup("") : sv_format("{%s}", d->shots[parent].guid);
	/* others may stand on what has snapshots: its files are no copy */
	p->link.flatten = d->n_shots > 1;
	if (p->shot != d->top)
		return 0;
	info->snapshots = calloc(d->n_shots, sizeof *info->snapshots);
	if (!info->snapshots)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < d->n_shots; i++) {
		if (i != d->top && add_snapshot(env, p, i, err) < 0)
			return -1;
	}
	return 0;
}

static int describe(const struct sv_link_env *env, struct sv_prl *p, struct sv_err *err)
{
	struct sv_image_link *info = &p->link.info;

	info->subformat = strdup(kind_of(p));
	if (p->desc) {
		if (describe_shot(env, p, err) < 0 ||
			sv_link_add_file(&p->link, env->host, p->desc_path, false, err) < 0 ||
			add_empty_file(env, p, err) < 0)
			return -1;
	} else {
		info->id = strdup("");
		info->parent_hint = strdup("");
	}
	if (!info->subformat || !info->id || !info->parent_hint)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < p->n_parts; i++) {
		if (describe_part(env, p, &p->parts[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- opening ---- */

static int open_single(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_prl **ret, struct sv_err *err)
{
	struct sv_prl *p = calloc(1, sizeof *p);

	if (!p)
		return sv_fail_nomem(err);
	p->link.driver = &sv_parallels_driver;
	p->link.writable = env->writable;
	p->parts = calloc(1, sizeof *p->parts);
	if (p->parts) {
		p->n_parts = 1;
		p->parts->path = strdup(path);
		p->parts->file = sv_dev_ref(file);
	}
	if (!p->parts || !p->parts->path)
		sv_fail_nomem(err);
	else if (sv_hds_open(file, env->writable, &p->parts->hds, err) == 0) {
		p->parts->length = p->parts->hds->h.size;
		*ret = p;
		return 0;
	}
	sv_prl_close(&p->link);
	return -1;
}

/* The snapshot that was asked for; else the one that the guest writes to. */
static int choose_shot(const struct sv_prl_desc *d, const struct sv_link_env *env,
	const char *path, size_t *ret, struct sv_err *err)
{
	char guid[SV_PRL_GUID_TEXT];

	*ret = d->top;
	if (!env->snapshot)
		return 0;
	*ret = sv_prl_guid_parse(env->snapshot, guid) ? sv_prl_desc_find_shot(d, guid)
						      : SIZE_MAX;
	if (*ret != SIZE_MAX)
		return 0;
	sv_fail(err, SV_NOTFOUND, path, "the disk has no snapshot \"%.100s\"", env->snapshot);
	return sv_hint(err, "see its snapshots: sharevm image info '%s'", path);
}

static int open_descriptor(const struct sv_link_env *env, const char *path, struct sv_prl **ret,
	struct sv_err *err)
{
	struct sv_prl_source from = {.env = env, .desc_path = path};
	size_t shot;
	int rc;

	if (sv_prl_read_desc(env->host, path, &from.desc, err) < 0)
		return -1;
	rc = choose_shot(from.desc, env, path, &shot, err);
	if (!rc)
		rc = sv_prl_open_shot(&from, shot, ret, err);
	sv_prl_desc_close(from.desc);
	return rc;
}

/* A file that may belong to a folder: then it is opened as one of its snapshots. */
static int open_file(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_prl **ret, struct sv_err *err)
{
	struct sv_prl_source from = {.env = env, .path = path, .file = file};
	sv_autofree char *desc_path = NULL;
	size_t shot;
	int rc;

	if (sv_prl_find_desc(env->host, path, &from.desc, &desc_path, &shot, err) < 0)
		return -1;
	from.desc_path = desc_path;
	if (!from.desc && env->snapshot)
		return sv_fail(err, SV_NOTFOUND, path,
			"the file has no snapshots: there is no %s that names it",
			SV_PRL_DESC_NAME);
	if (!from.desc)
		return open_single(env, path, file, ret, err);
	rc = env->snapshot ? choose_shot(from.desc, env, path, &shot, err) : 0;
	if (!rc)
		rc = sv_prl_open_shot(&from, shot, ret, err);
	sv_prl_desc_close(from.desc);
	return rc;
}

int sv_prl_is_expanding(struct sv_dev *file, bool *ret, struct sv_err *err)
{
	uint8_t head[sizeof(SV_PRL_MAGIC) - 1];
	size_t n = (size_t)SV_MIN(sv_dev_size(file), sizeof head);

	if (sv_dev_read(file, head, n, 0, err) < 0)
		return -1;
	*ret = is_expanding(head, n);
	return 0;
}

static int prl_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_prl *p = NULL;
	bool expanding;
	int rc;

	if (sv_prl_is_expanding(file, &expanding, err) < 0)
		return -1;
	rc = expanding ? open_file(env, path, file, &p, err)
		       : open_descriptor(env, path, &p, err);
	if (rc < 0)
		return -1;
	if (describe(env, p, err) < 0) {
		sv_link_close(&p->link);
		return -1;
	}
	*ret = &p->link;
	return 0;
}

/* ---- the chain ---- */

static int prl_open_parent(const struct sv_link_env *env, const struct sv_link *child,
	struct sv_link **ret, struct sv_err *err)
{
	const struct sv_prl *c = (const struct sv_prl *)child;
	const struct sv_prl_source from = {
		.env = env, .desc = c->desc, .desc_path = c->desc_path, .parent = true};
	size_t parent = c->desc ? sv_prl_desc_parent(c->desc, c->shot) : SIZE_MAX;
	struct sv_prl *p;

	*ret = NULL;
	if (parent == SIZE_MAX)
		return 0;
	if (sv_prl_open_shot(&from, parent, &p, err) < 0)
		return -1;
	p->link.info.path = strdup(p->parts->path);
	if (!p->link.info.path || describe(env, p, err) < 0) {
		if (!p->link.info.path)
			sv_fail_nomem(err);
		sv_link_close(&p->link);
		return -1;
	}
	*ret = &p->link;
	return 0;
}

static const char *const subformats[] = {
	"expanding", "plain", "splitExpanding", "splitPlain", NULL};

const struct sv_image_driver sv_parallels_driver = {
	.name = "parallels",
	.extension = ".hdd",
	.subformats = subformats,
	.has_snapshots = true,
	.probe = prl_probe,
	.open = prl_open,
	.close = sv_prl_close,
	.map = sv_prl_map,
	.write = sv_prl_write,
	.discard = sv_prl_discard,
	.flush = sv_prl_flush,
	.fill_begin = sv_prl_fill_begin,
	.fill_place = sv_prl_fill_place,
	.fill_end = sv_prl_fill_end,
	.grow = sv_prl_grow,
	.open_parent = prl_open_parent,
	.check = sv_prl_check,
	.create = sv_prl_create,
	.derive_linked = sv_prl_derive_linked,
	.copy = sv_prl_copy,
	.flat_subformat = sv_prl_flat_subformat,
	.metadata_cost = sv_prl_metadata_cost,
	.limits = sv_prl_limits,
};
