/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The restricted Damerau-Levenshtein distance, for suggestions. Case does not count.
 */
#include "cli/near.h"

#include "base/num.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

#define WORD_MAX 63 /* commands and options are shorter; keeps the table on the stack */

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned sv_near_distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return UINT_MAX;
	for (unsigned i = 0; i <= n; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned cost = same(a[i - 1], b[j - 1]) ? 0 : 1;
			unsigned gap = SV_MIN(d[i - 1][j], d[i][j - 1]) + 1;

			d[i][j] = SV_MIN(gap, d[i - 1][j - 1] + cost);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
				same(a[i - 2], b[j - 1]))
				d[i][j] = SV_MIN(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[n][m];
}

/* One slip in a short word, two in a longer one; a beginning of three letters is near too. */
static unsigned tolerance(const char *typed)
{
	size_t n = strlen(typed);

	return n < 3 ? 0 : n < 6 ? 1 : 2;
}

void sv_near_offer(struct sv_near *n, const char *word)
{
	unsigned distance = sv_near_distance(n->typed, word);
	size_t typed = strlen(n->typed);

	if (typed >= 3 && strncmp(n->typed, word, typed) == 0)
		distance = 1;
	if (distance > tolerance(n->typed) || (n->best && distance >= n->distance))
		return;
	n->best = word;
	n->distance = distance;
}
