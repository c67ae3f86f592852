/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of keys and values: Latin-1 or UTF-16 in the hive, UTF-8 outside, compared without
 * case. Upper case follows Windows' table for the scripts whose letters come in pairs there
 * (Latin-1, Latin Extended-A, Greek, Cyrillic); other letters compare as they are.
 */
#include "hive/regf.h"

#include "base/str.h"

#include <string.h>

enum { REPLACEMENT = 0xFFFD };

/* The code point that begins at unit *i, which moves behind it. */
static uint32_t next_unit(const struct sv_regf_name *name, size_t *i)
{
	uint32_t c = name->wide ? sv_load_le16(name->bytes + 2 * *i) : name->bytes[*i], low;

	++*i;
	if (c == 0 || (c >= 0xDC00 && c < 0xE000))
		return REPLACEMENT;
	if (c < 0xD800 || c >= 0xDC00)
		return c;
	low = *i < name->n ? sv_load_le16(name->bytes + 2 * *i) : 0;
	if (low < 0xDC00 || low >= 0xE000)
		return REPLACEMENT;
	++*i;
	return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
}

/* The code point at text[*i]; a byte that is not valid UTF-8 is U+FFFD. */
static uint32_t next_utf8(const char *text, size_t n, size_t *i)
{
	const uint8_t *s = (const uint8_t *)text + *i;
	size_t len = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC0 ? 2 : 1;
	uint32_t c;

	if (len > n - *i || !sv_utf8_valid(text + *i, len)) {
		++*i;
		return REPLACEMENT;
	}
	*i += len;
	c = len == 1 ? s[0] : s[0] & (0xFFU >> (len + 1));
	for (size_t k = 1; k < len; k++)
		c = c << 6 | (s[k] & 0x3F);
	return c;
}

/* Latin Extended-A: pairs of capital and small letter, in two phases. */
static uint32_t upper_latin_a(uint32_t c)
{
	bool odd_is_small = c <= 0x137 || (c >= 0x14A && c <= 0x177);

	if (c == 0x131 || c == 0x138 || c == 0x149 || c == 0x17F)
		return c;
	if (c == 0x178)
		return c;
	return (c & 1) == (odd_is_small ? 1U : 0U) ? c - 1 : c;
}

static uint32_t upper(uint32_t c)
{
	if (c < 0x80)
		return c >= 'a' && c <= 'z' ? c - 0x20 : c;
	if (c < 0x100)
		return c == 0xFF ? 0x178 : c >= 0xE0 && c != 0xF7 ? c - 0x20 : c;
	if (c < 0x180)
		return upper_latin_a(c);
	if (c >= 0x3B1 && c <= 0x3C9 && c != 0x3C2)
		return c - 0x20;
	if (c >= 0x430 && c <= 0x44F)
		return c - 0x20;
	return c >= 0x450 && c <= 0x45F ? c - 0x50 : c;
}

bool sv_regf_name_is(const struct sv_regf_name *name, const char *text, size_t n)
{
	size_t i = 0, k = 0;

	while (i < name->n && k < n) {
		if (upper(next_unit(name, &i)) != upper(next_utf8(text, n, &k)))
			return false;
	}
	return i == name->n && k == n;
}

char *sv_regf_name_text(const struct sv_regf_name *name)
{
	sv_autofree uint8_t *units = malloc(2 * name->n + 1);

	if (!units)
		return NULL;
	for (size_t i = 0; i < name->n; i++) {
		uint16_t c = name->wide ? sv_load_le16(name->bytes + 2 * i) : name->bytes[i];

		sv_store_le16(units + 2 * i, c ? c : REPLACEMENT);
	}
	return sv_utf16_to_utf8(units, name->n, NULL);
}
