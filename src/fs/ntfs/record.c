/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * FILE records as the reader sees them. Pure: no I/O, and after sv_ntfs_parse_record() nothing
 * in the record can lead outside it.
 */
#include "fs/ntfs/ntfs.h"

#include <string.h>

int sv_ntfs_parse_record(
	uint8_t *bytes, size_t n, struct sv_ntfs_record *ret, struct sv_err *err)
{
	struct ntfs_record d;

	if (sv_ntfs_raw_unprotect(bytes, n, "FILE", err) < 0 ||
		sv_ntfs_raw_check_record(bytes, n, err) < 0)
		return -1;
	memcpy(&d, bytes, sizeof d);
	*ret = (struct sv_ntfs_record){
		.bytes = bytes,
		.size = n,
		.sequence = sv_get_le16(d.sequence),
		.base = sv_get_le64(d.base),
		.in_use = sv_get_le16(d.flags) & NTFS_RECORD_IN_USE,
		.is_dir = sv_get_le16(d.flags) & NTFS_RECORD_DIR,
	};
	return 0;
}

bool sv_ntfs_next_attr(const struct sv_ntfs_record *r, struct sv_ntfs_raw_attr *a)
{
	return sv_ntfs_raw_next_attr(r->bytes, r->size, a, NULL) > 0;
}

bool sv_ntfs_find_attr(const struct sv_ntfs_record *r, uint32_t type, const uint8_t *name,
	unsigned name_len, struct sv_ntfs_raw_attr *ret)
{
	struct sv_ntfs_raw_attr a = {0};

	while (sv_ntfs_next_attr(r, &a)) {
		if (a.type == type && !a.lowest_vcn &&
			sv_ntfs_same_units(a.name, a.name_length, name, name_len)) {
			*ret = a;
			return true;
		}
	}
	return false;
}

int sv_ntfs_parse_name(
	const uint8_t *bytes, size_t n, struct sv_ntfs_name *ret, struct sv_err *err)
{
	struct ntfs_file_name d;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a file name of %zu bytes, expected %zu at least", n, sizeof d);
	memcpy(&d, bytes, sizeof d);
	if (n - sizeof d < 2u * d.length || !d.length)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a file name of %u characters in %zu bytes", d.length, n);
	ret->parent = sv_get_le64(d.parent);
	ret->size = sv_get_le64(d.size);
	ret->attributes = sv_get_le32(d.attributes);
	ret->reparse_tag = sv_get_le32(d.reparse);
	ret->space = d.space;
	ret->name = bytes + sizeof d;
	ret->name_len = d.length;
	return 0;
}
