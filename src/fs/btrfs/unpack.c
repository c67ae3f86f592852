/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Compressed extents: a zlib stream, a zstd frame, or LZO1X in segments of a sector each, with
 * a length of four bytes before all and before each, which no sector's end cuts. What a packed
 * extent leaves out at its end reads as zeros; more than was announced is damage. Source:
 * "Compression" of the btrfs documentation; Linux, fs/btrfs/lzo.c, its comment on the layout.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <libdeflate.h>
#include <lzo/lzo1x.h>
#include <string.h>
#include <zstd.h>

struct sv_btrfs_unpack {
	struct libdeflate_decompressor *zlib;
	ZSTD_DCtx *zstd;
};

void sv_btrfs_unpack_free(struct sv_btrfs_unpack *u)
{
	if (!u)
		return;
	if (u->zlib)
		libdeflate_free_decompressor(u->zlib);
	ZSTD_freeDCtx(u->zstd);
	free(u);
}

static int open_unpack(struct sv_btrfs_unpack **u, struct sv_err *err)
{
	struct sv_btrfs_unpack *made;

	if (*u)
		return 0;
	made = calloc(1, sizeof *made);
	if (!made)
		return sv_fail_nomem(err);
	made->zlib = libdeflate_alloc_decompressor();
	made->zstd = ZSTD_createDCtx();
	if (!made->zlib || !made->zstd) {
		sv_btrfs_unpack_free(made);
		return sv_fail_nomem(err);
	}
	*u = made;
	return 0;
}

static int bad(struct sv_err *err, uint64_t at, const char *what)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "compressed data: %s", what);
}

static int unpack_zlib(struct sv_btrfs_unpack *u, const uint8_t *in, size_t in_n, uint8_t *out,
	size_t n, size_t *ret_got, struct sv_err *err)
{
	size_t used;

	switch (libdeflate_zlib_decompress_ex(u->zlib, in, in_n, out, n, &used, ret_got)) {
	case LIBDEFLATE_SUCCESS:
		return 0;
	case LIBDEFLATE_INSUFFICIENT_SPACE:
		return bad(err, 0, "the zlib stream unpacks to more than was announced");
	default:
		return bad(err, 0, "the zlib stream is damaged");
	}
}

static int unpack_zstd(struct sv_btrfs_unpack *u, const uint8_t *in, size_t in_n, uint8_t *out,
	size_t n, size_t *ret_got, struct sv_err *err)
{
	size_t frame = ZSTD_findFrameCompressedSize(in, in_n);

	if (ZSTD_isError(frame))
		return bad(err, 0, ZSTD_getErrorName(frame));
	*ret_got = ZSTD_decompressDCtx(u->zstd, out, n, in, frame);
	return ZSTD_isError(*ret_got) ? bad(err, 0, ZSTD_getErrorName(*ret_got)) : 0;
}

/* One segment: *at moves behind it, *got grows. */
static int unpack_segment(uint32_t sector, const uint8_t *in, size_t end, size_t *at,
	uint8_t *out, size_t n, size_t *got, struct sv_err *err)
{
	size_t len = end - *at >= 4 ? sv_load_le32(in + *at) : 0, left;
	lzo_uint made = SV_MIN(n - *got, (size_t)sector);

	*at += 4;
	if (!len || *at > end || len > end - *at)
		return bad(err, *at - 4, "an LZO segment goes beyond their end");
	if (lzo1x_decompress_safe(in + *at, len, out + *got, &made, NULL) != LZO_E_OK)
		return bad(err, *at, "an LZO segment is damaged");
	*got += made;
	*at += len;
	left = sector - *at % sector;
	if (left < 4)
		*at += left;
	return 0;
}

static int unpack_lzo(uint32_t sector, const uint8_t *in, size_t in_n, uint8_t *out, size_t n,
	size_t *ret_got, struct sv_err *err)
{
	size_t end = in_n >= 4 ? sv_load_le32(in) : 0, at = 4;

	if (end < 4 || end > in_n)
		return bad(err, 0, "LZO segments that go beyond their extent");
	*ret_got = 0;
	while (at < end && *ret_got < n) {
		if (unpack_segment(sector, in, end, &at, out, n, ret_got, err) < 0)
			return -1;
	}
	return 0;
}

int sv_btrfs_unpack(struct sv_btrfs_unpack **u, unsigned packing, uint32_t sector,
	const uint8_t *packed, size_t packed_n, uint8_t *ret, size_t n, struct sv_err *err)
{
	size_t got = 0;
	int rc;

	if (open_unpack(u, err) < 0)
		return -1;
	if (packing == BTRFS_ZLIB)
		rc = unpack_zlib(*u, packed, packed_n, ret, n, &got, err);
	else if (packing == BTRFS_ZSTD)
		rc = unpack_zstd(*u, packed, packed_n, ret, n, &got, err);
	else
		rc = unpack_lzo(sector, packed, packed_n, ret, n, &got, err);
	if (rc == 0)
		memset(ret + got, 0, n - got);
	return rc;
}
