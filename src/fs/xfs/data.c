/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Content of files and links. What is allocated but was never written, and what lies behind
 * the last extent, reads as zeros. The inode that was read last is kept for reads that follow.
 */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define LINK_MAX    1024u /* XFS_SYMLINK_MAXLEN */
#define LINK_HEADER 56u   /* version 5, before each piece */

static int open_inode(
	struct sv_xfs *v, uint64_t ino, const struct sv_xfs_inode **ret, struct sv_err *err)
{
	*ret = &v->last;
	if (v->last_valid && v->last.ino == ino)
		return 0;
	v->last_valid = false;
	if (sv_xfs_load(v, ino, &v->last, err) < 0)
		return -1;
	v->last_valid = true;
	return 0;
}

static int check_file(const struct sv_xfs *v, const struct sv_xfs_inode *i, struct sv_err *err)
{
	if (sv_xfs_type_of(i->mode) != SV_FS_FILE)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "inode %llu is no file",
			(unsigned long long)i->ino);
	if (i->realtime)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->dev),
			"the data of inode %llu lie on XFS' real-time device",
			(unsigned long long)i->ino);
	if (i->data.format != XFS_FORK_EXTENTS && i->data.format != XFS_FORK_BTREE)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"file of inode %llu has a fork of format %u",
			(unsigned long long)i->ino, i->data.format);
	return sv_xfs_check_inode(v, i, err);
}

static int read_blocks(struct sv_xfs *v, const struct sv_xfs_inode *i, uint8_t *p, size_t n,
	uint64_t off, struct sv_err *err)
{
	uint64_t end = sv_div_up(i->size, v->super.block);

	while (n) {
		uint64_t in = off & (v->super.block - 1);
		struct sv_xfs_run run;
		size_t now;

		if (sv_xfs_map(v, i, &i->data, off >> v->super.block_log, end, &run, err) < 0)
			return -1;
		now = (size_t)SV_MIN((uint64_t)n, (run.len << v->super.block_log) - in);
		if (run.at == XFS_HOLE || run.unwritten)
			memset(p, 0, now);
		else if (sv_dev_read(v->fs.volume, p, now, run.at + in, err) < 0)
			return -1;
		p += now;
		off += now;
		n -= now;
	}
	return 0;
}

int sv_xfs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	struct sv_xfs *v = sv_xfs_of(fs);
	const struct sv_xfs_inode *i;

	*ret_got = 0;
	if (stream)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev),
			"files of this file system have no named streams");
	if (open_inode(v, ino, &i, err) < 0 || check_file(v, i, err) < 0)
		return -1;
	if (off >= i->size)
		return 0;
	n = (size_t)SV_MIN((uint64_t)n, i->size - off);
	if (read_blocks(v, i, buf, n, off, err) < 0)
		return -1;
	*ret_got = n;
	return 0;
}

int sv_xfs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	struct sv_xfs *v = sv_xfs_of(fs);
	const struct sv_xfs_inode *i;
	struct sv_xfs_run run;
	uint64_t end;
	int rc = 0;

	if (open_inode(v, ino, &i, err) < 0)
		return -1;
	if (i->realtime ||
		(i->data.format != XFS_FORK_EXTENTS && i->data.format != XFS_FORK_BTREE))
		return 0;
	end = sv_div_up(SV_MIN(i->size, (uint64_t)INT64_MAX - v->super.block), v->super.block);
	for (uint64_t lblk = 0; !rc && lblk < end; lblk += run.len) {
		uint64_t off = lblk << v->super.block_log;
		bool zeros;

		if (sv_xfs_map(v, i, &i->data, lblk, end, &run, err) < 0)
			return -1;
		zeros = run.at == XFS_HOLE || run.unwritten;
		rc = fn(user, off, zeros ? SV_NO_HOST_OFFSET : run.at,
			SV_MIN(run.len << v->super.block_log, i->size - off));
	}
	return rc;
}

/* ---- links ---- */

static int check_piece(const struct sv_xfs *v, const struct sv_xfs_inode *i, const uint8_t *b,
	uint64_t at, uint32_t offset, struct sv_err *err)
{
	if (memcmp(b, "XSLM", 4) != 0 || sv_load_be32(b + 4) != offset ||
		sv_load_be64(b + 32) != i->ino)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
			"a piece of a link's target belongs to inode %llu at %u, expected %llu at "
			"%u",
			(unsigned long long)sv_load_be64(b + 32), sv_load_be32(b + 4),
			(unsigned long long)i->ino, offset);
	return 0;
}

/* Blocks, each run of them with a header where there are checksums. */
static int read_remote(
	struct sv_xfs *v, const struct sv_xfs_inode *i, char *out, struct sv_err *err)
{
	size_t head = v->super.v5 ? LINK_HEADER : 0, n = (size_t)i->size;
	uint64_t end = sv_div_up(n + head * 4, v->super.block) + 4;
	uint8_t buf[LINK_HEADER + LINK_MAX];
	uint32_t got = 0;

	for (uint64_t lblk = 0; got < n;) {
		struct sv_xfs_run run;
		size_t now;

		if (sv_xfs_map(v, i, &i->data, lblk, end, &run, err) < 0)
			return -1;
		if (run.at == XFS_HOLE)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
				"the target of link %llu ends after %u bytes of %zu",
				(unsigned long long)i->ino, got, n);
		now = (size_t)SV_MIN(run.len << v->super.block_log, head + n - got);
		if (sv_dev_read(v->dev, buf, now, run.at, err) < 0)
			return -1;
		if (head && check_piece(v, i, buf, run.at, got, err) < 0)
			return -1;
		memcpy(out + got, buf + head, now - head);
		got += (uint32_t)(now - head);
		lblk += run.len;
	}
	return 0;
}

char *sv_xfs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err)
{
	struct sv_xfs *v = sv_xfs_of(fs);
	sv_autofree char *target = NULL;
	const struct sv_xfs_inode *i;
	int rc = 0;

	if (open_inode(v, ino, &i, err) < 0)
		return NULL;
	if (sv_xfs_type_of(i->mode) != SV_FS_SYMLINK) {
		sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "inode %llu is no link",
			(unsigned long long)ino);
		return NULL;
	}
	if (sv_xfs_check_inode(v, i, err) < 0)
		return NULL;
	if (i->size > LINK_MAX || i->data.format == XFS_FORK_DEV ||
		(i->data.format == XFS_FORK_LOCAL && i->size > i->data.size)) {
		sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"link %llu has a target of %llu bytes", (unsigned long long)ino,
			(unsigned long long)i->size);
		return NULL;
	}
	target = calloc(1, i->size + 1);
	if (!target) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (i->data.format == XFS_FORK_LOCAL)
		memcpy(target, i->raw + i->data.at, (size_t)i->size);
	else
		rc = read_remote(v, i, target, err);
	return rc < 0 ? NULL : SV_STEAL(target);
}
