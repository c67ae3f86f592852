/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How files of a guest look: see listing.h. Attributes: [MS-FSCC] section 2.6.
 */
#include "cli/listing.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *sv_time_utc(struct sv_fs_time t, char buf[SV_TIME_TEXT])
{
	time_t sec = (time_t)t.sec;
	struct tm tm;

	if (!gmtime_r(&sec, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900)
		buf[0] = 0;
	else
		snprintf(buf, SV_TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ",
			tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
			tm.tm_sec, t.nsec % 1000000000);
	return buf;
}

const char *sv_time_local(struct sv_fs_time t, char buf[SV_TIME_TEXT])
{
	time_t sec = (time_t)t.sec;
	struct tm tm;

	if (!localtime_r(&sec, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900)
		snprintf(buf, SV_TIME_TEXT, "-");
	else
		snprintf(buf, SV_TIME_TEXT, "%04d-%02d-%02d %02d:%02d", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min);
	return buf;
}

const char *sv_time_exact(struct sv_fs_time t, char buf[SV_TIME_TEXT])
{
	time_t sec = (time_t)t.sec;
	char zone[8] = "", text[24] = "";
	struct tm tm;

	snprintf(buf, SV_TIME_TEXT, "-");
	if (!localtime_r(&sec, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900)
		return buf;
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	strftime(zone, sizeof zone, "%z", &tm);
	snprintf(buf, SV_TIME_TEXT, "%s.%09u %s", text, t.nsec % 1000000000, zone);
	return buf;
}

const char *sv_type_word(enum sv_fs_type type)
{
	switch (type) {
	case SV_FS_FILE:
		return "file";
	case SV_FS_DIR:
		return "dir";
	case SV_FS_SYMLINK:
		return "symlink";
	case SV_FS_CHAR:
		return "char";
	case SV_FS_BLOCK:
		return "block";
	case SV_FS_FIFO:
		return "fifo";
	case SV_FS_SOCKET:
		return "socket";
	case SV_FS_OTHER:
		break;
	}
	return "other";
}

static const struct {
	uint32_t bit;
	char letter; /* in the short form; 0: only in the long one */
	const char *word;
} attributes[] = {
	{0x0001, 'r', "read-only"},
	{0x0002, 'h', "hidden"},
	{0x0004, 's', "system"},
	{0x0020, 'a', "archive"},
	{0x0800, 'c', "compressed"},
	{0x4000, 'e', "encrypted"},
	{0x0100, 0, "temporary"},
	{0x0200, 0, "sparse"},
	{0x0400, 0, "reparse-point"},
	{0x1000, 0, "offline"},
	{0x2000, 0, "not-indexed"},
};

static char type_letter(enum sv_fs_type type)
{
	static const char letters[] = {[SV_FS_FILE] = '-',
		[SV_FS_DIR] = 'd',
		[SV_FS_SYMLINK] = 'l',
		[SV_FS_CHAR] = 'c',
		[SV_FS_BLOCK] = 'b',
		[SV_FS_FIFO] = 'p',
		[SV_FS_SOCKET] = 's',
		[SV_FS_OTHER] = '?'};

	return letters[type];
}

/* "rwxr-xr-x", with set-id and sticky bits as ls(1) shows them. */
static void put_permissions(uint32_t mode, char *p)
{
	static const char all[] = "rwxrwxrwx", special[] = "sst";

	for (unsigned i = 0; i < 9; i++)
		p[i] = mode & (0400u >> i) ? all[i] : '-';
	for (unsigned i = 0; i < 3; i++) {
		char *x = p + 3 * i + 2;

		if (mode & (04000u >> i))
			*x = (char)(*x == 'x' ? special[i] : special[i] - 'a' + 'A');
	}
}

const char *sv_mode_text(const struct sv_fs_stat *st, char buf[SV_MODE_TEXT])
{
	size_t n = 0;

	buf[n++] = type_letter(st->type);
	if (st->mode || st->owned) {
		put_permissions(st->mode, buf + n);
		n += 9;
	} else {
		for (size_t i = 0; i < SV_ARRAY_LEN(attributes); i++)
			if (attributes[i].letter)
				buf[n++] = st->attributes & attributes[i].bit
						   ? attributes[i].letter
						   : '-';
	}
	buf[n] = 0;
	return buf;
}

void sv_attributes_words(uint32_t bits, const char *sep, struct sv_str *out)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(attributes); i++)
		if (bits & attributes[i].bit)
			sv_str_addf(out, "%s%s", out->len ? sep : "", attributes[i].word);
}

static void put_attributes(struct sv_json *j, uint32_t bits)
{
	sv_json_key(j, "attributes");
	sv_json_array(j);
	for (size_t i = 0; i < SV_ARRAY_LEN(attributes); i++)
		if (bits & attributes[i].bit)
			sv_json_string(j, attributes[i].word);
	sv_json_end_array(j);
}

static bool is_device(const struct sv_fs_stat *st)
{
	return st->type == SV_FS_CHAR || st->type == SV_FS_BLOCK;
}

const char *sv_size_column(const struct sv_fs_stat *st, char buf[SV_SIZE_COLUMN])
{
	char size[SV_SIZE_TEXT];

	if (is_device(st))
		snprintf(buf, SV_SIZE_COLUMN, "%u,%u", st->dev_major, st->dev_minor);
	else
		snprintf(buf, SV_SIZE_COLUMN, "%s",
			st->type == SV_FS_DIR ? "-" : sv_size_format(st->size, size));
	return buf;
}

void sv_listing_fields(struct sv_json *j, const struct sv_fs_stat *st, const char *link)
{
	char text[SV_TIME_TEXT];

	sv_json_kstring(j, "type", sv_type_word(st->type));
	sv_json_ku64(j, "size", st->size);
	sv_json_kstring(j, "mtime", sv_time_utc(st->mtime, text));
	if (st->mode || st->owned) {
		snprintf(text, sizeof text, "%04o", st->mode & 07777);
		sv_json_kstring(j, "mode", text);
	} else {
		put_attributes(j, st->attributes);
	}
	if (st->owned) {
		sv_json_ku64(j, "uid", st->uid);
		sv_json_ku64(j, "gid", st->gid);
	}
	if (is_device(st)) {
		sv_json_ku64(j, "major", st->dev_major);
		sv_json_ku64(j, "minor", st->dev_minor);
	}
	if (link)
		sv_json_kstring(j, "target", link);
}

void sv_listing_raw(struct sv_json *j, const struct sv_entry *entry)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	sv_autostr struct sv_str text = {0};
	const uint8_t *p = entry ? entry->raw : NULL;

	if (!p)
		return;
	for (size_t i = 0; i < entry->raw_len; i += 3) {
		size_t n = SV_MIN((size_t)3, entry->raw_len - i);
		uint32_t bits = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
				(n > 2 ? p[i + 2] : 0);

		for (size_t k = 0; k < 4; k++)
			sv_str_addf(
				&text, "%c", k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
	}
	sv_json_kstring(j, "path_raw", text.data);
}
