/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An open Parallels disk: a single expanding image file. */
#ifndef SV_IMAGE_PARALLELS_H
#define SV_IMAGE_PARALLELS_H

#include "image/driver.h"
#include "image/parallels/hds.h"

struct sv_prl {
	struct sv_link link;
	struct sv_hds *hds;
};

int sv_prl_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);
int sv_prl_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err);
int sv_prl_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
uint64_t sv_prl_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size);
int sv_prl_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);

#endif
