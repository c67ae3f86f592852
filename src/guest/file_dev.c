/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of a guest as a device: see file_dev.h. */
#include "guest/file_dev.h"

#include "base/num.h"

#define PIECE (1u << 20) /* between two looks at whether to go on */

struct file {
	struct sv_dev dev;
	struct sv_fs *fs; /* borrowed */
	struct sv_job *job;
	uint64_t ino;
};

static int file_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct file *f = (struct file *)d;
	uint8_t *out = buf;

	while (n) {
		size_t run = SV_MIN(n, (size_t)PIECE), got = 0;

		if (sv_job_check(f->job, err) < 0 ||
			sv_fs_read(f->fs, f->ino, NULL, out, run, off, &got, err) < 0)
			return -1;
		if (got < run)
			return sv_fail_at(err, SV_CORRUPT, d->name, off + got,
				"the file ends here, its size is %llu",
				(unsigned long long)d->size);
		out += run;
		off += run;
		n -= run;
	}
	return 0;
}

static void file_close(struct sv_dev *d)
{
	free(d);
}

static const struct sv_dev_ops file_ops = {
	.kind = "guest file",
	.pread = file_pread,
	.close = file_close,
};

struct sv_dev *sv_guest_file_open(
	struct sv_fs *fs, const char *path, struct sv_job *job, struct sv_err *err)
{
	sv_autofree struct file *f = calloc(1, sizeof *f);
	struct sv_fs_stat st;

	if (!f) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_fs_lookup(fs, path, &f->ino, err) < 0 || sv_fs_stat(fs, f->ino, &st, err) < 0)
		return NULL;
	if (st.type != SV_FS_FILE) {
		sv_fail(err, SV_USAGE, path, "it is no file");
		return NULL;
	}
	if (sv_dev_init(&f->dev, &file_ops, path, st.size, false, err) < 0)
		return NULL;
	f->fs = fs;
	f->job = job;
	return &SV_STEAL(f)->dev;
}
