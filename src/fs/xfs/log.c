/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Is the log empty? Each sector of the log begins with the number of the turn in which it was
 * written (a record's header with its mark, the number behind it). Where that number falls is
 * the head; the last record before it is an unmount record where all was written out.
 */
#include "fs/xfs/xfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define HEADER_MAGIC  0xfeedbabeu
#define UNMOUNT_FLAG  0x20u
#define LOOK_BACK     1024u  /* sectors: more than the longest record has */
#define RECORD_CYCLES 32768u /* bytes of a record that one header sector tells of */

struct log {
	struct sv_xfs *v;
	uint64_t at, sectors; /* of 512 bytes */
};

static int read_sector(struct log *l, uint64_t i, uint8_t *b, struct sv_err *err)
{
	return sv_dev_read(l->v->dev, b, SV_SECTOR, l->at + i * SV_SECTOR, err);
}

static int cycle_of(struct log *l, uint64_t i, uint32_t *ret, struct sv_err *err)
{
	uint8_t b[SV_SECTOR];

	if (read_sector(l, i, b, err) < 0)
		return -1;
	*ret = sv_load_be32(b) == HEADER_MAGIC ? sv_load_be32(b + 4) : sv_load_be32(b);
	return 0;
}

/* The first sector that was not written in the turn of the first one; all of them: the end. */
static int find_head(struct log *l, uint64_t *ret, struct sv_err *err)
{
	uint64_t low = 0, high = l->sectors;
	uint32_t first, cycle;

	if (cycle_of(l, 0, &first, err) < 0)
		return -1;
	while (high - low > 1) {
		uint64_t mid = low + (high - low) / 2;

		if (cycle_of(l, mid, &cycle, err) < 0)
			return -1;
		if (cycle == first)
			low = mid;
		else
			high = mid;
	}
	*ret = low + 1;
	return 0;
}

/* The sector of the last record's header before `head`, around the ring. */
static int find_record(
	struct log *l, uint64_t head, uint64_t *ret, bool *ret_found, struct sv_err *err)
{
	uint8_t b[SV_SECTOR];

	*ret_found = false;
	for (uint64_t i = 1; i <= SV_MIN(l->sectors, (uint64_t)LOOK_BACK); i++) {
		*ret = (head + l->sectors - i) % l->sectors;
		if (read_sector(l, *ret, b, err) < 0)
			return -1;
		*ret_found = sv_load_be32(b) == HEADER_MAGIC;
		if (*ret_found)
			return 0;
	}
	return 0;
}

static int is_unmount(struct log *l, uint64_t record, bool *ret, struct sv_err *err)
{
	uint8_t b[SV_SECTOR];
	uint64_t headers;

	if (read_sector(l, record, b, err) < 0)
		return -1;
	*ret = sv_load_be32(b + 40) == 1;
	headers = sv_load_be32(b + 8) & 2 ? sv_div_up(sv_load_be32(b + 320), RECORD_CYCLES) : 1;
	headers = SV_MAX(UINT64_C(1), SV_MIN(headers, UINT64_C(8)));
	if (!*ret)
		return 0;
	/* number of the transaction, length, who, flags */
	if (read_sector(l, (record + headers) % l->sectors, b, err) < 0)
		return -1;
	*ret = b[9] & UNMOUNT_FLAG;
	return 0;
}

int sv_xfs_log_state(struct sv_xfs *v, bool *ret_dirty, struct sv_err *err)
{
	struct log l = {
		.v = v, .sectors = (uint64_t)v->super.log_blocks << (v->super.block_log - 9)};
	uint64_t head, record;
	bool found, clean;

	*ret_dirty = false;
	if (!v->super.log_start || !l.sectors)
		return 0;
	if (!sv_xfs_place(v, v->super.log_start, v->super.log_blocks, &l.at))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the log of %u blocks lies at block %#llx, outside its group",
			v->super.log_blocks, (unsigned long long)v->super.log_start);
	if (find_head(&l, &head, err) < 0 || find_record(&l, head, &record, &found, err) < 0)
		return -1;
	if (!found) /* made and never mounted: nothing but zeros */
		return 0;
	if (is_unmount(&l, record, &clean, err) < 0)
		return -1;
	*ret_dirty = !clean;
	return 0;
}
