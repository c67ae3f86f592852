/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iconv(3) for short texts. Nothing here depends on the locale. */
#include "io/charset.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <iconv.h>
#include <string.h>
#include <strings.h>

static bool is_utf8(const char *encoding)
{
	return strcasecmp(encoding, "UTF-8") == 0 || strcasecmp(encoding, "UTF8") == 0;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++) {
		if (*text & 0x80)
			return false;
	}
	return true;
}

static char *run(iconv_t cd, const char *text)
{
	size_t left = strlen(text), room = 4 * left + 8;
	sv_autofree char *out = malloc(room);
	char *in = (char *)text, *end = out;

	/* four bytes for one is the worst of any encoding here; what is left over means that
	 * the text does not fit */
	room--;
	if (!out || iconv(cd, &in, &left, &end, &room) != 0 ||
		iconv(cd, NULL, NULL, &end, &room) == (size_t)-1)
		return NULL;
	*end = 0;
	return SV_STEAL(out);
}

char *sv_charset_convert(const char *text, const char *from, const char *to)
{
	iconv_t cd;
	char *out;

	if (is_ascii(text))
		return strdup(text);
	if (is_utf8(from) && is_utf8(to))
		return sv_utf8_valid(text, strlen(text)) ? strdup(text) : NULL;
	cd = iconv_open(to, from);
	if (cd == (iconv_t)-1)
		return NULL;
	out = run(cd, text);
	iconv_close(cd);
	return out;
}
