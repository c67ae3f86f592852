/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The calls of host.h, and the helpers that are made of them alone. */
#include "io/host.h"

#include "base/job.h"
#include "base/num.h"
#include "base/str.h"
#include "io/charset.h"
#include "io/process.h"

#include <string.h>

void sv_host_close(struct sv_host *h)
{
	if (h)
		h->ops->close(h);
}

int sv_host_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	return h->ops->open(h, path, flags, ret, err);
}

int sv_host_stat(
	struct sv_host *h, const char *path, struct sv_host_stat *ret, struct sv_err *err)
{
	return h->ops->stat(h, path, true, ret, err);
}

int sv_host_lstat(
	struct sv_host *h, const char *path, struct sv_host_stat *ret, struct sv_err *err)
{
	return h->ops->stat(h, path, false, ret, err);
}

bool sv_host_exists(struct sv_host *h, const char *path)
{
	struct sv_host_stat st;

	return sv_host_lstat(h, path, &st, NULL) == 0;
}

int sv_host_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	return h->ops->list(h, path, ret, ret_n, err);
}

void sv_host_free_names(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int sv_host_make_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	return h->ops->make_dir(h, path, err);
}

int sv_host_rename(
	struct sv_host *h, const char *from, const char *to, bool replace, struct sv_err *err)
{
	return h->ops->rename(h, from, to, replace, err);
}

int sv_host_unlink(struct sv_host *h, const char *path, struct sv_err *err)
{
	return h->ops->unlink(h, path, err);
}

int sv_host_remove_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	return h->ops->remove_dir(h, path, err);
}

int sv_host_sync_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	return h->ops->sync_dir(h, path, err);
}

int sv_host_reflink(struct sv_host *h, const char *src, const char *dst, struct sv_err *err)
{
	return h->ops->reflink(h, src, dst, err);
}

bool sv_host_can_reflink(struct sv_host *h, const char *src, const char *dir)
{
	return h->ops->can_reflink && h->ops->can_reflink(h, src, dir);
}

int sv_host_free_space(struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	return h->ops->free_space(h, path, ret, err);
}

char *sv_host_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	return h->ops->real_path(h, path, err);
}

char *sv_host_read_file(
	struct sv_host *h, const char *path, size_t cap, size_t *ret_n, struct sv_err *err)
{
	sv_autodev struct sv_dev *d = NULL;
	sv_autofree char *text = NULL;
	uint64_t n;

	if (sv_host_open(h, path, SV_OPEN_READ, &d, err) < 0)
		return NULL;
	n = sv_dev_size(d);
	if (n > cap) {
		sv_fail(err, SV_CORRUPT, path, "it has %llu bytes, the largest allowed is %zu",
			(unsigned long long)n, cap);
		return NULL;
	}
	text = malloc((size_t)n + 1);
	if (!text) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (sv_dev_read(d, text, (size_t)n, 0, err) < 0)
		return NULL;
	text[n] = 0;
	if (ret_n)
		*ret_n = (size_t)n;
	return SV_STEAL(text);
}

int sv_host_write_file(
	struct sv_host *h, const char *path, const void *bytes, size_t n, struct sv_err *err)
{
	sv_autodev struct sv_dev *d = NULL;

	if (sv_host_open(h, path, SV_OPEN_CREATE, &d, err) < 0)
		return -1;
	if (n && (sv_dev_resize(d, n, err) < 0 || sv_dev_write(d, bytes, n, 0, err) < 0))
		return -1;
	return sv_dev_flush(d, err);
}

static int sync_parent(struct sv_host *h, const char *path, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);

	return dir ? sv_host_sync_dir(h, dir, err) : sv_fail_nomem(err);
}

int sv_publish_file(struct sv_host *h, const char *path, const void *bytes, size_t n,
	bool replace, struct sv_err *err)
{
	sv_autofree char *temp = sv_format("%s.sharevm-new", path);

	if (!temp)
		return sv_fail_nomem(err);
	if (sv_host_exists(h, temp) && sv_host_unlink(h, temp, err) < 0)
		return -1;
	if (sv_host_write_file(h, temp, bytes, n, err) < 0 ||
		sv_host_rename(h, temp, path, replace, err) < 0) {
		sv_host_unlink(h, temp, NULL);
		return -1;
	}
	return sync_parent(h, path, err);
}

int sv_publish_dir(
	struct sv_host *h, const char *partial, const char *final, struct sv_err *err)
{
	if (sv_host_sync_dir(h, partial, err) < 0 ||
		sv_host_rename(h, partial, final, false, err) < 0)
		return -1;
	return sync_parent(h, final, err);
}

static int copy_extents(
	struct sv_dev *in, struct sv_dev *out, struct sv_job *job, struct sv_err *err)
{
	const size_t chunk = (size_t)SV_MIB;
	sv_autofree uint8_t *buf = malloc(chunk);
	uint64_t size = sv_dev_size(in);
	struct sv_extent e;

	if (!buf)
		return sv_fail_nomem(err);
	for (uint64_t off = 0; off < size; off += e.length) {
		if (sv_job_check(job, err) < 0)
			return -1;
		/* at most one chunk, so that a cancel is seen in time */
		if (sv_dev_extent(in, off, size, &e, err) < 0)
			return -1;
		if (e.kind != SV_EXTENT_DATA)
			continue;
		e.length = SV_MIN(e.length, chunk);
		if (sv_dev_read(in, buf, (size_t)e.length, off, err) < 0 ||
			sv_dev_write(out, buf, (size_t)e.length, off, err) < 0)
			return -1;
		sv_job_progress(job, "copying", off + e.length, size);
	}
	return 0;
}

int sv_host_copy_file(struct sv_host *h, const char *src, const char *dst, struct sv_job *job,
	struct sv_err *err)
{
	sv_autodev struct sv_dev *in = NULL;
	sv_autodev struct sv_dev *out = NULL;

	if (sv_host_open(h, src, SV_OPEN_READ, &in, err) < 0 ||
		sv_host_open(h, dst, SV_OPEN_CREATE, &out, err) < 0 ||
		sv_dev_resize(out, sv_dev_size(in), err) < 0 ||
		copy_extents(in, out, job, err) < 0)
		return -1;
	return sv_dev_flush(out, err);
}

bool sv_host_process_exists(struct sv_host *h, int64_t pid, struct sv_process *ret)
{
	return h && h->ops->process_exists ? h->ops->process_exists(h, pid, ret)
					   : sv_process_exists(pid, ret);
}

bool sv_host_find_writer(struct sv_host *h, const struct sv_file_id *files, size_t n,
	struct sv_process *ret, size_t *ret_file)
{
	return h && h->ops->find_writer ? h->ops->find_writer(h, files, n, ret, ret_file)
					: sv_process_find_writer(files, n, ret, ret_file);
}

void sv_host_look_at_computer(struct sv_host *h, struct sv_computer *ret)
{
	if (h && h->ops->look_at_computer)
		h->ops->look_at_computer(h, ret);
	else
		sv_machine_look(ret);
	ret->host = h;
}

char *sv_host_recode(struct sv_host *h, const char *text, const char *encoding, bool to_utf8)
{
	if (h && h->ops->recode)
		return h->ops->recode(h, text, encoding, to_utf8);
	return sv_charset_convert(
		text, to_utf8 ? encoding : "UTF-8", to_utf8 ? "UTF-8" : encoding);
}
