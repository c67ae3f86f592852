/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables for people: columns as wide as their widest cell, fitted to the terminal. The last
 * column is broken at blanks; another one that must give way is cut with "…" (on a terminal
 * only: a file or a pipe gets everything). With --plain: cells separated by tabs, no heading.
 */
#ifndef SV_CLI_GRID_H
#define SV_CLI_GRID_H

#include "cli/out.h"

struct sv_grid_col {
	const char *title; /* NULL in every column: no heading */
	bool right;        /* figures */
	bool shrinks;      /* gives way first when the table is too wide */
};

struct sv_grid;

/* `cols` is borrowed for the grid's life. NULL when out of memory. */
struct sv_grid *sv_grid_new(const struct sv_grid_col *cols, size_t n_cols);
void sv_grid_free(struct sv_grid *g);
SV_DEFINE_CLEANUP(struct sv_grid, sv_grid_free)

/* Adds the next cell, row by row; g may be NULL. An allocation that fails is remembered. */
__attribute__((format(printf, 3, 4))) void sv_grid_add(
	struct sv_grid *g, enum sv_style style, const char *fmt, ...);
/* A gauge of how full something is, and the percentage. */
void sv_grid_add_gauge(struct sv_grid *g, uint64_t part, uint64_t whole);

/* Prints the rows, each indented. SV_NOMEM when a cell could not be kept. */
int sv_grid_print(struct sv_grid *g, struct sv_out *o, size_t indent, struct sv_err *err);

#endif
