/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The packed bytes of a file, a buffer at a time. */
#include "image/packed/packed.h"

uint64_t sv_packed_pos(const struct sv_packed_in *in)
{
	return in->at + in->used;
}

void sv_packed_go(struct sv_packed_in *in, uint64_t pos)
{
	if (pos >= in->at && pos - in->at <= in->n) {
		in->used = (size_t)(pos - in->at);
		return;
	}
	in->at = pos;
	in->n = in->used = 0;
}

int sv_packed_fill(struct sv_packed_in *in, uint64_t end, struct sv_err *err)
{
	uint64_t pos = sv_packed_pos(in);
	size_t n = pos < end ? (size_t)SV_MIN(end - pos, sizeof in->bytes) : 0;

	if (in->n > in->used && pos + (in->n - in->used) <= end)
		return 0;
	in->at = pos;
	in->n = in->used = 0;
	if (n && sv_dev_read(in->file, in->bytes, n, pos, err) < 0)
		return -1;
	in->n = n;
	return 0;
}
