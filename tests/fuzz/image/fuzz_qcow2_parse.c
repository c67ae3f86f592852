/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pure parsers of qcow2: header and extensions, entries of the snapshot table and of the
 * bitmap directory, L2 entries. The input begins with a byte that chooses the parser.
 */
#include "image/qcow2/bitmap.h"
#include "image/qcow2/entry.h"
#include "image/qcow2/header.h"
#include "image/qcow2/snapshot.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define FILE_SIZE (UINT64_C(1) << 40)

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

/* What is printed must read to the same. */
static void print_again(struct sv_qcow2_header *h)
{
	size_t n = (size_t)1 << h->cluster_bits;
	sv_autofree uint8_t *bytes = calloc(1, n);
	struct sv_err err = SV_ERR_INIT;
	struct sv_qcow2_header again;

	h->version = 3;
	h->n_snapshots = h->n_bitmaps = 0;
	h->autoclear = 0;
	if (sv_qcow2_header_print(h, bytes, n, &err) < 0) {
		must_say(&err);
		return;
	}
	require(sv_qcow2_header_parse(bytes, n, UINT64_MAX, &again, &err) == 0);
	require(again.size == h->size && again.l1_size == h->l1_size);
	require(!strcmp(again.backing, h->backing) && again.codec == h->codec);
	require(!strcmp(again.backing_format, h->backing_format));
	require(!strcmp(again.data_file, h->data_file));
	require(again.incompatible == h->incompatible && again.l1_at == h->l1_at);
}

static void parse_header(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_qcow2_header h;

	require(sv_qcow2_header_room(bytes, n, n) <= n);
	if (sv_qcow2_header_parse(bytes, n, FILE_SIZE, &h, &err) < 0) {
		must_say(&err);
		return;
	}
	require(h.cluster_bits >= SV_QCOW2_CLUSTER_BITS_MIN &&
		h.cluster_bits <= SV_QCOW2_CLUSTER_BITS_MAX);
	require(h.l1_size <= SV_QCOW2_L1_MAX && sv_qcow2_l1_needed(&h, h.size) <= h.l1_size);
	require(h.size / SV_DEV_SIZE_MAX == 0);
	print_again(&h);
}

static void parse_snapshot(const uint8_t *bytes, size_t n)
{
	const struct sv_qcow2_header h = {.version = 3, .cluster_bits = 16, .size = 1 << 20};
	struct sv_err err = SV_ERR_INIT;
	struct sv_qcow2_snapshot s;
	size_t used;

	if (sv_qcow2_snapshot_parse(bytes, n, 0, &h, FILE_SIZE, &s, &used, &err) < 0) {
		must_say(&err);
		return;
	}
	require(used >= 40 && used < n + 8);
	require(s.l1_size <= SV_QCOW2_L1_MAX && s.l1_at <= FILE_SIZE);
	require(strlen(s.info.id) + strlen(s.info.name) <= n);
	sv_qcow2_snapshot_free(&s);
}

static void parse_bitmap(const uint8_t *bytes, size_t n)
{
	const struct sv_qcow2_header h = {.version = 3, .cluster_bits = 16, .size = 1 << 20};
	struct sv_err err = SV_ERR_INIT;
	struct sv_qcow2_bitmap b;
	size_t used;

	if (sv_qcow2_bitmap_parse(bytes, n, 0, &h, FILE_SIZE, &b, &used, &err) < 0) {
		must_say(&err);
		return;
	}
	require(used >= 24 && used <= n && b.granularity_bits < 64);
	require(sv_qcow2_bitmap_entries(&h, b.granularity_bits, UINT64_C(1) << 61) > 0);
}

/* All subclusters have one kind, whatever the entry says. */
static void look_at_kinds(const struct sv_qcow2_layout *l, const struct sv_qcow2_entry *e)
{
	uint32_t n;

	for (uint32_t i = 0; i < sv_qcow2_subclusters(l); i += n) {
		enum sv_run_kind kind = sv_qcow2_kind(l, e, i, &n);

		require(n && n <= sv_qcow2_subclusters(l) - i);
		require(kind == SV_RUN_DATA || kind == SV_RUN_ZERO || kind == SV_RUN_ABSENT);
		require(kind != SV_RUN_DATA || e->has_host || e->compressed);
	}
}

static void decode_entry(const uint8_t *bytes, size_t n)
{
	struct sv_qcow2_layout l;
	struct sv_qcow2_entry e;
	struct sv_qcow2_raw raw;
	uint8_t back[16];

	if (n < 17)
		return;
	l = (struct sv_qcow2_layout){.cluster_bits = 9 + bytes[0] % 13,
		.v2 = bytes[0] & 16,
		.extended = bytes[0] & 32,
		.data_file = bytes[0] & 64};
	raw = sv_qcow2_raw_load(&l, bytes + 1);
	if (sv_qcow2_decode(&l, raw, &e))
		return;
	require(!(e.data & e.zero) && !(e.compressed && e.has_host));
	look_at_kinds(&l, &e);
	if (e.compressed) {
		require(e.packed && e.packed <= UINT32_C(2) << l.cluster_bits);
		return;
	}
	sv_qcow2_raw_store(&l, sv_qcow2_encode(&l, &e), back);
	require(!memcmp(back, bytes + 1, sv_qcow2_entry_bytes(&l)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static void (*const parsers[])(const uint8_t *, size_t) = {
		parse_header, parse_snapshot, parse_bitmap, decode_entry};

	if (n)
		parsers[bytes[0] % SV_ARRAY_LEN(parsers)](bytes + 1, n - 1);
	return 0;
}
