/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Chunks: which range of logical addresses lies on which devices, and how it is spread there.
 * Stripes of RAID 5 and 6 turn with each row, parity behind the data (btrfs(5), "PROFILES").
 * Chunks that overlap, or whose sums overflow, are refused: no address has two meanings.
 */
#include "fs/btrfs/btrfs.h"

#include "base/endian.h"
#include "base/num.h"

#include <string.h>

#define HEAD       48u
#define STRIPE     32u
#define CHUNKS_MAX (1u << 18) /* 256 TiB of chunks of 1 GiB: 20 MiB of memory */

void sv_btrfs_chunks_free(struct sv_btrfs_chunks *t)
{
	free(t->c);
	free(t->stripes);
	*t = (struct sv_btrfs_chunks){0};
}

/* ---- parsing ---- */

static unsigned parity_of(uint64_t type)
{
	return type & BTRFS_RAID5 ? 1 : type & BTRFS_RAID6 ? 2 : 0;
}

/* As many stripes as the profile needs. */
static bool fits_profile(const struct sv_btrfs_chunk *c)
{
	const uint64_t profiles = BTRFS_RAID0 | BTRFS_RAID1 | BTRFS_DUP | BTRFS_RAID10 |
				  BTRFS_RAID5 | BTRFS_RAID6 | BTRFS_RAID1C3 | BTRFS_RAID1C4;
	uint64_t profile = c->type & profiles;

	if (profile & (profile - 1)) /* more than one */
		return false;
	if (!profile)
		return c->stripes == 1;
	if (profile == BTRFS_RAID10)
		return c->sub >= 1 && c->stripes % c->sub == 0;
	return c->stripes > parity_of(profile);
}

static int parse(uint64_t start, const uint8_t *b, size_t n, struct sv_btrfs_chunk *ret,
	struct sv_err *err)
{
	uint64_t end;

	if (n < HEAD + STRIPE)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "a chunk of %zu bytes", n);
	*ret = (struct sv_btrfs_chunk){.start = start,
		.length = sv_load_le64(b),
		.stripe_len = sv_load_le64(b + 16),
		.type = sv_load_le64(b + 24),
		.stripes = sv_load_le16(b + 44),
		.sub = sv_load_le16(b + 46)};
	if (!ret->length || !sv_add(start, ret->length, &end) || end > INT64_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "a chunk of %llu bytes at %llu",
			(unsigned long long)ret->length, (unsigned long long)start);
	if (!sv_is_pow2(ret->stripe_len) || ret->stripe_len < 512 || ret->stripe_len > 1u << 30)
		return sv_fail_at(err, SV_CORRUPT, NULL, 16,
			"a chunk with stripes of %llu bytes",
			(unsigned long long)ret->stripe_len);
	if (!ret->stripes || n - HEAD < (size_t)ret->stripes * STRIPE || !fits_profile(ret))
		return sv_fail_at(err, SV_CORRUPT, NULL, 44,
			"a chunk of type %#llx with %u stripes in %zu bytes",
			(unsigned long long)ret->type, ret->stripes, n);
	return 0;
}

/* ---- the table ---- */

/* The number of chunks that begin at or before the address. */
static size_t count_upto(const struct sv_btrfs_chunks *t, uint64_t logical)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->c[mid].start <= logical)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct sv_btrfs_chunk *sv_btrfs_find_chunk(
	const struct sv_btrfs_chunks *t, uint64_t logical)
{
	size_t i = count_upto(t, logical);

	if (!i || logical - t->c[i - 1].start >= t->c[i - 1].length)
		return NULL;
	return &t->c[i - 1];
}

static int reserve(struct sv_btrfs_chunks *t, unsigned stripes, struct sv_err *err)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 16;
		void *grown = realloc(t->c, cap * sizeof *t->c);

		if (!grown)
			return sv_fail_nomem(err);
		t->c = grown;
		t->cap = cap;
	}
	if (t->cap_stripes - t->n_stripes < stripes) {
		size_t cap = 2 * t->cap_stripes + stripes + 32;
		void *grown = realloc(t->stripes, cap * sizeof *t->stripes);

		if (!grown)
			return sv_fail_nomem(err);
		t->stripes = grown;
		t->cap_stripes = cap;
	}
	return 0;
}

static void insert(
	struct sv_btrfs_chunks *t, size_t at, const uint8_t *b, struct sv_btrfs_chunk *c)
{
	c->first = t->n_stripes;
	for (unsigned i = 0; i < c->stripes; i++, b += STRIPE)
		t->stripes[t->n_stripes++] =
			(struct sv_btrfs_stripe){sv_load_le64(b), sv_load_le64(b + 8)};
	memmove(t->c + at + 1, t->c + at, (t->n - at) * sizeof *t->c);
	t->c[at] = *c;
	t->n++;
}

int sv_btrfs_add_chunk(struct sv_btrfs_chunks *t, uint64_t start, const uint8_t *b, size_t n,
	size_t *ret_size, struct sv_err *err)
{
	struct sv_btrfs_chunk c;
	size_t at;

	if (parse(start, b, n, &c, err) < 0)
		return -1;
	*ret_size = HEAD + (size_t)c.stripes * STRIPE;
	at = count_upto(t, start);
	if (at && t->c[at - 1].start == start && t->c[at - 1].length == c.length)
		return 0;
	if ((at && start - t->c[at - 1].start < t->c[at - 1].length) ||
		(at < t->n && t->c[at].start - start < c.length))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"the chunk at %llu overlaps another one", (unsigned long long)start);
	if (t->n >= CHUNKS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, NULL, "more than %u chunks", CHUNKS_MAX);
	if (reserve(t, c.stripes, err) < 0)
		return -1;
	insert(t, at, b + HEAD, &c);
	return 0;
}

/* ---- places ---- */

unsigned sv_btrfs_copies(const struct sv_btrfs_chunk *c)
{
	if (c->type & BTRFS_RAID10)
		return c->sub;
	if (c->type & (BTRFS_DUP | BTRFS_RAID1 | BTRFS_RAID1C3 | BTRFS_RAID1C4))
		return c->stripes;
	return 1;
}

void sv_btrfs_cost(const struct sv_btrfs_chunk *c, unsigned *ret_raw, unsigned *ret_net)
{
	*ret_raw = c->stripes;
	*ret_net = SV_MAX(1u, (c->stripes - parity_of(c->type)) / sv_btrfs_copies(c));
}

/* Which stripe holds the row's unit number `unit`, and in which row. */
static unsigned stripe_of(
	const struct sv_btrfs_chunk *c, uint64_t unit, unsigned copy, uint64_t *ret_row)
{
	unsigned parity = parity_of(c->type), wide = c->stripes;

	if (c->type & BTRFS_RAID10) {
		wide = c->stripes / c->sub;
		*ret_row = unit / wide;
		return (unsigned)(unit % wide) * c->sub + copy;
	}
	wide -= parity;
	*ret_row = unit / wide;
	if (!parity)
		return (unsigned)(unit % wide);
	return (unsigned)((unit % wide + *ret_row) % c->stripes);
}

void sv_btrfs_place(const struct sv_btrfs_chunks *t, const struct sv_btrfs_chunk *c,
	uint64_t logical, unsigned copy, struct sv_btrfs_piece *ret)
{
	const uint64_t spread = BTRFS_RAID0 | BTRFS_RAID10 | BTRFS_RAID5 | BTRFS_RAID6;
	const struct sv_btrfs_stripe *s = t->stripes + c->first;
	uint64_t in = logical - c->start, row = 0, left = c->length - in;

	if (c->type & spread) {
		s += stripe_of(c, in / c->stripe_len, copy, &row);
		in %= c->stripe_len;
		left = SV_MIN(left, c->stripe_len - in);
		in += row * c->stripe_len;
	} else {
		s += copy;
	}
	*ret = (struct sv_btrfs_piece){.devid = s->devid, .at = s->at + in, .len = left};
}

bool sv_btrfs_place_in_row(const struct sv_btrfs_chunks *t, const struct sv_btrfs_chunk *c,
	uint64_t logical, unsigned stripe, struct sv_btrfs_piece *ret)
{
	const struct sv_btrfs_stripe *s = t->stripes + c->first + stripe;
	uint64_t in = logical - c->start, row;
	unsigned parity = parity_of(c->type);

	(void)stripe_of(c, in / c->stripe_len, 0, &row);
	in %= c->stripe_len;
	*ret = (struct sv_btrfs_piece){
		s->devid, s->at + row * c->stripe_len + in, c->stripe_len - in};
	/* data, the parity, the second parity, from where the row begins on */
	return parity < 2 || stripe != (row + c->stripes - 1) % c->stripes;
}
