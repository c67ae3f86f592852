/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opens a hive: its base block and first bin; and gives out cells, each a range of a bin that
 * was checked. Other bins are not looked at: to check all headers of a hive is to read it
 * whole.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <string.h>

static int check_first_bin(const struct sv_hive *h, struct sv_err *err)
{
	struct sv_regf_disk_bin raw;
	uint32_t size;

	if (sv_regf_read(h, SV_REGF_BINS_AT, &raw, sizeof raw, err) < 0)
		return -1;
	size = sv_get_le32(raw.size);
	if (memcmp(raw.signature, "hbin", 4) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, SV_REGF_BINS_AT,
			"a hive bin begins with 0x%08" PRIx32 ", expected 'hbin'",
			sv_load_be32(raw.signature));
	if (sv_get_le32(raw.offset) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			SV_REGF_BINS_AT + offsetof(struct sv_regf_disk_bin, offset),
			"the first hive bin says that it lies at 0x%" PRIx32,
			sv_get_le32(raw.offset));
	if (!size || size % 4096 || size > h->base.bins_size)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			SV_REGF_BINS_AT + offsetof(struct sv_regf_disk_bin, size),
			"a hive bin has %" PRIu32
			" bytes, expected a multiple of 4096 up to %" PRIu32,
			size, h->base.bins_size);
	return 0;
}

static int open_checked(struct sv_hive *h, struct sv_err *err)
{
	uint8_t base[SV_REGF_BASE_SIZE] = {0};
	uint64_t size = sv_dev_size(h->dev);

	if (sv_regf_read(h, 0, base, (size_t)SV_MIN(sizeof base, size), err) < 0 ||
		sv_regf_parse_base(base, size, &h->base, err) < 0)
		return -1;
	return sv_hive_dirty(h) ? 0 : check_first_bin(h, err);
}

int sv_hive_open(struct sv_dev *dev, struct sv_hive **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_hive_closep) struct sv_hive *h = calloc(1, sizeof *h);

	if (!h)
		return sv_fail_nomem(err);
	h->dev = sv_dev_ref(dev);
	h->pages = sv_regf_pages_new(dev, err);
	if (!h->pages)
		return -1;
	if (open_checked(h, err) < 0)
		return sv_err_path(err, sv_dev_name(dev));
	*ret = SV_STEAL(h);
	return 0;
}

void sv_hive_close(struct sv_hive *h)
{
	if (!h)
		return;
	sv_regf_pages_free(h->pages);
	sv_dev_close(h->dev);
	free(h);
}

bool sv_hive_dirty(const struct sv_hive *h)
{
	return h->base.sequence1 != h->base.sequence2;
}

void sv_regf_cell_free(struct sv_regf_cell *c)
{
	free(c->bytes);
	*c = (struct sv_regf_cell){0};
}

static int check_cell(const struct sv_hive *h, uint32_t offset, size_t least,
	uint32_t size_field, struct sv_err *err)
{
	uint64_t at = SV_REGF_BINS_AT + (uint64_t)offset;
	uint32_t size = 0 - size_field; /* negative: the cell is in use */

	if (size > INT32_MAX || size % 8 || size < sizeof size + least ||
		!sv_in_range(offset, size, h->base.bins_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a cell has the size field 0x%08" PRIx32
			", expected that of a cell in use with at least %zu bytes",
			size_field, least);
	return 0;
}

int sv_regf_cell(const struct sv_hive *h, uint32_t offset, size_t least, size_t most,
	struct sv_regf_cell *ret, struct sv_err *err)
{
	uint64_t at = SV_REGF_BINS_AT + (uint64_t)offset;
	sv_autocell struct sv_regf_cell c = {.at = at + 4};
	uint8_t field[4];

	if (offset % 8 || !sv_in_range(offset, sizeof field, h->base.bins_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a cell lies at 0x%" PRIx32
			", expected a multiple of 8 below 0x%" PRIx32,
			offset, h->base.bins_size);
	if (sv_regf_read(h, at, field, sizeof field, err) < 0 ||
		check_cell(h, offset, least, sv_load_le32(field), err) < 0)
		return -1;
	c.n = SV_MIN((size_t)(0 - sv_load_le32(field)) - sizeof field, most);
	c.bytes = malloc(c.n + 1);
	if (!c.bytes)
		return sv_fail_nomem(err);
	if (sv_regf_read(h, c.at, c.bytes, c.n, err) < 0)
		return -1;
	*ret = c;
	c.bytes = NULL;
	return 0;
}

void sv_regf_node_free(struct sv_regf_node *n)
{
	sv_regf_cell_free(&n->cell);
}

int sv_regf_load_key(
	const struct sv_hive *h, sv_hive_key key, struct sv_regf_node *ret, struct sv_err *err)
{
	sv_autonode struct sv_regf_node n = {0};

	if (sv_regf_cell(h, key, sizeof(struct sv_regf_disk_key),
		    sizeof(struct sv_regf_disk_key) + SV_REGF_NAME_MAX, &n.cell, err) < 0)
		return -1;
	if (sv_regf_parse_key(n.cell.bytes, n.cell.n, &n.key, err) < 0)
		return sv_err_shift(err, n.cell.at);
	*ret = n;
	n.cell.bytes = NULL;
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
	sv_autonode struct sv_regf_node n = {0};

	if (sv_regf_load_key(h, h->base.root, &n, err) < 0)
		return sv_err_path(err, sv_dev_name(h->dev));
	*ret = h->base.root;
	return 0;
}
