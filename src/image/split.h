/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Raw disks in parts: NAME.001, NAME.002 ... See split.c. */
#ifndef SV_IMAGE_SPLIT_H
#define SV_IMAGE_SPLIT_H

#include "image/driver.h"

/*
 * Is it the first part of several? By the name and its neighbours: nothing in such a file
 * tells. Any other part is refused with the name of the first, a missing part by its own name.
 */
int sv_split_look(struct sv_host *host, const char *path, bool *ret, struct sv_err *err);

#endif
