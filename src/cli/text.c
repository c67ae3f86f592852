/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How wide text is on a terminal: UTF-8 that was made printable before. Widths of characters
 * are wcwidth()'s, which knows wide and combining ones when the locale is UTF-8.
 */
#include "cli/out.h"

#include "base/str.h"

#include <string.h>
#include <wchar.h>

/* Decodes one character of valid UTF-8; a stray byte counts as itself. */
static size_t next_char(const char *s, wchar_t *ret)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t len = p[0] < 0xC0 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	uint32_t c = len == 1 ? p[0] : p[0] & (0xFFu >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80) {
			*ret = L'?';
			return 1;
		}
		c = c << 6 | (p[i] & 0x3F);
	}
	*ret = (wchar_t)c;
	return len;
}

static size_t char_width(wchar_t c)
{
	int w = c < 0x80 ? 1 : wcwidth(c);

	return w < 0 ? 1 : (size_t)w;
}

size_t sv_text_fit(const char *text, size_t width)
{
	size_t at = 0, used = 0;

	while (text[at]) {
		wchar_t c;
		size_t n = next_char(text + at, &c);

		used += char_width(c);
		if (used > width)
			break;
		at += n;
	}
	return at;
}

size_t sv_text_width(const char *text)
{
	size_t used = 0;

	while (*text) {
		wchar_t c;

		text += next_char(text, &c);
		used += char_width(c);
	}
	return used;
}

char *sv_text_quoted(const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_-+=:,./@%";
	struct sv_str s = {0};

	if (*word && !word[strspn(word, safe)])
		return strdup(word);
	sv_str_add(&s, "'");
	for (const char *p = word; *p; p++) {
		if (*p == '\'')
			sv_str_add(&s, "'\\''");
		else
			sv_str_addn(&s, p, 1);
	}
	sv_str_add(&s, "'");
	return sv_str_take(&s);
}
