/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ways of joining devices. The input (16 bytes): way or level, number of parts, layout (4),
 * chunk in sectors (2), which parts are missing (2), bytes of a part in KiB (2), difference
 * between the parts in KiB (1), then what of the size is asked for. The parts' bytes tell
 * where they lie, so a linear or striped device is known byte by byte.
 */
#include "members.h"

#include "volume/join.h"
#include "volume/raid.h"

enum { PARTS = 12, HEAD = 16, LINEAR = 200, STRIPED, MIRRORED, NONE };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct input {
	unsigned way;
	size_t n;
	struct sv_dev *parts[PARTS];
	uint64_t chunk, total, least;
	unsigned layout;
};

static void make_parts(struct input *in, const uint8_t *b)
{
	uint64_t kib = 1 + sv_load_le16(b + 10) % 200;

	in->least = UINT64_MAX;
	for (size_t i = 0; i < in->n; i++) {
		uint64_t size = (kib + i * (b[12] % 9)) * 1024;

		in->parts[i] = blank(size);
		for (uint64_t at = 0; at < size; at += 512) {
			uint8_t mark[8];

			sv_store_le64(mark, i << 56 | at);
			put(in->parts[i], at, mark, sizeof mark);
		}
		in->total += size;
		in->least = SV_MIN(in->least, size);
	}
}

/* What is written comes back, from the device and in the same place of it. */
static void write_and_read(struct sv_dev *d)
{
	static const char text[] = "over the seams";
	uint64_t size = sv_dev_size(d), at = size / 2;
	struct sv_err err = SV_ERR_INIT;
	char back[sizeof text];

	if (!d->writable || size < 2 * sizeof text)
		return;
	MUST(sv_dev_write(d, text, sizeof text, at, &err) == 0);
	MUST(sv_dev_read(d, back, sizeof back, at, &err) == 0);
	MUST(memcmp(text, back, sizeof back) == 0);
	MUST(sv_dev_flush(d, &err) == 0);
}

static struct sv_dev *open_joined(struct input *in, uint64_t size, struct sv_err *err)
{
	struct sv_raid r = {.level = in->way,
		.layout = in->layout,
		.chunk = in->chunk,
		.part_size = in->least,
		.parts = in->parts,
		.n = in->n};

	switch (in->way) {
	case LINEAR:
		return sv_join_linear(in->parts, in->n, "linear", err);
	case STRIPED:
		return sv_join_striped(in->parts, in->n, in->chunk, size, "striped", err);
	case MIRRORED:
		return sv_join_mirrored(
			in->parts, in->n, SV_MIN(size, in->least), "mirror", err);
	case NONE:
		return size & 1 ? sv_join_missing(size, "missing", "it is not here", err)
				: sv_join_zeros(size, "zeros", err);
	default:
		MUST(in->way != 0 || in->chunk == 0 || sv_raid_size(&r) <= in->total);
		return sv_raid_open(&r, size ? size : sv_raid_size(&r), "raid", err);
	}
}

static void lose(struct input *in, uint16_t mask)
{
	for (size_t i = 0; i < in->n && in->way != LINEAR && in->way != STRIPED; i++) {
		if (!(mask >> i & 1))
			continue;
		sv_dev_close(in->parts[i]);
		in->parts[i] = NULL;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct input in = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d;
	uint64_t size;

	if (n < HEAD)
		return 0;
	in.way = bytes[0];
	in.n = bytes[1] % (PARTS + 1);
	in.layout = sv_load_le32(bytes + 2);
	in.chunk = sv_load_le16(bytes + 6) * (in.way == STRIPED ? 1u : 512u);
	make_parts(&in, bytes);
	lose(&in, sv_load_le16(bytes + 8));
	size = in.total * bytes[13] / 255;
	d = open_joined(&in, size, &err);
	must_tell(d ? 0 : -1, &err);
	if (d) {
		read_places(d);
		write_and_read(d);
	}
	sv_dev_close(d);
	for (size_t i = 0; i < in.n; i++)
		sv_dev_close(in.parts[i]);
	return 0;
}
