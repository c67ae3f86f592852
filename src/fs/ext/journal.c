/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The journal's blocks, decoded: see journal.h. */
#include "fs/ext/journal.h"

#include "base/num.h"

#define AT(field)      offsetof(struct jbd_super, field)
#define FAST_DEFAULT   256u  /* blocks, where the superblock tells none */
#define BLOCKS_MIN     1024u /* a log is never made shorter by fast commits */
#define TAIL           4u    /* a checksum ends descriptors and revoke blocks */
#define COMMIT_SUM     16u   /* where it lies in a commit block */
#define UUID           16u
#define INCOMPAT_KNOWN 0x3fu

enum { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_LAST = 8 };

static int wrong(struct sv_err *err, size_t at, const char *what, uint32_t found)
{
	return sv_fail_at(
		err, SV_CORRUPT, NULL, at, "journal superblock: %s is %u", what, found);
}

/* Fast commits take the end of the journal. */
static void set_last(struct sv_ext_journal *j, uint32_t fast)
{
	j->last = j->blocks;
	if (!(j->incompat & JBD_INCOMPAT_FAST_COMMIT))
		return;
	fast = fast ? fast : FAST_DEFAULT;
	if (j->blocks > fast && j->blocks - fast >= BLOCKS_MIN)
		j->last = j->blocks - fast;
}

static int take_features(const uint8_t *bytes, const struct jbd_super *d,
	struct sv_ext_journal *j, struct sv_err *err)
{
	static const uint8_t zeros[4];
	uint32_t crc;

	j->compat = sv_get_be32(d->compat);
	j->incompat = sv_get_be32(d->incompat);
	if (j->incompat & ~INCOMPAT_KNOWN)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(incompat),
			"the journal has features that are not known here (%#x)",
			j->incompat & ~INCOMPAT_KNOWN);
	j->seed = sv_ext_crc(UINT32_MAX, d->uuid, sizeof d->uuid);
	if (!sv_ext_journal_sums(j))
		return 0;
	crc = sv_ext_crc(UINT32_MAX, bytes, AT(checksum));
	crc = sv_ext_crc(crc, zeros, sizeof zeros);
	crc = sv_ext_crc(crc, bytes + AT(user_uuids), sizeof d->user_uuids);
	return crc == sv_get_be32(d->checksum)
		       ? 0
		       : wrong(err, AT(checksum), "the checksum", sv_get_be32(d->checksum));
}

int sv_ext_parse_journal(
	const uint8_t *bytes, size_t n, struct sv_ext_journal *ret, struct sv_err *err)
{
	struct sv_ext_journal j = {0};
	struct jbd_super d;
	uint32_t type;

	if (n < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, n, "the journal's superblock is cut");
	memcpy(&d, bytes, sizeof d);
	type = sv_get_be32(d.type);
	if (sv_get_be32(d.magic) != JBD_MAGIC)
		return wrong(err, AT(magic), "the magic", sv_get_be32(d.magic));
	if (type != JBD_SUPER_1 && type != JBD_SUPER_2)
		return wrong(err, AT(type), "the type", type);
	if (type == JBD_SUPER_2 && take_features(bytes, &d, &j, err) < 0)
		return -1;
	j.block_size = sv_get_be32(d.block_size);
	j.blocks = sv_get_be32(d.blocks);
	j.first = sv_get_be32(d.first);
	j.sequence = sv_get_be32(d.sequence);
	j.start = sv_get_be32(d.start);
	set_last(&j, sv_get_be32(d.fast_blocks));
	if (!j.first || j.first >= j.last)
		return wrong(err, AT(first), "the first block of the log", j.first);
	if (j.start && (j.start < j.first || j.start >= j.last))
		return wrong(err, AT(start), "the start of the log", j.start);
	*ret = j;
	return 0;
}

/* Three forms: CSUM_V3, and the old one with a short checksum that CSUM_V2 made longer. */
static size_t tag_size(const struct sv_ext_journal *j)
{
	size_t n = 8;

	if (j->incompat & JBD_INCOMPAT_CSUM_V3)
		return 16;
	if (j->incompat & JBD_INCOMPAT_64BIT)
		n += 4;
	return j->incompat & JBD_INCOMPAT_CSUM_V2 ? n + 2 : n;
}

int sv_ext_next_tag(const struct sv_ext_journal *j, const uint8_t *block, size_t *at,
	struct sv_ext_tag *ret, struct sv_err *err)
{
	size_t end = j->block_size - (sv_ext_journal_sums(j) ? TAIL : 0), size = tag_size(j);
	const uint8_t *p = block + *at;
	uint32_t flags;

	if (*at > end || end - *at < size)
		return 0;
	*ret = (struct sv_ext_tag){.block = sv_load_be32(p)};
	if (j->incompat & JBD_INCOMPAT_CSUM_V3) {
		flags = sv_load_be32(p + 4);
		ret->checksum = sv_load_be32(p + 12);
	} else {
		flags = sv_load_be16(p + 6);
		ret->checksum = sv_load_be16(p + 4);
	}
	if (j->incompat & JBD_INCOMPAT_64BIT)
		ret->block |= (uint64_t)sv_load_be32(p + 8) << 32;
	ret->escaped = flags & TAG_ESCAPED;
	ret->last = flags & TAG_LAST;
	size += flags & TAG_SAME_UUID ? 0 : UUID;
	if (end - *at < size)
		return sv_fail_at(err, SV_CORRUPT, NULL, *at, "a tag of the journal is cut");
	*at += size;
	return 1;
}

bool sv_ext_journal_block_ok(
	const struct sv_ext_journal *j, const uint8_t *block, uint32_t type)
{
	static const uint8_t zeros[4];
	size_t at = type == JBD_COMMIT ? COMMIT_SUM : j->block_size - TAIL;
	uint32_t crc;

	if (!sv_ext_journal_sums(j))
		return true;
	crc = sv_ext_crc(j->seed, block, at);
	crc = sv_ext_crc(crc, zeros, sizeof zeros);
	crc = sv_ext_crc(crc, block + at + 4, j->block_size - at - 4);
	return crc == sv_load_be32(block + at);
}
