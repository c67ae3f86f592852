/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Content of files and links. Compressed extents are unpacked as a whole; the last one is kept,
 * as is the inode that was read last, for reads that follow.
 */
#include "fs/btrfs/btrfs.h"

#include "base/num.h"

#include <string.h>

#define LINK_MAX 65536u

struct reading {
	struct sv_btrfs *v;
	const struct sv_btrfs_inode *i;
	uint8_t *p;        /* what stands at `pos` goes there */
	uint64_t pos, end; /* in the file */
};

static int open_inode(
	struct sv_btrfs *v, uint64_t ino, const struct sv_btrfs_inode **ret, struct sv_err *err)
{
	struct sv_btrfs_root root;

	*ret = &v->last;
	if (v->last_valid && v->last.ino == ino)
		return 0;
	v->last_valid = false;
	if (sv_btrfs_load(v, ino, &v->last, &root, err) < 0)
		return -1;
	v->last_valid = true;
	return 0;
}

static void give(struct reading *r, const uint8_t *from, size_t n)
{
	if (from)
		memcpy(r->p, from, n);
	else
		memset(r->p, 0, n);
	r->p += n;
	r->pos += n;
}

/* ---- plain ---- */

static bool is_summed(const struct sv_btrfs_inode *i)
{
	return !(i->flags & BTRFS_INODE_NODATASUM);
}

/* A part of a sector. */
static int read_part(struct reading *r, uint64_t logical, size_t n, struct sv_err *err)
{
	size_t sector = r->v->super.sector, in = logical & (sector - 1), good;
	sv_autofree uint8_t *whole = malloc(sector);

	if (!whole)
		return sv_fail_nomem(err);
	if (sv_btrfs_read_data(r->v, logical - in, whole, sector, is_summed(r->i), &good, err) <
		0)
		return -1;
	give(r, whole + in, n);
	return 0;
}

static int read_sectors(struct reading *r, uint64_t logical, size_t n, struct sv_err *err)
{
	size_t good;
	int rc = sv_btrfs_read_data(r->v, logical, r->p, n, is_summed(r->i), &good, err);

	r->p += good;
	r->pos += good;
	return rc;
}

static int read_plain(struct reading *r, uint64_t logical, size_t n, struct sv_err *err)
{
	size_t sector = r->v->super.sector;

	while (n) {
		size_t in = logical & (sector - 1), now = n & ~(sector - 1);
		int rc;

		if (in || !now) {
			now = SV_MIN(n, sector - in);
			rc = read_part(r, logical, now, err);
		} else {
			rc = read_sectors(r, logical, now, err);
		}
		if (rc < 0)
			return -1;
		logical += now;
		n -= now;
	}
	return 0;
}

/* ---- packed ---- */

static int unpack(struct sv_btrfs *v, const struct sv_btrfs_extent *e, const uint8_t *packed,
	size_t n, struct sv_err *err)
{
	if (sv_btrfs_unpack(&v->unpack, e->packing, v->super.sector, packed, n, v->extent,
		    (size_t)e->unpacked, err) == 0)
		return 0;
	if (e->kind == BTRFS_EXTENT_REGULAR) {
		struct sv_btrfs_piece place = {0};

		sv_btrfs_where(v, e->disk, &place);
		sv_err_shift(err, place.at);
	}
	return sv_err_path(err, sv_dev_name(v->fs.volume));
}

/* v->extent gets all of it. */
static int load_packed(struct reading *r, const struct sv_btrfs_extent *e, struct sv_err *err)
{
	struct sv_btrfs *v = r->v;
	bool is_inline = e->kind == BTRFS_EXTENT_INLINE;
	sv_autofree uint8_t *packed = NULL;
	size_t good;

	if (!is_inline && v->extent_valid && v->extent_at == e->disk &&
		v->extent_unpacked == e->unpacked)
		return 0;
	v->extent_valid = false;
	if (!v->extent)
		v->extent = malloc(BTRFS_EXTENT_PACKED);
	if (!v->extent)
		return sv_fail_nomem(err);
	if (is_inline)
		return unpack(v, e, e->inline_data, e->inline_size, err);
	packed = malloc((size_t)e->packed);
	if (!packed)
		return sv_fail_nomem(err);
	if (sv_btrfs_read_data(
		    v, e->disk, packed, (size_t)e->packed, is_summed(r->i), &good, err) < 0 ||
		unpack(v, e, packed, (size_t)e->packed, err) < 0)
		return -1;
	v->extent_at = e->disk;
	v->extent_unpacked = e->unpacked;
	v->extent_valid = true;
	return 0;
}

/* ---- a file ---- */

static int read_extent(void *user, const struct sv_btrfs_extent *e, struct sv_err *err)
{
	struct reading *r = user;
	uint64_t end = SV_MIN(e->off + e->len, r->end), in;
	size_t n;

	if (e->off > r->pos)
		give(r, NULL, (size_t)(SV_MIN(e->off, r->end) - r->pos));
	if (r->pos >= r->end)
		return 1;
	if (end <= r->pos)
		return 0;
	n = (size_t)(end - r->pos);
	in = r->pos - e->off + e->skip;
	if (e->kind == BTRFS_EXTENT_PREALLOCATED ||
		(e->kind == BTRFS_EXTENT_REGULAR && !e->disk)) {
		give(r, NULL, n);
	} else if (e->packing) {
		if (load_packed(r, e, err) < 0)
			return -1;
		give(r, r->v->extent + in, n);
	} else if (e->kind == BTRFS_EXTENT_INLINE) {
		give(r, e->inline_data + in, n);
	} else if (read_plain(r, e->disk + in, n, err) < 0) {
		return -1;
	}
	return r->pos >= r->end;
}

static int read_bytes(struct sv_btrfs *v, const struct sv_btrfs_inode *i, void *buf, size_t n,
	uint64_t off, struct sv_err *err)
{
	struct reading r = {.v = v, .i = i, .p = buf, .pos = off, .end = off + n};

	if (sv_btrfs_each_extent(v, i, off, read_extent, &r, err) < 0)
		return sv_err_context(err, "byte %llu of inode %llu of subvolume %llu",
			(unsigned long long)r.pos, (unsigned long long)i->objectid,
			(unsigned long long)i->subvolume);
	give(&r, NULL, (size_t)(r.end - r.pos));
	return 0;
}

int sv_btrfs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	struct sv_btrfs *v = sv_btrfs_of(fs);
	const struct sv_btrfs_inode *i;

	*ret_got = 0;
	if (stream)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->fs.volume),
			"files of this file system have no named streams");
	if (open_inode(v, ino, &i, err) < 0)
		return -1;
	if (sv_btrfs_type_of(i->mode) != SV_FS_FILE)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->fs.volume),
			"inode %llu is no file", (unsigned long long)i->objectid);
	if (off >= i->size)
		return 0;
	n = (size_t)SV_MIN((uint64_t)n, i->size - off);
	if (n && read_bytes(v, i, buf, n, off, err) < 0)
		return -1;
	*ret_got = n;
	return 0;
}

char *sv_btrfs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	struct sv_btrfs *v = sv_btrfs_of(fs);
	sv_autofree char *target = NULL;
	const struct sv_btrfs_inode *i;

	if (open_inode(v, ino, &i, err) < 0)
		return NULL;
	if (sv_btrfs_type_of(i->mode) != SV_FS_SYMLINK) {
		sv_fail(err, SV_USAGE, sv_dev_name(v->fs.volume), "inode %llu is no link",
			(unsigned long long)i->objectid);
		return NULL;
	}
	if (i->size > LINK_MAX) {
		sv_fail(err, SV_CORRUPT, sv_dev_name(v->fs.volume),
			"link %llu has a target of %llu bytes", (unsigned long long)i->objectid,
			(unsigned long long)i->size);
		return NULL;
	}
	target = calloc(1, (size_t)i->size + 1);
	if (!target) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (i->size && read_bytes(v, i, target, (size_t)i->size, 0, err) < 0)
		return NULL;
	return SV_STEAL(target);
}
