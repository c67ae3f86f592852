/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * MFT records: header, update sequence, attributes. The update sequence replaces the last two
 * bytes of each 512 (whatever the sector's size is) by one number; the bytes themselves are
 * kept in an array in the header.
 */
#include "fs/ntfs/raw_record.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"

#include <string.h>

/* Where the array lies; false unless it is as long as the record asks for and within the first
 * stride, before the word that it protects. */
static bool find_usa(const uint8_t *bytes, size_t size, size_t *ret_offset, size_t *ret_strides)
{
	struct ntfs_protected head;
	size_t offset, count;

	memcpy(&head, bytes, sizeof head);
	offset = sv_get_le16(head.usa_offset);
	count = sv_get_le16(head.usa_count);
	if (count != size / NTFS_FIXUP_STRIDE + 1 || offset % 2 || offset < sizeof head ||
		!sv_in_range(offset, 2 * count, NTFS_FIXUP_STRIDE - 2))
		return false;
	*ret_offset = offset;
	*ret_strides = count - 1;
	return true;
}

int sv_ntfs_raw_unprotect(uint8_t *bytes, size_t size, const char *magic, struct sv_err *err)
{
	size_t usa, strides;

	if (size < NTFS_FIXUP_STRIDE || memcmp(bytes, magic, 4) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"signature is %02x %02x %02x %02x, not \"%s\"", bytes[0], bytes[1],
			bytes[2], bytes[3], magic);
	if (!find_usa(bytes, size, &usa, &strides))
		return sv_fail_at(err, SV_CORRUPT, NULL, 4,
			"update sequence has offset %u and %u words, a record of %zu bytes has %zu",
			sv_load_le16(bytes + 4), sv_load_le16(bytes + 6), size,
			size / NTFS_FIXUP_STRIDE + 1);
	for (size_t i = 1; i <= strides; i++) {
		size_t at = i * NTFS_FIXUP_STRIDE - 2;

		if (memcmp(bytes + at, bytes + usa, 2) != 0)
			return sv_fail_at(err, SV_CORRUPT, NULL, at,
				"torn write: sequence number is %04x, expected %04x",
				sv_load_le16(bytes + at), sv_load_le16(bytes + usa));
	}
	for (size_t i = 1; i <= strides; i++)
		memcpy(bytes + i * NTFS_FIXUP_STRIDE - 2, bytes + usa + 2 * i, 2);
	return 0;
}

void sv_ntfs_raw_protect(uint8_t *bytes, size_t size)
{
	size_t usa, strides;
	uint16_t number;

	if (!find_usa(bytes, size, &usa, &strides))
		return;
	number = (uint16_t)(sv_load_le16(bytes + usa) + 1);
	if (number == 0 || number == 0xFFFF) /* the two are never used */
		number = 1;
	sv_store_le16(bytes + usa, number);
	for (size_t i = 1; i <= strides; i++) {
		uint8_t *word = bytes + i * NTFS_FIXUP_STRIDE - 2;

		memcpy(bytes + usa + 2 * i, word, 2);
		sv_store_le16(word, number);
	}
}

static int bad(struct sv_err *err, size_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at, "%s cannot be %llu", what,
		(unsigned long long)found);
}

int sv_ntfs_raw_check_record(const uint8_t *record, size_t size, struct sv_err *err)
{
	struct sv_ntfs_raw_attr a = {0};
	struct ntfs_record r;
	int more;

	memcpy(&r, record, sizeof r);
	if (sv_get_le32(r.allocated) != size)
		return bad(err, offsetof(struct ntfs_record, allocated),
			"the MFT record's allocated size", sv_get_le32(r.allocated));
	if (sv_get_le32(r.used) > size || sv_get_le32(r.used) % 8)
		return bad(err, offsetof(struct ntfs_record, used),
			"the MFT record's used size", sv_get_le32(r.used));
	if (sv_get_le16(r.attrs_offset) % 8 || sv_get_le16(r.attrs_offset) < sizeof r - 8)
		return bad(err, offsetof(struct ntfs_record, attrs_offset),
			"the offset of the attributes", sv_get_le16(r.attrs_offset));
	while ((more = sv_ntfs_raw_next_attr(record, size, &a, err)) == 1)
		;
	return more;
}

static int parse_resident(const uint8_t *record, struct sv_ntfs_raw_attr *a, struct sv_err *err)
{
	struct ntfs_attr_resident r;

	if (a->length < sizeof r)
		return bad(err, a->offset + 4, "the length of a resident attribute", a->length);
	memcpy(&r, record + a->offset, sizeof r);
	a->value_length = sv_get_le32(r.value_length);
	if (!a->value_length) /* then the offset says nothing */
		r.value_offset = sv_put_le16(sizeof r);
	if (sv_get_le16(r.value_offset) < sizeof r ||
		!sv_in_range(sv_get_le16(r.value_offset), a->value_length, a->length))
		return bad(err, a->offset + offsetof(struct ntfs_attr_resident, value_length),
			"the length of a resident value", a->value_length);
	a->value_offset = a->offset + sv_get_le16(r.value_offset);
	return 0;
}

static int parse_mapped(const uint8_t *record, struct sv_ntfs_raw_attr *a, struct sv_err *err)
{
	struct ntfs_attr_mapped m;
	size_t runs;

	if (a->length < sizeof m)
		return bad(err, a->offset + 4, "the length of a mapped attribute", a->length);
	memcpy(&m, record + a->offset, sizeof m);
	runs = sv_get_le16(m.mapping_offset);
	/* a name behind the runs would be lost when they change; nobody puts it there */
	if (runs < sizeof m || runs > a->length ||
		(a->name_length && a->name + 2U * a->name_length > record + a->offset + runs))
		return bad(err, a->offset + offsetof(struct ntfs_attr_mapped, mapping_offset),
			"the offset of the runs", runs);
	a->runs_offset = a->offset + runs;
	a->runs_length = a->length - runs;
	a->lowest_vcn = sv_get_le64(m.lowest_vcn);
	a->end_vcn = sv_get_le64(m.highest_vcn) + 1; /* -1 stands for "none" */
	if (a->lowest_vcn > NTFS_VCN_MAX || a->end_vcn < a->lowest_vcn ||
		a->end_vcn > NTFS_VCN_MAX)
		return bad(err, a->offset + offsetof(struct ntfs_attr_mapped, highest_vcn),
			"the last cluster of an attribute", a->end_vcn - 1);
	a->unit = m.compression_unit;
	if (a->lowest_vcn)
		return 0;
	a->allocated = a->packed = sv_get_le64(m.allocated);
	if (a->flags & (NTFS_ATTR_COMPRESSED | NTFS_ATTR_SPARSE) && runs >= sizeof m + 8)
		a->packed = SV_MIN(a->allocated, sv_load_le64(record + a->offset + sizeof m));
	a->size = sv_get_le64(m.size);
	a->initialized = sv_get_le64(m.initialized);
	if (a->size > INT64_MAX || a->initialized > a->size)
		return bad(err, a->offset + offsetof(struct ntfs_attr_mapped, initialized),
			"the initialized size of an attribute", a->initialized);
	return 0;
}

static int parse_attr(const uint8_t *record, struct sv_ntfs_raw_attr *a, struct sv_err *err)
{
	struct ntfs_attr_head h;
	size_t name;

	memcpy(&h, record + a->offset, sizeof h);
	name = sv_get_le16(h.name_offset);
	a->name_length = h.name_length;
	if (h.name_length && !sv_in_range(name, 2U * h.name_length, a->length))
		return bad(err, a->offset + offsetof(struct ntfs_attr_head, name_offset),
			"the offset of an attribute's name", name);
	a->name = record + a->offset + (h.name_length ? name : 0);
	a->flags = sv_get_le16(h.flags);
	a->instance = sv_get_le16(h.instance);
	if (h.non_resident > 1)
		return bad(err, a->offset + offsetof(struct ntfs_attr_head, non_resident),
			"the form of an attribute", h.non_resident);
	a->mapped = h.non_resident;
	return a->mapped ? parse_mapped(record, a, err) : parse_resident(record, a, err);
}

int sv_ntfs_raw_next_attr(
	const uint8_t *record, size_t size, struct sv_ntfs_raw_attr *a, struct sv_err *err)
{
	size_t used = SV_MIN(size, (size_t)sv_load_le32(record + 0x18));
	size_t at = a->offset ? a->offset + a->length : sv_load_le16(record + 0x14);
	struct sv_ntfs_raw_attr next = {.offset = at};

	if (!sv_in_range(at, 4, used))
		return bad(err, at, "the end of the attributes", at);
	next.type = sv_load_le32(record + at);
	if (next.type == NTFS_ATTR_END)
		return 0;
	if (!sv_in_range(at, sizeof(struct ntfs_attr_head), used))
		return bad(err, at, "the place of an attribute", at);
	next.length = sv_load_le32(record + at + 4);
	if (next.length % 8 || next.length < sizeof(struct ntfs_attr_resident) ||
		!sv_in_range(at, next.length, used))
		return bad(err, at + 4, "the length of an attribute", next.length);
	if (parse_attr(record, &next, err) < 0)
		return -1;
	*a = next;
	return 1;
}

bool sv_ntfs_raw_attr_is(const struct sv_ntfs_raw_attr *a, uint32_t type, const char *name)
{
	if (a->type != type || a->name_length != strlen(name))
		return false;
	for (size_t i = 0; i < a->name_length; i++)
		if (sv_load_le16(a->name + 2 * i) != (unsigned char)name[i])
			return false;
	return true;
}

int sv_ntfs_raw_find_attr(const uint8_t *record, size_t size, uint32_t type, const char *name,
	struct sv_ntfs_raw_attr *ret, struct sv_err *err)
{
	struct sv_ntfs_raw_attr a = {0};
	int more;

	while ((more = sv_ntfs_raw_next_attr(record, size, &a, err)) == 1) {
		if (!sv_ntfs_raw_attr_is(&a, type, name))
			continue;
		*ret = a;
		return 1;
	}
	return more;
}

bool sv_ntfs_raw_resize_attr(
	uint8_t *record, size_t size, const struct sv_ntfs_raw_attr *a, uint32_t length)
{
	size_t used = sv_load_le32(record + 0x18);
	size_t end = a->offset + a->length, rest = used - end;

	if (used - a->length + length > size)
		return false;
	memmove(record + a->offset + length, record + end, rest);
	if (length > a->length)
		memset(record + end, 0, length - a->length);
	if (length)
		sv_store_le32(record + a->offset + 4, length);
	sv_store_le32(record + 0x18, (uint32_t)(used - a->length + length));
	return true;
}
