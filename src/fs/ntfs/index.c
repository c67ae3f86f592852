/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Folders: the index $I30, a B+ tree of names. Its root node lies in the folder's record, the
 * others in INDX blocks of a stream of their own.
 *
 * Listing reads the blocks in the order they lie, once each, and never follows the tree, so
 * that a loop in it harms nothing. A look-up goes down the tree with a cap on its depth.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"

#include <string.h>

/* With blocks of 512 bytes and names of 255 units a tree of 2^32 names is 32 deep. */
#define DEPTH_MAX 32
/* 64 GiB of the usual blocks: a folder of 500 million names. */
#define BLOCKS_MAX (1u << 24)
/* So many damaged blocks are passed over in one folder; then listing it ends. */
#define DAMAGED_MAX 1000
#define UPCASE_LEN  65536u

const uint8_t sv_ntfs_i30[8] = {'$', 0, 'I', 0, '3', 0, '0', 0};

int sv_ntfs_parse_node(
	const uint8_t *bytes, size_t n, size_t at, struct sv_ntfs_node *ret, struct sv_err *err)
{
	struct ntfs_index_head d;
	uint32_t entries, used;

	if (!sv_in_range(at, sizeof d, n))
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"an index node of %zu bytes, header at %zu", n, at);
	memcpy(&d, bytes + at, sizeof d);
	entries = sv_get_le32(d.entries_offset);
	used = sv_get_le32(d.length);
	if (entries < sizeof d || entries % 8 || entries > used || used > n - at)
		return sv_fail_at(err, SV_CORRUPT, NULL, at,
			"index entries from %u to %u in %zu bytes", entries, used, n - at);
	ret->bytes = bytes;
	ret->pos = at + entries;
	ret->end = at + used;
	return 0;
}

int sv_ntfs_next_entry(struct sv_ntfs_node *node, struct sv_ntfs_entry *ret, struct sv_err *err)
{
	const uint8_t *p = node->bytes + node->pos;
	size_t left = node->end - node->pos, tail;
	struct ntfs_index_entry d;
	uint32_t len, key_len;

	if (left < sizeof d)
		return sv_fail_at(err, SV_CORRUPT, NULL, node->pos,
			"an index node that ends without its last entry");
	memcpy(&d, p, sizeof d);
	len = sv_get_le16(d.length);
	key_len = sv_get_le16(d.key_length);
	ret->last = sv_get_le16(d.flags) & NTFS_ENTRY_LAST;
	ret->has_child = sv_get_le16(d.flags) & NTFS_ENTRY_CHILD;
	tail = ret->has_child ? 8 : 0;
	if (len % 8 || len < sizeof d + tail || len > left ||
		(!ret->last && key_len > len - sizeof d - tail))
		return sv_fail_at(err, SV_CORRUPT, NULL, node->pos,
			"an index entry of %u bytes with a key of %u, %zu bytes left", len,
			key_len, left);
	ret->record = sv_get_le64(d.record);
	ret->child = tail ? sv_load_le64(p + len - 8) : 0;
	if (!ret->last && sv_ntfs_parse_name(p + sizeof d, key_len, &ret->key, err) < 0)
		return sv_err_shift(err, node->pos + sizeof d);
	node->pos += len;
	return 1;
}

/* ---- an open folder ---- */

struct folder {
	struct sv_ntfs *v;
	uint64_t ino;
	uint8_t *root; /* the value of $INDEX_ROOT */
	size_t root_len;
	uint32_t block_size;
	struct sv_ntfs_stream blocks; /* size 0 where all fits in the root */
	uint8_t *block;               /* block_size bytes */
};

static void folder_close(struct folder *f)
{
	free(f->root);
	free(f->block);
	sv_ntfs_stream_close(&f->blocks);
}

static int load_root(struct folder *f, const struct sv_ntfs_record *base, struct sv_err *err)
{
	sv_autostream struct sv_ntfs_stream s = {0};
	struct ntfs_index_root d;

	if (sv_ntfs_stream_open(
		    f->v, base, f->ino, NTFS_ATTR_INDEX_ROOT, sv_ntfs_i30, 4, &s, err) < 0)
		return -1;
	f->root = sv_ntfs_stream_slurp(f->v, &s, SV_NTFS_BLOCK_MAX, &f->root_len, err);
	if (!f->root)
		return -1;
	if (f->root_len < sizeof d) {
		sv_fail_at(err, SV_CORRUPT, NULL, 0, "an index root of %zu bytes", f->root_len);
		return sv_ntfs_blame(f->v, f->ino, 0, err);
	}
	memcpy(&d, f->root, sizeof d);
	f->block_size = sv_get_le32(d.block_size);
	if (sv_get_le32(d.type) == NTFS_ATTR_FILE_NAME && sv_is_pow2(f->block_size) &&
		f->block_size >= NTFS_FIXUP_STRIDE && f->block_size <= SV_NTFS_BLOCK_MAX)
		return 0;
	sv_fail_at(err, SV_CORRUPT, NULL, 0,
		"a folder's index of attribute 0x%x with blocks of %u bytes",
		sv_get_le32(d.type), f->block_size);
	return sv_ntfs_blame(f->v, f->ino, 0, err);
}

/* Opens what is optional: SV_NOTFOUND is no error. */
static int open_optional(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	uint32_t type, struct sv_ntfs_stream *ret, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	if (sv_ntfs_stream_open(v, base, ino, type, sv_ntfs_i30, 4, ret, &why) == 0)
		return 0;
	if (why.code == SV_NOTFOUND)
		return 0;
	sv_err_copy(err, &why);
	return -1;
}

static int folder_open(struct sv_ntfs *v, const struct sv_ntfs_record *base, uint64_t ino,
	struct folder *f, struct sv_err *err)
{
	f->v = v;
	f->ino = ino;
	if (!base->is_dir)
		return sv_fail(err, SV_USAGE, sv_dev_name(v->dev),
			"record %llu of $MFT is not a folder", (unsigned long long)ino);
	if (load_root(f, base, err) < 0 ||
		open_optional(v, base, ino, NTFS_ATTR_INDEX_ALLOCATION, &f->blocks, err) < 0)
		return -1;
	if (f->blocks.size / f->block_size > BLOCKS_MAX)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"the index of record %llu has %llu bytes, at most %u blocks are expected",
			(unsigned long long)ino, (unsigned long long)f->blocks.size,
			BLOCKS_MAX);
	f->block = malloc(f->block_size);
	return f->block ? 0 : sv_fail_nomem(err);
}

static int blame_block(const struct folder *f, uint64_t off, struct sv_err *err)
{
	sv_err_shift(err, sv_ntfs_locate(f->v, &f->blocks, off));
	return sv_err_path(err, sv_dev_name(f->v->dev));
}

/* VCNs of an index count clusters, or strides where a cluster is larger than a block. */
static uint64_t vcn_size(const struct folder *f)
{
	return f->v->geo.cluster_size <= f->block_size ? f->v->geo.cluster_size
						       : NTFS_FIXUP_STRIDE;
}

/* Reads the block at byte `off` of the index. */
static int load_block(
	struct folder *f, uint64_t off, struct sv_ntfs_node *node, struct sv_err *err)
{
	uint64_t want = off / vcn_size(f), found;
	size_t got;

	if (sv_ntfs_stream_read(f->v, &f->blocks, f->block, f->block_size, off, &got, err) < 0)
		return -1;
	if (got < f->block_size)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(f->v->dev),
			"index block %llu of record %llu is beyond the index",
			(unsigned long long)want, (unsigned long long)f->ino);
	if (sv_ntfs_raw_unprotect(f->block, f->block_size, "INDX", err) < 0)
		return blame_block(f, off, err);
	found = sv_load_le64(f->block + offsetof(struct ntfs_index_block, vcn));
	if (found != want) {
		sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct ntfs_index_block, vcn),
			"index block %llu where block %llu of record %llu is expected",
			(unsigned long long)found, (unsigned long long)want,
			(unsigned long long)f->ino);
		return blame_block(f, off, err);
	}
	if (sv_ntfs_parse_node(f->block, f->block_size,
		    offsetof(struct ntfs_index_block, index), node, err) < 0)
		return blame_block(f, off, err);
	return 0;
}

static int root_node(const struct folder *f, struct sv_ntfs_node *node, struct sv_err *err)
{
	if (sv_ntfs_parse_node(f->root, f->root_len, offsetof(struct ntfs_index_root, index),
		    node, err) < 0)
		return sv_ntfs_blame(f->v, f->ino, 0, err);
	return 0;
}

/* ---- listing ---- */

struct listing {
	struct folder *f;
	sv_fs_entry_fn fn;
	void *user;
	struct sv_err first; /* what was met first; listing goes on after it */
	unsigned damaged;
};

static void note_damage(struct listing *l, const struct sv_err *why)
{
	if (!l->damaged++)
		sv_err_copy(&l->first, why);
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* What kind of thing an entry names: mostly the key tells, else its record. */
static int entry_type(struct sv_ntfs *v, const struct sv_ntfs_entry *e, enum sv_fs_type *ret,
	struct sv_err *err)
{
	bool is_dir = e->key.attributes & (NTFS_WIN_HAS_INDEX | NTFS_WIN_DIRECTORY);
	bool reparse = e->key.attributes & NTFS_WIN_REPARSE;
	struct sv_fs_stat st;

	*ret = sv_ntfs_type_of(reparse ? e->key.reparse_tag : 0, is_dir);
	if ((!reparse || e->key.reparse_tag) &&
		(is_dir || !(e->key.attributes & NTFS_WIN_SYSTEM)))
		return 0;
	if (sv_ntfs_stat(&v->fs, NTFS_REF_RECORD(e->record), &st, err) < 0)
		return -1;
	*ret = st.type;
	return 0;
}

static int emit(struct listing *l, const struct sv_ntfs_entry *e)
{
	uint64_t ino = NTFS_REF_RECORD(e->record);
	struct sv_err why = SV_ERR_INIT;
	char name[SV_NTFS_NAME_UTF8];
	enum sv_fs_type type;
	bool lossy;

	if (e->key.space == NTFS_SPACE_DOS || ino < NTFS_FILE_FIRST_USER)
		return 0;
	lossy = sv_ntfs_name_to_utf8(e->key.name, e->key.name_len, name);
	if (is_dots(name))
		return 0;
	/* a record that cannot be read is listed all the same: its own stat tells why */
	if (entry_type(l->f->v, e, &type, &why) < 0)
		note_damage(l, &why);
	return l->fn(l->user, name, lossy ? e->key.name : NULL,
		lossy ? 2 * (size_t)e->key.name_len : 0, ino, type);
}

/* All names of a node; an error is kept, the result is the callback's. */
static int emit_node(struct listing *l, struct sv_ntfs_node *node, bool in_root, uint64_t off)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_ntfs_entry e;
	int rc;

	while ((rc = sv_ntfs_next_entry(node, &e, &why)) > 0 && !e.last) {
		rc = emit(l, &e);
		if (rc)
			return rc;
	}
	if (rc < 0) {
		if (in_root)
			sv_ntfs_blame(l->f->v, l->f->ino, 0, &why);
		else
			blame_block(l->f, off, &why);
		note_damage(l, &why);
	}
	return 0;
}

/* The bitmap says which blocks are in use; it is read a piece at a time. */
static int block_in_use(struct folder *f, struct sv_ntfs_stream *bitmap, uint64_t i, bool *ret,
	struct sv_err *err)
{
	uint8_t byte = 0;
	size_t got;

	if (sv_ntfs_stream_read(f->v, bitmap, &byte, 1, i / 8, &got, err) < 0)
		return -1;
	*ret = got && byte & (1u << (i % 8));
	return 0;
}

static int emit_blocks(struct listing *l, struct sv_ntfs_stream *bitmap, struct sv_err *err)
{
	uint64_t blocks = l->f->blocks.size / l->f->block_size;

	for (uint64_t i = 0; i < blocks && l->damaged < DAMAGED_MAX; i++) {
		uint64_t off = i * l->f->block_size;
		struct sv_err why = SV_ERR_INIT;
		struct sv_ntfs_node node;
		bool used;
		int rc;

		if (block_in_use(l->f, bitmap, i, &used, err) < 0)
			return -1;
		if (!used)
			continue;
		if (load_block(l->f, off, &node, &why) < 0) {
			note_damage(l, &why);
			continue;
		}
		rc = emit_node(l, &node, false, off);
		if (rc)
			return rc;
	}
	return 0;
}

int sv_ntfs_readdir(
	struct sv_fs *fs, uint64_t ino, sv_fs_entry_fn fn, void *user, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record base = {0};
	sv_autostream struct sv_ntfs_stream bitmap = {0};
	SV_CLEANUP(folder_close) struct folder f = {0};
	struct listing l = {.f = &f, .fn = fn, .user = user};
	struct sv_ntfs *v = sv_ntfs_of(fs);
	struct sv_ntfs_node node;
	int rc;

	if (sv_ntfs_load(v, ino, false, &base, err) < 0 ||
		folder_open(v, &base, ino, &f, err) < 0 || root_node(&f, &node, err) < 0 ||
		open_optional(v, &base, ino, NTFS_ATTR_BITMAP, &bitmap, err) < 0)
		return -1;
	rc = emit_node(&l, &node, true, 0);
	if (!rc)
		rc = emit_blocks(&l, &bitmap, err);
	if (rc || !l.damaged)
		return rc;
	sv_err_copy(err, &l.first);
	return -1;
}

/* ---- look-up ---- */

int sv_ntfs_load_upcase(struct sv_ntfs *v, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record base = {0};
	sv_autostream struct sv_ntfs_stream s = {0};
	sv_autofree uint8_t *bytes = NULL;
	size_t n;

	if (v->upcase)
		return 0;
	if (sv_ntfs_load(v, NTFS_FILE_UPCASE, false, &base, err) < 0 ||
		sv_ntfs_stream_open(
			v, &base, NTFS_FILE_UPCASE, NTFS_ATTR_DATA, NULL, 0, &s, err) < 0)
		return -1;
	bytes = sv_ntfs_stream_slurp(v, &s, 2 * UPCASE_LEN, &n, err);
	if (!bytes)
		return -1;
	if (n != 2 * UPCASE_LEN)
		return sv_fail(err, SV_CORRUPT, sv_dev_name(v->dev),
			"$UpCase has %zu bytes, expected %u", n, 2 * UPCASE_LEN);
	v->upcase = malloc(UPCASE_LEN * sizeof *v->upcase);
	if (!v->upcase)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < UPCASE_LEN; i++)
		v->upcase[i] = sv_load_le16(bytes + 2 * i);
	return 0;
}

struct search {
	const uint8_t *name;
	unsigned name_len;
	bool found, exact;
	uint64_t record; /* reference */
};

/*
 * Looks for the name among the entries of a node: where entries differ by case only, the
 * exact one is wanted, else the first. 1: *child is the block to go on with; 0: no more.
 */
static int search_node(struct sv_ntfs *v, struct search *s, struct sv_ntfs_node *node,
	uint64_t *child, struct sv_err *err)
{
	struct sv_ntfs_entry e;
	int rc, order;

	while ((rc = sv_ntfs_next_entry(node, &e, err)) > 0) {
		order = e.last ? -1
			       : sv_ntfs_name_compare(v->upcase, s->name, s->name_len,
					 e.key.name, e.key.name_len, true);
		if (!e.last && !s->found &&
			!sv_ntfs_name_compare(v->upcase, s->name, s->name_len, e.key.name,
				e.key.name_len, false)) {
			s->found = true;
			s->record = e.record;
		}
		if (!order) {
			s->record = e.record;
			return 0;
		}
		if (order < 0) {
			*child = e.child;
			return e.has_child;
		}
	}
	return rc;
}

static int search_tree(struct folder *f, struct search *s, struct sv_err *err)
{
	struct sv_ntfs_node node;
	uint64_t child = 0, off;
	int rc;

	if (root_node(f, &node, err) < 0)
		return -1;
	rc = search_node(f->v, s, &node, &child, err);
	if (rc < 0)
		return sv_ntfs_blame(f->v, f->ino, 0, err);
	for (unsigned depth = 0; rc > 0; depth++) {
		if (depth == DEPTH_MAX)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(f->v->dev),
				"the index of record %llu is deeper than %d blocks",
				(unsigned long long)f->ino, DEPTH_MAX);
		if (!sv_mul(child, vcn_size(f), &off))
			off = UINT64_MAX - f->block_size;
		if (load_block(f, off, &node, err) < 0)
			return -1;
		rc = search_node(f->v, s, &node, &child, err);
		if (rc < 0)
			return blame_block(f, off, err);
	}
	return 0;
}

/* The entry must name the record that is there now, not one that was there before. */
static int check_sequence(struct sv_ntfs *v, uint64_t reference, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record r = {0};
	uint64_t number = NTFS_REF_RECORD(reference);

	if (sv_ntfs_load(v, number, false, &r, err) < 0)
		return -1;
	if (!NTFS_REF_SEQUENCE(reference) || NTFS_REF_SEQUENCE(reference) == r.sequence)
		return 0;
	sv_fail_at(err, SV_CORRUPT, NULL, offsetof(struct ntfs_record, sequence),
		"record %llu has sequence %u, its folder expects %u",
		(unsigned long long)number, r.sequence, NTFS_REF_SEQUENCE(reference));
	return sv_ntfs_blame(v, number, 0, err);
}

int sv_ntfs_lookup(struct sv_fs *fs, uint64_t dir, const char *name, size_t name_len,
	uint64_t *ret_ino, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record base = {0};
	SV_CLEANUP(folder_close) struct folder f = {0};
	uint8_t units[2 * SV_NTFS_NAME_MAX];
	struct search s = {.name = units};
	struct sv_ntfs *v = sv_ntfs_of(fs);

	if (sv_ntfs_load_upcase(v, err) < 0 || sv_ntfs_load(v, dir, false, &base, err) < 0)
		return -1;
	if (!base.is_dir || !sv_ntfs_name_from_utf8(name, name_len, units, &s.name_len))
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev), "no such name");
	if (folder_open(v, &base, dir, &f, err) < 0 || search_tree(&f, &s, err) < 0)
		return -1;
	if (!s.found)
		return sv_fail(err, SV_NOTFOUND, sv_dev_name(v->dev), "no such name");
	if (check_sequence(v, s.record, err) < 0)
		return -1;
	*ret_ino = NTFS_REF_RECORD(s.record);
	return 0;
}
