/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Classic LVM2 snapshots: the origin, but for the chunks whose old content was copied to the
 * store before the origin changed (and those that were written to the snapshot itself). The
 * store's format is that of Linux' dm-snap-persistent: a header in chunk 0, then areas of one
 * chunk of (old, new) pairs, each followed by the data chunks that it lists; a pair with new 0
 * ends the list.
 */
#include "volume/lvm2/vg.h"

#include "base/endian.h"
#include "base/num.h"

#include <assert.h>
#include <string.h>

#define MAGIC     0x70416e53u /* "SnAp" */
#define PAIRS_MAX (1u << 22)  /* 64 MiB of memory; 16 GiB changed in chunks of 4 KiB */

struct header {
	sv_le32 magic, valid, version, chunk; /* chunk in sectors */
};

struct pair {
	sv_le64 old, new;
};
static_assert(sizeof(struct pair) == 16, "an exception");

struct change {
	uint64_t old, new; /* chunks */
};

struct snapshot {
	struct sv_dev dev;
	struct sv_dev *origin, *store;
	uint64_t chunk;         /* bytes */
	struct change *changes; /* by old */
	size_t n;
};

static struct snapshot *snapshot_of(struct sv_dev *d)
{
	return (struct snapshot *)d;
}

/* The first change at or behind a chunk; n where there is none. */
static size_t find_change(const struct snapshot *s, uint64_t chunk)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->changes[mid].old < chunk)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Where the byte at off lies, and how many of n bytes lie there too. */
static struct sv_dev *place(
	const struct snapshot *s, uint64_t off, uint64_t *n, uint64_t *ret_at)
{
	uint64_t chunk = off / s->chunk, in = off % s->chunk;
	size_t i = find_change(s, chunk);

	if (i < s->n && s->changes[i].old == chunk) {
		*n = SV_MIN(*n, s->chunk - in);
		*ret_at = s->changes[i].new * s->chunk + in;
		return s->store;
	}
	if (i < s->n)
		*n = SV_MIN(*n, s->changes[i].old * s->chunk - off);
	*ret_at = off;
	return s->origin;
}

static int snapshot_pread(
	struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	for (uint8_t *p = buf; n;) {
		uint64_t now = n, at;
		struct sv_dev *from = place(snapshot_of(d), off, &now, &at);

		if (sv_dev_read(from, p, (size_t)now, at, err) < 0)
			return -1;
		p += now;
		off += now;
		n -= (size_t)now;
	}
	return 0;
}

static int snapshot_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	uint64_t at;
	struct sv_dev *from = place(snapshot_of(d), off, &max, &at);

	if (sv_dev_extent(from, at, max, ret, err) < 0)
		return -1;
	ret->start = off;
	return 0;
}

static void snapshot_close(struct sv_dev *d)
{
	struct snapshot *s = snapshot_of(d);

	sv_dev_close(s->origin);
	sv_dev_close(s->store);
	free(s->changes);
	free(s);
}

static const struct sv_dev_ops snapshot_ops = {
	.kind = "snapshot",
	.pread = snapshot_pread,
	.extent = snapshot_extent,
	.close = snapshot_close,
};

/* ---- reading the store ---- */

static int read_header(struct snapshot *s, const char *name, struct sv_err *err)
{
	struct header h;
	uint32_t chunk;

	if (sv_dev_read(s->store, &h, sizeof h, 0, err) < 0)
		return -1;
	if (sv_get_le32(h.magic) != MAGIC || sv_get_le32(h.version) != 1)
		return sv_fail_at(err, SV_CORRUPT, name, 0,
			"the snapshot's store begins with %#x, version %u; expected %#x, 1",
			sv_get_le32(h.magic), sv_get_le32(h.version), MAGIC);
	if (!sv_get_le32(h.valid))
		return sv_fail(err, SV_UNSUPPORTED, name,
			"the snapshot's store was full: it is not valid any more");
	chunk = sv_get_le32(h.chunk);
	if (!sv_is_pow2(chunk) || chunk > SV_GIB / SV_SECTOR)
		return sv_fail_at(err, SV_CORRUPT, name, 12,
			"the snapshot has chunks of %u sectors, expected a power of two",
			chunk);
	s->chunk = chunk * SV_SECTOR;
	return 0;
}

static int add_change(struct snapshot *s, uint64_t old, uint64_t new, uint64_t at,
	const char *name, struct sv_err *err)
{
	struct change *grown;

	if (new >= sv_dev_size(s->store) / s->chunk || old > INT64_MAX / s->chunk)
		return sv_fail_at(err, SV_CORRUPT, name, at,
			"the snapshot keeps chunk %llu in chunk %llu of its store, which has "
			"%llu",
			(unsigned long long)old, (unsigned long long)new,
			(unsigned long long)(sv_dev_size(s->store) / s->chunk));
	if (s->n == PAIRS_MAX)
		return sv_fail(err, SV_NOMEM, name, "more than %u chunks differ", PAIRS_MAX);
	if (sv_is_pow2(s->n) || !s->n) {
		grown = realloc(s->changes, SV_MAX(2 * s->n, (size_t)64) * sizeof *grown);
		if (!grown)
			return sv_fail_nomem(err);
		s->changes = grown;
	}
	s->changes[s->n++] = (struct change){old, new};
	return 0;
}

/* One area; *ret_last when it ends the list. */
static int read_area(struct snapshot *s, uint64_t at, uint8_t *buf, const char *name,
	bool *ret_last, struct sv_err *err)
{
	if (sv_dev_read(s->store, buf, (size_t)s->chunk, at, err) < 0)
		return -1;
	for (size_t i = 0; i < s->chunk / sizeof(struct pair); i++) {
		struct pair p;

		memcpy(&p, buf + i * sizeof p, sizeof p);
		*ret_last = !sv_get_le64(p.new);
		if (*ret_last)
			return 0;
		if (add_change(s, sv_get_le64(p.old), sv_get_le64(p.new), at + i * sizeof p,
			    name, err) < 0)
			return -1;
	}
	return 0;
}

static int by_old(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	return x->old < y->old ? -1 : x->old > y->old;
}

static int read_store(struct snapshot *s, const char *name, struct sv_err *err)
{
	uint64_t step = s->chunk * (s->chunk / sizeof(struct pair) + 1);
	sv_autofree uint8_t *buf = NULL;
	bool last = false;

	if (s->chunk > 16 * SV_MIB)
		return sv_fail(err, SV_UNSUPPORTED, name,
			"the snapshot has chunks of %llu bytes", (unsigned long long)s->chunk);
	buf = malloc((size_t)s->chunk);
	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t at = s->chunk; !last; at += step) {
		if (!sv_in_range(at, s->chunk, sv_dev_size(s->store)))
			break; /* the last area filled the store exactly */
		if (read_area(s, at, buf, name, &last, err) < 0)
			return -1;
	}
	if (s->n)
		qsort(s->changes, s->n, sizeof *s->changes, by_old);
	return 0;
}

struct sv_dev *sv_lvm2_snapshot_open(struct sv_dev *origin, struct sv_dev *store, uint64_t size,
	const char *name, struct sv_err *err)
{
	struct snapshot *s = calloc(1, sizeof *s);

	if (!s) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&s->dev, &snapshot_ops, name, size, false, err) < 0) {
		free(s);
		return NULL;
	}
	s->origin = sv_dev_ref(origin);
	s->store = sv_dev_ref(store);
	if (read_header(s, name, err) < 0 || read_store(s, name, err) < 0) {
		sv_dev_close(&s->dev);
		return NULL;
	}
	return &s->dev;
}
