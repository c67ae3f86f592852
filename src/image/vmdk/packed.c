/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packed grains: each is a zlib stream (RFC 1950) behind its marker. Whole grains are unpacked
 * straight to where they are wanted; grains that are read in small parts are kept for a while.
 * Unpacking holds no lock, so that several threads do it at once.
 */
#include "image/vmdk/marker.h"
#include "image/vmdk/sparse.h"

#include "base/num.h"

#include <libdeflate.h>
#include <pthread.h>
#include <string.h>

#define KEPT_BYTES SV_MIB /* of one extent, or KEPT_MIN grains where those are more */
#define KEPT_MIN   2
#define KEPT_MAX   16

struct slot {
	uint64_t grain, used; /* used: when, by the clock; 0: the slot is empty */
	uint8_t *bytes;
};

struct sv_vmdk_kept {
	pthread_mutex_t lock;
	uint64_t clock;
	unsigned n;
	struct slot slots[KEPT_MAX];
};

/* ---- what is kept ---- */

struct sv_vmdk_kept *sv_vmdk_kept_new(uint64_t grain_bytes, struct sv_err *err)
{
	struct sv_vmdk_kept *k = calloc(1, sizeof *k);

	if (!k) {
		sv_fail_nomem(err);
		return NULL;
	}
	pthread_mutex_init(&k->lock, NULL);
	k->n = (unsigned)SV_MIN(KEPT_BYTES / grain_bytes, (uint64_t)KEPT_MAX);
	k->n = SV_MAX(k->n, (unsigned)KEPT_MIN);
	return k;
}

void sv_vmdk_kept_free(struct sv_vmdk_kept *k)
{
	if (!k)
		return;
	for (unsigned i = 0; i < k->n; i++)
		free(k->slots[i].bytes);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

/* Copies from a grain that is kept; false where it is not. */
static bool copy_kept(
	struct sv_vmdk_kept *k, uint64_t grain, size_t within, void *buf, size_t n)
{
	bool found = false;

	pthread_mutex_lock(&k->lock);
	for (unsigned i = 0; i < k->n && !found; i++) {
		struct slot *s = &k->slots[i];

		found = s->used && s->grain == grain;
		if (found) {
			memcpy(buf, s->bytes + within, n);
			s->used = ++k->clock;
		}
	}
	pthread_mutex_unlock(&k->lock);
	return found;
}

/* Keeps the grain in place of the one that was not used for the longest time, and takes over
 * its bytes. */
static void keep(struct sv_vmdk_kept *k, uint64_t grain, uint8_t *bytes)
{
	struct slot *oldest = &k->slots[0];

	pthread_mutex_lock(&k->lock);
	for (unsigned i = 1; i < k->n; i++) {
		if (k->slots[i].used < oldest->used)
			oldest = &k->slots[i];
	}
	free(oldest->bytes);
	*oldest = (struct slot){grain, ++k->clock, bytes};
	pthread_mutex_unlock(&k->lock);
}

/* ---- unpacking ---- */

/* The packed bytes in *ret, which is the caller's; they begin at *ret_at. */
static int read_packed(struct sv_vmdk_sparse *s, uint64_t grain, uint64_t at, uint64_t guess,
	uint8_t **ret, size_t *ret_at, size_t *ret_n, struct sv_err *err)
{
	uint64_t room = sv_dev_size(s->file) - at, most = sv_vmdk_packed_max(&s->h), n;
	sv_autofree uint8_t *buf = NULL;
	struct sv_vmdk_marker m;

	/* at least a marker's sector, at most what a grain can have */
	n = SV_MIN(SV_MAX(guess, SV_SECTOR), most + SV_VMDK_GRAIN_DATA);
	n = SV_MIN(n, room);
	buf = malloc((size_t)(most + SV_SECTOR));
	if (!buf)
		return sv_fail_nomem(err);
	if (sv_dev_read(s->file, buf, (size_t)n, at, err) < 0)
		return -1;
	m = (struct sv_vmdk_marker){.size = (uint32_t)SV_MIN(room, most)};
	if (s->h.flags & SV_VMDK_FLAG_MARKERS) {
		if (sv_vmdk_marker_parse(buf, at, &s->h, &m, err) < 0)
			return sv_err_path(err, sv_dev_name(s->file));
		if (m.kind != SV_VMDK_MARKER_GRAIN || m.value != grain * s->h.grain)
			return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file), at,
				"it is said to be grain %llu, but its marker says otherwise",
				(unsigned long long)grain);
		*ret_at = SV_VMDK_GRAIN_DATA;
	} else {
		*ret_at = 0;
	}
	if (*ret_at + m.size > room)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file), at,
			"grain %llu is packed into %u bytes, the file has %llu more",
			(unsigned long long)grain, m.size, (unsigned long long)room);
	if (*ret_at + m.size > n &&
		sv_dev_read(s->file, buf + n, (size_t)(*ret_at + m.size - n), at + n, err) < 0)
		return -1;
	*ret_n = m.size;
	*ret = SV_STEAL(buf);
	return 0;
}

/* What a grain must unpack to: the last may end with the extent. */
static uint64_t wanted_bytes(const struct sv_vmdk_sparse *s, uint64_t grain)
{
	return SV_MIN(s->grain_bytes, s->h.capacity * SV_SECTOR - grain * s->grain_bytes);
}

static int inflate(struct sv_vmdk_sparse *s, uint64_t grain, uint64_t at, const uint8_t *in,
	size_t n, uint8_t *out, struct sv_err *err)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	size_t used = 0, made = 0;
	enum libdeflate_result result;

	if (!d)
		return sv_fail_nomem(err);
	result = libdeflate_zlib_decompress_ex(
		d, in, n, out, (size_t)s->grain_bytes, &used, &made);
	libdeflate_free_decompressor(d);
	if (result != LIBDEFLATE_SUCCESS)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file), at,
			"grain %llu, packed into %zu bytes, is no zlib stream of at most %llu",
			(unsigned long long)grain, n, (unsigned long long)s->grain_bytes);
	if (made < wanted_bytes(s, grain))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file), at,
			"grain %llu unpacks to %zu bytes, not to %llu",
			(unsigned long long)grain, made,
			(unsigned long long)wanted_bytes(s, grain));
	memset(out + made, 0, (size_t)s->grain_bytes - made);
	return 0;
}

int sv_vmdk_unpack(struct sv_vmdk_sparse *s, uint64_t grain, uint32_t sector, uint64_t guess,
	uint8_t *ret, uint32_t *ret_n, struct sv_err *err)
{
	uint64_t at = sector * SV_SECTOR;
	sv_autofree uint8_t *packed = NULL;
	size_t begin = 0, n = 0;

	if (!sv_in_range(at, SV_SECTOR, sv_dev_size(s->file)))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(s->file), at,
			"grain %llu is said to be at sector %u, the file has %llu sectors",
			(unsigned long long)grain, sector,
			(unsigned long long)(sv_dev_size(s->file) / SV_SECTOR));
	if (read_packed(s, grain, at, guess, &packed, &begin, &n, err) < 0)
		return -1;
	*ret_n = (uint32_t)n;
	return ret ? inflate(s, grain, at, packed + begin, n, ret, err) : 0;
}

/* ---- reading ---- */

/* Unpacks a grain that the tables have. Mostly the next one begins where it ends, which saves
 * a second read. */
static int unpack_grain(
	struct sv_vmdk_sparse *s, uint64_t grain, uint8_t *out, struct sv_err *err)
{
	uint64_t table = grain / SV_VMDK_GTES, guess = s->grain_bytes;
	unsigned first = (unsigned)(grain % SV_VMDK_GTES);
	unsigned n = first + 1 < SV_VMDK_GTES ? 2 : 1;
	uint32_t entries[2] = {0}, size;

	if (sv_vmdk_directory_need(s->gd, table, err) < 0 ||
		sv_vmdk_tables_get(s->tables, s->tables_file, s->id, table,
			s->gd->entries[table] * SV_SECTOR, first, n, entries, err) < 0)
		return -1;
	if (entries[1] > entries[0])
		guess = (entries[1] - entries[0]) * SV_SECTOR;
	return sv_vmdk_unpack(s, grain, entries[0], guess, out, &size, err);
}

static int read_part(struct sv_vmdk_sparse *s, uint64_t grain, size_t within, void *buf,
	size_t n, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = NULL;

	if (copy_kept(s->kept, grain, within, buf, n))
		return 0;
	bytes = malloc((size_t)s->grain_bytes);
	if (!bytes)
		return sv_fail_nomem(err);
	if (unpack_grain(s, grain, bytes, err) < 0)
		return -1;
	memcpy(buf, bytes + within, n);
	keep(s->kept, grain, SV_STEAL(bytes));
	return 0;
}

int sv_vmdk_packed_read(
	struct sv_vmdk_sparse *s, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint8_t *out = buf;

	while (n) {
		uint64_t grain = off / s->grain_bytes;
		size_t within = (size_t)(off % s->grain_bytes);
		size_t run = (size_t)SV_MIN((uint64_t)n, s->grain_bytes - within);
		int rc = run == s->grain_bytes ? unpack_grain(s, grain, out, err)
					       : read_part(s, grain, within, out, run, err);

		if (rc < 0)
			return -1;
		out += run;
		off += run;
		n -= run;
	}
	return 0;
}
