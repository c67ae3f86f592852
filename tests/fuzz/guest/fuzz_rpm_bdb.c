/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "Packages" of Berkeley DB: pages, items, chains of pages; each header that comes of it. */
#include "rpm_common.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	read_database(bytes, n, sv_rpm_read_bdb);
	return 0;
}
