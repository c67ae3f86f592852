/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parsers of what logs hold: entries of the format that began with Windows 8.1 ("HvLE": pages
 * with hashes), and the bitmap of dirty sectors of the one before ("DIRT"). Both give patches:
 * ranges of the hive, and where in the log their bytes lie.
 */
#include "hive/regf.h"

#include "base/num.h"

#include <inttypes.h>
#include <string.h>

#define SEED UINT64_C(0xC5554E7A884DEF82)

struct disk_entry {
	char signature[4]; /* "HvLE" */
	sv_le32 size;      /* of all, a multiple of 512 */
	sv_le32 flags;
	sv_le32 sequence;
	sv_le32 bins_size;
	sv_le32 n_pages;
	sv_le64 hash1; /* of what follows these 40 bytes */
	sv_le64 hash2; /* of the 32 bytes before it */
};
static_assert(sizeof(struct disk_entry) == SV_REGF_ENTRY_HEAD, "log entry");

struct disk_page {
	sv_le32 offset, size; /* from the first bin */
};
static_assert(sizeof(struct disk_page) == 8, "reference to a page");

int sv_regf_parse_entry(
	const uint8_t bytes[SV_REGF_ENTRY_HEAD], struct sv_regf_entry *ret, struct sv_err *err)
{
	struct disk_entry raw;
	struct sv_regf_entry e;
	uint64_t hash = sv_marvin32(SEED, bytes, offsetof(struct disk_entry, hash2));

	memcpy(&raw, bytes, sizeof raw);
	e = (struct sv_regf_entry){
		.size = sv_get_le32(raw.size),
		.sequence = sv_get_le32(raw.sequence),
		.bins_size = sv_get_le32(raw.bins_size),
		.n_pages = sv_get_le32(raw.n_pages),
		.hash = sv_get_le64(raw.hash1),
	};
	if (memcmp(raw.signature, "HvLE", 4) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"a log entry begins with 0x%08" PRIx32 ", expected 'HvLE'",
			sv_load_be32(bytes));
	if (sv_get_le64(raw.hash2) != hash)
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct disk_entry, hash2),
			"a log entry's second hash is %016" PRIx64 ", expected %016" PRIx64,
			sv_get_le64(raw.hash2), hash);
	if (e.size % 512 || e.size < sizeof raw || e.size > SV_REGF_ENTRY_MAX ||
		e.n_pages > (e.size - sizeof raw) / (sizeof(struct disk_page) + 512))
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct disk_entry, size),
			"a log entry has %" PRIu32 " bytes and %" PRIu32
			" pages, expected a multiple of 512 up to %d that holds them",
			e.size, e.n_pages, SV_REGF_ENTRY_MAX);
	if (!e.bins_size || e.bins_size % 4096)
		return sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct disk_entry, bins_size),
			"a log entry tells %" PRIu32
			" bytes of hive bins, expected a multiple of 4096",
			e.bins_size);
	*ret = e;
	return 0;
}

void sv_regf_hash_begin(struct sv_marvin *m)
{
	sv_marvin_begin(m, SEED);
}

void sv_regf_patches_free(struct sv_regf_patches *p)
{
	free(p->v);
	*p = (struct sv_regf_patches){0};
}

static int add_patch(struct sv_regf_patches *p, struct sv_regf_patch patch, struct sv_err *err)
{
	struct sv_regf_patch *last = p->n ? &p->v[p->n - 1] : NULL;

	if (last && last->log == patch.log && last->at + last->n == patch.at &&
		last->log_at + last->n == patch.log_at && last->n < 1u << 30) {
		last->n += patch.n;
		return 0;
	}
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 64;
		void *v = p->n < SV_REGF_PATCHES_MAX ? realloc(p->v, cap * sizeof *p->v) : NULL;

		if (!v)
			return sv_fail_nomem(err);
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n++] = patch;
	return 0;
}

int sv_regf_parse_pages(const uint8_t *refs, const struct sv_regf_entry *e, uint8_t log,
	uint64_t data_at, uint64_t end, struct sv_regf_patches *patches, struct sv_err *err)
{
	for (uint32_t i = 0; i < e->n_pages; i++) {
		uint32_t offset = sv_load_le32(refs + 8 * (size_t)i);
		uint32_t size = sv_load_le32(refs + 8 * (size_t)i + 4);

		if (!size || offset % 512 || size % 512 ||
			!sv_in_range(offset, size, e->bins_size) || data_at > end ||
			size > end - data_at)
			return sv_fail_at(err, SV_CORRUPT, NULL, 8 * (uint64_t)i,
				"a log entry has a page of %" PRIu32 " bytes for 0x%" PRIx32
				", expected sectors within its %" PRIu32 " bytes of hive bins",
				size, offset, e->bins_size);
		if (add_patch(patches,
			    (struct sv_regf_patch){
				    SV_REGF_BINS_AT + (uint64_t)offset, data_at, size, log},
			    err) < 0)
			return -1;
		data_at += size;
	}
	return 0;
}

int sv_regf_parse_dirt(const uint8_t *bitmap, size_t n, uint8_t log, uint64_t data_at,
	uint64_t end, struct sv_regf_patches *patches, struct sv_err *err)
{
	for (uint64_t bit = 0; bit < 8 * (uint64_t)n; bit++) {
		if (!(bitmap[bit / 8] >> bit % 8 & 1))
			continue;
		if (data_at > end || end - data_at < 512)
			return sv_fail_at(err, SV_CORRUPT, NULL, data_at,
				"the log ends here, expected sector %" PRIu64 " of the hive",
				bit);
		if (add_patch(patches,
			    (struct sv_regf_patch){
				    SV_REGF_BINS_AT + 512 * bit, data_at, 512, log},
			    err) < 0)
			return -1;
		data_at += 512;
	}
	return 0;
}
