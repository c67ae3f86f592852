/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The header of an installed package: texts must end inside of it. */
#include "rpm_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *own = malloc(n ? n : 1); /* of the exact size, so that a step beyond is seen */
	struct sv_err err = SV_ERR_INIT;
	struct sv_rpm_package p;
	size_t sum = 0;

	MUST(own);
	memcpy(own, bytes, n);
	if (sv_rpm_parse_header(own, n, &p, &err) == 0)
		use_package(&sum, &p);
	else
		MUST(err.code == SV_CORRUPT && err.message[0]);
	free(own);
	return 0;
}
