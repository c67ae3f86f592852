/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * RAID with parity (4, 5, 6) and with copies spread over the parts (10), and RAID 0 of parts
 * of different lengths. Where a chunk lies follows md's layouts; P is the exclusive or of a
 * row, Q the sum of g^i times chunk i over GF(2^8) with the polynomial 0x11d, as H. Peter
 * Anvin's "The mathematics of RAID-6" states it.
 *
 * A read touches one chunk at a time: from its part, or, where that is missing, from the rest
 * of its row.
 */
#include "volume/raid.h"

#include "base/num.h"
#include "volume/raid_gf.h"

#include <string.h>

struct zone { /* RAID 0: from `start` on, the `n` parts that are long enough take turns */
	uint64_t start, end; /* of the whole */
	uint64_t on_part;    /* where it begins on each part */
	size_t n, *parts;
};

struct raid {
	struct sv_dev dev;
	struct sv_raid g;
	struct sv_dev **parts;
	struct zone *zones;
	size_t n_zones;
};

/* Where the chunks of one row lie. */
struct row {
	uint64_t at; /* byte offset of the row on each part */
	size_t p, q; /* parts; SIZE_MAX for none */
	size_t d;    /* the data chunk that was asked for */
	bool ddf;    /* Q counts every part, from the first on */
};

static struct raid *raid_of(struct sv_dev *d)
{
	return (struct raid *)d;
}

/* ---- places: level 4, 5, 6 ---- */

static size_t parities(const struct sv_raid *g)
{
	return g->level == 6 ? 2 : 1;
}

/* Level 5 over n parts: p, and the part of data chunk i. False: no such layout. */
static bool place5(unsigned layout, size_t n, uint64_t stripe, size_t i, struct row *r)
{
	size_t turn = (size_t)(stripe % n), last = n - 1;

	switch (layout) {
	case SV_RAID_LEFT_ASYMMETRIC:
	case SV_RAID_RIGHT_ASYMMETRIC:
		r->p = layout == SV_RAID_LEFT_ASYMMETRIC ? last - turn : turn;
		r->d = i + (i >= r->p);
		return true;
	case SV_RAID_LEFT_SYMMETRIC:
	case SV_RAID_RIGHT_SYMMETRIC:
		r->p = layout == SV_RAID_LEFT_SYMMETRIC ? last - turn : turn;
		r->d = (r->p + 1 + i) % n;
		return true;
	case SV_RAID_PARITY_FIRST:
		r->p = 0;
		r->d = i + 1;
		return true;
	case SV_RAID_PARITY_LAST:
		r->p = last;
		r->d = i;
		return true;
	default:
		return false;
	}
}

/* Q right behind P, data around both in the order of the parts. */
static void place6_asymmetric(size_t n, size_t p, size_t i, struct row *r)
{
	r->p = p;
	r->q = (p + 1) % n;
	r->d = p == n - 1 ? i + 1 : i + (i >= p ? 2 : 0);
}

/* Q right behind P, data behind Q, around the end. */
static void place6_symmetric(size_t n, size_t p, size_t i, struct row *r)
{
	r->p = p;
	r->q = (p + 1) % n;
	r->d = (p + 2 + i) % n;
}

static bool place6_ddf(unsigned layout, size_t n, uint64_t stripe, size_t i, struct row *r)
{
	size_t last = n - 1;

	r->ddf = true;
	switch (layout) {
	case SV_RAID_ZERO_RESTART:
		place6_asymmetric(n, (size_t)(stripe % n), i, r);
		return true;
	case SV_RAID_N_RESTART:
		place6_asymmetric(n, last - (size_t)((stripe + 1) % n), i, r);
		return true;
	case SV_RAID_N_CONTINUE:
		r->p = last - (size_t)(stripe % n);
		r->q = (r->p + last) % n;
		r->d = (r->p + 1 + i) % n;
		return true;
	default:
		return false;
	}
}

static bool place6(unsigned layout, size_t n, uint64_t stripe, size_t i, struct row *r)
{
	size_t turn = (size_t)(stripe % n), last = n - 1;

	switch (layout) {
	case SV_RAID_LEFT_ASYMMETRIC:
		place6_asymmetric(n, last - turn, i, r);
		return true;
	case SV_RAID_RIGHT_ASYMMETRIC:
		place6_asymmetric(n, turn, i, r);
		return true;
	case SV_RAID_LEFT_SYMMETRIC:
		place6_symmetric(n, last - turn, i, r);
		return true;
	case SV_RAID_RIGHT_SYMMETRIC:
		place6_symmetric(n, turn, i, r);
		return true;
	case SV_RAID_PARITY_FIRST:
		place6_symmetric(n, 0, i, r);
		return true;
	case SV_RAID_PARITY_LAST:
		r->p = n - 2;
		r->q = last;
		r->d = i;
		return true;
	default:
		break;
	}
	if (layout >= SV_RAID_LEFT_ASYMMETRIC_6 && layout <= SV_RAID_PARITY_FIRST_6) {
		r->q = last;
		return place5(layout - SV_RAID_LEFT_ASYMMETRIC_6, n - 1, stripe, i, r);
	}
	return place6_ddf(layout, n, stripe, i, r);
}

static bool place(const struct sv_raid *g, uint64_t chunk, struct row *r)
{
	size_t data = g->n - parities(g), i = (size_t)(chunk % data);
	uint64_t stripe = chunk / data;

	*r = (struct row){.at = stripe * g->chunk, .p = SIZE_MAX, .q = SIZE_MAX};
	switch (g->level) {
	case 4:
		return place5(SV_RAID_PARITY_LAST, g->n, stripe, i, r);
	case 5:
		return place5(g->layout, g->n, stripe, i, r);
	default:
		return place6(g->layout, g->n, stripe, i, r);
	}
}

/* ---- what is missing in a row ---- */

/* Parts in the order in which Q counts them: g^0 for the first. *ret_slot of P and Q is not
 * set. Returns the part that is number `nth` in that order. */
static size_t counted(const struct sv_raid *g, const struct row *r, size_t nth)
{
	size_t first = r->ddf || r->q == g->n - 1 ? 0 : r->q + 1;

	return (first + nth) % g->n;
}

struct sums {
	uint8_t *p, *q;         /* of the data chunks that are there */
	uint8_t *bytes;         /* one chunk as it is read */
	size_t lost[2], n_lost; /* data chunks: their powers of g */
	unsigned wanted;        /* the power of the one that was asked for */
};

/* Adds up what is there of the data; notes what is not. */
static int sum_data(struct raid *v, const struct row *r, uint64_t at, size_t n, struct sums *s,
	struct sv_err *err)
{
	size_t power = 0;

	for (size_t nth = 0; nth < v->g.n; nth++) {
		size_t part = r->q == SIZE_MAX ? nth : counted(&v->g, r, nth);
		bool parity = part == r->p || part == r->q;
		size_t mine = power;

		power += r->ddf || !parity;
		if (parity)
			continue;
		if (part == r->d)
			s->wanted = (unsigned)mine;
		if (!v->parts[part]) {
			if (s->n_lost < 2)
				s->lost[s->n_lost] = mine;
			s->n_lost++;
			continue;
		}
		if (sv_dev_read(v->parts[part], s->bytes, n, at, err) < 0)
			return -1;
		sv_gf_add(s->p, s->bytes, n);
		sv_gf_add_times(s->q, s->bytes, sv_gf_power((unsigned)mine), n);
	}
	return 0;
}

/* Adds a parity chunk to a sum; false in *ret_there where its part is missing. */
static int add_parity(struct raid *v, size_t part, uint8_t *sum, uint8_t *bytes, uint64_t at,
	size_t n, bool *ret_there, struct sv_err *err)
{
	*ret_there = part != SIZE_MAX && v->parts[part];
	if (!*ret_there)
		return 0;
	if (sv_dev_read(v->parts[part], bytes, n, at, err) < 0)
		return -1;
	sv_gf_add(sum, bytes, n);
	return 0;
}

/* With P and Q added, p and q hold the sums of what is lost. */
static int solve(struct raid *v, const struct row *r, uint64_t at, size_t n, struct sums *s,
	uint8_t *out, struct sv_err *err)
{
	bool has_p, has_q;

	if (sum_data(v, r, at, n, s, err) < 0 ||
		add_parity(v, r->p, s->p, s->bytes, at, n, &has_p, err) < 0 ||
		add_parity(v, r->q, s->q, s->bytes, at, n, &has_q, err) < 0)
		return -1;
	if (s->n_lost == 1 && has_p) {
		memcpy(out, s->p, n);
		return 0;
	}
	if (s->n_lost == 1 && has_q) {
		sv_gf_divide(s->q, sv_gf_power(s->wanted), n);
		memcpy(out, s->q, n);
		return 0;
	}
	if (s->n_lost == 2 && has_p && has_q) {
		unsigned other = (unsigned)(s->lost[0] == s->wanted ? s->lost[1] : s->lost[0]);

		sv_gf_solve_two(s->p, s->q, s->wanted, other, out, n);
		return 0;
	}
	return sv_fail_at(err, SV_NOTFOUND, sv_dev_name(&v->dev), at,
		"too many of its parts are missing to compute this stripe");
}

static int rebuild(struct raid *v, const struct row *r, void *buf, size_t n, uint64_t at,
	struct sv_err *err)
{
	sv_autofree uint8_t *room = calloc(3, n);
	struct sums s = {.p = room, .q = room + n, .bytes = room + 2 * n};

	if (!room)
		return sv_fail_nomem(err);
	return solve(v, r, at, n, &s, buf, err);
}

/* n bytes within one chunk. */
static int read_parity(struct raid *v, uint8_t *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint64_t in = off % v->g.chunk;
	struct row r;

	if (!place(&v->g, off / v->g.chunk, &r))
		return sv_fail(err, SV_INTERNAL, sv_dev_name(&v->dev), "no such layout");
	if (v->parts[r.d])
		return sv_dev_read(v->parts[r.d], buf, n, r.at + in, err);
	return rebuild(v, &r, buf, n, r.at + in, err);
}

/* ---- level 10 ---- */

static unsigned near_copies(const struct sv_raid *g)
{
	return g->layout & 0xff;
}

static unsigned far_copies(const struct sv_raid *g)
{
	return g->layout >> 8 & 0xff;
}

static bool offset_copies(const struct sv_raid *g)
{
	return g->layout >> 16 & 1;
}

/* Chunks of the whole. */
static uint64_t copies_chunks(const struct sv_raid *g)
{
	return g->part_size / g->chunk / far_copies(g) * g->n / near_copies(g);
}

/* Bytes from one far copy to the next on a part. */
static uint64_t far_stride(const struct sv_raid *g)
{
	uint64_t copies = (uint64_t)near_copies(g) * far_copies(g);

	if (offset_copies(g))
		return g->chunk;
	return sv_div_up(copies_chunks(g) * copies, g->n) / far_copies(g) * g->chunk;
}

static int read_copies(struct raid *v, uint8_t *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const struct sv_raid *g = &v->g;
	uint64_t first = off / g->chunk * near_copies(g), row = first / g->n;
	struct sv_err why = SV_ERR_INIT;

	sv_fail_at(&why, SV_NOTFOUND, sv_dev_name(&v->dev), off,
		"every part that holds a copy of this stripe is missing");
	for (unsigned k = 0; k < near_copies(g) * far_copies(g); k++) {
		uint64_t chunk = first + k % near_copies(g);
		unsigned far = k / near_copies(g);
		size_t part = (size_t)((chunk + (uint64_t)far * near_copies(g)) % g->n);
		/* a near copy behind the last part is in the next row */
		uint64_t at =
			(row * (offset_copies(g) ? far_copies(g) : 1) + (chunk / g->n - row)) *
				g->chunk +
			far * far_stride(g) + off % g->chunk;

		if (v->parts[part] && sv_dev_read(v->parts[part], buf, n, at, &why) == 0)
			return 0;
	}
	sv_err_copy(err, &why);
	return -1;
}

/* ---- level 0 of unequal parts ---- */

static int read_zone(struct raid *v, uint8_t *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const struct zone *z = v->zones;
	uint64_t chunk, turn;

	while (off >= z->end)
		z++;
	chunk = (off - z->start) / v->g.chunk;
	turn = v->g.layout == 1 ? off / v->g.chunk : chunk;
	return sv_dev_read(v->parts[z->parts[turn % z->n]], buf, n,
		z->on_part + chunk / z->n * v->g.chunk + off % v->g.chunk, err);
}

/* ---- the device ---- */

static int raid_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct raid *v = raid_of(d);

	for (uint8_t *p = buf; n;) {
		size_t now = (size_t)SV_MIN((uint64_t)n, v->g.chunk - off % v->g.chunk);
		int r = v->g.level == 0    ? read_zone(v, p, now, off, err)
			: v->g.level == 10 ? read_copies(v, p, now, off, err)
					   : read_parity(v, p, now, off, err);

		if (r < 0)
			return -1;
		p += now;
		off += now;
		n -= now;
	}
	return 0;
}

static void raid_close(struct sv_dev *d)
{
	struct raid *v = raid_of(d);

	for (size_t i = 0; v->parts && i < v->g.n; i++)
		sv_dev_close(v->parts[i]);
	for (size_t i = 0; i < v->n_zones; i++)
		free(v->zones[i].parts);
	free(v->zones);
	free(v->parts);
	free(v);
}

static const struct sv_dev_ops raid_ops = {
	.kind = "raid",
	.pread = raid_pread,
	.close = raid_close,
};

/* ---- sizes and checks ---- */

static uint64_t whole_chunks(const struct sv_raid *r, size_t part)
{
	return r->parts[part] ? sv_dev_size(r->parts[part]) / r->chunk * r->chunk : 0;
}

static uint64_t copies_size(const struct sv_raid *r)
{
	return near_copies(r) && far_copies(r) ? copies_chunks(r) * r->chunk : 0;
}

uint64_t sv_raid_size(const struct sv_raid *r)
{
	uint64_t size = 0;

	if (!r->chunk || !r->n || r->part_size / r->chunk > INT64_MAX / r->chunk / r->n)
		return 0;
	if (r->level == 10)
		return copies_size(r);
	if (r->level)
		return r->n > parities(r)
			       ? r->part_size / r->chunk * r->chunk * (r->n - parities(r))
			       : 0;
	for (size_t i = 0; i < r->n; i++)
		size += whole_chunks(r, i);
	return size;
}

static int check_geometry(
	const struct sv_raid *r, uint64_t size, const char *name, struct sv_err *err)
{
	size_t least = r->level == 6 ? 3 : r->level == 0 ? 1 : 2;

	if (r->level != 0 && r->level != 10 && (r->level < 4 || r->level > 6))
		return sv_fail(
			err, SV_UNSUPPORTED, name, "RAID level %u is not known here", r->level);
	if (r->n < least || r->n > SV_RAID_PARTS_MAX)
		return sv_fail(err, SV_CORRUPT, name,
			"a RAID %u of %zu parts: expected %zu to %d", r->level, r->n, least,
			SV_RAID_PARTS_MAX);
	if (!r->chunk || r->chunk % 512 || r->chunk > SV_GIB)
		return sv_fail(err, SV_CORRUPT, name,
			"its chunks have %llu bytes, expected a multiple of 512 up to 1 GiB",
			(unsigned long long)r->chunk);
	if (r->level == 10 && (near_copies(r) > r->n || far_copies(r) > r->n))
		return sv_fail(err, SV_CORRUPT, name, "%u near and %u far copies on %zu parts",
			near_copies(r), far_copies(r), r->n);
	if (!size || size > sv_raid_size(r))
		return sv_fail(err, SV_CORRUPT, name,
			"it should have %llu bytes, its parts hold %llu",
			(unsigned long long)size, (unsigned long long)sv_raid_size(r));
	return 0;
}

static int check_layout(const struct sv_raid *r, const char *name, struct sv_err *err)
{
	struct row row;
	bool known = r->level == 0    ? r->layout == 1 || r->layout == 2
		     : r->level == 10 ? !(r->layout >> 17)
				      : place(r, 0, &row);

	if (known)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, name, "layout %u of RAID %u is not known", r->layout,
		r->level);
	return r->level ? -1
			: sv_hint(err, "its parts have different lengths, and nothing tells "
				       "how they were used (mdadm --layout-alternate)");
}

static int check_parts(const struct sv_raid *r, const char *name, struct sv_err *err)
{
	size_t missing = 0, bears = r->level == 0 ? 0 : r->level == 10 ? r->n : parities(r);

	for (size_t i = 0; i < r->n; i++) {
		missing += !r->parts[i];
		if (!r->parts[i] || !r->level || sv_dev_size(r->parts[i]) >= r->part_size)
			continue;
		return sv_fail(err, SV_CORRUPT, name,
			"part %zu has %llu bytes, the others use %llu", i,
			(unsigned long long)sv_dev_size(r->parts[i]),
			(unsigned long long)r->part_size);
	}
	if (missing <= bears && missing < r->n)
		return 0;
	return sv_fail(err, SV_NOTFOUND, name,
		"%zu of its %zu parts are missing, RAID %u bears %zu", missing, r->n, r->level,
		SV_MIN(bears, r->n - 1));
}

/* ---- zones of RAID 0 ---- */

static int add_zone(struct raid *v, uint64_t from, uint64_t *ret_upto, struct sv_err *err)
{
	struct zone *z = &v->zones[v->n_zones];
	uint64_t upto = UINT64_MAX;

	z->parts = calloc(v->g.n, sizeof *z->parts);
	if (!z->parts)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < v->g.n; i++) {
		uint64_t size = sv_dev_size(v->parts[i]) / v->g.chunk * v->g.chunk;

		if (size <= from)
			continue;
		z->parts[z->n++] = i;
		upto = SV_MIN(upto, size);
	}
	z->start = v->n_zones ? z[-1].end : 0;
	z->on_part = from;
	z->end = z->start + z->n * (z->n ? upto - from : 0);
	v->n_zones++;
	*ret_upto = upto;
	return 0;
}

static int make_zones(struct raid *v, struct sv_err *err)
{
	uint64_t from = 0;

	v->zones = calloc(v->g.n + 1, sizeof *v->zones);
	if (!v->zones)
		return sv_fail_nomem(err);
	do {
		if (add_zone(v, from, &from, err) < 0)
			return -1;
	} while (v->zones[v->n_zones - 1].n && v->n_zones <= v->g.n);
	return 0;
}

/* A RAID 0 of equal parts has one zone, and every layout is the same there. */
static bool unequal(const struct sv_raid *r)
{
	for (size_t i = 1; i < r->n; i++) {
		if (whole_chunks(r, i) != whole_chunks(r, 0))
			return true;
	}
	return false;
}

static struct raid *raid_new(
	const struct sv_raid *r, uint64_t size, const char *name, struct sv_err *err)
{
	struct raid *v = calloc(1, sizeof *v);

	if (!v) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_init(&v->dev, &raid_ops, name, size, false, err) < 0) {
		free(v);
		return NULL;
	}
	v->g = *r;
	v->g.parts = NULL;
	v->parts = calloc(r->n, sizeof *v->parts);
	if (!v->parts) {
		sv_dev_close(&v->dev);
		sv_fail_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < r->n; i++)
		v->parts[i] = r->parts[i] ? sv_dev_ref(r->parts[i]) : NULL;
	return v;
}

struct sv_dev *sv_raid_open(
	const struct sv_raid *r, uint64_t size, const char *name, struct sv_err *err)
{
	struct sv_raid known = *r;
	struct raid *v;

	if (!r->level && r->chunk && !unequal(r))
		known.layout = 2;
	if (check_geometry(&known, size, name, err) < 0 ||
		check_layout(&known, name, err) < 0 || check_parts(&known, name, err) < 0)
		return NULL;
	v = raid_new(&known, size, name, err);
	if (v && !known.level && make_zones(v, err) < 0) {
		sv_dev_close(&v->dev);
		return NULL;
	}
	return v ? &v->dev : NULL;
}
