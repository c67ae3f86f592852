/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading the bytes of a stream: resident, in runs, with holes, packed by LZNT1; and the
 * records of $MFT, which are read that way too.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"

#include <string.h>

#define MIRRORED 4 /* records that Windows keeps in $MFTMirr, whatever its size */

uint64_t sv_ntfs_locate(const struct sv_ntfs *v, const struct sv_ntfs_stream *s, uint64_t off)
{
	const struct sv_ntfs_raw_run *run =
		sv_ntfs_runs_at(&s->runs, off / v->geo.cluster_size);

	if (!run || run->lcn == NTFS_HOLE)
		return 0;
	return run->lcn * v->geo.cluster_size + (off - run->vcn * v->geo.cluster_size);
}

int sv_ntfs_blame(const struct sv_ntfs *v, uint64_t number, uint64_t delta, struct sv_err *err)
{
	sv_err_shift(err, sv_ntfs_locate(v, &v->mft, number * v->geo.record_size) + delta);
	return sv_err_path(err, sv_dev_name(v->dev));
}

void sv_ntfs_stream_close(struct sv_ntfs_stream *s)
{
	free(s->value);
	free(s->runs.v);
	free(s->plain);
	*s = (struct sv_ntfs_stream){0};
}

/* Bytes that are not packed; all of them must be mapped. */
static int read_runs(struct sv_ntfs *v, struct sv_ntfs_stream *s, uint8_t *buf, size_t n,
	uint64_t off, struct sv_err *err)
{
	const uint64_t cluster = v->geo.cluster_size;
	struct sv_dev *from = s->direct ? v->fs.volume : v->dev;

	while (n) {
		const struct sv_ntfs_raw_run *run = sv_ntfs_runs_at(&s->runs, off / cluster);
		uint64_t within;
		size_t len;

		if (!run)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
				"byte %llu of a stream of %llu bytes is in no cluster",
				(unsigned long long)off, (unsigned long long)s->size);
		within = off - run->vcn * cluster;
		len = (size_t)SV_MIN(n, run->length * cluster - within);
		if (run->lcn == NTFS_HOLE)
			memset(buf, 0, len);
		else if (sv_dev_read(from, buf, len, run->lcn * cluster + within, err) < 0)
			return -1;
		buf += len;
		off += len;
		n -= len;
	}
	return 0;
}

/* How many clusters from vcn on lie on the disk before the first hole, up to `end`. */
static uint64_t stored_clusters(const struct sv_ntfs_runs *runs, uint64_t vcn, uint64_t end)
{
	uint64_t at = vcn;

	while (at < end) {
		const struct sv_ntfs_raw_run *run = sv_ntfs_runs_at(runs, at);

		if (!run || run->lcn == NTFS_HOLE)
			break;
		at = SV_MIN(end, run->vcn + run->length);
	}
	return at - vcn;
}

static int unpack_unit(struct sv_ntfs *v, struct sv_ntfs_stream *s, uint64_t index,
	uint8_t *out, struct sv_err *err)
{
	const size_t cluster = v->geo.cluster_size, unit = cluster << s->unit;
	const uint64_t vcn = index << s->unit;
	const uint64_t end = SV_MIN(vcn + (1ull << s->unit), s->runs.end);
	uint64_t stored = vcn < end ? stored_clusters(&s->runs, vcn, end) : 0;
	uint8_t *packed = s->plain + unit;

	memset(out, 0, unit);
	if (vcn >= end)
		return read_runs(v, s, out, 1, vcn * cluster, err); /* tells what is wrong */
	if (!stored)
		return 0;
	if (stored == end - vcn)
		return read_runs(v, s, out, (size_t)stored * cluster, vcn * cluster, err);
	if (read_runs(v, s, packed, (size_t)stored * cluster, vcn * cluster, err) < 0)
		return -1;
	if (sv_ntfs_unpack(packed, (size_t)stored * cluster, out, unit, err) < 0) {
		sv_err_shift(err, sv_ntfs_locate(v, s, vcn * cluster));
		return sv_err_path(err, sv_dev_name(v->dev));
	}
	return 0;
}

static int read_packed(struct sv_ntfs *v, struct sv_ntfs_stream *s, uint8_t *buf, size_t n,
	uint64_t off, struct sv_err *err)
{
	const size_t unit = (size_t)v->geo.cluster_size << s->unit;

	if (!s->plain && !(s->plain = malloc(2 * unit)))
		return sv_fail_nomem(err);
	while (n) {
		uint64_t index = off / unit;
		size_t within = (size_t)(off % unit), len = SV_MIN(n, unit - within);

		if (len == unit) { /* straight to where it is wanted */
			if (unpack_unit(v, s, index, buf, err) < 0)
				return -1;
		} else {
			if (!s->plain_valid || s->plain_index != index) {
				s->plain_valid = false;
				if (unpack_unit(v, s, index, s->plain, err) < 0)
					return -1;
				s->plain_index = index;
				s->plain_valid = true;
			}
			memcpy(buf, s->plain + within, len);
		}
		buf += len;
		off += len;
		n -= len;
	}
	return 0;
}

int sv_ntfs_stream_read(struct sv_ntfs *v, struct sv_ntfs_stream *s, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	uint8_t *out = buf;
	size_t data;

	if (s->flags & NTFS_ATTR_ENCRYPTED)
		return sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->dev),
			"the data are encrypted with EFS by a user of that Windows");
	n = off < s->size ? (size_t)SV_MIN(n, s->size - off) : 0;
	data = off < s->initialized ? (size_t)SV_MIN(n, s->initialized - off) : 0;
	if (s->resident && data)
		memcpy(out, s->value + off, data);
	else if (data && (s->unit ? read_packed : read_runs)(v, s, out, data, off, err) < 0)
		return -1;
	memset(out + data, 0, n - data);
	*ret_got = n;
	return 0;
}

void *sv_ntfs_stream_slurp(struct sv_ntfs *v, struct sv_ntfs_stream *s, size_t cap,
	size_t *ret_n, struct sv_err *err)
{
	sv_autofree uint8_t *bytes = NULL;

	if (s->size > cap) {
		sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"a stream of %llu bytes, at most %zu are expected",
			(unsigned long long)s->size, cap);
		return NULL;
	}
	bytes = malloc((size_t)s->size + 1);
	if (!bytes) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_ntfs_stream_read(v, s, bytes, (size_t)s->size, 0, ret_n, err) < 0)
		return NULL;
	return SV_STEAL(bytes);
}

/* ---- records ---- */

void sv_ntfs_unload(struct sv_ntfs_record *r)
{
	free(r->bytes);
	r->bytes = NULL;
}

static int check_use(const struct sv_ntfs *v, const struct sv_ntfs_record *r, uint64_t number,
	bool extension, struct sv_err *err)
{
	if (!r->in_use)
		sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct ntfs_record, flags),
			"record %llu of $MFT is not in use", (unsigned long long)number);
	else if (r->base && !extension)
		sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct ntfs_record, base),
			"record %llu of $MFT is a part of record %llu",
			(unsigned long long)number,
			(unsigned long long)NTFS_REF_RECORD(r->base));
	else
		return 0;
	return sv_ntfs_blame(v, number, 0, err);
}

static int read_record(struct sv_ntfs *v, uint64_t number, uint8_t *bytes,
	struct sv_ntfs_record *ret, struct sv_err *err)
{
	const size_t size = v->geo.record_size;
	size_t got;

	if (sv_ntfs_stream_read(v, &v->mft, bytes, size, number * size, &got, err) < 0)
		return -1;
	return sv_ntfs_parse_record(bytes, size, ret, err) < 0
		       ? sv_ntfs_blame(v, number, 0, err)
		       : 0;
}

/* The copy of one of the first records; it lies where the boot sector says. */
static bool read_copy(
	struct sv_ntfs *v, uint64_t number, uint8_t *bytes, struct sv_ntfs_record *ret)
{
	const size_t size = v->geo.record_size;
	uint64_t off = v->geo.mftmirr_lcn * v->geo.cluster_size + number * size;

	if (number >= MIRRORED || sv_dev_read(v->dev, bytes, size, off, NULL) < 0 ||
		sv_ntfs_parse_record(bytes, size, ret, NULL) < 0)
		return false;
	v->from_mirror = true;
	return true;
}

int sv_ntfs_load(struct sv_ntfs *v, uint64_t number, bool extension, struct sv_ntfs_record *ret,
	struct sv_err *err)
{
	const size_t size = v->geo.record_size;
	sv_autofree uint8_t *bytes = malloc(size);
	struct sv_ntfs_record r;

	if (!bytes)
		return sv_fail_nomem(err);
	if (number >= v->mft.size / size)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"record %llu was asked for, but $MFT has %llu",
			(unsigned long long)number, (unsigned long long)(v->mft.size / size));
	if (read_record(v, number, bytes, &r, err) < 0 && !read_copy(v, number, bytes, &r))
		return -1; /* with the error of the record itself */
	if (check_use(v, &r, number, extension, err) < 0)
		return -1;
	SV_STEAL(bytes);
	*ret = r;
	return 0;
}
