/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Larger disks linked to an existing VMDK. A delta must be as large as its parent, so each
 * link of the chain gets a *shadow*: a text descriptor in the new folder that lists the
 * original's extent files by absolute path and, behind them, one empty sparse extent up to the
 * new size. The shadows have content ids of their own and name each other as parents; the
 * disk that the machine uses is an ordinary delta of the topmost.
 *
 * The type of the tail is SPARSE, not ZERO: qemu leaves out extent types that it does not
 * know, and so would put what follows in the wrong place.
 */
#include "image/vmdk/vmdk.h"

#include "base/str.h"

#include <string.h>

struct derivation {
	struct sv_host *host;
	struct sv_image *original;
	const char *dir, *stem;
	uint64_t sectors;
	struct sv_made *made;
};

static struct sv_vmdk *link_of(struct sv_image *img, size_t i)
{
	return (struct sv_vmdk *)sv_image_driver_link(img, i);
}

/* "STEM-parent0.vmdk" is the base's shadow. Caller frees. */
static char *shadow_name(const struct derivation *d, size_t link, const char *what)
{
	size_t level = sv_image_links(d->original) - 1 - link;

	return sv_format("%s-parent%zu%s.vmdk", d->stem, level, what);
}

/* The original's extents, by absolute path. */
static int list_originals(struct sv_vmdk *v, struct sv_vmdk_desc *d, struct sv_err *err)
{
	for (size_t i = 0; i < v->n_parts; i++) {
		const struct sv_vmdk_part *p = &v->parts[i];

		if (sv_vmdk_desc_add_extent(d, p->type, p->length / SV_SECTOR,
			    p->path ? p->path : "", p->flat_at / SV_SECTOR, err) < 0)
			return -1;
	}
	return 0;
}

static int add_tail(
	const struct derivation *x, size_t link, struct sv_vmdk_desc *d, struct sv_err *err)
{
	sv_autofree char *name = shadow_name(x, link, "-tail");
	sv_autofree char *path = name ? sv_path_join(x->dir, name) : NULL;
	uint64_t sectors = x->sectors - d->sectors;

	if (!path)
		return sv_fail_nomem(err);
	if (!sectors)
		return 0;
	if (sv_vmdk_make_extent(x->host, path, SV_VMDK_SPARSE, sectors, x->made, err) < 0)
		return -1;
	return sv_vmdk_desc_add_extent(d, SV_VMDK_SPARSE, sectors, name, 0, err);
}

/* `cid` is the parent's shadow's, and becomes this one's. */
static int make_shadow(const struct derivation *x, size_t link, struct sv_vmdk_desc *d,
	uint32_t *cid, struct sv_err *err)
{
	struct sv_vmdk *v = link_of(x->original, link);
	sv_autofree char *name = shadow_name(x, link, "");
	sv_autofree char *parent = shadow_name(x, link + 1, "");
	sv_autofree char *path = name ? sv_path_join(x->dir, name) : NULL;

	if (!path || !parent)
		return sv_fail_nomem(err);
	if (sv_vmdk_init_desc(d, "twoGbMaxExtentSparse", err) < 0 ||
		(link + 1 < sv_image_links(x->original) &&
			sv_vmdk_set_parent(d, parent, *cid, err) < 0) ||
		list_originals(v, d, err) < 0 || add_tail(x, link, d, err) < 0 ||
		sv_vmdk_inherit(d, &v->desc, err) < 0 || sv_vmdk_set_geometry(d, err) < 0 ||
		sv_vmdk_make_text(x->host, path, d, x->made, err) < 0)
		return -1;
	*cid = d->cid;
	return 0;
}

static int make_delta(const struct derivation *x, const char *path, struct sv_vmdk_desc *d,
	uint32_t parent_cid, struct sv_err *err)
{
	sv_autofree char *parent = shadow_name(x, 0, "");

	if (!parent)
		return sv_fail_nomem(err);
	if (sv_vmdk_init_desc(d, "monolithicSparse", err) < 0 ||
		sv_vmdk_set_parent(d, parent, parent_cid, err) < 0 ||
		sv_vmdk_desc_add_extent(
			d, SV_VMDK_SPARSE, x->sectors, sv_path_base(path), 0, err) < 0 ||
		sv_vmdk_inherit(d, &link_of(x->original, 0)->desc, err) < 0 ||
		sv_vmdk_set_geometry(d, err) < 0)
		return -1;
	return sv_vmdk_make_monolithic(x->host, path, d, x->made, err);
}

static int make_all(const struct derivation *x, const char *path, struct sv_err *err)
{
	uint32_t cid = SV_VMDK_CID_NONE;
	struct sv_vmdk_desc d = {0};
	int rc = 0;

	/* parents first */
	for (size_t i = sv_image_links(x->original); i-- > 0 && !rc;) {
		rc = make_shadow(x, i, &d, &cid, err);
		sv_vmdk_desc_free(&d);
	}
	if (!rc)
		rc = make_delta(x, path, &d, cid, err);
	sv_vmdk_desc_free(&d);
	return rc;
}

int sv_vmdk_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	const struct derivation x = {host, original, dir, stem, size / SV_SECTOR, &made};
	const struct sv_image_spec plain = {.format = "vmdk", .parent = original};
	sv_autofree char *name = sv_format("%s.vmdk", stem);
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	/* of equal size the original itself can be the parent, and its content id guards it */
	if ((size == sv_dev_size(sv_image_dev(original))
			    ? sv_image_create(host, path, &plain, err)
			    : make_all(&x, path, err)) < 0)
		return -1;
	sv_made_keep(&made);
	*ret_path = SV_STEAL(path);
	return 0;
}

/* ---- costs and limits ---- */

/* A text descriptor of these extents, generously. */
static uint64_t text_cost(const struct sv_vmdk *v, uint64_t more_extents)
{
	uint64_t n = 4096 + more_extents * 320;

	for (size_t i = 0; i < v->n_parts; i++)
		n += 80 + (v->parts[i].path ? strlen(v->parts[i].path) : 0);
	for (size_t i = 0; i < v->desc.n_pairs; i++)
		n += strlen(v->desc.pairs[i].key) + strlen(v->desc.pairs[i].value) + 8;
	return sv_align_up(n, 4096);
}

static uint64_t linked_cost(struct sv_image *original, uint64_t sectors)
{
	uint64_t cost = sv_vmdk_sparse_make_cost(sectors);

	for (size_t i = 0; i < sv_image_links(original); i++) {
		struct sv_vmdk *v = link_of(original, i);

		cost += text_cost(v, 1);
		if (sectors > v->desc.sectors)
			cost += sv_vmdk_sparse_make_cost(sectors - v->desc.sectors);
	}
	return cost;
}

/* Both copies of the grain tables that have entries, at most. */
static uint64_t tables_cost(uint64_t sectors)
{
	return 2 * SV_VMDK_GTES * 4 * sv_vmdk_tables(sectors, SV_VMDK_GRAIN);
}

static uint64_t split_cost(uint64_t sectors)
{
	return sv_div_up(sectors, SV_VMDK_SPLIT_SECTORS) *
	       sv_vmdk_sparse_make_cost(SV_VMDK_SPLIT_SECTORS);
}

static bool is_flattened(struct sv_image *original)
{
	const struct sv_vmdk *v = link_of(original, 0);

	return sv_image_links(original) > 1 || *v->desc.parent_hint || v->link.flatten;
}

uint64_t sv_vmdk_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	struct sv_vmdk *v = link_of(original, 0);
	uint64_t sectors = size / SV_SECTOR, old = v->desc.sectors;
	bool chain = is_flattened(original);

	if (how == SV_DERIVE_LINKED)
		return linked_cost(original, sectors);
	if (sv_vmdk_is_split(&v->desc)) {
		uint64_t made = chain ? sectors : sectors - old;

		return split_cost(made) + (chain ? tables_cost(old) : 0) +
		       text_cost(v, sv_div_up(made, SV_VMDK_SPLIT_SECTORS));
	}
	if (!chain && v->parts[v->n_parts - 1].type == SV_VMDK_FLAT)
		return text_cost(v, 0);
	return sv_vmdk_sparse_make_cost(sectors) + tables_cost(old) + text_cost(v, 0);
}

/* qemu places the tail by the capacity in the extent's header, VMware by the descriptor. */
static int check_linkable(struct sv_vmdk *v, struct sv_err *err)
{
	if (v->link.flatten) {
		sv_fail(err, SV_UNSUPPORTED, v->link.info.path,
			"a disk of kind %s cannot have a linked one", v->desc.create_type);
		return sv_hint(err, "make an independent copy instead: --copy");
	}
	for (size_t i = 0; i < v->n_parts; i++) {
		const struct sv_vmdk_part *p = &v->parts[i];

		if (p->sparse && p->sparse->h.capacity != p->length / SV_SECTOR) {
			sv_fail_at(err, SV_UNSUPPORTED, p->path, 12,
				"the extent has %llu sectors, its descriptor says %llu",
				(unsigned long long)p->sparse->h.capacity,
				(unsigned long long)(p->length / SV_SECTOR));
			return sv_hint(err, "make an independent copy instead: --copy");
		}
	}
	return 0;
}

static int check_extents(uint64_t n, const char *path, struct sv_err *err)
{
	if (n <= SV_VMDK_EXTENTS_MAX)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"the disk would have %llu extents of 2 GB, the most possible are %d",
		(unsigned long long)n, SV_VMDK_EXTENTS_MAX);
	return sv_hint(err, "convert it to monolithicSparse or monolithicFlat first");
}

/* The chain's data in one sparse extent. */
static int check_flattened(
	struct sv_image *original, uint64_t sectors, const char *path, struct sv_err *err)
{
	struct sv_vmdk_header h;
	uint64_t data = 0;

	for (size_t i = 0; i < sv_image_links(original); i++)
		data += sv_image_link(original, i)->allocated / SV_SECTOR;
	sv_vmdk_header_plan(sectors, SV_VMDK_DESC_SECTORS, &h);
	data = SV_MIN(data, sv_dev_size(sv_image_dev(original)) / SV_SECTOR) + h.overhead;
	if (data <= UINT32_MAX)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"its data would pass 2 TiB, where one sparse VMDK extent ends");
	return sv_hint(err, "link to it instead: --linked");
}

static int check_copy(struct sv_image *original, uint64_t sectors, struct sv_err *err)
{
	struct sv_vmdk *v = link_of(original, 0);
	const struct sv_vmdk_part *last = &v->parts[v->n_parts - 1];
	const char *path = v->link.info.path;

	if (is_flattened(original))
		return sv_vmdk_is_split(&v->desc)
			       ? check_extents(
					 sv_div_up(sectors, SV_VMDK_SPLIT_SECTORS), path, err)
			       : check_flattened(original, sectors, path, err);
	if (sv_vmdk_is_split(&v->desc))
		return check_extents(v->n_parts + sv_div_up(sectors - v->desc.sectors,
							  SV_VMDK_SPLIT_SECTORS),
			path, err);
	if (last->sparse && sectors > v->desc.sectors)
		return sv_vmdk_sparse_check_grow(last->sparse,
			last->length / SV_SECTOR + sectors - v->desc.sectors, err);
	return 0;
}

int sv_vmdk_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	if (sv_vmdk_check_size(link_of(original, 0)->link.info.path, size, err) < 0)
		return -1;
	if (how != SV_DERIVE_LINKED)
		return check_copy(original, size / SV_SECTOR, err);
	for (size_t i = 0; i < sv_image_links(original); i++) {
		if (check_linkable(link_of(original, i), err) < 0)
			return -1;
	}
	return 0;
}
