/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * May this NTFS volume grow, and does growing keep it sound? The input is a volume as a sparse
 * delta over zeros: 4 bytes of its size in sectors and of flags, then pieces of 6 bytes of head
 * (offset / 16, length) and their bytes; a length with the highest bit set is filled with one
 * byte instead, 4 KiB times the rest of it.
 *
 * A refusal must have a code and a message. What was accepted with the cross-check must grow,
 * and then be accepted again: so each bit and each MFT record that growing wrote is judged by
 * the checks that it had to pass before. Users' files must be the same before and after. The
 * cross-check must say the same with as little memory as it can do with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/num.h"
#include "fs/driver.h"
#include "fs/ntfs/check.h"
#include "fs/ntfs/growth.h"

#define MUST(x)                                                                                \
	do {                                                                                   \
		if (!(x)) {                                                                    \
			fprintf(stderr, "broken promise: %s\n", #x);                           \
			abort();                                                               \
		}                                                                              \
	} while (0)

#define SECTORS_MAX (64 * SV_MIB / SV_SECTOR)
#define FILL        0x8000
enum { QUICK = 1, ASK = 2, MUCH = 4, LITTLE = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void put_fill(struct sv_dev *dev, uint64_t at, unsigned pages, uint8_t byte)
{
	uint8_t page[4096];

	memset(page, byte, sizeof page);
	for (; pages-- && sv_in_range(at, sizeof page, sv_dev_size(dev)); at += sizeof page)
		sv_dev_write(dev, page, sizeof page, at, NULL);
}

static void put_pieces(struct sv_dev *dev, const uint8_t *bytes, size_t n)
{
	while (n > 6) {
		uint64_t at = 16 * (uint64_t)sv_load_le32(bytes);
		size_t length = sv_load_le16(bytes + 4);

		bytes += 6;
		n -= 6;
		if (length & FILL) {
			put_fill(dev, at, length & 63, bytes[0]);
			length = 1;
		} else {
			length = SV_MIN(length, n);
			if (sv_in_range(at, length, sv_dev_size(dev)))
				sv_dev_write(dev, bytes, length, at, NULL);
		}
		bytes += length;
		n -= length;
	}
}

static bool check(struct sv_dev *dev, uint64_t size, const struct sv_fs_grow_opts *opts)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_grow_plan plan;

	if (sv_fs_check_grow(dev, size, opts, &plan, &err) == 0) {
		MUST(plan.new_size >= plan.old_size && plan.new_size <= size);
		return true;
	}
	MUST(err.code != SV_OK && err.code != SV_INTERNAL && err.message[0]);
	return false;
}

/* ---- what a user sees ---- */

struct sight {
	uint64_t names, sum;
};

static int see(void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st)
{
	struct sight *s = user;
	uint64_t x = parent * 31 + st->ino + (uint64_t)st->type;

	while (*name)
		x = x * 31 + (unsigned char)*name++;
	s->sum += x * 31 + st->size;
	return ++s->names > 5000;
}

/* Names, places and sizes; damage counts as nothing seen. */
static struct sight look(struct sv_dev *dev)
{
	struct sight s = {0};
	struct sv_fs *fs;

	if (sv_ntfs_driver.open(dev, &fs, NULL) < 0)
		return s;
	sv_fs_walk(fs, see, &s, NULL, NULL);
	sv_fs_close(fs);
	return s;
}

/* ---- */

static void check_in_windows(struct sv_dev *dev, uint64_t size)
{
	SV_CLEANUP(sv_ntfs_raw_free_vol) struct sv_ntfs_raw_vol v = {0};
	SV_CLEANUP(sv_ntfs_free_growth) struct sv_ntfs_growth g = {0};
	int all, little;

	if (sv_ntfs_raw_open_vol(dev, &v, NULL) < 0 ||
		sv_ntfs_plan_growth(&v, size, false, &g, NULL) < 0)
		return;
	all = sv_ntfs_cross_check(&v, &g.old_bitmap, 4096, NULL, NULL);
	little = sv_ntfs_cross_check(&v, &g.old_bitmap, 8, NULL, NULL);
	MUST(all == little);
}

static void grow(struct sv_dev *dev, uint64_t size, const struct sv_fs_grow_opts *opts)
{
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *over = sv_overlay_open(dev, size, 8 * SV_MIB, "grown", &err);
	struct sv_fs_grow_opts again = {.quick = opts->quick, .accept_dirty = true};
	struct sight before = look(dev), after;

	MUST(over);
	if (sv_fs_grow(over, opts, &err) < 0) {
		MUST(err.code != SV_OK && err.message[0]);
		MUST(opts->quick);
		return;
	}
	if (opts->quick)
		return;
	MUST(check(over, size, &again));
	after = look(over);
	MUST(before.names == after.names && before.sum == after.sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_fs_grow_opts opts = {0};
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *dev = NULL;
	uint64_t size, new_size;
	unsigned flags;

	if (n < 4)
		return 0;
	flags = bytes[3];
	size = (sv_load_le32(bytes) & 0xFFFFFF) % SECTORS_MAX * SV_SECTOR;
	new_size = flags & MUCH ? size + 8 * SV_GIB : flags & LITTLE ? size + 8192 : 2 * size;
	opts.quick = flags & QUICK;
	opts.ask_check = flags & ASK;
	dev = sv_sparse_open(size, 4 * SV_MIB, "volume", &err);
	MUST(dev);
	put_pieces(dev, bytes + 4, n - 4);
	check_in_windows(dev, new_size);
	if (check(dev, new_size, &opts) || opts.quick)
		grow(dev, new_size, &opts);
	return 0;
}
