/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Block numbers, as ext2 and ext3 keep them: twelve in the inode, then one block of them, one
 * block of such blocks, and one of those. Linux, Documentation/filesystems/ext4/blockmap.rst.
 */
#include "fs/ext/ext.h"

#include "base/num.h"

#define DIRECT 12u
#define LEVELS 3u

/* How many neighbours from the nth number on continue it (or are holes as it is). */
static uint64_t run_length(const uint8_t *numbers, uint64_t n, uint64_t at)
{
	uint32_t first = sv_load_le32(numbers + 4 * at);
	uint64_t len = 1;

	while (at + len < n &&
		sv_load_le32(numbers + 4 * (at + len)) == (first ? (uint32_t)(first + len) : 0))
		len++;
	return len;
}

static struct sv_ext_run run_of(const uint8_t *numbers, uint64_t n, uint64_t at, uint64_t lblk)
{
	uint32_t block = sv_load_le32(numbers + 4 * at);

	return (struct sv_ext_run){
		lblk, run_length(numbers, n, at), block ? block : SV_EXT_HOLE};
}

/* From the block of numbers at `pblk`, `level` levels above data, down to the run. */
static int descend(struct sv_ext *v, struct sv_ext_map *m, unsigned level, uint64_t within,
	struct sv_ext_run *run, struct sv_err *err)
{
	const uint64_t per_block = v->super.block_size / 4;
	uint64_t span = 1; /* blocks that a number of this level stands for */
	bool fresh;

	for (unsigned i = 1; i < level; i++)
		span *= per_block;
	for (; run->pblk != SV_EXT_HOLE; level--, span /= per_block) {
		uint64_t at = within / span;
		struct sv_ext_run next;

		if (sv_ext_map_hold(v, m, level - 1, run->pblk, &fresh, err) < 0)
			return -1;
		next = run_of(m->held[level - 1].bytes, per_block, at, run->lblk);
		within %= span;
		if (level == 1) {
			*run = next;
			return 0;
		}
		/* a hole of several numbers, less what of the first one lies behind us */
		run->len = (next.pblk == SV_EXT_HOLE ? next.len * span : span) - within;
		run->pblk = next.pblk;
	}
	return 0;
}

int sv_ext_indirect_at(struct sv_ext *v, struct sv_ext_map *m, uint64_t lblk,
	struct sv_ext_run *ret, struct sv_err *err)
{
	const uint64_t per_block = v->super.block_size / 4;
	uint64_t within = lblk, span = per_block;
	struct sv_ext_run run = {.lblk = lblk};

	if (lblk < DIRECT) {
		*ret = run_of(m->inode.block, DIRECT, lblk, lblk);
		return 0;
	}
	within -= DIRECT;
	for (unsigned level = 1; level <= LEVELS; level++, span *= per_block) {
		uint32_t top = sv_load_le32(m->inode.block + 4 * (DIRECT + level - 1));

		if (within >= span) {
			within -= span;
			continue;
		}
		run.pblk = top ? top : SV_EXT_HOLE;
		run.len = span - within;
		if (descend(v, m, level, within, &run, err) < 0)
			return -1;
		*ret = run;
		return 0;
	}
	*ret = (struct sv_ext_run){lblk, SV_DEV_SIZE_MAX, SV_EXT_HOLE};
	return 0;
}
