/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The directory of dirty bitmaps: see qcow2_bitmap.h. */
#include "image/qcow2/bitmap.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

struct disk_entry {
	sv_be64 table_at;
	sv_be32 table_size;
	sv_be32 flags;
	uint8_t type;
	uint8_t granularity_bits;
	sv_be16 name_size;
	sv_be32 extra_size;
};
static_assert(sizeof(struct disk_entry) == 24, "bitmap entry's size");

#define AT(field) offsetof(struct disk_entry, field)

enum { TYPE_DIRTY = 1, GRANULARITY_MAX = 63, RESERVED_FLAGS = ~7 };

uint64_t sv_qcow2_bitmap_entries(
	const struct sv_qcow2_header *h, uint32_t granularity_bits, uint64_t size)
{
	uint64_t bits = sv_div_up(size, UINT64_C(1) << granularity_bits);

	return sv_div_up(bits, UINT64_C(8) << h->cluster_bits);
}

static int check(const struct disk_entry *d, uint64_t at, const struct sv_qcow2_header *h,
	uint64_t file_size, struct sv_err *err)
{
	uint64_t table_at = sv_get_be64(d->table_at);
	uint32_t size = sv_get_be32(d->table_size), flags = sv_get_be32(d->flags);

	if (d->type != TYPE_DIRTY || flags & (uint32_t)RESERVED_FLAGS)
		return sv_fail_at(err, SV_CORRUPT, NULL, at + AT(flags),
			"a bitmap of type %u has flags %#x, neither is known", d->type, flags);
	if (d->granularity_bits > GRANULARITY_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, at + AT(granularity_bits),
			"a bitmap's granularity is 2^%u bytes, the largest possible is 2^%d",
			d->granularity_bits, GRANULARITY_MAX);
	if (size > SV_QCOW2_BITMAP_TABLE_MAX ||
		table_at & ((UINT64_C(1) << h->cluster_bits) - 1) ||
		!sv_in_range(table_at, size * UINT64_C(8), file_size))
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"a bitmap's table has %u entries at %llu, the file has %llu bytes",
			size, (unsigned long long)table_at, (unsigned long long)file_size);
	return 0;
}

int sv_qcow2_bitmap_parse(const uint8_t *bytes, size_t n, uint64_t at,
	const struct sv_qcow2_header *h, uint64_t file_size, struct sv_qcow2_bitmap *ret,
	size_t *ret_n, struct sv_err *err)
{
	struct disk_entry d;
	uint64_t total;

	if (n < sizeof d)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, at, "the bitmap directory is cut short");
	memcpy(&d, bytes, sizeof d);
	total = sizeof d + (uint64_t)sv_get_be16(d.name_size) + sv_get_be32(d.extra_size);
	total = sv_align_up(total, 8);
	if (total > n)
		return sv_fail_at(
			err, SV_CORRUPT, NULL, at, "the bitmap directory is cut short");
	if (check(&d, at, h, file_size, err) < 0)
		return -1;
	*ret = (struct sv_qcow2_bitmap){
		.table_at = sv_get_be64(d.table_at),
		.table_size = sv_get_be32(d.table_size),
		.flags = sv_get_be32(d.flags),
		.flags_at = at + AT(flags),
		.granularity_bits = d.granularity_bits,
	};
	*ret_n = (size_t)total;
	return 0;
}

static int parse_all(const uint8_t *bytes, const struct sv_qcow2_header *h, uint64_t file_size,
	struct sv_qcow2_bitmaps *ret, struct sv_err *err)
{
	size_t at = 0, n = (size_t)h->bitmaps_size, used;

	while (ret->n < h->n_bitmaps) {
		if (sv_qcow2_bitmap_parse(bytes + at, n - at, h->bitmaps_at + at, h, file_size,
			    &ret->all[ret->n], &used, err) < 0)
			return -1;
		at += used;
		ret->n++;
	}
	return 0;
}

int sv_qcow2_bitmaps_load(struct sv_dev *file, const struct sv_qcow2_header *h,
	struct sv_qcow2_bitmaps *ret, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = NULL;

	*ret = (struct sv_qcow2_bitmaps){0};
	if (!h->n_bitmaps)
		return 0;
	if (h->bitmaps_size > SV_QCOW2_BITMAP_DIRECTORY_MAX ||
		!sv_in_range(h->bitmaps_at, h->bitmaps_size, sv_dev_size(file)))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(file), h->bitmaps_at,
			"the bitmap directory has %llu bytes, the file %llu",
			(unsigned long long)h->bitmaps_size,
			(unsigned long long)sv_dev_size(file));
	bytes = malloc((size_t)h->bitmaps_size + 1);
	ret->all = calloc(h->n_bitmaps, sizeof *ret->all); /* at most 65535 */
	if (!bytes || !ret->all)
		return sv_fail_nomem(err);
	if (sv_dev_read(file, bytes, (size_t)h->bitmaps_size, h->bitmaps_at, err) < 0)
		return -1;
	if (parse_all(bytes, h, sv_dev_size(file), ret, err) < 0)
		return sv_err_path(err, sv_dev_name(file));
	return 0;
}

void sv_qcow2_bitmaps_free(struct sv_qcow2_bitmaps *b)
{
	free(b->all);
	*b = (struct sv_qcow2_bitmaps){0};
}
