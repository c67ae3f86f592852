/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Data and their checksums. The checksum tree has one for each sector of data, many of them in
 * an item. A sector that is wrong, or cannot be read, is looked for in the other copies.
 */
#include "fs/btrfs/btrfs.h"

#include "base/num.h"

#include <string.h>

/* The checksums of a range, item by item. */
struct sums {
	struct sv_btrfs *v;
	struct sv_btrfs_cursor c;
	bool valid; /* the cursor is at an item of the tree */
};

static void sums_end(struct sums *s)
{
	sv_btrfs_cursor_end(&s->c);
}

/* Which sector of the item at hand it is; false where it is in none. */
static bool in_item(const struct sums *s, uint64_t logical, size_t *ret)
{
	uint64_t sector = s->v->super.sector, i;

	if (!s->valid || s->c.key.objectid != BTRFS_SUMS || s->c.key.type != BTRFS_SUM_ITEM ||
		s->c.key.offset > logical)
		return false;
	i = (logical - s->c.key.offset) / sector;
	*ret = (size_t)i;
	return i < s->c.size / sv_btrfs_sum_size(s->v->super.sum);
}

static int find_sum(struct sums *s, uint64_t logical, const uint8_t **ret, struct sv_err *err)
{
	struct sv_btrfs_key key = {BTRFS_SUMS, BTRFS_SUM_ITEM, logical};
	size_t i;

	if (!in_item(s, logical, &i)) {
		int rc = s->v->sums.logical
				 ? sv_btrfs_seek_before(s->v, &s->v->sums, &key, &s->c, err)
				 : 0;

		s->valid = rc > 0;
		if (rc < 0)
			return -1;
		if (!in_item(s, logical, &i))
			return sv_fail(err, SV_CORRUPT, sv_dev_name(s->v->fs.volume),
				"the data at the logical address %llu have no checksum",
				(unsigned long long)logical);
	}
	*ret = s->c.data + i * sv_btrfs_sum_size(s->v->super.sum);
	return 0;
}

static bool sum_ok(struct sv_btrfs *v, const uint8_t *sector, const uint8_t *expected)
{
	uint8_t sum[BTRFS_SUM_MAX];

	sv_btrfs_sum(v->super.sum, sector, v->super.sector, sum);
	return !memcmp(sum, expected, sv_btrfs_sum_size(v->super.sum));
}

static int wrong_sum(struct sv_btrfs *v, uint64_t logical, const uint8_t *sector,
	const uint8_t *expected, struct sv_err *err)
{
	char found[BTRFS_SUM_TEXT], text[BTRFS_SUM_TEXT];
	struct sv_btrfs_piece place = {0};
	uint8_t sum[BTRFS_SUM_MAX];

	sv_btrfs_sum(v->super.sum, sector, v->super.sector, sum);
	sv_btrfs_where(v, logical, &place);
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->fs.volume), place.at,
		"the checksum of data is %s, expected %s",
		sv_btrfs_sum_text(v->super.sum, sum, found),
		sv_btrfs_sum_text(v->super.sum, expected, text));
}

/* One sector, of whichever copy is right. */
static int read_any(struct sv_btrfs *v, uint64_t logical, uint8_t *p, const uint8_t *expected,
	struct sv_err *err)
{
	unsigned copies = sv_btrfs_copies_of(v, logical);
	struct sv_err first = SV_ERR_INIT;

	for (unsigned copy = 0; copy < copies; copy++) {
		struct sv_err why = SV_ERR_INIT;

		if (sv_btrfs_read_copy(v, logical, p, v->super.sector, copy, &why) == 0) {
			if (!expected || sum_ok(v, p, expected))
				return 0;
			wrong_sum(v, logical, p, expected, &why);
		}
		if (first.code == SV_OK)
			sv_err_copy(&first, &why);
	}
	sv_err_copy(err, &first);
	return -1;
}

/* A sector of data at hand, or (!have) still to be read. */
static int check(struct sums *s, uint64_t logical, uint8_t *p, bool have, bool summed,
	struct sv_err *err)
{
	const uint8_t *expected = NULL;

	if (summed && find_sum(s, logical, &expected, err) < 0)
		return -1;
	if (have && (!summed || sum_ok(s->v, p, expected)))
		return 0;
	return read_any(s->v, logical, p, expected, err);
}

int sv_btrfs_read_data(struct sv_btrfs *v, uint64_t logical, uint8_t *buf, size_t n,
	bool summed, size_t *ret_good, struct sv_err *err)
{
	SV_CLEANUP(sums_end) struct sums s = {.v = v};
	bool have = sv_btrfs_read_copy(v, logical, buf, n, 0, NULL) == 0;

	*ret_good = n;
	if (have && !summed)
		return 0;
	for (size_t at = 0; at < n; at += v->super.sector) {
		if (check(&s, logical + at, buf + at, have, summed, err) < 0) {
			*ret_good = at;
			return -1;
		}
	}
	return 0;
}
