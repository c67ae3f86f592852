/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signs of life: see watch.h. */
#include "run/watch.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

void sv_watch_init(struct sv_watch *w, const char *expect)
{
	memset(w, 0, sizeof *w);
	w->expect = expect;
}

static void count_lines(struct sv_watch *w, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n') {
			w->lines += w->line_has_text;
			w->line_has_text = false;
		} else if ((unsigned char)bytes[i] > ' ' && bytes[i] != 0x7F) {
			w->line_has_text = true;
		}
	}
}

/* The newer half always stays, so a text that spans two calls is found. */
static void keep_tail(struct sv_watch *w, const char *bytes, size_t n)
{
	if (w->have + n > sizeof w->tail) {
		size_t drop = w->have - SV_WATCH_TAIL;

		memmove(w->tail, w->tail + drop, SV_WATCH_TAIL);
		w->have = SV_WATCH_TAIL;
	}
	memcpy(w->tail + w->have, bytes, n);
	w->have += n;
}

void sv_watch_serial(struct sv_watch *w, const char *bytes, size_t n)
{
	while (n) {
		size_t step = n < SV_WATCH_TAIL ? n : SV_WATCH_TAIL;

		count_lines(w, bytes, step);
		keep_tail(w, bytes, step);
		if (w->expect && memmem(w->tail, w->have, w->expect, strlen(w->expect)))
			w->seen_expected = true;
		bytes += step;
		n -= step;
	}
}

void sv_watch_picture(struct sv_watch *w, const uint8_t digest[SV_SHA256_SIZE])
{
	for (unsigned i = 0; i < w->n_pictures; i++) {
		if (!memcmp(w->pictures[i], digest, SV_SHA256_SIZE))
			return;
	}
	if (w->n_pictures < SV_WATCH_PICTURES)
		memcpy(w->pictures[w->n_pictures++], digest, SV_SHA256_SIZE);
}

/* %.*s cuts bytes and could cut a character: what follows must take that. */
static void describe_line(const struct sv_watch *w, char *ret, size_t size)
{
	sv_autofree char *line = sv_watch_last_lines(w, 1);

	snprintf(ret, size, "serial: '%.120s'", line ? line : "");
}

bool sv_watch_alive(const struct sv_watch *w, char *ret, size_t size)
{
	if (w->expect) {
		snprintf(ret, size,
			w->seen_expected ? "serial: '%s'"
					 : "'%s' was not seen on the serial console",
			w->expect);
		return w->seen_expected;
	}
	if (w->lines >= SV_WATCH_LINES) {
		describe_line(w, ret, size);
		return true;
	}
	if (w->n_pictures == SV_WATCH_PICTURES) {
		snprintf(ret, size, "the screen showed %u different pictures", w->n_pictures);
		return true;
	}
	snprintf(ret, size,
		"%u different pictures on the screen, %u lines on the serial console",
		w->n_pictures, (unsigned)w->lines);
	return false;
}

/* The start of the line that ends before `end`. */
static size_t line_start(const struct sv_watch *w, size_t end)
{
	const char *newline = end ? memrchr(w->tail, '\n', end) : NULL;

	return newline ? (size_t)(newline - w->tail) + 1 : 0;
}

static void add_line(struct sv_str *out, const char *bytes, size_t n)
{
	sv_autofree char *line = sv_trimmed(bytes, n);
	sv_autofree char *printable = line ? sv_printable(line) : NULL;

	if (!printable) {
		out->failed = true;
	} else if (*printable) {
		sv_str_add(out, out->len ? "\n" : "");
		sv_str_add(out, printable);
	}
}

static bool has_text(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)bytes[i] > ' ')
			return true;
	}
	return false;
}

char *sv_watch_last_lines(const struct sv_watch *w, unsigned n_lines)
{
	sv_autostr struct sv_str out = {0};
	size_t first = w->have;

	for (size_t end = w->have; end > 0 && n_lines > 0;) {
		size_t start = line_start(w, end);

		if (has_text(w->tail + start, end - start)) {
			first = start;
			n_lines--;
		}
		end = start ? start - 1 : 0;
	}
	for (size_t at = first; at < w->have;) {
		const char *newline = memchr(w->tail + at, '\n', w->have - at);
		size_t end = newline ? (size_t)(newline - w->tail) : w->have;

		add_line(&out, w->tail + at, end - at);
		at = end + 1;
	}
	return sv_str_take(&out);
}
