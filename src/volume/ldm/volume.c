/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Volumes of dynamic disks as devices. A volume has one component, or two that mirror each
 * other; a component is a row of partitions: one behind the other, in stripes, or in stripes
 * with parity, which rotates as md's left-symmetric layout has it. What lies on a disk that is
 * not here is missing: a mirror and a RAID 5 make up for it, of the rest only that part cannot
 * be read.
 */
#include "volume/ldm/volume.h"

#include "base/num.h"
#include "base/str.h"
#include "volume/join.h"
#include "volume/manager.h"
#include "volume/raid.h"

#include <string.h>

#define PARTS_MAX      SV_RAID_PARTS_MAX
#define COMPONENTS_MAX 4 /* Windows makes two at most */

/* What a volume is put together from. */
struct build {
	const struct sv_ldm_group *g;
	const struct sv_ldm_record *volume;
	struct sv_group_volume *out;
	const struct sv_ldm_place *missing; /* a disk that is not here; NULL: all are */
};

struct parts {
	const struct sv_ldm_record *r[PARTS_MAX]; /* by column, then by place in it */
	struct sv_dev *dev[PARTS_MAX];            /* NULL where missing */
	size_t n, missing;
};

static void parts_freep(struct parts **p)
{
	for (size_t i = 0; *p && i < (*p)->n; i++)
		sv_dev_close((*p)->dev[i]);
	free(*p);
}

static int bad(const struct build *b, struct sv_err *err, const char *what)
{
	return sv_fail(err, SV_CORRUPT, b->out->name, "the dynamic disks' database: %s of %s",
		what, b->volume->name);
}

/* ---- partitions ---- */

static const struct sv_ldm_place *find_place(const struct sv_ldm_group *g, uint64_t disk)
{
	for (size_t i = 0; i < g->n_places; i++) {
		if (g->places[i].disk->id == disk)
			return &g->places[i];
	}
	return NULL;
}

/* The partition as a window; *ret stays NULL where its disk is not here. */
static int open_part(
	struct build *b, const struct sv_ldm_record *r, struct sv_dev **ret, struct sv_err *err)
{
	const struct sv_ldm_place *at = find_place(b->g, r->partition.disk);
	const struct sv_ldm_partition *p = &r->partition;
	uint64_t unit = b->g->unit;

	if (!at)
		return bad(b, err, "a partition on a disk that it does not describe");
	if (!p->size)
		return bad(b, err, "an empty partition");
	if (!at->dev) {
		b->missing = at;
		return 0;
	}
	if (!sv_in_range(p->start, p->size, at->member->private.data_size))
		return bad(b, err, "a partition that passes the end of its disk's data");
	*ret = sv_window_open(at->dev, (at->member->private.data_start + p->start) * unit,
		p->size * unit, sv_dev_name(at->dev), err);
	return *ret ? sv_group_add_member(b->out, at->index, err) : -1;
}

static int by_place(const void *a, const void *b)
{
	const struct sv_ldm_partition *x =
		&(*(const struct sv_ldm_record *const *)a)->partition;
	const struct sv_ldm_partition *y =
		&(*(const struct sv_ldm_record *const *)b)->partition;

	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int find_parts(struct build *b, const struct sv_ldm_record *component, struct parts *p,
	struct sv_err *err)
{
	for (size_t i = 0; i < b->g->records->n; i++) {
		const struct sv_ldm_record *r = &b->g->records->r[i];

		if (r->kind != SV_LDM_PARTITION || r->partition.parent != component->id)
			continue;
		if (p->n == PARTS_MAX)
			return bad(b, err, "more partitions than can be");
		p->r[p->n++] = r;
	}
	if (!p->n || p->n != component->component.children)
		return bad(b, err, "another number of partitions than it tells");
	qsort(p->r, p->n, sizeof p->r[0], by_place);
	for (size_t i = 0; i < p->n; i++) {
		if (open_part(b, p->r[i], &p->dev[i], err) < 0)
			return -1;
		p->missing += !p->dev[i];
	}
	return 0;
}

/* ---- components ---- */

static int fail_missing(const struct build *b, struct sv_err *err)
{
	char guid[SV_LDM_GUID_TEXT];

	sv_ldm_guid_text(b->missing->disk->disk.guid, guid);
	return sv_fail(err, SV_NOTFOUND, b->out->name, "dynamic disk %s (%s) is missing",
		b->missing->disk->name, guid);
}

/* Puts a device in the place of a missing one, which fails when it is read. */
static int stand_in(
	const struct build *b, struct parts *p, size_t i, uint64_t size, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	fail_missing(b, &why);
	p->dev[i] = sv_join_missing(size, b->out->name, why.message, err);
	return p->dev[i] ? 0 : -1;
}

static struct sv_dev *open_spanned(struct build *b, struct parts *p, struct sv_err *err)
{
	uint64_t at = 0;

	if (p->missing == p->n) {
		fail_missing(b, err);
		return NULL;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct sv_ldm_partition *r = &p->r[i]->partition;

		if (r->offset != at) {
			bad(b, err, "a partition that does not begin where the last one ends");
			return NULL;
		}
		at += r->size;
		if (!p->dev[i] && stand_in(b, p, i, r->size * b->g->unit, err) < 0)
			return NULL;
	}
	return sv_join_linear(p->dev, p->n, b->out->name, err);
}

/* A column may consist of several partitions: the stripes were made longer. */
static int join_columns(struct build *b, struct parts *p, struct parts *ret, struct sv_err *err)
{
	for (size_t i = 0, n; i < p->n; i += n) {
		for (n = 1; i + n < p->n; n++) {
			if (p->r[i + n]->partition.column != p->r[i]->partition.column)
				break;
		}
		ret->missing += !p->dev[i];
		ret->r[ret->n] = p->r[i];
		for (size_t k = 0; k < n && n > 1; k++) {
			if (!p->dev[i + k])
				return fail_missing(b, err);
		}
		if (p->dev[i] && n == 1)
			ret->dev[ret->n] = sv_dev_ref(p->dev[i]);
		else if (p->dev[i])
			ret->dev[ret->n] = sv_join_linear(&p->dev[i], n, b->out->name, err);
		if (p->dev[i] && !ret->dev[ret->n])
			return -1;
		ret->n++;
	}
	return 0;
}

static struct sv_dev *open_striped(
	struct build *b, const struct parts *c, uint64_t chunk, struct sv_err *err)
{
	uint64_t size = b->volume->volume.size * b->g->unit;

	if (c->missing) {
		fail_missing(b, err);
		return NULL;
	}
	return sv_join_striped(c->dev, c->n, chunk, size, b->out->name, err);
}

static struct sv_dev *open_raid5(
	struct build *b, const struct parts *c, uint64_t chunk, struct sv_err *err)
{
	struct sv_raid r = {.level = 5,
		.layout = SV_RAID_LEFT_SYMMETRIC,
		.chunk = chunk,
		.part_size = UINT64_MAX,
		.parts = c->dev,
		.n = c->n};

	for (size_t i = 0; i < c->n; i++)
		r.part_size =
			c->dev[i] ? SV_MIN(r.part_size, sv_dev_size(c->dev[i])) : r.part_size;
	if (c->missing > 1) {
		fail_missing(b, err);
		return NULL;
	}
	return sv_raid_open(&r, b->volume->volume.size * b->g->unit, b->out->name, err);
}

static struct sv_dev *open_rows(
	struct build *b, const struct sv_ldm_component *c, struct parts *p, struct sv_err *err)
{
	SV_CLEANUP(parts_freep) struct parts *columns = calloc(1, sizeof *columns);
	uint64_t chunk = c->chunk * b->g->unit;

	if (!columns) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (join_columns(b, p, columns, err) < 0)
		return NULL;
	if (c->columns && c->columns != columns->n) {
		bad(b, err, "another number of columns than it tells");
		return NULL;
	}
	return c->way == SV_LDM_STRIPED ? open_striped(b, columns, chunk, err)
					: open_raid5(b, columns, chunk, err);
}

static struct sv_dev *open_component(
	struct build *b, const struct sv_ldm_record *r, struct sv_err *err)
{
	SV_CLEANUP(parts_freep) struct parts *p = calloc(1, sizeof *p);

	if (!p) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (find_parts(b, r, p, err) < 0)
		return NULL;
	return r->component.way == SV_LDM_SPANNED ? open_spanned(b, p, err)
						  : open_rows(b, &r->component, p, err);
}

/* ---- volumes ---- */

struct components {
	const struct sv_ldm_record
		*r[COMPONENTS_MAX]; /* those whose content is current first */
	size_t n;
};

static int find_components(struct build *b, struct components *ret, struct sv_err *err)
{
	for (int active = 1; active >= 0; active--) {
		for (size_t i = 0; i < b->g->records->n; i++) {
			const struct sv_ldm_record *r = &b->g->records->r[i];

			if (r->kind != SV_LDM_COMPONENT ||
				r->component.parent != b->volume->id ||
				r->component.active != active)
				continue;
			if (ret->n == COMPONENTS_MAX)
				return bad(b, err, "more components than can be");
			ret->r[ret->n++] = r;
		}
	}
	if (!ret->n || ret->n != b->volume->volume.children)
		return bad(b, err, "another number of components than it tells");
	return 0;
}

/* Every plex is opened; one that is missing leaves the rest. */
static struct sv_dev *open_mirror(
	struct build *b, const struct components *c, struct sv_err *err)
{
	struct sv_dev *plex[COMPONENTS_MAX] = {NULL}, *mirror = NULL;
	uint64_t size = b->volume->volume.size * b->g->unit;
	size_t there = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct sv_err why = SV_ERR_INIT;

		plex[i] = open_component(b, c->r[i], &why);
		there += plex[i] != NULL;
		if (!plex[i])
			sv_err_copy(err, &why);
		if (!plex[i] && why.code != SV_NOTFOUND) {
			there = 0;
			break;
		}
	}
	if (there)
		mirror = sv_join_mirrored(plex, c->n, size, b->out->name, err);
	for (size_t i = 0; i < c->n; i++)
		sv_dev_close(plex[i]);
	return mirror;
}

static struct sv_dev *open_volume(
	struct build *b, const struct components *c, struct sv_err *err)
{
	uint64_t size = b->volume->volume.size * b->g->unit;
	SV_CLEANUP(sv_dev_closep) struct sv_dev *dev = NULL;

	if (!size) {
		bad(b, err, "no size");
		return NULL;
	}
	dev = c->n > 1 ? open_mirror(b, c, err) : open_component(b, c->r[0], err);
	if (!dev)
		return NULL;
	if (sv_dev_size(dev) < size) {
		bad(b, err, "a size that is more than the partitions");
		return NULL;
	}
	return sv_dev_size(dev) == size ? SV_STEAL(dev)
					: sv_window_open(dev, 0, size, b->out->name, err);
}

/* ---- for people ---- */

static const char *way_of(const struct components *c)
{
	if (!c->n)
		return "of an unknown kind";
	if (c->n > 1)
		return "mirrored";
	switch (c->r[0]->component.way) {
	case SV_LDM_STRIPED:
		return "striped";
	case SV_LDM_RAID5:
		return "RAID 5";
	default:
		return c->r[0]->component.children > 1 ? "spanned" : "simple";
	}
}

static int describe(struct build *b, const struct components *c, struct sv_err *err)
{
	bool bears = c->n > 1 || (c->n && c->r[0]->component.way == SV_LDM_RAID5);
	char *text =
		b->missing ? sv_format("dynamic, %s, %s: no %s", way_of(c),
				     bears ? "degraded" : "incomplete", b->missing->disk->name)
			   : sv_format("dynamic, %s", way_of(c));

	if (!text)
		return sv_fail_nomem(err);
	free(b->out->type_name);
	b->out->type_name = text;
	if (!b->missing)
		return 0;
	return sv_group_warn(b->out, err, "%s: dynamic disk %s is missing",
		bears ? "degraded" : "a part of it cannot be read", b->missing->disk->name);
}

static bool is_name(const char *s)
{
	return s[0] && !strchr(s, '/') && sv_utf8_valid(s, strlen(s));
}

int sv_ldm_add_volume(const struct sv_ldm_group *g, const struct sv_ldm_record *volume,
	struct sv_group_volumes *ret, struct sv_err *err)
{
	sv_autofree char *name =
		is_name(volume->name)
			? sv_format("%s/%s", g->name, volume->name)
			: sv_format("%s/%llu", g->name, (unsigned long long)volume->id);
	struct build b = {.g = g, .volume = volume};
	struct sv_err why = SV_ERR_INIT;
	struct components c = {.n = 0};
	char guid[SV_LDM_GUID_TEXT];

	if (!name)
		return sv_fail_nomem(err);
	sv_ldm_guid_text(volume->volume.guid, guid);
	b.out = sv_group_add(ret, "ldm", name, "dynamic", guid, err);
	if (!b.out)
		return -1;
	memcpy(b.out->guid, volume->volume.guid, sizeof b.out->guid);
	b.out->letter = volume->volume.letter;
	b.out->size = volume->volume.size * g->unit;
	if (find_components(&b, &c, &why) == 0)
		b.out->dev = open_volume(&b, &c, &why);
	if (describe(&b, &c, err) < 0)
		return -1;
	return b.out->dev ? 0 : sv_group_problem(b.out, &why, err);
}
