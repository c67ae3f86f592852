/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inodes of btrfs: an item in the tree of their subvolume. */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <sys/stat.h>

/* ---- numbers ---- */

bool sv_btrfs_number(uint64_t subvolume, uint64_t objectid, uint64_t *ret)
{
	uint64_t high = subvolume == BTRFS_FS_TREE ? 0 : subvolume;

	if (high >= BTRFS_SUBVOLUMES_END || objectid >> BTRFS_INO_BITS)
		return false;
	*ret = high << BTRFS_INO_BITS | objectid;
	return true;
}

void sv_btrfs_split(uint64_t ino, uint64_t *ret_subvolume, uint64_t *ret_objectid)
{
	*ret_subvolume = ino >> BTRFS_INO_BITS;
	if (!*ret_subvolume)
		*ret_subvolume = BTRFS_FS_TREE;
	*ret_objectid = ino & ((UINT64_C(1) << BTRFS_INO_BITS) - 1);
}

/* ---- parsing ---- */

static struct sv_fs_time time_of(const uint8_t *b)
{
	return (struct sv_fs_time){
		(int64_t)sv_load_le64(b), SV_MIN(sv_load_le32(b + 8), UINT32_C(999999999))};
}

int sv_btrfs_parse_inode(
	const uint8_t *b, size_t n, struct sv_btrfs_inode *ret, struct sv_err *err)
{
	if (n < BTRFS_INODE_SIZE)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"an inode of %zu bytes, expected %u", n, BTRFS_INODE_SIZE);
	*ret = (struct sv_btrfs_inode){.size = sv_load_le64(b + 16),
		.bytes = sv_load_le64(b + 24),
		.links = sv_load_le32(b + 40),
		.uid = sv_load_le32(b + 44),
		.gid = sv_load_le32(b + 48),
		.mode = sv_load_le32(b + 52),
		.rdev = sv_load_le64(b + 56),
		.flags = sv_load_le64(b + 64),
		.atime = time_of(b + 112),
		.ctime = time_of(b + 124),
		.mtime = time_of(b + 136),
		.born = time_of(b + 148)};
	if (ret->size > INT64_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 16, "an inode of %llu bytes",
			(unsigned long long)ret->size);
	return 0;
}

/* ---- on a volume ---- */

/* What stands in a snapshot for a subvolume that it does not hold. */
static void empty_folder(uint64_t ino, uint64_t objectid, struct sv_btrfs_inode *ret)
{
	*ret = (struct sv_btrfs_inode){
		.ino = ino, .objectid = objectid, .mode = S_IFDIR | 0755, .links = 1};
}

int sv_btrfs_load(struct sv_btrfs *v, uint64_t ino, struct sv_btrfs_inode *ret,
	struct sv_btrfs_root *ret_root, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	uint64_t subvolume, objectid;
	struct sv_btrfs_key key;
	int rc;

	sv_btrfs_split(ino, &subvolume, &objectid);
	if (sv_btrfs_root_of(v, subvolume, ret_root, err) < 0)
		return -1;
	if (objectid & BTRFS_EMPTY) {
		empty_folder(ino, objectid, ret);
		ret->subvolume = subvolume;
		return 0;
	}
	key = (struct sv_btrfs_key){objectid, BTRFS_INODE_ITEM, 0};
	rc = sv_btrfs_find(v, ret_root, &key, &c, err);
	if (rc < 0)
		return -1;
	if (!rc)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->fs.volume),
			"there is no inode %llu in subvolume %llu",
			(unsigned long long)objectid, (unsigned long long)subvolume);
	if (sv_btrfs_parse_inode(c.data, c.size, ret, err) < 0)
		return sv_err_path(err, sv_dev_name(v->fs.volume));
	ret->subvolume = subvolume;
	ret->objectid = objectid;
	ret->ino = ino;
	return 0;
}

enum sv_fs_type sv_btrfs_type_of(uint32_t mode)
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

void sv_btrfs_describe(const struct sv_btrfs_inode *i, struct sv_fs_stat *ret)
{
	*ret = (struct sv_fs_stat){.ino = i->ino,
		.type = sv_btrfs_type_of(i->mode),
		.size = i->size,
		.allocated = i->bytes,
		.mtime = i->mtime,
		.atime = i->atime,
		.ctime = i->ctime,
		.born = i->born,
		.mode = i->mode & 07777,
		.owned = true,
		.uid = i->uid,
		.gid = i->gid,
		.nlink = i->links};
	if (ret->type == SV_FS_CHAR || ret->type == SV_FS_BLOCK) {
		ret->dev_major = (uint32_t)(i->rdev >> 20);
		ret->dev_minor = i->rdev & 0xfffff;
	}
	ret->compressed = ret->type == SV_FS_FILE && i->flags & BTRFS_INODE_COMPRESS;
	ret->sparse = ret->type == SV_FS_FILE && i->bytes < i->size && !ret->compressed;
}
