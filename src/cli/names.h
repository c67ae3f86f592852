/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where a file with several names was put first, so that the others become names of it again.
 * A file is forgotten when all its names were met: memory goes with the files that still wait.
 */
#ifndef SV_CLI_NAMES_H
#define SV_CLI_NAMES_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct sv_names {
	struct sv_name_slot *slots; /* open addressing; a power of two */
	size_t n, cap;
};

void sv_names_free(struct sv_names *names); /* frees the content */

/*
 * The path of the inode's first name; NULL where it was not met, or was already met `links`
 * times. Counts this one.
 */
const char *sv_names_find(struct sv_names *names, size_t volume, uint64_t ino);
/* Notes the first of `links` names. */
int sv_names_add(struct sv_names *names, size_t volume, uint64_t ino, const char *path,
	uint32_t links, struct sv_err *err);

#endif
