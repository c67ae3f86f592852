/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strings: see str.h. Nothing here depends on the locale. */
#include "base/str.h"

#include "base/endian.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool reserve(struct sv_str *s, size_t more)
{
	size_t cap = s->cap ? s->cap : 64;
	char *data;

	if (s->failed || more > SIZE_MAX / 4 || s->len > SIZE_MAX / 4) {
		s->failed = true;
		return false;
	}
	while (cap < s->len + more + 1)
		cap *= 2;
	if (cap == s->cap)
		return true;
	data = realloc(s->data, cap);
	if (!data) {
		s->failed = true;
		return false;
	}
	s->data = data;
	s->cap = cap;
	return true;
}

void sv_str_addn(struct sv_str *s, const void *bytes, size_t n)
{
	if (!reserve(s, n))
		return;
	if (n)
		memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = 0;
}

void sv_str_add(struct sv_str *s, const char *text)
{
	sv_str_addn(s, text, strlen(text));
}

void sv_str_addf(struct sv_str *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s->failed = true;
		return;
	}
	if (!reserve(s, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(s->data + s->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

char *sv_str_take(struct sv_str *s)
{
	char *data;

	if (!s->data)
		reserve(s, 0);
	if (s->failed) {
		sv_str_free(s);
		return NULL;
	}
	s->data[s->len] = 0;
	data = s->data;
	*s = (struct sv_str){0};
	return data;
}

void sv_str_free(struct sv_str *s)
{
	free(s->data);
	*s = (struct sv_str){0};
}

char *sv_format(const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : text;
}

bool sv_path_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (!strcmp(dir, "/"))
		return true;
	return !strncmp(path, dir, n) && path[n] == '/';
}

bool sv_path_is_absolute(const char *path)
{
	bool letter = (path[0] >= 'A' && path[0] <= 'Z') || (path[0] >= 'a' && path[0] <= 'z');

	if (path[0] == '/' || (path[0] == '\\' && path[1] == '\\'))
		return true;
	return letter && path[1] == ':' && (path[2] == '\\' || path[2] == '/');
}

char *sv_path_join(const char *dir, const char *name)
{
	if (!dir || !*dir || sv_path_is_absolute(name))
		return strdup(name);
	return sv_format("%s%s%s", dir, sv_ends_with(dir, "/") ? "" : "/", name);
}

char *sv_path_relative(const char *dir, const char *to)
{
	sv_autostr struct sv_str out = {0};
	size_t same = 0;

	/* the folders that both begin with */
	for (size_t i = 0;; i++) {
		bool end = !dir[i] || dir[i] == '/';

		if (end && to[i] == '/')
			same = i + 1;
		if (!dir[i] || dir[i] != to[i])
			break;
	}
	if (same > strlen(dir))
		return strdup(to + same);
	if (strcmp(dir, "/") != 0)
		sv_str_add(&out, "../");
	for (const char *c = dir + same; *c; c++) {
		if (*c == '/')
			sv_str_add(&out, "../");
	}
	sv_str_add(&out, to + same);
	return sv_str_take(&out);
}

char *sv_path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	if (slash == path)
		return strdup("/");
	return strndup(path, (size_t)(slash - path));
}

const char *sv_path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool sv_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool sv_ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool sv_ends_with_nocase(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && strcasecmp(s + n - m, suffix) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char *sv_trimmed(const char *s, size_t n)
{
	while (n && is_blank(*s)) {
		s++;
		n--;
	}
	while (n && is_blank(s[n - 1]))
		n--;
	return strndup(s, n);
}

static size_t put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

char *sv_utf16_to_utf8(const void *units, size_t n, bool *ret_lossy)
{
	const uint8_t *p = units;
	bool lossy = false;
	char *out, *q;

	if (n > SIZE_MAX / 4)
		return NULL;
	out = q = malloc(n * 3 + 1);
	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		uint32_t c = sv_load_le16(p + 2 * i);

		if (c >= 0xD800 && c < 0xDC00 && i + 1 < n) {
			uint32_t low = sv_load_le16(p + 2 * i + 2);

			if (low >= 0xDC00 && low < 0xE000) {
				c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
				i++;
			}
		}
		if (c >= 0xD800 && c < 0xE000) {
			c = 0xFFFD;
			lossy = true;
		}
		q += put_utf8(q, c);
	}
	*q = 0;
	if (ret_lossy)
		*ret_lossy = lossy;
	return out;
}

/* Length of the valid sequence at s (1 to 4), 0 where it is none. */
static size_t utf8_step(const uint8_t *s, size_t n)
{
	uint32_t c;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	len = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : s[0] >= 0xC2 ? 2 : 0;
	if (!len || s[0] > 0xF4 || len > n)
		return 0;
	c = s[0] & (0xFFU >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3F);
	}
	if (len == 3 && (c < 0x800 || (c >= 0xD800 && c < 0xE000)))
		return 0;
	if (len == 4 && (c < 0x10000 || c > 0x10FFFF))
		return 0;
	return len;
}

/* The character at s and its length; U+FFFD and 1 where it is none. */
static uint32_t get_utf8(const uint8_t *s, size_t n, size_t *ret_len)
{
	size_t len = utf8_step(s, n);
	uint32_t c = len > 1 ? s[0] & (0xFFU >> (len + 1)) : s[0];

	for (size_t i = 1; i < len; i++)
		c = c << 6 | (s[i] & 0x3F);
	*ret_len = len ? len : 1;
	return len ? c : 0xFFFD;
}

void *sv_utf8_to_utf16(const char *s, size_t *ret_n)
{
	size_t n = strlen(s), at = 0, len;
	uint8_t *out = malloc(2 * n + 2); /* no character grows */

	for (size_t i = 0; out && i < n; i += len) {
		uint32_t c = get_utf8((const uint8_t *)s + i, n - i, &len);

		if (c >= 0x10000) {
			sv_store_le16(out + at, (uint16_t)(0xD800 + ((c - 0x10000) >> 10)));
			at += 2;
			c = 0xDC00 + ((c - 0x10000) & 0x3FF);
		}
		sv_store_le16(out + at, (uint16_t)c);
		at += 2;
	}
	*ret_n = at / 2;
	return out;
}

bool sv_utf8_valid(const char *s, size_t n)
{
	while (n) {
		size_t step = utf8_step((const uint8_t *)s, n);

		if (!step)
			return false;
		s += step;
		n -= step;
	}
	return true;
}

char *sv_printable(const char *s)
{
	sv_autostr struct sv_str out = {0};
	size_t n = strlen(s);

	while (n) {
		size_t step = utf8_step((const uint8_t *)s, n);
		uint8_t c = (uint8_t)*s;
		bool c1 = step == 2 && c == 0xC2 && (uint8_t)s[1] < 0xA0;

		if (!step || c1 || c < 0x20 || c == 0x7F) {
			step = step ? step : 1;
			for (size_t i = 0; i < step; i++)
				sv_str_addf(&out, "\\x%02x", (uint8_t)s[i]);
		} else {
			sv_str_addn(&out, s, step);
		}
		s += step;
		n -= step;
	}
	return sv_str_take(&out);
}

static const char units[] = "BKMGTPE";

/* Decimal digits of `text` into thousandths of one; returns the rest, NULL on overflow. */
static const char *parse_thousandths(const char *text, uint64_t *ret)
{
	uint64_t whole = 0, part = 0, scale = 100;

	for (; *text >= '0' && *text <= '9'; text++) {
		if (!sv_mul(whole, 10, &whole) ||
			!sv_add(whole, (uint64_t)(*text - '0'), &whole))
			return NULL;
	}
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10)
			part += (uint64_t)(*text - '0') * scale;
	}
	if (!sv_mul(whole, 1000, &whole) || !sv_add(whole, part, ret))
		return NULL;
	return text;
}

/* The unit's power of two; -1 where `text` is no unit. "" counts as bytes. */
static int parse_unit(const char *text)
{
	char upper = (char)(*text >= 'a' && *text <= 'z' ? *text - 32 : *text);
	const char *unit = upper ? strchr(units, upper) : units;
	const char *rest = *text ? text + 1 : text;

	if (!unit)
		return -1;
	if (*rest && (unit == units || (strcasecmp(rest, "iB") && strcasecmp(rest, "B"))))
		return -1;
	return (int)(unit - units) * 10;
}

int sv_size_parse(const char *text, uint64_t *ret_bytes, struct sv_err *err)
{
	__extension__ unsigned __int128 bytes;
	uint64_t n = 0;
	const char *rest = *text >= '0' && *text <= '9' ? parse_thousandths(text, &n) : NULL;
	int shift = rest ? parse_unit(rest) : -1;

	if (shift >= 0) {
		bytes = (__extension__(unsigned __int128) n << shift) / 1000;
		if (bytes <= UINT64_MAX && (shift || n % 1000 == 0)) {
			*ret_bytes = (uint64_t)bytes;
			return 0;
		}
	}
	sv_fail(err, SV_USAGE, NULL, "'%s' is not a size", text);
	return sv_hint(err, "write it like 60G, 1.5T or 8192M (K, M, G, T count by 1024)");
}

const char *sv_size_format(uint64_t bytes, char buf[SV_SIZE_TEXT])
{
	unsigned u = 0;
	uint64_t unit = 1;

	while (u < 6 && bytes / unit >= 1024) {
		unit <<= 10;
		u++;
	}
	if (bytes % unit == 0)
		snprintf(buf, SV_SIZE_TEXT, "%llu%c", (unsigned long long)(bytes / unit),
			units[u]);
	else
		snprintf(buf, SV_SIZE_TEXT, "%llu.%llu%c", (unsigned long long)(bytes / unit),
			(unsigned long long)(bytes % unit * 10 / unit), units[u]);
	return buf;
}
