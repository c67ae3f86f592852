/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ext2, ext3 and ext4 as they lie on the disk. Sources: Linux, Documentation/filesystems/ext4
 * (the data structures, field by field) and the layout tables of e2fsprogs' own documentation.
 * All numbers are little endian; the journal's, in journal.h, are big endian.
 */
#ifndef SV_FS_EXT_DISK_H
#define SV_FS_EXT_DISK_H

#include "base/endian.h"

#include <assert.h>
#include <stddef.h>

#define EXT_SUPER_OFFSET 1024u
#define EXT_SUPER_SIZE   1024u
#define EXT_MAGIC        0xef53u
#define EXT_ROOT_INO     2u
#define EXT_RESIZE_INO   7u
#define EXT_JOURNAL_INO  8u
#define EXT_OLD_INODE    128u /* the part of an inode that every generation has */

struct ext_super {
	sv_le32 inodes;
	sv_le32 blocks_lo, reserved_lo, free_lo;
	sv_le32 free_inodes;
	sv_le32 first_data_block;
	sv_le32 log_block_size, log_cluster_size;
	sv_le32 blocks_per_group, clusters_per_group, inodes_per_group;
	sv_le32 mounted_at, written_at;
	sv_le16 mounts, max_mounts;
	sv_le16 magic, state, on_errors, minor_revision;
	sv_le32 checked_at, check_interval;
	sv_le32 creator_os, revision;
	sv_le16 reserved_uid, reserved_gid;
	/* revision 1 and later */
	sv_le32 first_ino;
	sv_le16 inode_size, group;
	sv_le32 compat, incompat, ro_compat;
	uint8_t uuid[16];
	char label[16];
	char last_mounted[64];
	sv_le32 compression;
	uint8_t prealloc, prealloc_dir;
	sv_le16 reserved_gdt_blocks;
	uint8_t journal_uuid[16];
	sv_le32 journal_ino, journal_dev, last_orphan;
	sv_le32 hash_seed[4];
	uint8_t hash_version, journal_backup_type;
	sv_le16 desc_size;
	sv_le32 mount_options, first_meta_bg, made_at;
	sv_le32 journal_blocks[17]; /* the journal inode's i_block, then its size */
	sv_le32 blocks_hi, reserved_hi, free_hi;
	sv_le16 min_extra_isize, want_extra_isize;
	sv_le32 flags;
	sv_le16 raid_stride, mmp_interval;
	sv_le64 mmp_block;
	sv_le32 raid_stripe;
	uint8_t log_groups_per_flex, checksum_type, encryption_level, pad;
	sv_le64 kbytes_written;
	uint8_t snapshots[20];
	sv_le32 error_count;
	uint8_t errors[0x240 - 0x198];
	sv_le32 user_quota_ino, group_quota_ino, overhead;
	sv_le32 backup_groups[2];
	uint8_t encryption[20];
	sv_le32 lost_found_ino, project_quota_ino, checksum_seed;
	uint8_t times_hi[8];
	sv_le16 encoding, encoding_flags;
	sv_le32 orphan_file_ino;
	uint8_t unused[0x3fc - 0x284];
	sv_le32 checksum;
};
static_assert(sizeof(struct ext_super) == EXT_SUPER_SIZE, "a superblock has 1024 bytes");
static_assert(offsetof(struct ext_super, magic) == 0x38, "magic");
static_assert(offsetof(struct ext_super, compat) == 0x5c, "features");
static_assert(offsetof(struct ext_super, journal_uuid) == 0xd0, "journal");
static_assert(offsetof(struct ext_super, desc_size) == 0xfe, "descriptor size");
static_assert(offsetof(struct ext_super, journal_blocks) == 0x10c, "journal backup");
static_assert(offsetof(struct ext_super, blocks_hi) == 0x150, "high halves");
static_assert(offsetof(struct ext_super, log_groups_per_flex) == 0x174, "flex groups");
static_assert(offsetof(struct ext_super, error_count) == 0x194, "errors");
static_assert(offsetof(struct ext_super, user_quota_ino) == 0x240, "quota");
static_assert(offsetof(struct ext_super, checksum_seed) == 0x270, "checksum seed");
static_assert(offsetof(struct ext_super, orphan_file_ino) == 0x280, "orphan file");

enum { EXT_STATE_VALID = 1, EXT_STATE_ERRORS = 2 };

enum {
	EXT_COMPAT_JOURNAL = 0x0004,
	EXT_COMPAT_RESIZE_INODE = 0x0010,
	EXT_COMPAT_SPARSE_SUPER2 = 0x0200,
	EXT_COMPAT_FAST_COMMIT = 0x0400,

	EXT_INCOMPAT_COMPRESSION = 0x0001,
	EXT_INCOMPAT_FILETYPE = 0x0002,
	EXT_INCOMPAT_RECOVER = 0x0004,
	EXT_INCOMPAT_META_BG = 0x0010,
	EXT_INCOMPAT_EXTENTS = 0x0040,
	EXT_INCOMPAT_64BIT = 0x0080,
	EXT_INCOMPAT_MMP = 0x0100,
	EXT_INCOMPAT_FLEX_BG = 0x0200,
	EXT_INCOMPAT_EA_INODE = 0x0400,
	EXT_INCOMPAT_DIRDATA = 0x1000,
	EXT_INCOMPAT_CSUM_SEED = 0x2000,
	EXT_INCOMPAT_LARGEDIR = 0x4000,
	EXT_INCOMPAT_INLINE_DATA = 0x8000,
	EXT_INCOMPAT_ENCRYPT = 0x10000,
	EXT_INCOMPAT_CASEFOLD = 0x20000,

	EXT_RO_SPARSE_SUPER = 0x0001,
	EXT_RO_GDT_CSUM = 0x0010,
	EXT_RO_BIGALLOC = 0x0200,
	EXT_RO_METADATA_CSUM = 0x0400,
	EXT_RO_READONLY = 0x1000,
	EXT_RO_SHARED_BLOCKS = 0x4000,
	EXT_RO_ORPHANS = 0x10000, /* the orphan file is not empty */
};

struct ext_group {
	sv_le32 block_bitmap_lo, inode_bitmap_lo, inode_table_lo;
	sv_le16 free_blocks_lo, free_inodes_lo, dirs_lo, flags;
	sv_le32 exclude_bitmap_lo;
	sv_le16 block_bitmap_csum_lo, inode_bitmap_csum_lo, unused_inodes_lo, checksum;
	/* only where descriptors have 64 bytes */
	sv_le32 block_bitmap_hi, inode_bitmap_hi, inode_table_hi;
	sv_le16 free_blocks_hi, free_inodes_hi, dirs_hi, unused_inodes_hi;
	sv_le32 exclude_bitmap_hi;
	sv_le16 block_bitmap_csum_hi, inode_bitmap_csum_hi;
	uint8_t reserved[4];
};
static_assert(sizeof(struct ext_group) == 64, "a long group descriptor has 64 bytes");
static_assert(offsetof(struct ext_group, checksum) == 30, "group checksum");
#define EXT_GROUP_SHORT 32u

enum {
	EXT_GROUP_INODE_UNINIT = 1,
	EXT_GROUP_BLOCK_UNINIT = 2,
	EXT_GROUP_INODE_ZEROED = 4, /* its inode table reads as zeros where it is not used */
};

struct ext_inode {
	sv_le16 mode, uid_lo;
	sv_le32 size_lo, atime, ctime, mtime, dtime;
	sv_le16 gid_lo, links;
	sv_le32 blocks_lo, flags, version;
	uint8_t block[60]; /* block numbers, an extent tree's root, a link's target, or data */
	sv_le32 generation, file_acl_lo, size_hi, fragment;
	sv_le16 blocks_hi, file_acl_hi, uid_hi, gid_hi, checksum_lo, pad;
	/* beyond 128 bytes, as far as extra_isize says */
	sv_le16 extra_isize, checksum_hi;
	sv_le32 ctime_extra, mtime_extra, atime_extra, born, born_extra, version_hi, project;
};
static_assert(sizeof(struct ext_inode) == 160, "the fields of an inode have 160 bytes");
static_assert(offsetof(struct ext_inode, block) == 40, "i_block");
static_assert(offsetof(struct ext_inode, checksum_lo) == 124, "inode checksum");
static_assert(offsetof(struct ext_inode, extra_isize) == EXT_OLD_INODE, "the old part");

enum {
	EXT_FL_COMPRESSED = 0x00000004,
	EXT_FL_COMPRESSED_BLOCKS = 0x00000200,
	EXT_FL_ENCRYPT = 0x00000800,
	EXT_FL_INDEX = 0x00001000,
	EXT_FL_HUGE_FILE = 0x00040000,
	EXT_FL_EXTENTS = 0x00080000,
	EXT_FL_EA_INODE = 0x00200000,
	EXT_FL_INLINE_DATA = 0x10000000,
	EXT_FL_CASEFOLD = 0x40000000,
};

struct ext_extent_header {
	sv_le16 magic, entries, max, depth;
	sv_le32 generation;
};
struct ext_extent {
	sv_le32 block;
	sv_le16 length, start_hi;
	sv_le32 start_lo;
};
struct ext_extent_index {
	sv_le32 block, child_lo;
	sv_le16 child_hi, unused;
};
static_assert(sizeof(struct ext_extent_header) == 12, "an extent header has 12 bytes");
static_assert(sizeof(struct ext_extent) == 12, "an extent has 12 bytes");
static_assert(sizeof(struct ext_extent_index) == 12, "an extent index has 12 bytes");
#define EXT_EXTENT_MAGIC   0xf30au
#define EXT_EXTENT_DEPTH   5u
#define EXT_EXTENT_WRITTEN 32768u /* a longer length means: allocated, reads as zeros */

struct ext_entry {
	sv_le32 ino;
	sv_le16 length;
	uint8_t name_length, type; /* the type is 0 without the filetype feature */
};
static_assert(sizeof(struct ext_entry) == 8, "a directory entry begins with 8 bytes");
#define EXT_ENTRY_TAIL 0xde /* the type of the false entry that holds a block's checksum */
#define EXT_NAME_MAX   255

struct ext_xattr_entry {
	uint8_t name_length, index;
	sv_le16 value_offset;
	sv_le32 value_ino, value_size, hash;
};
struct ext_xattr_block {
	sv_le32 magic, references, blocks, hash, checksum;
	uint8_t reserved[12];
};
static_assert(sizeof(struct ext_xattr_entry) == 16, "an xattr entry begins with 16 bytes");
static_assert(sizeof(struct ext_xattr_block) == 32, "an xattr block begins with 32 bytes");
#define EXT_XATTR_MAGIC 0xea020000u

#endif
