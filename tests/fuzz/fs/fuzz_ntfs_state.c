/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * May this NTFS volume grow, and does growing keep it sound? The input is a volume as a sparse
 * delta over zeros: 4 bytes of its size in sectors and of flags, then pieces of 6 bytes of head
 * (offset / 16, length) and their bytes; a length with the highest bit set is filled with one
 * byte instead, 4 KiB times the rest of it.
 *
 * A refusal must have a code and a message. What was accepted with the cross-check must grow,
 * and then be accepted again: so each bit and each MFT record that growing wrote is judged by
 * the checks that it had to pass before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/num.h"
#include "fs/grow.h"

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

static void grow(struct sv_dev *dev, uint64_t size, const struct sv_fs_grow_opts *opts)
{
	struct sv_err err = SV_ERR_INIT;
	sv_autodev struct sv_dev *over = sv_overlay_open(dev, size, 8 * SV_MIB, "grown", &err);
	struct sv_fs_grow_opts again = {.quick = opts->quick, .accept_dirty = true};

	MUST(over);
	if (sv_fs_grow(over, opts, &err) < 0) {
		MUST(err.code != SV_OK && err.message[0]);
		MUST(opts->quick);
		return;
	}
	if (!opts->quick)
		MUST(check(over, size, &again));
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
	if (check(dev, new_size, &opts) || opts.quick)
		grow(dev, new_size, &opts);
	return 0;
}
