/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The log of a VHDX (MS-VHDX 2.3): a ring of entries, each of whole pages: a header, what is
 * to be written where (descriptors), and the pages themselves. The entries that count carry
 * the header's log id; a run of entries with numbers in order, whose last one points back into
 * the run, is a sequence; the sequence with the highest number is written to its places, which
 * may be done any number of times.
 */
#ifndef SV_IMAGE_VHDX_LOG_H
#define SV_IMAGE_VHDX_LOG_H

#include "image/vhdx/format.h"
#include "io/dev.h"

struct sv_vhdx_disk_entry {
	uint8_t signature[4]; /* "loge" */
	sv_le32 checksum;
	sv_le32 length;
	sv_le32 tail;
	sv_le64 sequence;
	sv_le32 n_descriptors;
	sv_le32 reserved;
	struct sv_vhdx_guid log;
	sv_le64 flushed;
	sv_le64 last;
};
static_assert(sizeof(struct sv_vhdx_disk_entry) == 64, "log entry");

struct sv_vhdx_disk_desc {
	uint8_t signature[4]; /* "desc": a page of data; "zero": zeros */
	uint8_t trailing[4];  /* of the page; what stands in its place in the log is a mark */
	union {
		uint8_t leading[8]; /* of the page, likewise */
		sv_le64 length;     /* of zeros */
	};
	sv_le64 at;
	sv_le64 sequence;
};
static_assert(sizeof(struct sv_vhdx_disk_desc) == 32, "log descriptor");

struct sv_vhdx_log_entry {
	uint32_t length, tail; /* bytes; tail: place of the sequence's first entry in the log */
	uint64_t sequence;
	uint32_t n_descriptors;
	uint64_t flushed; /* the file had at least this size when the entry was written */
	uint64_t last;    /* and this one is enough for all that is in it */
};

/* The header of an entry in a log of so many bytes. Its checksum is not looked at. */
int sv_vhdx_log_entry_parse(const void *bytes, size_t n, const struct sv_vhdx_header *h,
	struct sv_vhdx_log_entry *ret, struct sv_err *err);
/* Pages of header and descriptors. */
uint32_t sv_vhdx_log_head_pages(uint32_t n_descriptors);

struct sv_vhdx_log_desc {
	bool zero;
	uint64_t at, length;
	uint8_t leading[8], trailing[4];
};
int sv_vhdx_log_desc_parse(const void *bytes, size_t n, uint64_t sequence,
	struct sv_vhdx_log_desc *ret, struct sv_err *err);

/* The sequence that counts. */
struct sv_vhdx_log_found {
	uint32_t first; /* place of its first entry in the log */
	uint32_t n;     /* entries; 0: there is none */
	uint64_t
		sequence; /* number of its last entry, and sizes of the file as that has them */
	uint64_t last, flushed;
};
int sv_vhdx_log_find(struct sv_dev *file, const struct sv_vhdx_header *h,
	struct sv_vhdx_log_found *ret, struct sv_err *err);

/* Writes what it holds to `to`, which is `file` or shows it; not flushed. */
int sv_vhdx_log_replay(struct sv_dev *file, const struct sv_vhdx_header *h,
	const struct sv_vhdx_log_found *found, struct sv_dev *to, struct sv_err *err);

/* A page that has a new content. */
struct sv_vhdx_change {
	uint64_t at;
	const uint8_t *bytes;
};
#define SV_VHDX_LOG_PAGES                                                                      \
	126 /* changes of one entry: descriptors that fit into its first page */
/* An entry at byte `tail` of the log that stands alone: it is its own tail. `ret` has room for
 * n + 1 pages. */
void sv_vhdx_log_entry_print(const struct sv_vhdx_log_entry *e, const struct sv_vhdx_guid *log,
	const struct sv_vhdx_change *changes, uint8_t *ret);

#endif
