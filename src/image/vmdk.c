/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMDK driver: opens the hosted kinds ("Virtual Disk Format 5.0"), sends each range of the
 * guest's disk to the extent that holds it, and gives a link a new content id before its first
 * change. What VMFS, devices and streamOptimized need is refused by name.
 */
#include "image/vmdk.h"

#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct sv_vmdk *of(struct sv_link *l)
{
	return (struct sv_vmdk *)l;
}

/* ---- probe ---- */

static bool vmdk_probe(const struct sv_probe *p)
{
	static const char text[] = "# disk descriptorfile";
	size_t at = 0;

	if (p->n_head >= 4 && !memcmp(p->head, SV_VMDK_MAGIC, 4))
		return true;
	while (at < p->n_head && strchr(" \t\r\n", p->head[at]) && p->head[at])
		at++;
	return p->n_head - at >= sizeof text - 1 &&
	       !strncasecmp((const char *)p->head + at, text, sizeof text - 1);
}

/* ---- descriptor ---- */

static int find_text(struct sv_dev *file, struct sv_vmdk_text *ret, struct sv_err *err)
{
	uint8_t head[SV_VMDK_HEADER_SIZE];
	size_t n = (size_t)SV_MIN(sv_dev_size(file), sizeof head);
	struct sv_vmdk_header h;

	if (sv_dev_read(file, head, n, 0, err) < 0)
		return -1;
	if (n < 4 || memcmp(head, SV_VMDK_MAGIC, 4)) {
		*ret = (struct sv_vmdk_text){
			.n = (size_t)sv_dev_size(file), .room = SV_VMDK_DESC_MAX};
		if (sv_dev_size(file) <= SV_VMDK_DESC_MAX)
			return 0;
		return sv_fail(err, SV_CORRUPT, sv_dev_name(file),
			"the descriptor has %llu bytes, the largest allowed is %d",
			(unsigned long long)sv_dev_size(file), SV_VMDK_DESC_MAX);
	}
	if (sv_vmdk_header_parse(head, n, sv_dev_size(file), &h, err) < 0)
		return sv_err_path(err, sv_dev_name(file));
	if (!h.desc_at || !h.desc_sectors) {
		sv_fail(err, SV_UNSUPPORTED, sv_dev_name(file),
			"it is a part of a split disk, not the disk");
		return sv_hint(err, "open the small text file beside it (its name ends in "
				    ".vmdk without -s001)");
	}
	*ret = (struct sv_vmdk_text){
		.embedded = true,
		.at = h.desc_at * SV_SECTOR,
		.room = SV_MIN(h.desc_sectors * SV_SECTOR, (uint64_t)SV_VMDK_DESC_MAX),
	};
	ret->n = (size_t)ret->room;
	return 0;
}

int sv_vmdk_read_text(struct sv_dev *file, struct sv_vmdk_text *ret, struct sv_err *err)
{
	struct sv_vmdk_text t = {0};
	sv_autofree char *text = NULL;

	if (find_text(file, &t, err) < 0)
		return -1;
	text = malloc(t.n + 1);
	if (!text)
		return sv_fail_nomem(err);
	if (sv_dev_read(file, text, t.n, t.at, err) < 0)
		return -1;
	text[t.n] = 0;
	t.n = strlen(text);
	if (t.embedded && !t.n) {
		sv_fail(err, SV_UNSUPPORTED, sv_dev_name(file),
			"it is a part of a split disk, not the disk");
		return sv_hint(err, "open the small text file beside it (its name ends in "
				    ".vmdk without -s001)");
	}
	t.text = SV_STEAL(text);
	*ret = t;
	return 0;
}

int sv_vmdk_check_type(const struct sv_vmdk_desc *d, struct sv_err *err)
{
	static const char *const known[] = {"monolithicSparse", "monolithicFlat",
		"twoGbMaxExtentSparse", "twoGbMaxExtentFlat"};

	for (size_t i = 0; i < d->n_pairs; i++) {
		if (sv_starts_with(d->pairs[i].key, "encryption")) {
			sv_fail(err, SV_UNSUPPORTED, NULL, "the disk is encrypted by VMware");
			return sv_hint(err, "remove the encryption in VMware first");
		}
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++) {
		if (!strcasecmp(d->create_type, known[i]))
			return 0;
	}
	sv_fail(err, SV_UNSUPPORTED, NULL, "VMDK of kind \"%s\" is not supported",
		d->create_type);
	return sv_hint(err, "convert it to monolithicSparse: "
			    "qemu-img convert -O vmdk IN.vmdk OUT.vmdk");
}

int sv_vmdk_load(const char *path, struct sv_dev *file, bool writable, struct sv_vmdk **ret,
	struct sv_err *err)
{
	struct sv_vmdk *v = calloc(1, sizeof *v);
	struct sv_vmdk_text t = {0};

	if (!v)
		return sv_fail_nomem(err);
	v->link.driver = &sv_vmdk_driver;
	v->file = sv_dev_ref(file);
	v->link.writable = writable;
	v->tables = sv_vmdk_tables_new(err);
	if (!v->tables || sv_vmdk_read_text(file, &t, err) < 0)
		goto fail;
	v->embedded = t.embedded;
	v->desc_at = t.at;
	v->desc_room = t.room;
	if (sv_vmdk_desc_parse(t.text, t.n, &v->desc, err) < 0) {
		sv_err_shift(err, t.at);
		goto fail;
	}
	free(t.text);
	*ret = v;
	return 0;
fail:
	free(t.text);
	sv_vmdk_close(&v->link);
	return sv_err_path(err, path);
}

/* ---- extents ---- */

static int open_file(const struct sv_link_env *env, struct sv_vmdk *v, const char *path,
	size_t i, struct sv_err *err)
{
	struct sv_vmdk_part *p = &v->parts[i];
	sv_autofree char *home = NULL;

	if (v->embedded) { /* whatever name it had when it was made */
		p->path = strdup(path);
		p->file = sv_dev_ref(v->file);
		return p->path ? 0 : sv_fail_nomem(err);
	}
	home = sv_path_dir(path);
	if (!home)
		return sv_fail_nomem(err);
	if (sv_allow_resolve(
		    env->allow, env->host, home, v->desc.extents[i].file, &p->path, err) < 0)
		return -1;
	/* two parts of one file share it: its locks would shut each other out */
	if (i && p[-1].file && p[-1].path && !strcmp(p[-1].path, p->path)) {
		p->file = sv_dev_ref(p[-1].file);
		return 0;
	}
	return sv_link_open_file(env, p->path, v->link.writable, &p->file, err);
}

static int open_flat(struct sv_vmdk_part *p, const struct sv_vmdk_extent *e, struct sv_err *err)
{
	uint64_t size = sv_dev_size(p->file);

	p->flat_at = e->offset * SV_SECTOR; /* at most 2^62 */
	if (sv_in_range(p->flat_at, p->length, size))
		return 0;
	sv_fail_at(err, SV_CORRUPT, p->path, size,
		"the extent is described with %llu bytes from %llu, the file has %llu",
		(unsigned long long)p->length, (unsigned long long)p->flat_at,
		(unsigned long long)size);
	return sv_hint(err,
		"a copy of the disk that was cut short looks like this: copy it again, "
		"or bring it back from a backup");
}

static int open_sparse(struct sv_vmdk *v, size_t i, struct sv_err *err)
{
	struct sv_vmdk_part *p = &v->parts[i];
	struct sv_vmdk_sparse *s =
		sv_vmdk_sparse_open(p->file, v->tables, (uint32_t)i, v->link.writable, err);

	if (!s)
		return -1;
	p->sparse = s;
	s->below = &v->link.below;
	s->start = p->start;
	if (s->h.capacity * SV_SECTOR >= p->length)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, p->path, 12,
		"the extent has %llu sectors, the descriptor says %llu",
		(unsigned long long)s->h.capacity, (unsigned long long)(p->length / SV_SECTOR));
}

static int refuse_extent(const struct sv_vmdk_extent *e, struct sv_err *err)
{
	static const char *const words[] = {
		[SV_VMDK_VMFS] = "VMFS",
		[SV_VMDK_VMFSSPARSE] = "VMFSSPARSE",
		[SV_VMDK_SESPARSE] = "SESPARSE",
		[SV_VMDK_DEVICE] = "device",
	};

	sv_fail(err, SV_UNSUPPORTED, NULL, "extents of kind %s (\"%.200s\") are not supported",
		words[e->type], e->file);
	return sv_hint(err, "convert the disk to monolithicSparse with qemu-img or VMware");
}

int sv_vmdk_open_part(const struct sv_link_env *env, struct sv_vmdk *v, const char *path,
	size_t i, struct sv_err *err)
{
	const struct sv_vmdk_extent *e = &v->desc.extents[i];
	struct sv_vmdk_part *p = &v->parts[i];

	p->type = e->type;
	p->length = e->sectors * SV_SECTOR;
	if (e->access == SV_VMDK_NOACCESS)
		return sv_fail(err, SV_UNSUPPORTED, path, "extent %zu has no access", i);
	if (e->access == SV_VMDK_RDONLY && v->link.writable)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"extent %zu is for reading only, the disk cannot be written", i);
	if (e->type == SV_VMDK_ZERO)
		return 0;
	if (e->type != SV_VMDK_FLAT && e->type != SV_VMDK_SPARSE) {
		refuse_extent(e, err);
		return sv_err_path(err, path);
	}
	if (v->embedded && (v->desc.n_extents != 1 || e->type != SV_VMDK_SPARSE))
		return sv_fail(err, SV_CORRUPT, path,
			"an embedded descriptor lists more than its own extent");
	if (open_file(env, v, path, i, err) < 0)
		return -1;
	return e->type == SV_VMDK_FLAT ? open_flat(p, e, err) : open_sparse(v, i, err);
}

void sv_vmdk_close_part(struct sv_vmdk_part *p)
{
	sv_vmdk_sparse_close(p->sparse);
	sv_dev_close(p->file);
	p->sparse = NULL;
	p->file = NULL;
}

void sv_vmdk_close(struct sv_link *l)
{
	struct sv_vmdk *v = of(l);

	for (size_t i = 0; i < v->n_parts; i++) {
		sv_vmdk_close_part(&v->parts[i]);
		free(v->parts[i].path);
	}
	free(v->parts);
	sv_vmdk_desc_free(&v->desc);
	sv_vmdk_tables_free(v->tables);
	sv_dev_close(v->file);
	free(v);
}

static int open_parts(
	const struct sv_link_env *env, struct sv_vmdk *v, const char *path, struct sv_err *err)
{
	uint64_t start = 0;

	v->parts = calloc(v->desc.n_extents, sizeof *v->parts);
	if (!v->parts)
		return sv_fail_nomem(err);
	v->n_parts = v->desc.n_extents;
	for (size_t i = 0; i < v->n_parts; i++) {
		v->parts[i].start = start;
		if (sv_vmdk_open_part(env, v, path, i, err) < 0)
			return -1;
		start += v->parts[i].length;
	}
	return 0;
}

/* ---- what is told about the link ---- */

static int describe_part(
	const struct sv_link_env *env, struct sv_vmdk *v, size_t i, struct sv_err *err)
{
	struct sv_image_link *info = &v->link.info;
	struct sv_vmdk_part *p = &v->parts[i];

	if (p->sparse) {
		info->block_size = (uint32_t)p->sparse->grain_bytes;
		info->dirty |= p->sparse->h.unclean;
		info->allocated += SV_MIN(sv_vmdk_sparse_allocated(p->sparse), p->length);
	}
	if (!p->path || (i && p[-1].path && !strcmp(p[-1].path, p->path)))
		return 0;
	return sv_link_add_file(&v->link, env->host, p->path, true, err);
}

static int describe(
	const struct sv_link_env *env, struct sv_vmdk *v, const char *path, struct sv_err *err)
{
	struct sv_image_link *info = &v->link.info;
	uint64_t sparse, flat;

	info->subformat = strdup(v->desc.create_type);
	info->parent_hint = strdup(v->desc.parent_hint);
	info->id = sv_format("%08x", v->desc.cid);
	info->virtual_size = v->desc.sectors * SV_SECTOR;
	if (!info->subformat || !info->parent_hint || !info->id)
		return sv_fail_nomem(err);
	if (!v->embedded && sv_link_add_file(&v->link, env->host, path, false, err) < 0)
		return -1;
	for (size_t i = 0; i < v->n_parts; i++) {
		if (describe_part(env, v, i, err) < 0)
			return -1;
	}
	/* flat files: what the host stores of them */
	sparse = flat = 0;
	for (size_t i = 0; i < v->n_parts; i++) {
		if (v->parts[i].sparse)
			sparse = 1;
		else if (v->parts[i].file)
			flat += v->parts[i].length;
	}
	info->allocated += sparse ? 0 : SV_MIN(flat, info->host_size);
	return 0;
}

static int vmdk_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_vmdk *v;

	if (sv_vmdk_load(path, file, env->writable, &v, err) < 0)
		return -1;
	v->lock = env->lock;
	if (sv_vmdk_check_type(&v->desc, err) < 0 || open_parts(env, v, path, err) < 0 ||
		describe(env, v, path, err) < 0) {
		sv_err_path(err, path);
		sv_link_close(&v->link);
		return -1;
	}
	*ret = &v->link;
	return 0;
}

/* ---- ranges ---- */

/* The part that holds byte off. The parts are in order and leave no gap. */
static struct sv_vmdk_part *part_at(struct sv_vmdk *v, uint64_t off)
{
	size_t low = 0, high = v->n_parts - 1;

	while (low < high) {
		size_t mid = low + (high - low + 1) / 2;

		if (v->parts[mid].start <= off)
			low = mid;
		else
			high = mid - 1;
	}
	return &v->parts[low];
}

static int map_flat(struct sv_vmdk_part *p, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	struct sv_extent e = {.length = max, .kind = SV_EXTENT_DATA};
	uint64_t at = p->flat_at + off;

	if (holes && sv_dev_extent(p->file, at, max, &e, err) < 0)
		return -1;
	*ret = (struct sv_run){
		e.length, e.kind == SV_EXTENT_DATA ? SV_RUN_DATA : SV_RUN_HOLE, at, p->file};
	return 0;
}

static int vmdk_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	struct sv_vmdk_part *p = part_at(of(l), off);

	off -= p->start;
	max = SV_MIN(max, p->length - off);
	if (p->sparse)
		return sv_vmdk_sparse_map(p->sparse, off, max, holes, ret, err);
	if (p->file)
		return map_flat(p, off, max, holes, ret, err);
	*ret = (struct sv_run){max, SV_RUN_HOLE, SV_NO_HOST_OFFSET, NULL};
	return 0;
}

static int write_part(struct sv_vmdk_part *p, const uint8_t *bytes, uint64_t n, uint64_t off,
	struct sv_err *err)
{
	if (p->sparse)
		return sv_vmdk_sparse_write(p->sparse, bytes, n, off, err);
	if (!p->file)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"a ZERO extent of the disk cannot be written");
	p->dirty = true;
	return sv_dev_write(p->file, bytes, (size_t)n, p->flat_at + off, err);
}

static int vmdk_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const uint8_t *bytes = buf;

	if (sv_vmdk_change_cid(of(l), err) < 0)
		return -1;
	while (n) {
		struct sv_vmdk_part *p = part_at(of(l), off);
		size_t run = (size_t)SV_MIN(n, p->start + p->length - off);

		if (write_part(p, bytes, run, off - p->start, err) < 0)
			return -1;
		bytes += run;
		off += run;
		n -= run;
	}
	return 0;
}

static int discard_part(struct sv_vmdk_part *p, uint64_t off, uint64_t len, struct sv_err *err)
{
	if (p->sparse)
		return sv_vmdk_sparse_discard(p->sparse, off, len, err);
	if (!p->file)
		return 0;
	p->dirty = true;
	return sv_dev_discard(p->file, p->flat_at + off, len, err);
}

static int vmdk_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	if (sv_vmdk_change_cid(of(l), err) < 0)
		return -1;
	while (len) {
		struct sv_vmdk_part *p = part_at(of(l), off);
		uint64_t run = SV_MIN(len, p->start + p->length - off);

		if (discard_part(p, off - p->start, run, err) < 0)
			return -1;
		off += run;
		len -= run;
	}
	return 0;
}

static int vmdk_flush(struct sv_link *l, struct sv_err *err)
{
	struct sv_vmdk *v = of(l);

	for (size_t i = 0; i < v->n_parts; i++) {
		struct sv_vmdk_part *p = &v->parts[i];

		if (p->sparse && sv_vmdk_sparse_flush(p->sparse, err) < 0)
			return -1;
		if (p->dirty && sv_dev_flush(p->file, err) < 0)
			return -1;
		p->dirty = false;
	}
	/* for a text file: the new content id */
	return v->cid_changed && !v->embedded ? sv_dev_flush(v->file, err) : 0;
}

/* ---- parents ---- */

/* The hint as it stands, then its last component in the child's own folder: people move disks
 * between hosts, and the content id tells a wrong one. */
static char *vmdk_parent(const struct sv_link *l, unsigned nth)
{
	const struct sv_vmdk *v = (const struct sv_vmdk *)l;
	const char *hint = v->desc.parent_hint, *base;
	sv_autofree char *home = NULL;

	if (v->desc.parent_cid == SV_VMDK_CID_NONE || nth > 1)
		return NULL;
	home = sv_path_dir(l->info.path);
	if (!home)
		return NULL;
	if (nth == 0 && !sv_starts_with(hint, "\\") && !(*hint && hint[1] == ':'))
		return sv_path_join(home, hint);
	base = strrchr(hint, '\\') ? strrchr(hint, '\\') + 1 : sv_path_base(hint);
	return sv_path_join(home, base);
}

static int vmdk_match_parent(
	const struct sv_link *child, const struct sv_link *parent, struct sv_err *err)
{
	const struct sv_vmdk *c = (const struct sv_vmdk *)child;
	const struct sv_vmdk *p = (const struct sv_vmdk *)parent;

	if (parent->driver != &sv_vmdk_driver)
		return sv_fail(err, SV_CORRUPT, parent->info.path,
			"the parent of a VMDK must be a VMDK, this is %s",
			parent->driver->name);
	if (p->desc.cid == c->desc.parent_cid)
		return 0;
	sv_fail(err, SV_CORRUPT, parent->info.path,
		"its content id is %08x, %s was made for %08x", p->desc.cid,
		sv_path_base(child->info.path), c->desc.parent_cid);
	return sv_hint(err,
		"the parent was changed after the snapshot was made, or it is another "
		"disk: bring back the right file from a backup");
}

const struct sv_image_driver sv_vmdk_driver = {
	.name = "vmdk",
	.extension = ".vmdk",
	.probe = vmdk_probe,
	.open = vmdk_open,
	.close = sv_vmdk_close,
	.map = vmdk_map,
	.write = vmdk_write,
	.discard = vmdk_discard,
	.flush = vmdk_flush,
	.parent = vmdk_parent,
	.match_parent = vmdk_match_parent,
	.grow = sv_vmdk_grow,
	.check = sv_vmdk_check,
	.create = sv_vmdk_create,
	.derive_linked = sv_vmdk_derive_linked,
	.copy = sv_vmdk_copy,
	.flat_subformat = sv_vmdk_flat_subformat,
	.metadata_cost = sv_vmdk_metadata_cost,
	.limits = sv_vmdk_limits,
};
