/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See direct.h. Whether a host can do it, and for which buffers, is found out by trying. */
#include "io/direct.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { UNTRIED = -2, IMPOSSIBLE = -1 };

/* Shorter writes wait for the disk longer than copying them takes. */
#define LEAST (64 * SV_KIB)

void sv_direct_init(struct sv_direct *d)
{
	atomic_init(&d->fd, UNTRIED);
}

void sv_direct_end(struct sv_direct *d)
{
	if (d->fd >= 0)
		close(d->fd);
}

/* The kernel reads what it was not asked for in larger pieces, which may reach from a table
 * into data that is then written past them: a table that changes meanwhile would be in the
 * way. So it shall not, and shall forget what it has read. */
static void keep_apart(int fd)
{
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int open_again(struct sv_direct *d, int fd)
{
	char path[32];
	int mine, found = UNTRIED;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	mine = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
	if (mine < 0)
		mine = IMPOSSIBLE;
	else
		keep_apart(fd);
	if (atomic_compare_exchange_strong(&d->fd, &found, mine))
		return mine;
	if (mine >= 0) /* another thread was faster */
		close(mine);
	return found;
}

bool sv_direct_write(struct sv_direct *d, int fd, const void *buf, size_t n, uint64_t off)
{
	const uint8_t *in = buf;
	int direct;

	if (n < LEAST)
		return false;
	direct = d->fd == UNTRIED ? open_again(d, fd) : d->fd;
	if (direct < 0)
		return false;
	/* on ext4 a write shuts all others out unless it finds its space there already; what
	 * goes wrong with it is told by the write */
	fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)n);
	while (n) {
		ssize_t put = pwrite(direct, in, n, (off_t)off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		in += put;
		off += (uint64_t)put;
		n -= (size_t)put;
	}
	return true;
}
