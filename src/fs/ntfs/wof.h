/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Files that Windows packed behind NTFS' back (CompactOS, `compact /exe`): the Windows Overlay
 * Filter's reparse point (winioctl.h: WOF_EXTERNAL_INFO,
 * FILE_PROVIDER_EXTERNAL_INFO) says
 * how, the unnamed stream is a hole as large as the file, and the stream WofCompressedData
 * holds a table of where its chunks end, then the chunks.
 */
#ifndef SV_FS_NTFS_WOF_H
#define SV_FS_NTFS_WOF_H

#include "fs/ntfs/ntfs.h"
#include "fs/ntfs/prefix_code.h"

struct sv_wof_codes {
	struct sv_prefix main, length, pre, aligned;
};

/* One chunk of exactly out_n bytes; pure. out_n is at most 32 KiB for LZX. */
int sv_xpress_unpack(struct sv_wof_codes *codes, const uint8_t *in, size_t n, uint8_t *out,
	size_t out_n, struct sv_err *err);
int sv_lzx_unpack(struct sv_wof_codes *codes, const uint8_t *in, size_t n, uint8_t *out,
	size_t out_n, struct sv_err *err);

struct sv_wof_format {
	const char *name;
	uint32_t chunk; /* bytes, a power of two */
	int (*unpack)(struct sv_wof_codes *codes, const uint8_t *in, size_t n, uint8_t *out,
		size_t out_n, struct sv_err *err);
};

/* What a reparse point says, with its header of 8 bytes. SV_UNSUPPORTED where the data lie in
 * an image file (WIMBoot). Pure. */
int sv_wof_parse_point(
	const void *bytes, size_t n, const struct sv_wof_format **ret, struct sv_err *err);

/* A stream of chunks: `size` bytes in all, in `packed` bytes with the table. */
struct sv_wof_table {
	uint64_t size, packed;
	uint32_t chunk;
};
/* Bytes of the table; false where they are more than there are. */
bool sv_wof_table_bytes(const struct sv_wof_table *t, uint64_t *ret);

/* Where chunk `index` lies in the stream, and how many bytes it unpacks to. */
struct sv_wof_chunk {
	uint64_t off;
	uint32_t n, plain;
};
/* `entries` are the two of the table from chunk index - 1 on, as they are stored. Pure. */
int sv_wof_parse_chunk(const struct sv_wof_table *t, uint64_t index, const uint8_t *entries,
	struct sv_wof_chunk *ret, struct sv_err *err);

/* ---- an open file: one of the volume's, on its thread ---- */

struct sv_wof;

/* `size` is that of the unnamed stream. */
int sv_wof_open(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	uint64_t size, struct sv_wof **ret, struct sv_err *err);
void sv_wof_close(struct sv_wof *w);
SV_DEFINE_CLEANUP(struct sv_wof, sv_wof_close)
int sv_wof_read(struct sv_ntfs *v, struct sv_wof *w, void *buf, size_t n, uint64_t off,
	size_t *ret_got, struct sv_err *err);

#endif
