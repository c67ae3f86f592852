/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pieces of a file: inline in the tree, on the disk, reserved but never written, or holes,
 * which may be written down or not. A piece shows a part of an extent, which other pieces and
 * other files may share.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define HEAD    21u
#define REGULAR 53u

static int bad(struct sv_err *err, uint64_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "a piece of a file: %s %llu", what,
		(unsigned long long)found);
}

static int parse_inline(
	const uint8_t *b, size_t n, struct sv_btrfs_extent *e, struct sv_err *err)
{
	e->inline_data = b + HEAD;
	e->inline_size = n - HEAD;
	e->len = e->packing ? e->unpacked : e->inline_size;
	if (e->len > BTRFS_EXTENT_PACKED)
		return bad(err, 8, "bytes unpacked:", e->len);
	return 0;
}

static int check_regular(
	const struct sv_btrfs_super *s, const struct sv_btrfs_extent *e, struct sv_err *err)
{
	uint64_t whole = e->packing ? e->unpacked : e->packed, mask = s->sector - 1, end;

	if (!sv_add(e->off, e->len, &end) || end > INT64_MAX || (e->len & mask) ||
		(e->off & mask))
		return bad(err, 45, "it is not made of sectors, bytes:", e->len);
	if (!e->disk)
		return 0;
	if ((e->disk & mask) || (e->packed & mask) || (e->skip & mask))
		return bad(err, 21, "its extent is not made of sectors:", e->disk);
	if (!sv_add(e->disk, e->packed, &end) || end > INT64_MAX)
		return bad(err, 29, "bytes on the disk:", e->packed);
	if (!sv_in_range(e->skip, e->len, whole))
		return bad(err, 37, "it goes beyond its extent, from byte", e->skip);
	if (e->packing && SV_MAX(e->packed, e->unpacked) > BTRFS_EXTENT_PACKED)
		return bad(err, 8, "bytes of compressed data, at most 131072 are allowed:",
			SV_MAX(e->packed, e->unpacked));
	return 0;
}

int sv_btrfs_parse_extent(const uint8_t *b, size_t n, const struct sv_btrfs_super *s,
	uint64_t off, struct sv_btrfs_extent *ret, struct sv_err *err)
{
	if (n < HEAD)
		return bad(err, 0, "bytes of the item:", n);
	*ret = (struct sv_btrfs_extent){
		.off = off, .unpacked = sv_load_le64(b + 8), .packing = b[16], .kind = b[20]};
	if (ret->packing > BTRFS_ZSTD)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 16,
			"data compressed by method %u, which is not known", ret->packing);
	if (b[17] || sv_load_le16(b + 18))
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 17,
			"data that are encrypted or encoded (%u, %u)", b[17],
			sv_load_le16(b + 18));
	if (ret->kind == BTRFS_EXTENT_INLINE)
		return parse_inline(b, n, ret, err);
	if (ret->kind > BTRFS_EXTENT_PREALLOCATED || n < REGULAR)
		return bad(err, 20, "an item of an unknown type:", ret->kind);
	ret->disk = sv_load_le64(b + 21);
	ret->packed = sv_load_le64(b + 29);
	ret->skip = sv_load_le64(b + 37);
	ret->len = sv_load_le64(b + 45);
	return check_regular(s, ret, err);
}

/* ---- of a file ---- */

static int take(struct sv_btrfs *v, const struct sv_btrfs_inode *i,
	const struct sv_btrfs_cursor *c, struct sv_btrfs_extent *ret, struct sv_err *err)
{
	if (sv_btrfs_parse_extent(c->data, c->size, &v->super, c->key.offset, ret, err) < 0) {
		sv_err_path(err, sv_dev_name(v->fs.volume));
		return sv_err_context(err, "inode %llu of subvolume %llu",
			(unsigned long long)i->objectid, (unsigned long long)i->subvolume);
	}
	ret->inline_at = sv_btrfs_cursor_at(c) + HEAD;
	return 0;
}

int sv_btrfs_each_extent(struct sv_btrfs *v, const struct sv_btrfs_inode *i, uint64_t off,
	sv_btrfs_extent_fn fn, void *user, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs_key key = {i->objectid, BTRFS_EXTENT_DATA, off};
	struct sv_btrfs_root root;
	int there, rc = 0;

	if (sv_btrfs_root_of(v, i->subvolume, &root, err) < 0)
		return -1;
	there = sv_btrfs_seek_before(v, &root, &key, &c, err);
	for (; there > 0 && !rc; there = rc ? 0 : sv_btrfs_next(&c, err)) {
		struct sv_btrfs_extent e;

		if (c.key.objectid > i->objectid ||
			(c.key.objectid == i->objectid && c.key.type > BTRFS_EXTENT_DATA))
			break;
		if (c.key.objectid < i->objectid || c.key.type < BTRFS_EXTENT_DATA)
			continue;
		if (take(v, i, &c, &e, err) < 0)
			return -1;
		if (e.len > 0 && e.off + e.len > off)
			rc = fn(user, &e, err);
	}
	return there < 0 ? -1 : rc;
}

/* ---- where they lie ---- */

struct telling {
	struct sv_btrfs *v;
	sv_fs_extent_fn fn;
	void *user;
	uint64_t pos, size;
};

static int tell(struct telling *t, uint64_t at, uint64_t len)
{
	uint64_t off = t->pos;

	t->pos += len;
	return t->fn(t->user, off, at, len);
}

static int tell_hole(struct telling *t, uint64_t upto)
{
	upto = SV_MIN(upto, t->size);
	return upto > t->pos ? tell(t, SV_NO_HOST_OFFSET, upto - t->pos) : 0;
}

/* Piece by piece, as its chunks lie on the devices. */
static int tell_data(struct telling *t, uint64_t logical, uint64_t len, struct sv_err *err)
{
	int rc = 0;

	while (len && !rc) {
		struct sv_btrfs_piece p;
		uint64_t now;

		if (!sv_btrfs_where(t->v, logical, &p))
			return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(t->v->fs.volume),
				"the data at the logical address %llu lie on no device that is "
				"there",
				(unsigned long long)logical);
		now = SV_MIN(len, p.len);
		rc = tell(t, p.at, now);
		logical += now;
		len -= now;
	}
	return rc;
}

static int tell_extent(void *user, const struct sv_btrfs_extent *e, struct sv_err *err)
{
	struct telling *t = user;
	uint64_t end = SV_MIN(e->off + e->len, t->size), skip, logical = e->inline_at;
	struct sv_btrfs_piece p;
	int rc = tell_hole(t, e->off);

	if (rc || end <= t->pos)
		return rc ? rc : t->pos >= t->size;
	if (e->kind == BTRFS_EXTENT_PREALLOCATED ||
		(e->kind == BTRFS_EXTENT_REGULAR && !e->disk))
		return tell_hole(t, end);
	skip = t->pos - e->off;
	if (e->kind == BTRFS_EXTENT_REGULAR)
		logical = e->disk + (e->packing ? 0 : e->skip + skip);
	if (e->kind == BTRFS_EXTENT_REGULAR && !e->packing)
		return tell_data(t, logical, end - t->pos, err);
	/* what is packed, or in a node, lies there as a whole */
	if (!sv_btrfs_where(t->v, logical, &p))
		return tell_data(t, logical, end - t->pos, err);
	return tell(t, p.at, end - t->pos);
}

int sv_btrfs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	struct telling t = {.v = sv_btrfs_of(fs), .fn = fn, .user = user};
	struct sv_btrfs_inode i;
	struct sv_btrfs_root root;
	int rc;

	if (sv_btrfs_load(t.v, ino, &i, &root, err) < 0)
		return -1;
	if (sv_btrfs_type_of(i.mode) != SV_FS_FILE)
		return 0;
	t.size = i.size;
	rc = sv_btrfs_each_extent(t.v, &i, 0, tell_extent, &t, err);
	if (rc < 0)
		return -1;
	return rc && t.pos < t.size ? rc : tell_hole(&t, t.size);
}
