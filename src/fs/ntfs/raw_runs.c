/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Mapping pairs. Each begins with a byte that holds two counts: the low half how many bytes the
 * run's length takes, the high half how many its place, a signed difference to the run before.
 * No place is a hole; a zero byte ends the list.
 */
#include "fs/ntfs/raw_runs.h"

#include "base/num.h"
#include "fs/ntfs/raw_disk.h"

#include <string.h>

void sv_ntfs_raw_runs_begin(struct sv_ntfs_raw_run_reader *r, const uint8_t *bytes, size_t size,
	uint64_t first_vcn, uint64_t clusters)
{
	*r = (struct sv_ntfs_raw_run_reader){
		.bytes = bytes, .size = size, .vcn = first_vcn, .clusters = clusters};
}

/* n bytes (at most 8), the last one with the sign. */
static int64_t load_signed(const uint8_t *p, size_t n)
{
	uint64_t v = n && (p[n - 1] & 0x80) ? UINT64_MAX : 0;

	while (n--)
		v = v << 8 | p[n];
	return (int64_t)v;
}

static int bad(const struct sv_ntfs_raw_run_reader *r, struct sv_err *err, const char *what)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, r->at, "runs: %s", what);
}

int sv_ntfs_raw_next_run(
	struct sv_ntfs_raw_run_reader *r, struct sv_ntfs_raw_run *ret, struct sv_err *err)
{
	size_t length_size, place_size;
	const uint8_t *p = r->bytes + r->at + 1;
	int64_t length;

	if (r->at >= r->size) /* a full attribute may do without the end mark */
		return 0;
	length_size = r->bytes[r->at] & 15;
	place_size = r->bytes[r->at] >> 4;
	if (!r->bytes[r->at])
		return 0;
	if (!length_size || length_size > 8 || place_size > 8 ||
		!sv_in_range(r->at + 1, length_size + place_size, r->size))
		return bad(r, err, "a run is longer than its attribute");
	length = load_signed(p, length_size);
	if (length <= 0 || (uint64_t)length > NTFS_VCN_MAX - r->vcn)
		return bad(r, err, "a run has an impossible length");
	*ret = (struct sv_ntfs_raw_run){r->vcn, NTFS_HOLE, (uint64_t)length};
	if (place_size) {
		ret->lcn = r->lcn + (uint64_t)load_signed(p + length_size, place_size);
		if (!sv_in_range(ret->lcn, ret->length, r->clusters))
			return bad(r, err, "a run lies outside the volume");
		r->lcn = ret->lcn;
	}
	r->vcn += ret->length;
	r->at += 1 + length_size + place_size;
	return 1;
}

/* The fewest bytes that hold v with its sign. */
static size_t signed_size(int64_t v)
{
	size_t n = 1;

	while (n < 8 && (v < -(INT64_C(1) << (8 * n - 1)) || v >= INT64_C(1) << (8 * n - 1)))
		n++;
	return n;
}

static int64_t place_of(const struct sv_ntfs_raw_run *run, uint64_t *lcn)
{
	int64_t difference = (int64_t)(run->lcn - *lcn);

	*lcn = run->lcn;
	return difference;
}

size_t sv_ntfs_raw_runs_packed_size(const struct sv_ntfs_raw_run *runs, size_t n)
{
	uint64_t lcn = 0;
	size_t size = 1;

	for (size_t i = 0; i < n; i++) {
		size += 1 + signed_size((int64_t)runs[i].length);
		if (runs[i].lcn != NTFS_HOLE)
			size += signed_size(place_of(&runs[i], &lcn));
	}
	return size;
}

void sv_ntfs_raw_pack_runs(const struct sv_ntfs_raw_run *runs, size_t n, uint8_t *out)
{
	uint64_t lcn = 0;

	for (size_t i = 0; i < n; i++) {
		size_t length_size = signed_size((int64_t)runs[i].length), place_size = 0;
		sv_le64 length = sv_put_le64(runs[i].length), place;

		memcpy(out + 1, length.b, length_size);
		if (runs[i].lcn != NTFS_HOLE) {
			int64_t difference = place_of(&runs[i], &lcn);

			place = sv_put_le64((uint64_t)difference);
			place_size = signed_size(difference);
			memcpy(out + 1 + length_size, place.b, place_size);
		}
		out[0] = (uint8_t)(length_size | place_size << 4);
		out += 1 + length_size + place_size;
	}
	*out = 0;
}
