/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading btrfs: what the files of this folder share. Private to the fs room.
 *
 * parse_* functions are pure: bytes in, host numbers out, offsets in errors relative to the
 * bytes. Every node and every sector of data is checked against its checksum, and its other
 * copies are tried where it is wrong. Addresses are logical: chunks tell on which devices and
 * where there the copies of a range lie.
 *
 * Objects are numbered by subvolume and inode (inode numbers are unique in a subvolume only):
 * 22 bits of the subvolume's id, 42 of the inode. The top-level subvolume (id 5) counts as 0,
 * so that its inodes have the guest's own numbers. What stands in a snapshot for a subvolume
 * that it does not hold is an empty folder, whose inode is BTRFS_EMPTY and that one's id.
 */
#ifndef SV_FS_BTRFS_BTRFS_H
#define SV_FS_BTRFS_BTRFS_H

#include "fs/btrfs/super.h"
#include "fs/driver.h"
#include "fs/unix_name.h"

#define BTRFS_LEVELS         8u
#define BTRFS_NAME_MAX       255u
#define BTRFS_EXTENT_PACKED  (128u << 10) /* of compressed data, packed and unpacked */

#define BTRFS_INO_BITS       42u
#define BTRFS_EMPTY          (UINT64_C(1) << (BTRFS_INO_BITS - 1))
#define BTRFS_SUBVOLUMES_END (UINT64_C(1) << (64 - BTRFS_INO_BITS))

/* trees */
#define BTRFS_ROOT_TREE       1u
#define BTRFS_CHUNK_TREE      3u
#define BTRFS_FS_TREE         5u
#define BTRFS_ROOT_DIR        6u
#define BTRFS_SUM_TREE        7u
#define BTRFS_FIRST_SUBVOLUME 256u
#define BTRFS_LAST_SUBVOLUME  (UINT64_MAX - 255)
/* objects */
#define BTRFS_SUMS        (UINT64_MAX - 9)
#define BTRFS_FIRST_INODE 256u

enum {
	BTRFS_INODE_ITEM = 1,
	BTRFS_INODE_REF = 12,
	BTRFS_INODE_EXTREF = 13,
	BTRFS_XATTR_ITEM = 24,
	BTRFS_DIR_ITEM = 84,
	BTRFS_DIR_INDEX = 96,
	BTRFS_EXTENT_DATA = 108,
	BTRFS_SUM_ITEM = 128,
	BTRFS_ROOT_ITEM = 132,
	BTRFS_ROOT_BACKREF = 144,
	BTRFS_ROOT_REF = 156,
	BTRFS_CHUNK_ITEM = 228,
};

struct sv_btrfs_key {
	uint64_t objectid;
	uint8_t type;
	uint64_t offset;
};
#define BTRFS_KEY_SIZE 17u
void sv_btrfs_parse_key(const uint8_t b[BTRFS_KEY_SIZE], struct sv_btrfs_key *ret);
int sv_btrfs_key_cmp(const struct sv_btrfs_key *a, const struct sv_btrfs_key *b);

/* ---- chunk.c: from logical addresses to devices ---- */

#define BTRFS_DATA    0x1u
#define BTRFS_RAID0   0x8u
#define BTRFS_RAID1   0x10u
#define BTRFS_DUP     0x20u
#define BTRFS_RAID10  0x40u
#define BTRFS_RAID5   0x80u
#define BTRFS_RAID6   0x100u
#define BTRFS_RAID1C3 0x200u
#define BTRFS_RAID1C4 0x400u

struct sv_btrfs_stripe {
	uint64_t devid, at;
};
struct sv_btrfs_chunk {
	uint64_t start, length, type, stripe_len;
	unsigned stripes, sub;
	size_t first; /* in sv_btrfs_chunks.stripes */
};
struct sv_btrfs_chunks {
	struct sv_btrfs_chunk *c; /* by start; they do not overlap */
	size_t n, cap;
	struct sv_btrfs_stripe *stripes;
	size_t n_stripes, cap_stripes;
};
/* Pure but for its growing: adds the chunk that `b` describes; one that is there already is
 * passed over. *ret_size: its bytes. */
int sv_btrfs_add_chunk(struct sv_btrfs_chunks *t, uint64_t start, const uint8_t *b, size_t n,
	size_t *ret_size, struct sv_err *err);
void sv_btrfs_chunks_free(struct sv_btrfs_chunks *t);

struct sv_btrfs_piece { /* one copy of a range */
	uint64_t devid, at;
	uint64_t len; /* from there on in a row */
};
/* NULL where no chunk holds the address. */
const struct sv_btrfs_chunk *sv_btrfs_find_chunk(
	const struct sv_btrfs_chunks *t, uint64_t logical);
/* How many copies it keeps; of RAID 5 and 6 that is one. */
unsigned sv_btrfs_copies(const struct sv_btrfs_chunk *c);
/* Of how many bytes on devices one byte makes: a fraction. */
void sv_btrfs_cost(const struct sv_btrfs_chunk *c, unsigned *ret_raw, unsigned *ret_net);
void sv_btrfs_place(const struct sv_btrfs_chunks *t, const struct sv_btrfs_chunk *c,
	uint64_t logical, unsigned copy, struct sv_btrfs_piece *ret);
/* Of RAID 5 and 6: what stripe number `stripe` has in the row of the address, at the same
 * place; false where that is the second parity. */
bool sv_btrfs_place_in_row(const struct sv_btrfs_chunks *t, const struct sv_btrfs_chunk *c,
	uint64_t logical, unsigned stripe, struct sv_btrfs_piece *ret);

/* ---- the file system ---- */

struct sv_btrfs_device {
	uint64_t devid;
	struct sv_dev *dev; /* ref'ed */
};

struct sv_btrfs_node {
	uint64_t logical;
	struct sv_btrfs_node *next; /* of those with the same hash */
	unsigned users;
	bool fresh; /* used since the clock's hand passed */
	unsigned level, n;
	uint64_t generation;
	uint8_t bytes[];
};

#define BTRFS_NODE_BUCKETS 512u
#define BTRFS_NODES_BYTES  (8u << 20)

struct sv_btrfs_nodes {
	struct sv_btrfs_node *bucket[BTRFS_NODE_BUCKETS];
	struct sv_btrfs_node **all;
	size_t n, cap, hand;
};

/* A tree's root. */
struct sv_btrfs_root {
	uint64_t id, logical, generation;
	uint8_t level;
	uint64_t dir; /* of a subvolume: inode of its folder */
};

enum { BTRFS_EXTENT_INLINE, BTRFS_EXTENT_REGULAR, BTRFS_EXTENT_PREALLOCATED };
enum { BTRFS_PLAIN, BTRFS_ZLIB, BTRFS_LZO, BTRFS_ZSTD };

/* A piece of a file. */
struct sv_btrfs_extent {
	uint64_t off, len; /* in the file */
	unsigned kind;
	unsigned packing;
	uint64_t unpacked;     /* bytes of the whole extent */
	uint64_t disk, packed; /* logical address, 0 for a hole, and bytes there */
	uint64_t skip;         /* where the piece begins in the unpacked extent */
	const uint8_t *inline_data;
	size_t inline_size;
	uint64_t inline_at; /* logical address */
};

struct sv_btrfs_inode {
	uint64_t subvolume, objectid;
	uint64_t ino; /* both */
	uint32_t mode, uid, gid, links;
	uint64_t size, bytes, rdev, flags;
	struct sv_fs_time mtime, atime, ctime, born;
};
#define BTRFS_INODE_NODATASUM 0x1u
#define BTRFS_INODE_COMPRESS  0x800u
#define BTRFS_INODE_SIZE      160u

struct sv_btrfs_unpack;

struct sv_btrfs {
	struct sv_fs fs;
	struct sv_btrfs_super super;
	struct sv_btrfs_device *devices; /* that are there; the volume is the first */
	size_t n_devices;
	struct sv_btrfs_chunks chunks;
	struct sv_btrfs_nodes nodes;
	struct sv_btrfs_root tree_root, sums;
	struct sv_btrfs_root last_root; /* the subvolume that was asked for last */
	uint64_t default_subvolume;
	char warning[200];
	struct sv_btrfs_inode last; /* the file that was read last */
	bool last_valid;
	struct sv_btrfs_unpack *unpack; /* made when it is needed */
	uint8_t *extent;                /* the extent that was unpacked last */
	uint64_t extent_at, extent_unpacked;
	bool extent_valid;
};

static inline struct sv_btrfs *sv_btrfs_of(struct sv_fs *fs)
{
	return (struct sv_btrfs *)fs;
}

/* ---- device.c ---- */

/* How many copies of the range there may be to try: numbers for sv_btrfs_read_copy(). */
unsigned sv_btrfs_copies_of(const struct sv_btrfs *v, uint64_t logical);
/* Bytes at a logical address, of the copy-th of the copies whose devices are there. */
int sv_btrfs_read_copy(struct sv_btrfs *v, uint64_t logical, void *buf, size_t n, unsigned copy,
	struct sv_err *err);
/* Where they begin on a device that is there (of RAID 5 and 6 on any); false where none is. */
bool sv_btrfs_where(const struct sv_btrfs *v, uint64_t logical, struct sv_btrfs_piece *ret);
/* Reads the best superblock of a device. */
int sv_btrfs_read_super(
	struct sv_dev *dev, struct sv_btrfs_super *ret, bool *ret_primary, struct sv_err *err);

/* ---- node.c ---- */

/* Pure: the head, and that keys and places of items are in order. */
int sv_btrfs_parse_node(
	const uint8_t *b, size_t n, unsigned *ret_level, unsigned *ret_n, struct sv_err *err);
struct sv_btrfs_expected {
	uint64_t logical, generation;
	unsigned level;
	const struct sv_btrfs_key *first; /* NULL: any */
};
/* From the cache, else read and checked. To be given back. */
int sv_btrfs_node_get(struct sv_btrfs *v, const struct sv_btrfs_expected *x,
	struct sv_btrfs_node **ret, struct sv_err *err);
void sv_btrfs_node_put(struct sv_btrfs_node *n);
void sv_btrfs_nodes_free(struct sv_btrfs_nodes *t);
void sv_btrfs_node_key(const struct sv_btrfs_node *n, unsigned slot, struct sv_btrfs_key *ret);

/* ---- tree.c ---- */

/* A place in a tree. The key and the bytes are valid until it moves. */
struct sv_btrfs_cursor {
	struct sv_btrfs *v;
	struct sv_btrfs_node *nodes[BTRFS_LEVELS];
	unsigned slots[BTRFS_LEVELS];
	unsigned top;
	struct sv_btrfs_key key;
	const uint8_t *data;
	size_t size;
};
/* To the first item that is not before the key: 1, or 0 where there is none. */
int sv_btrfs_seek(struct sv_btrfs *v, const struct sv_btrfs_root *root,
	const struct sv_btrfs_key *key, struct sv_btrfs_cursor *c, struct sv_err *err);
/* To the last item that is not behind the key, or to the first one: 1, or 0 in an empty tree.
 */
int sv_btrfs_seek_before(struct sv_btrfs *v, const struct sv_btrfs_root *root,
	const struct sv_btrfs_key *key, struct sv_btrfs_cursor *c, struct sv_err *err);
/* To the item behind. Where a node cannot be read -1; another call goes on behind it. */
int sv_btrfs_next(struct sv_btrfs_cursor *c, struct sv_err *err);
/* To exactly this key: 1 or 0. */
int sv_btrfs_find(struct sv_btrfs *v, const struct sv_btrfs_root *root,
	const struct sv_btrfs_key *key, struct sv_btrfs_cursor *c, struct sv_err *err);
void sv_btrfs_cursor_end(struct sv_btrfs_cursor *c);
/* The logical address of the item at hand, for messages. */
uint64_t sv_btrfs_cursor_at(const struct sv_btrfs_cursor *c);
#define SV_BTRFS_CURSOR SV_CLEANUP(sv_btrfs_cursor_end) struct sv_btrfs_cursor

/* ---- root.c ---- */

int sv_btrfs_parse_root(
	const uint8_t *b, size_t n, struct sv_btrfs_root *ret, struct sv_err *err);
/* A tree by its id. SV_NOTFOUND. */
int sv_btrfs_root_of(
	struct sv_btrfs *v, uint64_t id, struct sv_btrfs_root *ret, struct sv_err *err);
/* Reads which subvolume is mounted where none is named. */
int sv_btrfs_find_default(struct sv_btrfs *v, struct sv_err *err);
/* Is the subvolume `child` mounted by the name at this place? A snapshot keeps the names of
 * subvolumes that it does not hold. */
int sv_btrfs_is_child(struct sv_btrfs *v, uint64_t parent, uint64_t dir, uint64_t child,
	const uint8_t *name, unsigned name_len, bool *ret, struct sv_err *err);
char *sv_btrfs_subvolume(struct sv_fs *fs, uint64_t id, struct sv_err *err);

/* ---- inode.c ---- */

int sv_btrfs_parse_inode(
	const uint8_t *b, size_t n, struct sv_btrfs_inode *ret, struct sv_err *err);
/* The number of an object; false where it is too large for one. */
bool sv_btrfs_number(uint64_t subvolume, uint64_t objectid, uint64_t *ret);
void sv_btrfs_split(uint64_t ino, uint64_t *ret_subvolume, uint64_t *ret_objectid);
enum sv_fs_type sv_btrfs_type_of(uint32_t mode);
/* SV_NOTFOUND for one that is not in use. `ret_root`: its subvolume's tree. */
int sv_btrfs_load(struct sv_btrfs *v, uint64_t ino, struct sv_btrfs_inode *ret,
	struct sv_btrfs_root *ret_root, struct sv_err *err);
void sv_btrfs_describe(const struct sv_btrfs_inode *i, struct sv_fs_stat *ret);

/* ---- dir.c ---- */

struct sv_btrfs_entry {
	struct sv_btrfs_key target;
	const uint8_t *name, *value;
	unsigned name_len, value_len;
	uint8_t type;
};
/* Pure: the entry at *at of an item (DIR_ITEM, DIR_INDEX, XATTR_ITEM); *at moves behind it. */
int sv_btrfs_parse_entry(
	const uint8_t *b, size_t n, size_t *at, struct sv_btrfs_entry *ret, struct sv_err *err);
uint32_t sv_btrfs_name_hash(const void *name, size_t n);
int sv_btrfs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err);
int sv_btrfs_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err);

/* ---- extent.c ---- */

/* Pure: an EXTENT_DATA item; inline data point into it. */
int sv_btrfs_parse_extent(const uint8_t *b, size_t n, const struct sv_btrfs_super *s,
	uint64_t off, struct sv_btrfs_extent *ret, struct sv_err *err);
/* The pieces of a file from `off` on, in order, until fn returns non-zero. Holes are not
 * told. */
typedef int (*sv_btrfs_extent_fn)(
	void *user, const struct sv_btrfs_extent *e, struct sv_err *err);
int sv_btrfs_each_extent(struct sv_btrfs *v, const struct sv_btrfs_inode *i, uint64_t off,
	sv_btrfs_extent_fn fn, void *user, struct sv_err *err);
int sv_btrfs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err);

/* ---- data.c, sums.c, unpack.c, attr.c, walk.c ---- */

int sv_btrfs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);
char *sv_btrfs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err);

/* Whole sectors of data, checked where `summed`; other copies are tried. *ret_good: how many
 * bytes there are before the first that cannot be read; n where all can. */
int sv_btrfs_read_data(struct sv_btrfs *v, uint64_t logical, uint8_t *buf, size_t n,
	bool summed, size_t *ret_good, struct sv_err *err);

/* Pure but for the decompressors' memory, which *u keeps. What was packed short reads as
 * zeros; at most n bytes come out. */
int sv_btrfs_unpack(struct sv_btrfs_unpack **u, unsigned packing, uint32_t sector,
	const uint8_t *packed, size_t packed_n, uint8_t *ret, size_t n, struct sv_err *err);
void sv_btrfs_unpack_free(struct sv_btrfs_unpack *u);

int sv_btrfs_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err);
int sv_btrfs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err);

#endif
