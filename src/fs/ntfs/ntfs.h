/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reading NTFS: what the ntfs_*.c files share. Private to the fs room.
 *
 * The reader is code of our own, not libntfs-3g: it must name the offset of what is wrong, be
 * fuzzed as a whole, never hang on a hostile volume, read in large pieces, and still read a
 * volume that the library refuses to mount. It never writes.
 *
 * The decoding of boot sector, records and runs is shared with growing (raw_*.h). Layers on
 * top of it: parse_* functions are pure (bytes in, host types out, offsets in errors relative
 * to the bytes); a record or an index block is loaded and its errors then get the volume's name
 * and offset; a stream is an attribute with its runs gathered over all records.
 */
#ifndef SV_FS_NTFS_H
#define SV_FS_NTFS_H

#include "fs/driver.h"
#include "fs/ntfs/raw_boot.h"
#include "fs/ntfs/raw_disk.h"
#include "fs/ntfs/raw_record.h"
#include "fs/ntfs/raw_runs.h"
#include "io/dev.h"

#include <string.h>

#define SV_NTFS_BLOCK_MAX NTFS_RECORD_MAX /* largest INDX block that is believed, too */

/* ---- FILE records: ntfs_record.c ---- */

struct sv_ntfs_record {
	uint8_t *bytes; /* unprotected; owned where it was loaded */
	size_t size;
	uint16_t sequence;
	uint64_t base; /* reference, 0 in a base record */
	bool in_use, is_dir;
};

/*
 * Undoes the update sequence of a FILE record in place and checks all of it: the header, and
 * every attribute with its name, value and runs lying inside. Keeps a pointer to bytes.
 */
int sv_ntfs_parse_record(
	uint8_t *bytes, size_t n, struct sv_ntfs_record *ret, struct sv_err *err);

/* The next attribute; begin with a zeroed *a. False at the end. Cannot fail on a record that
 * was parsed. */
bool sv_ntfs_next_attr(const struct sv_ntfs_record *r, struct sv_ntfs_raw_attr *a);
/* The first part of the attribute of a type with this name (UTF-16LE) in this very record. */
bool sv_ntfs_find_attr(const struct sv_ntfs_record *r, uint32_t type, const uint8_t *name,
	unsigned name_len, struct sv_ntfs_raw_attr *ret);

/* A $FILE_NAME value, or the key of a directory's entry. */
struct sv_ntfs_name {
	uint64_t parent; /* reference */
	uint64_t size;
	uint32_t attributes, reparse_tag;
	uint8_t space;
	const uint8_t *name; /* UTF-16LE, unaligned */
	unsigned name_len;
};
int sv_ntfs_parse_name(
	const uint8_t *bytes, size_t n, struct sv_ntfs_name *ret, struct sv_err *err);

/* ---- where a stream lies: ntfs_runs.c ---- */

/* At most so many runs of one stream (96 MiB of memory). Windows' limit on attribute lists
 * (256 KiB) keeps real files below 2 million fragments. */
#define SV_NTFS_RUNS_MAX (4u << 20)

struct sv_ntfs_runs {
	struct sv_ntfs_raw_run *v; /* in order of VCN, without gaps, neighbours joined */
	size_t n, cap;
	uint64_t end;       /* VCN after the last run */
	uint64_t allocated; /* clusters that are no holes */
};

/*
 * Appends decoded mapping pairs, which must describe exactly [runs->end, end) and lie on a
 * volume of `clusters`; no stream may hold more clusters than the volume has. On failure the
 * runs added so far stay.
 */
int sv_ntfs_runs_add(struct sv_ntfs_runs *runs, const uint8_t *pairs, size_t n, uint64_t end,
	uint64_t clusters, struct sv_err *err);
/* The run that holds this VCN; NULL where none does. */
const struct sv_ntfs_raw_run *sv_ntfs_runs_at(const struct sv_ntfs_runs *runs, uint64_t vcn);

/* ---- LZNT1: ntfs_lznt1.c ---- */

/* Fills out[0..out_n) from the packed bytes; what they do not give becomes zeros. */
int sv_ntfs_unpack(const uint8_t *in, size_t n, uint8_t *out, size_t out_n, struct sv_err *err);

/* ---- names: ntfs_name.c ---- */

#define SV_NTFS_NAME_MAX  255                        /* units */
#define SV_NTFS_NAME_UTF8 (SV_NTFS_NAME_MAX * 3 + 1) /* bytes with the NUL */

/* UTF-8 to UTF-16LE; false where it is not valid or longer than a name may be. */
bool sv_ntfs_name_from_utf8(
	const char *s, size_t n, uint8_t ret[2 * SV_NTFS_NAME_MAX], unsigned *ret_len);
/* Unpaired surrogates become U+FFFD; the result tells that one did. Never overflows when
 * len is at most SV_NTFS_NAME_MAX. */
bool sv_ntfs_name_to_utf8(const uint8_t *units, unsigned len, char ret[SV_NTFS_NAME_UTF8]);
/* The same units, whatever they mean? A name of length 0 may be NULL. */
static inline bool sv_ntfs_same_units(
	const uint8_t *a, unsigned a_len, const uint8_t *b, unsigned b_len)
{
	return a_len == b_len && (!a_len || !memcmp(a, b, 2 * a_len));
}
/* As the index orders names: by upper case, then (exact) by units. `upcase` has 65536. */
int sv_ntfs_name_compare(const uint16_t *upcase, const uint8_t *a, unsigned a_len,
	const uint8_t *b, unsigned b_len, bool exact);

/* ---- streams: ntfs_stream.c, ntfs_attr.c ---- */

/* Folders, records and small files are read in small pieces: 4 MiB of blocks of this. */
#define SV_NTFS_CACHE_BLOCK (64 * 1024)

struct sv_ntfs_stream {
	uint16_t flags;
	bool resident;
	uint8_t *value; /* resident */
	uint64_t size, initialized, allocated;
	unsigned unit; /* log2 of clusters; above 0 where packed */
	bool direct; /* large data: not read through the cache, in whose blocks they'd be few */
	struct sv_ntfs_runs runs;
	/* packed: two units of memory, and which unit lies unpacked in the first */
	uint8_t *plain;
	uint64_t plain_index;
	bool plain_valid;
};

struct sv_ntfs {
	struct sv_fs fs;
	struct sv_dev *dev; /* a cache above the volume (fs.volume) */
	struct sv_ntfs_raw_geometry geo;
	struct sv_ntfs_stream mft;
	bool from_mirror; /* a record was damaged and its copy in $MFTMirr was taken */
	uint16_t *upcase; /* 65536 units; read when first needed */
	/* the stream that was read last, kept open for reads that go on where one ended */
	struct sv_ntfs_stream last;
	uint64_t last_ino;
	char *last_name;         /* NULL: the unnamed one */
	struct sv_wof *last_wof; /* where its data are packed by Windows: wof.h */
	bool last_valid;
};

static inline struct sv_ntfs *sv_ntfs_of(struct sv_fs *fs)
{
	return (struct sv_ntfs *)fs;
}

/* Where byte `off` of a stream lies on the volume; 0 where that is unknown. For messages. */
uint64_t sv_ntfs_locate(const struct sv_ntfs *v, const struct sv_ntfs_stream *s, uint64_t off);
/* Gives an error that a pure function raised about bytes `delta` into a record its place. */
int sv_ntfs_blame(const struct sv_ntfs *v, uint64_t number, uint64_t delta, struct sv_err *err);

/* Loads a record that must be in use; one of the first four, where it is damaged, from its
 * copy in $MFTMirr. Extension records only with `extension`. */
int sv_ntfs_load(struct sv_ntfs *v, uint64_t number, bool extension, struct sv_ntfs_record *ret,
	struct sv_err *err);
void sv_ntfs_unload(struct sv_ntfs_record *r);
#define sv_autorecord SV_CLEANUP(sv_ntfs_unload)

/*
 * Opens a stream of an object whose base record is loaded; its runs are gathered from all
 * records. SV_NOTFOUND where there is none of that type and name (compared by units).
 */
int sv_ntfs_stream_open(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint32_t type, const uint8_t *name, unsigned name_len, struct sv_ntfs_stream *ret,
	struct sv_err *err);
void sv_ntfs_stream_close(struct sv_ntfs_stream *s);
#define sv_autostream SV_CLEANUP(sv_ntfs_stream_close)

/*
 * Reads up to n bytes at off: *ret_got is less only at the stream's end. Holes and what is
 * beyond the initialised size are zeros. SV_UNSUPPORTED for encrypted data.
 */
int sv_ntfs_stream_read(struct sv_ntfs *v, struct sv_ntfs_stream *s, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);
/* All of a small stream; caller frees. SV_CORRUPT above cap. */
void *sv_ntfs_stream_slurp(struct sv_ntfs *v, struct sv_ntfs_stream *s, size_t cap,
	size_t *ret_n, struct sv_err *err);

/* An entry of an attribute list. Pure: 1 for one, 0 at the end, -1 where it is wrong. */
struct sv_ntfs_list_entry {
	uint32_t type;
	const uint8_t *name;
	unsigned name_len;
	uint64_t lowest;
	uint64_t record; /* reference */
	uint16_t instance;
};
int sv_ntfs_next_list_entry(const uint8_t *list, size_t n, size_t *pos,
	struct sv_ntfs_list_entry *ret, struct sv_err *err);

/*
 * Calls fn for each attribute of an object, in its base record and in its extension records
 * (the attribute list itself is left out). `budget` (may be NULL) is lessened by the bytes of
 * the attribute list; SV_CORRUPT when it runs out.
 */
typedef int (*sv_ntfs_attr_fn)(void *user, const struct sv_ntfs_record *r,
	const struct sv_ntfs_raw_attr *a, struct sv_err *err);
int sv_ntfs_each_attr(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint64_t *budget, sv_ntfs_attr_fn fn, void *user, struct sv_err *err);

/* ---- folders: ntfs_index.c ---- */

/* Reads $UpCase into v->upcase where it is not there yet. */
int sv_ntfs_load_upcase(struct sv_ntfs *v, struct sv_err *err);

/* "$I30": the index of a folder's names. */
extern const uint8_t sv_ntfs_i30[8];

struct sv_ntfs_entry {
	uint64_t record; /* reference */
	bool last;       /* carries no name */
	bool has_child;
	uint64_t child; /* VCN of an INDX block */
	struct sv_ntfs_name key;
};

/* A node: its entries are bytes[pos, end). */
struct sv_ntfs_node {
	const uint8_t *bytes;
	size_t pos, end;
};
/* The header of a node that begins at `at` of n bytes. Pure. */
int sv_ntfs_parse_node(const uint8_t *bytes, size_t n, size_t at, struct sv_ntfs_node *ret,
	struct sv_err *err);
/* Pure: 1 for an entry, 0 after the last one, -1 where it is wrong. */
int sv_ntfs_next_entry(
	struct sv_ntfs_node *node, struct sv_ntfs_entry *ret, struct sv_err *err);

/* ---- what an object is: ntfs_stat.c ---- */

/* At most so many names of one file; Windows allows 1024. */
#define SV_NTFS_LINKS_MAX 4096

struct sv_ntfs_link {
	uint64_t parent; /* number */
	unsigned name_len;
	uint8_t name[2 * SV_NTFS_NAME_MAX];
};

struct sv_ntfs_object {
	struct sv_fs_stat st;
	struct sv_ntfs_link *links; /* the names that are no DOS names; owned, reused */
	size_t n_links, cap_links;
};
/* Gathers stat and names from all attributes of a loaded object; the memory of o->links is
 * kept from call to call. */
int sv_ntfs_describe(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint64_t *budget, struct sv_ntfs_object *o, struct sv_err *err);
void sv_ntfs_object_free(struct sv_ntfs_object *o);
enum sv_fs_type sv_ntfs_type_of(uint32_t reparse_tag, bool is_dir);

/* Interix's special files are ordinary ones that begin with one of these. */
#define SV_NTFS_INTERIX_LINK "IntxLNK\1"
#define SV_NTFS_INTERIX_LEN  8u

/* ---- the driver's calls ---- */

int sv_ntfs_info(struct sv_fs *fs, struct sv_fs_info *ret, struct sv_err *err);
int sv_ntfs_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err);
int sv_ntfs_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err);
int sv_ntfs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err);
int sv_ntfs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err);
int sv_ntfs_streams(
	struct sv_fs *fs, uint64_t ino, sv_fs_stream_fn fn, void *user, struct sv_err *err);
char *sv_ntfs_readlink(struct sv_fs *fs, uint64_t ino, struct sv_err *err);
int sv_ntfs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err);
int sv_ntfs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err);

#endif
