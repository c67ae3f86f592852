/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Growing partition and file system in memory, and writing the result out: see guest_edit.h. */
#include "extend/guest_edit.h"

#include "base/num.h"
#include "fs/grow.h"

#include <string.h>

#define CHUNK (256 * SV_KIB)

void sv_edit_free(struct sv_edit *e)
{
	sv_dev_close(e->overlay);
	*e = (struct sv_edit){0};
}

static int edit(const struct sv_target *t, struct sv_edit *e, bool ask_check,
	struct sv_job *job, struct sv_err *err)
{
	struct sv_fs_grow_opts opts = {
		.quick = e->quick, .ask_check = ask_check, .accept_dirty = true, .job = job};
	sv_autodev struct sv_dev *volume = NULL;

	e->overlay = sv_overlay_open(
		e->original, t->size, SV_EDIT_CAP, sv_dev_name(e->original), err);
	if (!e->overlay)
		return -1;
	sv_job_progress(job, "growing the partition", 0, 0);
	if (e->number && sv_table_grow(e->overlay, &sv_target_disk(t)->table, e->number,
				 e->volume_size, job, err) < 0)
		return -1;
	volume = sv_window_open(
		e->overlay, e->start, e->volume_size, sv_target_volume(t)->id, err);
	if (!volume)
		return -1;
	sv_job_progress(job, "growing the file system", 0, 0);
	return sv_fs_grow(volume, &opts, err);
}

int sv_edit_make(const struct sv_target *t, bool ask_check, bool quick, struct sv_job *job,
	struct sv_edit *ret, struct sv_err *err)
{
	const struct sv_guest_volume *v = sv_target_volume(t);
	struct sv_edit e = {
		.original = sv_image_dev(sv_target_image(t)),
		.number = v->number,
		.start = v->start,
		.old_volume_size = v->size,
		.old_fs_size = v->info.size,
		.fs_size = t->fs_size,
		.volume_size = t->volume_size,
		.quick = quick,
	};

	if (edit(t, &e, ask_check, job, err) < 0) {
		sv_edit_free(&e);
		return -1;
	}
	*ret = e;
	return 0;
}

static int write_chunk(struct sv_dev *disk, const uint8_t *buf, uint64_t off, uint64_t n,
	uint64_t *bytes, struct sv_err *err)
{
	struct sv_extent e;

	if (sv_is_zero(buf, (size_t)n)) {
		if (sv_dev_extent(disk, off, n, &e, err) < 0)
			return -1;
		if (e.kind != SV_EXTENT_DATA && e.length == n)
			return 0;
	}
	*bytes += n;
	return sv_dev_write(disk, buf, (size_t)n, off, err);
}

int sv_edit_write(const struct sv_edit *e, struct sv_dev *disk, struct sv_job *job,
	uint64_t *ret_bytes, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(CHUNK);
	uint64_t start, len, pos = 0, bytes = 0;
	uint64_t total = sv_overlay_changed(e->overlay), done = 0;

	if (!buf)
		return sv_fail_nomem(err);
	while (sv_overlay_next(e->overlay, pos, &start, &len)) {
		uint64_t n = SV_MIN(len, CHUNK);

		if (sv_job_check(job, err) < 0 ||
			sv_dev_read(e->overlay, buf, (size_t)n, start, err) < 0 ||
			write_chunk(disk, buf, start, n, &bytes, err) < 0)
			return -1;
		pos = start + n;
		done += n;
		sv_job_progress(job, "writing the new disk", done, total);
	}
	*ret_bytes = bytes;
	return sv_dev_flush(disk, err);
}

int sv_edit_compare(
	const struct sv_edit *e, struct sv_dev *disk, struct sv_job *job, struct sv_err *err)
{
	sv_autofree uint8_t *want = malloc(CHUNK);
	sv_autofree uint8_t *got = malloc(CHUNK);
	uint64_t start, len, pos = 0;

	if (!want || !got)
		return sv_fail_nomem(err);
	while (sv_overlay_next(e->overlay, pos, &start, &len)) {
		size_t n = (size_t)SV_MIN(len, CHUNK);

		if (sv_job_check(job, err) < 0 ||
			sv_dev_read(e->overlay, want, n, start, err) < 0 ||
			sv_dev_read(disk, got, n, start, err) < 0)
			return -1;
		if (memcmp(want, got, n))
			return sv_fail_at(err, SV_INTERNAL, sv_dev_name(disk), start,
				"the disk does not read back what was written to it");
		pos = start + n;
	}
	return 0;
}
