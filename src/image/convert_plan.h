/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conversion that is planned: shared by convert_plan.c, which plans, and convert.c. */
#ifndef SV_IMAGE_CONVERT_PLAN_H
#define SV_IMAGE_CONVERT_PLAN_H

#include "image/convert.h"

struct sv_convert {
	struct sv_host *host;
	char *to;
	bool keep_chain, keep_id;
	unsigned threads;
	struct sv_image *from;
	struct sv_image_format format;
	struct sv_convert_plan plan;
};

#endif
