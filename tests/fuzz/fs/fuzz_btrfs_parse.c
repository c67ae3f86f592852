/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pure parsers of btrfs: the first byte picks one, the others are its bytes. */
#include "base/endian.h"
#include "base/num.h"
#include "fs/btrfs/btrfs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must_say(int rc, const struct sv_err *err)
{
	if (rc < 0 && (!err->message[0] || err->code == SV_OK || err->code == SV_INTERNAL))
		abort();
}

static void super(const uint8_t *b, size_t n, struct sv_err *err)
{
	uint8_t sector[BTRFS_SUPER_SIZE] = {0}, sum[BTRFS_SUM_MAX];
	struct sv_btrfs_super s;

	memcpy(sector, b, SV_MIN(n, sizeof sector));
	sv_btrfs_sum((enum sv_btrfs_sum)(sector[0xc4] & 3), sector + BTRFS_SUMMED_FROM,
		sizeof sector - BTRFS_SUMMED_FROM, sum);
	memcpy(sector, sum, sv_btrfs_sum_size((enum sv_btrfs_sum)(sector[0xc4] & 3)));
	must_say(sv_btrfs_parse_super(sector, sizeof sector, BTRFS_SUPER_AT, &s, err), err);
}

/* One chunk behind the other; each place lies within its chunk. */
static void chunk(const uint8_t *b, size_t n, struct sv_err *err)
{
	struct sv_btrfs_chunks t = {0};
	uint64_t start = 0;
	size_t size;
	int rc = 0;

	for (size_t at = 0; !rc && at < n; at += size) {
		rc = sv_btrfs_add_chunk(&t, start, b + at, n - at, &size, err);
		must_say(rc, err);
		start += 1 << 20;
	}
	for (size_t i = 0; i < t.n; i++) {
		const struct sv_btrfs_chunk *c = sv_btrfs_find_chunk(&t, t.c[i].start);
		uint64_t places[] = {0, c->length / 2, c->length - 1};
		struct sv_btrfs_piece p;
		unsigned raw, net;

		sv_btrfs_cost(c, &raw, &net);
		for (size_t k = 0; k < 3 * sv_btrfs_copies(c) && k < 300; k++) {
			sv_btrfs_place(&t, c, c->start + places[k % 3], (unsigned)k / 3, &p);
			if (!p.len || p.len > c->length || !net || net > raw)
				abort();
		}
		for (unsigned k = 0; k < c->stripes; k++)
			sv_btrfs_place_in_row(&t, c, c->start + c->length / 2, k, &p);
	}
	sv_btrfs_chunks_free(&t);
}

static void node(const uint8_t *b, size_t n, struct sv_err *err)
{
	uint8_t whole[4096] = {0};
	unsigned level, count;

	memcpy(whole, b, SV_MIN(n, sizeof whole));
	must_say(sv_btrfs_parse_node(whole, sizeof whole, &level, &count, err), err);
}

static void entry(const uint8_t *b, size_t n, struct sv_err *err)
{
	struct sv_btrfs_entry e;

	for (size_t at = 0; at < n;) {
		int rc = sv_btrfs_parse_entry(b, n, &at, &e, err);

		must_say(rc, err);
		if (rc < 0)
			return;
		if (at > n || e.name < b || e.value + e.value_len != b + at)
			abort();
	}
}

static void extent(const uint8_t *b, size_t n, struct sv_err *err)
{
	const struct sv_btrfs_super s = {.sector = 4096, .node = 16384};
	struct sv_btrfs_extent e;
	int rc = sv_btrfs_parse_extent(b, n, &s, 4096, &e, err);

	must_say(rc, err);
	if (rc == 0 && e.packing && e.kind != BTRFS_EXTENT_PREALLOCATED && e.disk &&
		(e.unpacked > BTRFS_EXTENT_PACKED || e.skip + e.len > e.unpacked))
		abort();
}

static void inode(const uint8_t *b, size_t n, struct sv_err *err)
{
	struct sv_btrfs_inode i;
	struct sv_fs_stat st;
	int rc = sv_btrfs_parse_inode(b, n, &i, err);

	must_say(rc, err);
	if (rc == 0)
		sv_btrfs_describe(&i, &st);
}

static void packed(const uint8_t *b, size_t n, struct sv_err *err)
{
	struct sv_btrfs_unpack *u = NULL;
	uint8_t *out = malloc(8192);

	if (!out)
		abort();
	if (n)
		must_say(sv_btrfs_unpack(&u, 1 + b[0] % 3u, 4096, b + 1, n - 1, out, 8192, err),
			err);
	sv_btrfs_unpack_free(u);
	free(out);
}

static void root(const uint8_t *b, size_t n, struct sv_err *err)
{
	struct sv_btrfs_root r;

	must_say(sv_btrfs_parse_root(b, n, &r, err), err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static void (*const parsers[])(const uint8_t *b, size_t n, struct sv_err *err) = {
		super, chunk, node, entry, extent, inode, packed, root};
	struct sv_err err = SV_ERR_INIT;
	uint8_t *copy;

	if (!n)
		return 0;
	copy = malloc(SV_MAX(n - 1,
		(size_t)1)); /* of its own size: so that what is read behind it is found */
	if (!copy)
		abort();
	memcpy(copy, bytes + 1, n - 1);
	parsers[bytes[0] % SV_ARRAY_LEN(parsers)](copy, n - 1, &err);
	free(copy);
	return 0;
}
