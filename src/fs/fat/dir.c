/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders of FAT and exFAT: read entry by entry along their chain. What is damaged is passed
 * over, and raised when all that can be read was told.
 */
#include "fs/fat/fat.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

struct folder {
	struct sv_fat *v;
	const struct sv_fat_chain *chain;
	uint64_t size;
	struct sv_fat_run run; /* the one at hand */
	bool ended;            /* the chain ended before the size */
	struct sv_err first;   /* damage */
	uint64_t damaged;
};

/* ---- bytes of a folder ---- */

static int seek(struct folder *f, uint64_t off, struct sv_err *err)
{
	if (f->run.len && off >= f->run.off && off - f->run.off < f->run.len)
		return 0;
	if (sv_fat_run_at(f->v, f->chain, off, f->size - off, &f->run, err) < 0)
		return -1;
	f->ended = !f->run.len;
	return 0;
}

static uint64_t place(const struct folder *f, uint64_t off)
{
	return f->run.at + (off - f->run.off);
}

/* One entry; entries never lie across two runs, because clusters hold whole ones. */
static int read_entry(struct folder *f, uint64_t off, uint8_t *buf, struct sv_err *err)
{
	if (off + SV_FAT_ENTRY > f->size) {
		f->ended = true;
		return 0;
	}
	if (seek(f, off, err) < 0)
		return -1;
	return f->ended ? 0 : sv_dev_read(f->v->dev, buf, SV_FAT_ENTRY, place(f, off), err);
}

static uint64_t number(const struct folder *f, uint64_t at)
{
	return at / SV_FAT_ENTRY << 1 | f->chain->contiguous;
}

static int note(struct folder *f, const struct sv_err *what)
{
	if (!f->damaged++)
		sv_err_copy(&f->first, what);
	return what->code == SV_IO || what->code == SV_NOMEM ? -1 : 0;
}

/* ---- FAT ---- */

static bool is_dots(const struct sv_fat_entry *e)
{
	return (e->name_len == 1 && e->name[0] == '.') ||
	       (e->name_len == 2 && e->name[0] == '.' && e->name[1] == '.');
}

static int each_fat(struct folder *f, sv_fat_entry_fn fn, void *user, struct sv_err *err)
{
	struct sv_fat_long l = {0};
	struct sv_fat_entry e;
	uint8_t b[SV_FAT_ENTRY];
	int rc = 0;

	for (uint64_t off = 0; !rc; off += sizeof b) {
		enum sv_fat_found found;

		if (read_entry(f, off, b, err) < 0)
			return -1;
		if (f->ended)
			return 0;
		found = sv_fat_parse_entry(b, f->v->boot.kind, &l, &e);
		if (found == SV_FAT_END)
			return 0;
		e.object.st.ino = number(f, place(f, off));
		if (found != SV_FAT_NOTHING && !is_dots(&e))
			rc = fn(user, found, &e);
	}
	return rc;
}

/* ---- exFAT ---- */

/* The set that begins at off: *ret_n bytes of it, fewer where the folder ends in it. */
static int read_set(
	struct folder *f, uint64_t off, uint8_t *b, size_t *ret_n, struct sv_err *err)
{
	*ret_n = 0;
	if (read_entry(f, off, b, err) < 0)
		return -1;
	for (size_t n = SV_FAT_ENTRY; !f->ended; n += SV_FAT_ENTRY) {
		*ret_n = n;
		if (n >= sv_fat_set_size(b))
			return 0;
		if (read_entry(f, off + n, b + n, err) < 0)
			return -1;
	}
	f->ended = !*ret_n;
	return 0;
}

static int each_set(struct folder *f, sv_fat_entry_fn fn, void *user, struct sv_err *err)
{
	uint8_t b[SV_FAT_ENTRY * 20];
	struct sv_fat_entry e;
	size_t n, used;
	int rc = 0;

	for (uint64_t off = 0; !rc; off += used) {
		struct sv_err what = SV_ERR_INIT;
		enum sv_fat_found found;
		uint64_t at;

		if (seek(f, SV_MIN(off, f->size), err) < 0)
			return -1;
		at = place(f, off);
		if (read_set(f, off, b, &n, err) < 0)
			return -1;
		if (!n)
			return 0;
		if (sv_fat_parse_set(b, n, &found, &e, &used, &what) < 0) {
			sv_err_shift(&what, at);
			sv_err_path(&what, sv_dev_name(f->v->dev));
			rc = note(f, &what);
			continue;
		}
		if (found == SV_FAT_END)
			return 0;
		e.object.st.ino = number(f, at);
		if (found != SV_FAT_NOTHING)
			rc = fn(user, found, &e);
	}
	return rc;
}

/* ---- both ---- */

int sv_fat_each_entry(struct sv_fat *v, const struct sv_fat_object *dir, uint64_t dir_ino,
	sv_fat_entry_fn fn, void *user, struct sv_err *err)
{
	struct folder f = {.v = v, .chain = &dir->chain};
	struct sv_err why = SV_ERR_INIT;
	int rc;

	if (dir->st.type != SV_FS_DIR)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev), "entry %llu is no folder",
			(unsigned long long)dir_ino);
	f.size = SV_MIN(dir->chain.size, SV_FAT_FOLDER_MAX);
	rc = v->boot.kind == SV_EXFAT ? each_set(&f, fn, user, &why)
				      : each_fat(&f, fn, user, &why);
	if (rc < 0 && why.code != SV_OK)
		note(&f, &why);
	if (rc > 0 || (!rc && !f.damaged))
		return rc;
	if (f.damaged)
		sv_err_copy(err, &f.first);
	return -1;
}

static void root_object(const struct sv_fat *v, struct sv_fat_object *ret)
{
	*ret = (struct sv_fat_object){
		.st = {.ino = SV_FAT_ROOT_INO,
			.type = SV_FS_DIR,
			.nlink = 1,
			.attributes = 0x10},
		.chain = {.first = v->boot.root,
			.fixed_root = v->boot.kind == SV_FAT12 || v->boot.kind == SV_FAT16,
			.size = SV_FAT_FOLDER_MAX},
	};
}

/* The entry that follows the one at `at`, where its cluster ends there. */
static int step(struct sv_fat *v, uint64_t ino, uint64_t *at, struct sv_err *err)
{
	uint64_t in_heap = *at - v->boot.heap + SV_FAT_ENTRY;
	uint32_t cluster = (uint32_t)((in_heap - 1) / v->boot.cluster) + SV_FAT_FIRST_CLUSTER,
		 next;

	*at += SV_FAT_ENTRY;
	if (in_heap % v->boot.cluster || ino & 1)
		return 0;
	if (sv_fat_next(v, cluster, &next, err) < 0)
		return -1;
	if (!next)
		return sv_fail_at(err, SV_CORRUPT, sv_dev_name(v->dev), *at,
			"an entry set goes beyond its folder");
	*at = v->boot.heap + (uint64_t)(next - SV_FAT_FIRST_CLUSTER) * v->boot.cluster;
	return 0;
}

static int load_set(
	struct sv_fat *v, uint64_t ino, uint64_t at, struct sv_fat_entry *e, struct sv_err *err)
{
	uint8_t b[SV_FAT_ENTRY * 20];
	enum sv_fat_found found;
	uint64_t first = at;
	size_t used;

	if (sv_dev_read(v->dev, b, SV_FAT_ENTRY, at, err) < 0)
		return -1;
	for (size_t n = SV_FAT_ENTRY; n < sv_fat_set_size(b); n += SV_FAT_ENTRY) {
		if (step(v, ino, &at, err) < 0 ||
			sv_dev_read(v->dev, b + n, SV_FAT_ENTRY, at, err) < 0)
			return -1;
	}
	if (sv_fat_parse_set(b, sv_fat_set_size(b), &found, e, &used, err) < 0) {
		sv_err_shift(err, first);
		return sv_err_path(err, sv_dev_name(v->dev));
	}
	return found == SV_FAT_OBJECT ? 0
				      : sv_fail_at(err, SV_NOTFOUND, sv_dev_name(v->dev), first,
						"there is no object here");
}

int sv_fat_object(struct sv_fat *v, uint64_t ino, struct sv_fat_object *ret, struct sv_err *err)
{
	uint64_t at = (ino >> 1) * SV_FAT_ENTRY;
	struct sv_fat_long l = {0};
	uint8_t b[SV_FAT_ENTRY];
	struct sv_fat_entry e;

	if (ino == SV_FAT_ROOT_INO) {
		root_object(v, ret);
		return 0;
	}
	if (v->boot.kind == SV_EXFAT) {
		if (at < v->boot.heap)
			return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev),
				"there is no object %llu", (unsigned long long)ino);
		if (load_set(v, ino, at, &e, err) < 0)
			return -1;
	} else {
		if (sv_dev_read(v->dev, b, sizeof b, at, err) < 0)
			return -1;
		if (sv_fat_parse_entry(b, v->boot.kind, &l, &e) != SV_FAT_OBJECT)
			return sv_fail_at(err, SV_NOTFOUND, sv_dev_name(v->dev), at,
				"there is no object here");
	}
	*ret = e.object;
	ret->st.ino = ino;
	ret->st.allocated = sv_align_up(ret->st.size, v->boot.cluster);
	return 0;
}

/* ---- names ---- */

char *sv_fat_name_utf8(const uint16_t *name, unsigned n, bool *ret_lossy)
{
	uint16_t units[SV_FAT_NAME_MAX + 1];
	bool lossy = false;
	char *text;

	for (unsigned i = 0; i < n; i++) {
		bool bad = name[i] == '/' || !name[i];

		lossy = lossy || bad;
		units[i] = htole16(bad ? 0xfffd : name[i]);
	}
	text = sv_utf16_to_utf8(units, n, ret_lossy);
	*ret_lossy = *ret_lossy || lossy;
	return text;
}

/* What FAT's makers fold: the letters of the code pages it was sold with. */
static uint16_t fold_plain(uint16_t u)
{
	if (u < 0x80)
		return u >= 'a' && u <= 'z' ? u - 32 : u;
	if ((u >= 0xe0 && u <= 0xfe && u != 0xf7) || (u >= 0x3b1 && u <= 0x3c9 && u != 0x3c2) ||
		(u >= 0x430 && u <= 0x44f))
		return u - 32;
	if (u >= 0x450 && u <= 0x45f)
		return u - 80;
	if ((u >= 0x100 && u <= 0x137) || (u >= 0x14a && u <= 0x177))
		return u & (uint16_t)~1u;
	if ((u >= 0x139 && u <= 0x148) || (u >= 0x179 && u <= 0x17e))
		return u & 1 ? u : u - 1;
	return u;
}

static uint16_t fold(const struct sv_fat *v, uint16_t u)
{
	return v->upcase ? v->upcase[u] : fold_plain(u);
}

static bool same_name(const struct sv_fat *v, const uint16_t *a, const uint16_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fold(v, a[i]) != fold(v, b[i]))
			return false;
	}
	return true;
}

/* ---- the driver's calls ---- */

struct telling {
	sv_fs_entry_fn fn;
	void *user;
};

static int tell(void *user, enum sv_fat_found found, const struct sv_fat_entry *e)
{
	struct telling *t = user;
	sv_autofree char *name = NULL;
	bool lossy;

	if (found != SV_FAT_OBJECT)
		return 0;
	name = sv_fat_name_utf8(e->name, e->name_len, &lossy);
	if (!name)
		return -1;
	return t->fn(t->user, name, lossy ? e->name : NULL,
		lossy ? e->name_len * sizeof *e->name : 0, e->object.st.ino, e->object.st.type);
}

int sv_fat_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	struct telling t = {fn, user};
	struct sv_fat_object dir;

	if (sv_fat_object(sv_fat_of(fs), ino, &dir, err) < 0)
		return -1;
	if (dir.st.type != SV_FS_DIR)
		return sv_fail(err, SV_USAGE, sv_dev_name(fs->volume),
			"entry %llu is no folder", (unsigned long long)ino);
	return sv_fat_each_entry(sv_fat_of(fs), &dir, ino, tell, &t, err);
}

struct search {
	const struct sv_fat *v;
	const uint16_t *name;
	size_t n;
	uint64_t found;
};

static int match(void *user, enum sv_fat_found found, const struct sv_fat_entry *e)
{
	struct search *s = user;

	if (found != SV_FAT_OBJECT)
		return 0;
	if ((e->name_len == s->n && same_name(s->v, e->name, s->name, s->n)) ||
		(e->alias_len == s->n && s->n && same_name(s->v, e->alias, s->name, s->n))) {
		s->found = e->object.st.ino;
		return 1;
	}
	return 0;
}

int sv_fat_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err)
{
	struct search s = {.v = sv_fat_of(fs)};
	sv_autofree char *text = strndup(name, name_len);
	sv_autofree uint16_t *units = text ? sv_utf8_to_utf16(text, &s.n) : NULL;
	struct sv_fat_object o;
	int rc;

	if (!units)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < s.n; i++)
		units[i] = le16toh(units[i]);
	s.name = units;
	if (sv_fat_object(sv_fat_of(fs), dir, &o, err) < 0)
		return -1;
	rc = sv_fat_each_entry(sv_fat_of(fs), &o, dir, match, &s, err);
	if (s.found) {
		*ret_ino = s.found;
		return 0;
	}
	return rc < 0 ? -1
		      : sv_fail(err, SV_NOTFOUND, sv_dev_name(fs->volume),
				"there is no such entry");
}
