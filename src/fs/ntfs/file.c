/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file's data for callers: reads, named streams, extents. Where Windows keeps the data of a
 * file elsewhere and leaves zeros in their place, they are read from there (wof.h) or reading
 * is refused by name.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"
#include "fs/ntfs/wof.h"

#include <string.h>

static void forget_last(struct sv_ntfs *v)
{
	v->last_valid = false;
	sv_ntfs_stream_close(&v->last);
	sv_wof_close(v->last_wof);
	v->last_wof = NULL;
	free(v->last_name);
	v->last_name = NULL;
}

static int refuse(struct sv_ntfs *v, const char *what, const char *hint, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(v->dev), "%s", what);
	return sv_hint(err, "%s", hint);
}

/* The unnamed stream of these is a hole as large as the file. *ret_wof: what is in it can be
 * read all the same. */
static int check_reparse(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	bool *ret_wof, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_object_free) struct sv_ntfs_object o = {0};
	struct sv_ntfs_raw_attr a;
	struct ntfs_standard d;

	if (!sv_ntfs_find_attr(base, NTFS_ATTR_STANDARD, NULL, 0, &a) || a.mapped ||
		a.value_length < sizeof d)
		return 0;
	memcpy(&d, base->bytes + a.value_offset, sizeof d);
	if (!(sv_get_le32(d.attributes) & NTFS_WIN_REPARSE))
		return 0;
	if (sv_ntfs_describe(v, base, ino, NULL, &o, err) < 0)
		return -1;
	*ret_wof = o.st.reparse_tag == NTFS_TAG_WOF;
	if (o.st.reparse_tag == NTFS_TAG_DEDUP)
		return refuse(v, "the data lie in Windows' deduplication store",
			"restore it in the guest with: Expand-DedupFile FILE", err);
	if ((o.st.reparse_tag & NTFS_TAG_CLOUD_MASK) == NTFS_TAG_CLOUD && o.st.sparse)
		return refuse(v, "the data lie in the cloud and not on this disk",
			"make the file available offline in the guest first", err);
	return 0;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* A file may have no unnamed stream: it is then empty. */
static int open_unnamed(
	struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	bool wof = false;

	if (base->is_dir)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->dev),
			"record %llu of $MFT is a folder", (unsigned long long)ino);
	if (check_reparse(v, base, ino, &wof, err) < 0)
		return -1;
	if (sv_ntfs_stream_open(v, base, ino, NTFS_ATTR_DATA, NULL, 0, &v->last, &why) == 0)
		return wof ? sv_wof_open(v, base, ino, v->last.size, &v->last_wof, err) : 0;
	if (why.code != SV_NOTFOUND) {
		sv_err_copy(err, &why);
		return -1;
	}
	v->last.resident = true;
	return 0;
}

struct wanted {
	const uint16_t *upcase;
	uint8_t name[2 * SV_NTFS_NAME_MAX];
	unsigned len;
	bool found;
};

/* Names of streams, too, are compared without case; the one that is there is taken over. */
static int match_stream(void *user, const struct sv_ntfs_record *r,
	const struct sv_ntfs_raw_attr *a, struct sv_err *err)
{
	struct wanted *w = user;

	(void)r, (void)err;
	if (a->type != NTFS_ATTR_DATA || a->lowest_vcn || a->name_length != w->len ||
		sv_ntfs_name_compare(
			w->upcase, a->name, a->name_length, w->name, w->len, false) != 0)
		return 0;
	memcpy(w->name, a->name, 2 * a->name_length);
	w->found = true;
	return 1;
}

static int open_named(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	const char *name, struct sv_err *err)
{
	struct wanted w = {0};

	if (sv_ntfs_load_upcase(v, err) < 0)
		return -1;
	w.upcase = v->upcase;
	if (sv_ntfs_name_from_utf8(name, strlen(name), w.name, &w.len) &&
		sv_ntfs_each_attr(v, base, ino, NULL, match_stream, &w, err) < 0)
		return -1;
	if (!w.found)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev),
			"there is no stream \"%.200s\"", name);
	return sv_ntfs_stream_open(v, base, ino, NTFS_ATTR_DATA, w.name, w.len, &v->last, err);
}

/* Opens the stream, or takes the one that was read last. */
static int open_data(struct sv_ntfs *v, uint64_t ino, const char *name, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record base = {0};

	if (v->last_valid && v->last_ino == ino && same_name(v->last_name, name))
		return 0;
	forget_last(v);
	if (sv_ntfs_load(v, ino, false, &base, err) < 0)
		return -1;
	if ((name ? open_named(v, &base, ino, name, err) : open_unnamed(v, &base, ino, err)) <
		0)
		return -1;
	if (name && !(v->last_name = strdup(name))) {
		forget_last(v);
		return sv_fail_nomem(err);
	}
	v->last.direct = !v->last.unit && v->last.size > SV_NTFS_CACHE_BLOCK;
	v->last_ino = ino;
	v->last_valid = true;
	return 0;
}

int sv_ntfs_read(struct sv_fs *fs, uint64_t ino, const char *stream, void *buf, size_t n,
	uint64_t off, size_t *ret_got, struct sv_err *err)
{
	struct sv_ntfs *v = sv_ntfs_of(fs);

	if (open_data(v, ino, stream && stream[0] ? stream : NULL, err) < 0)
		return -1;
	if (v->last_wof)
		return sv_wof_read(v, v->last_wof, buf, n, off, ret_got, err);
	return sv_ntfs_stream_read(v, &v->last, buf, n, off, ret_got, err);
}

struct streams {
	sv_fs_stream_fn fn;
	void *user;
};

static int take_stream(void *user, const struct sv_ntfs_record *r,
	const struct sv_ntfs_raw_attr *a, struct sv_err *err)
{
	struct streams *s = user;
	char name[SV_NTFS_NAME_UTF8];

	(void)r, (void)err;
	if (a->type != NTFS_ATTR_DATA || !a->name_length || a->lowest_vcn)
		return 0;
	sv_ntfs_name_to_utf8(a->name, a->name_length, name);
	return s->fn(s->user, name, a->mapped ? a->size : a->value_length);
}

int sv_ntfs_streams(
	struct sv_fs *fs, uint64_t ino, sv_fs_stream_fn fn, void *user, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record base = {0};
	struct streams s = {fn, user};
	struct sv_ntfs *v = sv_ntfs_of(fs);

	if (sv_ntfs_load(v, ino, false, &base, err) < 0)
		return -1;
	return sv_ntfs_each_attr(v, &base, ino, NULL, take_stream, &s, err);
}

int sv_ntfs_extents(
	struct sv_fs *fs, uint64_t ino, sv_fs_extent_fn fn, void *user, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record base = {0};
	sv_autostream struct sv_ntfs_stream s = {0};
	struct sv_err why = SV_ERR_INIT;
	struct sv_ntfs *v = sv_ntfs_of(fs);
	const uint64_t cluster = v->geo.cluster_size;

	if (sv_ntfs_load(v, ino, false, &base, err) < 0)
		return -1;
	if (sv_ntfs_stream_open(v, &base, ino, NTFS_ATTR_DATA, NULL, 0, &s, &why) < 0) {
		sv_err_copy(err, &why);
		return why.code == SV_NOTFOUND ? 0 : -1;
	}
	for (size_t i = 0; i < s.runs.n && s.runs.v[i].vcn * cluster < s.size; i++) {
		const struct sv_ntfs_raw_run *r = &s.runs.v[i];
		uint64_t off = r->vcn * cluster;
		int rc = fn(user, off,
			r->lcn == NTFS_HOLE ? SV_NO_HOST_OFFSET : r->lcn * cluster,
			SV_MIN(r->length * cluster, s.size - off));

		if (rc)
			return rc;
	}
	return 0;
}
