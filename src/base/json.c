/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The streaming JSON writer (RFC 8259): see json.h. */
#include "base/json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void put(struct sv_json *j, const char *text)
{
	j->write(j->user, text, strlen(text));
}

static void new_line(struct sv_json *j)
{
	static const char blanks[] = "                                                        "
				     "                ";

	if (!j->pretty)
		return;
	put(j, "\n");
	j->write(j->user, blanks, 2 * (size_t)j->depth);
}

/* Comma and layout before an item of an array or a key of an object. */
static void before_item(struct sv_json *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (!j->depth)
		return;
	if (j->has_item[j->depth - 1])
		put(j, ",");
	j->has_item[j->depth - 1] = true;
	new_line(j);
}

static void open_level(struct sv_json *j, const char *bracket)
{
	before_item(j);
	put(j, bracket);
	assert(j->depth < SV_JSON_DEPTH);
	j->has_item[j->depth++] = false;
}

static void close_level(struct sv_json *j, const char *bracket)
{
	assert(j->depth > 0);
	j->depth--;
	if (j->has_item[j->depth])
		new_line(j);
	put(j, bracket);
	if (!j->depth && j->pretty)
		put(j, "\n");
}

void sv_json_object(struct sv_json *j)
{
	open_level(j, "{");
}

void sv_json_end_object(struct sv_json *j)
{
	close_level(j, "}");
}

void sv_json_array(struct sv_json *j)
{
	open_level(j, "[");
}

void sv_json_end_array(struct sv_json *j)
{
	close_level(j, "]");
}

static void put_escaped(struct sv_json *j, const char *s)
{
	char code[8];
	size_t n = strlen(s), run = 0;

	put(j, "\"");
	while (n) {
		size_t step = 1;
		uint8_t c = (uint8_t)*s;

		if (c >= 0x80) {
			step = n < 4 ? n : 4;
			while (step && !sv_utf8_valid(s, step))
				step--;
		}
		if (step && c >= 0x20 && c != '"' && c != '\\') {
			run = c < 0x80 ? 1 : step;
			if (c >= 0x80) { /* the shortest valid prefix is one character */
				for (run = 2; run < step && !sv_utf8_valid(s, run); run++)
					;
			}
			j->write(j->user, s, run);
			s += run;
			n -= run;
			continue;
		}
		if (!step)
			put(j, "\xEF\xBF\xBD");
		else if (c == '"' || c == '\\')
			j->write(j->user, (char[]){'\\', (char)c}, 2);
		else if (c == '\n')
			put(j, "\\n");
		else if (c == '\t')
			put(j, "\\t");
		else {
			snprintf(code, sizeof code, "\\u%04x", c);
			put(j, code);
		}
		s++;
		n--;
	}
	put(j, "\"");
}

void sv_json_key(struct sv_json *j, const char *key)
{
	before_item(j);
	put_escaped(j, key);
	put(j, j->pretty ? ": " : ":");
	j->after_key = true;
}

void sv_json_string(struct sv_json *j, const char *s)
{
	if (!s) {
		sv_json_null(j);
		return;
	}
	before_item(j);
	put_escaped(j, s);
}

__attribute__((format(printf, 2, 3))) static void put_value(
	struct sv_json *j, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	before_item(j);
	put(j, text);
}

void sv_json_u64(struct sv_json *j, uint64_t n)
{
	put_value(j, "%llu", (unsigned long long)n);
}

void sv_json_i64(struct sv_json *j, int64_t n)
{
	put_value(j, "%lld", (long long)n);
}

void sv_json_real(struct sv_json *j, double x)
{
	put_value(j, "%.3f", x);
}

void sv_json_bool(struct sv_json *j, bool b)
{
	put_value(j, b ? "true" : "false");
}

void sv_json_null(struct sv_json *j)
{
	put_value(j, "null");
}

void sv_json_raw(struct sv_json *j, const char *value)
{
	before_item(j);
	put(j, value);
}

void sv_json_kstring(struct sv_json *j, const char *key, const char *s)
{
	sv_json_key(j, key);
	sv_json_string(j, s);
}

void sv_json_ku64(struct sv_json *j, const char *key, uint64_t n)
{
	sv_json_key(j, key);
	sv_json_u64(j, n);
}

void sv_json_kbool(struct sv_json *j, const char *key, bool b)
{
	sv_json_key(j, key);
	sv_json_bool(j, b);
}

static void write_to_str(void *user, const char *text, size_t n)
{
	sv_str_addn(user, text, n);
}

void sv_json_to_str(struct sv_json *j, struct sv_str *out)
{
	*j = (struct sv_json){.write = write_to_str, .user = out};
}
