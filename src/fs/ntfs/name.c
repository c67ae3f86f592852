/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of NTFS: sequences of 16-bit units, usually UTF-16, compared by the volume's own
 * $UpCase table. Pure. Units lie unaligned in records, therefore they are bytes here.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

/* Of the first character; its bytes, valid as a whole was checked before. */
static uint32_t decode_utf8(const uint8_t *s, size_t *ret_n)
{
	if (s[0] < 0x80) {
		*ret_n = 1;
		return s[0];
	}
	if (s[0] < 0xe0) {
		*ret_n = 2;
		return (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu);
	}
	if (s[0] < 0xf0) {
		*ret_n = 3;
		return (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
	}
	*ret_n = 4;
	return (s[0] & 0x07u) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 |
	       (s[3] & 0x3fu);
}

bool sv_ntfs_name_from_utf8(
	const char *s, size_t n, uint8_t ret[2 * SV_NTFS_NAME_MAX], unsigned *ret_len)
{
	unsigned len = 0;

	if (!sv_utf8_valid(s, n))
		return false;
	for (size_t at = 0, step; at < n; at += step) {
		uint32_t c = decode_utf8((const uint8_t *)s + at, &step);
		unsigned units = c >= 0x10000 ? 2 : 1;

		if (len + units > SV_NTFS_NAME_MAX)
			return false;
		if (units == 2) {
			c -= 0x10000;
			sv_store_le16(ret + 2 * len++, (uint16_t)(0xd800 | c >> 10));
			c = 0xdc00 | (c & 0x3ff);
		}
		sv_store_le16(ret + 2 * len++, (uint16_t)c);
	}
	*ret_len = len;
	return true;
}

static size_t encode_utf8(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* A NUL would end the name early and a slash would make a path of it: both are lost too. */
bool sv_ntfs_name_to_utf8(const uint8_t *units, unsigned len, char ret[SV_NTFS_NAME_UTF8])
{
	bool lossy = false;
	size_t n = 0;

	len = SV_MIN(len, (unsigned)SV_NTFS_NAME_MAX);
	for (unsigned i = 0; i < len; i++) {
		uint32_t c = sv_load_le16(units + 2 * i), low = 0;

		if ((c & 0xfc00) == 0xd800 && i + 1 < len)
			low = sv_load_le16(units + 2 * (i + 1));
		if ((low & 0xfc00) == 0xdc00) {
			c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
			i++;
		} else if ((c & 0xf800) == 0xd800 || !c || c == '/') {
			c = 0xfffd;
			lossy = true;
		}
		n += encode_utf8(c, ret + n);
	}
	ret[n] = 0;
	return lossy;
}

static int compare_units(const uint16_t *upcase, const uint8_t *a, const uint8_t *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned x = sv_load_le16(a + 2 * i), y = sv_load_le16(b + 2 * i);

		if (upcase) {
			x = upcase[x];
			y = upcase[y];
		}
		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

int sv_ntfs_name_compare(const uint16_t *upcase, const uint8_t *a, unsigned a_len,
	const uint8_t *b, unsigned b_len, bool exact)
{
	unsigned n = SV_MIN(a_len, b_len);
	int order = compare_units(upcase, a, b, n);

	if (order)
		return order;
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return exact ? compare_units(NULL, a, b, n) : 0;
}
