/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parses directory records (ECMA-119 section 9.1) and what Rock Ridge keeps in their system
 * use. Numbers lie there in both byte orders; the little-endian copy is read. Entries of the
 * system use that are not known, or of a length that cannot be, end or are passed over, so that
 * a damaged one costs what it says and not the file.
 */
#include "fs/iso/iso.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>
#include <time.h>

#define FIXED 33u

enum flags { HIDDEN = 1, DIRECTORY = 2, GOES_ON = 0x80 };

/* ---- dates ---- */

static struct sv_fs_time seconds(int year, int month, int day, const uint8_t *hms, int quarters)
{
	struct tm t = {.tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_hour = hms[0],
		.tm_min = hms[1],
		.tm_sec = hms[2]};

	if (month < 1 || month > 12 || day < 1 || day > 31 || hms[0] > 23 || hms[1] > 59)
		return (struct sv_fs_time){0};
	return (struct sv_fs_time){.sec = timegm(&t) - quarters * 15 * 60};
}

/* 7 bytes: years since 1900, then the rest, and quarters of an hour east of Greenwich. */
static struct sv_fs_time short_date(const uint8_t *b)
{
	return seconds(1900 + b[0], b[1], b[2], b + 3, (int8_t)b[6]);
}

static int digits(const uint8_t *b, unsigned n)
{
	int value = 0;

	for (unsigned i = 0; i < n; i++)
		value = value * 10 + (b[i] >= '0' && b[i] <= '9' ? b[i] - '0' : 0);
	return value;
}

/* 17 bytes: the digits of a date, hundredths of a second, the zone. */
static struct sv_fs_time long_date(const uint8_t *b)
{
	const uint8_t hms[] = {(uint8_t)digits(b + 8, 2), (uint8_t)digits(b + 10, 2),
		(uint8_t)digits(b + 12, 2)};
	struct sv_fs_time t =
		seconds(digits(b, 4), digits(b + 4, 2), digits(b + 6, 2), hms, (int8_t)b[16]);

	t.nsec = (uint32_t)digits(b + 14, 2) * 10000000u;
	return t;
}

/* ---- records ---- */

int sv_iso_parse_record(
	const uint8_t *b, size_t n, struct sv_iso_record *ret, struct sv_err *err)
{
	size_t use;

	if (!n || b[0] <= FIXED || b[0] > n || FIXED + (size_t)b[32] > b[0] || !b[32])
		return sv_fail(err, SV_CORRUPT, NULL,
			"a directory record has %u bytes and a name of %u, in room for %zu",
			n ? b[0] : 0u, n > 32 ? b[32] : 0u, n);
	*ret = (struct sv_iso_record){
		.len = b[0],
		.block = sv_load_le32(b + 2),
		.size = sv_load_le32(b + 10),
		.time = short_date(b + 18),
		.hidden = b[25] & HIDDEN,
		.dir = b[25] & DIRECTORY,
		.goes_on = b[25] & GOES_ON,
		.interleaved = b[26] || b[27],
		.name_len = b[32],
	};
	/* extended attributes lie before the content */
	if (__builtin_add_overflow(ret->block, b[1], &ret->block))
		return sv_fail(err, SV_CORRUPT, NULL, "a directory record's block cannot be");
	memcpy(ret->name, b + FIXED, ret->name_len);
	use = FIXED + ret->name_len + (ret->name_len % 2 == 0);
	if (use < ret->len) {
		ret->use_len = (unsigned)(ret->len - use);
		memcpy(ret->use, b + use, ret->use_len);
	}
	return 0;
}

/* ---- Rock Ridge ---- */

static void append(char *to, unsigned *len, unsigned cap, const uint8_t *from, size_t n)
{
	n = SV_MIN(n, (size_t)(cap - *len));
	memcpy(to + *len, from, n);
	*len += (unsigned)n;
	to[*len] = '\0';
}

static void take_name(struct sv_iso_more *m, const uint8_t *e, size_t n)
{
	if (n < 5 || e[4] & 6) /* "." and ".." */
		return;
	append(m->name, &m->name_len, SV_ISO_NAME_MAX, e + 5, n - 5);
	m->has_name = m->name_len > 0;
}

static void take_mode(struct sv_iso_more *m, const uint8_t *e, size_t n)
{
	if (n < 36)
		return;
	m->has_mode = true;
	m->mode = sv_load_le32(e + 4);
	m->nlink = sv_load_le32(e + 12);
	m->uid = sv_load_le32(e + 20);
	m->gid = sv_load_le32(e + 28);
}

static void take_device(struct sv_iso_more *m, const uint8_t *e, size_t n)
{
	if (n < 20)
		return;
	m->dev_major = sv_load_le32(e + 4);
	m->dev_minor = sv_load_le32(e + 12);
	if (!m->dev_major) { /* both in the lower half, as Linux had them */
		m->dev_major = m->dev_minor >> 8;
		m->dev_minor &= 0xff;
	}
}

/* One component of a link: flags (1: goes on, 2 ".", 4 "..", 8 "/"), length, bytes. */
static void take_component(struct sv_iso_more *m, const uint8_t *c, size_t len)
{
	static const uint8_t dots[] = "..", slash[] = "/";
	bool joined = m->link_goes_on || !m->link_len || m->link[m->link_len - 1] == '/';

	if (!joined)
		append(m->link, &m->link_len, SV_ISO_LINK_MAX, slash, 1);
	m->link_goes_on = c[0] & 1;
	if (c[0] & 8)
		append(m->link, &m->link_len, SV_ISO_LINK_MAX, slash, 1);
	else if (c[0] & 6)
		append(m->link, &m->link_len, SV_ISO_LINK_MAX, dots, c[0] & 2 ? 1 : 2);
	else
		append(m->link, &m->link_len, SV_ISO_LINK_MAX, c + 2, len);
}

static void take_link(struct sv_iso_more *m, const uint8_t *e, size_t n)
{
	m->is_link = true;
	for (size_t at = 5; at + 2 <= n; at += 2 + (size_t)e[at + 1]) {
		if (e[at + 1] > n - at - 2)
			return;
		take_component(m, e + at, e[at + 1]);
	}
}

/* Flags tell which dates follow: creation, change of content, access, change of attributes. */
static void take_times(struct sv_iso_more *m, const uint8_t *e, size_t n)
{
	struct {
		struct sv_fs_time *to;
		bool *has;
	} times[] = {{&m->born, &m->has_born}, {&m->mtime, &m->has_mtime},
		{&m->atime, &m->has_atime}, {&m->ctime, &m->has_ctime}};
	size_t size = n > 4 && e[4] & 0x80 ? 17 : 7, at = 5;

	for (size_t i = 0; n > 4 && i < SV_ARRAY_LEN(times); i++) {
		if (!(e[4] >> i & 1))
			continue;
		if (at + size > n)
			return;
		*times[i].to = size == 7 ? short_date(e + at) : long_date(e + at);
		*times[i].has = true;
		at += size;
	}
}

static void take_entry(struct sv_iso_more *m, const uint8_t *e, size_t n)
{
	uint16_t what = sv_load_be16(e);

	switch (what) {
	case 'S' << 8 | 'P':
		m->susp = n >= 7 && e[4] == 0xbe && e[5] == 0xef;
		m->skip = m->susp ? e[6] : 0;
		break;
	case 'C' << 8 | 'E':
		if (n >= 28) {
			m->next_block = sv_load_le32(e + 4);
			m->next_off = sv_load_le32(e + 12);
			m->next_len = sv_load_le32(e + 20);
		}
		break;
	case 'N' << 8 | 'M':
		take_name(m, e, n);
		break;
	case 'P' << 8 | 'X':
		take_mode(m, e, n);
		break;
	case 'P' << 8 | 'N':
		take_device(m, e, n);
		break;
	case 'S' << 8 | 'L':
		take_link(m, e, n);
		break;
	case 'T' << 8 | 'F':
		take_times(m, e, n);
		break;
	case 'C' << 8 | 'L':
		m->child = n >= 12 ? sv_load_le32(e + 4) : 0;
		break;
	case 'R' << 8 | 'E':
		m->relocated = true;
		break;
	case 'Z' << 8 | 'F':
		m->packed = true;
		break;
	default:
		break;
	}
}

int sv_iso_parse_use(const uint8_t *b, size_t n, struct sv_iso_more *m, struct sv_err *err)
{
	m->next_block = 0;
	for (size_t at = 0; at + 4 <= n; at += b[at + 2]) {
		if (!b[at] || sv_load_be16(b + at) == ('S' << 8 | 'T'))
			break;
		if (b[at + 2] < 4 || b[at + 2] > n - at)
			return sv_fail(err, SV_CORRUPT, NULL,
				"an entry of Rock Ridge has %u bytes, in room for %zu",
				b[at + 2], n - at);
		take_entry(m, b + at, b[at + 2]);
	}
	return 0;
}
