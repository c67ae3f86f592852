/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text for people on a stream: see out.h. */
#include "cli/out.h"

#include "base/num.h"
#include "cli/bar.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#define WIDTH_DEFAULT 80
#define WIDTH_MIN     40 /* below it nothing useful can be laid out */

static const char *const style_codes[SV_STYLE_N] = {
	[SV_STYLE_NONE] = "",
	[SV_STYLE_BOLD] = "\033[1m",
	[SV_STYLE_DIM] = "\033[2m",
	[SV_STYLE_GOOD] = "\033[32m",
	[SV_STYLE_WARN] = "\033[33m",
	[SV_STYLE_BAD] = "\033[31m",
	[SV_STYLE_NAME] = "\033[1;36m",
};
#define STYLE_END "\033[0m"

static bool env_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/* no-color.org: NO_COLOR counts when it is not empty. An explicit option beats it. */
static bool wants_colour(enum sv_colour colour, bool terminal)
{
	const char *term = getenv("TERM");

	if (colour != SV_COLOUR_AUTO)
		return colour == SV_COLOUR_ALWAYS;
	return terminal && !env_set("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

static unsigned find_width(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	unsigned long n;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
	n = columns ? strtoul(columns, NULL, 10) : 0;
	return n >= WIDTH_MIN && n < 10000 ? (unsigned)n : WIDTH_DEFAULT;
}

void sv_out_init(struct sv_out *o, FILE *file, enum sv_colour colour, bool plain)
{
	int fd = fileno(file);

	*o = (struct sv_out){
		.file = file,
		.terminal = isatty(fd) == 1,
		.plain = plain,
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
	o->width = o->terminal ? find_width(fd) : WIDTH_DEFAULT;
	o->colour = !plain && wants_colour(colour, o->terminal);
}

bool sv_out_gone(const struct sv_out *o)
{
	return o->sys != 0;
}

int sv_out_end(struct sv_out *o, struct sv_err *err)
{
	if (fflush(o->file) && !o->sys)
		o->sys = errno;
	if (!o->sys || o->sys == EPIPE)
		return 0;
	return sv_fail_errno(err, o->sys, NULL, "cannot write the output");
}

void sv_out_bytes(struct sv_out *o, const void *bytes, size_t n)
{
	if (o->bar)
		sv_bar_clear(o->bar);
	if (o->sys || !n)
		return;
	if (fwrite(bytes, 1, n, o->file) != n)
		o->sys = errno ? errno : EIO;
}

void sv_out_text(struct sv_out *o, const char *text)
{
	sv_autofree char *safe = sv_printable(text);

	if (safe)
		sv_out_bytes(o, safe, strlen(safe));
	else if (!o->sys)
		o->sys = ENOMEM;
}

__attribute__((format(printf, 2, 0))) static void out_v(
	struct sv_out *o, const char *fmt, va_list ap)
{
	sv_autofree char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		o->sys = o->sys ? o->sys : ENOMEM;
		return;
	}
	sv_out_text(o, text);
}

void sv_out_f(struct sv_out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_v(o, fmt, ap);
	va_end(ap);
}

void sv_out_in(struct sv_out *o, enum sv_style style, const char *fmt, ...)
{
	bool styled = o->colour && style != SV_STYLE_NONE;
	va_list ap;

	if (styled)
		sv_out_bytes(o, style_codes[style], strlen(style_codes[style]));
	va_start(ap, fmt);
	out_v(o, fmt, ap);
	va_end(ap);
	if (styled)
		sv_out_bytes(o, STYLE_END, strlen(STYLE_END));
}

void sv_out_line(struct sv_out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_v(o, fmt, ap);
	va_end(ap);
	sv_out_nl(o);
}

void sv_out_nl(struct sv_out *o)
{
	sv_out_bytes(o, "\n", 1);
}

void sv_out_spaces(struct sv_out *o, size_t n)
{
	static const char blanks[] = "                                ";

	while (n) {
		size_t part = SV_MIN(n, sizeof blanks - 1);

		sv_out_bytes(o, blanks, part);
		n -= part;
	}
}

void sv_out_command(struct sv_out *o, const char *before, const char *path, const char *after)
{
	sv_autofree char *quoted = sv_text_quoted(path);

	sv_out_in(o, SV_STYLE_GOOD, "%s%s%s", before, quoted ? quoted : path, after);
	sv_out_nl(o);
}

/* Bytes of the next line of `text`: to the last blank that fits, or of one overlong word all.
 */
static size_t line_length(const char *text, size_t width)
{
	size_t fit = sv_text_fit(text, width), at = fit;

	if (!text[fit])
		return fit;
	while (at && text[at] != ' ')
		at--;
	return at ? at : fit + strcspn(text + fit, " ");
}

void sv_out_wrap(struct sv_out *o, size_t at, size_t indent, const char *text)
{
	sv_autofree char *safe = sv_printable(text);
	const char *rest = safe;

	if (!safe) {
		o->sys = o->sys ? o->sys : ENOMEM;
		return;
	}
	while (*rest) {
		size_t room = o->width > at + 20 ? o->width - at : 20;
		size_t n = o->plain ? strlen(rest) : line_length(rest, room);

		sv_out_bytes(o, rest, n);
		rest += n + strspn(rest + n, " ");
		if (*rest) {
			sv_out_nl(o);
			sv_out_spaces(o, indent);
			at = indent;
		}
	}
	sv_out_nl(o);
}

void sv_out_message(struct sv_out *o, enum sv_style style, const char *label, const char *text)
{
	size_t at = strlen(label) + 1;

	sv_out_in(o, style, "%s", label);
	sv_out_f(o, " ");
	if (o->terminal)
		sv_out_wrap(o, at, at, text);
	else
		sv_out_line(o, "%s", text);
}

enum sv_style sv_style_of_fullness(uint64_t part, uint64_t whole)
{
	double share = whole ? (double)part / (double)whole : 0;

	if (share >= 0.95)
		return SV_STYLE_BAD;
	return share >= 0.85 ? SV_STYLE_WARN : SV_STYLE_GOOD;
}

void sv_out_gauge(
	struct sv_out *o, enum sv_style style, uint64_t part, uint64_t whole, unsigned cells)
{
	double share = whole ? (double)SV_MIN(part, whole) / (double)whole : 0;
	unsigned full = (unsigned)(share * cells);
	const char *on = o->utf8 ? "█" : "#", *off = o->utf8 ? "░" : "-";

	if (part && !full)
		full = 1;
	if (!o->utf8)
		sv_out_f(o, "[");
	for (unsigned i = 0; i < cells; i++)
		sv_out_in(o, i < full ? style : SV_STYLE_DIM, "%s", i < full ? on : off);
	if (!o->utf8)
		sv_out_f(o, "]");
}

static void write_json(void *user, const char *text, size_t n)
{
	sv_out_bytes(user, text, n);
}

void sv_out_json(struct sv_out *o, struct sv_json *j)
{
	*j = (struct sv_json){
		.write = write_json, .user = o, .pretty = o->terminal && !o->one_line_json};
}

void sv_out_json_end(struct sv_out *o, struct sv_json *j)
{
	if (!j->pretty) /* the pretty writer ends its document with a newline itself */
		sv_out_nl(o);
}
