/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The cross-check of NTFS's allocation: one sequential read of $MFT collects what each record
 * in use claims, one of $Bitmap compares. Records that extend another are records in use, so
 * that no attribute list has to be followed.
 */
#include "fs/ntfs/check.h"

#include "base/num.h"
#include "fs/ntfs/claims.h"
#include "fs/ntfs/raw_disk.h"

#include <string.h>

#define CHUNK (1U << 20) /* of $MFT or $Bitmap, per read */

static int hint(struct sv_err *err)
{
	return sv_hint(err, "start Windows, run: chkdsk C: /f  and then: shutdown /s /t 0");
}

/* ---- collecting ---- */

static int claim_attr(struct sv_ntfs_raw_vol *v, uint64_t number, const uint8_t *record,
	const struct sv_ntfs_raw_attr *a, struct sv_ntfs_claims *claims, struct sv_err *err)
{
	struct sv_ntfs_raw_run_reader r;
	struct sv_ntfs_raw_run run;
	int more;

	sv_ntfs_raw_runs_begin(
		&r, record + a->runs_offset, a->runs_length, a->lowest_vcn, v->geo.clusters);
	while ((more = sv_ntfs_raw_next_run(&r, &run, err)) == 1) {
		if (run.lcn == NTFS_HOLE)
			continue;
		if (sv_ntfs_claim(claims, run.lcn, run.length, number, err) < 0)
			return -1;
	}
	return more < 0 ? sv_err_shift(err, a->runs_offset) : 0;
}

/* Does $MFT's own bitmap say that the record is free? Then it may hold anything. */
static bool is_free_record(struct sv_ntfs_raw_vol *v, uint64_t number)
{
	SV_CLEANUP(sv_ntfs_raw_free_stream) struct sv_ntfs_raw_stream bitmap = {0};
	uint8_t byte;

	return sv_ntfs_raw_open_stream(v, NTFS_FILE_MFT, NTFS_ATTR_BITMAP, "", &bitmap, NULL) ==
		       1 &&
	       sv_ntfs_raw_read_stream(v, &bitmap, &byte, 1, number / 8, NULL) == 0 &&
	       !(byte >> number % 8 & 1);
}

static int claim_record(struct sv_ntfs_raw_vol *v, uint64_t number, uint8_t *record,
	struct sv_ntfs_claims *claims, struct sv_err *err)
{
	struct sv_ntfs_raw_attr a = {0};
	int more;

	if (memcmp(record, "\0\0\0\0", 4) == 0) /* never used */
		return 0;
	if (memcmp(record, "FILE", 4) == 0 &&
		!(sv_load_le16(record + offsetof(struct ntfs_record, flags)) &
			NTFS_RECORD_IN_USE))
		return 0;
	if (sv_ntfs_raw_unprotect(record, v->geo.record_size, "FILE", err) < 0 ||
		sv_ntfs_raw_check_record(record, v->geo.record_size, err) < 0) {
		if (!is_free_record(v, number))
			return -1;
		sv_err_copy(err, &(struct sv_err)SV_ERR_INIT);
		return 0;
	}
	while ((more = sv_ntfs_raw_next_attr(record, v->geo.record_size, &a, err)) == 1)
		if (a.mapped && claim_attr(v, number, record, &a, claims, err) < 0)
			return -1;
	return more;
}

static int fail_record(struct sv_ntfs_raw_vol *v, uint64_t number, struct sv_err *err)
{
	uint64_t off = number * v->geo.record_size, at, length;

	if (err && err->has_offset) { /* within the record */
		sv_err_context(err, "MFT record %llu", (unsigned long long)number);
		if (sv_ntfs_raw_map(v, &v->mft, off, 1, &at, &length, NULL) == 0)
			sv_err_shift(err, at);
	}
	sv_err_path(err, v->dev->name);
	return hint(err);
}

static int claim_all(struct sv_ntfs_raw_vol *v, uint8_t *chunk, struct sv_ntfs_claims *claims,
	struct sv_job *job, struct sv_err *err)
{
	uint64_t records = v->mft.initialized / v->geo.record_size;
	uint64_t per_chunk = CHUNK / v->geo.record_size;

	for (uint64_t first = 0; first < records; first += per_chunk) {
		uint64_t n = SV_MIN(per_chunk, records - first);

		if (sv_job_check(job, err) < 0)
			return -1;
		sv_job_progress(job, "checking the allocation", first, records);
		if (sv_ntfs_raw_read_stream(v, &v->mft, chunk, (size_t)n * v->geo.record_size,
			    first * v->geo.record_size, err) < 0)
			return -1;
		for (uint64_t i = 0; i < n; i++)
			if (claim_record(v, first + i, chunk + i * v->geo.record_size, claims,
				    err) < 0)
				return fail_record(v, first + i, err);
	}
	return 0;
}

/* ---- comparing ---- */

/* A window on $Bitmap that moves forward. */
struct bits {
	struct sv_ntfs_raw_vol *v;
	const struct sv_ntfs_raw_stream *bitmap;
	uint8_t *chunk;
	uint64_t start; /* of the window, in bytes */
	size_t size;    /* 0: none yet */
};

static int load_bits(struct bits *b, uint64_t byte, struct sv_err *err)
{
	if (b->size && byte >= b->start && byte - b->start < b->size)
		return 0;
	b->start = byte;
	b->size = (size_t)SV_MIN(CHUNK, b->bitmap->size > byte ? b->bitmap->size - byte : 0);
	if (!b->size)
		return sv_fail(err, SV_CORRUPT, b->v->dev->name,
			"$Bitmap has %llu bytes, %llu clusters need more",
			(unsigned long long)b->bitmap->size,
			(unsigned long long)b->v->geo.clusters);
	return sv_ntfs_raw_read_stream(b->v, b->bitmap, b->chunk, b->size, byte, err);
}

/* How many bytes from p on have the value, word by word while that goes. */
static size_t same_bytes(const uint8_t *p, size_t n, uint8_t value)
{
	uint64_t word, want = value ? UINT64_MAX : 0;
	size_t i = 0;

	for (; i + sizeof word <= n; i += sizeof word) {
		memcpy(&word, p + i, sizeof word);
		if (word != want)
			break;
	}
	while (i < n && p[i] == value)
		i++;
	return i;
}

/* The first cluster of [from, to) that is not marked so; `to` where there is none. */
static int first_unlike(struct bits *b, uint64_t from, uint64_t to, bool used, uint64_t *ret,
	struct sv_err *err)
{
	uint8_t want = used ? 0xFF : 0;

	while (from < to) {
		const uint8_t *p;

		if (load_bits(b, from / 8, err) < 0)
			return -1;
		p = b->chunk + (from / 8 - b->start);
		if (from % 8 == 0 && *p == want) {
			from += 8 * same_bytes(p, b->size - (size_t)(p - b->chunk), want);
			continue;
		}
		if ((*p >> from % 8 & 1) != used)
			break;
		from++;
	}
	*ret = SV_MIN(from, to);
	return 0;
}

/* NTFS 1.2 keeps its backup boot sector in the middle, marked used and claimed by nobody. */
static bool is_middle_backup(struct sv_ntfs_raw_vol *v, uint64_t cluster)
{
	uint8_t first[512], sector[512];
	uint64_t at = v->geo.sectors / 2 * v->geo.sector_size;

	return cluster == v->geo.clusters / 2 &&
	       sv_dev_read(v->dev, first, sizeof first, 0, NULL) == 0 &&
	       sv_dev_read(v->dev, sector, sizeof sector, at, NULL) == 0 &&
	       memcmp(first, sector, sizeof first) == 0;
}

static int expect_free(struct bits *b, uint64_t from, uint64_t to, struct sv_err *err)
{
	uint64_t cluster;

	if (first_unlike(b, from, to, false, &cluster, err) < 0)
		return -1;
	if (cluster == to)
		return 0;
	if (is_middle_backup(b->v, cluster))
		return expect_free(b, cluster + 1, to, err); /* one step: there is one middle */
	sv_fail_at(err, SV_CORRUPT, b->v->dev->name, cluster * b->v->geo.cluster_size,
		"cluster %llu is marked used in $Bitmap, but no MFT record uses it",
		(unsigned long long)cluster);
	return hint(err);
}

static int expect_used(struct bits *b, const struct sv_ntfs_claim *c, struct sv_err *err)
{
	uint64_t cluster, to = (uint64_t)c->lcn + c->length;

	if (first_unlike(b, c->lcn, to, true, &cluster, err) < 0)
		return -1;
	if (cluster == to)
		return 0;
	sv_fail_at(err, SV_CORRUPT, b->v->dev->name, cluster * b->v->geo.cluster_size,
		"cluster %llu is marked free in $Bitmap, but MFT record %u uses it",
		(unsigned long long)cluster, c->record);
	return hint(err);
}

static int compare(struct bits *b, const struct sv_ntfs_claims *claims, struct sv_err *err)
{
	uint64_t at = claims->low;

	for (size_t i = 0; i < claims->count; i++) {
		const struct sv_ntfs_claim *c = &claims->list[i];

		if (expect_free(b, at, c->lcn, err) < 0 || expect_used(b, c, err) < 0)
			return -1;
		at = (uint64_t)c->lcn + c->length;
	}
	return expect_free(b, at, claims->high, err);
}

int sv_ntfs_cross_check(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *bitmap,
	size_t claims_max, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_claims_free) struct sv_ntfs_claims claims = {0};
	sv_autofree uint8_t *chunk = malloc(CHUNK);
	struct bits bits = {.v = v, .bitmap = bitmap, .chunk = chunk};

	if (!chunk)
		return sv_fail_nomem(err);
	if (sv_ntfs_claims_new(claims_max, &claims, err) < 0)
		return -1;
	for (uint64_t low = 0; low < v->geo.clusters; low = claims.high) {
		sv_ntfs_claims_begin(&claims, low, v->geo.clusters);
		if (claim_all(v, chunk, &claims, job, err) < 0)
			return -1;
		if (sv_ntfs_claims_sort(&claims, err) < 0) {
			sv_err_path(err, v->dev->name);
			return hint(err);
		}
		bits.size = 0; /* the chunk held records */
		if (compare(&bits, &claims, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- counting ---- */

static uint64_t count_ones(const uint8_t *p, size_t bits)
{
	uint64_t n = 0, word;
	size_t i = 0;

	for (; i + sizeof word <= bits / 8; i += sizeof word) {
		memcpy(&word, p + i, sizeof word);
		n += (uint64_t)__builtin_popcountll(word);
	}
	for (i *= 8; i < bits; i++)
		n += p[i / 8] >> i % 8 & 1;
	return n;
}

int sv_ntfs_count_used(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *bitmap,
	uint64_t *ret, struct sv_job *job, struct sv_err *err)
{
	sv_autofree uint8_t *chunk = malloc(CHUNK);
	uint64_t used = 0, bytes = sv_div_up(v->geo.clusters, 8);

	if (!chunk)
		return sv_fail_nomem(err);
	for (uint64_t at = 0; at < bytes; at += CHUNK) {
		size_t n = (size_t)SV_MIN(CHUNK, bytes - at);
		uint64_t bits = SV_MIN(8 * (uint64_t)n, v->geo.clusters - 8 * at);

		if (sv_job_check(job, err) < 0 ||
			sv_ntfs_raw_read_stream(v, bitmap, chunk, n, at, err) < 0)
			return -1;
		used += count_ones(chunk, (size_t)bits);
	}
	*ret = used;
	return 0;
}
