/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An NTFS volume as growing sees it: the MFT records and the streams of the system's own files,
 * read and written in place with no cache and no library between. Independent of libntfs-3g
 * on purpose: what is written here is judged by that library afterwards, and the memory that
 * an open volume takes depends on the fragments of $MFT alone. Private to the fs room.
 */
#ifndef SV_FS_NTFS_RAW_VOL_H
#define SV_FS_NTFS_RAW_VOL_H

#include "fs/ntfs/raw_boot.h"
#include "fs/ntfs/raw_record.h"
#include "fs/ntfs/raw_runs.h"
#include "io/dev.h"

#define SV_NTFS_RAW_RUNS_MAX (1U << 20) /* of one system file: 24 MiB of runs */

/* The data of one attribute, all its parts joined. */
struct sv_ntfs_raw_stream {
	struct sv_ntfs_raw_run *runs; /* without a gap from vcn 0; NULL when resident */
	size_t count;
	size_t room;
	uint8_t *value; /* resident: a copy; else NULL */
	uint16_t flags; /* NTFS_ATTR_COMPRESSED, ... */
	uint64_t allocated, size, initialized;
};

struct sv_ntfs_raw_vol {
	struct sv_dev *dev; /* borrowed */
	struct sv_ntfs_raw_geometry geo;
	struct sv_ntfs_raw_stream mft;
	struct sv_ntfs_raw_stream mirror;
};

/* Boot sector, $MFT and $MFTMirr. `ret` is to be freed also after a failure. */
int sv_ntfs_raw_open_vol(struct sv_dev *dev, struct sv_ntfs_raw_vol *ret, struct sv_err *err);
void sv_ntfs_raw_free_vol(struct sv_ntfs_raw_vol *v);

/* An MFT record, unprotected and checked, into geo.record_size bytes. Not whether it is in
 * use. */
int sv_ntfs_raw_read_record(
	struct sv_ntfs_raw_vol *v, uint64_t number, uint8_t *record, struct sv_err *err);
/* Protects and writes it, to $MFTMirr too where that reaches; it is unprotected afterwards. */
int sv_ntfs_raw_write_record(
	struct sv_ntfs_raw_vol *v, uint64_t number, uint8_t *record, struct sv_err *err);

/* Where one part of an attribute is described. */
struct sv_ntfs_raw_part {
	uint64_t record;
	uint64_t lowest_vcn;
	uint16_t instance;
};

/*
 * All parts of the attribute (type, ASCII name) of file `number`, in order of vcn, through its
 * attribute list where it has one; *ret_count is 0 where there is no such attribute. Caller
 * frees *ret.
 */
int sv_ntfs_raw_find_parts(struct sv_ntfs_raw_vol *v, uint64_t number, uint32_t type,
	const char *name, struct sv_ntfs_raw_part **ret, size_t *ret_count, struct sv_err *err);
/* The attribute that a part names, in its record. */
int sv_ntfs_raw_find_part(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_part *part,
	uint32_t type, const char *name, const uint8_t *record, struct sv_ntfs_raw_attr *ret,
	struct sv_err *err);
/* The attribute that a part names, in its record, which is read into `record`. */
int sv_ntfs_raw_read_part(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_part *part,
	uint32_t type, const char *name, uint8_t *record, struct sv_ntfs_raw_attr *ret,
	struct sv_err *err);

/* The attribute list of the file whose base record this is: 1, 0 where there is none, -1.
 * Caller frees the stream. */
int sv_ntfs_raw_load_list(struct sv_ntfs_raw_vol *v, const uint8_t *record,
	struct sv_ntfs_raw_stream *ret, struct sv_err *err);

/* Returns 1, 0 where the file has no such attribute, -1. Caller frees the stream. */
int sv_ntfs_raw_open_stream(struct sv_ntfs_raw_vol *v, uint64_t number, uint32_t type,
	const char *name, struct sv_ntfs_raw_stream *ret, struct sv_err *err);
void sv_ntfs_raw_free_stream(struct sv_ntfs_raw_stream *s);
int sv_ntfs_raw_add_run(
	struct sv_ntfs_raw_stream *s, struct sv_ntfs_raw_run run, struct sv_err *err);

/* Up to `max` bytes of a mapped stream from off on lie together on the volume: there
 * (SV_NO_HOST_OFFSET for a hole), that many. */
int sv_ntfs_raw_map(const struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *s,
	uint64_t off, uint64_t max, uint64_t *ret_at, uint64_t *ret_length, struct sv_err *err);

/* Exactly n bytes of the data; holes and what lies beyond `initialized` are zeros. */
int sv_ntfs_raw_read_stream(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *s,
	void *buf, size_t n, uint64_t off, struct sv_err *err);
/* Mapped streams only, within what is allocated, never a hole. */
int sv_ntfs_raw_write_stream(struct sv_ntfs_raw_vol *v, const struct sv_ntfs_raw_stream *s,
	const void *buf, size_t n, uint64_t off, struct sv_err *err);

#endif
