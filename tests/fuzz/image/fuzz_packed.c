/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packed raw disks: gzip, xz and zstd streams by their magic, and the headers of zstd by
 * themselves. What one can unpack from its beginning, one can unpack from any start on, to the
 * same bytes.
 */
#include "image/packed/packed.h"
#include "image/packed/zstd_frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define INPUT_MAX (16U << 10)
#define READ_MAX  (4 * SV_MIB) /* of what it unpacks to */

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

/* ---- headers ---- */

static void parse_headers(const uint8_t *bytes, size_t n)
{
	struct sv_zstd_seek_table table;
	struct sv_err err = SV_ERR_INIT;
	struct sv_zstd_frame frame;
	struct sv_zstd_block block;
	bool found;

	if (sv_zstd_frame_parse(bytes, n, &frame, &err) < 0)
		must_say(&err);
	else
		require(frame.header <= n && frame.header <= SV_ZSTD_HEADER_MAX);
	if (n >= SV_ZSTD_BLOCK_HEADER && sv_zstd_block_parse(bytes, &block, &err) == 0)
		require(block.stored <= SV_ZSTD_BLOCK_MAX);
	if (n < SV_ZSTD_SEEK_FOOTER)
		return;
	if (sv_zstd_seek_parse(bytes + n - SV_ZSTD_SEEK_FOOTER, &found, &table, &err) < 0)
		must_say(&err);
	else
		require(!found || table.size <= 13 * (uint64_t)SV_ZSTD_SEEK_MAX);
}

/* ---- streams ---- */

static bool take(struct sv_stream *s, uint8_t *buf, uint64_t from, uint64_t to)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t at = 0;

	if (s->kind->seek(s, from, &at, &err) < 0) {
		must_say(&err);
		return false;
	}
	require(at <= from);
	while (at < to) {
		size_t n = (size_t)SV_MIN(to - at, UINT64_C(7777));

		if (s->kind->next(s, buf + at, n, &err) < 0) {
			must_say(&err);
			return false;
		}
		at += n;
	}
	return true;
}

/* From its beginning, then from each start. */
static void read_twice(struct sv_stream *s)
{
	uint8_t *whole = calloc(1, READ_MAX), *again = calloc(1, READ_MAX);
	uint64_t next;

	require(whole && again);
	if (take(s, whole, 0, s->size)) {
		for (uint64_t off = 0; off < s->size; off = next) {
			next = s->kind->next_start(s, off);
			require(next > off && next <= s->size);
			require(take(s, again, off, next));
			require(!memcmp(whole + off, again + off, next - off));
		}
	}
	free(whole);
	free(again);
}

static void try_stream(const struct sv_packed_kind *kind, struct sv_dev *file)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_stream *s = kind->open(file, &err);

	if (!s) {
		must_say(&err);
		return;
	}
	if (s->size && s->size <= READ_MAX)
		read_twice(s);
	sv_stream_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_dev *file;

	if (!n || n > INPUT_MAX)
		return 0;
	parse_headers(bytes, n);
	file = sv_mem_open(bytes, n, false, "input", NULL);
	require(file);
	if (bytes[0] == 0x1f)
		try_stream(&sv_packed_gzip, file);
	else if (bytes[0] == 0xfd)
		try_stream(&sv_packed_xz, file);
	else
		try_stream(&sv_packed_zstd, file);
	sv_dev_close(file);
	return 0;
}
