/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disks whose bytes lie in a device as they are: a raw file, or the parts of a split one. */
#ifndef SV_IMAGE_RAW_H
#define SV_IMAGE_RAW_H

#include "image/driver.h"

struct sv_raw {
	struct sv_link link;
	struct sv_dev *file;
};

/* A link of `driver` over `file`, of which it takes a reference; info.files is still empty.
 * SV_CORRUPT where there are no bytes. */
struct sv_raw *sv_raw_new(const struct sv_link_env *env, const struct sv_image_driver *driver,
	const char *path, struct sv_dev *file, struct sv_err *err);

/* ---- of the drivers ---- */

void sv_raw_close(struct sv_link *l);
int sv_raw_map(struct sv_link *l, uint64_t off, uint64_t max, bool holes, struct sv_run *ret,
	struct sv_err *err);
int sv_raw_write(
	struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
int sv_raw_discard(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);
int sv_raw_flush(struct sv_link *l, struct sv_err *err);
int sv_raw_check_size(
	uint64_t size, const char *path, struct sv_image_faults *faults, struct sv_err *err);
const char *sv_raw_flat_subformat(const struct sv_link *l);

#endif
