/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The plain ways of joining devices: linear, striped, mirrored, missing, zeros. What has
 * parity or several copies per row is in raid.c.
 */
#include "volume/join.h"

#include "base/num.h"

#include <string.h>

struct join {
	struct sv_dev dev;
	struct sv_dev **parts; /* NULL where one is missing (mirrors only) */
	size_t n;
	uint64_t *starts; /* linear: where each part begins */
	uint64_t chunk;   /* striped */
	char *why;        /* missing */
};

static struct join *join_of(struct sv_dev *d)
{
	return (struct join *)d;
}

static void join_close(struct sv_dev *d)
{
	struct join *j = join_of(d);

	for (size_t i = 0; j->parts && i < j->n; i++)
		sv_dev_close(j->parts[i]);
	free(j->parts);
	free(j->starts);
	free(j->why);
	free(j);
}

static int join_flush(struct sv_dev *d, struct sv_err *err)
{
	struct join *j = join_of(d);

	for (size_t i = 0; i < j->n; i++) {
		if (j->parts[i] && sv_dev_flush(j->parts[i], err) < 0)
			return -1;
	}
	return 0;
}

/* ---- linear ---- */

/* The part that holds the byte at off. */
static size_t linear_find(const struct join *j, uint64_t off)
{
	size_t low = 0, high = j->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (j->starts[mid] <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

/* One step of a walk over the parts: where the byte at off lies, and how much of n does. */
struct place {
	struct sv_dev *dev;
	uint64_t off;
	size_t n;
};

static struct place linear_place(const struct join *j, uint64_t off, size_t n)
{
	size_t i = linear_find(j, off);
	uint64_t at = off - j->starts[i];

	return (struct place){
		j->parts[i], at, (size_t)SV_MIN((uint64_t)n, sv_dev_size(j->parts[i]) - at)};
}

static struct place striped_place(const struct join *j, uint64_t off, size_t n)
{
	uint64_t row = off / j->chunk / j->n, in = off % j->chunk;
	size_t i = (size_t)(off / j->chunk % j->n);

	return (struct place){
		j->parts[i], row * j->chunk + in, (size_t)SV_MIN((uint64_t)n, j->chunk - in)};
}

static struct place place_of(const struct join *j, uint64_t off, size_t n)
{
	return j->starts ? linear_place(j, off, n) : striped_place(j, off, n);
}

static int parts_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	for (uint8_t *p = buf; n;) {
		struct place at = place_of(join_of(d), off, n);

		if (sv_dev_read(at.dev, p, at.n, at.off, err) < 0)
			return -1;
		p += at.n;
		off += at.n;
		n -= at.n;
	}
	return 0;
}

static int parts_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	for (const uint8_t *p = buf; n;) {
		struct place at = place_of(join_of(d), off, n);

		if (sv_dev_write(at.dev, p, at.n, at.off, err) < 0)
			return -1;
		p += at.n;
		off += at.n;
		n -= at.n;
	}
	return 0;
}

static int parts_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	struct place at = place_of(join_of(d), off, (size_t)SV_MIN(max, (uint64_t)SIZE_MAX));

	if (sv_dev_extent(at.dev, at.off, at.n, ret, err) < 0)
		return -1;
	ret->start = off;
	return 0;
}

static const struct sv_dev_ops linear_ops = {
	.kind = "linear",
	.pread = parts_pread,
	.pwrite = parts_pwrite,
	.flush = join_flush,
	.extent = parts_extent,
	.close = join_close,
};

static const struct sv_dev_ops striped_ops = {
	.kind = "striped",
	.pread = parts_pread,
	.pwrite = parts_pwrite,
	.flush = join_flush,
	.extent = parts_extent,
	.close = join_close,
};

/* ---- mirrored ---- */

static int mirrored_pread(
	struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct join *j = join_of(d);
	struct sv_err first = SV_ERR_INIT, why = SV_ERR_INIT;

	for (size_t i = 0; i < j->n; i++) {
		if (!j->parts[i])
			continue;
		if (sv_dev_read(j->parts[i], buf, n, off, &why) == 0)
			return 0;
		if (first.code == SV_OK)
			sv_err_copy(&first, &why);
	}
	sv_err_copy(err, &first);
	return -1;
}

static int mirrored_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	struct join *j = join_of(d);

	for (size_t i = 0; i < j->n; i++) {
		if (j->parts[i])
			return sv_dev_extent(j->parts[i], off, max, ret, err);
	}
	return sv_fail(err, SV_INTERNAL, sv_dev_name(d), "a mirror without parts");
}

static const struct sv_dev_ops mirrored_ops = {
	.kind = "mirrored",
	.pread = mirrored_pread,
	.extent = mirrored_extent,
	.close = join_close,
};

/* ---- missing, zeros ---- */

static int missing_pread(
	struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	(void)buf;
	(void)n;
	return sv_fail_at(err, SV_NOTFOUND, sv_dev_name(d), off, "%s", join_of(d)->why);
}

static const struct sv_dev_ops missing_ops = {
	.kind = "missing",
	.pread = missing_pread,
	.close = join_close,
};

static int zeros_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	(void)d;
	(void)off;
	(void)err;
	memset(buf, 0, n);
	return 0;
}

static int zeros_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	(void)d;
	(void)err;
	*ret = (struct sv_extent){.start = off,
		.length = max,
		.kind = SV_EXTENT_HOLE,
		.host_offset = SV_NO_HOST_OFFSET};
	return 0;
}

static const struct sv_dev_ops zeros_ops = {
	.kind = "zeros",
	.pread = zeros_pread,
	.extent = zeros_extent,
	.close = join_close,
};

/* ---- making ---- */

static struct join *join_new(struct sv_dev *const *parts, size_t n,
	const struct sv_dev_ops *ops, const char *name, uint64_t size, struct sv_err *err)
{
	struct join *j = calloc(1, sizeof *j);
	bool writable = n > 0;

	for (size_t i = 0; i < n; i++)
		writable = writable && ops->pwrite && parts[i] && parts[i]->writable;
	if (!j || sv_dev_init(&j->dev, ops, name, size, writable, err) < 0) {
		if (!j)
			sv_fail_nomem(err);
		free(j);
		return NULL;
	}
	j->parts = calloc(n + 1, sizeof(struct sv_dev *));
	if (!j->parts) {
		sv_dev_close(&j->dev);
		sv_fail_nomem(err);
		return NULL;
	}
	j->n = n;
	for (size_t i = 0; i < n; i++)
		j->parts[i] = parts[i] ? sv_dev_ref(parts[i]) : NULL;
	return j;
}

static int check_count(size_t n, const char *name, struct sv_err *err)
{
	if (n >= 1 && n <= SV_JOIN_MAX)
		return 0;
	return sv_fail(
		err, SV_CORRUPT, name, "it has %zu parts, expected 1 to %d", n, SV_JOIN_MAX);
}

struct sv_dev *sv_join_linear(
	struct sv_dev *const *parts, size_t n, const char *name, struct sv_err *err)
{
	uint64_t size = 0;
	struct join *j;

	if (check_count(n, name, err) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (!sv_dev_size(parts[i]) || !sv_add(size, sv_dev_size(parts[i]), &size)) {
			sv_fail(err, SV_CORRUPT, name, "part %zu has %llu bytes", i,
				(unsigned long long)sv_dev_size(parts[i]));
			return NULL;
		}
	}
	j = join_new(parts, n, &linear_ops, name, size, err);
	if (!j)
		return NULL;
	j->starts = calloc(n, sizeof *j->starts);
	if (!j->starts) {
		sv_dev_close(&j->dev);
		sv_fail_nomem(err);
		return NULL;
	}
	for (size_t i = 1; i < n; i++)
		j->starts[i] = j->starts[i - 1] + sv_dev_size(parts[i - 1]);
	return &j->dev;
}

struct sv_dev *sv_join_striped(struct sv_dev *const *parts, size_t n, uint64_t chunk,
	uint64_t size, const char *name, struct sv_err *err)
{
	struct join *j;

	if (check_count(n, name, err) < 0)
		return NULL;
	if (!chunk) {
		sv_fail(err, SV_CORRUPT, name, "its chunk size is 0");
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t whole = size / chunk, share = (whole / n + (i < whole % n)) * chunk;

		if (i == whole % n)
			share += size % chunk;
		if (sv_dev_size(parts[i]) >= share)
			continue;
		sv_fail(err, SV_CORRUPT, name,
			"part %zu has %llu bytes, its share of the stripes is %llu", i,
			(unsigned long long)sv_dev_size(parts[i]), (unsigned long long)share);
		return NULL;
	}
	j = join_new(parts, n, &striped_ops, name, size, err);
	if (!j)
		return NULL;
	j->chunk = chunk;
	return &j->dev;
}

struct sv_dev *sv_join_mirrored(struct sv_dev *const *parts, size_t n, uint64_t size,
	const char *name, struct sv_err *err)
{
	struct join *j;
	size_t there = 0;

	if (check_count(n, name, err) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (parts[i] && sv_dev_size(parts[i]) < size) {
			sv_fail(err, SV_CORRUPT, name,
				"copy %zu has %llu bytes, the mirror %llu", i,
				(unsigned long long)sv_dev_size(parts[i]),
				(unsigned long long)size);
			return NULL;
		}
		there += parts[i] != NULL;
	}
	if (!there) {
		sv_fail(err, SV_NOTFOUND, name, "none of its %zu copies is there", n);
		return NULL;
	}
	j = join_new(parts, n, &mirrored_ops, name, size, err);
	return j ? &j->dev : NULL;
}

struct sv_dev *sv_join_missing(
	uint64_t size, const char *name, const char *why, struct sv_err *err)
{
	struct join *j = join_new(NULL, 0, &missing_ops, name, size, err);

	if (!j)
		return NULL;
	j->why = strdup(why);
	if (!j->why) {
		sv_dev_close(&j->dev);
		sv_fail_nomem(err);
		return NULL;
	}
	return &j->dev;
}

struct sv_dev *sv_join_zeros(uint64_t size, const char *name, struct sv_err *err)
{
	struct join *j = join_new(NULL, 0, &zeros_ops, name, size, err);

	return j ? &j->dev : NULL;
}
