/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several devices one after the other, as one: the parts of a split disk. Its size is fixed. */
#include "io/dev.h"

#include "base/num.h"

struct part {
	struct sv_dev *dev;
	uint64_t start; /* in the joined device */
};

struct join {
	struct sv_dev dev;
	struct part *parts;
	size_t n;
};

static struct join *of(struct sv_dev *d)
{
	return (struct join *)d;
}

/* The part that has the byte at off, which is within the size. */
static const struct part *part_at(const struct join *j, uint64_t off)
{
	size_t low = 0, high = j->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (j->parts[middle].start <= off)
			low = middle;
		else
			high = middle;
	}
	return &j->parts[low];
}

/* How much of the max bytes from off on lies in the part; *ret_off is the place in it. */
static uint64_t within(const struct part *p, uint64_t off, uint64_t max, uint64_t *ret_off)
{
	*ret_off = off - p->start;
	return SV_MIN(max, sv_dev_size(p->dev) - *ret_off);
}

static int join_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint8_t *out = buf;
	uint64_t at;

	while (n) {
		const struct part *p = part_at(of(d), off);
		size_t len = (size_t)within(p, off, n, &at);

		if (sv_dev_read(p->dev, out, len, at, err) < 0)
			return -1;
		out += len;
		off += len;
		n -= len;
	}
	return 0;
}

static int join_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const uint8_t *in = buf;
	uint64_t at;

	while (n) {
		const struct part *p = part_at(of(d), off);
		size_t len = (size_t)within(p, off, n, &at);

		if (sv_dev_write(p->dev, in, len, at, err) < 0)
			return -1;
		in += len;
		off += len;
		n -= len;
	}
	return 0;
}

static int join_flush(struct sv_dev *d, struct sv_err *err)
{
	for (size_t i = 0; i < of(d)->n; i++) {
		if (sv_dev_flush(of(d)->parts[i].dev, err) < 0)
			return -1;
	}
	return 0;
}

static int join_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	const struct part *p = part_at(of(d), off);
	uint64_t at, len = within(p, off, max, &at);

	if (sv_dev_extent(p->dev, at, len, ret, err) < 0)
		return -1;
	ret->start = off;
	return 0;
}

static int join_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	uint64_t at, n;

	for (; len; off += n, len -= n) {
		const struct part *p = part_at(of(d), off);

		n = within(p, off, len, &at);
		if (sv_dev_discard(p->dev, at, n, err) < 0)
			return -1;
	}
	return 0;
}

static void join_close(struct sv_dev *d)
{
	for (size_t i = 0; i < of(d)->n; i++)
		sv_dev_close(of(d)->parts[i].dev);
	free(of(d)->parts);
	free(d);
}

static const struct sv_dev_ops join_ops = {
	.kind = "joined parts",
	.pread = join_pread,
	.pwrite = join_pwrite,
	.flush = join_flush,
	.extent = join_extent,
	.discard = join_discard,
	.close = join_close,
};

/* The sum of the sizes; refused where no device may be so large. */
static int add_up(struct sv_dev *const *parts, size_t n, uint64_t *ret, bool *ret_writable,
	struct sv_err *err)
{
	uint64_t size = 0;
	bool writable = true;

	for (size_t i = 0; i < n; i++) {
		if (!sv_add(size, sv_dev_size(parts[i]), &size) || size > SV_DEV_SIZE_MAX)
			return sv_fail(err, SV_CORRUPT, sv_dev_name(parts[i]),
				"the parts up to this one are larger together than any disk");
		writable &= parts[i]->writable;
	}
	*ret = size;
	*ret_writable = writable;
	return 0;
}

/* Empty ones hold nothing: they are left out, so that each part begins at a place of its own.
 */
static void take_parts(struct join *j, struct sv_dev *const *parts, size_t n)
{
	uint64_t start = 0;

	for (size_t i = 0; i < n; i++) {
		if (!sv_dev_size(parts[i]))
			continue;
		j->parts[j->n++] = (struct part){sv_dev_ref(parts[i]), start};
		start += sv_dev_size(parts[i]);
	}
}

struct sv_dev *sv_join_open(
	struct sv_dev *const *parts, size_t n, const char *name, struct sv_err *err)
{
	sv_autofree struct part *room = calloc(n + 1, sizeof *room);
	sv_autofree struct join *j = calloc(1, sizeof *j);
	uint64_t size = 0;
	bool writable = false;

	if (!j || !room) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (add_up(parts, n, &size, &writable, err) < 0 ||
		sv_dev_init(&j->dev, &join_ops, name, size, writable, err) < 0)
		return NULL;
	j->parts = SV_STEAL(room);
	take_parts(j, parts, n);
	return &SV_STEAL(j)->dev;
}
