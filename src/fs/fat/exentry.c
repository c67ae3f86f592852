/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Entry sets of exFAT folders: a file entry (0x85), a stream extension (0xc0) and the pieces of
 * the name (0xc1), guarded by a checksum over all of them (exFAT specification, sections 6 and
 * 7). A set that is damaged is passed over as a whole: nothing of it can be trusted.
 */
#include "fs/fat/fat.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define TYPE_BITMAP 0x81
#define TYPE_UPCASE 0x82
#define TYPE_LABEL  0x83
#define TYPE_FILE   0x85
#define TYPE_STREAM 0xc0
#define TYPE_NAME   0xc1
#define IN_USE      0x80
#define NO_CHAIN    2u /* flag of a stream: its clusters are contiguous */
#define SET_MAX     19 /* file, stream, 17 pieces of 15 units */

/* With the zone that it was written in, in quarters of an hour; without one it is told as if
 * it were UTC. */
static struct sv_fs_time time_of(uint32_t stamp, unsigned hundredths, uint8_t zone)
{
	struct sv_fs_time t = sv_fat_time(stamp, hundredths);
	int quarters = (zone & 0x7f) - (zone & 0x40 ? 128 : 0);

	if (zone & 0x80 && stamp)
		t.sec -= quarters * INT64_C(900);
	return t;
}

static uint16_t set_sum(const uint8_t *b, size_t n)
{
	uint16_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (i != 2 && i != 3)
			sum = (uint16_t)((sum << 15 | sum >> 1) + b[i]);
	}
	return sum;
}

size_t sv_fat_set_size(const uint8_t *b)
{
	return b[0] == TYPE_FILE ? SV_FAT_ENTRY * (SV_MIN((unsigned)b[1], SET_MAX - 1u) + 1u)
				 : SV_FAT_ENTRY;
}

static int bad(struct sv_err *err, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, 0, "an entry set %s %llu", what,
		(unsigned long long)found);
}

static int take_name(const uint8_t *b, unsigned pieces, unsigned len, struct sv_fat_entry *ret,
	struct sv_err *err)
{
	if (!len || pieces < sv_div_up(len, 15))
		return bad(err, "has too few pieces for a name of length", len);
	for (unsigned i = 0; i < len; i++) {
		const uint8_t *piece = b + (2 + i / 15) * SV_FAT_ENTRY;

		if (piece[0] != TYPE_NAME)
			return bad(err,
				"has where a piece of its name belongs an entry of type",
				piece[0]);
		ret->name[i] = sv_load_le16(piece + 2 + 2 * (i % 15));
	}
	ret->name_len = len;
	return 0;
}

static void take_stream(const uint8_t *b, struct sv_fat_object *o)
{
	o->chain = (struct sv_fat_chain){.first = sv_load_le32(b + 20),
		.contiguous = b[1] & NO_CHAIN,
		.size = sv_load_le64(b + 24)};
	o->valid = SV_MIN(sv_load_le64(b + 8), o->chain.size);
	if (!o->chain.size)
		o->chain.first = 0;
}

static int parse_file(const uint8_t *b, size_t n, struct sv_fat_entry *ret, struct sv_err *err)
{
	const uint8_t *stream = b + SV_FAT_ENTRY;
	struct sv_fs_stat *st = &ret->object.st;
	uint16_t attributes = sv_load_le16(b + 4);

	if (n < 3 * SV_FAT_ENTRY || b[1] > SET_MAX - 1)
		return bad(err, "has further entries:", b[1]);
	if (set_sum(b, n) != sv_load_le16(b + 2))
		return bad(
			err, "has another checksum than its bytes, which give", set_sum(b, n));
	if (stream[0] != TYPE_STREAM)
		return bad(err, "has where its stream belongs an entry of type", stream[0]);
	take_stream(stream, &ret->object);
	if (ret->object.chain.size > INT64_MAX)
		return bad(err, "tells a size of", ret->object.chain.size);
	*st = (struct sv_fs_stat){.type = attributes & 0x10 ? SV_FS_DIR : SV_FS_FILE,
		.attributes = attributes & 0x37,
		.nlink = 1,
		.born = time_of(sv_load_le32(b + 8), b[20], b[22]),
		.mtime = time_of(sv_load_le32(b + 12), b[21], b[23]),
		.atime = time_of(sv_load_le32(b + 16), 0, b[24])};
	st->ctime = st->mtime;
	st->size = st->type == SV_FS_DIR ? 0 : ret->object.chain.size;
	return take_name(b, (unsigned)(n / SV_FAT_ENTRY - 2), stream[3], ret, err);
}

static enum sv_fat_found take_special(const uint8_t *b, struct sv_fat_entry *ret)
{
	switch (b[0]) {
	case TYPE_LABEL:
		ret->name_len = SV_MIN((unsigned)b[1], 11u);
		for (unsigned i = 0; i < ret->name_len; i++)
			ret->name[i] = sv_load_le16(b + 2 + 2 * i);
		return SV_FAT_LABEL;
	case TYPE_BITMAP:
	case TYPE_UPCASE:
		if (b[0] == TYPE_BITMAP && b[1] & 1)
			return SV_FAT_NOTHING; /* that of the second FAT */
		ret->object.chain = (struct sv_fat_chain){
			.first = sv_load_le32(b + 20), .size = sv_load_le64(b + 24)};
		return b[0] == TYPE_BITMAP ? SV_FAT_BITMAP : SV_FAT_UPCASE;
	default:
		return SV_FAT_NOTHING;
	}
}

int sv_fat_parse_set(const uint8_t *b, size_t n, enum sv_fat_found *ret_found,
	struct sv_fat_entry *ret, size_t *ret_used, struct sv_err *err)
{
	*ret_found = SV_FAT_NOTHING;
	*ret_used = SV_FAT_ENTRY;
	ret->object = (struct sv_fat_object){0};
	ret->name_len = ret->alias_len = 0;
	if (!b[0]) {
		*ret_found = SV_FAT_END;
		return 0;
	}
	if (b[0] != TYPE_FILE) {
		*ret_found = take_special(b, ret);
		return 0;
	}
	*ret_used = SV_MIN(sv_fat_set_size(b), n);
	if (n < sv_fat_set_size(b))
		return bad(err, "goes beyond its folder with further entries:", b[1]);
	if (parse_file(b, sv_fat_set_size(b), ret, err) < 0) {
		/* what follows may be whole: only this entry is passed over */
		*ret_used = SV_FAT_ENTRY;
		return -1;
	}
	*ret_found = SV_FAT_OBJECT;
	return 0;
}
