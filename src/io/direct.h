/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes past the page cache of the host (O_DIRECT, open(2)): a disk that is converted is not
 * copied twice by the processor, does not push other things out of memory, and is on the disk
 * when the last write returns. The file is opened once more for it. Tables are written through
 * the cache as always: the two never share a block of SV_DIRECT_ALIGN.
 */
#ifndef SV_IO_DIRECT_H
#define SV_IO_DIRECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Buffers and offsets that are multiples of it suit every host. */
#define SV_DIRECT_ALIGN UINT64_C(4096)

struct sv_direct {
	atomic_int fd; /* see direct.c */
};

void sv_direct_init(struct sv_direct *d);
void sv_direct_end(struct sv_direct *d);

/*
 * Writes whole blocks, where nothing is stored yet, to the file that `fd` stands for. False:
 * not all of it was written, the caller does it in the usual way; why it failed is told there.
 * Safe from several threads.
 */
bool sv_direct_write(struct sv_direct *d, int fd, const void *buf, size_t n, uint64_t off);

#endif
