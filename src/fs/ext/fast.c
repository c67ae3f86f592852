/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Fast commits: see fast.h. A note is a tag, a length and a value (little endian). Notes of one
 * commit are ended by a tail with their checksum; a commit without a valid tail never was.
 */
#include "fs/ext/fast.h"

#include "base/num.h"

#include <stdlib.h>

#define NOTE_HEAD 4u
#define TAIL_SIZE 8u
/* An area holds 256 blocks by default; so many notes are those of 16 MiB. */
#define NOTES_MAX (1u << 20)

enum { ADD_RANGE = 1, DEL_RANGE, CREATE, LINK, UNLINK, INODE, PAD, TAIL, HEAD };

struct note {
	uint16_t tag;
	uint32_t order;
	uint64_t ino; /* that it is about; of a name: the folder */
	/* a range */
	uint64_t lblk, len, pblk;
	/* a name: what it leads to, 0 for nothing; an inode: its bytes */
	uint64_t target;
	uint8_t *bytes;
	size_t n;
};

struct sv_ext_fast {
	struct note *notes;
	size_t n, cap, whole; /* whole: ended by a tail */
	uint32_t crc;
};

struct sv_ext_fast *sv_ext_fast_new(struct sv_err *err)
{
	struct sv_ext_fast *f = calloc(1, sizeof *f);

	if (!f)
		sv_fail_nomem(err);
	return f;
}

static void cut(struct sv_ext_fast *f, size_t n)
{
	while (f->n > n)
		free(f->notes[--f->n].bytes);
}

void sv_ext_fast_free(struct sv_ext_fast *f)
{
	if (!f)
		return;
	cut(f, 0);
	free(f->notes);
	free(f);
}

static int add(struct sv_ext_fast *f, struct note note, const uint8_t *bytes, size_t n,
	struct sv_err *err)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		void *grown = f->n < NOTES_MAX ? realloc(f->notes, cap * sizeof note) : NULL;

		if (!grown)
			return sv_fail_nomem(err);
		f->notes = grown;
		f->cap = cap;
	}
	note.order = (uint32_t)f->n;
	note.n = n;
	if (n) {
		note.bytes = malloc(n);
		if (!note.bytes)
			return sv_fail_nomem(err);
		memcpy(note.bytes, bytes, n);
	}
	f->notes[f->n++] = note;
	return 0;
}

/* ---- decoding ---- */

static bool length_ok(const struct sv_ext_super *s, unsigned tag, size_t n)
{
	switch (tag) {
	case ADD_RANGE:
		return n == 4 + sizeof(struct ext_extent);
	case DEL_RANGE:
		return n == 12;
	case CREATE:
	case LINK:
	case UNLINK:
		return n > 8 && n <= 8 + EXT_NAME_MAX;
	case INODE:
		return n >= 4 + EXT_OLD_INODE && n <= 4 + s->inode_size;
	case TAIL:
	case HEAD:
		return n >= TAIL_SIZE;
	default:
		return tag == PAD;
	}
}

static int take_range(struct sv_ext_fast *f, unsigned tag, const uint8_t *p, struct sv_err *err)
{
	struct note note = {.tag = ADD_RANGE, .ino = sv_load_le32(p), .pblk = SV_EXT_HOLE};
	struct ext_extent e;
	uint32_t len;

	if (tag == DEL_RANGE) {
		note.lblk = sv_load_le32(p + 4);
		note.len = sv_load_le32(p + 8);
	} else {
		memcpy(&e, p + 4, sizeof e);
		len = sv_get_le16(e.length);
		note.lblk = sv_get_le32(e.block);
		note.len = len <= EXT_EXTENT_WRITTEN ? len : len - EXT_EXTENT_WRITTEN;
		if (len <= EXT_EXTENT_WRITTEN)
			note.pblk = (uint64_t)sv_get_le16(e.start_hi) << 32 |
				    sv_get_le32(e.start_lo);
	}
	return note.len ? add(f, note, NULL, 0, err) : 0;
}

static int take_note(
	struct sv_ext_fast *f, unsigned tag, const uint8_t *p, size_t n, struct sv_err *err)
{
	struct note note = {.tag = (uint16_t)tag, .ino = sv_load_le32(p)};

	switch (tag) {
	case ADD_RANGE:
	case DEL_RANGE:
		return take_range(f, tag, p, err);
	case CREATE:
	case LINK:
	case UNLINK:
		note.target = tag == UNLINK ? 0 : sv_load_le32(p + 4);
		return add(f, note, p + 8, n - 8, err);
	case INODE:
		return add(f, note, p + 4, n - 4, err);
	default:
		return 0;
	}
}

/* 1: the commit is whole; 0: it never was. */
static int take_tail(struct sv_ext_fast *f, const uint8_t *note, uint32_t sequence)
{
	uint32_t crc = sv_ext_crc(f->crc, note, NOTE_HEAD + 4);

	f->crc = 0;
	if (sv_load_le32(note + NOTE_HEAD) != sequence ||
		sv_load_le32(note + NOTE_HEAD + 4) != crc)
		return 0;
	f->whole = f->n;
	return 1;
}

/* One note at p: 1 to go on, 0 at the end of all, -1 without memory. */
static int take(struct sv_ext_fast *f, const uint8_t *p, size_t n, uint32_t sequence,
	struct sv_err *err)
{
	unsigned tag = sv_load_le16(p);

	if (tag == TAIL)
		return take_tail(f, p, sequence);
	/* features of notes, none of which exist yet; then the transaction */
	if (tag == HEAD &&
		(sv_load_le32(p + NOTE_HEAD) || sv_load_le32(p + NOTE_HEAD + 4) != sequence))
		return 0;
	f->crc = sv_ext_crc(f->crc, p, NOTE_HEAD + n);
	return take_note(f, tag, p + NOTE_HEAD, n, err) < 0 ? -1 : 1;
}

int sv_ext_fast_add(struct sv_ext_fast *f, const uint8_t *block, size_t n, bool first,
	uint32_t sequence, const struct sv_ext_super *s, struct sv_err *err)
{
	if (first && sv_load_le16(block) != HEAD)
		return 0;
	for (size_t at = 0; at + NOTE_HEAD <= n;) {
		size_t len = sv_load_le16(block + at + 2);
		int rc;

		if (len > n - at - NOTE_HEAD || !length_ok(s, sv_load_le16(block + at), len))
			return 0;
		rc = take(f, block + at, len, sequence, err);
		if (rc != 1)
			return rc;
		at += NOTE_HEAD + len;
	}
	return 1;
}

/* ---- kept in order: kind, inode, name, time ---- */

static int kind_of(const struct note *note)
{
	return note->tag == INODE ? 0 : note->tag == ADD_RANGE ? 1 : 2;
}

static int compare_names(const struct note *x, const struct note *y)
{
	size_t n = SV_MIN(x->n, y->n);
	int order;

	if (kind_of(x) != 2)
		return 0;
	order = n ? memcmp(x->bytes, y->bytes, n) : 0;
	return order ? order : (x->n > y->n) - (x->n < y->n);
}

static int compare(const void *a, const void *b)
{
	const struct note *x = a, *y = b;
	int order = kind_of(x) - kind_of(y);

	if (!order)
		order = (x->ino > y->ino) - (x->ino < y->ino);
	if (!order)
		order = compare_names(x, y);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

bool sv_ext_fast_finish(struct sv_ext_fast *f)
{
	cut(f, f->whole);
	if (f->n)
		qsort(f->notes, f->n, sizeof *f->notes, compare);
	return f->n > 0;
}

/* The first note that is not before `key`. */
static size_t find(const struct sv_ext_fast *f, const struct note *key)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&f->notes[mid], key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool same(const struct note *x, const struct note *y)
{
	return kind_of(x) == kind_of(y) && x->ino == y->ino;
}

/* ---- asking ---- */

/* As recovery does: the tree of the inode on the disk stays, unless it holds its data. */
static void merge(uint8_t *raw, const struct note *note)
{
	const size_t block = offsetof(struct ext_inode, block);
	const size_t after = block + sizeof(((struct ext_inode *)0)->block);
	uint32_t flags = sv_load_le32(note->bytes + offsetof(struct ext_inode, flags));

	memcpy(raw, note->bytes, block);
	memcpy(raw + after, note->bytes + after, note->n - after);
	if (flags & EXT_FL_EXTENTS) {
		if (sv_load_le16(raw + block) == EXT_EXTENT_MAGIC)
			return;
		memset(raw + block, 0, after - block);
		sv_store_le16(raw + block, EXT_EXTENT_MAGIC);
		sv_store_le16(raw + block + 4, 4);
	} else {
		memcpy(raw + block, note->bytes + block, after - block);
	}
}

bool sv_ext_fast_inode(
	const struct sv_ext_fast *f, const struct sv_ext_super *s, uint64_t ino, uint8_t *raw)
{
	const struct note key = {.tag = INODE, .ino = ino};
	bool merged = false;

	for (size_t i = find(f, &key); i < f->n && same(&f->notes[i], &key); i++) {
		if (f->notes[i].n > s->inode_size)
			continue;
		merge(raw, &f->notes[i]);
		merged = true;
	}
	return merged;
}

bool sv_ext_fast_run(const struct sv_ext_fast *f, uint64_t ino, uint64_t lblk,
	struct sv_ext_run *ret, uint64_t *end)
{
	const struct note key = {.tag = ADD_RANGE, .ino = ino};
	struct sv_ext_run run = {.lblk = lblk};
	uint64_t until = *end;

	/* a later note goes before an earlier one: the last that covers lblk counts, up to
	 * where a still later one begins */
	for (size_t i = find(f, &key); i < f->n && same(&f->notes[i], &key); i++) {
		const struct note *note = &f->notes[i];
		uint64_t within = lblk - note->lblk;

		if (lblk < note->lblk) {
			until = SV_MIN(until, note->lblk);
		} else if (within < note->len) {
			run.len = note->len - within;
			run.pblk =
				note->pblk == SV_EXT_HOLE ? SV_EXT_HOLE : note->pblk + within;
		}
	}
	*end = until;
	if (!run.len)
		return false;
	run.len = SV_MIN(run.len, until - lblk);
	*ret = run;
	return true;
}

bool sv_ext_fast_knows(
	const struct sv_ext_fast *f, uint64_t dir, const uint8_t *name, unsigned len)
{
	const struct note key = {
		.tag = LINK, .ino = dir, .bytes = (uint8_t *)(uintptr_t)name, .n = len};
	size_t i = find(f, &key);

	return i < f->n && same(&f->notes[i], &key) && !compare_names(&f->notes[i], &key);
}

bool sv_ext_fast_made(const struct sv_ext_fast *f, uint64_t dir)
{
	for (size_t i = 0; i < f->n; i++) {
		if (f->notes[i].tag == CREATE && f->notes[i].target == dir)
			return true;
	}
	return false;
}

int sv_ext_fast_each(const struct sv_ext_fast *f, uint64_t dir, sv_ext_entry_fn fn, void *user)
{
	const struct note key = {.tag = LINK, .ino = dir};

	for (size_t i = find(f, &key); i < f->n && same(&f->notes[i], &key); i++) {
		const struct note *note = &f->notes[i];
		struct sv_ext_entry e = {.ino = note->target,
			.name = note->bytes,
			.name_len = (unsigned)note->n};
		int rc;

		/* the last note about a name counts */
		if (i + 1 < f->n && same(note + 1, &key) && !compare_names(note + 1, note))
			continue;
		rc = e.ino ? fn(user, &e) : 0;
		if (rc)
			return rc;
	}
	return 0;
}
