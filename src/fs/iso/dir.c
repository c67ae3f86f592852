/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders: records one behind the other, none across the end of a sector. A name is Rock
 * Ridge's, Joliet's UTF-16, or the plain one without its version; without Rock Ridge, names are
 * found in small and capital letters.
 */
#include "fs/iso/iso.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"
#include "fs/unix_name.h"

#include <string.h>
#include <strings.h>

#define CONTINUATIONS_MAX 32u
#define USE_MAX           SV_ISO_SECTOR

/* ---- objects ---- */

/* The record at `at`, which does not cross the end of its sector. */
static int read_record(
	struct sv_iso *v, uint64_t at, struct sv_iso_record *ret, struct sv_err *err)
{
	uint64_t end =
		SV_MIN(at / SV_ISO_SECTOR * SV_ISO_SECTOR + SV_ISO_SECTOR, sv_dev_size(v->dev));
	uint8_t b[SV_ISO_RECORD_MAX];
	size_t n = at < end ? (size_t)SV_MIN(end - at, (uint64_t)sizeof b) : 0;

	if (!n)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
			"a directory record lies behind the volume's end");
	if (sv_dev_read(v->dev, b, n, at, err) < 0)
		return -1;
	if (sv_iso_parse_record(b, n, ret, err) < 0)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
			"a directory record has %u bytes and a name of %u", b[0],
			n > 32 ? b[32] : 0u);
	return 0;
}

static int read_use(struct sv_iso *v, const struct sv_iso_record *r, unsigned skip,
	struct sv_iso_more *m, struct sv_err *err)
{
	uint8_t b[USE_MAX];

	*m = (struct sv_iso_more){.next_block = 0};
	if (r->use_len <= skip)
		return 0;
	if (sv_iso_parse_use(r->use + skip, r->use_len - skip, m, err) < 0)
		return -1;
	for (unsigned i = 0; m->next_block; i++) {
		uint64_t at = (uint64_t)m->next_block * v->block + m->next_off;

		if (i == CONTINUATIONS_MAX || m->next_len > sizeof b ||
			!sv_in_range(at, m->next_len, sv_dev_size(v->dev)))
			return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
				"Rock Ridge goes on with %u bytes here, the volume has %llu",
				m->next_len, (unsigned long long)sv_dev_size(v->dev));
		if (sv_dev_read(v->dev, b, m->next_len, at, err) < 0 ||
			sv_iso_parse_use(b, m->next_len, m, err) < 0)
			return -1;
	}
	return 0;
}

/* A folder that Rock Ridge moved because it was too deep: its own "." tells its size. */
static int follow_child(struct sv_iso *v, struct sv_iso_object *o, struct sv_err *err)
{
	struct sv_iso_record self;

	if (read_record(v, (uint64_t)o->more.child * v->block, &self, err) < 0)
		return -1;
	o->record.dir = true;
	o->record.block = self.block;
	o->record.size = self.size;
	o->size = self.size;
	return 0;
}

int sv_iso_next_piece(
	struct sv_iso *v, uint64_t *at, struct sv_iso_record *r, struct sv_err *err)
{
	uint64_t next = *at + r->len;
	uint8_t first = 0;

	if (next < sv_dev_size(v->dev) && sv_dev_read(v->dev, &first, 1, next, err) < 0)
		return -1;
	*at = first ? next : sv_align_up(next, SV_ISO_SECTOR);
	return read_record(v, *at, r, err);
}

/* The further records of a file that has several. */
static int add_pieces(
	struct sv_iso *v, uint64_t at, struct sv_iso_object *o, struct sv_err *err)
{
	struct sv_iso_record r = o->record;
	uint64_t next = at;

	for (unsigned i = 1; r.goes_on; i++) {
		if (i == SV_ISO_PIECES_MAX)
			return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), at,
				"a file has more than %u pieces", SV_ISO_PIECES_MAX);
		if (sv_iso_next_piece(v, &next, &r, err) < 0)
			return -1;
		o->size += r.size;
	}
	o->records = next + r.len - at;
	return 0;
}

int sv_iso_object(struct sv_iso *v, uint64_t at, struct sv_iso_object *ret, struct sv_err *err)
{
	if (read_record(v, at, &ret->record, err) < 0)
		return -1;
	ret->size = ret->record.size;
	ret->records = ret->record.len;
	ret->more = (struct sv_iso_more){.next_block = 0};
	if (v->names == SV_ISO_ROCK_RIDGE && at != v->root_at &&
		read_use(v, &ret->record, v->skip, &ret->more, err) < 0)
		return -1;
	if (ret->more.child)
		return follow_child(v, ret, err);
	return ret->record.goes_on && !ret->record.dir ? add_pieces(v, at, ret, err) : 0;
}

static enum sv_fs_type type_of(const struct sv_iso_object *o)
{
	if (o->record.dir)
		return SV_FS_DIR;
	switch (o->more.has_mode ? o->more.mode & 0170000 : 0100000) {
	case 0120000:
		return SV_FS_SYMLINK;
	case 0020000:
		return SV_FS_CHAR;
	case 0060000:
		return SV_FS_BLOCK;
	case 0010000:
		return SV_FS_FIFO;
	case 0140000:
		return SV_FS_SOCKET;
	default:
		return SV_FS_FILE;
	}
}

void sv_iso_stat_of(const struct sv_iso *v, uint64_t at, const struct sv_iso_object *o,
	struct sv_fs_stat *ret)
{
	const struct sv_iso_more *m = &o->more;

	*ret = (struct sv_fs_stat){
		.ino = at,
		.type = type_of(o),
		.size = o->size,
		.allocated = sv_align_up(o->size, v->block),
		.mtime = m->has_mtime ? m->mtime : o->record.time,
		.atime = m->has_atime ? m->atime : o->record.time,
		.ctime = m->has_ctime ? m->ctime : o->record.time,
		.born = m->has_born ? m->born : (struct sv_fs_time){0},
		.mode = m->has_mode     ? m->mode & 07777
			: o->record.dir ? 0555
					: 0444,
		.owned = m->has_mode,
		.uid = m->uid,
		.gid = m->gid,
		.dev_major = m->dev_major,
		.dev_minor = m->dev_minor,
		.nlink = m->has_mode && m->nlink ? m->nlink : 1,
		.compressed = m->packed,
	};
	if (ret->type == SV_FS_SYMLINK)
		ret->size = m->link_len;
}

/* ---- names ---- */

/* "NAME.EXT;1" -> "NAME.EXT", "NAME.;1" -> "NAME". */
static unsigned plain_length(const struct sv_iso_record *r)
{
	const uint8_t *semicolon = memchr(r->name, ';', r->name_len);
	unsigned n = semicolon ? (unsigned)(semicolon - r->name) : r->name_len;

	return n > 1 && r->name[n - 1] == '.' ? n - 1 : n;
}

static unsigned joliet_length(const struct sv_iso_record *r)
{
	unsigned units = r->name_len / 2, n = units;

	for (unsigned i = 0; i < units; i++) {
		if (sv_load_be16(r->name + 2 * i) == ';') {
			n = i;
			break;
		}
	}
	return n;
}

static char *joliet_name(const struct sv_iso_record *r, bool *ret_lossy)
{
	unsigned n = joliet_length(r);
	uint8_t units[SV_ISO_NAME_MAX];

	*ret_lossy = false;
	for (unsigned i = 0; i < n; i++) {
		uint16_t unit = sv_load_be16(r->name + 2 * i);

		*ret_lossy |= unit == '/' || !unit;
		sv_store_le16(units + 2 * i, unit == '/' || !unit ? 0xfffd : unit);
	}
	return sv_utf16_to_utf8(units, n, NULL);
}

static bool is_dot(const struct sv_iso_record *r)
{
	return r->name_len == 1 && r->name[0] <= 1;
}

static char *name_of(const struct sv_iso *v, const struct sv_iso_object *o, bool *ret_lossy)
{
	char text[SV_FS_UNIX_NAME];

	if (v->names == SV_ISO_JOLIET)
		return joliet_name(&o->record, ret_lossy);
	if (o->more.has_name)
		*ret_lossy =
			sv_fs_unix_name((const uint8_t *)o->more.name, o->more.name_len, text);
	else
		*ret_lossy = sv_fs_unix_name(o->record.name, plain_length(&o->record), text);
	return strdup(text);
}

/* ---- folders ---- */

struct listing {
	struct sv_iso *v;
	sv_iso_entry_fn fn;
	void *user;
	struct sv_err first; /* damage that was met */
};

static void note(struct listing *l, const struct sv_err *why)
{
	if (l->first.code == SV_OK)
		sv_err_copy(&l->first, why);
}

/* One record; *ret_len: how far the next one is. */
static int visit(struct listing *l, uint64_t at, uint64_t *ret_len)
{
	struct sv_iso_object o;
	struct sv_err why = SV_ERR_INIT;
	sv_autofree char *name = NULL;
	bool lossy;

	*ret_len = 0;
	if (sv_iso_object(l->v, at, &o, &why) < 0) {
		note(l, &why);
		/* what is wrong beyond the record itself leaves those behind it */
		if (read_record(l->v, at, &o.record, NULL) == 0)
			*ret_len = o.record.len;
		return 0;
	}
	*ret_len = o.records;
	if (is_dot(&o.record) || o.more.relocated)
		return 0;
	name = name_of(l->v, &o, &lossy);
	if (!name) {
		sv_fail_nomem(&l->first);
		return -1;
	}
	if (!name[0] || !strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	return l->fn(l->user, name, lossy, at, &o);
}

static int each_record(struct listing *l, uint64_t start, uint64_t end)
{
	uint64_t at = start, len;
	int rc = 0;

	while (!rc && at < end) {
		uint8_t first = 0;

		if (sv_dev_read(l->v->dev, &first, 1, at, &l->first) < 0)
			return -1;
		if (!first) {
			at = start + sv_align_up(at - start + 1, SV_ISO_SECTOR);
			continue;
		}
		rc = visit(l, at, &len);
		at = len ? at + len : start + sv_align_up(at - start + 1, SV_ISO_SECTOR);
	}
	return rc;
}

int sv_iso_each(struct sv_iso *v, const struct sv_iso_object *dir, sv_iso_entry_fn fn,
	void *user, struct sv_err *err)
{
	struct listing l = {.v = v, .fn = fn, .user = user};
	uint64_t start = (uint64_t)dir->record.block * v->block, size = dir->record.size;
	int rc;

	if (size > SV_ISO_FOLDER_MAX || !sv_in_range(start, size, sv_dev_size(v->dev)))
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), start,
			"a folder of %llu bytes begins here, the volume has %llu",
			(unsigned long long)size, (unsigned long long)sv_dev_size(v->dev));
	rc = each_record(&l, start, start + size);
	if (rc || l.first.code == SV_OK) {
		if (rc < 0)
			sv_err_copy(err, &l.first);
		return rc;
	}
	sv_err_copy(err, &l.first);
	return -1;
}

static int open_folder(
	struct sv_iso *v, uint64_t ino, struct sv_iso_object *ret, struct sv_err *err)
{
	if (sv_iso_object(v, ino, ret, err) < 0)
		return -1;
	if (ret->record.dir)
		return 0;
	return sv_fail(err, SV_USAGE, sv_dev_name(v->dev), "entry %llu is no folder",
		(unsigned long long)ino);
}

struct reader {
	struct sv_iso *v;
	sv_fs_entry_fn fn;
	void *user;
};

static int hand_on(
	void *user, const char *name, bool lossy, uint64_t at, const struct sv_iso_object *o)
{
	struct reader *r = user;
	bool rock = o->more.has_name;
	const void *raw = rock ? (const void *)o->more.name : o->record.name;
	size_t n = rock ? o->more.name_len : o->record.name_len;

	return r->fn(r->user, name, lossy ? raw : NULL, lossy ? n : 0, at, type_of(o));
}

int sv_iso_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	struct reader r = {sv_iso_of(fs), fn, user};
	struct sv_iso_object dir;

	if (open_folder(r.v, ino, &dir, err) < 0)
		return -1;
	return sv_iso_each(r.v, &dir, hand_on, &r, err);
}

struct search {
	const char *name;
	size_t n;
	bool exact, found, fold;
	uint64_t at;
};

static int compare(
	void *user, const char *name, bool lossy, uint64_t at, const struct sv_iso_object *o)
{
	struct search *s = user;

	(void)lossy, (void)o;
	if (strlen(name) != s->n || strncasecmp(name, s->name, s->n) != 0)
		return 0;
	s->exact = !memcmp(name, s->name, s->n);
	if (s->exact || (s->fold && !s->found)) {
		s->found = true;
		s->at = at;
	}
	return s->exact;
}

int sv_iso_lookup(struct sv_fs *fs, uint64_t dir_ino, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err)
{
	struct sv_iso *v = sv_iso_of(fs);
	struct search s = {.name = name, .n = name_len, .fold = v->names != SV_ISO_ROCK_RIDGE};
	struct sv_err why = SV_ERR_INIT;
	struct sv_iso_object dir;

	if (open_folder(v, dir_ino, &dir, err) < 0)
		return -1;
	if (sv_iso_each(v, &dir, compare, &s, &why) < 0 && !s.found) {
		sv_err_copy(err, &why);
		return -1;
	}
	if (!s.found)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev), "no such name");
	*ret_ino = s.at;
	return 0;
}
