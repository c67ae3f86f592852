/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The extents of a VMDK link: opens each, and sends each range of the guest's disk to the one
 * that holds it. Before the first change the link gets a new content id.
 */
#include "image/vmdk/vmdk.h"

#include "base/str.h"

#include <string.h>

static struct sv_vmdk *of(struct sv_link *l)
{
	return (struct sv_vmdk *)l;
}

/* ---- open ---- */

/* By the name as written; failing that, by the same name in this host's encoding. */
static int resolve(const struct sv_link_env *env, const struct sv_vmdk *v, const char *home,
	const char *name, char **ret, struct sv_err *err)
{
	sv_autofree char *other = sv_vmdk_other_name(&v->desc, name);
	struct sv_err own = SV_ERR_INIT;

	if (sv_allow_resolve(env->allow, env->host, home, name, ret, &own) == 0)
		return 0;
	if (own.code == SV_NOTFOUND && other &&
		sv_allow_resolve(env->allow, env->host, home, other, ret, NULL) == 0)
		return 0;
	sv_err_copy(err, &own);
	return -1;
}

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
	if (resolve(env, v, home, v->desc.extents[i].file, &p->path, err) < 0)
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

static int check_capacity(
	const struct sv_vmdk_part *p, uint64_t capacity, uint64_t field, struct sv_err *err)
{
	if (capacity * SV_SECTOR >= p->length)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, p->path, field,
		"the extent has %llu sectors, the descriptor says %llu",
		(unsigned long long)capacity, (unsigned long long)(p->length / SV_SECTOR));
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
	return check_capacity(p, s->h.capacity, 12, err);
}

static int open_sesparse(struct sv_vmdk *v, size_t i, struct sv_err *err)
{
	struct sv_vmdk_part *p = &v->parts[i];

	if (v->link.writable) {
		sv_fail(err, SV_UNSUPPORTED, p->path,
			"seSparse extents are only read, not written");
		return sv_hint(err, SV_VMDK_CONVERT_HINT);
	}
	p->sesparse = sv_vmdk_se_open(p->file, v->tables, (uint32_t)i, err);
	return p->sesparse ? check_capacity(p, p->sesparse->h.capacity, 16, err) : -1;
}

static int refuse_device(const struct sv_vmdk_extent *e, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, NULL,
		"its data lie on a device (\"%.200s\"), not in a file", e->file);
	return sv_hint(err, SV_VMDK_DEVICE_HINT);
}

/* How extents are read that are the same but for their names. */
static enum sv_vmdk_extent_type plain_type(enum sv_vmdk_extent_type type)
{
	if (type == SV_VMDK_VMFS)
		return SV_VMDK_FLAT;
	return type == SV_VMDK_VMFSSPARSE ? SV_VMDK_SPARSE : type;
}

int sv_vmdk_open_part(const struct sv_link_env *env, struct sv_vmdk *v, const char *path,
	size_t i, struct sv_err *err)
{
	const struct sv_vmdk_extent *e = &v->desc.extents[i];
	struct sv_vmdk_part *p = &v->parts[i];

	p->type = plain_type(e->type);
	p->length = e->sectors * SV_SECTOR;
	if (e->access == SV_VMDK_NOACCESS)
		return sv_fail(err, SV_UNSUPPORTED, path, "extent %zu has no access", i);
	if (e->access == SV_VMDK_RDONLY && v->link.writable)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"extent %zu is for reading only, the disk cannot be written", i);
	if (p->type == SV_VMDK_ZERO)
		return 0;
	if (p->type == SV_VMDK_DEVICE) {
		refuse_device(e, err);
		return sv_err_path(err, path);
	}
	if (v->embedded && (v->desc.n_extents != 1 || e->type != SV_VMDK_SPARSE))
		return sv_fail(err, SV_CORRUPT, path,
			"an embedded descriptor lists more than its own extent");
	if (open_file(env, v, path, i, err) < 0)
		return -1;
	if (p->type == SV_VMDK_FLAT)
		return open_flat(p, e, err);
	return p->type == SV_VMDK_SPARSE ? open_sparse(v, i, err) : open_sesparse(v, i, err);
}

void sv_vmdk_close_part(struct sv_vmdk_part *p)
{
	sv_vmdk_sparse_close(p->sparse);
	sv_vmdk_se_close(p->sesparse);
	sv_dev_close(p->file);
	p->sparse = NULL;
	p->sesparse = NULL;
	p->file = NULL;
}

/* ---- ranges ---- */

/* The parts are in order and leave no gap. */
struct sv_vmdk_part *sv_vmdk_part_at(struct sv_vmdk *v, uint64_t off)
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

int sv_vmdk_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	struct sv_vmdk_part *p = sv_vmdk_part_at(of(l), off);

	off -= p->start;
	max = SV_MIN(max, p->length - off);
	if (p->sparse)
		return sv_vmdk_sparse_map(p->sparse, off, max, holes, ret, err);
	if (p->sesparse)
		return sv_vmdk_se_map(p->sesparse, off, max, holes, ret, err);
	if (p->file)
		return map_flat(p, off, max, holes, ret, err);
	*ret = (struct sv_run){max, SV_RUN_HOLE, SV_NO_HOST_OFFSET, NULL};
	return 0;
}

int sv_vmdk_read(struct sv_link *l, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint8_t *out = buf;

	while (n) {
		struct sv_vmdk_part *p = sv_vmdk_part_at(of(l), off);
		size_t run = (size_t)SV_MIN(n, p->start + p->length - off);

		if (sv_vmdk_packed_read(p->sparse, out, run, off - p->start, err) < 0)
			return -1;
		out += run;
		off += run;
		n -= run;
	}
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

int sv_vmdk_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const uint8_t *bytes = buf;

	if (sv_vmdk_change_cid(of(l), err) < 0)
		return -1;
	while (n) {
		struct sv_vmdk_part *p = sv_vmdk_part_at(of(l), off);
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

int sv_vmdk_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err)
{
	if (sv_vmdk_change_cid(of(l), err) < 0)
		return -1;
	while (len) {
		struct sv_vmdk_part *p = sv_vmdk_part_at(of(l), off);
		uint64_t run = SV_MIN(len, p->start + p->length - off);

		if (discard_part(p, off - p->start, run, err) < 0)
			return -1;
		off += run;
		len -= run;
	}
	return 0;
}

int sv_vmdk_flush(struct sv_link *l, struct sv_err *err)
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
