/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Copying a file out of a guest: the unnamed stream range by range, leaving out the holes
 * that its extents show; a named one, whose extents are not told, from begin to end.
 */
#include "fs/extract.h"

#include "base/num.h"

#include <string.h>

#define PIECE (1u << 20)
#define GRAIN (64u << 10) /* zeros are looked for, and left out, in steps of this */

struct copy {
	struct sv_fs *fs;
	uint64_t ino;
	const char *stream;
	struct sv_dev *out;
	struct sv_job *job;
	uint64_t size; /* 0 where it is not known */
	uint8_t *buf;
	struct sv_fs_range *ranges; /* that hold data, in order, neighbours joined */
	size_t n, cap, max;
	uint64_t covered; /* by extents, holes included */
};

static void copy_free(struct copy *c)
{
	free(c->buf);
	free(c->ranges);
}

static int write_piece(struct copy *c, size_t n, uint64_t off, struct sv_err *err)
{
	for (size_t at = 0; at < n; at += GRAIN) {
		size_t len = SV_MIN(GRAIN, n - at);

		if (!sv_is_zero(c->buf + at, len) &&
			sv_dev_write(c->out, c->buf + at, len, off + at, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the unnamed stream ---- */

static int add_range(struct copy *c, uint64_t off, uint64_t len)
{
	struct sv_fs_range *last = c->n ? &c->ranges[c->n - 1] : NULL;

	if (last && last->off + last->len == off) {
		last->len += len;
		return 0;
	}
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 16;
		void *p = c->n >= c->max ? NULL : realloc(c->ranges, cap * sizeof *c->ranges);

		if (!p)
			return -1;
		c->ranges = p;
		c->cap = cap;
	}
	c->ranges[c->n++] = (struct sv_fs_range){off, len};
	return 0;
}

static int take_extent(void *user, uint64_t file_off, uint64_t volume_off, uint64_t len)
{
	struct copy *c = user;

	c->covered = file_off + len;
	if (volume_off == SV_NO_HOST_OFFSET)
		return 0;
	return add_range(c, file_off, len) < 0 ? SV_NOMEM : 0;
}

/* Which parts are to be read. The holes of compressed data are not the file's. */
static int find_ranges(struct copy *c, struct sv_err *err)
{
	struct sv_fs_stat st;
	int rc = 0;

	if (sv_fs_stat(c->fs, c->ino, &st, err) < 0)
		return -1;
	c->size = st.size;
	if (!st.compressed)
		rc = sv_fs_extents(c->fs, c->ino, take_extent, c, err);
	if (rc < 0)
		return -1;
	if (!rc && c->covered < c->size)
		rc = add_range(c, c->covered, c->size - c->covered) < 0 ? SV_NOMEM : 0;
	return rc ? sv_fail_nomem(err) : 0;
}

static int copy_range(struct copy *c, uint64_t off, uint64_t end, struct sv_err *err)
{
	while (off < end) {
		size_t n = (size_t)SV_MIN(PIECE, end - off), got;

		sv_job_progress(c->job, "copying a file", off, c->size);
		if (sv_job_check(c->job, err) < 0 ||
			sv_fs_read(c->fs, c->ino, NULL, c->buf, n, off, &got, err) < 0)
			return -1;
		if (got < n)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(c->out),
				"the file ends at byte %llu of %llu",
				(unsigned long long)(off + got), (unsigned long long)c->size);
		if (write_piece(c, n, off, err) < 0)
			return -1;
		off += n;
	}
	return 0;
}

static int copy_unnamed(struct copy *c, struct sv_err *err)
{
	size_t got;

	/* refused data are refused also where all of them is a hole */
	if (sv_fs_read(c->fs, c->ino, NULL, c->buf, 0, 0, &got, err) < 0 ||
		find_ranges(c, err) < 0 || sv_dev_resize(c->out, c->size, err) < 0)
		return -1;
	for (size_t i = 0; i < c->n; i++) {
		uint64_t end = SV_MIN(c->ranges[i].off + c->ranges[i].len, c->size);

		if (copy_range(c, c->ranges[i].off, end, err) < 0)
			return -1;
	}
	sv_job_progress(c->job, "copying a file", c->size, c->size);
	return 0;
}

/* ---- a named stream ---- */

static int copy_named(struct copy *c, struct sv_err *err)
{
	uint64_t off = 0;
	size_t got;

	do {
		sv_job_progress(c->job, "copying a stream", off, 0);
		if (sv_job_check(c->job, err) < 0 ||
			sv_fs_read(c->fs, c->ino, c->stream, c->buf, PIECE, off, &got, err) <
				0 ||
			sv_dev_resize(c->out, off + got, err) < 0 ||
			write_piece(c, got, off, err) < 0)
			return -1;
		off += got;
	} while (got == PIECE);
	return 0;
}

int sv_fs_extract(struct sv_fs *fs, uint64_t ino, const char *stream, struct sv_dev *out,
	struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(copy_free)
	struct copy c = {.fs = fs,
		.ino = ino,
		.stream = stream,
		.out = out,
		.job = job,
		.max = SIZE_MAX};

	c.buf = malloc(PIECE);
	if (!c.buf)
		return sv_fail_nomem(err);
	return stream && stream[0] ? copy_named(&c, err) : copy_unnamed(&c, err);
}

int sv_fs_data_ranges(struct sv_fs *fs, uint64_t ino, size_t max, struct sv_fs_range **ret,
	size_t *ret_n, struct sv_err *err)
{
	SV_CLEANUP(copy_free) struct copy c = {.fs = fs, .ino = ino, .max = max};
	size_t n = 0;

	if (find_ranges(&c, err) < 0)
		return -1;
	for (; n < c.n && c.ranges[n].off < c.size; n++)
		c.ranges[n].len = SV_MIN(c.ranges[n].len, c.size - c.ranges[n].off);
	*ret = SV_STEAL(c.ranges);
	*ret_n = n;
	return 0;
}
