/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What Windows packed. The first byte says what the rest is: 0 to 3 a chunk of that format, of
 * the size that the next two bytes tell; 4 a reparse point; 5 a table: sizes and the index of a
 * chunk (8 bytes each), then the two entries.
 */
#include "base/num.h"
#include "fs/ntfs/wof.h"

#include <stdio.h>
#include <stdlib.h>

#define MUST(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);             \
			abort();                                                               \
		}                                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { POINT = 4, TABLE = 5 };

static void unpack(unsigned format, const uint8_t *bytes, size_t n)
{
	static const uint32_t chunks[] = {4096, 32768, 8192, 16384};
	struct sv_wof_codes *codes = calloc(1, sizeof *codes);
	struct sv_err err = SV_ERR_INIT;
	size_t out_n;
	uint8_t *in, *out;
	int rc;

	MUST(codes && n >= 2);
	out_n = sv_load_le16(bytes) % chunks[format] + 1;
	in = malloc(n - 2 ? n - 2 : 1); /* of their exact sizes */
	out = malloc(out_n);
	MUST(in && out);
	memcpy(in, bytes + 2, n - 2);
	rc = (format == 1 ? sv_lzx_unpack : sv_xpress_unpack)(
		codes, in, n - 2, out, out_n, &err);
	MUST(rc == 0 || (err.code == SV_CORRUPT && err.has_offset));
	free(in);
	free(out);
	free(codes);
}

static void parse_table(const uint8_t *bytes, size_t n)
{
	struct sv_wof_table t = {.chunk = 4096};
	struct sv_err err = SV_ERR_INIT;
	struct sv_wof_chunk c;

	if (n < 40)
		return;
	t.size = sv_load_le64(bytes) % (1ull << 62);
	t.packed = sv_load_le64(bytes + 8) % (1ull << 62);
	if (sv_wof_parse_chunk(&t, sv_load_le64(bytes + 16), bytes + 24, &c, &err) == 0)
		MUST(sv_in_range(c.off, c.n, t.packed) && c.n && c.n <= c.plain &&
			c.plain <= t.chunk);
	else
		MUST(err.code == SV_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct sv_wof_format *f;
	struct sv_err err = SV_ERR_INIT;

	if (n < 3)
		return 0;
	if (bytes[0] % 6 < POINT)
		unpack(bytes[0] % 6, bytes + 1, n - 1);
	else if (bytes[0] % 6 == TABLE)
		parse_table(bytes + 1, n - 1);
	else if (sv_wof_parse_point(bytes + 1, n - 1, &f, &err) < 0)
		MUST(err.code == SV_CORRUPT || err.code == SV_UNSUPPORTED);
	return 0;
}
