/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looks at a finished disk as a stranger would: nothing that the edit knows is reused but what
 * the result must be like.
 */
#include "extend/guest_edit.h"

#include "base/hash.h"
#include "base/num.h"
#include "fs/fs.h"

#include <string.h>

#define SAMPLE_FILES    24
#define SAMPLE_FILE_MAX (256 * SV_KIB) /* of each file, its first part */
#define QUICK_ENTRIES   2000           /* with --quick: only the first records are looked at */

/* Every partition but the grown one (and its container) is where and what it was. */
static int check_others(const struct sv_table *old, const struct sv_table *now, unsigned number,
	const char *path, struct sv_err *err)
{
	if (old->n != now->n)
		return sv_fail(err, SV_INTERNAL, path,
			"the new partition table has %zu partitions, the old one %zu", now->n,
			old->n);
	for (size_t i = 0; i < old->n; i++) {
		const struct sv_partition *a = &old->parts[i];
		const struct sv_partition *b = sv_table_find(now, a->number);
		bool grows = a->number == number || a->extended;

		if (!b || a->start != b->start || (!grows && a->size != b->size) ||
			a->mbr_type != b->mbr_type || a->active != b->active ||
			a->attributes != b->attributes || memcmp(a->guid, b->guid, 16) ||
			memcmp(a->type_guid, b->type_guid, 16))
			return sv_fail(err, SV_INTERNAL, path,
				"partition %u is not what it was in the new partition table",
				a->number);
	}
	return 0;
}

static int check_table(const struct sv_edit *e, struct sv_dev *disk, struct sv_err *err)
{
	struct sv_table old = {0}, now = {0};
	const struct sv_partition *p;
	int rc = -1;

	if (!e->number)
		return 0;
	if (sv_table_read(e->original, &old, err) < 0)
		return -1;
	if (sv_table_read(disk, &now, err) == 0) {
		p = sv_table_find(&now, e->number);
		if (!p || p->start != e->start || p->size != e->volume_size)
			sv_fail(err, SV_INTERNAL, sv_dev_name(disk),
				"the new partition table does not give partition %u its new size",
				e->number);
		else
			rc = check_others(&old, &now, e->number, sv_dev_name(disk), err);
		sv_table_free(&now);
	}
	sv_table_free(&old);
	return rc;
}

/* ---- sampled files ---- */

struct sample {
	uint64_t ino[SAMPLE_FILES];
	unsigned n;
	uint64_t seen;
	uint64_t random; /* xorshift state: the same disk gives the same sample */
	bool quick;
};

/* Reservoir sampling over the walk: every file has the same chance. */
static int sample_entry(
	void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st)
{
	struct sample *s = user;
	uint64_t slot;

	(void)parent;
	(void)name;
	if (st->type != SV_FS_FILE || st->encrypted || !st->size)
		return 0;
	s->seen++;
	if (s->n < SAMPLE_FILES) {
		s->ino[s->n++] = st->ino;
		return 0;
	}
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	slot = s->random % s->seen;
	if (slot < SAMPLE_FILES)
		s->ino[slot] = st->ino;
	return s->quick && s->seen > QUICK_ENTRIES ? 1 : 0;
}

static int hash_file(
	struct sv_fs *fs, uint64_t ino, uint8_t ret[SV_SHA256_SIZE], struct sv_err *err)
{
	SV_CLEANUP(sv_sha256_freep) struct sv_sha256 *h = sv_sha256_new(err);
	sv_autofree uint8_t *buf = malloc(64 * SV_KIB);
	size_t got = 0;

	if (!h)
		return -1;
	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t off = 0; off < SAMPLE_FILE_MAX; off += got) {
		if (sv_fs_read(fs, ino, NULL, buf, 64 * SV_KIB, off, &got, err) < 0)
			return -1;
		if (!got)
			break;
		sv_sha256_add(h, buf, got);
	}
	return sv_sha256_end(h, ret, err);
}

/* Two file systems that were opened over devices which count. */
struct two {
	struct sv_fs *old, *now;
	struct sv_io_count count;
};

static int compare_files(const struct two *fs, bool quick, unsigned *ret_files,
	struct sv_job *job, struct sv_err *err)
{
	struct sample s = {.random = 88172645463325252ULL, .quick = quick};
	uint8_t a[SV_SHA256_SIZE], b[SV_SHA256_SIZE];

	if (sv_fs_walk(fs->old, sample_entry, &s, job, err) < 0)
		return -1;
	for (unsigned i = 0; i < s.n; i++) {
		if (sv_job_check(job, err) < 0 || hash_file(fs->old, s.ino[i], a, err) < 0 ||
			hash_file(fs->now, s.ino[i], b, err) < 0)
			return -1;
		if (memcmp(a, b, sizeof a))
			return sv_fail(err, SV_INTERNAL, NULL,
				"file number %llu differs on the extended disk",
				(unsigned long long)s.ino[i]);
	}
	*ret_files = s.n;
	return 0;
}

static int open_counted(struct sv_dev *disk, uint64_t start, uint64_t size, const char *name,
	struct sv_io_count *count, struct sv_fs **ret, struct sv_err *err)
{
	sv_autodev struct sv_dev *volume = sv_window_open(disk, start, size, name, err);
	sv_autodev struct sv_dev *counted = volume ? sv_count_open(volume, count, err) : NULL;

	return counted ? sv_fs_open(counted, ret, err) : -1;
}

static int check_size(
	const struct sv_edit *e, struct sv_fs *fs, struct sv_dev *disk, struct sv_err *err)
{
	struct sv_fs_size is;

	if (sv_fs_size(fs, &is, err) < 0)
		return -1;
	/* a last cluster that does not fit, and the backup boot sector */
	if (is.size > e->old_fs_size && is.size <= e->fs_size &&
		e->fs_size - is.size <= is.block_size + 4096)
		return 0;
	return sv_fail(err, SV_INTERNAL, sv_dev_name(disk),
		"the file system covers %llu bytes, %llu were planned",
		(unsigned long long)is.size, (unsigned long long)e->fs_size);
}

static int compare_sample(const struct sv_edit *e, struct two *fs,
	struct sv_edit_sample *sample, struct sv_job *job, struct sv_err *err)
{
	uint64_t before = fs->count.read_bytes;

	if (open_counted(e->original, e->start, e->old_volume_size, "the old volume",
		    &fs->count, &fs->old, err) < 0 ||
		compare_files(fs, e->quick, &sample->files, job, err) < 0)
		return -1;
	sample->read_bytes = fs->count.read_bytes - before;
	return 0;
}

static int check_file_system(const struct sv_edit *e, struct sv_dev *disk,
	struct sv_edit_sample *sample, struct sv_job *job, struct sv_err *err)
{
	struct two fs = {0};
	int rc = -1;

	if (open_counted(disk, e->start, e->volume_size, "the new volume", &fs.count, &fs.now,
		    err) == 0 &&
		check_size(e, fs.now, disk, err) == 0)
		rc = sample ? compare_sample(e, &fs, sample, job, err) : 0;
	sv_fs_close(fs.old);
	sv_fs_close(fs.now);
	return rc;
}

int sv_edit_check(const struct sv_edit *e, struct sv_dev *disk, struct sv_edit_sample *sample,
	struct sv_job *job, struct sv_err *err)
{
	sv_job_progress(job, "checking the result", 0, 0);
	if (check_table(e, disk, err) < 0)
		return -1;
	return check_file_system(e, disk, sample, job, err);
}
