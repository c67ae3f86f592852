/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every object of the volume by one sequential read of $MFT, in pieces of 1 MiB.
 *
 * A record that is damaged is left out, and so is one whose attribute list leads nowhere; the
 * walk goes on and ends with an error that counts them and gives the first one's place: all
 * that can be listed is listed, and nothing is passed over in silence.
 */
#include "fs/ntfs/ntfs.h"

#include "base/num.h"

#include <string.h>

#define PIECE (1u << 20)
/* Folders below $Extend: Windows has three. */
#define HIDDEN_MAX   64
#define HIDDEN_DEPTH 8

struct walk {
	struct sv_ntfs *v;
	sv_fs_walk_fn fn;
	void *user;
	struct sv_job *job;
	struct sv_ntfs_stream bitmap; /* which records are in use */
	struct sv_ntfs_object object;
	uint64_t budget;             /* bytes of attribute lists */
	uint64_t hidden[HIDDEN_MAX]; /* folders of the file system itself */
	size_t n_hidden;
	uint64_t damaged;
	struct sv_err first; /* of the first damaged one */
};

static void walk_free(struct walk *w)
{
	sv_ntfs_stream_close(&w->bitmap);
	sv_ntfs_object_free(&w->object);
}

/* ---- the file system's own folders ---- */

static int take_hidden(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	struct walk *w = user;

	(void)name, (void)raw, (void)raw_len;
	if (type == SV_FS_DIR && w->n_hidden < HIDDEN_MAX)
		w->hidden[w->n_hidden++] = ino;
	return 0;
}

/* $Extend and the folders below it. Damage there is not this walk's business. */
static void find_hidden(struct walk *w)
{
	size_t next = 0;

	w->hidden[w->n_hidden++] = NTFS_FILE_EXTEND;
	for (unsigned depth = 0; depth < HIDDEN_DEPTH; depth++) {
		size_t end = w->n_hidden;

		for (; next < end; next++)
			sv_ntfs_readdir(&w->v->fs, w->hidden[next], take_hidden, w, NULL);
	}
}

static bool is_hidden(const struct walk *w, uint64_t parent)
{
	for (size_t i = 0; i < w->n_hidden; i++) {
		if (w->hidden[i] == parent)
			return true;
	}
	return false;
}

/* ---- records ---- */

static int emit(struct walk *w)
{
	char name[SV_NTFS_NAME_UTF8];

	for (size_t i = 0; i < w->object.n_links; i++) {
		const struct sv_ntfs_link *link = &w->object.links[i];
		int rc;

		if (is_hidden(w, link->parent))
			continue;
		sv_ntfs_name_to_utf8(link->name, link->name_len, name);
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		rc = w->fn(w->user, link->parent, name, &w->object.st);
		if (rc)
			return rc;
	}
	return 0;
}

static void note_damage(struct walk *w, const struct sv_err *why)
{
	if (!w->damaged++)
		sv_err_copy(&w->first, why);
}

/* Does $MFT's bitmap say that this record is in use? What it cannot tell is not. */
static bool marked(struct walk *w, uint64_t number)
{
	uint8_t byte = 0;
	size_t got;

	return sv_ntfs_stream_read(w->v, &w->bitmap, &byte, 1, number / 8, &got, NULL) == 0 &&
	       got && byte & (1u << (number % 8));
}

static int visit_record(struct walk *w, uint64_t number, uint8_t *bytes)
{
	struct sv_err why = SV_ERR_INIT;
	struct sv_ntfs_record r;

	if (sv_ntfs_parse_record(bytes, w->v->geo.record_size, &r, &why) < 0) {
		/* never used, or wiped: only a record in use is missed */
		if (marked(w, number)) {
			sv_ntfs_blame(w->v, number, 0, &why);
			note_damage(w, &why);
		}
		return 0;
	}
	if (!r.in_use || r.base)
		return 0;
	if (sv_ntfs_describe(w->v, &r, number, &w->budget, &w->object, &why) < 0) {
		if (why.code == SV_IO || why.code == SV_NOMEM) {
			sv_err_copy(&w->first, &why);
			return -1;
		}
		note_damage(w, &why);
		return 0;
	}
	return emit(w);
}

/* Records [number, number + n) lie in bytes. */
static int visit_piece(struct walk *w, uint64_t number, uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++, number++) {
		int rc;

		if (number < NTFS_FILE_FIRST_USER)
			continue;
		rc = visit_record(w, number, bytes + i * w->v->geo.record_size);
		if (rc)
			return rc;
	}
	return 0;
}

static int walk_records(struct walk *w, struct sv_err *err)
{
	const uint64_t end = SV_MIN(w->v->mft.initialized, w->v->mft.size);
	const size_t record = w->v->geo.record_size;
	sv_autofree uint8_t *buf = malloc(PIECE);

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t off = 0; end - off >= record;) {
		size_t n = (size_t)SV_MIN(PIECE, end - off) / record, got;
		int rc;

		sv_job_progress(w->job, "reading the file table", off, end);
		if (sv_job_check(w->job, err) < 0 || sv_ntfs_stream_read(w->v, &w->v->mft, buf,
							     n * record, off, &got, err) < 0)
			return -1;
		rc = visit_piece(w, off / record, buf, n);
		if (rc) {
			if (w->first.code != SV_OK)
				sv_err_copy(err, &w->first);
			return rc;
		}
		off += n * record;
	}
	sv_job_progress(w->job, "reading the file table", end, end);
	return 0;
}

static int open_bitmap(struct walk *w, struct sv_err *err)
{
	sv_autorecord struct sv_ntfs_record r = {0};

	if (sv_ntfs_load(w->v, NTFS_FILE_MFT, false, &r, err) < 0)
		return -1;
	return sv_ntfs_stream_open(
		w->v, &r, NTFS_FILE_MFT, NTFS_ATTR_BITMAP, NULL, 0, &w->bitmap, err);
}

int sv_ntfs_walk(
	struct sv_fs *fs, sv_fs_walk_fn fn, void *user, struct sv_job *job, struct sv_err *err)
{
	struct sv_ntfs *v = sv_ntfs_of(fs);
	SV_CLEANUP(walk_free)
	struct walk w = {
		.v = v,
		.fn = fn,
		.user = user,
		.job = job,
		/* an entry of a list is hardly larger than the attribute it is about */
		.budget = 2 * v->mft.size + PIECE,
	};
	int rc;

	if (open_bitmap(&w, err) < 0)
		return -1;
	find_hidden(&w);
	rc = walk_records(&w, err);
	if (rc || !w.damaged)
		return rc;
	sv_err_copy(err, &w.first);
	return sv_err_context(err, "damaged records were left out (%llu), the first",
		(unsigned long long)w.damaged);
}
