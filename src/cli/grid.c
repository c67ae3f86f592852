/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tables for people: see grid.h. */
#include "cli/grid.h"

#include "base/num.h"

#include <stdarg.h>
#include <string.h>

#define GAP         2  /* blanks between columns */
#define SHRUNK_MIN  8  /* a column that gives way keeps so many */
#define WRAPPED_MIN 30 /* room that the last column shall have */
#define GAUGE_CELLS 10
#define COLS_MAX    12

struct cell {
	char *text; /* printable */
	enum sv_style style;
	bool gauge;
	uint64_t part, whole;
};

struct sv_grid {
	const struct sv_grid_col *cols;
	size_t n_cols;
	struct cell *cells;
	size_t n, cap;
	bool failed;
};

struct sv_grid *sv_grid_new(const struct sv_grid_col *cols, size_t n_cols)
{
	struct sv_grid *g = calloc(1, sizeof *g);

	if (g) {
		g->cols = cols;
		g->n_cols = SV_MIN(n_cols, (size_t)COLS_MAX);
	}
	return g;
}

void sv_grid_free(struct sv_grid *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++)
		free(g->cells[i].text);
	free(g->cells);
	free(g);
}

static struct cell *new_cell(struct sv_grid *g)
{
	if (g->n == g->cap) {
		size_t cap = g->cap ? 2 * g->cap : 32;
		struct cell *cells = realloc(g->cells, cap * sizeof *cells);

		if (!cells) {
			g->failed = true;
			return NULL;
		}
		g->cells = cells;
		g->cap = cap;
	}
	g->cells[g->n] = (struct cell){0};
	return &g->cells[g->n++];
}

void sv_grid_add(struct sv_grid *g, enum sv_style style, const char *fmt, ...)
{
	struct cell *c = g ? new_cell(g) : NULL;
	sv_autofree char *text = NULL;
	va_list ap;
	int n;

	if (!c)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	c->style = style;
	c->text = text ? sv_printable(text) : NULL;
	if (!c->text)
		g->failed = true;
}

void sv_grid_add_gauge(struct sv_grid *g, uint64_t part, uint64_t whole)
{
	struct cell *c = g ? new_cell(g) : NULL;

	if (!c)
		return;
	c->gauge = true;
	c->part = part;
	c->whole = whole;
	c->text =
		whole ? sv_format("%3.0f%%", 100.0 * (double)part / (double)whole) : strdup("");
	if (!c->text)
		g->failed = true;
}

static size_t cell_width(const struct cell *c, const struct sv_out *o)
{
	size_t w = sv_text_width(c->text);

	if (c->gauge && c->whole)
		w += GAUGE_CELLS + (o->utf8 ? 1u : 3u);
	return w;
}

static bool has_heading(const struct sv_grid *g)
{
	for (size_t i = 0; i < g->n_cols; i++)
		if (g->cols[i].title)
			return true;
	return false;
}

static void measure(const struct sv_grid *g, const struct sv_out *o, size_t *width)
{
	for (size_t i = 0; i < g->n_cols; i++)
		width[i] = g->cols[i].title ? sv_text_width(g->cols[i].title) : 0;
	for (size_t i = 0; i < g->n; i++)
		width[i % g->n_cols] =
			SV_MAX(width[i % g->n_cols], cell_width(&g->cells[i], o));
}

/* The widest of those that may still shrink, so that none is cut to pieces for the others; the
 * number of columns where there is none. */
static size_t widest(const struct sv_grid *g, const size_t *width)
{
	size_t found = g->n_cols;

	for (size_t i = 0; i < g->n_cols; i++)
		if (g->cols[i].shrinks && width[i] > SHRUNK_MIN &&
			(found == g->n_cols || width[i] > width[found]))
			found = i;
	return found;
}

/* Takes from the columns that may shrink until the table fits the terminal. */
static void fit(const struct sv_grid *g, const struct sv_out *o, size_t indent, size_t *width)
{
	size_t total = indent, last = g->n_cols - 1;

	for (size_t i = 0; i < g->n_cols; i++)
		total += width[i] + (i ? GAP : 0);
	if (!g->cols[last].right && width[last] > WRAPPED_MIN) /* it is broken into lines */
		total -= width[last] - WRAPPED_MIN;
	for (size_t i; total > o->width && (i = widest(g, width)) < g->n_cols; total--)
		width[i]--;
}

static void put_cut(struct sv_out *o, const struct cell *c, size_t width)
{
	const char *dots = o->utf8 ? "…" : "~";
	size_t n = strlen(c->text);

	if (o->terminal && sv_text_width(c->text) > width) {
		n = sv_text_fit(c->text, width - 1);
		sv_out_in(o, c->style, "%.*s%s", (int)n, c->text, dots);
	} else {
		sv_out_in(o, c->style, "%s", c->text);
	}
}

static void put_cell(
	struct sv_out *o, const struct cell *c, size_t width, bool right, bool last)
{
	size_t w = cell_width(c, o), pad = w < width ? width - w : 0;

	if (right)
		sv_out_spaces(o, pad);
	if (c->gauge && c->whole) {
		sv_out_gauge(o, sv_style_of_fullness(c->part, c->whole), c->part, c->whole,
			GAUGE_CELLS);
		sv_out_f(o, " %s", c->text);
	} else {
		put_cut(o, c, width);
	}
	if (!right && !last)
		sv_out_spaces(o, pad);
}

static void print_heading(
	struct sv_grid *g, struct sv_out *o, size_t indent, const size_t *width)
{
	size_t last = g->n_cols - 1;

	while (last > 0 && (!g->cols[last].title || !*g->cols[last].title))
		last--; /* no blanks at the end of a line */
	sv_out_spaces(o, indent);
	for (size_t i = 0; i <= last; i++) {
		const char *title = g->cols[i].title ? g->cols[i].title : "";
		size_t w = sv_text_width(title), pad = w < width[i] ? width[i] - w : 0;

		if (g->cols[i].right)
			sv_out_spaces(o, pad);
		sv_out_in(o, SV_STYLE_DIM, "%s", title);
		if (i < last)
			sv_out_spaces(o, GAP + (g->cols[i].right ? 0 : pad));
	}
	sv_out_nl(o);
}

static void print_row(struct sv_grid *g, struct sv_out *o, const struct cell *row,
	size_t indent, const size_t *width)
{
	size_t at = indent, last = g->n_cols - 1;

	while (last > 0 && !*row[last].text) /* no blanks at the end of a line */
		last--;
	sv_out_spaces(o, indent);
	for (size_t i = 0; i <= last; i++) {
		bool wraps = i == g->n_cols - 1 && !g->cols[i].right && !row[i].gauge &&
			     row[i].style == SV_STYLE_NONE;

		if (wraps) {
			sv_out_wrap(o, at, at, row[i].text);
			return;
		}
		put_cell(o, &row[i], width[i], g->cols[i].right, i == last);
		if (i < last)
			sv_out_spaces(o, GAP);
		at += width[i] + GAP;
	}
	sv_out_nl(o);
}

static void print_plain(struct sv_grid *g, struct sv_out *o)
{
	for (size_t i = 0; i < g->n; i++) {
		sv_out_text(o, g->cells[i].text + strspn(g->cells[i].text, " "));
		if ((i + 1) % g->n_cols)
			sv_out_bytes(o, "\t", 1);
		else
			sv_out_nl(o);
	}
}

int sv_grid_print(struct sv_grid *g, struct sv_out *o, size_t indent, struct sv_err *err)
{
	size_t width[COLS_MAX];

	if (!g || g->failed || g->n % g->n_cols)
		return sv_fail_nomem(err);
	if (o->plain) {
		print_plain(g, o);
		return 0;
	}
	measure(g, o, width);
	if (o->terminal) /* elsewhere nothing is cut */
		fit(g, o, indent, width);
	if (has_heading(g))
		print_heading(g, o, indent, width);
	for (size_t i = 0; i < g->n; i += g->n_cols)
		print_row(g, o, g->cells + i, indent, width);
	return 0;
}
