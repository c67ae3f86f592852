/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NTFS as it lies on the disk: the structures that reading and growing use, after the
 * descriptions in linux-ntfs (layout.h) and in libfsntfs's format document; reparse tags and
 * file attributes after [MS-FSCC]. Byte types only; copied out with memcpy, never cast.
 * Private to the fs room.
 */
#ifndef SV_FS_RAW_DISK_H
#define SV_FS_RAW_DISK_H

#include "base/endian.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define NTFS_OEM             "NTFS    "
#define NTFS_OEM_BITLOCKER   "-FVE-FS-"

#define NTFS_CLUSTER_MAX     (2U << 20)           /* what Windows makes and ntfs-3g mounts */
#define NTFS_CLUSTERS_MAX    UINT64_C(0xFFFFFFFF) /* ntfs.sys counts them in 32 bits */
#define NTFS_VCN_MAX         (UINT64_C(1) << 54)  /* 2^63 bytes of the smallest clusters */
#define NTFS_RECORD_MAX      (64U << 10)          /* 1 or 4 KiB in use */
#define NTFS_ATTR_LIST_MAX   (256U << 10)         /* the format's own limit */
#define NTFS_FIXUP_STRIDE    512U                 /* whatever the sector's size */
#define NTFS_HOLE            UINT64_MAX           /* the cluster of a run that has none */
#define NTFS_REF_RECORD(r)   ((r) & ((UINT64_C(1) << 48) - 1))
#define NTFS_REF_SEQUENCE(r) ((uint16_t)((r) >> 48))

enum { /* MFT records of the system's own files */
	NTFS_FILE_MFT,
	NTFS_FILE_MFTMIRR,
	NTFS_FILE_LOG,
	NTFS_FILE_VOLUME,
	NTFS_FILE_ATTRDEF,
	NTFS_FILE_ROOT,
	NTFS_FILE_BITMAP,
	NTFS_FILE_BOOT,
	NTFS_FILE_BADCLUS,
	NTFS_FILE_UPCASE = 10,
	NTFS_FILE_EXTEND,
	NTFS_FILE_FIRST_USER = 16, /* all below are the file system's own */
};

enum {
	NTFS_ATTR_STANDARD = 0x10,
	NTFS_ATTR_LIST = 0x20,
	NTFS_ATTR_FILE_NAME = 0x30,
	NTFS_ATTR_VOLUME_NAME = 0x60,
	NTFS_ATTR_VOLUME_INFO = 0x70,
	NTFS_ATTR_DATA = 0x80,
	NTFS_ATTR_INDEX_ROOT = 0x90,
	NTFS_ATTR_INDEX_ALLOCATION = 0xA0,
	NTFS_ATTR_BITMAP = 0xB0,
	NTFS_ATTR_REPARSE = 0xC0,
	NTFS_ATTR_END = 0xFFFFFFFF,
};

#define NTFS_ATTR_COMPRESSED 0x00FF /* the method; none but the next was ever defined */
#define NTFS_ATTR_LZNT1      0x0001
#define NTFS_ATTR_ENCRYPTED  0x4000
#define NTFS_ATTR_SPARSE     0x8000

#define NTFS_RECORD_IN_USE   0x0001
#define NTFS_RECORD_DIR      0x0002
#define NTFS_VOLUME_DIRTY    0x0001
#define NTFS_ENTRY_CHILD     0x0001 /* of an index node: it ends with the VCN of a block */
#define NTFS_ENTRY_LAST      0x0002 /* has no key */
#define NTFS_SPACE_DOS       2      /* of a file name: the short one that goes with another */

/* Windows' file attributes that reading looks at. */
#define NTFS_WIN_SYSTEM     0x00000004U
#define NTFS_WIN_DIRECTORY  0x00000010U
#define NTFS_WIN_REPARSE    0x00000400U
#define NTFS_WIN_HAS_INDEX  0x10000000U /* only in a file name: it is a folder's */

#define NTFS_TAG_JUNCTION   0xA0000003U
#define NTFS_TAG_SYMLINK    0xA000000CU
#define NTFS_TAG_DEDUP      0x80000013U
#define NTFS_TAG_WOF        0x80000017U
#define NTFS_TAG_CLOUD      0x9000001AU
#define NTFS_TAG_CLOUD_MASK 0xFFFF0FFFU /* leaves out the nibble of the provider's folder */
#define NTFS_TAG_WSL_LINK   0xA000001DU
#define NTFS_TAG_WSL_SOCKET 0x80000023U
#define NTFS_TAG_WSL_FIFO   0x80000024U
#define NTFS_TAG_WSL_CHAR   0x80000025U
#define NTFS_TAG_WSL_BLOCK  0x80000026U

struct ntfs_boot {
	uint8_t jump[3];
	uint8_t oem[8];
	sv_le16 bytes_per_sector;
	uint8_t sectors_per_cluster; /* above 128: 2^(256 - n) */
	uint8_t unused1[14];
	sv_le32 hidden_sectors;
	uint8_t unused2[8];
	sv_le64 sectors; /* without the backup boot sector */
	sv_le64 mft_lcn;
	sv_le64 mftmirr_lcn;
	uint8_t clusters_per_record; /* above 127: 2^(256 - n) bytes */
	uint8_t unused3[3];
	uint8_t clusters_per_index;
	uint8_t unused4[3];
	sv_le64 serial;
	uint8_t unused5[430];
	uint8_t marker[2];
};
static_assert(sizeof(struct ntfs_boot) == 512, "boot sector");
static_assert(offsetof(struct ntfs_boot, hidden_sectors) == 0x1C, "boot sector");
static_assert(offsetof(struct ntfs_boot, sectors) == 0x28, "boot sector");
static_assert(offsetof(struct ntfs_boot, serial) == 0x48, "boot sector");

/* The beginning of all that is protected by an update sequence. */
struct ntfs_protected {
	uint8_t magic[4];
	sv_le16 usa_offset;
	sv_le16 usa_count; /* the number itself, then one word per 512 bytes */
};
static_assert(sizeof(struct ntfs_protected) == 8, "protected record");

struct ntfs_record {
	struct ntfs_protected head;
	sv_le64 lsn;
	sv_le16 sequence;
	sv_le16 links;
	sv_le16 attrs_offset;
	sv_le16 flags;
	sv_le32 used;
	sv_le32 allocated;
	sv_le64 base; /* 0, or the record that this one extends */
	sv_le16 next_instance;
	uint8_t unused[2];
	sv_le32 number;
};
static_assert(sizeof(struct ntfs_record) == 48, "MFT record");

struct ntfs_attr_head {
	sv_le32 type;
	sv_le32 length;
	uint8_t non_resident;
	uint8_t name_length; /* UTF-16 units */
	sv_le16 name_offset;
	sv_le16 flags;
	sv_le16 instance;
};
static_assert(sizeof(struct ntfs_attr_head) == 16, "attribute");

struct ntfs_attr_resident {
	struct ntfs_attr_head head;
	sv_le32 value_length;
	sv_le16 value_offset;
	uint8_t flags;
	uint8_t unused;
};
static_assert(sizeof(struct ntfs_attr_resident) == 24, "resident attribute");

struct ntfs_attr_mapped {
	struct ntfs_attr_head head;
	sv_le64 lowest_vcn;
	sv_le64 highest_vcn;
	sv_le16 mapping_offset;
	uint8_t compression_unit;
	uint8_t unused[5];
	/* these three count only where lowest_vcn is 0 */
	sv_le64 allocated;
	sv_le64 size;
	sv_le64 initialized;
	/* sparse and compressed attributes have 8 bytes more: those that are in use */
};
static_assert(sizeof(struct ntfs_attr_mapped) == 64, "non-resident attribute");
static_assert(offsetof(struct ntfs_attr_mapped, allocated) == 40, "non-resident attribute");

struct ntfs_list_entry {
	sv_le32 type;
	sv_le16 length;
	uint8_t name_length;
	uint8_t name_offset;
	sv_le64 lowest_vcn;
	sv_le64 record;
	sv_le16 instance;
};
static_assert(sizeof(struct ntfs_list_entry) == 26, "attribute list entry");

struct ntfs_volume_info {
	uint8_t unused[8];
	uint8_t major, minor;
	sv_le16 flags;
};
static_assert(sizeof(struct ntfs_volume_info) == 12, "volume information");

struct ntfs_file_name {
	sv_le64 parent;
	sv_le64 times[4];
	sv_le64 allocated;
	sv_le64 size;
	sv_le32 attributes;
	sv_le32 reparse;
	uint8_t length; /* UTF-16 units, which follow */
	uint8_t space;
};
static_assert(sizeof(struct ntfs_file_name) == 66, "file name");

/* Times count 100 ns from 1601 on. */
struct ntfs_standard {
	sv_le64 born, modified, changed, accessed;
	sv_le32 attributes;
};
static_assert(sizeof(struct ntfs_standard) == 36, "standard information");

struct ntfs_reparse {
	sv_le32 tag;
	sv_le16 length; /* of what follows */
	uint8_t unused[2];
};
static_assert(sizeof(struct ntfs_reparse) == 8, "reparse point");

struct ntfs_index_head {
	sv_le32 entries_offset; /* from this structure, as are the next two */
	sv_le32 length;
	sv_le32 allocated;
	uint8_t flags;
	uint8_t unused[3];
};
static_assert(sizeof(struct ntfs_index_head) == 16, "index header");

struct ntfs_index_root {
	sv_le32 type;
	sv_le32 collation;
	sv_le32 block_size;
	uint8_t clusters_per_block;
	uint8_t unused[3];
	struct ntfs_index_head index;
};
static_assert(sizeof(struct ntfs_index_root) == 32, "index root");

struct ntfs_index_block {
	struct ntfs_protected head;
	sv_le64 lsn;
	sv_le64 vcn;
	struct ntfs_index_head index;
};
static_assert(sizeof(struct ntfs_index_block) == 40, "index block");

struct ntfs_index_entry {
	sv_le64 record;
	sv_le16 length;
	sv_le16 key_length;
	sv_le16 flags;
	uint8_t unused[2];
};
static_assert(sizeof(struct ntfs_index_entry) == 16, "index entry");

#endif
