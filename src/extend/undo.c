/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading, checking and applying an undo file: see undo.h. */
#include "extend/undo.h"

#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"
#include "extend/undo_format.h"

#include <string.h>

struct range {
	uint64_t off;
	uint32_t len, old_len;
	const uint8_t *old_bytes, *new_bytes; /* into the loaded file */
};

struct undo_file {
	char *path;
	bool created;
	uint64_t old_size, new_size;
	struct range *ranges;
	uint32_t n_ranges;
};

struct sv_undo {
	char id[SV_UNDO_ID];
	uint8_t *bytes;
	struct undo_file *files;
	size_t n_files;
};

void sv_undo_free(struct sv_undo *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n_files; i++) {
		free(u->files[i].path);
		free(u->files[i].ranges);
	}
	free(u->files);
	free(u->bytes);
	free(u);
}

const char *sv_undo_id(const struct sv_undo *u)
{
	return u->id;
}

/* ---- parsing ---- */

struct reader {
	const char *path;
	const uint8_t *bytes;
	uint64_t pos, size;
	bool failed;
};

static const uint8_t *take(struct reader *r, uint64_t n)
{
	const uint8_t *p = r->bytes + r->pos;

	if (r->failed || !sv_in_range(r->pos, n, r->size)) {
		r->failed = true;
		return NULL;
	}
	r->pos += n;
	return p;
}

static uint64_t take_int(struct reader *r, unsigned n)
{
	const uint8_t *p = take(r, n);

	if (!p)
		return 0;
	return n == 1   ? *p
	       : n == 2 ? sv_load_le16(p)
	       : n == 4 ? sv_load_le32(p)
			: sv_load_le64(p);
}

static int bad(const struct reader *r, const char *what, struct sv_err *err)
{
	sv_fail_at(err, SV_CORRUPT, r->path, r->pos, "the undo file is damaged: %s", what);
	return sv_hint(err, "it cannot be used; restore the disk from a backup");
}

/* A range without new bytes is what a file lost that became shorter. */
static bool range_is_right(const struct range *r, const struct undo_file *f)
{
	if (r->len > SV_UNDO_RANGE_MAX || r->old_len > SV_UNDO_RANGE_MAX ||
		(r->old_len && !sv_in_range(r->off, r->old_len, f->old_size)))
		return false;
	if (!r->len)
		return r->old_len && r->off >= f->new_size;
	return r->old_len <= r->len && sv_in_range(r->off, r->len, f->new_size);
}

static int parse_range(
	struct reader *r, const struct undo_file *f, struct range *range, struct sv_err *err)
{
	range->off = take_int(r, 8);
	range->len = (uint32_t)take_int(r, 4);
	range->old_len = (uint32_t)take_int(r, 4);
	if (r->failed || !range_is_right(range, f))
		return bad(r, "a range is wrong", err);
	range->old_bytes = take(r, range->old_len);
	range->new_bytes = take(r, range->len);
	return r->failed ? bad(r, "it ends too soon", err) : 0;
}

static int parse_name(struct reader *r, const char *folder, char **ret, struct sv_err *err)
{
	uint64_t n = take_int(r, 2);
	const uint8_t *bytes = take(r, n);
	sv_autofree char *name = NULL;

	if (!bytes || !n || n > SV_UNDO_NAME_MAX || memchr(bytes, 0, (size_t)n))
		return bad(r, "a name is wrong", err);
	name = strndup((const char *)bytes, (size_t)n);
	if (!name)
		return sv_fail_nomem(err);
	if (name[0] != '/' && strchr(name, '/'))
		return bad(r, "a name is wrong", err);
	*ret = sv_path_join(folder, name);
	return *ret ? 0 : sv_fail_nomem(err);
}

static int parse_file(
	struct reader *r, const char *folder, struct undo_file *f, struct sv_err *err)
{
	if (parse_name(r, folder, &f->path, err) < 0)
		return -1;
	f->created = take_int(r, 1) != 0;
	f->old_size = take_int(r, 8);
	f->new_size = take_int(r, 8);
	f->n_ranges = (uint32_t)take_int(r, 4);
	/* a range takes at least 17 bytes: no larger number can be true */
	if (r->failed || f->old_size > SV_DEV_SIZE_MAX || f->new_size > SV_DEV_SIZE_MAX ||
		f->n_ranges > r->size / 17)
		return bad(r, "a file's header is wrong", err);
	f->ranges = calloc((size_t)f->n_ranges + 1, sizeof *f->ranges);
	if (!f->ranges)
		return sv_fail_nomem(err);
	for (uint32_t i = 0; i < f->n_ranges; i++) {
		if (parse_range(r, f, &f->ranges[i], err) < 0)
			return -1;
	}
	return 0;
}

static int parse_header(struct reader *r, struct sv_undo *u, struct sv_err *err)
{
	struct undo_header h;
	uint8_t digest[SV_SHA256_SIZE];
	const uint8_t *bytes = take(r, sizeof h);

	if (!bytes)
		return bad(r, "it is too short", err);
	memcpy(&h, bytes, sizeof h);
	if (memcmp(h.magic, SV_UNDO_MAGIC, sizeof h.magic) ||
		sv_get_le32(h.version) != SV_UNDO_VERSION)
		return bad(r, "it has another version", err);
	if (sv_get_le64(h.payload) != r->size - sizeof h ||
		sv_get_le32(h.files) > SV_UNDO_FILES_MAX)
		return bad(r, "its length is wrong", err);
	if (sv_sha256_bytes(r->bytes + sizeof h, r->size - sizeof h, digest, err) < 0)
		return -1;
	if (memcmp(digest, h.sha256, sizeof digest))
		return bad(r, "its checksum is wrong", err);
	sv_hex(digest, sizeof digest, u->id);
	u->n_files = sv_get_le32(h.files);
	u->files = calloc(u->n_files + 1, sizeof *u->files);
	return u->files ? 0 : sv_fail_nomem(err);
}

int sv_undo_load(
	struct sv_host *host, const char *path, struct sv_undo **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_undo_freep) struct sv_undo *u = calloc(1, sizeof *u);
	sv_autofree char *folder = sv_path_dir(path);
	struct reader r = {.path = path};
	size_t n;

	if (!u || !folder)
		return sv_fail_nomem(err);
	u->bytes = (uint8_t *)sv_host_read_file(host, path, SV_UNDO_MAX, &n, err);
	if (!u->bytes)
		return -1;
	r.bytes = u->bytes;
	r.size = n;
	if (parse_header(&r, u, err) < 0)
		return -1;
	for (size_t i = 0; i < u->n_files; i++) {
		if (parse_file(&r, folder, &u->files[i], err) < 0)
			return -1;
	}
	if (r.pos != r.size)
		return bad(&r, "it goes on after its last file", err);
	*ret = SV_STEAL(u);
	return 0;
}

/* ---- checking ---- */

static int refuse_used(const char *path, uint64_t off, const char *what, struct sv_err *err)
{
	sv_fail_at(err, SV_UNSUPPORTED, path, off,
		"the disk was used since it was extended: %s", what);
	return sv_hint(err, "the old metadata under a disk that has lived on would destroy it; "
			    "keep the extended disk");
}

static int check_size(
	const struct undo_file *f, uint64_t size, bool complete, struct sv_err *err)
{
	bool right = complete ? size == f->new_size
			      : size >= SV_MIN(f->old_size, f->new_size) &&
					size <= SV_MAX(f->old_size, f->new_size);

	if (right)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, f->path,
		"the disk was used since it was extended: its size is %llu bytes, expected %llu",
		(unsigned long long)size, (unsigned long long)f->new_size);
	return sv_hint(err, "keep the extended disk");
}

/* Is [at, at+n) of a range what it was? What lay beyond the old end counts as zeros; what was
 * cut off is zeros while a rollback makes room for it again. */
static bool is_old_content(const struct range *r, const uint8_t *now, uint32_t at, uint32_t n)
{
	uint32_t known = at >= r->old_len ? 0 : SV_MIN(n, r->old_len - at);

	if (!r->len && sv_is_zero(now + at, n))
		return true;
	return !memcmp(now + at, r->old_bytes + at, known) &&
	       sv_is_zero(now + at + known, n - known);
}

static bool is_new_content(const struct range *r, const uint8_t *now, uint32_t at, uint32_t n)
{
	return at + n <= r->len && !memcmp(now + at, r->new_bytes + at, n);
}

/* Sector by sector: new, or (when not complete) old. What a cut-off file lacks is old. */
static int check_range(struct sv_dev *dev, const struct undo_file *f, const struct range *r,
	bool complete, struct sv_err *err)
{
	uint8_t now[SV_UNDO_RANGE_MAX];
	uint64_t size = sv_dev_size(dev);
	uint32_t whole = SV_MAX(r->len, r->old_len);
	uint32_t there = r->off >= size ? 0 : (uint32_t)SV_MIN(whole, size - r->off);

	if (!there)
		return 0;
	if (sv_dev_read(dev, now, there, r->off, err) < 0)
		return -1;
	for (uint32_t at = 0; at < there; at += SV_UNDO_SECTOR) {
		uint32_t n = SV_MIN((uint32_t)SV_UNDO_SECTOR, there - at);

		if (!is_new_content(r, now, at, n) &&
			(complete || !is_old_content(r, now, at, n)))
			return refuse_used(f->path, r->off + at,
				"what is there is neither the old content nor the new", err);
	}
	return 0;
}

static int check_file(struct sv_host *host, const struct undo_file *f, bool complete,
	struct sv_job *job, struct sv_err *err)
{
	sv_autodev struct sv_dev *dev = NULL;

	if (f->created && !complete)
		return 0;
	if (sv_host_open(host, f->path, SV_OPEN_READ | SV_OPEN_LOCK, &dev, err) < 0 ||
		check_size(f, sv_dev_size(dev), complete, err) < 0)
		return -1;
	for (uint32_t i = 0; i < f->n_ranges; i++) {
		if (sv_job_check(job, err) < 0 ||
			check_range(dev, f, &f->ranges[i], complete, err) < 0)
			return -1;
	}
	return 0;
}

int sv_undo_check(struct sv_host *host, const struct sv_undo *u, bool complete,
	struct sv_job *job, struct sv_err *err)
{
	for (size_t i = 0; i < u->n_files; i++) {
		if (check_file(host, &u->files[i], complete, job, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- applying ---- */

static int restore_file(
	struct sv_host *host, const struct undo_file *f, bool lock, struct sv_err *err)
{
	sv_autodev struct sv_dev *dev = NULL;

	if (sv_host_open(host, f->path, SV_OPEN_WRITE | (lock ? SV_OPEN_LOCK : 0), &dev, err) <
		0)
		return -1;
	/* room for what it lost; then the ranges: with a size between the old and the new one,
	 * a repeated check still knows it */
	if (sv_dev_size(dev) < f->old_size && sv_dev_resize(dev, f->old_size, err) < 0)
		return -1;
	for (uint32_t i = 0; i < f->n_ranges; i++) {
		const struct range *r = &f->ranges[i];

		if (r->old_len && sv_dev_write(dev, r->old_bytes, r->old_len, r->off, err) < 0)
			return -1;
	}
	if (sv_dev_flush(dev, err) < 0)
		return -1;
	if (sv_dev_size(dev) != f->old_size && sv_dev_resize(dev, f->old_size, err) < 0)
		return -1;
	return sv_dev_flush(dev, err);
}

static int delete_created(struct sv_host *host, const struct undo_file *f, struct sv_err *err)
{
	sv_autofree char *folder = sv_path_dir(f->path);

	if (!folder)
		return sv_fail_nomem(err);
	if (!sv_host_exists(host, f->path))
		return 0;
	if (sv_host_unlink(host, f->path, err) < 0)
		return -1;
	return sv_host_sync_dir(host, folder, err);
}

int sv_undo_apply(struct sv_host *host, const struct sv_undo *u, bool lock, struct sv_job *job,
	struct sv_err *err)
{
	for (size_t i = 0; i < u->n_files; i++) {
		if (!u->files[i].created && restore_file(host, &u->files[i], lock, err) < 0)
			return -1;
		sv_job_progress(job, "putting the old bytes back", i + 1, u->n_files);
	}
	/* no old file names the created ones any more */
	for (size_t i = 0; i < u->n_files; i++) {
		if (u->files[i].created && delete_created(host, &u->files[i], err) < 0)
			return -1;
	}
	return 0;
}
