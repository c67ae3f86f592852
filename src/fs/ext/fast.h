/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fast commits: behind the log of an ext4 journal lie short notes of what happened since the
 * last whole transaction (Linux, Documentation/filesystems/ext4/journal.rst, "Fast commits").
 * They tell of inodes, ranges and names, not of blocks. Here they are kept as such and laid
 * over what the volume shows.
 */
#ifndef SV_FS_EXT_FAST_H
#define SV_FS_EXT_FAST_H

#include "fs/ext/ext.h"

struct sv_ext_fast;

struct sv_ext_fast *sv_ext_fast_new(struct sv_err *err);
void sv_ext_fast_free(struct sv_ext_fast *f);

/*
 * Takes the notes of one block; `first` of the area. 1: go on with the next block, 0: the notes
 * end here (what was not ended by a valid tail is forgotten), -1: SV_NOMEM. `sequence` is that
 * of the transaction that never was.
 */
int sv_ext_fast_add(struct sv_ext_fast *f, const uint8_t *block, size_t n, bool first,
	uint32_t sequence, const struct sv_ext_super *s, struct sv_err *err);
/* After the last block: drops what is not whole and sorts. False where nothing is left. */
bool sv_ext_fast_finish(struct sv_ext_fast *f);

/* Puts what is known of an inode into its bytes; false where that is nothing. */
bool sv_ext_fast_inode(
	const struct sv_ext_fast *f, const struct sv_ext_super *s, uint64_t ino, uint8_t *raw);
/* The run at lblk where a note tells it; else false, and *end is where the next note begins
 * (untouched where there is none). */
bool sv_ext_fast_run(const struct sv_ext_fast *f, uint64_t ino, uint64_t lblk,
	struct sv_ext_run *ret, uint64_t *end);
/* Does a note tell what became of this name? */
bool sv_ext_fast_knows(
	const struct sv_ext_fast *f, uint64_t dir, const uint8_t *name, unsigned len);
/* The folder was made by a note: its blocks hold nothing yet. */
bool sv_ext_fast_made(const struct sv_ext_fast *f, uint64_t dir);
/* The names that notes gave to a folder. */
int sv_ext_fast_each(const struct sv_ext_fast *f, uint64_t dir, sv_ext_entry_fn fn, void *user);

#endif
