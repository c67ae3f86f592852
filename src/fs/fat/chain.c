/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Chains of clusters. A chain is followed from its start; where the last walk along the same
 * chain ended is kept, so that reading a file from begin to end follows each link once. No
 * chain is longer than the volume has clusters: that ends every loop.
 */
#include "fs/fat/fat.h"

#include "base/endian.h"
#include "base/num.h"

static bool is_cluster(const struct sv_fat *v, uint32_t n)
{
	return n >= SV_FAT_FIRST_CLUSTER && n - SV_FAT_FIRST_CLUSTER < v->boot.clusters;
}

static uint64_t place_of(const struct sv_fat *v, uint32_t cluster)
{
	return v->boot.heap + (uint64_t)(cluster - SV_FAT_FIRST_CLUSTER) * v->boot.cluster;
}

/* Where the entry of a cluster begins in the FAT. */
static uint64_t entry_at(const struct sv_fat *v, uint32_t cluster)
{
	switch (v->boot.kind) {
	case SV_FAT12:
		return v->boot.fat + cluster + cluster / 2;
	case SV_FAT16:
		return v->boot.fat + UINT64_C(2) * cluster;
	default:
		return v->boot.fat + UINT64_C(4) * cluster;
	}
}

static uint32_t decode(enum sv_fat_kind kind, uint32_t cluster, const uint8_t *b)
{
	switch (kind) {
	case SV_FAT12:
		return cluster & 1 ? sv_load_le16(b) >> 4 : sv_load_le16(b) & 0xfff;
	case SV_FAT16:
		return sv_load_le16(b);
	case SV_FAT32:
		return sv_load_le32(b) & 0x0fffffff;
	default:
		return sv_load_le32(b);
	}
}

/* The smallest value that ends a chain. */
static uint32_t end_mark(enum sv_fat_kind kind)
{
	return kind == SV_FAT12   ? 0xff8
	       : kind == SV_FAT16 ? 0xfff8
	       : kind == SV_FAT32 ? 0x0ffffff8
				  : 0xffffffff;
}

int sv_fat_next(struct sv_fat *v, uint32_t cluster, uint32_t *ret, struct sv_err *err)
{
	size_t n = v->boot.kind == SV_FAT32 || v->boot.kind == SV_EXFAT ? 4 : 2;
	uint64_t at = entry_at(v, cluster);
	uint8_t b[4];
	uint32_t next;

	if (sv_dev_read(v->dev, b, n, at, err) < 0)
		return -1;
	next = decode(v->boot.kind, cluster, b);
	*ret = 0;
	if (next >= end_mark(v->boot.kind))
		return 0;
	if (!is_cluster(v, next))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
			"cluster %u is followed by %#x, expected a cluster from 2 to %u or the end",
			cluster, next, v->boot.clusters + 1);
	*ret = next;
	return 0;
}

/* ---- a chain ---- */

/* The cluster that is number `index` of the chain; 0 where it ends before. */
static int walk_to(struct sv_fat *v, const struct sv_fat_chain *c, uint64_t index,
	uint32_t *ret, struct sv_err *err)
{
	bool goes_on = v->walk_first == c->first && v->walk_index <= index;
	uint32_t at = goes_on ? v->walk_cluster : c->first;
	uint64_t i = goes_on ? v->walk_index : 0;

	if (index >= v->boot.clusters)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the chain that begins with cluster %u is longer than the volume",
			c->first);
	for (; i < index && at; i++) {
		if (sv_fat_next(v, at, &at, err) < 0)
			return -1;
	}
	if (at) {
		v->walk_first = c->first;
		v->walk_index = index;
		v->walk_cluster = at;
	}
	*ret = at;
	return 0;
}

/* Neighbours in the chain that are neighbours on the volume, up to `max` bytes from off on. */
static int extend_run(struct sv_fat *v, const struct sv_fat_chain *c, uint64_t off,
	uint64_t max, uint32_t cluster, struct sv_fat_run *ret, struct sv_err *err)
{
	uint64_t size = v->boot.cluster, in = off % size, index = off / size;
	uint64_t len = size - in;
	uint32_t next = cluster;

	while (len < max) {
		if (walk_to(v, c, ++index, &next, err) < 0)
			return -1;
		if (next != cluster + 1)
			break;
		cluster = next;
		len += size;
	}
	ret->len = SV_MIN(len, max);
	return 0;
}

static int contiguous_run(struct sv_fat *v, const struct sv_fat_chain *c, uint64_t off,
	uint64_t max, struct sv_fat_run *ret, struct sv_err *err)
{
	uint64_t room = (uint64_t)(v->boot.clusters - (c->first - SV_FAT_FIRST_CLUSTER)) *
			v->boot.cluster;

	if (off >= room)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), place_of(v, c->first),
			"what begins with cluster %u goes beyond the last one", c->first);
	*ret = (struct sv_fat_run){off, place_of(v, c->first) + off, SV_MIN(max, room - off)};
	return 0;
}

int sv_fat_run_at(struct sv_fat *v, const struct sv_fat_chain *c, uint64_t off, uint64_t max,
	struct sv_fat_run *ret, struct sv_err *err)
{
	uint32_t cluster;

	*ret = (struct sv_fat_run){.off = off};
	if (c->fixed_root) {
		if (off < v->boot.root_size)
			*ret = (struct sv_fat_run){off, v->boot.root_at + off,
				SV_MIN(max, v->boot.root_size - off)};
		return 0;
	}
	if (!c->first || !max)
		return 0;
	if (!is_cluster(v, c->first))
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"an entry names cluster %u, expected 2 to %u", c->first,
			v->boot.clusters + 1);
	if (c->contiguous)
		return contiguous_run(v, c, off, max, ret, err);
	if (walk_to(v, c, off / v->boot.cluster, &cluster, err) < 0)
		return -1;
	if (!cluster)
		return 0;
	ret->at = place_of(v, cluster) + off % v->boot.cluster;
	return extend_run(v, c, off, max, cluster, ret, err);
}

/* ---- free clusters ---- */

#define PIECE 65536u /* a multiple of 3, nearly: FAT12 is read whole */

static int count_fat12(struct sv_fat *v, uint64_t *ret, struct sv_err *err)
{
	uint8_t b[2];

	for (uint32_t i = 0; i < v->boot.clusters; i++) {
		uint32_t cluster = i + SV_FAT_FIRST_CLUSTER;

		if (sv_dev_read(v->dev, b, 2, entry_at(v, cluster), err) < 0)
			return -1;
		*ret += !decode(SV_FAT12, cluster, b);
	}
	return 0;
}

static int count_entries(struct sv_fat *v, uint64_t *ret, struct sv_err *err)
{
	sv_autofree uint8_t *b = malloc(PIECE);
	size_t width = v->boot.kind == SV_FAT16 ? 2 : 4;
	uint64_t end = (uint64_t)v->boot.clusters * width, first = 2 * width;

	if (!b)
		return sv_fail_nomem(err);
	for (uint64_t pos = 0; pos < end; pos += PIECE) {
		size_t n = (size_t)SV_MIN((uint64_t)PIECE, end - pos);

		if (sv_dev_read(v->fs.volume, b, n, v->boot.fat + first + pos, err) < 0)
			return -1;
		for (size_t i = 0; i < n; i += width)
			*ret += !decode(v->boot.kind, 0, b + i);
	}
	return 0;
}

/* exFAT's bitmap of used clusters. */
static int count_bitmap(struct sv_fat *v, uint64_t *ret, struct sv_err *err)
{
	struct sv_fat_chain c = {.first = v->bitmap, .size = v->bitmap_size};
	uint64_t bytes = sv_div_up(v->boot.clusters, 8), used = 0, bits = v->boot.clusters;
	sv_autofree uint8_t *b = malloc(PIECE);
	struct sv_fat_run run;

	if (!b)
		return sv_fail_nomem(err);
	if (!v->bitmap || v->bitmap_size < bytes)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the bitmap of clusters has %llu bytes, expected %llu",
			(unsigned long long)v->bitmap_size, (unsigned long long)bytes);
	for (uint64_t pos = 0; pos < bytes; pos += run.len) {
		if (sv_fat_run_at(v, &c, pos, SV_MIN((uint64_t)PIECE, bytes - pos), &run, err) <
			0)
			return -1;
		if (!run.len)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
				"the bitmap of clusters ends early");
		if (sv_dev_read(v->fs.volume, b, (size_t)run.len, run.at, err) < 0)
			return -1;
		for (size_t i = 0; i < run.len; i++) {
			unsigned valid = bits >= 8 ? 0xff : (1u << bits) - 1;

			used += (unsigned)__builtin_popcount(b[i] & valid);
			bits -= SV_MIN(bits, UINT64_C(8));
		}
	}
	*ret = v->boot.clusters - used;
	return 0;
}

int sv_fat_count_free(struct sv_fat *v, uint64_t *ret, struct sv_err *err)
{
	*ret = 0;
	if (v->boot.kind == SV_EXFAT)
		return count_bitmap(v, ret, err);
	return v->boot.kind == SV_FAT12 ? count_fat12(v, ret, err) : count_entries(v, ret, err);
}
