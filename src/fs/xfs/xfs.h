/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading XFS, versions 4 and 5: what the files of this folder share. Private to the fs room.
 *
 * parse_* functions are pure: bytes in, host numbers out, offsets in errors relative to the
 * bytes. A wrong checksum of a block is told when what can be read of it was told; the content
 * of a file whose inode or extent block is wrong is SV_CORRUPT, because it may be another
 * file's. A log that is not empty is stated in the info: what changed last is not shown.
 */
#ifndef SV_FS_XFS_XFS_H
#define SV_FS_XFS_XFS_H

#include "fs/driver.h"
#include "fs/unix_name.h"
#include "fs/xfs/super.h"

#define XFS_TREE_DEPTH 9
#define XFS_INODE_MAX  2048
#define XFS_HOLE       UINT64_MAX
#define XFS_NAME_MAX   255

enum { XFS_FORK_DEV, XFS_FORK_LOCAL, XFS_FORK_EXTENTS, XFS_FORK_BTREE };

/* One of an inode's two forks: data, and extended attributes. */
struct sv_xfs_fork {
	unsigned format;
	uint64_t extents;  /* how many, where format is EXTENTS */
	uint32_t at, size; /* where its bytes lie in the inode */
};

struct sv_xfs_inode {
	uint64_t ino;
	uint16_t mode;
	uint32_t uid, gid, links;
	uint64_t size, blocks;
	struct sv_fs_time mtime, atime, ctime, born;
	bool realtime;                 /* its data lie on another device */
	struct sv_xfs_fork data, attr; /* attr.size 0: it has none */
	bool checksum_ok;
	uint8_t raw[XFS_INODE_MAX];
};

int sv_xfs_parse_inode(const uint8_t *bytes, const struct sv_xfs_super *s, uint64_t ino,
	struct sv_xfs_inode *ret, struct sv_err *err);

struct sv_xfs {
	struct sv_fs fs;
	struct sv_dev *dev; /* a cache above the volume */
	struct sv_xfs_super super;
	bool log_dirty;
	char warning[200];
	struct sv_xfs_inode last; /* the file that was read last */
	bool last_valid;
};

static inline struct sv_xfs *sv_xfs_of(struct sv_fs *fs)
{
	return (struct sv_xfs *)fs;
}

/* ---- inode.c ---- */

enum sv_fs_type sv_xfs_type_of(uint16_t mode);
/* SV_CORRUPT for a number that no inode has, SV_NOTFOUND for one that is not in use. */
int sv_xfs_load(struct sv_xfs *v, uint64_t ino, struct sv_xfs_inode *ret, struct sv_err *err);
/* Raises SV_CORRUPT where its checksum is wrong. */
int sv_xfs_check_inode(
	const struct sv_xfs *v, const struct sv_xfs_inode *i, struct sv_err *err);
void sv_xfs_describe(
	const struct sv_xfs *v, const struct sv_xfs_inode *i, struct sv_fs_stat *ret);
/* Bytes on the volume of a block number (group in its upper bits); false where it lies
 * outside. */
bool sv_xfs_place(const struct sv_xfs *v, uint64_t fsblock, uint64_t blocks, uint64_t *ret);

/* ---- map.c ---- */

/* `len` blocks of a fork from `lblk` on lie at byte `at`, XFS_HOLE where they read as zeros. */
struct sv_xfs_run {
	uint64_t lblk, len, at;
	bool unwritten; /* allocated, but reads as zeros */
};
/* Pure: one record of 16 bytes. */
struct sv_xfs_extent {
	uint64_t lblk, fsblock, len;
	bool unwritten;
};
void sv_xfs_parse_extent(const uint8_t bytes[16], struct sv_xfs_extent *ret);

/* The run that holds lblk, from there on, up to `end`: a hole reaches to the next extent. */
int sv_xfs_map(struct sv_xfs *v, const struct sv_xfs_inode *i, const struct sv_xfs_fork *f,
	uint64_t lblk, uint64_t end, struct sv_xfs_run *ret, struct sv_err *err);
/* One block of a fork. SV_CORRUPT for a hole. `blocks` of them in a row. */
int sv_xfs_read_fork(struct sv_xfs *v, const struct sv_xfs_inode *i,
	const struct sv_xfs_fork *f, uint64_t lblk, void *buf, size_t n, uint64_t *ret_at,
	struct sv_err *err);

/* ---- dir.c ---- */

struct sv_xfs_entry {
	uint64_t ino;
	const uint8_t *name;
	unsigned name_len;
	uint8_t type; /* 0 where it is not told */
};
typedef int (*sv_xfs_entry_fn)(void *user, const struct sv_xfs_entry *e);
/* Pure: a folder in its inode. */
int sv_xfs_each_short(const uint8_t *bytes, size_t n, bool ftype, sv_xfs_entry_fn fn,
	void *user, struct sv_err *err);
/* Pure: a data block of a folder. */
int sv_xfs_each_in_block(const uint8_t *bytes, size_t n, bool ftype, sv_xfs_entry_fn fn,
	void *user, struct sv_err *err);
/* Every entry but "." and "..". Damage is raised at the end. */
int sv_xfs_each_entry(struct sv_xfs *v, const struct sv_xfs_inode *dir, sv_xfs_entry_fn fn,
	void *user, struct sv_err *err);

int sv_xfs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err);
int sv_xfs_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err);

/* ---- data.c, attr.c, walk.c, log.c ---- */

int sv_xfs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);
int sv_xfs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err);
char *sv_xfs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err);
int sv_xfs_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err);
int sv_xfs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err);
/* Was the volume unmounted? The last record of the log tells. */
int sv_xfs_log_state(struct sv_xfs *v, bool *ret_dirty, struct sv_err *err);

#endif
