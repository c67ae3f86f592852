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
#define SV_REGF_NOWHERE   UINT32_MAX

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
	uint8_t reserved[8];
	sv_le64 written; /* in the first bin only */
	uint8_t spare[4];
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

struct sv_regf_disk_security {
	char signature[2]; /* "sk" */
	uint8_t reserved[2];
	sv_le32 next, previous, refs;
	sv_le32 size; /* of the descriptor, which follows */
};
static_assert(sizeof(struct sv_regf_disk_security) == 20, "key security");

struct sv_regf_disk_big {  /* data of more than SV_REGF_SEGMENT bytes, since version 1.4 */
	char signature[2]; /* "db" */
	sv_le16 n;
	sv_le32 list; /* a cell of n offsets of segments */
};
static_assert(sizeof(struct sv_regf_disk_big) == 8, "big data");

enum {
	SV_REGF_KEY_ROOT = 0x0004, /* flags of a key */
	SV_REGF_KEY_LATIN1 = 0x0020,
	SV_REGF_KEY_HANDLE = 0x0040,     /* its number of values is a handle: it has none */
	SV_REGF_VALUE_LATIN1 = 0x0001,   /* flags of a value */
	SV_REGF_KEY_CELL_MIN = 80,       /* smallest cell of a key node */
	SV_REGF_SEGMENT = 16344,         /* bytes of a segment of big data */
	SV_REGF_NAME_MAX = 65535,        /* bytes: lengths have 16 bits */
	SV_REGF_SECURITY_MAX = 64 << 10, /* bytes of a descriptor, as Windows allows */
};
#define SV_REGF_INLINE UINT32_C(0x80000000)

/* ---- the base block ---- */

enum sv_regf_type { SV_REGF_PRIMARY = 0, SV_REGF_LOG_OLD = 1, SV_REGF_LOG_NEW = 6 };

struct sv_regf_base {
	uint32_t sequence1, sequence2;
	uint64_t written; /* FILETIME */
	uint32_t minor;
	uint32_t type; /* enum sv_regf_type, or another number */
	uint32_t root;
	uint32_t bins_size;
	bool checksum_ok;
};

/*
 * SV_CORRUPT where it is no base block; a wrong checksum alone is no error, but told. Offsets
 * of errors count from `bytes`, here and in all parsers below.
 */
int sv_regf_parse_base(
	const uint8_t bytes[SV_REGF_BASE_SIZE], struct sv_regf_base *ret, struct sv_err *err);
uint32_t sv_regf_checksum(const uint8_t bytes[SV_REGF_BASE_SIZE]);

/* ---- cells ---- */

/* A name as it lies in the hive: `n` units of one byte (Latin-1) or two (UTF-16). */
struct sv_regf_name {
	const uint8_t *bytes;
	size_t n;
	bool wide;
};

struct sv_regf_key {
	uint16_t flags;
	uint64_t written; /* FILETIME */
	uint32_t parent;
	uint32_t n_subkeys, subkeys;
	uint32_t n_values, values;
	uint32_t security;
	uint32_t class_name;
	uint16_t class_size;      /* bytes */
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

int sv_regf_parse_key(
	const uint8_t *bytes, size_t n, struct sv_regf_key *ret, struct sv_err *err);
int sv_regf_parse_value(
	const uint8_t *bytes, size_t n, struct sv_regf_value *ret, struct sv_err *err);
/* A self-relative security descriptor as SDDL ([MS-DTYP] 2.5.1). Caller frees. */
char *sv_regf_parse_security(const uint8_t *bytes, size_t n, struct sv_err *err);

/* ---- the open hive ---- */

struct sv_regf_pages;

struct sv_hive {
	struct sv_dev *dev; /* the hive with what was in its logs */
	struct sv_regf_pages *pages;
	struct sv_regf_base base;
	struct sv_hive_state state;
};

struct sv_regf_pages *sv_regf_pages_new(struct sv_dev *dev, struct sv_err *err);
void sv_regf_pages_free(struct sv_regf_pages *c);
/* n bytes at `at` of the file, through the pages that are held. */
int sv_regf_read(const struct sv_hive *h, uint64_t at, void *buf, size_t n, struct sv_err *err);
/*
 * Takes `cost` bytes from what may be taken of this hive as long as it is open: many times what
 * it has, so that only who goes in circles in it comes to the end.
 */
int sv_regf_spend(const struct sv_hive *h, uint64_t cost, uint64_t at, struct sv_err *err);

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

/*
 * The first error of a listing that goes on in spite of it: false where it must not go on
 * (no memory, cancelled).
 */
bool sv_regf_goes_on(struct sv_err *first, const struct sv_err *why);

/* ---- names ---- */

uint16_t sv_regf_upcase(uint16_t c);
/* Caller frees; NULL when out of memory. */
char *sv_regf_name_text(const struct sv_regf_name *name);

/* A name that is looked for: UTF-16 in upper case. */
struct sv_regf_wanted {
	uint16_t *units; /* owned */
	size_t n;
	bool ascii;
	uint32_t hash; /* as in "lh" */
};
int sv_regf_wanted(const char *text, size_t n, struct sv_regf_wanted *ret, struct sv_err *err);
void sv_regf_wanted_free(struct sv_regf_wanted *w);
bool sv_regf_name_is(const struct sv_regf_name *name, const struct sv_regf_wanted *w);

/* ---- lists of subkeys ---- */

/* 0: go on, another number: stop. */
typedef int (*sv_regf_subkey_fn)(
	void *user, sv_hive_key key, const struct sv_regf_node *node, struct sv_err *err);
/*
 * Every subkey of `key` that can be reached; with `wanted` only those that can have that name
 * (their hashes tell). Damage does not stop it: the first is raised at the end. What ends it:
 * a list gives no more keys than its node promises, and a key hangs below the parent that it
 * names.
 */
int sv_regf_each_subkey(const struct sv_hive *h, sv_hive_key key,
	const struct sv_regf_wanted *wanted, sv_regf_subkey_fn fn, void *user,
	struct sv_err *err);

struct sv_regf_keys {
	sv_hive_key *v; /* owned */
	size_t n, cap;
};
/* The subkeys in the order of the list, each once; with damage, those that can be read. */
int sv_regf_subkeys(
	const struct sv_hive *h, sv_hive_key key, struct sv_regf_keys *ret, struct sv_err *err);
void sv_regf_keys_free(struct sv_regf_keys *k);
#define sv_autokeys SV_CLEANUP(sv_regf_keys_free)

/* ---- logs ---- */

enum {
	SV_REGF_LOGS = 3,
	SV_REGF_ENTRY_HEAD = 40,
	SV_REGF_ENTRY_MAX = 256 << 20, /* bytes of a log entry */
};
/* Sectors of all logs together: 256 MiB of them, known in 24 MiB of memory. */
#define SV_REGF_PATCHES_MAX (1u << 19)

struct sv_regf_patch {
	uint64_t at;     /* in the hive's file */
	uint64_t log_at; /* where the bytes lie */
	uint32_t n;      /* whole sectors */
	uint8_t log;     /* which log */
};

struct sv_regf_patches {
	struct sv_regf_patch *v; /* owned; later ones go over earlier ones */
	size_t n, cap;
};
void sv_regf_patches_free(struct sv_regf_patches *p);

struct sv_regf_entry {
	uint32_t size;
	uint32_t sequence;
	uint32_t bins_size;
	uint32_t n_pages;
	uint64_t hash; /* of what follows the head */
};
/* The head of a log entry ("HvLE"); its own hash is checked. */
int sv_regf_parse_entry(
	const uint8_t bytes[SV_REGF_ENTRY_HEAD], struct sv_regf_entry *ret, struct sv_err *err);
/* Its references to pages (8 bytes each): appends patches of log `log`, where the bytes of the
 * pages begin at `data_at` and the entry ends at `end`. */
int sv_regf_parse_pages(const uint8_t *refs, const struct sv_regf_entry *e, uint8_t log,
	uint64_t data_at, uint64_t end, struct sv_regf_patches *patches, struct sv_err *err);
/* The bitmap behind "DIRT": appends a patch for each sector whose bit is set. */
int sv_regf_parse_dirt(const uint8_t *bitmap, size_t n, uint8_t log, uint64_t data_at,
	uint64_t end, struct sv_regf_patches *patches, struct sv_err *err);

/* Marvin32, piece by piece. */
struct sv_marvin {
	uint32_t low, high;
	uint8_t rest[4];
	size_t n_rest;
};
void sv_marvin_begin(struct sv_marvin *m, uint64_t seed);
void sv_marvin_add(struct sv_marvin *m, const void *bytes, size_t n);
uint64_t sv_marvin_end(struct sv_marvin *m);
uint64_t sv_marvin32(uint64_t seed, const void *bytes, size_t n);
void sv_regf_hash_begin(struct sv_marvin *m); /* with the seed of log entries */

/* A device of `size` bytes that reads patches from the logs, and all else from the hive. Takes
 * references of its own. */
struct sv_dev *sv_regf_redirect(struct sv_dev *hive, uint64_t size,
	struct sv_dev *const logs[SV_REGF_LOGS], const struct sv_regf_patches *patches,
	struct sv_err *err);

/*
 * Reads the logs that fit a dirty hive with this base block (its `checksum_ok` is false where
 * it is worth nothing) and gives a device that shows the hive with what they hold; *base
 * becomes what it is then. Where nothing can be applied *ret stays as it is. What was done, and
 * what could not be, is told in *state.
 */
int sv_regf_replay(struct sv_dev *hive, const struct sv_hive_logs *logs,
	struct sv_regf_base *base, struct sv_hive_state *state, struct sv_dev **ret,
	struct sv_err *err);
/* Appends a sentence to state->problem. */
__attribute__((format(printf, 2, 3))) void sv_regf_problem(
	struct sv_hive_state *state, const char *fmt, ...);

#endif
