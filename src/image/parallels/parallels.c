/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The driver of Parallels disks: expanding image files (format.h tells the format, hds.h the
 * crash order).
 */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static struct sv_prl *of(struct sv_link *l)
{
	return (struct sv_prl *)l;
}

static bool prl_probe(const struct sv_probe *p)
{
	const size_t n = sizeof(SV_PRL_MAGIC) - 1;

	return p->n_head >= n &&
	       (!memcmp(p->head, SV_PRL_MAGIC, n) || !memcmp(p->head, SV_PRL_MAGIC_EXT, n));
}

/* ---- opening ---- */

static int describe(
	const struct sv_link_env *env, struct sv_prl *p, const char *path, struct sv_err *err)
{
	struct sv_image_link *info = &p->link.info;

	info->subformat = strdup("expanding");
	info->id = strdup("");
	info->parent_hint = strdup("");
	info->virtual_size = p->hds->h.size;
	info->block_size = (uint32_t)p->hds->h.cluster;
	info->allocated = sv_hds_stored(p->hds);
	info->dirty = p->hds->h.in_use == SV_PRL_IN_USE;
	if (!info->subformat || !info->id || !info->parent_hint)
		return sv_fail_nomem(err);
	return sv_link_add_file(&p->link, env->host, path, true, err);
}

static int prl_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_prl *p = calloc(1, sizeof *p);

	if (!p)
		return sv_fail_nomem(err);
	p->link.driver = &sv_parallels_driver;
	p->link.writable = env->writable;
	if (sv_hds_open(file, env->writable, &p->hds, err) < 0 ||
		describe(env, p, path, err) < 0) {
		sv_link_close(&p->link);
		return -1;
	}
	p->hds->below = &p->link.below;
	*ret = &p->link;
	return 0;
}

static void prl_close(struct sv_link *l)
{
	sv_hds_close(of(l)->hds);
	free(l);
}

/* ---- ranges ---- */

static int prl_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	return sv_hds_map(of(l)->hds, off, max, holes, ret, err);
}

static int prl_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	return sv_hds_write(of(l)->hds, buf, n, off, err);
}

static int prl_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	return sv_hds_discard(of(l)->hds, off, len, err);
}

static int prl_flush(struct sv_link *l, struct sv_err *err)
{
	return sv_hds_flush(of(l)->hds, err);
}

static int prl_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	(void)host;
	return sv_hds_grow(of(l)->hds, size, err);
}

/* ---- checking ---- */

static int prl_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	(void)env;
	(void)path;
	return sv_hds_check(file, faults, job, err);
}

static const char *prl_flat_subformat(const struct sv_link *l)
{
	(void)l;
	return NULL;
}

const struct sv_image_driver sv_parallels_driver = {
	.name = "parallels",
	.extension = ".hds",
	.probe = prl_probe,
	.open = prl_open,
	.close = prl_close,
	.map = prl_map,
	.write = prl_write,
	.discard = prl_discard,
	.flush = prl_flush,
	.grow = prl_grow,
	.check = prl_check,
	.create = sv_prl_create,
	.derive_linked = sv_prl_derive_linked,
	.copy = sv_prl_copy,
	.flat_subformat = prl_flat_subformat,
	.metadata_cost = sv_prl_metadata_cost,
	.limits = sv_prl_limits,
};
