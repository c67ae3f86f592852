/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A volume as it will be once its journal was replayed: a block that the journal holds anew is
 * read from there. Only the list of these blocks is kept in memory, 40 bytes for each.
 */
#include "fs/ext/journal.h"

#include "base/num.h"

#include <stdlib.h>

struct view {
	struct sv_dev dev;
	struct sv_dev *under;
	struct sv_ext_journal journal;
	struct sv_ext_copy *copies;
	size_t n;
};

/* The first copy of a block at or behind this one. */
static size_t find(const struct view *v, uint64_t block)
{
	size_t low = 0, high = v->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->copies[mid].block < block)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool sum_ok(const struct view *v, const struct sv_ext_copy *c, const uint8_t *bytes)
{
	sv_be32 sequence = sv_put_be32(c->sequence);
	uint32_t crc;

	if (!sv_ext_journal_sums(&v->journal))
		return true;
	crc = sv_ext_crc(v->journal.seed, &sequence, sizeof sequence);
	crc = sv_ext_crc(crc, bytes, v->journal.block_size);
	if (!(v->journal.incompat & JBD_INCOMPAT_CSUM_V3))
		crc &= 0xffff;
	return crc == c->checksum;
}

/* A whole block is needed for its checksum, and for the bytes that were taken out of it. */
static int read_copy(struct view *v, const struct sv_ext_copy *c, uint8_t *out, size_t n,
	size_t within, struct sv_err *err)
{
	const size_t size = v->journal.block_size;
	sv_autofree uint8_t *block = NULL;

	if (!c->escaped && !sv_ext_journal_sums(&v->journal))
		return sv_dev_read(v->under, out, n, c->at * size + within, err);
	block = malloc(size);
	if (!block)
		return sv_fail_nomem(err);
	if (sv_dev_read(v->under, block, size, c->at * size, err) < 0)
		return -1;
	if (!sum_ok(v, c, block))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->under), c->at * size,
			"the journal's copy of block %llu has a wrong checksum",
			(unsigned long long)c->block);
	if (c->escaped)
		sv_store_be32(block, JBD_MAGIC);
	memcpy(out, block + within, n);
	return 0;
}

static int view_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct view *v = (struct view *)d;
	const uint64_t size = v->journal.block_size;
	size_t next = find(v, off / size);
	uint8_t *out = buf;

	while (n) {
		const struct sv_ext_copy *c = next < v->n ? &v->copies[next] : NULL;
		uint64_t within = off % size, len = n;
		int rc;

		if (c && c->block == off / size) {
			len = SV_MIN(len, size - within);
			rc = read_copy(v, c, out, (size_t)len, (size_t)within, err);
			next++;
		} else {
			if (c)
				len = SV_MIN(len, c->block * size - off);
			rc = sv_dev_read(v->under, out, (size_t)len, off, err);
		}
		if (rc < 0)
			return -1;
		out += len;
		off += len;
		n -= (size_t)len;
	}
	return 0;
}

static void view_close(struct sv_dev *d)
{
	struct view *v = (struct view *)d;

	sv_dev_close(v->under);
	free(v->copies);
	free(v);
}

static const struct sv_dev_ops view_ops = {
	.kind = "ext journal",
	.pread = view_pread,
	.close = view_close,
};

struct sv_dev *sv_ext_view_open(struct sv_dev *under, const struct sv_ext_journal *j,
	struct sv_ext_copy *copies, size_t n, struct sv_err *err)
{
	struct view *v = calloc(1, sizeof *v);

	if (!v) {
		sv_fail_nomem(err);
		free(copies);
		return NULL;
	}
	v->copies = copies;
	if (sv_dev_init(&v->dev, &view_ops, sv_dev_name(under), sv_dev_size(under), false,
		    err) < 0) {
		free(copies);
		free(v);
		return NULL;
	}
	v->under = sv_dev_ref(under);
	v->journal = *j;
	v->n = n;
	return &v->dev;
}
