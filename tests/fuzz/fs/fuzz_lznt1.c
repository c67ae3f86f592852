/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LZNT1: the first two bytes give the size of what is to come out, 0 to 65535. */
#include "fs/ntfs/ntfs.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	size_t out_n;
	uint8_t *out;

	if (n < 2)
		return 0;
	out_n = sv_load_le16(bytes);
	out = malloc(out_n ? out_n : 1);
	if (!out)
		abort();
	if (sv_ntfs_unpack(bytes + 2, n - 2, out, out_n, &err) < 0 &&
		(!err.message[0] || err.code != SV_CORRUPT || err.offset > n))
		abort();
	free(out);
	return 0;
}
