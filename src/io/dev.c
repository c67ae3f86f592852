/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The checks that every device shares: ranges, permissions, reference counts. A driver's
 * functions are only called with a range inside the size and a length above zero.
 */
#include "io/dev.h"

#include "base/hash.h"
#include "base/job.h"
#include "base/num.h"

#include <stdlib.h>
#include <string.h>

int sv_dev_init(struct sv_dev *d, const struct sv_dev_ops *ops, const char *name, uint64_t size,
	bool writable, struct sv_err *err)
{
	if (size > SV_DEV_SIZE_MAX)
		return sv_fail(err, SV_CORRUPT, name,
			"a size of %llu bytes is beyond any disk (largest %llu)",
			(unsigned long long)size, (unsigned long long)SV_DEV_SIZE_MAX);
	d->name = strdup(name);
	if (!d->name)
		return sv_fail_nomem(err);
	d->ops = ops;
	atomic_init(&d->size, size);
	d->writable = writable;
	atomic_init(&d->refs, 1);
	return 0;
}

struct sv_dev *sv_dev_ref(struct sv_dev *d)
{
	if (d)
		atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void sv_dev_close(struct sv_dev *d)
{
	char *name;

	if (!d || atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
		return;
	name = d->name;
	d->ops->close(d);
	free(name);
}

const char *sv_dev_name(const struct sv_dev *d)
{
	return d->name;
}

uint64_t sv_dev_size(const struct sv_dev *d)
{
	return d->size;
}

int sv_dev_read(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	if (!sv_in_range(off, n, d->size))
		return sv_fail_at(err, SV_CORRUPT, d->name, off,
			"a read of %zu bytes goes beyond the end (%llu bytes)", n,
			(unsigned long long)d->size);
	return n ? d->ops->pread(d, buf, n, off, err) : 0;
}

static int check_writable(
	struct sv_dev *d, uint64_t off, uint64_t n, const char *what, struct sv_err *err)
{
	if (!d->writable)
		return sv_fail_at(err, SV_INTERNAL, d->name, off,
			"a %s of a device that is open for reading only", what);
	if (!sv_in_range(off, n, d->size))
		return sv_fail_at(err, SV_INTERNAL, d->name, off,
			"a %s of %llu bytes goes beyond the end (%llu bytes)", what,
			(unsigned long long)n, (unsigned long long)d->size);
	return 0;
}

int sv_dev_write(struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	if (check_writable(d, off, n, "write", err) < 0)
		return -1;
	return n ? d->ops->pwrite(d, buf, n, off, err) : 0;
}

int sv_dev_flush(struct sv_dev *d, struct sv_err *err)
{
	return d->writable && d->ops->flush ? d->ops->flush(d, err) : 0;
}

bool sv_dev_writes_apart(const struct sv_dev *d)
{
	return d->ops->writes_apart;
}

void sv_dev_push(struct sv_dev *d, uint64_t off, uint64_t len)
{
	if (d->writable && d->ops->push && len)
		d->ops->push(d, off, len);
}

int sv_dev_write_out(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	if (check_writable(d, off, n, "write", err) < 0)
		return -1;
	if (n && d->ops->write_out)
		return d->ops->write_out(d, buf, n, off, err);
	if (n && d->ops->pwrite(d, buf, n, off, err) < 0)
		return -1;
	sv_dev_push(d, off, n);
	return 0;
}

int sv_dev_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	if (off >= d->size)
		return sv_fail_at(err, SV_INTERNAL, d->name, off,
			"an extent was asked for beyond the end (%llu bytes)",
			(unsigned long long)d->size);
	max = SV_MIN(max, d->size - off);
	*ret = (struct sv_extent){off, max, SV_EXTENT_DATA, 0, SV_NO_HOST_OFFSET};
	if (!d->ops->extent)
		return 0;
	if (d->ops->extent(d, off, max, ret, err) < 0)
		return -1;
	if (ret->start != off || !ret->length || ret->length > max)
		return sv_fail_at(err, SV_INTERNAL, d->name, off, "a bad extent from driver %s",
			d->ops->kind);
	return 0;
}

static int write_zeros(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	static const uint8_t zeros[64 * 1024];

	while (len) {
		size_t n = SV_MIN(len, sizeof zeros);

		if (d->ops->pwrite(d, zeros, n, off, err) < 0)
			return -1;
		off += n;
		len -= n;
	}
	return 0;
}

int sv_dev_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	if (check_writable(d, off, len, "discard", err) < 0)
		return -1;
	if (!len)
		return 0;
	return d->ops->discard ? d->ops->discard(d, off, len, err)
			       : write_zeros(d, off, len, err);
}

int sv_dev_resize(struct sv_dev *d, uint64_t size, struct sv_err *err)
{
	if (check_writable(d, 0, 0, "resize", err) < 0)
		return -1;
	if (!d->ops->resize || size > SV_DEV_SIZE_MAX)
		return sv_fail(err, SV_INTERNAL, d->name,
			"a %s cannot be resized to %llu bytes", d->ops->kind,
			(unsigned long long)size);
	if (d->ops->resize(d, size, err) < 0)
		return -1;
	d->size = size;
	return 0;
}

int sv_dev_append(struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint64_t end;

	if (check_writable(d, 0, 0, "write", err) < 0)
		return -1;
	if (off < d->size || !n || !sv_add(off, n, &end) || end > SV_DEV_SIZE_MAX)
		return sv_fail_at(err, SV_INTERNAL, d->name, off,
			"%zu bytes cannot be appended to %llu", n, (unsigned long long)d->size);
	if (!d->ops->append)
		return sv_dev_resize(d, end, err) < 0 ? -1 : sv_dev_write(d, buf, n, off, err);
	if (d->ops->append(d, buf, n, off, err) < 0)
		return -1;
	d->size = end;
	return 0;
}

int sv_dev_hash(struct sv_dev *d, uint64_t off, uint64_t len, uint8_t ret[32],
	struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_sha256_freep) struct sv_sha256 *h = sv_sha256_new(err);
	const size_t chunk = 256 * 1024;
	sv_autofree uint8_t *buf = malloc(chunk);

	if (!h)
		return -1;
	if (!buf)
		return sv_fail_nomem(err);
	while (len) {
		size_t n = SV_MIN(len, chunk);

		if (sv_job_check(job, err) < 0 || sv_dev_read(d, buf, n, off, err) < 0)
			return -1;
		sv_sha256_add(h, buf, n);
		off += n;
		len -= n;
	}
	return sv_sha256_end(h, ret, err);
}

bool sv_is_zero(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	if (n < 16) {
		for (size_t i = 0; i < n; i++) {
			if (p[i])
				return false;
		}
		return true;
	}
	/* the first 16 are zero, and each byte equals the one 16 before it */
	return sv_is_zero(p, 8) && sv_is_zero(p + 8, 8) && memcmp(p, p + 16, n - 16) == 0;
}
