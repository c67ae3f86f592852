/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NTFS as it lies on the disk: the structures that the reader decodes. Private to the fs room.
 *
 * Source: the Linux-NTFS project's documentation (flatcap.github.io/linux-ntfs) and the
 * published headers of libntfs-3g (layout.h), checked against volumes made by both Windows
 * and mkntfs. All numbers are little endian.
 */
#ifndef SV_FS_NTFS_DISK_H
#define SV_FS_NTFS_DISK_H

#include "base/endian.h"

#include <assert.h>
#include <stddef.h>

/* Records of $MFT that have a fixed place. */
enum sv_ntfs_number {
	SV_NTFS_MFT = 0,
	SV_NTFS_VOLUME = 3,
	SV_NTFS_ROOT = 5,
	SV_NTFS_BITMAP = 6,
	SV_NTFS_UPCASE = 10,
	SV_NTFS_EXTEND = 11,
	SV_NTFS_FIRST_USER = 16, /* below it: the file system's own */
};

enum sv_ntfs_type {
	SV_NTFS_AT_STANDARD = 0x10,
	SV_NTFS_AT_LIST = 0x20,
	SV_NTFS_AT_NAME = 0x30,
	SV_NTFS_AT_VOLUME_NAME = 0x60,
	SV_NTFS_AT_VOLUME_INFO = 0x70,
	SV_NTFS_AT_DATA = 0x80,
	SV_NTFS_AT_INDEX_ROOT = 0x90,
	SV_NTFS_AT_INDEX = 0xa0,
	SV_NTFS_AT_BITMAP = 0xb0,
	SV_NTFS_AT_REPARSE = 0xc0,
};
#define SV_NTFS_AT_END 0xffffffffU

/* struct ntfs_record_disk.flags */
#define SV_NTFS_RECORD_IN_USE 0x0001
#define SV_NTFS_RECORD_DIR    0x0002

/* struct ntfs_attr_disk.flags */
#define SV_NTFS_COMPRESSED 0x00ff /* a method; only 1 (LZNT1) was ever defined */
#define SV_NTFS_LZNT1      0x0001
#define SV_NTFS_ENCRYPTED  0x4000
#define SV_NTFS_SPARSE     0x8000

/* Windows' file attributes that the reader looks at. */
#define SV_WIN_SYSTEM     0x00000004U
#define SV_WIN_DIRECTORY  0x00000010U
#define SV_WIN_SPARSE     0x00000200U
#define SV_WIN_REPARSE    0x00000400U
#define SV_WIN_COMPRESSED 0x00000800U
#define SV_WIN_ENCRYPTED  0x00004000U
#define SV_NTFS_HAS_INDEX 0x10000000U /* in $FILE_NAME only: a directory */

/* Reparse tags: [MS-FSCC] 2.1.2.1. */
#define SV_TAG_JUNCTION   0xa0000003U
#define SV_TAG_SYMLINK    0xa000000cU
#define SV_TAG_DEDUP      0x80000013U
#define SV_TAG_WOF        0x80000017U
#define SV_TAG_CLOUD      0x9000001aU
#define SV_TAG_CLOUD_MASK 0xffff0fffU /* the nibble tells which folder of the provider */
#define SV_TAG_WSL_LINK   0xa000001dU
#define SV_TAG_WSL_SOCKET 0x80000023U
#define SV_TAG_WSL_FIFO   0x80000024U
#define SV_TAG_WSL_CHAR   0x80000025U
#define SV_TAG_WSL_BLOCK  0x80000026U

/* A reference to a record: 48 bits of number, 16 of sequence. */
#define SV_NTFS_NUMBER(ref)   ((ref)&0xffffffffffffULL)
#define SV_NTFS_SEQUENCE(ref) ((uint16_t)((ref) >> 48))

/* The update sequence replaces the last two bytes of each of these, whatever the sector. */
#define SV_NTFS_STRIDE 512

struct ntfs_boot_disk {
	uint8_t jump[3];
	char oem[8];
	sv_le16 bytes_per_sector;
	uint8_t sectors_per_cluster; /* above 0x80: a negative power of two */
	uint8_t unused0[26];
	sv_le64 sectors;
	sv_le64 mft_lcn;
	sv_le64 mirror_lcn;
	int8_t clusters_per_record; /* below 0: a negative power of two, in bytes */
	uint8_t unused1[3];
	int8_t clusters_per_index;
	uint8_t unused2[3];
	sv_le64 serial;
	uint8_t unused3[430];
	sv_le16 mark;
};
static_assert(offsetof(struct ntfs_boot_disk, sectors) == 40, "boot sector");
static_assert(offsetof(struct ntfs_boot_disk, serial) == 72, "boot sector");
static_assert(sizeof(struct ntfs_boot_disk) == 512, "boot sector");

/* What FILE and INDX blocks begin with. */
struct ntfs_block_disk {
	char magic[4];
	sv_le16 usa_offset;
	sv_le16 usa_count; /* one more than there are strides */
};
static_assert(sizeof(struct ntfs_block_disk) == 8, "multi-sector block");

struct ntfs_record_disk {
	struct ntfs_block_disk block;
	sv_le64 lsn;
	sv_le16 sequence;
	sv_le16 links;
	sv_le16 attrs_offset;
	sv_le16 flags;
	sv_le32 used;
	sv_le32 allocated;
	sv_le64 base; /* 0 in a base record */
	sv_le16 next_instance;
};
static_assert(offsetof(struct ntfs_record_disk, base) == 32, "FILE record");
static_assert(sizeof(struct ntfs_record_disk) == 42, "FILE record");

struct ntfs_attr_disk {
	sv_le32 type;
	sv_le32 length;
	uint8_t nonresident;
	uint8_t name_len; /* in UTF-16 units */
	sv_le16 name_offset;
	sv_le16 flags;
	sv_le16 instance;
};
static_assert(sizeof(struct ntfs_attr_disk) == 16, "attribute");

struct ntfs_resident_disk {
	struct ntfs_attr_disk head;
	sv_le32 value_len;
	sv_le16 value_offset;
	uint8_t indexed;
	uint8_t unused;
};
static_assert(sizeof(struct ntfs_resident_disk) == 24, "resident attribute");

struct ntfs_nonresident_disk {
	struct ntfs_attr_disk head;
	sv_le64 lowest_vcn;
	sv_le64 highest_vcn; /* -1 for none */
	sv_le16 pairs_offset;
	uint8_t unit; /* log2 of the clusters that are packed together; 0 for none */
	uint8_t unused[5];
	sv_le64 allocated; /* from here on only where lowest_vcn is 0 */
	sv_le64 size;
	sv_le64 initialized;
};
static_assert(offsetof(struct ntfs_nonresident_disk, allocated) == 40, "attribute");
static_assert(sizeof(struct ntfs_nonresident_disk) == 64, "attribute");
#define SV_NTFS_PACKED_OFFSET 64 /* sv_le64: bytes in use; where packed or sparse */

struct ntfs_list_disk {
	sv_le32 type;
	sv_le16 length;
	uint8_t name_len;
	uint8_t name_offset;
	sv_le64 lowest_vcn;
	sv_le64 record;
	sv_le16 instance;
};
static_assert(sizeof(struct ntfs_list_disk) == 26, "attribute list entry");

/* Times count 100 ns since 1601. */
struct ntfs_standard_disk {
	sv_le64 born, modified, changed, accessed;
	sv_le32 attributes;
};
static_assert(sizeof(struct ntfs_standard_disk) == 36, "$STANDARD_INFORMATION");

struct ntfs_name_disk {
	sv_le64 parent;
	sv_le64 born, modified, changed, accessed;
	sv_le64 allocated;
	sv_le64 size;
	sv_le32 attributes;
	sv_le32 reparse_tag;
	uint8_t name_len; /* in UTF-16 units */
	uint8_t space;    /* 0 POSIX, 1 Win32, 2 DOS, 3 Win32 and DOS */
};
static_assert(offsetof(struct ntfs_name_disk, attributes) == 56, "$FILE_NAME");
static_assert(sizeof(struct ntfs_name_disk) == 66, "$FILE_NAME");
#define SV_NTFS_SPACE_DOS 2

struct ntfs_volume_info_disk {
	uint8_t unused[8];
	uint8_t major, minor;
	sv_le16 flags;
};
static_assert(sizeof(struct ntfs_volume_info_disk) == 12, "$VOLUME_INFORMATION");
#define SV_NTFS_VOLUME_DIRTY 0x0001

/* Offsets are from the start of this header. */
struct ntfs_node_disk {
	sv_le32 entries;
	sv_le32 used;
	sv_le32 allocated;
	uint8_t has_children;
	uint8_t unused[3];
};
static_assert(sizeof(struct ntfs_node_disk) == 16, "index header");

struct ntfs_root_disk {
	sv_le32 type;
	sv_le32 collation;
	sv_le32 block_size;
	uint8_t unused[4];
	struct ntfs_node_disk node;
};
static_assert(sizeof(struct ntfs_root_disk) == 32, "$INDEX_ROOT");

struct ntfs_index_disk {
	struct ntfs_block_disk block;
	sv_le64 lsn;
	sv_le64 vcn;
	struct ntfs_node_disk node;
};
static_assert(sizeof(struct ntfs_index_disk) == 40, "INDX block");

struct ntfs_entry_disk {
	sv_le64 record;
	sv_le16 length;
	sv_le16 key_len;
	sv_le16 flags;
	uint8_t unused[2];
};
static_assert(sizeof(struct ntfs_entry_disk) == 16, "index entry");
#define SV_NTFS_ENTRY_CHILD 0x0001 /* the last 8 bytes are the VCN of a child */
#define SV_NTFS_ENTRY_LAST  0x0002

struct ntfs_reparse_disk {
	sv_le32 tag;
	sv_le16 len;
	uint8_t unused[2];
};
static_assert(sizeof(struct ntfs_reparse_disk) == 8, "reparse point");

#endif
