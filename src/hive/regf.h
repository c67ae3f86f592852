/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The parts of a hive as they lie in the file, and the pure parsers of each. Offsets of cells
 * count from the first hive bin, which follows the base block at 4096. Not for other rooms.
 */
#ifndef SV_HIVE_REGF_H
#define SV_HIVE_REGF_H

#include "base/endian.h"
#include "hive/hive.h"
#include "io/dev.h"

#include <assert.h>

#define SV_REGF_BINS_AT   4096 /* where the first hive bin lies in the file */
#define SV_REGF_BASE_SIZE 512  /* what is used of the base block before it */

struct sv_regf_disk_base {
	char signature[4]; /* "regf" */
	sv_le32 sequence1, sequence2;
	sv_le64 written;
	sv_le32 major, minor;
	sv_le32 type, format;
	sv_le32 root;
	sv_le32 bins_size;
	sv_le32 clustering;
	uint8_t name[64];
	uint8_t reserved[396];
	sv_le32 checksum; /* XOR of the words before it; never 0 nor 0xFFFFFFFF */
};
static_assert(sizeof(struct sv_regf_disk_base) == SV_REGF_BASE_SIZE, "base block");
static_assert(offsetof(struct sv_regf_disk_base, checksum) == 508, "checksum");

struct sv_regf_disk_bin {
	char signature[4]; /* "hbin" */
	sv_le32 offset, size;
	uint8_t reserved[20];
};
static_assert(sizeof(struct sv_regf_disk_bin) == 32, "hive bin");

struct sv_regf_disk_key {
	char signature[2]; /* "nk" */
	sv_le16 flags;
	sv_le64 written;
	sv_le32 access;
	sv_le32 parent;
	sv_le32 n_subkeys, n_volatile;
	sv_le32 subkeys, volatile_subkeys;
	sv_le32 n_values, values;
	sv_le32 security, class_name;
	sv_le32 max_sizes[4];
	sv_le32 work;
	sv_le16 name_size, class_size; /* bytes; the name follows */
};
static_assert(sizeof(struct sv_regf_disk_key) == 76, "key node");

struct sv_regf_disk_value {
	char signature[2]; /* "vk" */
	sv_le16 name_size;
	sv_le32 data_size; /* the top bit: the data are in `data` itself */
	sv_le32 data;
	sv_le32 type;
	sv_le16 flags;
	sv_le16 spare;
};
static_assert(sizeof(struct sv_regf_disk_value) == 20, "key value");

struct sv_regf_disk_big {  /* data of more than SV_REGF_SEGMENT bytes, since version 1.4 */
	char signature[2]; /* "db" */
	sv_le16 n;
	sv_le32 list; /* a cell of n offsets of segments */
};
static_assert(sizeof(struct sv_regf_disk_big) == 8, "big data");

enum {
	SV_REGF_KEY_LATIN1 = 0x0020,   /* flags of a key */
	SV_REGF_VALUE_LATIN1 = 0x0001, /* flags of a value */
	SV_REGF_KEY_CELL_MIN = 80,     /* smallest cell of a key node */
	SV_REGF_SEGMENT = 16344,       /* bytes of a segment of big data */
	SV_REGF_NAME_MAX = 65535,      /* bytes: its length has 16 bits */
};
#define SV_REGF_INLINE UINT32_C(0x80000000)

struct sv_regf_base {
	uint32_t sequence1, sequence2;
	uint32_t minor;
	uint32_t root;
	uint32_t bins_size;
};

/* A name as it lies in the hive: `n` units of one byte (Latin-1) or two (UTF-16). */
struct sv_regf_name {
	const uint8_t *bytes;
	size_t n;
	bool wide;
};

struct sv_regf_key {
	uint32_t parent;
	uint32_t n_subkeys, subkeys;
	uint32_t n_values, values;
	struct sv_regf_name name; /* points into the cell */
};

struct sv_regf_value {
	uint32_t size; /* of the data, without the top bit */
	bool is_inline;
	uint8_t inline_bytes[4];
	uint32_t data; /* cell, where not inline */
	uint32_t type;
	struct sv_regf_name name;
};

/* Offsets of their errors count from `bytes`. */
int sv_regf_parse_base(const uint8_t bytes[SV_REGF_BASE_SIZE], uint64_t file_size,
	struct sv_regf_base *ret, struct sv_err *err);
int sv_regf_parse_key(
	const uint8_t *bytes, size_t n, struct sv_regf_key *ret, struct sv_err *err);
int sv_regf_parse_value(
	const uint8_t *bytes, size_t n, struct sv_regf_value *ret, struct sv_err *err);

/* ---- the open hive ---- */

struct sv_regf_pages;

struct sv_hive {
	struct sv_dev *dev;
	struct sv_regf_pages *pages;
	struct sv_regf_base base;
};

struct sv_regf_pages *sv_regf_pages_new(struct sv_dev *dev, struct sv_err *err);
void sv_regf_pages_free(struct sv_regf_pages *c);
/* n bytes at `at` of the file, through the pages that are held. */
int sv_regf_read(const struct sv_hive *h, uint64_t at, void *buf, size_t n, struct sv_err *err);

struct sv_regf_cell {
	uint8_t *bytes; /* behind the size field; owned */
	size_t n;       /* of them; the cell may have more */
	uint64_t at;    /* of `bytes` in the file */
};
void sv_regf_cell_free(struct sv_regf_cell *c);
#define sv_autocell SV_CLEANUP(sv_regf_cell_free)

/* The first `most` bytes (fewer where it is smaller) of an allocated cell that has at least
 * `least`. */
int sv_regf_cell(const struct sv_hive *h, uint32_t offset, size_t least, size_t most,
	struct sv_regf_cell *ret, struct sv_err *err);

struct sv_regf_node {
	struct sv_regf_cell cell;
	struct sv_regf_key key; /* its name points into the cell */
};
void sv_regf_node_free(struct sv_regf_node *n);
#define sv_autonode SV_CLEANUP(sv_regf_node_free)
int sv_regf_load_key(
	const struct sv_hive *h, sv_hive_key key, struct sv_regf_node *ret, struct sv_err *err);

/* ---- names ---- */

/* Caller frees; NULL when out of memory. */
char *sv_regf_name_text(const struct sv_regf_name *name);
/* Equal without case to the n bytes of UTF-8 at `text`? */
bool sv_regf_name_is(const struct sv_regf_name *name, const char *text, size_t n);

/*
 * Takes `cost` bytes from what one walk may look at: each byte of a hive belongs to one thing
 * only, so that a walk that has seen more than all of them goes in circles.
 */
int sv_regf_spend(uint64_t *budget, uint64_t cost, uint64_t at, struct sv_err *err);

#endif
