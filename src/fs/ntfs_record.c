/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FILE records of $MFT, decoded from bytes. Pure: no I/O, and after sv_ntfs_parse_record()
 * nothing in the record can lead outside it.
 */
#include "fs/ntfs.h"

#include "base/num.h"

#include <string.h>

#define ATTR_ALIGN 8

static int check_magic(const uint8_t *bytes, const char magic[4], struct sv_err *err)
{
	if (!memcmp(bytes, magic, 4))
		return 0;
	if (!memcmp(bytes, "BAAD", 4))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a %.4s block that chkdsk has marked as bad", magic);
	return sv_fail_at(err, SV_CORRUPT, NULL, 0, "found 0x%08x where a %.4s block begins",
		sv_load_be32(bytes), magic);
}

int sv_ntfs_fixup(uint8_t *bytes, size_t n, const char magic[4], struct sv_err *err)
{
	struct ntfs_block_disk b;
	size_t off, count;

	if (n < SV_NTFS_STRIDE || n % SV_NTFS_STRIDE)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a block of %zu bytes, expected a multiple of %d", n, SV_NTFS_STRIDE);
	if (check_magic(bytes, magic, err) < 0)
		return -1;
	memcpy(&b, bytes, sizeof b);
	off = sv_get_le16(b.usa_offset);
	count = sv_get_le16(b.usa_count);
	if (off % 2 || off < sizeof b || count != n / SV_NTFS_STRIDE + 1 ||
		off + 2 * count > SV_NTFS_STRIDE - 2)
		return sv_fail_at(err, SV_CORRUPT, NULL, 4,
			"an update sequence of %zu words at %zu in a block of %zu bytes", count,
			off, n);
	for (size_t i = 1; i < count; i++) {
		if (memcmp(bytes + i * SV_NTFS_STRIDE - 2, bytes + off, 2) != 0)
			return sv_fail_at(err, SV_CORRUPT, NULL, i * SV_NTFS_STRIDE - 2,
				"update sequence 0x%04x, expected 0x%04x: the block was not "
				"written as a whole",
				sv_load_le16(bytes + i * SV_NTFS_STRIDE - 2),
				sv_load_le16(bytes + off));
	}
	for (size_t i = 1; i < count; i++)
		memcpy(bytes + i * SV_NTFS_STRIDE - 2, bytes + off + 2 * i, 2);
	return 0;
}

static int bad_attr(const struct sv_ntfs_attr *a, const char *what, struct sv_err *err)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, a->offset,
		"attribute of type 0x%x and %u bytes: %s", a->type, a->length, what);
}

static int parse_resident(const uint8_t *p, struct sv_ntfs_attr *a, struct sv_err *err)
{
	struct ntfs_resident_disk r;
	uint32_t off;

	memcpy(&r, p, sizeof r);
	off = sv_get_le16(r.value_offset);
	a->value_len = sv_get_le32(r.value_len);
	if (!sv_in_range(off, a->value_len, a->length))
		return bad_attr(a, "its value lies outside", err);
	a->value = p + off;
	a->size = a->initialized = a->value_len;
	return 0;
}

static int parse_sizes(const uint8_t *p, const struct ntfs_nonresident_disk *r,
	struct sv_ntfs_attr *a, struct sv_err *err)
{
	a->allocated = a->packed = sv_get_le64(r->allocated);
	a->size = sv_get_le64(r->size);
	a->initialized = SV_MIN(sv_get_le64(r->initialized), a->size);
	if (sv_get_le16(r->pairs_offset) >= SV_NTFS_PACKED_OFFSET + 8)
		a->packed = sv_load_le64(p + SV_NTFS_PACKED_OFFSET);
	if (a->allocated > SV_DEV_SIZE_MAX || a->size > SV_DEV_SIZE_MAX)
		return bad_attr(a, "its size cannot be", err);
	if (a->packed > a->allocated)
		a->packed = a->allocated;
	return 0;
}

static int parse_nonresident(const uint8_t *p, struct sv_ntfs_attr *a, struct sv_err *err)
{
	struct ntfs_nonresident_disk r;
	uint32_t off;

	if (a->length < sizeof r)
		return bad_attr(a, "too short for one that is not resident", err);
	memcpy(&r, p, sizeof r);
	off = sv_get_le16(r.pairs_offset);
	a->lowest = sv_get_le64(r.lowest_vcn);
	a->end = sv_get_le64(r.highest_vcn) + 1; /* of -1: 0 */
	a->unit = r.unit;
	if (off < sizeof r || off > a->length)
		return bad_attr(a, "its mapping pairs lie outside", err);
	if (a->end > SV_DEV_SIZE_MAX || a->lowest > a->end)
		return bad_attr(a, "its cluster numbers are out of order", err);
	a->pairs = p + off;
	a->pairs_len = a->length - off;
	return a->lowest ? 0 : parse_sizes(p, &r, a, err);
}

/* The attribute at `off`; 0 at the end mark, 1 for one, -1 where it is wrong. */
static int parse_attr(const struct sv_ntfs_record *r, uint32_t off, struct sv_ntfs_attr *ret,
	struct sv_err *err)
{
	struct sv_ntfs_attr a = {.offset = off};
	const uint8_t *p = r->bytes + off;
	struct ntfs_attr_disk d;

	if (r->used - off < 4)
		return bad_attr(&a, "the record ends without an end mark", err);
	a.type = sv_load_le32(p);
	if (a.type == SV_NTFS_AT_END)
		return 0;
	if (r->used - off < sizeof(struct ntfs_resident_disk))
		return bad_attr(&a, "the record ends within it", err);
	memcpy(&d, p, sizeof d);
	a.length = sv_get_le32(d.length);
	if (a.length < sizeof(struct ntfs_resident_disk) || a.length % ATTR_ALIGN ||
		a.length > r->used - off)
		return bad_attr(&a, "such a length cannot be here", err);
	a.instance = sv_get_le16(d.instance);
	a.flags = sv_get_le16(d.flags);
	a.name_len = d.name_len;
	if (!sv_in_range(sv_get_le16(d.name_offset), 2ull * a.name_len, a.length))
		return bad_attr(&a, "its name lies outside", err);
	a.name = p + sv_get_le16(d.name_offset);
	a.resident = !d.nonresident;
	if ((a.resident ? parse_resident : parse_nonresident)(p, &a, err) < 0)
		return -1;
	*ret = a;
	return 1;
}

static int parse_header(uint8_t *bytes, size_t n, struct sv_ntfs_record *r, struct sv_err *err)
{
	struct ntfs_record_disk d;

	memcpy(&d, bytes, sizeof d);
	r->bytes = bytes;
	r->first = sv_get_le16(d.attrs_offset);
	r->used = sv_get_le32(d.used);
	r->sequence = sv_get_le16(d.sequence);
	r->base = sv_get_le64(d.base);
	r->in_use = sv_get_le16(d.flags) & SV_NTFS_RECORD_IN_USE;
	r->is_dir = sv_get_le16(d.flags) & SV_NTFS_RECORD_DIR;
	if (r->used > n)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ntfs_record_disk, used),
			"a FILE record that uses %u of its %zu bytes", r->used, n);
	if (r->first < sizeof d || r->first % ATTR_ALIGN || r->first > r->used)
		return sv_fail_at(err, SV_CORRUPT, NULL,
			offsetof(struct ntfs_record_disk, attrs_offset),
			"attributes that begin at byte %u of %u", r->first, r->used);
	return 0;
}

int sv_ntfs_parse_record(
	uint8_t *bytes, size_t n, struct sv_ntfs_record *ret, struct sv_err *err)
{
	struct sv_ntfs_record r;
	struct sv_ntfs_attr a;
	int rc;

	if (sv_ntfs_fixup(bytes, n, "FILE", err) < 0 || parse_header(bytes, n, &r, err) < 0)
		return -1;
	for (uint32_t off = r.first; (rc = parse_attr(&r, off, &a, err)) != 0;) {
		if (rc < 0)
			return -1;
		off += a.length;
	}
	*ret = r;
	return 0;
}

bool sv_ntfs_next_attr(const struct sv_ntfs_record *r, struct sv_ntfs_attr *a)
{
	return parse_attr(r, a->offset ? a->offset + a->length : r->first, a, NULL) > 0;
}

bool sv_ntfs_find_attr(const struct sv_ntfs_record *r, uint32_t type, const uint8_t *name,
	unsigned name_len, struct sv_ntfs_attr *ret)
{
	struct sv_ntfs_attr a = {0};

	while (sv_ntfs_next_attr(r, &a)) {
		if (a.type == type && a.name_len == name_len &&
			!memcmp(a.name, name, 2 * name_len) && !a.lowest) {
			*ret = a;
			return true;
		}
	}
	return false;
}

int sv_ntfs_parse_name(
	const uint8_t *bytes, size_t n, struct sv_ntfs_name *ret, struct sv_err *err)
{
	struct ntfs_name_disk d;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a file name of %zu bytes, expected %zu at least", n, sizeof d);
	memcpy(&d, bytes, sizeof d);
	if (n - sizeof d < 2u * d.name_len || !d.name_len)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a file name of %u characters in %zu bytes", d.name_len, n);
	ret->parent = sv_get_le64(d.parent);
	ret->size = sv_get_le64(d.size);
	ret->attributes = sv_get_le32(d.attributes);
	ret->reparse_tag = sv_get_le32(d.reparse_tag);
	ret->space = d.space;
	ret->name = bytes + sizeof d;
	ret->name_len = d.name_len;
	return 0;
}
