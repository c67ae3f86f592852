/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device over a buffer in memory: parsers' tests, fuzzers, small tables. Writable, of fixed
 * size; when the buffer is borrowed, writes change it. */
#include "io/dev.h"

#include <string.h>

struct mem {
	struct sv_dev dev;
	uint8_t *bytes;
	bool owned;
};

static int mem_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	(void)err;
	memcpy(buf, ((struct mem *)d)->bytes + off, n);
	return 0;
}

static int mem_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	(void)err;
	memcpy(((struct mem *)d)->bytes + off, buf, n);
	return 0;
}

static void mem_close(struct sv_dev *d)
{
	struct mem *m = (struct mem *)d;

	if (m->owned)
		free(m->bytes);
	free(m);
}

static const struct sv_dev_ops mem_ops = {
	.kind = "memory",
	.pread = mem_pread,
	.pwrite = mem_pwrite,
	.close = mem_close,
};

struct sv_dev *sv_mem_open(
	const void *bytes, size_t n, bool copy, const char *name, struct sv_err *err)
{
	sv_autofree struct mem *m = calloc(1, sizeof *m);
	sv_autofree uint8_t *own = copy ? malloc(n ? n : 1) : NULL;

	if (!m || (copy && !own)) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (copy && n)
		memcpy(own, bytes, n);
	m->bytes = copy ? own : (uint8_t *)bytes;
	m->owned = copy;
	if (sv_dev_init(&m->dev, &mem_ops, name, n, true, err) < 0)
		return NULL;
	own = NULL;
	return &SV_STEAL(m)->dev;
}
