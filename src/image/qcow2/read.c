/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packed clusters: raw deflate or zstd, one cluster each. The packed bytes may be followed by
 * others in their last sector, and that sector may be cut by the end of the file. A cluster
 * that is read in small parts is unpacked once and kept.
 */
#include "image/qcow2/qcow2.h"

#include <libdeflate.h>
#include <string.h>
#include <zstd.h>

/* *ret_n: bytes that were made, 0 where the packed bytes are damaged. */
static int inflate_raw(const uint8_t *in, size_t n, uint8_t *out, size_t max, size_t *ret_n,
	struct sv_err *err)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	size_t used;

	if (!d)
		return sv_fail_nomem(err);
	if (libdeflate_deflate_decompress_ex(d, in, n, out, max, &used, ret_n))
		*ret_n = 0;
	libdeflate_free_decompressor(d);
	return 0;
}

/* One frame in one step: no window is allocated, whatever size the frame asks for. */
static int unpack_zstd(const uint8_t *in, size_t n, uint8_t *out, size_t max, size_t *ret_n,
	struct sv_err *err)
{
	size_t frame = ZSTD_findFrameCompressedSize(in, n);
	ZSTD_DCtx *ctx;

	*ret_n = 0;
	if (ZSTD_isError(frame))
		return 0;
	ctx = ZSTD_createDCtx();
	if (!ctx)
		return sv_fail_nomem(err);
	frame = ZSTD_decompressDCtx(ctx, out, max, in, frame);
	if (!ZSTD_isError(frame))
		*ret_n = frame;
	ZSTD_freeDCtx(ctx);
	return 0;
}

int sv_qcow2_unpack(const struct sv_qcow2 *q, const struct sv_qcow2_entry *e, uint8_t *ret,
	struct sv_err *err)
{
	size_t n = (size_t)SV_MIN((uint64_t)e->packed, sv_dev_size(q->file) - e->host), made;
	sv_autofree uint8_t *in = malloc(n); /* at most two clusters */
	int rc;

	if (!in)
		return sv_fail_nomem(err);
	if (sv_dev_read(q->file, in, n, e->host, err) < 0)
		return -1;
	rc = q->h.codec == SV_QCOW2_ZSTD ? unpack_zstd(in, n, ret, q->cluster, &made, err)
					 : inflate_raw(in, n, ret, q->cluster, &made, err);
	if (rc < 0)
		return -1;
	if (made == q->cluster)
		return 0;
	return sv_fail_at(err, SV_CORRUPT, sv_dev_name(q->file), e->host,
		"a %s cluster of %zu bytes unpacks to %zu, not to %llu",
		q->h.codec == SV_QCOW2_ZSTD ? "zstd" : "zlib", n, made,
		(unsigned long long)q->cluster);
}

/* ---- reading ---- */

static int find_packed(
	struct sv_qcow2 *q, uint64_t index, struct sv_qcow2_entry *ret, struct sv_err *err)
{
	struct sv_qcow2_raw raw[SV_QCOW2_BATCH];
	uint64_t at;
	uint32_t n;

	if (sv_qcow2_entries(q, index, 1, raw, &n, &at, err) < 0 ||
		(n && sv_qcow2_take_entry(q, index, raw[0], at, ret, err) < 0))
		return -1;
	if (n && ret->compressed)
		return 0;
	return sv_fail(err, SV_INTERNAL, sv_dev_name(q->file),
		"guest cluster %llu is not compressed", (unsigned long long)index);
}

/* Part of a cluster, through the one that is kept. */
static int read_part(struct sv_qcow2 *q, uint64_t index, size_t within, void *buf, size_t n,
	struct sv_err *err)
{
	struct sv_qcow2_unpacked *u = &q->unpacked;
	struct sv_qcow2_entry e;
	int rc = 0;

	if (find_packed(q, index, &e, err) < 0)
		return -1;
	pthread_mutex_lock(&u->lock);
	if (!u->bytes || u->cluster != index) {
		if (!u->bytes)
			u->bytes = malloc((size_t)q->cluster);
		rc = u->bytes ? sv_qcow2_unpack(q, &e, u->bytes, err) : sv_fail_nomem(err);
		u->cluster = rc ? UINT64_MAX : index;
	}
	if (!rc)
		memcpy(buf, u->bytes + within, n);
	pthread_mutex_unlock(&u->lock);
	return rc;
}

static int read_whole(struct sv_qcow2 *q, uint64_t index, uint8_t *buf, struct sv_err *err)
{
	struct sv_qcow2_entry e;

	if (find_packed(q, index, &e, err) < 0)
		return -1;
	return sv_qcow2_unpack(q, &e, buf, err);
}

int sv_qcow2_read_packed(
	struct sv_link *l, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct sv_qcow2 *q = sv_qcow2_of(l);
	uint8_t *out = buf;

	while (n) {
		uint64_t within = off % q->cluster;
		size_t len = (size_t)SV_MIN((uint64_t)n, q->cluster - within);
		int rc = len == q->cluster ? read_whole(q, off / q->cluster, out, err)
					   : read_part(q, off / q->cluster, (size_t)within, out,
						     len, err);

		if (rc < 0)
			return -1;
		out += len;
		off += len;
		n -= len;
	}
	return 0;
}

/* ---- what the guest sees ---- */

static int read_below(
	struct sv_qcow2 *q, uint8_t *buf, uint64_t n, uint64_t off, struct sv_err *err)
{
	struct sv_dev *below = q->link.below;
	uint64_t size = below ? sv_dev_size(below) : 0, have = 0;

	if (off < size)
		have = SV_MIN(n, size - off);
	memset(buf + have, 0, (size_t)(n - have));
	return have ? sv_dev_read(below, buf, (size_t)have, off, err) : 0;
}

int sv_qcow2_read_view(
	struct sv_qcow2 *q, uint8_t *buf, uint64_t n, uint64_t off, struct sv_err *err)
{
	uint64_t size = q->link.info.virtual_size;

	while (n) {
		struct sv_run run = {.length = n, .kind = SV_RUN_HOLE};
		int rc = 0;

		if (off < size && sv_qcow2_map(&q->link, off, SV_MIN(n, size - off), false,
					  &run, err) < 0)
			return -1;
		if (run.kind == SV_RUN_ABSENT)
			rc = read_below(q, buf, run.length, off, err);
		else if (run.kind != SV_RUN_DATA)
			memset(buf, 0, (size_t)run.length);
		else if (run.dev)
			rc = sv_dev_read(
				run.dev, buf, (size_t)run.length, run.host_offset, err);
		else
			rc = sv_qcow2_read_packed(&q->link, buf, (size_t)run.length, off, err);
		if (rc < 0)
			return -1;
		buf += run.length;
		off += run.length;
		n -= run.length;
	}
	return 0;
}
