/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Content of files, and where it lies. Where a chain ends before the file's size, reading says
 * so: the bytes before it are told, those behind it are not made up. */
#include "fs/fat/fat.h"

#include "base/num.h"

#include <string.h>

static int open_file(struct sv_fat *v, uint64_t ino, const char *stream,
	struct sv_fat_object *ret, struct sv_err *err)
{
	if (sv_fat_object(v, ino, ret, err) < 0)
		return -1;
	if (stream)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev),
			"files of this file system have no named streams");
	if (ret->st.type != SV_FS_FILE)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "entry %llu is a folder",
			(unsigned long long)ino);
	return 0;
}

static int too_short(
	const struct sv_fat *v, const struct sv_fat_object *o, uint64_t off, struct sv_err *err)
{
	return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
		"a file of %llu bytes has clusters for %llu only",
		(unsigned long long)o->chain.size, (unsigned long long)off);
}

static int read_bytes(struct sv_fat *v, const struct sv_fat_object *o, uint8_t *p, size_t n,
	uint64_t off, struct sv_err *err)
{
	struct sv_fat_run run;

	for (; n; p += run.len, off += run.len, n -= (size_t)run.len) {
		if (off >= o->valid) { /* exFAT: never written */
			memset(p, 0, n);
			return 0;
		}
		if (sv_fat_run_at(v, &o->chain, off, SV_MIN((uint64_t)n, o->valid - off), &run,
			    err) < 0)
			return -1;
		if (!run.len)
			return too_short(v, o, off, err);
		if (sv_dev_read(v->fs.volume, p, (size_t)run.len, run.at, err) < 0)
			return -1;
	}
	return 0;
}

int sv_fat_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	struct sv_fat *v = sv_fat_of(fs);
	struct sv_fat_object o;

	*ret_got = 0;
	if (open_file(v, ino, stream, &o, err) < 0)
		return -1;
	if (off >= o.chain.size)
		return 0;
	n = (size_t)SV_MIN((uint64_t)n, o.chain.size - off);
	if (read_bytes(v, &o, buf, n, off, err) < 0)
		return -1;
	*ret_got = n;
	return 0;
}

int sv_fat_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	struct sv_fat *v = sv_fat_of(fs);
	struct sv_fat_object o;
	struct sv_fat_run run;
	int rc = 0;

	if (sv_fat_object(v, ino, &o, err) < 0)
		return -1;
	for (uint64_t off = 0; !rc && off < o.chain.size; off += run.len) {
		if (sv_fat_run_at(v, &o.chain, off, o.chain.size - off, &run, err) < 0)
			return -1;
		if (!run.len)
			return o.st.type == SV_FS_DIR ? 0 : too_short(v, &o, off, err);
		rc = fn(user, off, run.at, run.len);
	}
	return rc;
}
