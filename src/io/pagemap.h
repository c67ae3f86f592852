/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A sparse, ordered map from page number to a 4 KiB page in memory, with a cap on the bytes it
 * may hold: what overlays and sparse memory devices keep their data in. Many readers or one
 * writer.
 */
#ifndef SV_IO_PAGEMAP_H
#define SV_IO_PAGEMAP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SV_PAGE 4096ULL

struct sv_pagemap;

struct sv_pagemap *sv_pagemap_new(uint64_t cap, struct sv_err *err);
void sv_pagemap_free(struct sv_pagemap *m);

uint8_t *sv_pagemap_get(const struct sv_pagemap *m, uint64_t page); /* NULL where absent */
/* The page, made of zeros where absent; *ret_new tells. NULL on SV_NOMEM (the cap counts). */
uint8_t *sv_pagemap_make(
	struct sv_pagemap *m, uint64_t page, bool *ret_new, struct sv_err *err);
void sv_pagemap_drop(struct sv_pagemap *m, uint64_t page);
/* The smallest present page >= from; false where there is none. */
bool sv_pagemap_next(const struct sv_pagemap *m, uint64_t from, uint64_t *ret_page);
uint64_t sv_pagemap_count(const struct sv_pagemap *m);

#endif
