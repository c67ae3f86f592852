/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Entries of FAT folders: the short name, and the pieces of a long one that lie before it, last
 * piece first. A long name counts only where its pieces are in order and all carry the short
 * name's checksum; else the short name is told. Bytes above 0x7f of short names are read as
 * code page 437, which FAT's own documentation and Linux take for granted.
 */
#include "fs/fat/fat.h"

#include "base/endian.h"
#include "base/num.h"

#include <ctype.h>
#include <string.h>

#define ATTR_LABEL  0x08u
#define ATTR_DIR    0x10u
#define ATTR_LONG   0x0fu
#define ATTR_MASK   0x3fu
#define LONG_LAST   0x40u
#define PIECE_UNITS 13u
#define LOWER_BASE  0x08u /* Windows NT: an all-lower-case base needs no long name */
#define LOWER_EXT   0x10u

static const uint16_t cp437[128] = {0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5,
	0x00e7, 0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5, 0x00c9, 0x00e6,
	0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9, 0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3,
	0x00a5, 0x20a7, 0x0192, 0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
	0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb, 0x2591, 0x2592, 0x2593,
	0x2502, 0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c,
	0x255b, 0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a,
	0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559,
	0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590,
	0x2580, 0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4, 0x03a6, 0x0398,
	0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229, 0x2261, 0x00b1, 0x2265, 0x2264, 0x2320,
	0x2321, 0x00f7, 0x2248, 0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0};

/* ---- times ---- */

/* Days from 1970 to the first of a month, in the Gregorian calendar. */
static int64_t days_before(int year, int month)
{
	int y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;

	return INT64_C(365) * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 - 719468;
}

struct sv_fs_time sv_fat_time(uint32_t stamp, unsigned hundredths)
{
	int month = (int)(stamp >> 21 & 15), day = (int)(stamp >> 16 & 31);
	int64_t days = days_before(1980 + (int)(stamp >> 25), SV_MAX(1, SV_MIN(month, 12))) +
		       SV_MAX(1, day) - 1;
	int64_t seconds = (stamp >> 11 & 31) * 3600 + (stamp >> 5 & 63) * 60 + (stamp & 31) * 2;

	if (!(stamp >> 16))
		return (struct sv_fs_time){0};
	hundredths = SV_MIN(hundredths, 199u);
	return (struct sv_fs_time){
		days * 86400 + seconds + hundredths / 100, hundredths % 100 * 10000000};
}

/* FAT has local time and does not say where: it is told as if it were UTC. */
static struct sv_fs_time time_of(uint16_t date, uint16_t time, unsigned hundredths)
{
	return sv_fat_time((uint32_t)date << 16 | time, hundredths);
}

/* ---- names ---- */

static uint8_t checksum(const uint8_t *name)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 11; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + name[i]);
	return sum;
}

static void take_piece(const uint8_t *b, struct sv_fat_long *l)
{
	static const uint8_t places[PIECE_UNITS] = {
		1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
	unsigned number = b[0] & 0x3fu, at = (number - 1) * PIECE_UNITS;

	if (b[0] & LONG_LAST && number && number <= 20) {
		*l = (struct sv_fat_long){.expect = number, .sum = b[13]};
		l->len = SV_MIN(number * PIECE_UNITS, (unsigned)SV_FAT_NAME_MAX);
	}
	if (!number || number != l->expect || b[13] != l->sum) {
		l->expect = 0;
		l->ready = false;
		return;
	}
	for (unsigned i = 0; i < PIECE_UNITS && at + i < SV_ARRAY_LEN(l->name); i++) {
		uint16_t unit = sv_load_le16(b + places[i]);

		if (!unit && at + i < l->len)
			l->len = at + i;
		l->name[at + i] = unit;
	}
	l->expect = number - 1;
	l->ready = number == 1;
}

static uint16_t short_unit(uint8_t c, bool lower)
{
	if (c >= 0x80)
		return cp437[c - 0x80];
	return (uint16_t)(lower ? tolower(c) : c);
}

/* "FOO     TXT" -> "FOO.TXT". Returns the length. */
static unsigned short_name(const uint8_t *b, uint16_t out[13])
{
	unsigned n = 0, base = 8, ext = 3;

	while (base && b[base - 1] == ' ')
		base--;
	while (ext && b[8 + ext - 1] == ' ')
		ext--;
	for (unsigned i = 0; i < base; i++)
		out[n++] = short_unit(!i && b[0] == 0x05 ? 0xe5 : b[i], b[12] & LOWER_BASE);
	if (ext)
		out[n++] = '.';
	for (unsigned i = 0; i < ext; i++)
		out[n++] = short_unit(b[8 + i], b[12] & LOWER_EXT);
	return n;
}

static void take_names(const uint8_t *b, const struct sv_fat_long *l, struct sv_fat_entry *ret)
{
	unsigned n = short_name(b, ret->alias);

	if (l->ready && l->len && l->sum == checksum(b)) {
		memcpy(ret->name, l->name, l->len * sizeof *ret->name);
		ret->name_len = l->len;
		ret->alias_len = n;
		return;
	}
	memcpy(ret->name, ret->alias, n * sizeof *ret->name);
	ret->name_len = n;
	ret->alias_len = 0;
}

/* ---- entries ---- */

static void take_object(const uint8_t *b, enum sv_fat_kind kind, struct sv_fat_object *ret)
{
	uint32_t high = kind == SV_FAT32 ? sv_load_le16(b + 20) : 0;
	bool dir = b[11] & ATTR_DIR;

	*ret = (struct sv_fat_object){
		.chain = {.first = high << 16 | sv_load_le16(b + 26),
			.size = dir ? SV_FAT_FOLDER_MAX : sv_load_le32(b + 28)},
		.st = {.type = dir ? SV_FS_DIR : SV_FS_FILE,
			.size = dir ? 0 : sv_load_le32(b + 28),
			.attributes = b[11] & ATTR_MASK,
			.nlink = 1,
			.mtime = time_of(sv_load_le16(b + 24), sv_load_le16(b + 22), 0),
			.born = time_of(sv_load_le16(b + 16), sv_load_le16(b + 14), b[13]),
			.atime = time_of(sv_load_le16(b + 18), 0, 0)},
	};
	ret->valid = ret->chain.size;
	ret->st.ctime = ret->st.mtime;
}

enum sv_fat_found sv_fat_parse_entry(const uint8_t *b, enum sv_fat_kind kind,
	struct sv_fat_long *l, struct sv_fat_entry *ret)
{
	if (!b[0])
		return SV_FAT_END;
	if (b[0] == 0xe5) {
		l->ready = false;
		l->expect = 0;
		return SV_FAT_NOTHING;
	}
	if ((b[11] & ATTR_MASK) == ATTR_LONG) {
		take_piece(b, l);
		return SV_FAT_NOTHING;
	}
	take_object(b, kind, &ret->object);
	take_names(b, l, ret);
	l->ready = false;
	l->expect = 0;
	if (b[11] & ATTR_LABEL) {
		/* eleven characters without a dot in between */
		for (ret->name_len = 0; ret->name_len < 11; ret->name_len++)
			ret->name[ret->name_len] = short_unit(b[ret->name_len], false);
		while (ret->name_len && ret->name[ret->name_len - 1] == ' ')
			ret->name_len--;
		return SV_FAT_LABEL;
	}
	return SV_FAT_OBJECT;
}
