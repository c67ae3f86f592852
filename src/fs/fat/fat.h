/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading FAT12, FAT16, FAT32 and exFAT: what the files of this folder share. Private to the
 * fs room.
 *
 * These file systems have no inodes. An object's number is where its entry lies on the volume,
 * in units of 32 bytes, with the lowest bit telling whether the folder around it is contiguous
 * (exFAT: an entry that goes on in the folder's next cluster can then be followed).
 */
#ifndef SV_FS_FAT_FAT_H
#define SV_FS_FAT_FAT_H

#include "fs/driver.h"
#include "fs/fat/boot.h"

#define SV_FAT_ENTRY    32
#define SV_FAT_ROOT_INO 1
#define SV_FAT_NAME_MAX 255 /* UTF-16 units */
/* Folders larger than the formats allow have been made to keep a reader busy. */
#define SV_FAT_FOLDER_MAX (UINT64_C(256) << 20)

/* Where an object's bytes lie: a chain, a contiguous run, or FAT16's fixed root. */
struct sv_fat_chain {
	uint32_t first;  /* 0: it has no clusters */
	bool contiguous; /* exFAT: the FAT does not list it */
	bool fixed_root;
	uint64_t size; /* bytes; of a folder of FAT: as long as its chain is */
};

struct sv_fat_object {
	struct sv_fs_stat st;
	struct sv_fat_chain chain;
	uint64_t valid; /* exFAT: bytes that were written; the rest reads as zeros */
};

struct sv_fat {
	struct sv_fs fs;
	struct sv_dev *dev; /* a cache above the volume */
	struct sv_fat_boot boot;
	uint16_t *upcase; /* exFAT: 65,536 units; NULL: only letters of ASCII fold */
	char label[64];   /* UTF-8 */
	uint32_t bitmap;  /* exFAT: its first cluster */
	uint64_t bitmap_size;
	char warning[128];
	/* where the last walk along a chain ended */
	uint32_t walk_first, walk_cluster;
	uint64_t walk_index;
};

static inline struct sv_fat *sv_fat_of(struct sv_fs *fs)
{
	return (struct sv_fat *)fs;
}

/* ---- clusters: chain.c ---- */

/* A piece of an object: `len` bytes from `off` on lie at `at` on the volume. */
struct sv_fat_run {
	uint64_t off, at, len;
};
/* The run that holds byte `off`, from there on, at most `max` long; len 0: the chain ends
 * before. SV_CORRUPT for a link to no cluster, or a chain longer than the volume. */
int sv_fat_run_at(struct sv_fat *v, const struct sv_fat_chain *c, uint64_t off, uint64_t max,
	struct sv_fat_run *ret, struct sv_err *err);
/* The FAT's entry for a cluster: the next one, 0 for the end. */
int sv_fat_next(struct sv_fat *v, uint32_t cluster, uint32_t *ret, struct sv_err *err);
int sv_fat_count_free(struct sv_fat *v, uint64_t *ret_clusters, struct sv_err *err);

/* ---- entries: entry.c (FAT), exentry.c (exFAT) ---- */

struct sv_fat_entry {
	struct sv_fat_object object; /* st.ino is set */
	uint16_t name[SV_FAT_NAME_MAX + 1];
	unsigned name_len;
	uint16_t alias[13]; /* FAT: the short name, where there is a long one */
	unsigned alias_len;
};

/* Collects long names while a FAT folder is read. */
struct sv_fat_long {
	uint16_t name[SV_FAT_NAME_MAX + 6];
	unsigned len, expect; /* expect: the number of the next piece; 0: none was begun */
	uint8_t sum;
	bool ready;
};

enum sv_fat_found {
	SV_FAT_NOTHING, /* free, or a piece of a name */
	SV_FAT_OBJECT,
	SV_FAT_LABEL, /* the name is the volume's label */
	SV_FAT_BITMAP,
	SV_FAT_UPCASE, /* exFAT: the chain is theirs */
	SV_FAT_END,
};

/* Pure. 32 bytes of a FAT folder; `l` is kept from entry to entry. */
enum sv_fat_found sv_fat_parse_entry(const uint8_t *bytes, enum sv_fat_kind kind,
	struct sv_fat_long *l, struct sv_fat_entry *ret);
/* Pure. A set of exFAT entries: n bytes from the first on, of which *ret_used were taken (32
 * at least). SV_CORRUPT for a set that is damaged, which is passed over as a whole. */
int sv_fat_parse_set(const uint8_t *bytes, size_t n, enum sv_fat_found *ret_found,
	struct sv_fat_entry *ret, size_t *ret_used, struct sv_err *err);
/* A date in the upper half and a time of day in the lower; hundredths of a second beside it.
 * The formats count from 1980; without a date it is 0. */
struct sv_fs_time sv_fat_time(uint32_t stamp, unsigned hundredths);
/* How many bytes the set that begins with these 32 has. */
size_t sv_fat_set_size(const uint8_t *bytes);

/* ---- folders: dir.c ---- */

/* Non-zero stops, and is returned. */
typedef int (*sv_fat_entry_fn)(
	void *user, enum sv_fat_found found, const struct sv_fat_entry *e);
/* Damage does not stop it; it is raised at the end. "." and ".." are left out. */
int sv_fat_each_entry(struct sv_fat *v, const struct sv_fat_object *dir, uint64_t dir_ino,
	sv_fat_entry_fn fn, void *user, struct sv_err *err);
int sv_fat_object(
	struct sv_fat *v, uint64_t ino, struct sv_fat_object *ret, struct sv_err *err);
/* UTF-8 of a name; *ret_lossy where it could not be kept. Caller frees. */
char *sv_fat_name_utf8(const uint16_t *name, unsigned n, bool *ret_lossy);

int sv_fat_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err);
int sv_fat_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err);
/* walk.c */
int sv_fat_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err);

/* ---- data.c ---- */

int sv_fat_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);
int sv_fat_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err);

#endif
