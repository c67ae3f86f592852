/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where text for people goes: a stream, and what is known about the terminal behind it.
 *
 * Nothing that comes from a guest or from the host's file names can reach a terminal raw: all
 * text passes sv_printable(), so that an escape sequence in a file's name is shown, not obeyed.
 * Only styles (ours) and sv_out_bytes() (`cat`, `cp … -`, JSON) are written as they are.
 * Lines are ended by sv_out_nl() or sv_out_line(); a '\n' within a text is escaped.
 */
#ifndef SV_CLI_OUT_H
#define SV_CLI_OUT_H

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum sv_style {
	SV_STYLE_NONE,
	SV_STYLE_BOLD,
	SV_STYLE_DIM,
	SV_STYLE_GOOD,
	SV_STYLE_WARN,
	SV_STYLE_BAD,
	SV_STYLE_NAME, /* folders, names of machines */
	SV_STYLE_N,
};

enum sv_colour { SV_COLOUR_AUTO, SV_COLOUR_ALWAYS, SV_COLOUR_NEVER };

struct sv_bar;

struct sv_out {
	FILE *file;
	bool terminal;
	bool colour;
	bool utf8;          /* box and bar characters may be used */
	bool plain;         /* tab-separated tables, no headings, nothing cut or drawn */
	unsigned width;     /* columns; 80 where there is no terminal */
	bool one_line_json; /* several documents: one a line, even on a terminal */
	int sys;            /* errno of the first write that failed; 0: none */
	struct sv_bar *bar; /* taken off the terminal before text is written; may be NULL */
};

/* Looks at the terminal and the environment (NO_COLOR, TERM, COLUMNS). */
void sv_out_init(struct sv_out *o, FILE *file, enum sv_colour colour, bool plain);

/* Is there nobody left to write to (`| head`), or did a write fail? Long listings stop then. */
bool sv_out_gone(const struct sv_out *o);

/* Flushes. A reader that went away is no error; anything else (a full disk) is. */
int sv_out_end(struct sv_out *o, struct sv_err *err);

void sv_out_bytes(struct sv_out *o, const void *bytes, size_t n);
void sv_out_text(struct sv_out *o, const char *text);
__attribute__((format(printf, 2, 3))) void sv_out_f(struct sv_out *o, const char *fmt, ...);
__attribute__((format(printf, 3, 4))) void sv_out_in(
	struct sv_out *o, enum sv_style style, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void sv_out_line(struct sv_out *o, const char *fmt, ...);
void sv_out_nl(struct sv_out *o);
void sv_out_spaces(struct sv_out *o, size_t n);

/* A paragraph: the first line begins at column `at` (already written), further ones are
 * indented by `indent`; broken at blanks to fit the width. Ends the line. */
void sv_out_wrap(struct sv_out *o, size_t at, size_t indent, const char *text);

/* "note: TEXT": a message; broken into lines on a terminal only, so that a file can be searched
 * line by line. */
void sv_out_message(struct sv_out *o, enum sv_style style, const char *label, const char *text);

/* A share as `cells` cells: "[######----]", or blocks where the terminal knows them. */
void sv_out_gauge(
	struct sv_out *o, enum sv_style style, uint64_t part, uint64_t whole, unsigned cells);
/* How alarming it is that `part` of `whole` is used. */
enum sv_style sv_style_of_fullness(uint64_t part, uint64_t whole);

/* Prepares a JSON writer on the stream: laid out for people on a terminal, else in one line. */
void sv_out_json(struct sv_out *o, struct sv_json *j);
void sv_out_json_end(struct sv_out *o, struct sv_json *j); /* ends the line */

/* A command with one path in it, to be copied into a shell: "%s" is the path, quoted. */
void sv_out_command(struct sv_out *o, const char *before, const char *path, const char *after);

/* ---- text ---- */

/* A word as a shell takes it: bare where that is safe, else in single quotes. Caller frees. */
char *sv_text_quoted(const char *word);

/* Columns that printable UTF-8 takes. */
size_t sv_text_width(const char *text);
/* The longest prefix, in bytes, that takes at most `width` columns. */
size_t sv_text_fit(const char *text, size_t width);

#endif
