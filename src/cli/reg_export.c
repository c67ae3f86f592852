/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `reg --export`: the text that regedit writes and imports ("Windows Registry Editor Version
 * 5.00", UTF-16LE with a byte order mark). Strings that a line cannot hold exactly (line ends,
 * NULs within, none at the end) are written as bytes.
 */
#include "cli/reg.h"

#include "base/endian.h"
#include "base/num.h"

#include <inttypes.h>
#include <string.h>

enum { LINE = 80 };

/* ASCII as UTF-16. */
static void put_ascii(struct sv_out *o, const char *text)
{
	for (; *text; text++) {
		const uint8_t unit[2] = {(uint8_t)*text};

		sv_out_bytes(o, unit, sizeof unit);
	}
}

static void put_unit(struct sv_out *o, const uint8_t *unit)
{
	uint16_t c = sv_load_le16(unit);

	if (c == '"' || c == '\\')
		put_ascii(o, "\\");
	sv_out_bytes(o, unit, 2);
}

/* UTF-8 as UTF-16; `quoted`: within '"'. *ret_n (may be NULL) counts what was written. */
static int put_text(
	struct sv_out *o, const char *text, bool quoted, size_t *ret_n, struct sv_err *err)
{
	size_t n = 0;
	sv_autofree uint8_t *units = sv_utf8_to_utf16(text, &n);

	if (!units)
		return sv_fail_nomem(err);
	if (!quoted)
		sv_out_bytes(o, units, 2 * n);
	for (size_t i = 0; quoted && i < n; i++)
		put_unit(o, units + 2 * i);
	if (ret_n)
		*ret_n = n;
	return 0;
}

static void export_begin(struct sv_reg *r)
{
	static const uint8_t mark[] = {0xFF, 0xFE};

	sv_out_bytes(&r->cli->out, mark, sizeof mark);
	put_ascii(&r->cli->out, "Windows Registry Editor Version 5.00\r\n");
}

static int export_key(struct sv_reg *r, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct sv_out *o = &r->cli->out;

	(void)v;
	put_ascii(o, "\r\n[");
	if (put_text(o, r->path.data, false, NULL, err) < 0)
		return -1;
	put_ascii(o, "]\r\n");
	return 0;
}

/* Can the units stand between quotes? */
static bool fits_a_line(const uint8_t *data, size_t units)
{
	for (size_t i = 0; i < units; i++) {
		uint16_t c = sv_load_le16(data + 2 * i);

		if (c == '\r' || c == '\n')
			return false;
	}
	return true;
}

static void put_quoted(struct sv_out *o, const uint8_t *data, size_t units)
{
	put_ascii(o, "\"");
	for (size_t i = 0; i < units; i++)
		put_unit(o, data + 2 * i);
	put_ascii(o, "\"");
}

/* "hex(2):41,00,\" in lines of 80 characters; `at` is the column where it begins. */
static void put_bytes(struct sv_out *o, uint32_t type, const uint8_t *data, size_t n, size_t at)
{
	char text[24];

	if (type == SV_REG_BINARY)
		snprintf(text, sizeof text, "hex:");
	else
		snprintf(text, sizeof text, "hex(%" PRIx32 "):", type);
	put_ascii(o, text);
	at += strlen(text);
	for (size_t i = 0; i < n; i++) {
		snprintf(text, sizeof text, "%02x%s", data[i], i + 1 < n ? "," : "");
		put_ascii(o, text);
		at += strlen(text);
		if (i + 1 < n && at + 4 > LINE) {
			put_ascii(o, "\\\r\n  ");
			at = 2;
		}
	}
}

static int export_value(struct sv_reg *r, const char *name, uint32_t type, const void *data,
	size_t n, struct sv_err *err)
{
	struct sv_out *o = &r->cli->out;
	size_t at = 0, units = 0;
	char text[24];

	put_ascii(o, *name ? "\"" : "@");
	if (*name && put_text(o, name, true, &at, err) < 0)
		return -1;
	put_ascii(o, *name ? "\"=" : "=");
	at += *name ? 3 : 2;
	if (type == SV_REG_SZ && n >= 2 && sv_reg_is_text(type, data, n, &units) &&
		units == n / 2 - 1 && fits_a_line(data, units)) {
		put_quoted(o, data, units);
	} else if (type == SV_REG_DWORD && n == 4) {
		snprintf(text, sizeof text, "dword:%08" PRIx32, sv_load_le32(data));
		put_ascii(o, text);
	} else {
		put_bytes(o, type, data, n, at);
	}
	put_ascii(o, "\r\n");
	return 0;
}

static int export_subkey(struct sv_reg *r, const char *name, struct sv_err *err)
{
	(void)r, (void)name, (void)err;
	return 0;
}

static void export_done(struct sv_reg *r)
{
	(void)r;
}

static void export_end(struct sv_reg *r)
{
	put_ascii(&r->cli->out, "\r\n");
}

const struct sv_reg_format sv_reg_export = {
	.begin = export_begin,
	.key = export_key,
	.value = export_value,
	.subkey = export_subkey,
	.done = export_done,
	.end = export_end,
};
