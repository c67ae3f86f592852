/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * POSIX ACLs: on the disk in ext4's short form (Linux, Documentation/filesystems/ext4/
 * attributes.rst, "POSIX ACLs"), to callers as getxattr(2) gives them (acl(5); version 2,
 * eight bytes an entry). Entries without a name have no id on the disk.
 */
#include "fs/ext/ext.h"

#include <stdlib.h>

#define VERSION_DISK 1u
#define VERSION_USER 2u
#define NO_ID        UINT32_MAX
#define ENTRIES_MAX  8192u /* of 64 KiB */

enum {
	TAG_USER_OBJ = 1,
	TAG_USER = 2,
	TAG_GROUP_OBJ = 4,
	TAG_GROUP = 8,
	TAG_MASK = 16,
	TAG_OTHER = 32
};

/* The bytes of an entry, 0 for a tag that is none. */
static size_t entry_size(uint16_t tag)
{
	switch (tag) {
	case TAG_USER:
	case TAG_GROUP:
		return 8;
	case TAG_USER_OBJ:
	case TAG_GROUP_OBJ:
	case TAG_MASK:
	case TAG_OTHER:
		return 4;
	default:
		return 0;
	}
}

static int convert(
	const uint8_t *bytes, size_t n, uint8_t *out, size_t *ret_n, struct sv_err *err)
{
	size_t size, to = 4;

	sv_store_le32(out, VERSION_USER);
	for (size_t at = 4; at < n; at += size, to += 8) {
		uint16_t tag = n - at >= 4 ? sv_load_le16(bytes + at) : 0;

		size = entry_size(tag);
		if (!size || size > n - at)
			return sv_fail(err, SV_CORRUPT, NULL,
				"an ACL has the tag %u at byte %zu of %zu", tag, at, n);
		memcpy(out + to, bytes + at, 4);
		sv_store_le32(out + to + 4, size == 8 ? sv_load_le32(bytes + at + 4) : NO_ID);
	}
	*ret_n = to;
	return 0;
}

void *sv_ext_acl(const uint8_t *bytes, size_t n, size_t *ret_n, struct sv_err *err)
{
	sv_autofree uint8_t *out = NULL;

	if (n < 4 || sv_load_le32(bytes) != VERSION_DISK || n > 4 + 8 * ENTRIES_MAX) {
		sv_fail(err, SV_CORRUPT, NULL,
			"an ACL of %zu bytes has version %u, expected %u", n,
			n < 4 ? 0 : sv_load_le32(bytes), VERSION_DISK);
		return NULL;
	}
	out = malloc(4 + (n - 4) / 4 * 8 + 8);
	if (!out) {
		sv_fail_nomem(err);
		return NULL;
	}
	return convert(bytes, n, out, ret_n, err) < 0 ? NULL : SV_STEAL(out);
}
