/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content of files: one run of bytes, or several, of which each has a record of its own. */
#include "fs/iso/iso.h"

#include "base/num.h"

#include <string.h>

/* Calls fn for each run of a file, in order: where it begins in the file and on the volume. */
typedef int (*run_fn)(void *user, uint64_t off, uint64_t at, uint64_t len, struct sv_err *err);

static int each_run(struct sv_iso *v, uint64_t ino, run_fn fn, void *user, struct sv_err *err)
{
	struct sv_iso_object o;
	uint64_t at = ino, off = 0;
	int rc = 0;

	if (sv_iso_object(v, ino, &o, err) < 0)
		return -1;
	for (unsigned i = 0; !rc && i < SV_ISO_PIECES_MAX; i++) {
		if (o.record.size)
			rc = fn(user, off, (uint64_t)o.record.block * v->block, o.record.size,
				err);
		off += o.record.size;
		if (rc || !o.record.goes_on || o.record.dir)
			break;
		if (sv_iso_next_piece(v, &at, &o.record, err) < 0)
			return -1;
	}
	return rc;
}

struct wanted {
	struct sv_iso *v;
	uint8_t *buf;
	uint64_t off;
	size_t n;
};

static int read_run(void *user, uint64_t off, uint64_t at, uint64_t len, struct sv_err *err)
{
	struct wanted *w = user;
	uint64_t from = SV_MAX(off, w->off), end = SV_MIN(off + len, w->off + w->n);

	if (from >= end)
		return 0;
	if (!sv_in_range(at, len, sv_dev_size(w->v->dev)))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(w->v->dev), at,
			"%llu bytes of a file begin here, the volume ends at %llu",
			(unsigned long long)len, (unsigned long long)sv_dev_size(w->v->dev));
	return sv_dev_read(w->v->fs.volume, w->buf + (from - w->off), (size_t)(end - from),
		at + (from - off), err);
}

static int check_file(
	struct sv_iso *v, const struct sv_iso_object *o, const char *stream, struct sv_err *err)
{
	const char *name = sv_dev_name(v->dev);

	if (stream)
		return sv_fail(err, SV_NOTFOUND, name,
			"files of this file system have no named streams");
	if (o->record.dir)
		return sv_fail(err, SV_USAGE, name, "this is a folder");
	if (o->more.packed)
		return sv_fail(err, SV_UNSUPPORTED, name, "a file is packed (zisofs)");
	if (o->record.interleaved)
		return sv_fail(
			err, SV_UNSUPPORTED, name, "a file lies interleaved with others");
	return 0;
}

int sv_iso_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	struct wanted w = {.v = sv_iso_of(fs), .buf = buf, .off = off};
	struct sv_iso_object o;

	*ret_got = 0;
	if (sv_iso_object(w.v, ino, &o, err) < 0 || check_file(w.v, &o, stream, err) < 0)
		return -1;
	if (off >= o.size)
		return 0;
	w.n = (size_t)SV_MIN((uint64_t)n, o.size - off);
	if (each_run(w.v, ino, read_run, &w, err) < 0)
		return -1;
	*ret_got = w.n;
	return 0;
}

struct teller {
	sv_fs_extent_fn fn;
	void *user;
};

static int tell_run(void *user, uint64_t off, uint64_t at, uint64_t len, struct sv_err *err)
{
	struct teller *t = user;

	(void)err;
	return t->fn(t->user, off, at, len);
}

int sv_iso_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	struct teller t = {fn, user};

	return each_run(sv_iso_of(fs), ino, tell_run, &t, err);
}
