/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * xz (The .xz File Format 1.2): its own index at the end tells the size and where each block
 * begins, and is read by liblzma within INDEX_MAX bytes of memory. A block's check is looked at
 * when its last byte is unpacked. `xz -T0` and --block-size make blocks; a file of one large
 * block is refused, as it would be unpacked from its beginning for each look.
 */
#include "image/packed/packed.h"

#include <lzma.h>

#define INDEX_MAX (16 * SV_MIB) /* about a million blocks */

struct xz {
	struct sv_stream stream;
	lzma_stream z;
	lzma_index *index;
	lzma_index_iter at; /* the block that is being unpacked */
	uint64_t left;      /* bytes of it to come */
	lzma_block block;   /* the decoder keeps a pointer to it */
	struct sv_packed_in in;
};

static struct xz *of(struct sv_stream *s)
{
	return (struct xz *)s;
}

static int refuse(lzma_ret rc, uint64_t pos, struct sv_err *err)
{
	switch (rc) {
	case LZMA_MEM_ERROR:
		return sv_fail_nomem(err);
	case LZMA_MEMLIMIT_ERROR:
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"the index of the xz file takes more than %llu MiB of memory",
			INDEX_MAX / SV_MIB);
		return sv_hint(err, "unpack it: xz -dk IN");
	case LZMA_OPTIONS_ERROR:
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, pos,
			"the xz file uses options that this liblzma does not know");
	case LZMA_BUF_ERROR:
		return sv_fail_at(err, SV_CORRUPT, NULL, pos,
			"the xz file ends within its stream, or is longer than it says");
	default:
		return sv_fail_at(err, SV_CORRUPT, NULL, pos,
			"the xz file is damaged (liblzma's error %d)", (int)rc);
	}
}

/* One step of liblzma over the bytes up to `end`. */
static lzma_ret step(struct xz *x, uint64_t end, struct sv_err *err)
{
	lzma_ret rc;

	if (sv_packed_fill(&x->in, end, err) < 0)
		return LZMA_PROG_ERROR; /* err is set */
	x->z.next_in = x->in.bytes + x->in.used;
	x->z.avail_in = x->in.n - x->in.used;
	rc = lzma_code(
		&x->z, sv_packed_pos(&x->in) + x->z.avail_in >= end ? LZMA_FINISH : LZMA_RUN);
	x->in.used = x->in.n - x->z.avail_in;
	return rc;
}

/* ---- the index ---- */

static int read_index(struct xz *x, struct sv_err *err)
{
	uint64_t size = sv_dev_size(x->in.file);
	struct sv_err why = SV_ERR_INIT;
	lzma_ret rc = lzma_file_info_decoder(&x->z, &x->index, INDEX_MAX, size);

	while (rc == LZMA_OK) {
		rc = step(x, size, &why);
		if (rc == LZMA_SEEK_NEEDED) {
			sv_packed_go(&x->in, x->z.seek_pos);
			rc = LZMA_OK;
		}
	}
	if (why.code != SV_OK) {
		sv_err_copy(err, &why);
		return -1;
	}
	return rc == LZMA_STREAM_END ? 0 : refuse(rc, sv_packed_pos(&x->in), err);
}

/* Blocks that are so large that one would wait for each look into them. */
static int check_blocks(struct xz *x, struct sv_err *err)
{
	lzma_index_iter i;

	lzma_index_iter_init(&i, x->index);
	while (!lzma_index_iter_next(&i, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
		if (i.block.uncompressed_size <= SV_PACKED_XZ_BLOCK_MAX)
			continue;
		sv_fail_at(err, SV_UNSUPPORTED, NULL, i.block.compressed_file_offset,
			"a block of the xz file has %llu bytes, unpacked; up to %llu are read "
			"in place",
			(unsigned long long)i.block.uncompressed_size,
			(unsigned long long)SV_PACKED_XZ_BLOCK_MAX);
		return sv_hint(err, "unpack it (xz -dk IN), or pack it in smaller blocks: xz "
				    "--block-size=16MiB -T0");
	}
	return 0;
}

/* ---- a block ---- */

static int check_filters(const struct xz *x, const lzma_filter *filters, struct sv_err *err)
{
	uint64_t need = lzma_raw_decoder_memusage(filters);
	uint64_t pos = x->at.block.compressed_file_offset;

	if (need <= SV_PACKED_WINDOW_MAX + 4 * SV_MIB)
		return 0;
	if (need == UINT64_MAX)
		return refuse(LZMA_OPTIONS_ERROR, pos, err);
	sv_fail_at(err, SV_UNSUPPORTED, NULL, pos,
		"unpacking the xz file takes %llu MiB of memory, %llu are allowed",
		(unsigned long long)(need / SV_MIB), SV_PACKED_WINDOW_MAX / SV_MIB);
	return sv_hint(err, "unpack it, and open the disk image that is in it: xz -dk IN");
}

static int read_header(struct xz *x, lzma_filter *filters, struct sv_err *err)
{
	uint64_t pos = x->at.block.compressed_file_offset;
	uint8_t header[LZMA_BLOCK_HEADER_SIZE_MAX];
	lzma_ret rc;

	if (sv_dev_read(x->in.file, header, 1, pos, err) < 0)
		return -1;
	x->block = (lzma_block){.version = 1,
		.check = x->at.stream.flags->check,
		.filters = filters,
		.header_size = lzma_block_header_size_decode(header[0])};
	if (!header[0]) /* an index begins so, no block */
		return refuse(LZMA_DATA_ERROR, pos, err);
	if (sv_dev_read(x->in.file, header, x->block.header_size, pos, err) < 0)
		return -1;
	rc = lzma_block_header_decode(&x->block, NULL, header);
	return rc == LZMA_OK ? 0 : refuse(rc, pos, err);
}

/* The sizes that the header leaves open are the index'. */
static int begin_decoder(struct xz *x, struct sv_err *err)
{
	uint64_t pos = x->at.block.compressed_file_offset;
	lzma_ret rc = lzma_block_compressed_size(&x->block, x->at.block.unpadded_size);

	if (x->block.uncompressed_size == LZMA_VLI_UNKNOWN)
		x->block.uncompressed_size = x->at.block.uncompressed_size;
	if (rc == LZMA_OK && x->block.uncompressed_size != x->at.block.uncompressed_size)
		rc = LZMA_DATA_ERROR;
	if (rc == LZMA_OK)
		rc = lzma_block_decoder(&x->z, &x->block);
	if (rc != LZMA_OK)
		return refuse(rc, pos, err);
	sv_packed_go(&x->in, pos + x->block.header_size);
	x->left = x->at.block.uncompressed_size;
	return 0;
}

/* The block that x->at is at. */
static int begin_block(struct xz *x, struct sv_err *err)
{
	lzma_filter filters[LZMA_FILTERS_MAX + 1];
	int rc;

	if (!lzma_check_is_supported(x->at.stream.flags->check))
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the xz file has a check of kind %d, which this liblzma does not know",
			(int)x->at.stream.flags->check);
	filters[0].id = LZMA_VLI_UNKNOWN;
	if (read_header(x, filters, err) < 0)
		return -1;
	rc = check_filters(x, filters, err) < 0 ? -1 : begin_decoder(x, err);
	lzma_filters_free(filters, NULL);
	x->block.filters = NULL; /* the decoder has its own */
	return rc;
}

/* Unpacks up to avail_out bytes; at the end of the block its check is looked at. */
static int decode(struct xz *x, struct sv_err *err)
{
	uint64_t end = x->at.block.compressed_file_offset + x->at.block.total_size;
	struct sv_err why = SV_ERR_INIT;
	size_t before = x->z.avail_out;
	lzma_ret rc = step(x, end, &why);

	if (why.code != SV_OK) {
		sv_err_copy(err, &why);
		return -1;
	}
	x->left -= before - x->z.avail_out;
	if (rc == LZMA_STREAM_END ? x->left == 0 : rc == LZMA_OK)
		return rc == LZMA_STREAM_END;
	return refuse(rc == LZMA_STREAM_END ? LZMA_DATA_ERROR : rc, sv_packed_pos(&x->in), err);
}

/* ---- the stream ---- */

static int xz_seek(struct sv_stream *s, uint64_t off, uint64_t *ret, struct sv_err *err)
{
	struct xz *x = of(s);

	lzma_index_iter_init(&x->at, x->index);
	if (lzma_index_iter_locate(&x->at, off))
		return sv_fail(err, SV_INTERNAL, NULL, "byte %llu is in no block of the file",
			(unsigned long long)off);
	if (begin_block(x, err) < 0)
		return -1;
	*ret = x->at.block.uncompressed_file_offset;
	return 0;
}

static int next_block(struct xz *x, struct sv_err *err)
{
	if (lzma_index_iter_next(&x->at, LZMA_INDEX_ITER_NONEMPTY_BLOCK))
		return sv_fail(err, SV_INTERNAL, NULL, "there is no block behind the last");
	return begin_block(x, err);
}

/* n bytes of this block; with its last one comes its end. */
static int take_from_block(struct xz *x, uint8_t *buf, size_t n, struct sv_err *err)
{
	bool last = n == x->left;
	int rc = 0;

	x->z.next_out = buf;
	x->z.avail_out = n;
	while (rc == 0 && (x->z.avail_out || last))
		rc = decode(x, err);
	return rc < 0 ? -1 : 0;
}

static int xz_next(struct sv_stream *s, void *buf, size_t n, struct sv_err *err)
{
	struct xz *x = of(s);
	uint8_t *out = buf;

	while (n) {
		size_t len;

		if (!x->left && next_block(x, err) < 0)
			return -1;
		len = (size_t)SV_MIN(x->left, (uint64_t)n);
		if (take_from_block(x, out, len, err) < 0)
			return -1;
		out += len;
		n -= len;
	}
	return 0;
}

static uint64_t xz_next_start(struct sv_stream *s, uint64_t off)
{
	lzma_index_iter i;

	lzma_index_iter_init(&i, of(s)->index);
	if (lzma_index_iter_locate(&i, off))
		return s->size;
	return i.block.uncompressed_file_offset + i.block.uncompressed_size;
}

static void xz_close(struct sv_stream *s)
{
	struct xz *x = of(s);

	lzma_index_end(x->index, NULL);
	lzma_end(&x->z);
	free(x);
}

static struct sv_stream *xz_open(struct sv_dev *file, struct sv_err *err)
{
	struct xz *x = calloc(1, sizeof *x);

	if (!x) {
		sv_fail_nomem(err);
		return NULL;
	}
	x->stream.kind = &sv_packed_xz;
	x->stream.file = x->in.file = file;
	x->z = (lzma_stream)LZMA_STREAM_INIT;
	if (read_index(x, err) < 0 || check_blocks(x, err) < 0) {
		sv_stream_close(&x->stream);
		return NULL;
	}
	x->stream.size = lzma_index_uncompressed_size(x->index);
	return &x->stream;
}

const struct sv_packed_kind sv_packed_xz = {
	.open = xz_open,
	.close = xz_close,
	.seek = xz_seek,
	.next = xz_next,
	.next_start = xz_next_start,
};
