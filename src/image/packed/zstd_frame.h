/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What zstd writes around its blocks (RFC 8878, section 3.1), and the seek table behind frames
 * that were made to be read from any place on (zstd's contrib/seekable_format, version 0.1.0).
 */
#ifndef SV_IMAGE_PACKED_ZSTD_FRAME_H
#define SV_IMAGE_PACKED_ZSTD_FRAME_H

#include "base/endian.h"
#include "base/err.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SV_ZSTD_MAGIC           0xfd2fb528U
#define SV_ZSTD_SKIP_MAGIC      0x184d2a50U /* and the 15 that follow */
#define SV_ZSTD_SKIP_HEADER     8
#define SV_ZSTD_HEADER_MAX      18
#define SV_ZSTD_BLOCK_HEADER    3
#define SV_ZSTD_BLOCK_MAX       (128U << 10)
#define SV_ZSTD_SIZE_UNKNOWN    UINT64_MAX
#define SV_ZSTD_SEEK_FOOTER     9
#define SV_ZSTD_SEEK_MAGIC      0x8f92eab1U
#define SV_ZSTD_SEEK_SKIP_MAGIC 0x184d2a5eU
#define SV_ZSTD_SEEK_MAX        (1U << 18) /* frames: 3 MiB of table, 4 MiB in memory */

struct sv_zstd_frame {
	bool skippable;
	uint64_t header;  /* bytes of it */
	uint64_t content; /* skippable: bytes behind the header; else of what it unpacks to, or
			   * SV_ZSTD_SIZE_UNKNOWN */
	uint64_t window;  /* bytes of memory; 0 for a skippable one */
	uint32_t dictionary; /* 0: none */
	bool checksum;
};
/* The header of a frame, of which up to SV_ZSTD_HEADER_MAX bytes are given. */
int sv_zstd_frame_parse(
	const uint8_t *bytes, size_t n, struct sv_zstd_frame *ret, struct sv_err *err);

struct sv_zstd_block {
	bool last;
	uint32_t stored; /* bytes that follow the header */
};
int sv_zstd_block_parse(const uint8_t bytes[SV_ZSTD_BLOCK_HEADER], struct sv_zstd_block *ret,
	struct sv_err *err);

struct sv_zstd_disk_footer {
	sv_le32 frames;
	uint8_t flags; /* bit 7: each entry has a checksum; bits 2 to 6 are zero */
	sv_le32 magic;
};
static_assert(sizeof(struct sv_zstd_disk_footer) == SV_ZSTD_SEEK_FOOTER, "no gaps");

struct sv_zstd_seek_table {
	uint32_t frames;
	uint32_t entry; /* bytes of one: 8 or 12 */
	uint64_t size;  /* of the whole skippable frame: header, entries, footer */
};
/* The last bytes of the file; *ret_found false: there is no seek table. */
int sv_zstd_seek_parse(const uint8_t bytes[SV_ZSTD_SEEK_FOOTER], bool *ret_found,
	struct sv_zstd_seek_table *ret, struct sv_err *err);

#endif
