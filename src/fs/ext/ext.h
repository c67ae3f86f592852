/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading ext2, ext3 and ext4: what the files of this folder share. Private to the fs room.
 *
 * parse_* functions are pure: bytes in, host numbers out, offsets in errors relative to the
 * bytes; who loaded the bytes adds the volume's name and place. A volume whose journal is not
 * empty is read through a view that shows what the journal holds (journal.h); what is above it
 * need not know. What fast commits tell lies beside it (fast.h), and loading an inode, mapping
 * a block and listing a folder ask there.
 *
 * A wrong checksum never hides what can be read: an inode is still told and a folder listed,
 * with an error at the end; but the content of a file whose inode or extent block is wrong is
 * SV_CORRUPT, because it may be another file's.
 */
#ifndef SV_FS_EXT_H
#define SV_FS_EXT_H

#include "fs/driver.h"
#include "fs/ext/super.h"
#include "fs/unix_name.h"
#include "io/dev.h"

#include <string.h>

#define SV_EXT_TREE_DEPTH EXT_EXTENT_DEPTH

/* ---- inodes: inode.c ---- */

struct sv_ext_inode {
	uint64_t ino;
	uint16_t mode; /* with the type */
	uint32_t links, flags, uid, gid, project, generation;
	uint64_t size, allocated; /* bytes */
	struct sv_fs_time mtime, atime, ctime, born;
	uint64_t file_acl; /* block of extended attributes; 0 for none */
	uint8_t block[60];
	uint32_t body;    /* where extended attributes begin in the inode; its size for none */
	uint32_t seed;    /* of the checksums of what belongs to it */
	bool checksum_ok; /* true where there is none */
};

/* `bytes` are inode_size long. SV_CORRUPT where a field cannot be; free inodes parse, too. */
int sv_ext_parse_inode(const uint8_t *bytes, size_t n, const struct sv_ext_super *s,
	uint64_t ino, struct sv_ext_inode *ret, struct sv_err *err);

/* Puts the checksum into the bytes of an inode that were parsed and then changed. */
void sv_ext_seal_inode(
	uint8_t *bytes, const struct sv_ext_super *s, const struct sv_ext_inode *i);

/* Type and permissions as fs.h tells them. */
enum sv_fs_type sv_ext_type_of(uint16_t mode);
void sv_ext_describe(
	const struct sv_ext_inode *i, const struct sv_ext_super *s, struct sv_fs_stat *ret);

/* ---- where blocks lie: extents.c, indirect.c, map.c ---- */

#define SV_EXT_HOLE UINT64_MAX
/* `len` blocks of a file from `lblk` on lie at `pblk`, or read as zeros. */
struct sv_ext_run {
	uint64_t lblk, len, pblk;
};

/* Pure: a node of an extent tree of n bytes, which must have this depth (the root: any, up to
 * SV_EXT_TREE_DEPTH). Its entries are in order and do not overlap. */
struct sv_ext_node {
	const uint8_t *bytes;
	unsigned depth, entries;
};
int sv_ext_parse_node(
	const uint8_t *bytes, size_t n, int depth, struct sv_ext_node *ret, struct sv_err *err);
/* Pure: of a leaf, the run that holds lblk, up to `end` (a hole where none does); of an inner
 * node its child, with the end of what that covers: a hole run where there is no child. */
struct sv_ext_run sv_ext_leaf_at(const struct sv_ext_node *node, uint64_t lblk, uint64_t end);
struct sv_ext_run sv_ext_child_at(const struct sv_ext_node *node, uint64_t lblk, uint64_t end);

/* The blocks of one file. Nodes on the way to the last one asked for are kept. */
struct sv_ext_map {
	struct sv_ext_inode inode;
	struct {
		uint64_t pblk; /* 0: nothing is held */
		uint8_t *bytes;
	} held[SV_EXT_TREE_DEPTH];
};

struct sv_ext_fast;
struct sv_ext;

void sv_ext_map_free(struct sv_ext_map *m);
/* The run that begins at lblk. SV_CORRUPT where a block does not lie on the volume. */
int sv_ext_map_at(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk, struct sv_ext_run *ret,
	struct sv_err *err);
/* The parts of it: for files with extents, and with block numbers. */
int sv_ext_extents_at(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk,
	struct sv_ext_run *ret, struct sv_err *err);
int sv_ext_indirect_at(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk,
	struct sv_ext_run *ret, struct sv_err *err);
/* Loads a block of metadata into m->held[level] where it is not there yet; *ret_fresh tells. */
int sv_ext_map_hold(struct sv_ext *v, struct sv_ext_map *m, unsigned level, uint64_t pblk,
	bool *ret_fresh, struct sv_err *err);

/* ---- an open volume ---- */

struct sv_ext {
	struct sv_fs fs;
	struct sv_dev *dev; /* a cache above the volume, or above its journal's view */
	struct sv_ext_super super;
	bool recovering; /* its journal was not empty */
	char warning[256];
	struct sv_ext_fast *fast; /* NULL: no fast commits */
	uint8_t *raw;             /* the inode that was loaded last */
	uint64_t raw_ino;
	struct sv_ext_group group; /* the descriptor that was parsed last */
	uint32_t group_number;
	bool group_valid;
	/* the file that was read last, kept open for reads that go on where one ended */
	struct sv_ext_map last;
	uint8_t *last_inline; /* its content where that lies in the inode */
	size_t last_inline_n;
	bool last_valid;
};

static inline struct sv_ext *sv_ext_of(struct sv_fs *fs)
{
	return (struct sv_ext *)fs;
}

/* The descriptor of a group; where it is damaged, its copy if that is whole. */
int sv_ext_load_group(
	struct sv_ext *v, uint32_t group, const struct sv_ext_group **ret, struct sv_err *err);
/* The inode, and its bytes in v->raw until the next is loaded. SV_CORRUPT for a number that no
 * inode has. */
int sv_ext_load(struct sv_ext *v, uint64_t ino, struct sv_ext_inode *ret, struct sv_err *err);
/* The same, of an object that must exist. */
int sv_ext_load_used(
	struct sv_ext *v, uint64_t ino, struct sv_ext_inode *ret, struct sv_err *err);
/* Gives an error that a pure function raised about bytes `delta` into an inode its place. */
int sv_ext_blame(struct sv_ext *v, uint64_t ino, uint64_t delta, struct sv_err *err);
/* Raises SV_CORRUPT where its checksum is wrong. */
int sv_ext_check_inode(struct sv_ext *v, const struct sv_ext_inode *i, struct sv_err *err);

/* ---- content: data.c ---- */

/* Reads from a map: up to n bytes at off within the inode's size. */
int sv_ext_map_read(struct sv_ext *v, struct sv_ext_map *m, void *buf, size_t n, uint64_t off,
	size_t *ret_got, struct sv_err *err);
/* Data that lie in the inode: i_block and the attribute "system.data". Caller frees. *ret_n is
 * less than the inode's size where the rest of it is a hole. */
void *sv_ext_inline_data(
	struct sv_ext *v, const struct sv_ext_inode *i, size_t *ret_n, struct sv_err *err);

/* ---- folders: entry.c, dir.c ---- */

struct sv_ext_entry {
	uint64_t ino; /* 0: free */
	const uint8_t *name;
	unsigned name_len;
	uint8_t type; /* 0 where it is not told */
	size_t next;  /* where the entry after it begins */
};
/* Pure: the entry at `at` of a block of n bytes. */
int sv_ext_parse_entry(const uint8_t *block, size_t n, size_t at, bool has_type,
	struct sv_ext_entry *ret, struct sv_err *err);
/* Pure: does the checksum of a folder's block hold? True where it has none. */
bool sv_ext_dir_checksum_ok(const uint8_t *block, size_t n, uint32_t seed, bool first);

/* A name that only its key would show, as fscrypt names it: letters for its bytes. */
void sv_ext_name_encrypted(const uint8_t *name, unsigned len, char ret[SV_FS_UNIX_NAME]);

/* Each entry of a folder but "." and ".."; a non-zero return of fn ends it and is returned.
 * Damage is passed over and raised at the end. */
typedef int (*sv_ext_entry_fn)(void *user, const struct sv_ext_entry *e);
int sv_ext_each_entry(struct sv_ext *v, const struct sv_ext_inode *dir, sv_ext_entry_fn fn,
	void *user, struct sv_err *err);

/* ---- extended attributes: xattr.c, acl.c ---- */

struct sv_ext_xattr {
	uint8_t index; /* of the name's prefix */
	const uint8_t *name;
	unsigned name_len;
	const uint8_t *value; /* NULL where it lies in an inode of its own */
	uint32_t size;
	uint64_t value_ino;
};
/* Pure: the entry at *at of an area whose values count from `base`; 1 for one, 0 at the end,
 * -1 where it is wrong. */
int sv_ext_next_xattr(const uint8_t *area, size_t n, size_t base, size_t *at,
	struct sv_ext_xattr *ret, struct sv_err *err);
/* Pure: an ACL as it lies on the disk, as getxattr(2) gives it. Caller frees. */
void *sv_ext_acl(const uint8_t *bytes, size_t n, size_t *ret_n, struct sv_err *err);

/* ---- the driver's calls ---- */

int sv_ext_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err);
int sv_ext_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err);
int sv_ext_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err);
int sv_ext_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err);
int sv_ext_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);
int sv_ext_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err);
char *sv_ext_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err);
int sv_ext_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err);
int sv_ext_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err);

#endif
