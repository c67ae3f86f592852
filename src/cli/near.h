/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Did you mean …?": how far two words are apart. */
#ifndef SV_CLI_NEAR_H
#define SV_CLI_NEAR_H

#include <stdbool.h>

/* The nearest of several words so far; begin with {.typed = word}. */
struct sv_near {
	const char *typed;
	const char *best; /* NULL: none is near enough */
	unsigned distance;
};

/* Offers a candidate; it must outlive `n`. */
void sv_near_offer(struct sv_near *n, const char *word);

/* Single-character insertions, deletions, replacements and swaps of neighbours. Words longer
 * than 63 characters are infinitely far (UINT_MAX). */
unsigned sv_near_distance(const char *a, const char *b);

#endif
