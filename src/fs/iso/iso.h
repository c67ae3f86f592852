/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading ISO 9660 (ECMA-119) with Rock Ridge (IEEE P1282 over SUSP P1281) or Joliet names:
 * what the files of this folder share. Private to the fs room.
 *
 * An object's number is where its directory record lies on the volume, in bytes; of the root it
 * is the record in the volume descriptor.
 */
#ifndef SV_FS_ISO_ISO_H
#define SV_FS_ISO_ISO_H

#include "fs/driver.h"

#define SV_ISO_SECTOR     2048u
#define SV_ISO_RECORD_MAX 255u
#define SV_ISO_NAME_MAX   255u
#define SV_ISO_LINK_MAX   4095u
/* Folders larger than this have been made to keep a reader busy: 1.6 million names. */
#define SV_ISO_FOLDER_MAX (UINT64_C(256) << 20)

enum sv_iso_names { SV_ISO_PLAIN, SV_ISO_ROCK_RIDGE, SV_ISO_JOLIET };

/* What a record's system use tells (Rock Ridge); gathered over its continuations. */
struct sv_iso_more {
	char name[SV_ISO_NAME_MAX + 1];
	unsigned name_len;
	bool has_name;
	char link[SV_ISO_LINK_MAX + 1];
	unsigned link_len;
	bool link_goes_on; /* the last component is not whole */
	bool is_link;
	bool has_mode;
	uint32_t mode, nlink, uid, gid, dev_major, dev_minor;
	struct sv_fs_time mtime, atime, ctime, born;
	bool has_mtime, has_atime, has_ctime, has_born;
	bool relocated;      /* RE: the folder is shown elsewhere */
	uint32_t child;      /* CL: the block of the folder that this stands for; 0: none */
	bool packed;         /* ZF: content is compressed */
	uint32_t next_block; /* CE: where system use goes on; 0: nowhere */
	uint32_t next_off, next_len;
	bool susp; /* SP was met */
	unsigned skip;
};

struct sv_iso_record {
	uint8_t len;
	uint32_t block; /* of the first byte of content */
	uint32_t size;
	bool dir, hidden, goes_on; /* goes_on: the next record is of the same file */
	bool interleaved;
	struct sv_fs_time time;
	uint8_t name[SV_ISO_NAME_MAX];
	unsigned name_len;
	uint8_t use[SV_ISO_RECORD_MAX]; /* system use */
	unsigned use_len;
};

/* Pure. A record of n bytes at most; SV_CORRUPT where it cannot be one. */
int sv_iso_parse_record(
	const uint8_t *bytes, size_t n, struct sv_iso_record *ret, struct sv_err *err);
/* Pure. Adds what the system use says; m->next_block is set where it goes on elsewhere. */
int sv_iso_parse_use(const uint8_t *bytes, size_t n, struct sv_iso_more *m, struct sv_err *err);

struct sv_iso {
	struct sv_fs fs;
	struct sv_dev *dev; /* a cache above the volume */
	enum sv_iso_names names;
	uint32_t block;   /* bytes */
	uint64_t blocks;  /* of the volume */
	uint64_t root_at; /* the root's record */
	unsigned skip;    /* bytes before each record's system use */
	bool short_image; /* the volume ends before its file system does */
};

static inline struct sv_iso *sv_iso_of(struct sv_fs *fs)
{
	return (struct sv_iso *)fs;
}

/* An object with everything that is known of it. */
struct sv_iso_object {
	struct sv_iso_record record;
	struct sv_iso_more more;
	uint64_t size;    /* of all its pieces */
	uint64_t records; /* bytes from its first record to behind its last */
};

/* dir.c */
int sv_iso_object(struct sv_iso *v, uint64_t at, struct sv_iso_object *ret, struct sv_err *err);
/* The record behind that of a file which goes on: *at moves there. */
int sv_iso_next_piece(
	struct sv_iso *v, uint64_t *at, struct sv_iso_record *r, struct sv_err *err);
#define SV_ISO_PIECES_MAX 1024u
void sv_iso_stat_of(const struct sv_iso *v, uint64_t at, const struct sv_iso_object *o,
	struct sv_fs_stat *ret);
typedef int (*sv_iso_entry_fn)(
	void *user, const char *name, bool lossy, uint64_t at, const struct sv_iso_object *o);
/* Damage does not stop it; it is raised at the end. "." and ".." are left out. */
int sv_iso_each(struct sv_iso *v, const struct sv_iso_object *dir, sv_iso_entry_fn fn,
	void *user, struct sv_err *err);
int sv_iso_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err);
int sv_iso_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err);
/* walk.c */
int sv_iso_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err);
/* data.c */
int sv_iso_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);
int sv_iso_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err);

#endif
