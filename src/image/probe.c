/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a file is by its first and last bytes. Formats that no driver reads are still known by
 * name: a disk image of theirs must not be taken for a raw disk.
 */
#include "image/driver.h"

#include "base/num.h"

#include <string.h>

struct magic {
	const char *name;
	size_t at; /* from the beginning, or from the beginning of the last 512 bytes */
	const char *bytes;
	size_t n;
	bool tail;
};

#define MAGIC(name, at, text)                                                                  \
	{                                                                                      \
		name, at, text, sizeof(text) - 1, false                                        \
	}
#define MAGIC_TAIL(name, at, text)                                                             \
	{                                                                                      \
		name, at, text, sizeof(text) - 1, true                                         \
	}

static const struct magic magics[] = {
	MAGIC("qed", 0, "QED\0"),
	MAGIC("Apple sparse image", 0, "sprs"),
	MAGIC_TAIL("Apple disk image", 0, "koly"),
	MAGIC("EWF", 0, "EVF\x09\x0d\x0a\xff\0"),
};

int sv_probe_read(struct sv_dev *file, struct sv_probe_buf *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(file);
	size_t head = (size_t)SV_MIN(size, SV_PROBE_HEAD);
	size_t tail = (size_t)SV_MIN(size, SV_PROBE_TAIL);

	if (sv_dev_read(file, ret->head, head, 0, err) < 0 ||
		sv_dev_read(file, ret->tail, tail, size - tail, err) < 0)
		return -1;
	ret->probe = (struct sv_probe){ret->head, head, ret->tail, tail, size};
	return 0;
}

const char *sv_probe_foreign(const struct sv_probe *p)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(magics); i++) {
		const struct magic *m = &magics[i];
		const uint8_t *bytes = m->tail ? p->tail : p->head;
		size_t n = m->tail ? p->n_tail : p->n_head;

		if (sv_in_range(m->at, m->n, n) && !memcmp(bytes + m->at, m->bytes, m->n))
			return m->name;
	}
	return NULL;
}
