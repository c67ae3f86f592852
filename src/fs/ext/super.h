/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The superblock and the group descriptors of ext2, ext3 and ext4, as host numbers. */
#ifndef SV_FS_EXT_SUPER_H
#define SV_FS_EXT_SUPER_H

#include "base/err.h"
#include "fs/ext/disk.h"

#include <stdbool.h>

struct sv_ext_super {
	uint64_t blocks, free_blocks, inodes;
	uint32_t block_size;     /* 1 KiB to 64 KiB */
	uint32_t cluster_blocks; /* blocks of an allocation unit; 1 without bigalloc */
	uint32_t first_data_block, blocks_per_group, inodes_per_group, groups;
	uint32_t inode_size, desc_size, first_meta_bg;
	uint32_t compat, incompat, ro_compat, backup_groups[2];
	bool checksums;   /* metadata carries CRC-32C, begun with `seed` */
	bool checksum_ok; /* the superblock's own; true where it has none */
	uint32_t seed;
	uint16_t state;
	uint32_t errors; /* that the kernel met and recorded */
	uint8_t uuid[16];
	char label[17];
	uint8_t journal_uuid[16];
	uint32_t journal_ino;
	bool journal_backup;        /* journal_blocks are filled */
	uint8_t journal_blocks[68]; /* a copy of the journal inode's block[] and size */
};

/* Of the 1024 bytes at byte 1024. Every size is looked at; an unknown feature that changes how
 * things are read is SV_UNSUPPORTED. Offsets of errors count from the superblock. */
int sv_ext_parse_super(
	const uint8_t *bytes, size_t n, struct sv_ext_super *ret, struct sv_err *err);

static inline bool sv_ext_has(const struct sv_ext_super *s, uint32_t incompat)
{
	return s->incompat & incompat;
}

struct sv_ext_group {
	uint64_t inode_table; /* block */
	uint32_t inodes; /* of its table that may be in use: the others were never written */
	uint64_t free_blocks;
	bool checksum_ok; /* true where there is none */
};

/* Does the group begin with a copy of the superblock? */
bool sv_ext_has_super(const struct sv_ext_super *s, uint32_t group);
/* The block that it begins with. */
uint64_t sv_ext_first_block(const struct sv_ext_super *s, uint32_t group);
/* Where the descriptor of a group lies on the volume. */
uint64_t sv_ext_group_place(const struct sv_ext_super *s, uint32_t group);
/* Where another copy of it lies: false where there is none. */
bool sv_ext_group_backup(const struct sv_ext_super *s, uint32_t group, uint64_t *ret);

/* `bytes` are desc_size long. SV_CORRUPT where its inode table does not lie on the volume. */
int sv_ext_parse_group(const uint8_t *bytes, size_t n, const struct sv_ext_super *s,
	uint32_t group, struct sv_ext_group *ret, struct sv_err *err);

/* Of a descriptor of desc_size bytes; for a file system that has such checksums. */
uint16_t sv_ext_group_checksum(
	const uint8_t *bytes, const struct sv_ext_super *s, uint32_t group);

/* CRC-32C as ext4 uses it: from a seed, without inversion. */
uint32_t sv_ext_crc(uint32_t seed, const void *bytes, size_t n);

#endif
