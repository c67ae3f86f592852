/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * File names in descriptors: those of new extents, and those that a Windows host wrote in its
 * own encoding (descriptor line encoding="windows-1252"), which come to other hosts as UTF-8.
 */
#include "image/vmdk/vmdk.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

char *sv_vmdk_stem(const char *path)
{
	const char *base = sv_path_base(path);
	size_t n = strlen(base);

	if (sv_ends_with_nocase(base, ".vmdk"))
		n -= strlen(".vmdk");
	return strndup(base, n);
}

char *sv_vmdk_part_name(const char *stem, enum sv_vmdk_extent_type type, bool split, size_t i)
{
	if (!split && type == SV_VMDK_FLAT)
		return sv_format("%s-flat.vmdk", stem);
	return sv_format("%s-%c%03zu.vmdk", stem, type == SV_VMDK_FLAT ? 'f' : 's', i + 1);
}

/* Bytes 0x80 to 0x9f of windows-1252; the others are ISO 8859-1. 0: not in use. */
static const uint16_t high[32] = {0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019, 0x201c, 0x201d,
	0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178};

static void add_utf8(struct sv_str *out, unsigned c)
{
	if (c < 0x80)
		sv_str_addf(out, "%c", (int)c);
	else if (c < 0x800)
		sv_str_addf(out, "%c%c", (int)(0xc0 | c >> 6), (int)(0x80 | (c & 0x3f)));
	else
		sv_str_addf(out, "%c%c%c", (int)(0xe0 | c >> 12), (int)(0x80 | (c >> 6 & 0x3f)),
			(int)(0x80 | (c & 0x3f)));
}

static bool is_western(const char *encoding)
{
	return !strcasecmp(encoding, "windows-1252") || !strcasecmp(encoding, "ISO-8859-1");
}

char *sv_vmdk_other_name(const struct sv_vmdk_desc *d, const char *name)
{
	struct sv_str out = {0};

	if (!is_western(d->encoding) || sv_utf8_valid(name, strlen(name)))
		return NULL;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		add_utf8(&out, *c >= 0x80 && *c < 0xa0 ? high[*c - 0x80] : *c);
	return sv_str_take(&out);
}
