/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opens a hive: its base block, what its logs hold, and the first key; and gives out cells,
 * each a range of the bins that was checked. The headers of bins are not looked at: to check
 * them all is to read the hive whole.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <string.h>

#define FIRST_CELL 32 /* behind the header of the first bin: where the root usually lies */

/* ---- opening ---- */

/* What can be guessed of a hive whose base block is lost. */
static int guess_base(struct sv_hive *h, struct sv_err *err)
{
	uint64_t size = sv_dev_size(h->dev);
	struct sv_regf_disk_bin bin;

	if (size < SV_REGF_BINS_AT + 4096 ||
		sv_dev_read(h->dev, &bin, sizeof bin, SV_REGF_BINS_AT, NULL) < 0 ||
		memcmp(bin.signature, "hbin", 4) != 0)
		return -1; /* the error about the base block stays */
	sv_regf_problem(&h->state, "its base block is damaged (%s)", err ? err->message : "");
	h->base = (struct sv_regf_base){
		.minor = 5,
		.root = FIRST_CELL,
		.bins_size = (uint32_t)SV_MIN(size - SV_REGF_BINS_AT, (uint64_t)INT32_MAX),
	};
	return 0;
}

/* 0: *ret_known tells whether h->base is worth anything; -1: it is no hive. */
static int read_base(struct sv_hive *h, bool *ret_known, struct sv_err *err)
{
	uint8_t bytes[SV_REGF_BASE_SIZE] = {0};
	uint64_t size = sv_dev_size(h->dev);

	if (size < SV_REGF_BINS_AT)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"no registry hive: it has %" PRIu64 " bytes, expected at least %d",
			size, SV_REGF_BINS_AT);
	if (sv_dev_read(h->dev, bytes, sizeof bytes, 0, err) < 0)
		return -1;
	*ret_known = sv_regf_parse_base(bytes, &h->base, err) == 0;
	if (!*ret_known) /* it is right, and of a kind not known here: damage it is not */
		return memcmp(bytes, "regf", 4) == 0 &&
				       sv_regf_checksum(bytes) ==
					       sv_load_le32(bytes + sizeof bytes - 4)
			       ? -1
			       : 0;
	if (h->base.checksum_ok && h->base.type != SV_REGF_PRIMARY)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL,
			offsetof(struct sv_regf_disk_base, type),
			"it is of type %" PRIu32 ", a hive is of type 0: it is a hive's log",
			h->base.type);
	return 0;
}

static int apply_logs(struct sv_hive *h, const struct sv_hive_logs *logs, struct sv_err *err)
{
	struct sv_dev *with = NULL;

	h->state.dirty = true;
	if (logs && sv_regf_replay(h->dev, logs, &h->base, &h->state, &with, err) < 0)
		return -1;
	if (with) {
		sv_dev_close(h->dev);
		h->dev = with;
	} else {
		sv_regf_problem(&h->state,
			"changes that Windows had kept in its logs are missing: %s",
			logs ? "no log fits it" : "its logs were not given");
	}
	return 0;
}

/* How much of the bins there is. */
static void clamp_size(struct sv_hive *h)
{
	uint64_t there = sv_dev_size(h->dev) - SV_REGF_BINS_AT;

	if (h->base.bins_size && h->base.bins_size <= there)
		return;
	sv_regf_problem(&h->state,
		"its file ends after %" PRIu64 " bytes of %" PRIu32 ": keys behind are missing",
		there, h->base.bins_size);
	h->base.bins_size = (uint32_t)SV_MIN(there, (uint64_t)INT32_MAX);
}

/* Where the base block names no key as the root, the first cell may be it. */
static int check_root(struct sv_hive *h, struct sv_err *err)
{
	sv_autonode struct sv_regf_node n = {0}, first = {0};
	struct sv_err why = SV_ERR_INIT;

	if (sv_regf_load_key(h, h->base.root, &n, &why) == 0)
		return 0;
	if (why.code == SV_NOMEM || why.code == SV_CANCELLED ||
		sv_regf_load_key(h, FIRST_CELL, &first, NULL) < 0 ||
		!(first.key.flags & SV_REGF_KEY_ROOT)) {
		sv_err_copy(err, &why);
		return -1;
	}
	sv_regf_problem(&h->state, "its root key is damaged, the first key is taken for it");
	h->base.root = FIRST_CELL;
	return 0;
}

static int open_checked(struct sv_hive *h, const struct sv_hive_logs *logs, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	bool known = false;

	if (read_base(h, &known, &why) < 0 ||
		((!known || !h->base.checksum_ok || h->base.sequence1 != h->base.sequence2) &&
			apply_logs(h, logs, &why) < 0)) {
		sv_err_copy(err, &why);
		return -1;
	}
	if (!known && !h->state.applied && guess_base(h, &why) < 0) {
		sv_err_copy(err, &why);
		return -1;
	}
	if (known && !h->base.checksum_ok)
		sv_regf_problem(&h->state, "its base block's checksum is wrong");
	clamp_size(h);
	h->pages = sv_regf_pages_new(h->dev, err);
	return h->pages ? check_root(h, err) : -1;
}

int sv_hive_open(struct sv_dev *dev, const struct sv_hive_logs *logs, struct sv_hive **ret,
	struct sv_err *err)
{
	SV_CLEANUP(sv_hive_closep) struct sv_hive *h = calloc(1, sizeof *h);

	if (!h)
		return sv_fail_nomem(err);
	h->dev = sv_dev_ref(dev);
	if (open_checked(h, logs, err) < 0)
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

const struct sv_hive_state *sv_hive_state(const struct sv_hive *h)
{
	return &h->state;
}

/* ---- cells ---- */

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
	if (sv_regf_spend(h, c.n + sizeof field, at, err) < 0)
		return -1;
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
