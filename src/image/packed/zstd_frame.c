/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parses headers of zstd frames and blocks, and the footer of a seek table: zstd_frame.h. */
#include "image/packed/zstd_frame.h"

#include "base/num.h"

#include <string.h>

#define FLAG_SINGLE    0x20
#define FLAG_RESERVED  0x08
#define FLAG_CHECKSUM  0x04
#define SEEK_CHECKSUMS 0x80
#define SEEK_RESERVED  0x7c
#define BLOCK_RLE      1
#define BLOCK_RESERVED 3

/* n bytes, little endian. */
static uint64_t number(const uint8_t *bytes, unsigned n)
{
	uint64_t value = 0;

	for (unsigned i = n; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

/* RFC 8878, 3.1.1.1.2 */
static uint64_t window_size(uint8_t descriptor)
{
	unsigned log = 10 + (descriptor >> 3);
	uint64_t base = UINT64_C(1) << log;

	return base + (base >> 3) * (descriptor & 7);
}

static int refuse_short(size_t n, uint64_t needed, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"the header of a zstd frame takes %llu bytes, %zu are there",
		(unsigned long long)needed, n);
}

static int parse_skippable(
	const uint8_t *bytes, size_t n, struct sv_zstd_frame *ret, struct sv_err *err)
{
	if (n < SV_ZSTD_SKIP_HEADER)
		return refuse_short(n, SV_ZSTD_SKIP_HEADER, err);
	*ret = (struct sv_zstd_frame){.skippable = true,
		.header = SV_ZSTD_SKIP_HEADER,
		.content = number(bytes + 4, 4)};
	return 0;
}

/* Behind the magic and the descriptor: window, dictionary, size. */
static int parse_fields(
	const uint8_t *bytes, size_t n, struct sv_zstd_frame *ret, struct sv_err *err)
{
	static const uint8_t id_sizes[] = {0, 1, 2, 4}, content_sizes[] = {0, 2, 4, 8};
	uint8_t flags = bytes[4];
	bool single = flags & FLAG_SINGLE;
	unsigned n_id = id_sizes[flags & 3], n_content = content_sizes[flags >> 6];
	size_t at = 5;

	if (!n_content && single)
		n_content = 1;
	ret->header = at + !single + n_id + n_content;
	if (n < ret->header)
		return refuse_short(n, ret->header, err);
	if (!single)
		ret->window = window_size(bytes[at++]);
	ret->dictionary = (uint32_t)number(bytes + at, n_id);
	at += n_id;
	ret->content = n_content ? number(bytes + at, n_content) : SV_ZSTD_SIZE_UNKNOWN;
	if (n_content == 2)
		ret->content += 256;
	if (single)
		ret->window = ret->content;
	return 0;
}

int sv_zstd_frame_parse(
	const uint8_t *bytes, size_t n, struct sv_zstd_frame *ret, struct sv_err *err)
{
	struct sv_zstd_frame frame = {0};
	uint32_t magic;

	if (n < 5)
		return refuse_short(n, 5, err);
	magic = (uint32_t)number(bytes, 4);
	if ((magic & ~0xfU) == SV_ZSTD_SKIP_MAGIC)
		return parse_skippable(bytes, n, ret, err);
	if (magic != SV_ZSTD_MAGIC)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"no zstd frame begins here: the magic is 0x%08x, not 0x%08x", magic,
			SV_ZSTD_MAGIC);
	if (bytes[4] & FLAG_RESERVED)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 4,
			"the zstd frame has a reserved flag (0x%02x)", bytes[4]);
	frame.checksum = bytes[4] & FLAG_CHECKSUM;
	if (parse_fields(bytes, n, &frame, err) < 0)
		return -1;
	*ret = frame;
	return 0;
}

int sv_zstd_block_parse(const uint8_t bytes[SV_ZSTD_BLOCK_HEADER], struct sv_zstd_block *ret,
	struct sv_err *err)
{
	uint32_t header = (uint32_t)number(bytes, 3), kind = header >> 1 & 3,
		 size = header >> 3;

	if (kind == BLOCK_RESERVED)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the zstd block is of kind 3, which there is not");
	if (size > SV_ZSTD_BLOCK_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the zstd block has %u bytes, the most possible are %u", size,
			SV_ZSTD_BLOCK_MAX);
	*ret = (struct sv_zstd_block){header & 1, kind == BLOCK_RLE ? 1 : size};
	return 0;
}

int sv_zstd_seek_parse(const uint8_t bytes[SV_ZSTD_SEEK_FOOTER], bool *ret_found,
	struct sv_zstd_seek_table *ret, struct sv_err *err)
{
	struct sv_zstd_disk_footer f;
	struct sv_zstd_seek_table table;

	memcpy(&f, bytes, sizeof f);
	*ret_found = sv_get_le32(f.magic) == SV_ZSTD_SEEK_MAGIC;
	if (!*ret_found)
		return 0;
	table.frames = sv_get_le32(f.frames);
	table.entry = f.flags & SEEK_CHECKSUMS ? 12 : 8;
	table.size = SV_ZSTD_SKIP_HEADER + (uint64_t)table.frames * table.entry + sizeof f;
	if (f.flags & SEEK_RESERVED)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 4,
			"the seek table of the zstd file has a reserved flag (0x%02x)",
			f.flags);
	if (table.frames > SV_ZSTD_SEEK_MAX)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, 0,
			"the seek table of the zstd file has %u frames, the most allowed are %u",
			table.frames, SV_ZSTD_SEEK_MAX);
	*ret = table;
	return 0;
}
