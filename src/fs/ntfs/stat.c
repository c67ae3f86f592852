/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an object is: gathered from its $STANDARD_INFORMATION, names, data and reparse point. */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"

#include <string.h>

#define TICKS        10000000LL            /* of 100 ns in a second */
#define EPOCH_OFFSET 11644473600LL         /* seconds from 1601 to 1970 */
#define INTERIX_MAX  (8 + 2 * (32u << 10)) /* a longer file is no link */

struct gather {
	struct sv_ntfs_object *o;
	bool is_dir;
	bool ask_reparse; /* the reparse point is not resident: its tag must be read */
	bool ask_data;    /* the data are not resident and may be Interix's */
	bool interix_link, interix_other;
	uint64_t named; /* clusters that named streams take, in bytes */
};

static struct sv_fs_time time_of(sv_le64 disk)
{
	int64_t ticks = (int64_t)sv_get_le64(disk);
	int64_t sec = ticks / TICKS, rest = ticks % TICKS;

	if (rest < 0) {
		rest += TICKS;
		sec--;
	}
	return (struct sv_fs_time){sec - EPOCH_OFFSET, (uint32_t)(rest * 100)};
}

static void take_standard(
	const struct sv_ntfs_record *r, const struct sv_ntfs_raw_attr *a, struct gather *g)
{
	struct ntfs_standard d;
	struct sv_fs_stat *st = &g->o->st;

	if (a->mapped || a->value_length < sizeof d)
		return;
	memcpy(&d, r->bytes + a->value_offset, sizeof d);
	st->born = time_of(d.born);
	st->mtime = time_of(d.modified);
	st->ctime = time_of(d.changed);
	st->atime = time_of(d.accessed);
	st->attributes = sv_get_le32(d.attributes);
}

static int take_name(const struct sv_ntfs_record *r, const struct sv_ntfs_raw_attr *a,
	struct gather *g, struct sv_err *err)
{
	struct sv_ntfs_object *o = g->o;
	struct sv_ntfs_name name;
	struct sv_ntfs_link *link;

	if (a->mapped)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "a file name that is not resident");
	if (sv_ntfs_parse_name(r->bytes + a->value_offset, a->value_length, &name, err) < 0)
		return -1;
	if (name.space == NTFS_SPACE_DOS)
		return 0;
	if (o->n_links == SV_NTFS_LINKS_MAX)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0, "a file with more than %u names",
			SV_NTFS_LINKS_MAX);
	if (o->n_links == o->cap_links) {
		size_t cap = o->cap_links ? 2 * o->cap_links : 4;
		void *p = realloc(o->links, cap * sizeof *o->links);

		if (!p)
			return sv_fail_nomem(err);
		o->links = p;
		o->cap_links = cap;
	}
	link = &o->links[o->n_links++];
	link->parent = NTFS_REF_RECORD(name.parent);
	link->name_len = name.name_len;
	memcpy(link->name, name.name, 2 * name.name_len);
	return 0;
}

static void take_interix(const uint8_t *bytes, size_t n, struct gather *g)
{
	if (n < SV_NTFS_INTERIX_LEN)
		return;
	g->interix_link = !memcmp(bytes, SV_NTFS_INTERIX_LINK, SV_NTFS_INTERIX_LEN);
	g->interix_other = !memcmp(bytes, "IntxCHR", 8) || !memcmp(bytes, "IntxBLK", 8);
}

static void take_data(
	const struct sv_ntfs_record *r, const struct sv_ntfs_raw_attr *a, struct gather *g)
{
	struct sv_fs_stat *st = &g->o->st;

	if (a->lowest_vcn)
		return;
	if (a->name_length) {
		g->named += a->mapped ? a->packed : 0;
		return;
	}
	st->size = a->mapped ? a->size : a->value_length;
	st->sparse = a->flags & NTFS_ATTR_SPARSE;
	st->compressed = a->flags & NTFS_ATTR_COMPRESSED;
	st->encrypted = a->flags & NTFS_ATTR_ENCRYPTED;
	if (a->mapped)
		st->allocated = a->packed;
	else
		take_interix(r->bytes + a->value_offset, a->value_length, g);
	g->ask_data = a->mapped && a->size >= SV_NTFS_INTERIX_LEN && a->size <= INTERIX_MAX;
}

static void take_reparse(
	const struct sv_ntfs_record *r, const struct sv_ntfs_raw_attr *a, struct gather *g)
{
	if (!a->mapped && a->value_length >= 4)
		g->o->st.reparse_tag = sv_load_le32(r->bytes + a->value_offset);
	g->ask_reparse = a->mapped && !a->lowest_vcn;
}

static int take(void *user, const struct sv_ntfs_record *r, const struct sv_ntfs_raw_attr *a,
	struct sv_err *err)
{
	struct gather *g = user;

	switch (a->type) {
	case NTFS_ATTR_STANDARD:
		take_standard(r, a, g);
		return 0;
	case NTFS_ATTR_FILE_NAME:
		return take_name(r, a, g, err);
	case NTFS_ATTR_DATA:
		take_data(r, a, g);
		return 0;
	case NTFS_ATTR_INDEX_ALLOCATION:
		if (g->is_dir && !a->lowest_vcn)
			g->o->st.allocated += a->allocated;
		return 0;
	case NTFS_ATTR_REPARSE:
		take_reparse(r, a, g);
		return 0;
	default:
		return 0;
	}
}

/* The first bytes of a stream that is not resident. */
static int peek(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint32_t type, uint8_t buf[8], size_t *ret_n, struct sv_err *err)
{
	sv_autostream struct sv_ntfs_stream s = {0};

	if (sv_ntfs_stream_open(v, base, number, type, NULL, 0, &s, err) < 0)
		return -1;
	return sv_ntfs_stream_read(v, &s, buf, 8, 0, ret_n, err);
}

enum sv_fs_type sv_ntfs_type_of(uint32_t tag, bool is_dir)
{
	switch (tag) {
	case NTFS_TAG_JUNCTION:
	case NTFS_TAG_SYMLINK:
	case NTFS_TAG_WSL_LINK:
		return SV_FS_SYMLINK;
	case NTFS_TAG_WSL_SOCKET:
		return SV_FS_SOCKET;
	case NTFS_TAG_WSL_FIFO:
		return SV_FS_FIFO;
	case NTFS_TAG_WSL_CHAR:
		return SV_FS_CHAR;
	case NTFS_TAG_WSL_BLOCK:
		return SV_FS_BLOCK;
	default:
		return is_dir ? SV_FS_DIR : SV_FS_FILE;
	}
}

/* Interix marks its files as the system's; only then is a file's content looked at. */
static void settle_type(struct gather *g)
{
	struct sv_fs_stat *st = &g->o->st;

	if (g->is_dir) /* as Windows shows it; on the disk it is told elsewhere */
		st->attributes |= NTFS_WIN_DIRECTORY;
	st->type = sv_ntfs_type_of(st->reparse_tag, g->is_dir);
	if (st->type != SV_FS_FILE || !(st->attributes & NTFS_WIN_SYSTEM))
		return;
	if (g->interix_link)
		st->type = SV_FS_SYMLINK;
	else if (g->interix_other)
		st->type = SV_FS_OTHER;
}

int sv_ntfs_describe(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t number,
	uint64_t *budget, struct sv_ntfs_object *o, struct sv_err *err)
{
	struct gather g = {.o = o, .is_dir = base->is_dir};
	uint8_t first[8];
	size_t n;

	o->st = (struct sv_fs_stat){.ino = number};
	o->n_links = 0;
	if (sv_ntfs_each_attr(v, base, number, budget, take, &g, err) < 0)
		return -1;
	o->st.nlink = (uint32_t)o->n_links;
	if (g.ask_reparse) {
		if (peek(v, base, number, NTFS_ATTR_REPARSE, first, &n, err) < 0)
			return -1;
		o->st.reparse_tag = n >= 4 ? sv_load_le32(first) : 0;
	}
	if (g.ask_data && o->st.attributes & NTFS_WIN_SYSTEM && !o->st.encrypted) {
		if (peek(v, base, number, NTFS_ATTR_DATA, first, &n, err) < 0)
			return -1;
		take_interix(first, n, &g);
	}
	if (o->st.reparse_tag == NTFS_TAG_WOF) { /* the data lie in a named stream */
		o->st.compressed = true;
		o->st.sparse = false;
		o->st.allocated += g.named;
	}
	settle_type(&g);
	return 0;
}

void sv_ntfs_object_free(struct sv_ntfs_object *o)
{
	free(o->links);
	o->links = NULL;
}

int sv_ntfs_stat(struct sv_fs *fs, uint64_t ino, struct sv_fs_stat *ret, struct sv_err *err)
{
	SV_CLEANUP(sv_ntfs_object_free) struct sv_ntfs_object o = {0};
	sv_autorecord struct sv_ntfs_record base = {0};
	struct sv_ntfs *v = sv_ntfs_of(fs);

	if (sv_ntfs_load(v, ino, false, &base, err) < 0 ||
		sv_ntfs_describe(v, &base, ino, NULL, &o, err) < 0)
		return -1;
	*ret = o.st;
	return 0;
}
