/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VHD driver: fixed, dynamic and differencing images (format.h tells the format and
 * whose size counts, vhd.h the crash order). The bitmap of a block says which of its sectors
 * are stored; the others are the parent's, or zeros.
 */
#include "image/vhd/vhd.h"

#include "base/hash.h"
#include "base/str.h"

#include <string.h>

static struct sv_vhd *of(struct sv_link *l)
{
	return (struct sv_vhd *)l;
}

/* A fixed image has its mark at the end only; Virtual PC before 2004 one byte later. */
static bool vhd_probe(const struct sv_probe *p)
{
	const size_t n = strlen(SV_VHD_COOKIE);

	if (p->n_head >= n && !memcmp(p->head, SV_VHD_COOKIE, n))
		return true;
	return p->n_tail == SV_VHD_FOOTER_SIZE &&
	       (!memcmp(p->tail, SV_VHD_COOKIE, n) || !memcmp(p->tail + 1, SV_VHD_COOKIE, n));
}

/* ---- what is told about the link ---- */

static const char *note_of(const struct sv_vhd *v)
{
	if (v->damaged)
		return "wrong checksum in the footer or header: it can be read, not written";
	if (v->footer.saved)
		return "it belongs to a machine in saved state";
	if (v->footer.type == SV_VHD_FIXED)
		return NULL;
	if (v->end_bad)
		return "the footer at the end is broken; the copy at the beginning is used";
	if (v->front_old)
		return "the two copies of the footer differ; the one at the end is used";
	return v->front_bad ? "the copy of the footer at the beginning is broken" : NULL;
}

static uint64_t stored_bytes(const struct sv_vhd *v)
{
	uint64_t block = v->header.block_size, sum = 0;

	for (uint64_t i = 0; i < v->header.n_blocks; i++) {
		if (v->bat[i] != SV_VHD_FREE)
			sum += SV_MIN(block, v->footer.size - i * block);
	}
	return sum;
}

static char *id_text(const uint8_t id[SV_VHD_ID_SIZE])
{
	char *text = malloc(SV_VHD_ID_SIZE * 2 + 1);

	if (text)
		sv_hex(id, SV_VHD_ID_SIZE, text);
	return text;
}

static char *hint_text(const struct sv_vhd *v)
{
	if (v->footer.type != SV_VHD_DIFFERENCING)
		return strdup("");
	if (*v->parent_name)
		return strdup(v->parent_name);
	return v->hints[0] ? strdup(v->hints[0]) : id_text(v->header.parent_id);
}

static int describe(
	const struct sv_link_env *env, struct sv_vhd *v, const char *path, struct sv_err *err)
{
	static const char *const kinds[] = {[SV_VHD_FIXED] = "fixed",
		[SV_VHD_DYNAMIC] = "dynamic",
		[SV_VHD_DIFFERENCING] = "differencing"};
	struct sv_image_link *info = &v->link.info;
	const char *note = note_of(v);
	struct sv_host_stat st;

	info->subformat = strdup(kinds[v->footer.type]);
	info->id = id_text(v->footer.id);
	info->parent_hint = hint_text(v);
	info->note = note ? strdup(note) : NULL;
	info->virtual_size = v->footer.size;
	info->block_size = (uint32_t)v->header.block_size;
	info->dirty = v->footer.type != SV_VHD_FIXED && v->end_bad && !v->damaged;
	if (!info->subformat || !info->id || !info->parent_hint || (note && !info->note))
		return sv_fail_nomem(err);
	if (sv_link_add_file(&v->link, env->host, path, true, err) < 0 ||
		sv_host_stat(env->host, path, &st, err) < 0)
		return -1;
	v->modified = (uint32_t)(st.mtime_sec - SV_VHD_EPOCH);
	info->allocated = v->bat ? stored_bytes(v) : SV_MIN(info->host_size, v->footer.size);
	return 0;
}

static int vhd_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_vhd *v;

	if (sv_vhd_load(file, env->writable, &v, err) < 0)
		return -1;
	if (describe(env, v, path, err) < 0) {
		sv_link_close(&v->link);
		return -1;
	}
	*ret = &v->link;
	return 0;
}

/* ---- ranges ---- */

/* Where the host stores nothing it reads as zeros. */
static int look_for_hole(struct sv_run *run, enum sv_run_kind kind, struct sv_err *err)
{
	struct sv_extent e;

	if (sv_dev_extent(run->dev, run->host_offset, run->length, &e, err) < 0)
		return -1;
	run->length = e.length;
	if (e.kind != SV_EXTENT_DATA)
		run->kind = kind;
	return 0;
}

static uint64_t free_bytes(const struct sv_vhd *v, uint64_t off, uint64_t max)
{
	uint64_t block = v->header.block_size, end = off / block + 1;

	while (end < v->header.n_blocks && end * block - off < max &&
		v->bat[end] == SV_VHD_FREE)
		end++;
	return SV_MIN(max, end * block - off);
}

int sv_vhd_check_place(
	const struct sv_vhd *v, uint64_t block, uint64_t in, uint64_t n, struct sv_err *err)
{
	uint64_t at = v->bat[block] * SV_SECTOR, size = sv_dev_size(v->file);

	if (at && sv_in_range(at, v->header.bitmap_size + in + n, size))
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->file), v->header.table_at + block * 4,
		"block %llu is said to be at sector %u, the file has %llu sectors",
		(unsigned long long)block, v->bat[block],
		(unsigned long long)(size / SV_SECTOR));
}

/* How many of the sectors [first, first+n) are alike in being stored. */
static uint64_t same_bits(const uint8_t *bits, uint64_t first, uint64_t n)
{
	bool value = sv_vhd_bit(bits, first);
	uint64_t i = first + 1, end = first + n;

	while (i < end) {
		if (i % 8 == 0 && end - i >= 8 && bits[i / 8] == (value ? 0xff : 0))
			i += 8;
		else if (sv_vhd_bit(bits, i) == value)
			i++;
		else
			break;
	}
	return i - first;
}

static int map_block(struct sv_vhd *v, uint64_t off, uint64_t max, bool holes,
	struct sv_run *ret, struct sv_err *err)
{
	const uint64_t unit_sectors = SV_SECTOR * 8;
	uint64_t block = off / v->header.block_size, in = off % v->header.block_size;
	uint64_t sector = in / SV_SECTOR, first = sector % unit_sectors, n;
	struct sv_run run = {.kind = SV_RUN_ABSENT, .host_offset = SV_NO_HOST_OFFSET};
	uint8_t bits[SV_SECTOR];

	max = SV_MIN(max, v->header.block_size - in);
	n = SV_MIN(sv_div_up(off % SV_SECTOR + max, SV_SECTOR), unit_sectors - first);
	if (sv_vhd_check_place(v, block, in, 1, err) < 0 ||
		sv_vhd_bits_get(v, block, sector / unit_sectors, bits, err) < 0)
		return -1;
	n = same_bits(bits, first, n);
	run.length = SV_MIN(max, n * SV_SECTOR - off % SV_SECTOR);
	if (sv_vhd_bit(bits, first)) {
		if (sv_vhd_check_place(v, block, in, run.length, err) < 0)
			return -1;
		run.kind = SV_RUN_DATA;
		run.dev = v->file;
		run.host_offset = sv_vhd_data_at(v, block) + in;
		if (holes && look_for_hole(&run, SV_RUN_ZERO, err) < 0)
			return -1;
	}
	*ret = run;
	return 0;
}

int sv_vhd_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err)
{
	struct sv_vhd *v = of(l);

	if (v->footer.type == SV_VHD_FIXED) {
		*ret = (struct sv_run){max, SV_RUN_DATA, off, v->file};
		return holes ? look_for_hole(ret, SV_RUN_HOLE, err) : 0;
	}
	if (v->bat[off / v->header.block_size] != SV_VHD_FREE)
		return map_block(v, off, max, holes, ret, err);
	*ret = (struct sv_run){free_bytes(v, off, max), SV_RUN_ABSENT, SV_NO_HOST_OFFSET, NULL};
	return 0;
}

/* ---- parents ---- */

static char *vhd_parent(const struct sv_link *l, unsigned nth)
{
	const struct sv_vhd *v = (const struct sv_vhd *)l;
	sv_autofree char *home = NULL;

	if (v->footer.type != SV_VHD_DIFFERENCING)
		return NULL;
	if (nth >= SV_ARRAY_LEN(v->hints) || !v->hints[nth]) {
		/* no name at all: the error must name something */
		return nth || v->hints[0] ? NULL : strdup(l->info.parent_hint);
	}
	home = sv_path_dir(l->info.path);
	return home ? sv_path_join(home, v->hints[nth]) : NULL;
}

static int vhd_match_parent(
	const struct sv_link *child, const struct sv_link *parent, struct sv_err *err)
{
	const struct sv_vhd *c = (const struct sv_vhd *)child;
	const struct sv_vhd *p = (const struct sv_vhd *)parent;
	const char *name = sv_path_base(child->info.path);

	if (parent->driver != &sv_vhd_driver)
		return sv_fail(err, SV_CORRUPT, parent->info.path,
			"the parent of a VHD must be a VHD, this is %s", parent->driver->name);
	if (memcmp(p->footer.id, c->header.parent_id, SV_VHD_ID_SIZE) != 0) {
		sv_autofree char *expected = id_text(c->header.parent_id);

		sv_fail(err, SV_CORRUPT, parent->info.path,
			"its unique id is %s, %s was made for %s", parent->info.id, name,
			expected ? expected : "?");
		return sv_hint(err, "it is another disk, or a copy with an id of its own: "
				    "bring back the right file");
	}
	if (p->footer.size == c->footer.size)
		return 0;
	sv_fail(err, SV_CORRUPT, parent->info.path,
		"it has %llu bytes, %s was made when it had %llu",
		(unsigned long long)p->footer.size, name, (unsigned long long)c->footer.size);
	return sv_hint(err, "a parent that is resized loses its children: bring back the file "
			    "as it was");
}

static const char *vhd_flat_subformat(const struct sv_link *l)
{
	(void)l;
	return "dynamic";
}

static const char *const subformats[] = {"dynamic", "fixed", NULL};

const struct sv_image_driver sv_vhd_driver = {
	.name = "vhd",
	.extension = ".vhd",
	.subformats = subformats,
	.probe = vhd_probe,
	.open = vhd_open,
	.close = sv_vhd_close,
	.map = sv_vhd_map,
	.write = sv_vhd_write,
	.discard = sv_vhd_discard,
	.flush = sv_vhd_flush,
	.fill_begin = sv_vhd_fill_begin,
	.fill_place = sv_vhd_fill_place,
	.fill_end = sv_vhd_fill_end,
	.grow = sv_vhd_grow,
	.parent = vhd_parent,
	.match_parent = vhd_match_parent,
	.check = sv_vhd_check,
	.create = sv_vhd_create,
	.identity = sv_vhd_identity,
	.derive_linked = sv_vhd_derive_linked,
	.copy = sv_vhd_copy,
	.flat_subformat = vhd_flat_subformat,
	.metadata_cost = sv_vhd_metadata_cost,
	.limits = sv_vhd_limits,
};
