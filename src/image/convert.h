/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Converting a disk image, whatever its format and chain, into a new one: planned first, so
 * that all that can be refused is refused before any work, then filled (fill.h) and published
 * when it is complete (publish.h).
 */
#ifndef SV_IMAGE_CONVERT_H
#define SV_IMAGE_CONVERT_H

#include "image/image.h"

struct sv_convert_request {
	const char *from;        /* path, or IMAGE@SNAPSHOT */
	const char *from_format; /* driver name; NULL probes */
	const char *to;          /* must not exist */
	const char *format;      /* NULL: the one whose extension `to` has */
	const char *subformat;   /* NULL: the format's default */
	bool keep_id;            /* the disk's id and geometry, where both formats have them;
				  * not of a chain that is kept */
	bool keep_chain;         /* a new image for each link; else one for the whole chain */
	const struct sv_allow *allow; /* borrowed for the life of the plan */
	unsigned threads;             /* 0: one per processor */
};

/* One image that will be made. */
struct sv_convert_image {
	char *from, *to; /* paths; `from` is the link's, or the leaf's of a flattened chain */
	uint64_t size;   /* virtual size, bytes */
	uint64_t data;   /* bytes of data to be read, about */
};

struct sv_convert_plan {
	const char *format;
	const char *subformat;           /* "" where the format has one kind */
	struct sv_convert_image *images; /* the base first, the one to open last */
	size_t n_images;
	uint64_t data;  /* of all images, bytes */
	uint64_t needs; /* bytes on the host, at most; 0 where nobody can tell */
	uint64_t free;  /* bytes that the host has for it */
};

struct sv_convert_result {
	uint64_t read, written; /* guest bytes; see sv_fill_stats */
	uint64_t host_size;     /* bytes that the host stores for the new files */
};

struct sv_convert;

/*
 * Opens the source, holding its locks until sv_convert_close(), and plans. Nothing is written.
 * Refuses formats, sizes and a full host by name.
 */
int sv_convert_open(struct sv_host *host, const struct sv_convert_request *req,
	struct sv_convert **ret, struct sv_err *err);
const struct sv_convert_plan *sv_convert_plan(const struct sv_convert *c);
/* Does it, once. The result is flushed and published, or nothing of it is left. `ret` may be
 * NULL. */
int sv_convert_run(struct sv_convert *c, struct sv_job *job, struct sv_convert_result *ret,
	struct sv_err *err);
void sv_convert_close(struct sv_convert *c); /* NULL-safe */
SV_DEFINE_CLEANUP(struct sv_convert, sv_convert_close)

#endif
