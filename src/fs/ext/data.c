/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The content of files and links, and where it lies. Runs that follow one another on the
 * volume are read in one piece.
 */
#include "fs/ext/ext.h"

#include "base/num.h"

#include <stdlib.h>

#define LINK_MAX_BYTES 65536u /* Linux allows 4095 */

static int refuse(struct sv_ext *v, const struct sv_ext_inode *i, const char *what,
	const char *hint, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->dev), "inode %llu: %s",
		(unsigned long long)i->ino, what);
	return sv_hint(err, "%s", hint);
}

static int check_readable(struct sv_ext *v, const struct sv_ext_inode *i, struct sv_err *err)
{
	if (i->flags & EXT_FL_ENCRYPT)
		return refuse(v, i, "its data are encrypted (fscrypt)",
			"copy it in the guest, where the key is", err);
	if (sv_ext_has(&v->super, EXT_INCOMPAT_COMPRESSION) &&
		i->flags & EXT_FL_COMPRESSED_BLOCKS)
		return refuse(v, i, "its data are compressed (e2compr)",
			"take the compression off in the guest: chattr -c FILE", err);
	return sv_ext_check_inode(v, i, err);
}

/* ---- blocks ---- */

/* The run at lblk, with those that go on where it ends, up to `want` blocks. */
static int gather(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk, uint64_t want,
	struct sv_ext_run *ret, struct sv_err *err)
{
	struct sv_ext_run next;

	if (sv_ext_map_at(v, m, lblk, ret, err) < 0)
		return -1;
	while (ret->len < want) {
		/* damage further on is told by the read that gets there */
		if (sv_ext_map_at(v, m, lblk + ret->len, &next, NULL) < 0)
			break;
		if (ret->pblk == SV_EXT_HOLE ? next.pblk != SV_EXT_HOLE
					     : next.pblk != ret->pblk + ret->len)
			break;
		ret->len += next.len;
	}
	return 0;
}

int sv_ext_map_read(struct sv_ext *v, struct sv_ext_map *m, void *buf, size_t n, uint64_t off,
	size_t *ret_got, struct sv_err *err)
{
	const uint64_t block = v->super.block_size, size = m->inode.size;
	uint8_t *out = buf;
	size_t done = 0;

	n = off < size ? (size_t)SV_MIN((uint64_t)n, size - off) : 0;
	while (done < n) {
		uint64_t within = (off + done) % block, lblk = (off + done) / block;
		uint64_t room = sv_div_up(within + (n - done), block);
		struct sv_ext_run run;
		size_t len;

		if (gather(v, m, lblk, room, &run, err) < 0)
			return -1;
		room = SV_MIN(room, run.len);
		len = SV_MIN(n - done, (size_t)(room * block - within));
		if (run.pblk == SV_EXT_HOLE)
			memset(out + done, 0, len);
		else if (sv_dev_read(v->dev, out + done, len, run.pblk * block + within, err) <
			 0)
			return -1;
		done += len;
	}
	*ret_got = n;
	return 0;
}

/* ---- the file that was read last ---- */

static void forget_last(struct sv_ext *v)
{
	v->last_valid = false;
	sv_ext_map_free(&v->last);
	free(v->last_inline);
	v->last_inline = NULL;
}

static int open_data(struct sv_ext *v, uint64_t ino, struct sv_err *err)
{
	struct sv_ext_inode i;

	if (v->last_valid && v->last.inode.ino == ino)
		return 0;
	forget_last(v);
	if (sv_ext_load_used(v, ino, &i, err) < 0 || check_readable(v, &i, err) < 0)
		return -1;
	if (i.flags & EXT_FL_INLINE_DATA) {
		v->last_inline = sv_ext_inline_data(v, &i, &v->last_inline_n, err);
		if (!v->last_inline)
			return -1;
	}
	v->last.inode = i;
	v->last_valid = true;
	return 0;
}

static bool is_fast_link(const struct sv_ext_inode *i)
{
	return sv_ext_type_of(i->mode) == SV_FS_SYMLINK && i->size < sizeof i->block &&
	       !(i->flags & (EXT_FL_EXTENTS | EXT_FL_INLINE_DATA | EXT_FL_EA_INODE));
}

/* Has it blocks at all? A device's number and a link's target stand in their place. */
static bool has_blocks(const struct sv_ext_inode *i)
{
	enum sv_fs_type type = sv_ext_type_of(i->mode);

	return !(i->flags & EXT_FL_INLINE_DATA) &&
	       (type == SV_FS_FILE || type == SV_FS_DIR ||
		       (type == SV_FS_SYMLINK && !is_fast_link(i)));
}

static void copy_inline(const struct sv_ext *v, uint8_t *buf, size_t n, uint64_t off)
{
	size_t held = off < v->last_inline_n ? v->last_inline_n - (size_t)off : 0;

	held = SV_MIN(held, n);
	if (held)
		memcpy(buf, v->last_inline + off, held);
	if (n > held)
		memset(buf + held, 0, n - held);
}

int sv_ext_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	struct sv_ext *v = sv_ext_of(fs);
	const struct sv_ext_inode *i = &v->last.inode;

	if (stream && stream[0])
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev),
			"there is no stream \"%.200s\": ext4 has none", stream);
	if (open_data(v, ino, err) < 0)
		return -1;
	if (sv_ext_type_of(i->mode) != SV_FS_FILE)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "inode %llu is no file",
			(unsigned long long)ino);
	if (!v->last_inline)
		return sv_ext_map_read(v, &v->last, buf, n, off, ret_got, err);
	*ret_got = off < i->size ? (size_t)SV_MIN((uint64_t)n, i->size - off) : 0;
	copy_inline(v, buf, *ret_got, off);
	return 0;
}

/* ---- links ---- */

static int read_target(
	struct sv_ext *v, const struct sv_ext_inode *i, char *buf, struct sv_err *err)
{
	struct sv_ext_map m = {.inode = *i};
	sv_autofree uint8_t *data = NULL;
	size_t got;
	int rc;

	if (is_fast_link(i)) {
		memcpy(buf, i->block, (size_t)i->size);
		return 0;
	}
	if (i->flags & EXT_FL_INLINE_DATA) {
		data = sv_ext_inline_data(v, i, &got, err);
		if (data)
			memcpy(buf, data, got); /* what is missing stays zeros */
		return data ? 0 : -1;
	}
	rc = sv_ext_map_read(v, &m, buf, (size_t)i->size, 0, &got, err);
	sv_ext_map_free(&m);
	return rc;
}

char *sv_ext_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	struct sv_ext *v = sv_ext_of(fs);
	sv_autofree char *target = NULL;
	struct sv_ext_inode i;

	if (sv_ext_load_used(v, ino, &i, err) < 0 || check_readable(v, &i, err) < 0)
		return NULL;
	if (sv_ext_type_of(i.mode) != SV_FS_SYMLINK || i.size > LINK_MAX_BYTES) {
		sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"inode %llu of mode %#o and %llu bytes is no symbolic link",
			(unsigned long long)ino, i.mode, (unsigned long long)i.size);
		return NULL;
	}
	target = calloc(1, (size_t)i.size + 1);
	if (!target) {
		sv_fail_nomem(err);
		return NULL;
	}
	return read_target(v, &i, target, err) < 0 ? NULL : SV_STEAL(target);
}

/* ---- where data lie ---- */

/* Each run in order. No file has more runs with data than the volume has blocks, nor more
 * holes between them. */
static int each_run(struct sv_ext *v, struct sv_ext_map *m, sv_fs_extent_fn fn, void *user,
	struct sv_err *err)
{
	const uint64_t block = v->super.block_size, end = sv_div_up(m->inode.size, block);
	uint64_t budget = 2 * v->super.blocks + 2;
	struct sv_ext_run run;

	for (uint64_t lblk = 0; lblk < end; lblk += run.len) {
		uint64_t off = lblk * block;
		int rc;

		if (!budget--)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
				"inode %llu lies in more pieces than the volume has blocks",
				(unsigned long long)m->inode.ino);
		if (gather(v, m, lblk, SV_MIN(end - lblk, UINT64_C(1) << 20), &run, err) < 0)
			return -1;
		rc = fn(user, off,
			run.pblk == SV_EXT_HOLE ? SV_NO_HOST_OFFSET : run.pblk * block,
			SV_MIN(run.len, end - lblk) < end - lblk ? run.len * block
								 : m->inode.size - off);
		if (rc)
			return rc;
	}
	return 0;
}

int sv_ext_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	struct sv_ext *v = sv_ext_of(fs);
	struct sv_ext_map m = {0};
	int rc;

	if (sv_ext_load_used(v, ino, &m.inode, err) < 0)
		return -1;
	if (!has_blocks(&m.inode))
		return 0;
	if (sv_ext_check_inode(v, &m.inode, err) < 0)
		return -1;
	rc = each_run(v, &m, fn, user, err);
	sv_ext_map_free(&m);
	return rc;
}
