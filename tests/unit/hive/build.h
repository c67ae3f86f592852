/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Builds small hives cell by cell, good ones and, with a byte set wrong, bad ones. */
#ifndef SV_TESTS_HIVE_BUILD_H
#define SV_TESTS_HIVE_BUILD_H

#include "unit.h"

#include "base/num.h"
#include "hive/regf.h"
#include "io/dev.h"

#define NOWHERE SV_REGF_NOWHERE

struct build {
	uint8_t bytes[4096 + 65536]; /* base block and one bin */
	uint32_t used;               /* of the bin; the next cell */
	uint32_t root;
};

enum { BINS_SIZE = 65536 };

static inline uint8_t *at(struct build *b, uint32_t cell)
{
	return b->bytes + SV_REGF_BINS_AT + cell + 4;
}

/* A cell in use for n bytes; gives its offset. */
static inline uint32_t put_cell(struct build *b, const void *bytes, size_t n)
{
	uint32_t cell = b->used, size = (uint32_t)sv_align_up(n + 4, 8);

	assert_true(cell + size <= BINS_SIZE);
	sv_store_le32(b->bytes + SV_REGF_BINS_AT + cell, 0 - size);
	if (bytes)
		memcpy(at(b, cell), bytes, n);
	b->used += size;
	return cell;
}

static inline void seal(struct build *b)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 508; i += 4)
		sum ^= sv_load_le32(b->bytes + i);
	sv_store_le32(b->bytes + 508, sum == 0 ? 1 : sum == UINT32_MAX ? UINT32_MAX - 1 : sum);
}

static inline uint32_t put_key_named(struct build *b, uint32_t parent, const void *name,
	uint16_t name_size, bool wide, uint16_t more_flags)
{
	uint8_t cell[1024] = {0};
	struct sv_regf_disk_key k = {.signature = {'n', 'k'},
		.flags = sv_put_le16((uint16_t)(more_flags | (wide ? 0 : SV_REGF_KEY_LATIN1))),
		.parent = sv_put_le32(parent),
		.subkeys = sv_put_le32(NOWHERE),
		.volatile_subkeys = sv_put_le32(NOWHERE),
		.values = sv_put_le32(NOWHERE),
		.security = sv_put_le32(NOWHERE),
		.class_name = sv_put_le32(NOWHERE),
		.name_size = sv_put_le16(name_size)};

	memcpy(cell, &k, sizeof k);
	memcpy(cell + sizeof k, name, name_size);
	return put_cell(b, cell, sizeof k + name_size);
}

static inline uint32_t put_key(struct build *b, uint32_t parent, const char *name)
{
	return put_key_named(b, parent, name, (uint16_t)strlen(name), false, 0);
}

/* "lf", "lh": with four bytes of hash; "li", "ri": without. */
static inline uint32_t put_list(
	struct build *b, const char *kind, const uint32_t *cells, uint16_t n)
{
	size_t step = strcmp(kind, "lf") == 0 || strcmp(kind, "lh") == 0 ? 8 : 4;
	uint8_t list[2048] = {0};

	memcpy(list, kind, 2);
	sv_store_le16(list + 2, n);
	for (uint16_t i = 0; i < n; i++)
		sv_store_le32(list + 4 + i * step, cells[i]);
	return put_cell(b, list, 4 + n * step);
}

static inline void set_subkeys(struct build *b, uint32_t key, uint32_t list, uint32_t n)
{
	sv_store_le32(at(b, key) + offsetof(struct sv_regf_disk_key, n_subkeys), n);
	sv_store_le32(at(b, key) + offsetof(struct sv_regf_disk_key, subkeys), list);
}

static inline void set_values(struct build *b, uint32_t key, const uint32_t *cells, uint32_t n)
{
	uint8_t list[1024];

	for (uint32_t i = 0; i < n; i++)
		sv_store_le32(list + 4 * i, cells[i]);
	sv_store_le32(at(b, key) + offsetof(struct sv_regf_disk_key, n_values), n);
	sv_store_le32(at(b, key) + offsetof(struct sv_regf_disk_key, values),
		put_cell(b, list, 4 * n));
}

static inline uint32_t put_vk(
	struct build *b, const char *name, uint32_t type, uint32_t size, uint32_t data)
{
	uint8_t cell[256] = {0};
	struct sv_regf_disk_value v = {.signature = {'v', 'k'},
		.name_size = sv_put_le16((uint16_t)strlen(name)),
		.data_size = sv_put_le32(size),
		.data = sv_put_le32(data),
		.type = sv_put_le32(type),
		.flags = sv_put_le16(*name ? SV_REGF_VALUE_LATIN1 : 0)};

	memcpy(cell, &v, sizeof v);
	memcpy(cell + sizeof v, name, strlen(name));
	return put_cell(b, cell, sizeof v + strlen(name));
}

static inline uint32_t put_value(
	struct build *b, const char *name, uint32_t type, const void *data, uint32_t n)
{
	uint32_t word = 0;

	if (n > 4)
		return put_vk(b, name, type, n, put_cell(b, data, n));
	memcpy(&word, data, n);
	return put_vk(b, name, type, n | SV_REGF_INLINE, le32toh(word));
}

/* An sk cell that lets everybody do everything: only other readers want one. */
static inline void put_security(struct build *b, uint32_t key)
{
	static const uint8_t descriptor[20] = {1, 0, 0, 0x80};
	uint32_t sk = b->used;
	uint8_t cell[20 + sizeof descriptor] = {'s', 'k'};

	sv_store_le32(cell + 4, sk);
	sv_store_le32(cell + 8, sk);
	sv_store_le32(cell + 12, 1);
	sv_store_le32(cell + 16, sizeof descriptor);
	memcpy(cell + 20, descriptor, sizeof descriptor);
	put_cell(b, cell, sizeof cell);
	sv_store_le32(at(b, key) + offsetof(struct sv_regf_disk_key, security), sk);
}

/* A hive of version 1.5 with a root without subkeys. */
static inline struct build *build_new(void)
{
	struct build *b = calloc(1, sizeof *b);
	struct sv_regf_disk_base base = {.signature = {'r', 'e', 'g', 'f'},
		.sequence1 = sv_put_le32(7),
		.sequence2 = sv_put_le32(7),
		.major = sv_put_le32(1),
		.minor = sv_put_le32(5),
		.format = sv_put_le32(1),
		.bins_size = sv_put_le32(BINS_SIZE),
		.clustering = sv_put_le32(1)};
	struct sv_regf_disk_bin bin = {
		.signature = {'h', 'b', 'i', 'n'}, .size = sv_put_le32(BINS_SIZE)};

	assert_non_null(b);
	memcpy(b->bytes + SV_REGF_BINS_AT, &bin, sizeof bin);
	b->used = sizeof bin;
	b->root = put_key_named(b, 0, "ROOT", 4, false, 0x000C);
	put_security(b, b->root);
	base.root = sv_put_le32(b->root);
	memcpy(b->bytes, &base, sizeof base);
	seal(b);
	return b;
}

/* Ends the bin with a free cell; the bytes are those of the file. */
static inline void build_end(struct build *b)
{
	if (b->used < BINS_SIZE)
		sv_store_le32(b->bytes + SV_REGF_BINS_AT + b->used, BINS_SIZE - b->used);
}

static inline int open_bytes(
	const void *bytes, size_t n, struct sv_hive **ret, struct sv_err *err)
{
	struct sv_dev *dev = sv_mem_open(bytes, n, true, "HIVE", err);
	int rc = dev ? sv_hive_open(dev, NULL, ret, err) : -1;

	sv_dev_close(dev);
	return rc;
}

static inline int build_try_open(struct build *b, struct sv_hive **ret, struct sv_err *err)
{
	build_end(b);
	return open_bytes(b->bytes, sizeof b->bytes, ret, err);
}

static inline struct sv_hive *build_open(struct build *b)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive *h = NULL;

	assert_ok(build_try_open(b, &h, &err));
	return h;
}

/* offset in the file of a byte of a cell */
static inline uint64_t where(uint32_t cell, uint64_t off)
{
	return SV_REGF_BINS_AT + cell + 4 + off;
}

#endif
