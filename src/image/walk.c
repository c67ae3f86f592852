/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See walk.h. */
#include "image/walk.h"

int sv_walk_at(struct sv_walk *w, uint64_t off, uint64_t end, struct sv_extent *ret,
	struct sv_err *err)
{
	const struct sv_extent *e = &w->extent;
	uint64_t size = sv_dev_size(w->dev), in;

	if (off >= size) {
		*ret = (struct sv_extent){off, end - off, SV_EXTENT_HOLE, 0, SV_NO_HOST_OFFSET};
		return 0;
	}
	if ((off < e->start || off - e->start >= e->length) &&
		sv_dev_extent(w->dev, off, size - off, &w->extent, err) < 0) {
		w->extent.length = 0;
		return -1;
	}
	in = off - e->start;
	*ret = *e;
	ret->start = off;
	ret->length -= in;
	if (ret->host_offset != SV_NO_HOST_OFFSET)
		ret->host_offset += in;
	return 0;
}
