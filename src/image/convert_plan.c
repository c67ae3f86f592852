/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Plans a conversion (convert.h): which images will be made, of which kind, and whether there
 * is room for them. Nothing is written.
 */
#include "image/convert_plan.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

/* ---- the images ---- */

static int add_image(struct sv_convert *c, const char *from, const char *to, uint64_t size,
	uint64_t data, struct sv_err *err)
{
	struct sv_convert_plan *p = &c->plan;
	struct sv_convert_image *grown =
		realloc(p->images, (p->n_images + 1) * sizeof *p->images);
	struct sv_convert_image *image;

	if (!grown)
		return sv_fail_nomem(err);
	p->images = grown;
	image = &grown[p->n_images++];
	*image = (struct sv_convert_image){strdup(from), strdup(to), size, data};
	p->data += data;
	return image->from && image->to ? 0 : sv_fail_nomem(err);
}

/* The whole chain as one image. */
static int plan_flat(struct sv_convert *c, struct sv_err *err)
{
	uint64_t size = sv_dev_size(sv_image_dev(c->from)), data = 0;

	for (size_t i = 0; i < sv_image_links(c->from); i++)
		data += sv_image_link(c->from, i)->allocated;
	return add_image(
		c, sv_image_link(c->from, 0)->path, c->to, size, SV_MIN(data, size), err);
}

static bool is_taken(const struct sv_convert *c, const char *path)
{
	for (size_t i = 0; i < c->plan.n_images; i++) {
		if (!strcmp(c->plan.images[i].to, path))
			return true;
	}
	return !strcmp(c->to, path);
}

/* "STEM.vhdx" beside the result, "STEM-1.vhdx" where another link is called so. Caller frees.
 */
static char *name_link(const struct sv_convert *c, const struct sv_image_link *l)
{
	sv_autofree char *dir = sv_path_dir(c->to);
	const char *base = sv_path_base(l->path), *dot = strrchr(base, '.');
	int n = dot && dot != base ? (int)(dot - base) : (int)strlen(base);

	for (unsigned nth = 0; dir; nth++) {
		sv_autofree char *stem =
			nth ? sv_format("%.*s-%u", n, base, nth) : sv_format("%.*s", n, base);
		sv_autofree char *name =
			stem ? sv_format("%s%s", stem, c->format.extension) : NULL;
		/* as the user would name it: without a needless "./" */
		char *path = !name                ? NULL
			     : strchr(c->to, '/') ? sv_path_join(dir, name)
						  : strdup(name);

		if (!path || !is_taken(c, path))
			return path;
		free(path);
	}
	return NULL;
}

/* A new image for each link, the base first. */
static int plan_chain(struct sv_convert *c, struct sv_err *err)
{
	size_t n = sv_image_links(c->from);

	if (n > 1 && !c->format.has_parents) {
		sv_fail(err, SV_UNSUPPORTED, c->to, "a %s image cannot have a parent",
			c->format.name);
		return sv_hint(err, "leave out --keep-chain: the chain becomes one image");
	}
	for (size_t i = n; i-- > 0;) {
		const struct sv_image_link *l = sv_image_link(c->from, i);
		sv_autofree char *to = i ? name_link(c, l) : strdup(c->to);

		if (!to)
			return sv_fail_nomem(err);
		if (add_image(c, l->path, to, l->virtual_size, l->allocated, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- room ---- */

/* Tables are small beside the data, but not nothing: a 64th, and a few blocks. */
static uint64_t host_bytes(const struct sv_convert_plan *p)
{
	return p->data + p->data / 64 + p->n_images * 4 * SV_MIB;
}

static int check_room(struct sv_convert *c, struct sv_err *err)
{
	struct sv_convert_plan *p = &c->plan;
	sv_autofree char *dir = sv_path_dir(c->to);
	char need[SV_SIZE_TEXT], have[SV_SIZE_TEXT];

	if (!dir)
		return sv_fail_nomem(err);
	if (sv_host_free_space(c->host, dir, &p->free, err) < 0)
		return -1;
	/* nobody knows how far it can be compressed */
	p->needs = sv_image_is_whole(p->format, p->subformat) ? 0 : host_bytes(p);
	if (p->needs <= p->free)
		return 0;
	sv_fail(err, SV_NOSPACE, dir, "the new image takes up to %s, %s are free there",
		sv_size_format(p->needs, need), sv_size_format(p->free, have));
	return sv_hint(err, "make room, or choose a folder on another disk");
}

/* ---- */

static int refuse_ids_of_chain(const struct sv_convert *c, struct sv_err *err)
{
	sv_fail(err, SV_USAGE, c->to, "the ids of a chain name its links: they are made anew");
	return sv_hint(err, "leave out --keep-id, or --keep-chain");
}

static int make_plan(
	struct sv_convert *c, const struct sv_convert_request *req, struct sv_err *err)
{
	if (sv_image_choose_format(c->to, req->format, &c->format, err) < 0 ||
		sv_image_choose_subformat(
			c->to, &c->format, req->subformat, &c->plan.subformat, err) < 0)
		return -1;
	c->plan.format = c->format.name;
	if (sv_host_exists(c->host, c->to)) {
		sv_fail(err, SV_EXISTS, c->to, "there is a file of this name already");
		return sv_hint(err, "choose another name, or move the file away");
	}
	if ((c->keep_chain ? plan_chain(c, err) : plan_flat(c, err)) < 0)
		return -1;
	if (c->plan.n_images > 1 && c->keep_id)
		return refuse_ids_of_chain(c, err);
	if (c->plan.n_images > 1 && sv_image_is_whole(c->plan.format, c->plan.subformat))
		return sv_fail(err, SV_UNSUPPORTED, c->to,
			"an image of kind %s cannot be part of a chain", c->plan.subformat);
	return check_room(c, err);
}

int sv_convert_open(struct sv_host *host, const struct sv_convert_request *req,
	struct sv_convert **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_convert_closep) struct sv_convert *c = calloc(1, sizeof *c);
	const struct sv_image_opts opts = {
		.lock = true, .format = req->from_format, .allow = req->allow};

	if (!c)
		return sv_fail_nomem(err);
	c->host = host;
	c->keep_chain = req->keep_chain;
	c->keep_id = req->keep_id;
	c->threads = req->threads;
	c->to = strdup(req->to);
	if (!c->to)
		return sv_fail_nomem(err);
	if (sv_image_open(host, req->from, &opts, &c->from, err) < 0 ||
		make_plan(c, req, err) < 0)
		return -1;
	*ret = SV_STEAL(c);
	return 0;
}

const struct sv_convert_plan *sv_convert_plan(const struct sv_convert *c)
{
	return &c->plan;
}

void sv_convert_close(struct sv_convert *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->plan.n_images; i++) {
		free(c->plan.images[i].from);
		free(c->plan.images[i].to);
	}
	free(c->plan.images);
	sv_image_close(c->from);
	free(c->to);
	free(c);
}
