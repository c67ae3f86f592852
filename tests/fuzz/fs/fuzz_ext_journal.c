/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The journal of ext: its superblock and the tags of a descriptor block, or (where the first
 * byte is odd) the blocks of fast commits, whose sums are put right first, and what they then
 * say of inodes, blocks and names.
 */
#include "fs/ext/fast.h"
#include "fs/ext/journal.h"

#include "base/num.h"

#include <stdlib.h>

#define BLOCK    1024u
#define SEQUENCE 7u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(int rc, const struct sv_err *err)
{
	if (rc < 0 && (!err->message[0] || err->code == SV_OK || err->code == SV_INTERNAL))
		abort();
}

static void use_log(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_journal j;
	struct sv_ext_tag tag;
	size_t at = JBD_HEADER;
	int rc = sv_ext_parse_journal(bytes, n, &j, &err);

	check(rc, &err);
	if (rc < 0)
		return;
	if (j.first >= j.last || j.last > j.blocks)
		abort();
	j.block_size = BLOCK;
	if (n < 1024 + BLOCK)
		return;
	for (uint32_t type = JBD_DESCRIPTOR; type <= JBD_REVOKE; type++)
		sv_ext_journal_block_ok(&j, bytes + 1024, type);
	while ((rc = sv_ext_next_tag(&j, bytes + 1024, &at, &tag, &err)) == 1) {
		if (at > BLOCK)
			abort();
	}
	check(rc, &err);
}

/* ---- fast commits ---- */

/* Makes the heads and tails that are there valid, so that what they end is looked at. */
static void put_right(uint8_t *blocks, size_t n)
{
	uint32_t crc = 0;

	for (size_t base = 0; base + BLOCK <= n; base += BLOCK) {
		for (size_t at = 0; at + 4 <= BLOCK;) {
			uint8_t *p = blocks + base + at;
			size_t len = sv_load_le16(p + 2);
			unsigned tag = sv_load_le16(p);

			if (len > BLOCK - at - 4)
				break;
			if (tag == 9 && len >= 8) {
				sv_store_le32(p + 4, 0);
				sv_store_le32(p + 8, SEQUENCE);
			}
			if (tag == 8 && len >= 8) {
				sv_store_le32(p + 4, SEQUENCE);
				sv_store_le32(p + 8, sv_ext_crc(crc, p, 8));
				crc = 0;
			} else {
				crc = sv_ext_crc(crc, p, 4 + len);
			}
			at += 4 + len;
		}
	}
}

static int note_entry(void *user, const struct sv_ext_entry *e)
{
	const struct sv_ext_fast *f = user;

	if (!e->ino || !e->name_len || !sv_ext_fast_knows(f, 2, e->name, e->name_len))
		abort();
	return 0;
}

static void ask(const struct sv_ext_fast *f, const struct sv_ext_super *s)
{
	uint8_t *raw = calloc(1, s->inode_size);

	if (!raw)
		abort();
	for (uint64_t ino = 0; ino < 20; ino++) {
		uint64_t lblk = 0;

		sv_ext_fast_inode(f, s, ino, raw);
		sv_ext_fast_made(f, ino);
		for (unsigned step = 0; step < 200 && lblk < UINT64_MAX; step++) {
			struct sv_ext_run run = {0};
			uint64_t end = UINT64_MAX;
			bool told = sv_ext_fast_run(f, ino, lblk, &run, &end);

			if (end <= lblk || (told && (!run.len || run.lblk != lblk)))
				abort();
			lblk = told ? lblk + run.len : end;
		}
	}
	sv_ext_fast_each(f, 2, note_entry, (void *)(uintptr_t)f);
	free(raw);
}

static void use_fast(const uint8_t *bytes, size_t n)
{
	const struct sv_ext_super s = {.inode_size = 256, .block_size = BLOCK};
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_fast *f = sv_ext_fast_new(&err);
	uint8_t *blocks = malloc(n + 1);
	int rc = 1;

	if (!f || !blocks)
		abort();
	memcpy(blocks, bytes, n);
	put_right(blocks, n);
	for (size_t at = 0; rc == 1 && at + BLOCK <= n; at += BLOCK)
		rc = sv_ext_fast_add(f, blocks + at, BLOCK, !at, SEQUENCE, &s, &err);
	check(rc, &err);
	if (rc >= 0 && sv_ext_fast_finish(f))
		ask(f, &s);
	sv_ext_fast_free(f);
	free(blocks);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!n)
		return 0;
	if (bytes[0] % 2)
		use_fast(bytes + 1, n - 1);
	else
		use_log(bytes + 1, n - 1);
	return 0;
}
