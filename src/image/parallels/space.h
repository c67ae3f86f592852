/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which clusters of an image file are taken. A place is a cluster's number in the file. One
 * that was given back is not given away again before the next commit: the BAT in the file may
 * still name it.
 */
#ifndef SV_IMAGE_PARALLELS_SPACE_H
#define SV_IMAGE_PARALLELS_SPACE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 8 MiB of bits; 64 TiB in clusters of 1 MiB. */
#define SV_PRL_PLACES_MAX (UINT64_C(64) << 20)

struct sv_prl_space {
	uint8_t *bits;   /* one per place below n */
	uint64_t n;      /* behind the last place that was ever taken */
	uint64_t cap;    /* of bits, in places */
	uint64_t n_free; /* below n; given back since the last commit: not counted */
	uint64_t hint;   /* no free place is below it */
	uint32_t *back;  /* given back since the last commit */
	size_t n_back, cap_back;
};

void sv_prl_space_free(struct sv_prl_space *s);
bool sv_prl_space_is_taken(const struct sv_prl_space *s, uint64_t place);
/* SV_NOMEM, and SV_UNSUPPORTED beyond the last place. Taking twice is a bug. */
int sv_prl_space_take(struct sv_prl_space *s, uint64_t place, struct sv_err *err);
int sv_prl_space_take_new(struct sv_prl_space *s, uint64_t *ret_place, struct sv_err *err);
int sv_prl_space_give_back(struct sv_prl_space *s, uint64_t place, struct sv_err *err);
/* Nothing in the file names what was given back any more. Gives the place behind the last one
 * that is taken. */
uint64_t sv_prl_space_commit(struct sv_prl_space *s);

#endif
