/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The index $I30 of the root folder: one node in the record itself ($INDEX_ROOT), the others in
 * blocks ($INDEX_ALLOCATION) of which a bitmap tells the used ones. The blocks are read one
 * after the other, not down the tree: a tree can be made to loop, a list of blocks cannot.
 */
#include "fs/ntfs/root.h"

#include "base/num.h"

#include <string.h>

#define INDEX_NAME "$I30"
#define BLOCKS_MAX (1U << 20) /* a root folder of tens of millions of files */

struct visit {
	struct sv_ntfs_raw_vol *v;
	sv_ntfs_visit_fn fn;
	void *user;
	struct sv_job *job;
};

static int bad(struct sv_err *err, size_t at, const char *what, uint64_t found)
{
	return sv_fail_at(err, SV_CORRUPT, NULL, at,
		"index of the root folder: %s cannot be %llu", what, (unsigned long long)found);
}

/* Checks one entry of a node and shows it. */
static int visit_entry(const struct visit *w, uint8_t *entry, const struct ntfs_index_entry *e,
	size_t at, enum sv_ntfs_visit *ret, struct sv_err *err)
{
	struct ntfs_file_name name;
	size_t key = sv_get_le16(e->key_length);

	if (key < sizeof name || !sv_in_range(sizeof *e, key, sv_get_le16(e->length)))
		return bad(err, at + offsetof(struct ntfs_index_entry, key_length),
			"the length of a key", key);
	memcpy(&name, entry + sizeof *e, sizeof name);
	if (!sv_in_range(sizeof name, 2U * name.length, key))
		return bad(err, at + sizeof *e + offsetof(struct ntfs_file_name, length),
			"the length of a name", name.length);
	*ret = w->fn(w->user, sv_get_le64(e->record), entry + sizeof *e, &name,
		entry + sizeof *e + sizeof name);
	return 0;
}

/* `head` is at offset `at` of the bytes, `room` bytes are left from there. */
static int visit_node(const struct visit *w, uint8_t *bytes, size_t at, size_t room,
	enum sv_ntfs_visit *ret, struct sv_err *err)
{
	struct ntfs_index_head head;
	struct ntfs_index_entry e;
	size_t end, next;

	memcpy(&head, bytes + at, sizeof head);
	end = sv_get_le32(head.length);
	next = sv_get_le32(head.entries_offset);
	if (end > room)
		return bad(err, at + offsetof(struct ntfs_index_head, length),
			"the length of a node", end);
	for (*ret = SV_NTFS_GO_ON; *ret == SV_NTFS_GO_ON; next += sv_get_le16(e.length)) {
		if (!sv_in_range(next, sizeof e, end))
			return bad(err, at, "the place of an entry", next);
		memcpy(&e, bytes + at + next, sizeof e);
		if (sv_get_le16(e.flags) & NTFS_ENTRY_LAST)
			return 0;
		if (sv_get_le16(e.length) < sizeof e ||
			!sv_in_range(next, sv_get_le16(e.length), end))
			return bad(err, at + next + offsetof(struct ntfs_index_entry, length),
				"the length of an entry", sv_get_le16(e.length));
		if (visit_entry(w, bytes + at + next, &e, at + next, ret, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the node in the record ---- */

static int visit_root_node(const struct visit *w, uint32_t *ret_block_size,
	enum sv_ntfs_visit *ret, struct sv_err *err)
{
	sv_autofree struct sv_ntfs_raw_part *parts = NULL;
	sv_autofree uint8_t *record = malloc(w->v->geo.record_size);
	struct ntfs_index_root root;
	struct sv_ntfs_raw_attr a;
	size_t count;

	if (!record)
		return sv_fail_nomem(err);
	if (sv_ntfs_raw_find_parts(w->v, NTFS_FILE_ROOT, NTFS_ATTR_INDEX_ROOT, INDEX_NAME,
		    &parts, &count, err) < 0)
		return -1;
	if (count != 1)
		return sv_fail(err, SV_CORRUPT, w->v->dev->name,
			"the root folder has %zu index roots, expected one", count);
	if (sv_ntfs_raw_read_part(
		    w->v, parts, NTFS_ATTR_INDEX_ROOT, INDEX_NAME, record, &a, err) < 0)
		return -1;
	if (a.mapped || a.value_length < sizeof root)
		return sv_fail(err, SV_CORRUPT, w->v->dev->name,
			"the root folder's index root has %u bytes", a.value_length);
	memcpy(&root, record + a.value_offset, sizeof root);
	*ret_block_size = sv_get_le32(root.block_size);
	if (visit_node(w, record, a.value_offset + offsetof(struct ntfs_index_root, index),
		    a.value_length - offsetof(struct ntfs_index_root, index), ret, err) < 0)
		return sv_err_path(err, w->v->dev->name);
	if (*ret == SV_NTFS_WRITE_AND_STOP)
		return sv_ntfs_raw_write_record(w->v, parts->record, record, err);
	return 0;
}

/* ---- the blocks ---- */

struct blocks {
	struct sv_ntfs_raw_stream data, bitmap;
	uint32_t size;
	uint8_t *bytes;
};

static void close_blocks(struct blocks *b)
{
	sv_ntfs_raw_free_stream(&b->data);
	sv_ntfs_raw_free_stream(&b->bitmap);
	free(b->bytes);
}

static int in_block(
	struct sv_ntfs_raw_vol *v, const struct blocks *b, uint64_t off, struct sv_err *err)
{
	uint64_t at, length;

	sv_err_path(err, v->dev->name);
	if (sv_ntfs_raw_map(v, &b->data, off, 1, &at, &length, NULL) == 0 &&
		at != SV_NO_HOST_OFFSET)
		sv_err_shift(err, at);
	return -1;
}

static int visit_block(const struct visit *w, struct blocks *b, uint64_t index,
	enum sv_ntfs_visit *ret, struct sv_err *err)
{
	uint64_t off = index * b->size;

	if (sv_ntfs_raw_read_stream(w->v, &b->data, b->bytes, b->size, off, err) < 0)
		return -1;
	if (sv_ntfs_raw_unprotect(b->bytes, b->size, "INDX", err) < 0 ||
		visit_node(w, b->bytes, offsetof(struct ntfs_index_block, index),
			b->size - offsetof(struct ntfs_index_block, index), ret, err) < 0)
		return in_block(w->v, b, off, err);
	if (*ret != SV_NTFS_WRITE_AND_STOP)
		return 0;
	sv_ntfs_raw_protect(b->bytes, b->size);
	return sv_ntfs_raw_write_stream(w->v, &b->data, b->bytes, b->size, off, err);
}

static int visit_blocks(
	const struct visit *w, struct blocks *b, enum sv_ntfs_visit *ret, struct sv_err *err)
{
	uint64_t count = SV_MIN(b->data.size / b->size, 8 * b->bitmap.size);
	uint8_t used = 0;

	if (count > BLOCKS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, w->v->dev->name,
			"the root folder's index has %llu blocks, the most allowed is %u",
			(unsigned long long)count, BLOCKS_MAX);
	for (uint64_t i = 0; i < count && *ret == SV_NTFS_GO_ON; i++) {
		if (i % 8 == 0 &&
			sv_ntfs_raw_read_stream(w->v, &b->bitmap, &used, 1, i / 8, err) < 0)
			return -1;
		if (!(used >> i % 8 & 1))
			continue;
		if (sv_job_check(w->job, err) < 0 || visit_block(w, b, i, ret, err) < 0)
			return -1;
	}
	return 0;
}

/* A small folder has no blocks. */
static int visit_allocation(
	const struct visit *w, uint32_t block_size, enum sv_ntfs_visit *ret, struct sv_err *err)
{
	SV_CLEANUP(close_blocks) struct blocks b = {.size = block_size};
	int found = sv_ntfs_raw_open_stream(
		w->v, NTFS_FILE_ROOT, NTFS_ATTR_INDEX_ALLOCATION, INDEX_NAME, &b.data, err);

	if (found != 1)
		return found;
	found = sv_ntfs_raw_open_stream(
		w->v, NTFS_FILE_ROOT, NTFS_ATTR_BITMAP, INDEX_NAME, &b.bitmap, err);
	if (found < 0)
		return -1;
	if (!found || b.data.value || !sv_is_pow2(block_size) ||
		block_size < NTFS_FIXUP_STRIDE || block_size > NTFS_RECORD_MAX)
		return sv_fail(err, SV_CORRUPT, w->v->dev->name,
			"the root folder's index has blocks of %u bytes and %s", block_size,
			found ? "a bitmap" : "no bitmap");
	b.bytes = malloc(block_size);
	if (!b.bytes)
		return sv_fail_nomem(err);
	return visit_blocks(w, &b, ret, err);
}

int sv_ntfs_visit_root(struct sv_ntfs_raw_vol *v, sv_ntfs_visit_fn fn, void *user,
	struct sv_job *job, struct sv_err *err)
{
	struct visit w = {.v = v, .fn = fn, .user = user, .job = job};
	enum sv_ntfs_visit last;
	uint32_t block_size = 0;

	if (visit_root_node(&w, &block_size, &last, err) < 0)
		return -1;
	if (last == SV_NTFS_GO_ON && visit_allocation(&w, block_size, &last, err) < 0)
		return -1;
	return last != SV_NTFS_GO_ON;
}

bool sv_ntfs_name_is(const uint8_t *name, size_t units, const char *ascii)
{
	if (units != strlen(ascii))
		return false;
	for (size_t i = 0; i < units; i++) {
		unsigned unit = sv_load_le16(name + 2 * i);

		if (unit >= 'A' && unit <= 'Z')
			unit += 'a' - 'A';
		if (unit != (unsigned char)ascii[i])
			return false;
	}
	return true;
}
