/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw disks that were packed as a whole: .gz, .xz, .zst. They are read where they are, from any
 * place on, and never written.
 *
 * A stream unpacks in one direction only; it can begin at its starts, of which it knows many or
 * one. pages.c makes a device of it: what was unpacked lately is kept, a reader that goes on
 * costs nothing extra, one that goes back begins at a start before.
 */
#ifndef SV_IMAGE_PACKED_H
#define SV_IMAGE_PACKED_H

#include "image/driver.h"

#include "base/num.h"

/* Zeros are known, and bytes are kept, by the page. */
#define SV_PACKED_PAGE (256 * SV_KIB)
/* The dictionary of xz -9, and the window of zstd -20. */
#define SV_PACKED_WINDOW_MAX (64 * SV_MIB)
/* What has no starts inside must be unpacked from its beginning for each look. */
#define SV_PACKED_XZ_BLOCK_MAX   SV_GIB
#define SV_PACKED_ZSTD_FRAME_MAX (4 * SV_GIB)
/* What must be unpacked once to know its size: all of a gzip file, and a zstd frame that does
 * not tell it. */
#define SV_PACKED_SCAN_MAX (64 * SV_GIB)

struct sv_stream;

struct sv_packed_kind {
	/* The file is borrowed for the stream's life. */
	struct sv_stream *(*open)(struct sv_dev *file, struct sv_err *err);
	void (*close)(struct sv_stream *s);
	/* The next byte to come is that of the last start at or before off: *ret. */
	int (*seek)(struct sv_stream *s, uint64_t off, uint64_t *ret, struct sv_err *err);
	/* The next n bytes, which lie within the size. After an error: seek. */
	int (*next)(struct sv_stream *s, void *buf, size_t n, struct sv_err *err);
	/* The first start behind off; the size where there is none. */
	uint64_t (*next_start)(struct sv_stream *s, uint64_t off);
};

struct sv_stream {
	const struct sv_packed_kind *kind;
	struct sv_dev *file;
	uint64_t size; /* unpacked */
	/* A bit for each page that is not all zeros; NULL where that is not known. */
	uint8_t *data_pages;
};

extern const struct sv_packed_kind sv_packed_gzip, sv_packed_xz, sv_packed_zstd;

void sv_stream_close(struct sv_stream *s); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_stream, sv_stream_close)

/* A read-only device of what the stream unpacks to. Owns the stream, also when it fails, and
 * takes a reference of the file. */
struct sv_dev *sv_pages_open(struct sv_stream *s, struct sv_err *err);

/* ---- the packed bytes, in the order of the file ---- */

struct sv_packed_in {
	struct sv_dev *file;
	uint64_t at; /* of bytes[0] in the file */
	size_t n, used;
	uint8_t bytes[64 * SV_KIB];
};

/* The place of the next byte. */
uint64_t sv_packed_pos(const struct sv_packed_in *in);
void sv_packed_go(struct sv_packed_in *in, uint64_t pos);
/* Sees to it that there are bytes to take (n > used), but for those from `end` on. */
int sv_packed_fill(struct sv_packed_in *in, uint64_t end, struct sv_err *err);

#endif
