/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * XFS inodes: 96 to 176 bytes of core, then the data fork, then (from the fork offset on) the
 * attribute fork. Times are seconds and nanoseconds, or, with the feature "bigtime", one count
 * of nanoseconds from 1901 on.
 */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>
#include <sys/stat.h>

#define MAGIC          0x494eu /* "IN" */
#define CORE_V2        100u
#define CORE_V3        176u
#define CRC_AT         100u
#define FLAG_REALTIME  0x01u
#define FLAG2_BIGTIME  0x08u
#define FLAG2_NREXT64  0x10u
#define BIGTIME_OFFSET INT64_C(2147483648)
#define NANO           UINT64_C(1000000000)

static struct sv_fs_time time_of(const uint8_t *b, bool big)
{
	uint64_t stamp = sv_load_be64(b);

	if (big)
		return (struct sv_fs_time){
			(int64_t)(stamp / NANO) - BIGTIME_OFFSET, (uint32_t)(stamp % NANO)};
	return (struct sv_fs_time){
		(int32_t)sv_load_be32(b), SV_MIN(sv_load_be32(b + 4), (uint32_t)NANO - 1)};
}

/* ---- forks ---- */

static int check_fork(const struct sv_xfs_fork *f, uint64_t at, struct sv_err *err)
{
	if (f->format > XFS_FORK_BTREE)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the inode has a fork of format %u", f->format);
	if (f->format == XFS_FORK_EXTENTS && f->extents > f->size / 16)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the inode has %llu extents in a fork of %u bytes",
			(unsigned long long)f->extents, f->size);
	return 0;
}

static int parse_forks(const uint8_t *b, const struct sv_xfs_super *s, uint32_t core, bool many,
	struct sv_xfs_inode *ret, struct sv_err *err)
{
	uint32_t offset = b[82] * 8u;

	if (core + offset > s->inode)
		return sv_fail_at(err, SV_CORRUPT, NULL, 82,
			"the inode's attributes begin at %u of %u bytes", core + offset,
			s->inode);
	ret->data = (struct sv_xfs_fork){.format = b[5],
		.extents = many ? sv_load_be64(b + 24) : sv_load_be32(b + 76),
		.at = core,
		.size = offset ? offset : s->inode - core};
	ret->attr = (struct sv_xfs_fork){.format = b[83],
		.extents = many ? sv_load_be32(b + 76) : sv_load_be16(b + 80),
		.at = core + offset,
		.size = offset ? s->inode - core - offset : 0};
	if (check_fork(&ret->data, 5, err) < 0)
		return -1;
	return offset ? check_fork(&ret->attr, 83, err) : 0;
}

int sv_xfs_parse_inode(const uint8_t *b, const struct sv_xfs_super *s, uint64_t ino,
	struct sv_xfs_inode *ret, struct sv_err *err)
{
	bool v3 = b[4] == 3;
	uint64_t flags2 = v3 ? sv_load_be64(b + 120) : 0;
	bool big = flags2 & FLAG2_BIGTIME;

	memcpy(ret->raw, b, s->inode);
	if (sv_load_be16(b) != MAGIC)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"inode %llu begins with %#x, expected %#x", (unsigned long long)ino,
			sv_load_be16(b), MAGIC);
	if (b[4] < 1 || b[4] > 3 || v3 != s->v5)
		return sv_fail_at(err, SV_CORRUPT, NULL, 4, "inode %llu has version %u",
			(unsigned long long)ino, b[4]);
	ret->ino = ino;
	ret->mode = sv_load_be16(b + 2);
	ret->links = b[4] == 1 ? sv_load_be16(b + 6) : sv_load_be32(b + 16);
	ret->uid = sv_load_be32(b + 8);
	ret->gid = sv_load_be32(b + 12);
	ret->atime = time_of(b + 32, big);
	ret->mtime = time_of(b + 40, big);
	ret->ctime = time_of(b + 48, big);
	ret->born = v3 ? time_of(b + 144, big) : (struct sv_fs_time){0};
	ret->size = sv_load_be64(b + 56);
	ret->blocks = sv_load_be64(b + 64);
	ret->realtime = sv_load_be16(b + 90) & FLAG_REALTIME && S_ISREG(ret->mode);
	ret->checksum_ok =
		!v3 || (sv_xfs_crc_ok(b, s->inode, CRC_AT) && sv_load_be64(b + 152) == ino);
	if (ret->size > INT64_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 56, "inode %llu has %llu bytes",
			(unsigned long long)ino, (unsigned long long)ret->size);
	return parse_forks(b, s, v3 ? CORE_V3 : CORE_V2, flags2 & FLAG2_NREXT64, ret, err);
}

/* ---- on a volume ---- */

bool sv_xfs_place(const struct sv_xfs *v, uint64_t fsblock, uint64_t blocks, uint64_t *ret)
{
	uint64_t ag = fsblock >> v->super.ag_log;
	uint64_t in = fsblock & ((UINT64_C(1) << v->super.ag_log) - 1), block;

	if (ag >= v->super.ags || !sv_in_range(in, blocks, v->super.ag_blocks))
		return false;
	block = ag * v->super.ag_blocks + in;
	if (!sv_in_range(block, blocks, v->super.blocks))
		return false;
	*ret = block << v->super.block_log;
	return true;
}

static int place_inode(const struct sv_xfs *v, uint64_t ino, uint64_t *ret, struct sv_err *err)
{
	unsigned low = v->super.per_block_log;
	uint64_t in = ino & ((UINT64_C(1) << low) - 1);

	if (!sv_xfs_place(v, ino >> low, 1, ret))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"there can be no inode %llu on this volume", (unsigned long long)ino);
	*ret += in << v->super.inode_log;
	return 0;
}

int sv_xfs_load(struct sv_xfs *v, uint64_t ino, struct sv_xfs_inode *ret, struct sv_err *err)
{
	uint8_t bytes[XFS_INODE_MAX];
	uint64_t at;

	if (place_inode(v, ino, &at, err) < 0 ||
		sv_dev_read(v->dev, bytes, v->super.inode, at, err) < 0)
		return -1;
	if (sv_xfs_parse_inode(bytes, &v->super, ino, ret, err) < 0) {
		sv_err_shift(err, at);
		return sv_err_path(err, sv_dev_name(v->dev));
	}
	if (ret->mode)
		return 0;
	return sv_fail_at(err, SV_NOTFOUND, sv_dev_name(v->dev), at, "inode %llu is not in use",
		(unsigned long long)ino);
}

int sv_xfs_check_inode(const struct sv_xfs *v, const struct sv_xfs_inode *i, struct sv_err *err)
{
	uint64_t at = 0;

	if (i->checksum_ok)
		return 0;
	if (place_inode(v, i->ino, &at, err) < 0)
		return -1;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
		"the checksum of inode %llu is wrong", (unsigned long long)i->ino);
}

enum sv_fs_type sv_xfs_type_of(uint16_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return SV_FS_FILE;
	case S_IFDIR:
		return SV_FS_DIR;
	case S_IFLNK:
		return SV_FS_SYMLINK;
	case S_IFCHR:
		return SV_FS_CHAR;
	case S_IFBLK:
		return SV_FS_BLOCK;
	case S_IFIFO:
		return SV_FS_FIFO;
	case S_IFSOCK:
		return SV_FS_SOCKET;
	default:
		return SV_FS_OTHER;
	}
}

void sv_xfs_describe(
	const struct sv_xfs *v, const struct sv_xfs_inode *i, struct sv_fs_stat *ret)
{
	uint32_t dev = i->data.format == XFS_FORK_DEV ? sv_load_be32(i->raw + i->data.at) : 0;

	*ret = (struct sv_fs_stat){.ino = i->ino,
		.type = sv_xfs_type_of(i->mode),
		.size = i->size,
		.allocated = i->blocks << v->super.block_log,
		.mtime = i->mtime,
		.atime = i->atime,
		.ctime = i->ctime,
		.born = i->born,
		.mode = i->mode & 07777,
		.owned = true,
		.uid = i->uid,
		.gid = i->gid,
		.nlink = i->links,
		.dev_major = dev >> 18,
		.dev_minor = dev & 0x3ffff};
	ret->sparse = ret->type == SV_FS_FILE && ret->allocated < ret->size;
}
