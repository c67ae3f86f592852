/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The journal of ext3 and ext4 (jbd2), read only. Nothing is written anywhere: what a mount
 * would copy back is read from where it lies in the journal. Source: Linux,
 * Documentation/filesystems/ext4/journal.rst. All numbers are big endian.
 */
#ifndef SV_FS_EXT_JOURNAL_H
#define SV_FS_EXT_JOURNAL_H

#include "fs/ext/ext.h"

struct jbd_super {
	sv_be32 magic, type, sequence_of_block;
	sv_be32 block_size, blocks, first;
	sv_be32 sequence, start, error;
	/* version 2 */
	sv_be32 compat, incompat, ro_compat;
	uint8_t uuid[16];
	sv_be32 users, copy, max_transaction, max_data;
	uint8_t checksum_type, pad[3];
	sv_be32 fast_blocks, head;
	uint8_t unused[160];
	sv_be32 checksum;
	uint8_t user_uuids[768];
};
static_assert(sizeof(struct jbd_super) == 1024, "a journal's superblock has 1024 bytes");
static_assert(offsetof(struct jbd_super, fast_blocks) == 0x54, "fast commits");
static_assert(offsetof(struct jbd_super, checksum) == 0xfc, "journal checksum");

#define JBD_MAGIC  0xc03b3998u
#define JBD_HEADER 12u /* magic, type, sequence */

enum { JBD_DESCRIPTOR = 1, JBD_COMMIT = 2, JBD_SUPER_1 = 3, JBD_SUPER_2 = 4, JBD_REVOKE = 5 };

enum {
	JBD_COMPAT_CHECKSUM = 1,
	JBD_INCOMPAT_REVOKE = 0x01,
	JBD_INCOMPAT_64BIT = 0x02,
	JBD_INCOMPAT_ASYNC_COMMIT = 0x04,
	JBD_INCOMPAT_CSUM_V2 = 0x08,
	JBD_INCOMPAT_CSUM_V3 = 0x10,
	JBD_INCOMPAT_FAST_COMMIT = 0x20,
};

struct sv_ext_journal {
	uint32_t block_size;
	uint32_t blocks, first, last; /* the log is [first, last), fast commits lie behind it */
	uint32_t sequence, start;     /* start 0: it is empty */
	uint32_t compat, incompat;
	uint32_t seed; /* of its checksums */
};

/* Pure: the journal's superblock, of at least 1024 bytes. */
int sv_ext_parse_journal(
	const uint8_t *bytes, size_t n, struct sv_ext_journal *ret, struct sv_err *err);

static inline bool sv_ext_journal_sums(const struct sv_ext_journal *j)
{
	return j->incompat & (JBD_INCOMPAT_CSUM_V2 | JBD_INCOMPAT_CSUM_V3);
}

struct sv_ext_tag {
	uint64_t block; /* of the volume, whose content follows the descriptor */
	uint32_t checksum;
	bool escaped; /* its first four bytes were the journal's magic and are zero here */
	bool last;
};
/* Pure: the tag at *at of a descriptor block; 1 for one, 0 at the end, -1 where it is cut. */
int sv_ext_next_tag(const struct sv_ext_journal *j, const uint8_t *block, size_t *at,
	struct sv_ext_tag *ret, struct sv_err *err);
/* Pure: does the checksum of a block of this type hold? */
bool sv_ext_journal_block_ok(
	const struct sv_ext_journal *j, const uint8_t *block, uint32_t type);

/* ---- the view: view.c ---- */

/* A block of the volume whose present content lies in the journal. */
struct sv_ext_copy {
	uint64_t block;    /* of the volume */
	uint64_t at;       /* block of the volume in which the journal keeps it */
	uint32_t order;    /* of being written: the last one counts */
	uint32_t sequence; /* transaction */
	uint32_t checksum;
	bool escaped;
};

/*
 * `under` with the copies in place of what they stand for; `copies` (sorted by block, each
 * once) is taken over. A copy whose checksum is wrong is SV_CORRUPT when it is read.
 */
struct sv_dev *sv_ext_view_open(struct sv_dev *under, const struct sv_ext_journal *j,
	struct sv_ext_copy *copies, size_t n, struct sv_err *err);

/* ---- replay: replay.c ---- */

/*
 * Reads the journal of a volume that was not unmounted. *ret_view is NULL where there is
 * nothing in it; fast commits go to v->fast. What cannot be used is told in v->warning: only
 * SV_IO and SV_NOMEM are errors.
 */
int sv_ext_replay(struct sv_ext *v, struct sv_dev **ret_view, struct sv_err *err);

#endif
