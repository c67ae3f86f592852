/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Gives a VMDK without a parent a larger size. Order, so that a killed run leaves the old disk
 * or the new one: what the new size needs (tables, a longer flat file, new extent files) is
 * written and flushed first; then the text that names it, for an embedded descriptor in one
 * write with the header. A longer flat file or unnamed extent files do no harm.
 */
#include "image/vmdk/vmdk.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

/* Puts the new descriptor in the link's place; the parts follow its sizes. */
static int take_desc(struct sv_vmdk *v, struct sv_vmdk_desc *d, struct sv_err *err)
{
	char *id = sv_format("%08x", d->cid);

	if (!id)
		return sv_fail_nomem(err);
	free(v->link.info.id);
	v->link.info.id = id;
	sv_vmdk_desc_free(&v->desc);
	v->desc = *d;
	*d = (struct sv_vmdk_desc){0};
	v->cid_changed = true;
	for (size_t i = 0; i < v->n_parts; i++)
		v->parts[i].length = v->desc.extents[i].sectors * SV_SECTOR;
	return 0;
}

static int write_desc(struct sv_vmdk *v, const struct sv_vmdk_desc *d, struct sv_err *err)
{
	sv_autostr struct sv_str s = {0};

	sv_vmdk_desc_print(d, &s);
	if (s.failed)
		return sv_fail_nomem(err);
	if (sv_vmdk_write_text(v, s.data, s.len, err) < 0)
		return -1;
	return sv_dev_flush(v->file, err);
}

/* ---- the last extent becomes longer ---- */

static void lengthen(struct sv_vmdk_desc *d, uint64_t sectors)
{
	d->extents[d->n_extents - 1].sectors += sectors - d->sectors;
	d->sectors = sectors;
}

/* A flat file may be longer than its extent: what lies there must not come to life. */
static int grow_flat(struct sv_vmdk *v, struct sv_vmdk_desc *d, struct sv_err *err)
{
	struct sv_vmdk_part *last = &v->parts[v->n_parts - 1];
	uint64_t old = last->flat_at + last->length, size = sv_dev_size(last->file);
	uint64_t end = last->flat_at + d->extents[d->n_extents - 1].sectors * SV_SECTOR;

	if (size > old && sv_dev_discard(last->file, old, SV_MIN(size, end) - old, err) < 0)
		return -1;
	if (end > sv_dev_size(last->file) && sv_dev_resize(last->file, end, err) < 0)
		return -1;
	return sv_dev_flush(last->file, err) < 0 ? -1 : write_desc(v, d, err);
}

static int grow_embedded(struct sv_vmdk *v, struct sv_vmdk_desc *d, struct sv_err *err)
{
	sv_autostr struct sv_str s = {0};

	sv_vmdk_desc_print(d, &s);
	if (s.failed)
		return sv_fail_nomem(err);
	if (s.len > v->desc_room)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->file),
			"the descriptor would have %zu bytes, there is room for %llu", s.len,
			(unsigned long long)v->desc_room);
	return sv_vmdk_sparse_grow(v->parts[0].sparse, d->sectors, s.data, s.len, err);
}

static int grow_last(
	struct sv_vmdk *v, struct sv_vmdk_desc *d, uint64_t sectors, struct sv_err *err)
{
	struct sv_vmdk_part *last = &v->parts[v->n_parts - 1];

	lengthen(d, sectors);
	if (sv_vmdk_set_geometry(d, err) < 0)
		return -1;
	if (v->embedded)
		return grow_embedded(v, d, err);
	if (last->type == SV_VMDK_FLAT)
		return grow_flat(v, d, err);
	if (last->type != SV_VMDK_SPARSE)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"a disk that ends in a ZERO extent cannot grow");
	if (sv_vmdk_sparse_grow(
		    last->sparse, d->extents[d->n_extents - 1].sectors, NULL, 0, err) < 0)
		return -1;
	return write_desc(v, d, err);
}

/* ---- new extents ---- */

static int add_extent(struct sv_vmdk *v, struct sv_vmdk_desc *d, struct sv_host *host,
	uint64_t sectors, struct sv_made *made, struct sv_err *err)
{
	enum sv_vmdk_extent_type type = strcasecmp(d->create_type, "twoGbMaxExtentFlat")
						? SV_VMDK_SPARSE
						: SV_VMDK_FLAT;
	sv_autofree char *stem = sv_vmdk_stem(v->link.info.path);
	sv_autofree char *dir = sv_path_dir(v->link.info.path);
	sv_autofree char *name =
		stem ? sv_vmdk_part_name(stem, type, true, d->n_extents) : NULL;
	sv_autofree char *path = name && dir ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (d->n_extents == SV_VMDK_EXTENTS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the disk has %d extents, the most possible", SV_VMDK_EXTENTS_MAX);
	if (sv_vmdk_make_extent(host, path, type, sectors, made, err) < 0)
		return -1;
	return sv_vmdk_desc_add_extent(d, type, sectors, name, 0, err);
}

/*
 * A last extent that ends within a grain is rounded up first: qemu reads on in that grain
 * beyond the extent's end, where the next extent's data should be.
 */
static int round_last(
	struct sv_vmdk *v, struct sv_vmdk_desc *d, uint64_t sectors, struct sv_err *err)
{
	struct sv_vmdk_sparse *s = v->parts[v->n_parts - 1].sparse;
	uint64_t old = d->extents[d->n_extents - 1].sectors;
	uint64_t add = s ? sv_align_up(old, s->h.grain) - old : 0;

	add = SV_MIN(add, sectors - d->sectors);
	if (!add)
		return 0;
	lengthen(d, d->sectors + add);
	return sv_vmdk_sparse_grow(s, old + add, NULL, 0, err);
}

static int make_extents(struct sv_vmdk *v, struct sv_vmdk_desc *d, struct sv_host *host,
	uint64_t sectors, struct sv_made *made, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(v->link.info.path);

	if (!dir)
		return sv_fail_nomem(err);
	if (round_last(v, d, sectors, err) < 0)
		return -1;
	while (d->sectors < sectors) {
		uint64_t n = SV_MIN(sectors - d->sectors, SV_VMDK_SPLIT_SECTORS);

		if (add_extent(v, d, host, n, made, err) < 0)
			return -1;
	}
	return sv_host_sync_dir(host, dir, err);
}

/* Opens what d has more than v, into a longer list of parts. */
static int open_new_parts(struct sv_vmdk *v, const struct sv_vmdk_desc *d, struct sv_host *host,
	struct sv_err *err)
{
	struct sv_link_env env = {.host = host, .writable = true, .lock = v->lock};
	struct sv_vmdk_part *grown = realloc(v->parts, d->n_extents * sizeof *grown);

	if (!grown)
		return sv_fail_nomem(err);
	v->parts = grown;
	memset(grown + v->n_parts, 0, (d->n_extents - v->n_parts) * sizeof *grown);
	while (v->n_parts < d->n_extents) {
		size_t i = v->n_parts++;

		grown[i].start = grown[i - 1].start + grown[i - 1].length;
		if (sv_vmdk_open_part(&env, v, v->link.info.path, i, err) < 0)
			return -1;
	}
	return 0;
}

static int grow_split(struct sv_vmdk *v, struct sv_vmdk_desc *d, struct sv_host *host,
	uint64_t sectors, struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};

	if (make_extents(v, d, host, sectors, &made, err) < 0 ||
		sv_vmdk_set_geometry(d, err) < 0 || write_desc(v, d, err) < 0)
		return -1;
	sv_made_keep(&made);
	return 0;
}

/* ---- either ---- */

bool sv_vmdk_is_split(const struct sv_vmdk_desc *d)
{
	return !strncasecmp(d->create_type, "twoGb", 5);
}

int sv_vmdk_grow(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err)
{
	struct sv_vmdk *v = (struct sv_vmdk *)l;
	uint64_t sectors = size / SV_SECTOR;
	struct sv_vmdk_desc d = {0};
	int rc;

	if (l->driver->flush(l, err) < 0 || sv_vmdk_desc_copy(&v->desc, &d, err) < 0)
		return -1;
	rc = sv_vmdk_desc_new_cid(&d, err);
	if (!rc)
		rc = sv_vmdk_is_split(&d) ? grow_split(v, &d, host, sectors, err)
					  : grow_last(v, &d, sectors, err);
	if (!rc)
		rc = take_desc(v, &d, err);
	sv_vmdk_desc_free(&d);
	if (rc < 0)
		return -1;
	return v->n_parts < v->desc.n_extents ? open_new_parts(v, &v->desc, host, err) : 0;
}
