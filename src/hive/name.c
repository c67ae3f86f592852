/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of keys and values: Latin-1 or UTF-16 in the hive, UTF-8 outside, compared unit by unit
 * in upper case. A unit that has no place in text (NUL, half a surrogate pair) is U+FFFD, and
 * found by that.
 */
#include "hive/regf.h"

#include "base/str.h"

#include <string.h>

enum { REPLACEMENT = 0xFFFD };

static uint16_t raw_unit(const struct sv_regf_name *name, size_t i)
{
	if (i >= name->n)
		return 0;
	return name->wide ? sv_load_le16(name->bytes + 2 * i) : name->bytes[i];
}

static bool is_high(uint16_t c)
{
	return (c & 0xFC00) == 0xD800;
}

static bool is_low(uint16_t c)
{
	return (c & 0xFC00) == 0xDC00;
}

/* The unit as it is shown. */
static uint16_t unit(const struct sv_regf_name *name, size_t i)
{
	uint16_t c = raw_unit(name, i);

	if (!c || (is_high(c) && !is_low(raw_unit(name, i + 1))) ||
		(is_low(c) && (!i || !is_high(raw_unit(name, i - 1)))))
		return REPLACEMENT;
	return c;
}

char *sv_regf_name_text(const struct sv_regf_name *name)
{
	sv_autofree uint8_t *units = malloc(2 * name->n + 1);

	if (!units)
		return NULL;
	for (size_t i = 0; i < name->n; i++)
		sv_store_le16(units + 2 * i, unit(name, i));
	return sv_utf16_to_utf8(units, name->n, NULL);
}

void sv_regf_wanted_free(struct sv_regf_wanted *w)
{
	free(w->units);
	*w = (struct sv_regf_wanted){0};
}

int sv_regf_wanted(const char *text, size_t n, struct sv_regf_wanted *ret, struct sv_err *err)
{
	sv_autofree char *copy = strndup(text, n);
	sv_autofree uint8_t *units = NULL;
	struct sv_regf_wanted w = {.ascii = true};

	if (copy)
		units = sv_utf8_to_utf16(copy, &w.n);
	if (!units || !(w.units = calloc(w.n + 1, sizeof *w.units)))
		return sv_fail_nomem(err);
	for (size_t i = 0; i < w.n; i++) {
		w.units[i] = sv_regf_upcase(sv_load_le16(units + 2 * i));
		w.ascii = w.ascii && w.units[i] < 0x80;
		w.hash = 37 * w.hash + w.units[i];
	}
	*ret = w;
	return 0;
}

bool sv_regf_name_is(const struct sv_regf_name *name, const struct sv_regf_wanted *w)
{
	if (name->n != w->n)
		return false;
	for (size_t i = 0; i < w->n; i++) {
		if (sv_regf_upcase(unit(name, i)) != w->units[i])
			return false;
	}
	return true;
}
