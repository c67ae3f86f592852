/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Logs over a dirty hive of one bin. The input: a byte of flags, a byte that divides the rest
 * between the first log and the second (in 256ths). The harness repairs the checksums of base
 * blocks and the hashes of log entries, as far as entries follow each other, unless the flags
 * say not to; they also say whether the hive has a base block. Whatever the logs hold, the hive
 * opens or is refused, and every page of it can be read.
 */
#include "base/num.h"
#include "hive/regf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum flags { NO_BASE = 1, NO_HASHES = 2, NO_SUMS = 4, THREE = 8 };
enum { BIN = 4096, ROOT = 32, FILE_SIZE = SV_REGF_BINS_AT + BIN };
#define SEED UINT64_C(0xC5554E7A884DEF82)

#define MUST(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);             \
			abort();                                                               \
		}                                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void make_hive(uint8_t *file, unsigned flags)
{
	struct sv_regf_disk_base base = {.signature = {'r', 'e', 'g', 'f'},
		.sequence1 = sv_put_le32(8),
		.sequence2 = sv_put_le32(7),
		.written = sv_put_le64(4711),
		.major = sv_put_le32(1),
		.minor = sv_put_le32(5),
		.format = sv_put_le32(1),
		.root = sv_put_le32(ROOT),
		.bins_size = sv_put_le32(BIN)};
	struct sv_regf_disk_bin bin = {.signature = {'h', 'b', 'i', 'n'},
		.size = sv_put_le32(BIN),
		.written = sv_put_le64(4711)};
	struct sv_regf_disk_key root = {.signature = {'n', 'k'},
		.flags = sv_put_le16(SV_REGF_KEY_ROOT | SV_REGF_KEY_LATIN1)};

	memset(file, 0, FILE_SIZE);
	if (!(flags & NO_BASE)) {
		memcpy(file, &base, sizeof base);
		sv_store_le32(file + 508, sv_regf_checksum(file));
	}
	memcpy(file + SV_REGF_BINS_AT, &bin, sizeof bin);
	sv_store_le32(file + SV_REGF_BINS_AT + ROOT, 0U - 80U);
	memcpy(file + SV_REGF_BINS_AT + ROOT + 4, &root, sizeof root);
}

static void repair(uint8_t *log, size_t n, unsigned flags)
{
	if (n < 512)
		return;
	if (!(flags & NO_SUMS))
		sv_store_le32(log + 508, sv_regf_checksum(log));
	for (size_t at = 512; !(flags & NO_HASHES) && n - at >= SV_REGF_ENTRY_HEAD;) {
		uint32_t size = sv_load_le32(log + at + 4);

		if (size < SV_REGF_ENTRY_HEAD || size % 512 || size > n - at)
			return;
		sv_store_le64(log + at + 24, sv_marvin32(SEED, log + at + 40, size - 40));
		sv_store_le64(log + at + 32, sv_marvin32(SEED, log + at, 32));
		at += size;
	}
}

static struct sv_dev *log_of(const uint8_t *bytes, size_t n, unsigned flags)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t *copy = malloc(n + 1);
	struct sv_dev *dev;

	MUST(copy);
	memcpy(copy, bytes, n);
	repair(copy, n, flags);
	dev = sv_mem_open(copy, n, true, "log", &err);
	free(copy);
	MUST(dev);
	return dev;
}

static void use(struct sv_hive *h)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t page[512];
	sv_hive_key root;

	MUST(sv_hive_root(h, &root, &err) == 0);
	for (uint64_t at = 0; at < SV_MIN(sv_dev_size(h->dev), UINT64_C(1) << 20);
		at += sizeof page)
		MUST(sv_dev_read(h->dev, page, sizeof page, at, &err) == 0);
	MUST(strlen(sv_hive_state(h)->problem) < sizeof h->state.problem);
	MUST(h->state.applied || h->state.problem[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive_logs logs = {0};
	struct sv_hive *h = NULL;
	uint8_t file[FILE_SIZE];
	struct sv_dev *dev;
	size_t first;

	if (n < 2)
		return 0;
	make_hive(file, bytes[0]);
	first = (n - 2) * bytes[1] / 256;
	dev = sv_mem_open(file, sizeof file, true, "hive", &err);
	logs.log1 = log_of(bytes + 2, first, bytes[0]);
	logs.log2 = log_of(bytes + 2 + first, n - 2 - first, bytes[0]);
	logs.log = bytes[0] & THREE ? logs.log1 : NULL;
	MUST(dev);
	if (sv_hive_open(dev, &logs, &h, &err) < 0)
		MUST(err.code == SV_CORRUPT || err.code == SV_UNSUPPORTED ||
			err.code == SV_NOMEM);
	else
		use(h);
	sv_hive_close(h);
	sv_dev_close(logs.log1);
	sv_dev_close(logs.log2);
	sv_dev_close(dev);
	return 0;
}
