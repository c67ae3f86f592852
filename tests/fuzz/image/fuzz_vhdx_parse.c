/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pure parsers of VHDX: header, region table, metadata table and items, parent locator, log
 * entry and descriptor, GUIDs as text. The input begins with a byte that chooses the parser;
 * checksums are made right first.
 */
#include "image/vhdx/log.h"
#include "image/vhdx/metadata.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool held)
{
	if (!held)
		abort();
}

static void must_say(const struct sv_err *err)
{
	require(err->code != SV_OK && err->code != SV_INTERNAL && *err->message);
}

/* A copy of `size` bytes, zeros behind the input, with a right checksum. */
static uint8_t *block(const uint8_t *bytes, size_t n, size_t size)
{
	uint8_t *copy = calloc(1, size);

	require(copy != NULL);
	memcpy(copy, bytes, SV_MIN(n, size));
	sv_store_le32(copy + 4, 0);
	sv_store_le32(copy + 4, sv_crc32c(0, copy, size));
	return copy;
}

static void parse_header(const uint8_t *bytes, size_t n)
{
	sv_autofree uint8_t *b = block(bytes, n, SV_VHDX_HEADER_SIZE);
	struct sv_err err = SV_ERR_INIT;
	struct sv_vhdx_disk_header printed;
	struct sv_vhdx_header h, again;

	require(sv_vhdx_header_parse(bytes, SV_MIN(n, (size_t)100), &h, NULL) < 0);
	if (sv_vhdx_header_parse(b, SV_VHDX_HEADER_SIZE, &h, &err) < 0) {
		must_say(&err);
		return;
	}
	require(h.log_at % SV_VHDX_UNIT == 0 && h.log_size <= SV_VHDX_LOG_MAX);
	sv_vhdx_header_print(&h, &printed);
	require(sv_vhdx_header_parse(&printed, sizeof printed, &again, &err) == 0);
	require(h.sequence == again.sequence && h.log_at == again.log_at);
	require(sv_vhdx_guid_equal(&h.data_write, &again.data_write));
}

static void parse_regions(const uint8_t *bytes, size_t n)
{
	sv_autofree uint8_t *b = block(bytes, n, SV_VHDX_TABLE_SIZE);
	sv_autofree struct sv_vhdx_regions *r = malloc(sizeof *r);
	struct sv_err err = SV_ERR_INIT;
	uint64_t at;

	require(r != NULL);
	if (sv_vhdx_regions_parse(b, SV_VHDX_TABLE_SIZE, r, &err) < 0) {
		must_say(&err);
		return;
	}
	require(r->bat < r->n && r->metadata < r->n && r->n <= SV_VHDX_ENTRIES_MAX);
	at = r->all[r->bat].at;
	sv_vhdx_regions_move(b, r->bat, 100 * SV_TIB, SV_MIB);
	require(sv_vhdx_regions_parse(b, SV_VHDX_TABLE_SIZE, r, &err) == 0 ||
		err.code == SV_CORRUPT);
	require(at >= SV_VHDX_UNIT);
}

static void parse_items(const uint8_t *bytes, size_t n)
{
	sv_autofree uint8_t *b = calloc(1, SV_VHDX_TABLE_SIZE);
	struct sv_err err = SV_ERR_INIT;
	struct sv_vhdx_items items;

	require(b != NULL);
	memcpy(b, bytes, SV_MIN(n, (size_t)SV_VHDX_TABLE_SIZE));
	if (sv_vhdx_items_parse(b, SV_VHDX_TABLE_SIZE, 2 * SV_MIB, &items, &err) < 0) {
		must_say(&err);
		return;
	}
	for (unsigned i = 0; i < SV_VHDX_ITEM_KINDS; i++)
		require(sv_in_range(items.known[i].at, items.known[i].length, 2 * SV_MIB));
}

/* Items, one behind the other; what fits together gives a table of a sane shape. */
static void parse_params(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vhdx_params p = {0};
	uint64_t last, entries;

	for (unsigned kind = 0; kind < SV_VHDX_ITEM_PARENT; kind++) {
		size_t len = SV_MIN(n, kind == SV_VHDX_ITEM_DISK_ID ? (size_t)16 : (size_t)8);

		if (sv_vhdx_item_parse(kind, bytes, len, &p, &err) < 0)
			must_say(&err);
		bytes += len;
		n -= len;
	}
	if (err.code != SV_OK || sv_vhdx_params_check(&p, &err) < 0) {
		must_say(&err);
		return;
	}
	last = sv_vhdx_blocks(&p, p.size) - 1;
	entries = sv_vhdx_entries(&p, p.size);
	require(entries > sv_vhdx_index(&p, last) && entries <= (UINT64_C(1) << 27));
	require(!p.has_parent || entries > sv_vhdx_bitmap_index(&p, last));
}

static void parse_locator(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vhdx_locator l, again;
	size_t n_printed;
	void *printed;

	if (sv_vhdx_locator_parse(bytes, n, &l, &err) < 0) {
		must_say(&err);
		return;
	}
	if (l.relative && strlen(l.relative) < 10000 && !sv_vhdx_guid_is_nil(&l.linkage)) {
		printed = sv_vhdx_locator_print(&l, &n_printed, &err);
		require(printed != NULL);
		require(sv_vhdx_locator_parse(printed, n_printed, &again, &err) == 0);
		require(sv_vhdx_guid_equal(&l.linkage, &again.linkage));
		require(!strcmp(l.relative, again.relative));
		sv_vhdx_locator_free(&again);
		free(printed);
	}
	sv_vhdx_locator_free(&l);
}

static void parse_log(const uint8_t *bytes, size_t n)
{
	struct sv_vhdx_header h = {.log_at = SV_MIB, .log_size = SV_MIB};
	struct sv_err err = SV_ERR_INIT;
	struct sv_vhdx_log_entry e;
	struct sv_vhdx_log_desc d;

	if (n >= 48)
		memcpy(&h.log, bytes + 32, sizeof h.log);
	if (sv_vhdx_log_entry_parse(bytes, n, &h, &e, &err) < 0) {
		must_say(&err);
		return;
	}
	require(e.length && e.length <= h.log_size && e.tail < h.log_size);
	require(sv_vhdx_log_head_pages(e.n_descriptors) * SV_VHDX_PAGE <= e.length);
	if (n < 64)
		return;
	if (sv_vhdx_log_desc_parse(bytes + 64, n - 64, e.sequence, &d, &err) < 0) {
		must_say(&err);
		return;
	}
	require(sv_in_range(d.at, d.length, SV_VHDX_FILE_MAX) && d.length);
}

static void parse_guid(const uint8_t *bytes, size_t n)
{
	char text[64] = {0}, printed[SV_VHDX_GUID_TEXT];
	struct sv_vhdx_guid g, again;

	memcpy(text, bytes, SV_MIN(n, sizeof text - 1));
	if (!sv_vhdx_guid_parse(text, &g))
		return;
	sv_vhdx_guid_text(&g, printed);
	require(sv_vhdx_guid_parse(printed, &again) && sv_vhdx_guid_equal(&g, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static void (*const parsers[])(const uint8_t *, size_t) = {parse_header, parse_regions,
		parse_items, parse_params, parse_locator, parse_log, parse_guid};

	if (n)
		parsers[bytes[0] % SV_ARRAY_LEN(parsers)](bytes + 1, n - 1);
	return 0;
}
