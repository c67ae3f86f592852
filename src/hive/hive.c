/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opens a hive: the base block, the chain of hive bins, and the cells in them. The whole file
 * is in memory; a cell is a range of it that was checked.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <string.h>

/* Every bin begins where the one before it ends, and says so. */
static int check_bins(const struct sv_hive *h, struct sv_err *err)
{
	uint32_t size;

	for (uint32_t off = 0; off < h->base.bins_size; off += size) {
		uint64_t at = SV_REGF_BINS_AT + (uint64_t)off;
		struct sv_regf_disk_bin raw;

		memcpy(&raw, h->bytes + at, sizeof raw);
		size = sv_get_le32(raw.size);
		if (memcmp(raw.signature, "hbin", 4) != 0)
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"a hive bin begins with %02x%02x%02x%02x, expected 'hbin'",
				h->bytes[at], h->bytes[at + 1], h->bytes[at + 2],
				h->bytes[at + 3]);
		if (sv_get_le32(raw.offset) != off)
			return sv_fail_at(err, SV_CORRUPT, NULL,
				at + offsetof(struct sv_regf_disk_bin, offset),
				"a hive bin says that it lies at 0x%" PRIx32
				", it lies at 0x%" PRIx32,
				sv_get_le32(raw.offset), off);
		if (!size || size % 4096 || size > h->base.bins_size - off)
			return sv_fail_at(err, SV_CORRUPT, NULL,
				at + offsetof(struct sv_regf_disk_bin, size),
				"a hive bin has %" PRIu32
				" bytes, expected a multiple of 4096 up to %" PRIu32,
				size, h->base.bins_size - off);
	}
	return 0;
}

static int open_checked(const uint8_t *bytes, size_t n, struct sv_hive *h, struct sv_err *err)
{
	if (n > SV_REGF_BINS_AT + (size_t)SV_HIVE_SIZE_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"the hive has %zu bytes, the largest allowed is %u", n,
			SV_HIVE_SIZE_MAX);
	if (sv_regf_parse_base(bytes, n, &h->base, err) < 0)
		return -1;
	return sv_hive_dirty(h) ? 0 : check_bins(h, err);
}

int sv_hive_open(
	void *bytes, size_t n, const char *name, struct sv_hive **ret, struct sv_err *err)
{
	sv_autofree struct sv_hive *h = calloc(1, sizeof *h);
	sv_autofree char *own = strdup(name);

	if (!h || !own)
		return sv_fail_nomem(err);
	h->bytes = bytes;
	if (open_checked(bytes, n, h, err) < 0)
		return sv_err_path(err, name);
	h->name = SV_STEAL(own);
	*ret = SV_STEAL(h);
	return 0;
}

void sv_hive_close(struct sv_hive *h)
{
	if (!h)
		return;
	free(h->bytes);
	free(h->name);
	free(h);
}

bool sv_hive_dirty(const struct sv_hive *h)
{
	return h->base.sequence1 != h->base.sequence2;
}

int sv_regf_cell(const struct sv_hive *h, uint32_t offset, size_t least,
	struct sv_regf_cell *ret, struct sv_err *err)
{
	uint64_t at = SV_REGF_BINS_AT + (uint64_t)offset;
	uint32_t size;

	if (offset % 8 || !sv_in_range(offset, sizeof size, h->base.bins_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a cell lies at 0x%" PRIx32
			", expected a multiple of 8 below 0x%" PRIx32,
			offset, h->base.bins_size);
	size = 0 - sv_load_le32(h->bytes + at); /* negative: the cell is in use */
	if (size > INT32_MAX || size % 8 || size < sizeof size + least ||
		!sv_in_range(offset, size, h->base.bins_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a cell has the size field 0x%08" PRIx32
			", expected that of a cell in use with at least %zu bytes",
			sv_load_le32(h->bytes + at), least);
	*ret = (struct sv_regf_cell){
		.bytes = h->bytes + at + sizeof size,
		.n = size - sizeof size,
		.at = at + sizeof size,
	};
	return 0;
}

int sv_regf_load_key(
	const struct sv_hive *h, sv_hive_key key, struct sv_regf_key *ret, struct sv_err *err)
{
	struct sv_regf_cell cell;

	if (sv_regf_cell(h, key, sizeof(struct sv_regf_disk_key), &cell, err) < 0)
		return -1;
	if (sv_regf_parse_key(cell.bytes, cell.n, ret, err) < 0)
		return sv_err_shift(err, cell.at);
	return 0;
}

int sv_regf_spend(uint64_t *budget, uint64_t cost, uint64_t at, struct sv_err *err)
{
	if (cost > *budget)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a list leads to more bytes than the hive has");
	*budget -= cost;
	return 0;
}

int sv_hive_root(struct sv_hive *h, sv_hive_key *ret, struct sv_err *err)
{
	struct sv_regf_key k;

	if (sv_regf_load_key(h, h->base.root, &k, err) < 0)
		return sv_err_path(err, h->name);
	*ret = h->base.root;
	return 0;
}
