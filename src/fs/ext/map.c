/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which blocks of the volume a file has: by extents or block numbers, and by fast commits. */
#include "fs/ext/ext.h"

#include "base/num.h"
#include "fs/ext/fast.h"

#include <stdlib.h>

void sv_ext_map_free(struct sv_ext_map *m)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(m->held); i++)
		free(m->held[i].bytes);
	*m = (struct sv_ext_map){0};
}

static int beyond(struct sv_ext *v, const struct sv_ext_map *m, const struct sv_ext_run *run,
	struct sv_err *err)
{
	return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
		"inode %llu: %llu blocks at block %llu do not lie on the volume of %llu blocks",
		(unsigned long long)m->inode.ino, (unsigned long long)run->len,
		(unsigned long long)run->pblk, (unsigned long long)v->super.blocks);
}

static bool on_volume(const struct sv_ext *v, uint64_t pblk, uint64_t len)
{
	return pblk && sv_in_range(pblk, len, v->super.blocks);
}

int sv_ext_map_hold(struct sv_ext *v, struct sv_ext_map *m, unsigned level, uint64_t pblk,
	bool *ret_fresh, struct sv_err *err)
{
	const size_t size = v->super.block_size;

	*ret_fresh = m->held[level].pblk != pblk || !pblk;
	if (!*ret_fresh)
		return 0;
	if (!on_volume(v, pblk, 1))
		return beyond(v, m, &(struct sv_ext_run){0, 1, pblk}, err);
	m->held[level].pblk = 0;
	if (!m->held[level].bytes) {
		m->held[level].bytes = malloc(size);
		if (!m->held[level].bytes)
			return sv_fail_nomem(err);
	}
	if (sv_dev_read(v->dev, m->held[level].bytes, size, pblk * size, err) < 0)
		return -1;
	m->held[level].pblk = pblk;
	return 0;
}

/* Fast commits first; between them the tree as it lies on the disk. */
static int find_run(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk,
	struct sv_ext_run *ret, struct sv_err *err)
{
	uint64_t end = UINT64_MAX;

	if (v->fast && sv_ext_fast_run(v->fast, m->inode.ino, lblk, ret, &end))
		return 0;
	if ((m->inode.flags & EXT_FL_EXTENTS ? sv_ext_extents_at : sv_ext_indirect_at)(
		    v, m, lblk, ret, err) < 0)
		return -1;
	ret->len = SV_MIN(ret->len, end - lblk);
	return 0;
}

int sv_ext_map_at(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk, struct sv_ext_run *ret,
	struct sv_err *err)
{
	struct sv_ext_run run;

	if (find_run(v, m, lblk, &run, err) < 0)
		return -1;
	if (run.pblk != SV_EXT_HOLE && !on_volume(v, run.pblk, run.len))
		return beyond(v, m, &run, err);
	*ret = run;
	return 0;
}
