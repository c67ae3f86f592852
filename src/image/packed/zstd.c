/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * zstd (RFC 8878): one can begin at each frame. Where they are, and how large, tells the seek
 * table at the end; without one the headers of all frames and blocks are gone through, and a
 * frame that does not tell its size is unpacked once. zstd makes one frame of a whole file;
 * pzstd, t2sz, zstd's seekable format and `cat` make many. A frame's size and checksum are
 * looked at when its last byte is unpacked; a seek table that lies is found out there.
 */
#include "image/packed/packed.h"
#include "image/packed/zstd_frame.h"

#include <string.h>
#include <zstd.h>

#define WINDOW_LOG_MAX 26 /* SV_PACKED_WINDOW_MAX */
#define HINT_BLOCKS    "unpack it, and open the disk image that is in it: zstd -d IN"

struct start {
	uint64_t in, out;
};

struct zstd {
	struct sv_stream stream;
	ZSTD_DCtx *z;
	struct start *starts; /* of frames that hold something; ends with that of the end */
	size_t n_starts, room;
	size_t at;     /* the frame that is being unpacked */
	uint64_t left; /* bytes of it to come */
	struct sv_packed_in in;
};

static struct zstd *of(struct sv_stream *s)
{
	return (struct zstd *)s;
}

/* ---- frames ---- */

static int add_start(struct zstd *z, uint64_t in, uint64_t out, struct sv_err *err)
{
	struct start *grown;

	if (z->n_starts == z->room) {
		size_t room = SV_MAX(2 * z->room, (size_t)64);

		if (room > 2 * SV_ZSTD_SEEK_MAX) {
			sv_fail_at(err, SV_UNSUPPORTED, NULL, in,
				"the zstd file has more than %u frames", SV_ZSTD_SEEK_MAX);
			return sv_hint(err, HINT_BLOCKS);
		}
		grown = realloc(z->starts, room * sizeof *grown);
		if (!grown)
			return sv_fail_nomem(err);
		z->starts = grown;
		z->room = room;
	}
	z->starts[z->n_starts++] = (struct start){in, out};
	return 0;
}

/* A frame at `in` of `content` bytes, behind those before. */
static int add_frame(struct zstd *z, uint64_t in, uint64_t content, struct sv_err *err)
{
	if (!content)
		return 0;
	if (content > SV_PACKED_ZSTD_FRAME_MAX) {
		sv_fail_at(err, SV_UNSUPPORTED, NULL, in,
			"a frame of the zstd file has %llu bytes, unpacked; up to %llu are read in "
			"place",
			(unsigned long long)content,
			(unsigned long long)SV_PACKED_ZSTD_FRAME_MAX);
		return sv_hint(err, HINT_BLOCKS);
	}
	if (add_start(z, in, z->stream.size, err) < 0)
		return -1;
	z->stream.size += content;
	return 0;
}

/* ---- the seek table ---- */

static int take_entries(struct zstd *z, const struct sv_zstd_seek_table *t,
	const uint8_t *entries, uint64_t end, struct sv_err *err)
{
	uint64_t in = 0;

	for (uint32_t i = 0; i < t->frames; i++) {
		const uint8_t *e = entries + (size_t)i * t->entry;
		struct {
			sv_le32 packed, content;
		} disk;

		memcpy(&disk, e, sizeof disk);
		if (add_frame(z, in, sv_get_le32(disk.content), err) < 0)
			return -1;
		in += sv_get_le32(disk.packed);
	}
	if (in != end)
		return sv_fail_at(err, SV_CORRUPT, NULL, end,
			"the frames of the zstd file's seek table end at byte %llu, the table "
			"begins at %llu",
			(unsigned long long)in, (unsigned long long)end);
	return add_start(z, end, z->stream.size, err);
}

static int read_table(struct zstd *z, const struct sv_zstd_seek_table *t, struct sv_err *err)
{
	uint64_t size = sv_dev_size(z->in.file), at = size - SV_MIN(t->size, size);
	sv_autofree uint8_t *bytes = malloc((size_t)t->size); /* at most 3 MiB */
	struct sv_zstd_frame frame;

	if (!bytes)
		return sv_fail_nomem(err);
	if (t->size > size)
		return sv_fail_at(err, SV_CORRUPT, NULL, size - SV_ZSTD_SEEK_FOOTER,
			"the seek table of the zstd file is larger than the file");
	if (sv_dev_read(z->in.file, bytes, (size_t)t->size, at, err) < 0)
		return -1;
	if (sv_zstd_frame_parse(bytes, (size_t)t->size, &frame, err) < 0)
		return sv_err_shift(err, at);
	if (!frame.skippable || bytes[0] != (uint8_t)SV_ZSTD_SEEK_SKIP_MAGIC ||
		frame.content != t->size - SV_ZSTD_SKIP_HEADER)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"the seek table of the zstd file does not begin where its size says");
	return take_entries(z, t, bytes + SV_ZSTD_SKIP_HEADER, at, err);
}

/* ---- without one ---- */

/* The place behind the frame. */
static int walk_blocks(struct zstd *z, const struct sv_zstd_frame *f, uint64_t at,
	uint64_t *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(z->in.file), pos = at + f->header;
	struct sv_zstd_block block = {0};
	uint8_t header[SV_ZSTD_BLOCK_HEADER];

	while (!block.last) {
		for (size_t i = 0; i < sizeof header; i++) {
			sv_packed_go(&z->in, pos + i);
			if (sv_packed_fill(&z->in, size, err) < 0)
				return -1;
			if (z->in.n == z->in.used)
				return sv_fail_at(err, SV_CORRUPT, NULL, size,
					"the zstd file is cut off: it ends within a frame");
			header[i] = z->in.bytes[z->in.used];
		}
		if (sv_zstd_block_parse(header, &block, err) < 0)
			return sv_err_shift(err, pos);
		pos += sizeof header + block.stored;
	}
	pos += f->checksum ? 4 : 0;
	if (pos > size)
		return sv_fail_at(err, SV_CORRUPT, NULL, size,
			"the zstd file is cut off: a frame ends at byte %llu",
			(unsigned long long)pos);
	*ret = pos;
	return 0;
}

static int refuse_frame(const struct sv_zstd_frame *f, uint64_t at, struct sv_err *err)
{
	if (f->dictionary)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, at,
			"the zstd file was packed with a dictionary (id %u), which is not here",
			f->dictionary);
	sv_fail_at(err, SV_UNSUPPORTED, NULL, at,
		"unpacking the zstd file takes %llu MiB of memory, %llu are allowed",
		(unsigned long long)(f->window / SV_MIB), SV_PACKED_WINDOW_MAX / SV_MIB);
	return sv_hint(err, "unpack it, and open the disk image that is in it: zstd -d "
			    "--long=31 IN");
}

static int refuse_data(size_t rc, uint64_t pos, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, pos, "the zstd file is damaged: %s",
		ZSTD_getErrorName(rc));
}

/* One call of libzstd, on bytes up to `end`. 1: the frame is through. */
static int decode(struct zstd *z, ZSTD_outBuffer *out, uint64_t end, struct sv_err *err)
{
	size_t rc, before = out->pos;
	ZSTD_inBuffer in;

	if (sv_packed_fill(&z->in, end, err) < 0)
		return -1;
	in = (ZSTD_inBuffer){z->in.bytes, z->in.n, z->in.used};
	rc = ZSTD_decompressStream(z->z, out, &in);
	if (ZSTD_isError(rc))
		return refuse_data(rc, sv_packed_pos(&z->in), err);
	if (rc && in.pos == z->in.used && out->pos == before && out->pos < out->size)
		return sv_fail_at(err, SV_CORRUPT, NULL, sv_packed_pos(&z->in),
			"the zstd frame ends before it is through");
	z->in.used = in.pos;
	return rc == 0;
}

static int begin(struct zstd *z, uint64_t in, struct sv_err *err)
{
	size_t rc = ZSTD_DCtx_reset(z->z, ZSTD_reset_session_only);

	sv_packed_go(&z->in, in);
	return ZSTD_isError(rc) ? refuse_data(rc, in, err) : 0;
}

/* Bytes of a frame that does not tell them. */
static int count_content(
	struct zstd *z, uint64_t at, uint64_t end, uint64_t *ret, struct sv_err *err)
{
	sv_autofree uint8_t *bin = malloc(SV_PACKED_PAGE);
	uint64_t n = 0;
	int rc = 0;

	if (!bin)
		return sv_fail_nomem(err);
	if (begin(z, at, err) < 0)
		return -1;
	while (rc == 0 && n <= SV_PACKED_ZSTD_FRAME_MAX &&
		z->stream.size + n <= SV_PACKED_SCAN_MAX) {
		ZSTD_outBuffer out = {bin, SV_PACKED_PAGE, 0};

		rc = decode(z, &out, end, err);
		n += out.pos;
	}
	if (rc == 0) {
		sv_fail_at(err, SV_UNSUPPORTED, NULL, at,
			"a frame of the zstd file does not tell its size, and has more than is "
			"read in place");
		return sv_hint(err, HINT_BLOCKS);
	}
	*ret = n;
	return rc < 0 ? -1 : 0;
}

static int walk_frame(struct zstd *z, uint64_t at, uint64_t *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(z->in.file), end = at;
	uint8_t bytes[SV_ZSTD_HEADER_MAX];
	size_t n = (size_t)SV_MIN(size - at, sizeof bytes);
	struct sv_zstd_frame f;

	if (sv_dev_read(z->in.file, bytes, n, at, err) < 0)
		return -1;
	if (sv_zstd_frame_parse(bytes, n, &f, err) < 0)
		return sv_err_shift(err, at);
	if (f.skippable) {
		*ret = at + f.header + f.content;
		return *ret <= size ? 0
				    : sv_fail_at(err, SV_CORRUPT, NULL, at,
					      "a skippable frame goes beyond the file's end");
	}
	if (f.dictionary || f.window > SV_PACKED_WINDOW_MAX)
		return refuse_frame(&f, at, err);
	if (walk_blocks(z, &f, at, &end, err) < 0 ||
		(f.content == SV_ZSTD_SIZE_UNKNOWN &&
			count_content(z, at, end, &f.content, err) < 0) ||
		add_frame(z, at, f.content, err) < 0)
		return -1;
	*ret = end;
	return 0;
}

static int walk_frames(struct zstd *z, struct sv_err *err)
{
	uint64_t size = sv_dev_size(z->in.file), at = 0;

	while (at < size) {
		if (walk_frame(z, at, &at, err) < 0)
			return -1;
	}
	return add_start(z, size, z->stream.size, err);
}

/* ---- the stream ---- */

static int begin_frame(struct zstd *z, size_t i, struct sv_err *err)
{
	z->at = i;
	z->left = z->starts[i + 1].out - z->starts[i].out;
	return begin(z, z->starts[i].in, err);
}

/* The frame that has the byte at off. */
static size_t frame_at(const struct zstd *z, uint64_t off)
{
	size_t low = 0, high = z->n_starts - 1;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (z->starts[middle].out <= off)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int zstd_seek(struct sv_stream *s, uint64_t off, uint64_t *ret, struct sv_err *err)
{
	struct zstd *z = of(s);

	if (begin_frame(z, frame_at(z, off), err) < 0)
		return -1;
	*ret = z->starts[z->at].out;
	return 0;
}

static int refuse_length(const struct zstd *z, const char *what, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, z->starts[z->at].in,
		"the zstd frame unpacks to %s than the %llu bytes that it should", what,
		(unsigned long long)(z->starts[z->at + 1].out - z->starts[z->at].out));
}

/* n bytes of this frame; with its last one comes its end: its checksum, and no byte more. */
static int take_from_frame(struct zstd *z, uint8_t *buf, size_t n, struct sv_err *err)
{
	uint64_t end = z->starts[z->at + 1].in;
	ZSTD_outBuffer out = {buf, n, 0};
	uint8_t more;
	int rc = 0;

	while (rc == 0 && out.pos < n)
		rc = decode(z, &out, end, err);
	if (rc < 0)
		return -1;
	z->left -= n;
	if (out.pos < n || (rc && z->left))
		return refuse_length(z, "fewer", err);
	out = (ZSTD_outBuffer){&more, 1, 0};
	while (rc == 0 && !z->left && !out.pos)
		rc = decode(z, &out, end, err);
	if (rc >= 0 && out.pos)
		return refuse_length(z, "more", err);
	return rc < 0 ? -1 : 0;
}

static int zstd_next(struct sv_stream *s, void *buf, size_t n, struct sv_err *err)
{
	struct zstd *z = of(s);
	uint8_t *out = buf;

	while (n) {
		size_t len;

		if (!z->left && begin_frame(z, z->at + 1, err) < 0)
			return -1;
		len = (size_t)SV_MIN(z->left, (uint64_t)n);
		if (take_from_frame(z, out, len, err) < 0)
			return -1;
		out += len;
		n -= len;
	}
	return 0;
}

static uint64_t zstd_next_start(struct sv_stream *s, uint64_t off)
{
	const struct zstd *z = of(s);

	return off < s->size ? z->starts[frame_at(z, off) + 1].out : s->size;
}

static void zstd_close(struct sv_stream *s)
{
	struct zstd *z = of(s);

	ZSTD_freeDCtx(z->z);
	free(z->starts);
	free(z);
}

static int find_frames(struct zstd *z, struct sv_err *err)
{
	uint64_t size = sv_dev_size(z->in.file);
	uint8_t footer[SV_ZSTD_SEEK_FOOTER];
	struct sv_zstd_seek_table table;
	bool found = false;

	if (size > sizeof footer) {
		if (sv_dev_read(z->in.file, footer, sizeof footer, size - sizeof footer, err) <
			0)
			return -1;
		if (sv_zstd_seek_parse(footer, &found, &table, err) < 0)
			return sv_err_shift(err, size - sizeof footer);
	}
	return found ? read_table(z, &table, err) : walk_frames(z, err);
}

static struct sv_stream *zstd_open(struct sv_dev *file, struct sv_err *err)
{
	struct zstd *z = calloc(1, sizeof *z);

	if (!z) {
		sv_fail_nomem(err);
		return NULL;
	}
	z->stream.kind = &sv_packed_zstd;
	z->stream.file = z->in.file = file;
	z->z = ZSTD_createDCtx();
	if (!z->z ||
		ZSTD_isError(ZSTD_DCtx_setParameter(z->z, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
		sv_fail_nomem(err);
	else if (find_frames(z, err) == 0)
		return &z->stream;
	sv_stream_close(&z->stream);
	return NULL;
}

const struct sv_packed_kind sv_packed_zstd = {
	.open = zstd_open,
	.close = zstd_close,
	.seek = zstd_seek,
	.next = zstd_next,
	.next_start = zstd_next_start,
};
