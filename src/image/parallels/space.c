/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The clusters of an image file that are taken: see space.h. */
#include "image/parallels/space.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

void sv_prl_space_free(struct sv_prl_space *s)
{
	free(s->bits);
	free(s->back);
	*s = (struct sv_prl_space){0};
}

bool sv_prl_space_is_taken(const struct sv_prl_space *s, uint64_t place)
{
	return place < s->n && s->bits[place / 8] >> (place % 8) & 1;
}

static int make_room(struct sv_prl_space *s, uint64_t place, struct sv_err *err)
{
	uint64_t cap = SV_MAX(s->cap * 2, (place / 8 + 128) * 8);
	uint8_t *grown;

	if (place >= SV_PRL_PLACES_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL,
			"cluster %llu of the file is beyond what can be written, the last is "
			"%llu",
			(unsigned long long)place, (unsigned long long)SV_PRL_PLACES_MAX - 1);
	if (place < s->cap)
		return 0;
	grown = realloc(s->bits, cap / 8);
	if (!grown)
		return sv_fail_nomem(err);
	memset(grown + s->cap / 8, 0, (cap - s->cap) / 8);
	s->bits = grown;
	s->cap = cap;
	return 0;
}

int sv_prl_space_take(struct sv_prl_space *s, uint64_t place, struct sv_err *err)
{
	if (make_room(s, place, err) < 0)
		return -1;
	if (place >= s->n) {
		s->n_free += place - s->n;
		s->n = place + 1;
	} else {
		s->n_free--;
	}
	s->bits[place / 8] |= (uint8_t)(1 << place % 8);
	return 0;
}

int sv_prl_space_take_new(struct sv_prl_space *s, uint64_t *ret_place, struct sv_err *err)
{
	uint64_t place = s->n;

	if (s->n_free) {
		for (place = s->hint; sv_prl_space_is_taken(s, place); place++)
			;
		s->hint = place;
	}
	if (sv_prl_space_take(s, place, err) < 0)
		return -1;
	*ret_place = place;
	return 0;
}

int sv_prl_space_give_back(struct sv_prl_space *s, uint64_t place, struct sv_err *err)
{
	if (s->n_back == s->cap_back) {
		size_t cap = s->cap_back * 2 + 64;
		uint32_t *grown = realloc(s->back, cap * sizeof *grown);

		if (!grown)
			return sv_fail_nomem(err);
		s->back = grown;
		s->cap_back = cap;
	}
	s->back[s->n_back++] = (uint32_t)place;
	return 0;
}

uint64_t sv_prl_space_commit(struct sv_prl_space *s)
{
	for (size_t i = 0; i < s->n_back; i++) {
		uint32_t place = s->back[i];

		s->bits[place / 8] &= (uint8_t) ~(1 << place % 8);
		s->n_free++;
		s->hint = SV_MIN(s->hint, place);
	}
	s->n_back = 0;
	while (s->n && !sv_prl_space_is_taken(s, s->n - 1)) {
		s->n--;
		s->n_free--;
	}
	s->hint = SV_MIN(s->hint, s->n);
	return s->n;
}
