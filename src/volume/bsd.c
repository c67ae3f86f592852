/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * BSD disklabels: 512 bytes behind the first sector of a disk or of an MBR partition ("slice"),
 * little-endian, with two marks and a sum that makes the exclusive or of its words 0. Places
 * count from the disk's start; FreeBSD's newer labels count from the slice's, and then 'c',
 * which stands for the slice itself, begins at 0. Source: disklabel(5) of FreeBSD, NetBSD and
 * OpenBSD.
 *
 * 'c' (NetBSD: 'd', too) is no partition but the whole, and OpenBSD's label names the
 * partitions of other slices as well: what encloses another, or lies outside the slice, is
 * passed over.
 */
#include "volume/labels.h"

#include "base/endian.h"
#include "base/num.h"
#include "volume/parts.h"

#include <assert.h>
#include <string.h>

#define MAGIC        0x82564557u
#define RAW          2 /* 'c' */
#define TYPE_FREEBSD 0xa5
#define TYPE_OPENBSD 0xa6
#define TYPE_NETBSD  0xa9
#define SECTOR_MAX   4096u

struct disk_partition {
	sv_le32 count, start, fragment;
	uint8_t type, fragments;
	sv_le16 cylinders;
};
static_assert(sizeof(struct disk_partition) == 16, "a partition of a disklabel");

struct disk_label {
	sv_le32 magic;
	uint8_t type[36];
	sv_le32 sector_size;
	uint8_t geometry[88];
	sv_le32 magic2;
	sv_le16 sum, partitions;
	sv_le32 boot_size, super_size;
};
static_assert(offsetof(struct disk_label, magic2) == 132, "disklabel, second mark");
static_assert(sizeof(struct disk_label) == 148, "disklabel");

const char *sv_bsd_type_name(uint8_t type)
{
	switch (type) {
	case 1:
		return "BSD swap";
	case 7:
		return "BSD UFS";
	case 8:
		return "BSD, FAT";
	case 27:
		return "BSD, ZFS";
	default:
		return "BSD partition";
	}
}

int sv_bsd_parse(const uint8_t *bytes, size_t n, struct sv_bsd_label *ret, struct sv_err *err)
{
	struct disk_label d;
	uint16_t sum = 0;
	size_t count;

	if (n < SV_SECTOR)
		return sv_fail(err, SV_NOTFOUND, NULL, "no disklabel");
	memcpy(&d, bytes, sizeof d);
	if (sv_get_le32(d.magic) != MAGIC || sv_get_le32(d.magic2) != MAGIC)
		return sv_fail(err, SV_NOTFOUND, NULL, "no disklabel");
	count = sv_get_le16(d.partitions);
	*ret = (struct sv_bsd_label){.sector_size = sv_get_le32(d.sector_size), .n = count};
	if (count > SV_BSD_PARTITIONS || !sv_is_pow2(ret->sector_size) ||
		ret->sector_size < SV_SECTOR || ret->sector_size > SECTOR_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 138,
			"the disklabel has %zu partitions and sectors of %u bytes, expected at "
			"most %d and 512 to %u",
			count, ret->sector_size, SV_BSD_PARTITIONS, SECTOR_MAX);
	for (size_t i = 0; i < sizeof d + count * sizeof(struct disk_partition); i += 2)
		sum ^= sv_load_le16(bytes + i);
	if (sum)
		return sv_fail_at(err, SV_CORRUPT, NULL, 136,
			"the disklabel's words add up to %#x, expected 0", sum);
	for (size_t i = 0; i < count; i++) {
		struct disk_partition p;

		memcpy(&p, bytes + sizeof d + i * sizeof p, sizeof p);
		ret->parts[i] = (struct sv_bsd_partition){
			sv_get_le32(p.start), sv_get_le32(p.count), p.type};
	}
	return 0;
}

/* ---- which of them are partitions ---- */

/* A label, and the part of the disk that it is about. */
struct slice {
	struct sv_bsd_label label;
	uint64_t start, size; /* bytes */
	uint64_t base;        /* what the label's places count from */
	uint64_t at;          /* of the label */
	unsigned number;      /* of the MBR partition; 0 for the whole disk */
};

static uint64_t start_of(const struct slice *s, size_t i)
{
	return s->base + (uint64_t)s->label.parts[i].start * s->label.sector_size;
}

static uint64_t size_of(const struct slice *s, size_t i)
{
	return (uint64_t)s->label.parts[i].count * s->label.sector_size;
}

static bool is_inside(const struct slice *s, size_t i)
{
	uint64_t start = start_of(s, i);

	return size_of(s, i) && start >= s->start &&
	       sv_in_range(start - s->start, size_of(s, i), s->size);
}

static bool is_the_whole(const struct slice *s, size_t i)
{
	if (i != RAW && i != RAW + 1)
		return false;
	for (size_t k = 0; k < s->label.n; k++) {
		if (k != i && is_inside(s, k) && size_of(s, k) < size_of(s, i) &&
			start_of(s, k) >= start_of(s, i) &&
			start_of(s, k) + size_of(s, k) <= start_of(s, i) + size_of(s, i))
			return true;
	}
	return false;
}

static bool overlaps_earlier(const struct slice *s, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (is_inside(s, k) && !is_the_whole(s, k) &&
			sv_overlaps(
				start_of(s, k), size_of(s, k), start_of(s, i), size_of(s, i)))
			return true;
	}
	return false;
}

/* ---- reading ---- */

/* *ret_there: there is a good label; a damaged one is an error. */
static int read_label(struct sv_dev *disk, struct slice *s, bool *ret_there, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	uint8_t bytes[SV_SECTOR];

	*ret_there = false;
	s->at = s->start + SV_SECTOR;
	if (s->size < 2 * SV_SECTOR)
		return 0;
	if (sv_dev_read(disk, bytes, sizeof bytes, s->at, err) < 0)
		return -1;
	*ret_there = sv_bsd_parse(bytes, sizeof bytes, &s->label, &why) == 0;
	if (*ret_there || why.code == SV_NOTFOUND)
		return 0;
	sv_err_copy(err, &why);
	return sv_err_shift(err, s->at);
}

static int add_nested(struct sv_table *t, const struct sv_partition *p, struct sv_err *err)
{
	struct sv_partition *grown = realloc(t->nested, (t->n_nested + 1) * sizeof *grown);

	if (!grown)
		return sv_fail_nomem(err);
	t->nested = grown;
	grown[t->n_nested] = *p;
	grown[t->n_nested].name = strdup("");
	if (!grown[t->n_nested].name)
		return sv_fail_nomem(err);
	t->n_nested++;
	return 0;
}

static int add_parts(struct sv_table *t, const struct slice *s, struct sv_err *err)
{
	for (size_t i = 0; i < s->label.n; i++) {
		struct sv_partition p = {.number = s->number ? s->number : (unsigned)i + 1,
			.letter = (char)('a' + i),
			.start = start_of(s, i),
			.size = size_of(s, i),
			.mbr_type = s->label.parts[i].type,
			.entry = s->at + sizeof(struct disk_label) +
				 i * sizeof(struct disk_partition)};

		if (!is_inside(s, i) || is_the_whole(s, i))
			continue;
		if (overlaps_earlier(s, i)) {
			if (sv_table_warn(t, err,
				    "partition %c of the disklabel overlaps another and was "
				    "passed over",
				    p.letter) < 0)
				return -1;
			continue;
		}
		if ((s->number ? add_nested(t, &p, err) : sv_table_add(t, &p, err)) < 0)
			return -1;
	}
	return 0;
}

int sv_bsd_read(struct sv_dev *disk, struct sv_table *t, bool *ret_found, struct sv_err *err)
{
	struct slice s = {.size = sv_dev_size(disk)};

	if (read_label(disk, &s, ret_found, err) < 0)
		return -1;
	if (!*ret_found)
		return 0;
	t->kind = SV_TABLE_BSD;
	t->sector_size = s.label.sector_size;
	return add_parts(t, &s, err);
}

/* A damaged label in a slice hides its partitions, not the slices: it becomes a warning. */
static int read_slice(struct sv_dev *disk, struct sv_table *t, const struct sv_partition *p,
	struct sv_err *err)
{
	struct slice s = {.start = p->start, .size = p->size, .number = p->number};
	const struct sv_bsd_partition *raw = &s.label.parts[RAW];
	struct sv_err why = SV_ERR_INIT;
	bool there;

	if (read_label(disk, &s, &there, &why) < 0) {
		if (why.code == SV_CORRUPT)
			return sv_table_warn(
				t, err, "partition %u: %s", p->number, why.message);
		sv_err_copy(err, &why);
		return -1;
	}
	if (!there)
		return 0;
	if (p->mbr_type == TYPE_FREEBSD && s.label.n > RAW && raw->count && !raw->start)
		s.base = p->start;
	return add_parts(t, &s, err);
}

int sv_bsd_read_nested(struct sv_dev *disk, struct sv_table *t, struct sv_err *err)
{
	for (size_t i = 0; t->kind == SV_TABLE_MBR && i < t->n; i++) {
		const struct sv_partition *p = &t->parts[i];

		if (p->mbr_type != TYPE_FREEBSD && p->mbr_type != TYPE_OPENBSD &&
			p->mbr_type != TYPE_NETBSD)
			continue;
		if (read_slice(disk, t, p, err) < 0)
			return -1;
	}
	return 0;
}
