/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading from the devices that a btrfs lies on: the superblock of each, of which there are up
 * to three, and ranges of logical addresses, piece by piece as the chunks spread them. Copies
 * on a device that is missing do not count.
 */
#include "fs/btrfs/btrfs.h"

#include "base/num.h"

#include <string.h>

static const uint64_t super_places[] = {
	BTRFS_SUPER_AT, UINT64_C(64) << 20, UINT64_C(256) << 30};

/* ---- superblocks ---- */

static int read_one(
	struct sv_dev *dev, uint64_t at, struct sv_btrfs_super *ret, struct sv_err *err)
{
	uint8_t bytes[BTRFS_SUPER_SIZE];

	if (!sv_in_range(at, sizeof bytes, sv_dev_size(dev)))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(dev), at,
			"the volume ends before its superblock");
	if (sv_dev_read(dev, bytes, sizeof bytes, at, err) < 0)
		return -1;
	if (sv_btrfs_parse_super(bytes, sizeof bytes, at, ret, err) < 0) {
		sv_err_shift(err, at);
		return sv_err_path(err, sv_dev_name(dev));
	}
	return 0;
}

/* The newest copy of the same file system on the same device: what an earlier one left at the
 * other places has another id. */
int sv_btrfs_read_super(
	struct sv_dev *dev, struct sv_btrfs_super *ret, bool *ret_primary, struct sv_err *err)
{
	struct sv_btrfs_super other;
	bool have;

	*ret_primary = have = read_one(dev, super_places[0], ret, err) == 0;
	if (!have && err && err->code != SV_CORRUPT && err->code != SV_IO)
		return -1;
	for (size_t i = 1; i < SV_ARRAY_LEN(super_places); i++) {
		if (read_one(dev, super_places[i], &other, NULL) < 0)
			continue;
		if (have &&
			(memcmp(other.fsid, ret->fsid, 16) != 0 || other.devid != ret->devid ||
				other.generation <= ret->generation))
			continue;
		*ret = other;
		*ret_primary = false;
		have = true;
	}
	return have ? 0 : -1;
}

/* ---- ranges ---- */

static struct sv_dev *device_of(const struct sv_btrfs *v, uint64_t devid)
{
	for (size_t i = 0; i < v->n_devices; i++) {
		if (v->devices[i].devid == devid)
			return v->devices[i].dev;
	}
	return NULL;
}

unsigned sv_btrfs_copies_of(const struct sv_btrfs *v, uint64_t logical)
{
	const struct sv_btrfs_chunk *c = sv_btrfs_find_chunk(&v->chunks, logical);

	return c ? sv_btrfs_copies(c) : 1;
}

static int no_chunk(const struct sv_btrfs *v, uint64_t logical, struct sv_err *err)
{
	return sv_fail(err, SV_CORRUPT, sv_dev_name(v->fs.volume),
		"no chunk holds the logical address %llu", (unsigned long long)logical);
}

static int missing(const struct sv_btrfs *v, uint64_t devid, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->fs.volume),
		"this lies on device %llu of its %llu, which is missing",
		(unsigned long long)devid, (unsigned long long)v->super.devices);
	return sv_hint(err, "open the machine with all of its disks");
}

/* The copy-th of the copies that are there; *ret_dev is NULL where there are fewer. */
static void place_copy(const struct sv_btrfs *v, const struct sv_btrfs_chunk *c,
	uint64_t logical, unsigned copy, struct sv_btrfs_piece *ret, struct sv_dev **ret_dev)
{
	unsigned copies = sv_btrfs_copies(c);

	*ret_dev = NULL;
	for (unsigned i = 0; i < copies; i++) {
		struct sv_dev *dev;

		sv_btrfs_place(&v->chunks, c, logical, i, ret);
		dev = device_of(v, ret->devid);
		if (!dev)
			continue;
		*ret_dev = dev;
		if (!copy--)
			return;
		*ret_dev = NULL;
	}
}

/*
 * RAID 5 and 6: what lies on a device that is missing is the sum of what the others have at the
 * same place of the row, the second parity left out. More than one may be missing only where
 * the other one is that parity's.
 */
static int rebuild(struct sv_btrfs *v, const struct sv_btrfs_chunk *c, uint64_t logical,
	uint8_t *p, size_t n, const struct sv_btrfs_piece *lost, struct sv_err *err)
{
	sv_autofree uint8_t *other = malloc(n);
	struct sv_btrfs_piece piece;

	if (!other)
		return sv_fail_nomem(err);
	memset(p, 0, n);
	for (unsigned i = 0; i < c->stripes; i++) {
		struct sv_dev *dev;

		if (!sv_btrfs_place_in_row(&v->chunks, c, logical, i, &piece) ||
			(piece.devid == lost->devid && piece.at == lost->at))
			continue;
		dev = device_of(v, piece.devid);
		if (!dev)
			return missing(v, piece.devid, err);
		if (sv_dev_read(dev, other, n, piece.at, err) < 0)
			return -1;
		for (size_t k = 0; k < n; k++)
			p[k] ^= other[k];
	}
	return 0;
}

static int read_piece(struct sv_btrfs *v, const struct sv_btrfs_chunk *c, uint64_t logical,
	uint8_t *p, size_t *n, unsigned copy, struct sv_err *err)
{
	struct sv_btrfs_piece piece;
	struct sv_dev *dev;

	place_copy(v, c, logical, copy, &piece, &dev);
	*n = (size_t)SV_MIN((uint64_t)*n, piece.len);
	if (dev)
		return sv_dev_read(dev, p, *n, piece.at, err);
	if (!copy && c->type & (BTRFS_RAID5 | BTRFS_RAID6))
		return rebuild(v, c, logical, p, *n, &piece, err);
	return missing(v, piece.devid, err);
}

int sv_btrfs_read_copy(struct sv_btrfs *v, uint64_t logical, void *buf, size_t n, unsigned copy,
	struct sv_err *err)
{
	uint8_t *p = buf;

	while (n) {
		const struct sv_btrfs_chunk *c = sv_btrfs_find_chunk(&v->chunks, logical);
		size_t now = n;

		if (!c)
			return no_chunk(v, logical, err);
		if (read_piece(v, c, logical, p, &now, copy, err) < 0)
			return -1;
		p += now;
		n -= now;
		logical += now;
	}
	return 0;
}

bool sv_btrfs_where(const struct sv_btrfs *v, uint64_t logical, struct sv_btrfs_piece *ret)
{
	const struct sv_btrfs_chunk *c = sv_btrfs_find_chunk(&v->chunks, logical);
	struct sv_dev *dev = NULL;

	if (c)
		place_copy(v, c, logical, 0, ret, &dev);
	/* what can be computed from other devices belongs to its own place nevertheless */
	return dev || (c && c->type & (BTRFS_RAID5 | BTRFS_RAID6));
}
