/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A regular host file as a device, and the byte-range locks by which QEMU tells its peers what
 * it does with an image (QEMU, block/file-posix.c: RAW_LOCK_PERM_BASE, RAW_LOCK_SHARED_BASE;
 * docs/system/images.rst, "Disk image file locking"). The locks belong to the open file
 * description and go with it.
 */
#include "io/file.h"

#include "base/num.h"
#include "io/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LOCK_PERM_BASE   100 /* byte 100 + p: somebody uses permission p */
#define LOCK_SHARED_BASE 200 /* byte 200 + p: somebody forbids permission p to others */

enum lock_perm { PERM_CONSISTENT_READ, PERM_WRITE, PERM_WRITE_UNCHANGED, PERM_RESIZE, PERMS };

struct file {
	struct sv_dev dev;
	int fd;
	struct sv_direct direct;
};

static int file_fd(const struct sv_dev *d)
{
	return ((const struct file *)d)->fd;
}

static int file_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint8_t *out = buf;

	while (n) {
		ssize_t got = pread(file_fd(d), out, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			int sys = errno;

			sv_fail_at(err, SV_IO, d->name, off, "cannot read %zu bytes", n);
			if (err)
				err->sys = sys;
			return -1;
		}
		if (!got)
			return sv_fail_at(err, SV_CORRUPT, d->name, off,
				"the file became shorter while it was read");
		out += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int file_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	const uint8_t *in = buf;

	while (n) {
		ssize_t put = pwrite(file_fd(d), in, n, (off_t)off);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return sv_fail_errno(err, errno, d->name, "cannot write %zu bytes", n);
		in += put;
		off += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

static void file_push(struct sv_dev *d, uint64_t off, uint64_t len)
{
	/* whatever goes wrong is told by the flush that follows */
	sync_file_range(file_fd(d), (off_t)off, (off_t)len, SYNC_FILE_RANGE_WRITE);
}

static int write_and_push(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	if (file_pwrite(d, buf, n, off, err) < 0)
		return -1;
	file_push(d, off, n);
	return 0;
}

/* The whole blocks past the cache, what is before and behind them through it. */
static int file_write_out(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct file *f = (struct file *)d;
	const uint8_t *in = buf;
	uint64_t from = sv_align_up(off, SV_DIRECT_ALIGN), end = off + n;
	uint64_t to = sv_align_down(end, SV_DIRECT_ALIGN);
	size_t head = (size_t)(from - off);

	if (to <= from ||
		!sv_direct_write(&f->direct, f->fd, in + head, (size_t)(to - from), from))
		return write_and_push(d, buf, n, off, err);
	if (file_pwrite(d, in, head, off, err) < 0)
		return -1;
	return file_pwrite(d, in + (to - off), (size_t)(end - to), to, err);
}

static int file_flush(struct sv_dev *d, struct sv_err *err)
{
	if (fsync(file_fd(d)) < 0)
		return sv_fail_errno(err, errno, d->name, "cannot flush to the disk");
	return 0;
}

static int file_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	off_t data = lseek(file_fd(d), (off_t)off, SEEK_DATA), hole;

	ret->host_offset = off;
	if (data < 0 && errno == ENXIO)
		data = (off_t)(off + max);
	else if (data < 0)
		return 0; /* the file system cannot tell: all is data */
	if ((uint64_t)data > off) {
		ret->kind = SV_EXTENT_HOLE;
		ret->length = SV_MIN(max, (uint64_t)data - off);
		return 0;
	}
	hole = lseek(file_fd(d), (off_t)off, SEEK_HOLE);
	if (hole < 0)
		return sv_fail_errno(err, errno, d->name, "cannot find the next hole");
	ret->length = SV_MIN(max, (uint64_t)hole - off);
	return 0;
}

static int file_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	static const uint8_t zeros[64 * 1024];

	if (fallocate(file_fd(d), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
		    (off_t)len) == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return sv_fail_errno(err, errno, d->name, "cannot give space back");
	for (; len; off += SV_MIN(len, sizeof zeros), len -= SV_MIN(len, sizeof zeros)) {
		if (file_pwrite(d, zeros, SV_MIN(len, sizeof zeros), off, err) < 0)
			return -1;
	}
	return 0;
}

static int file_resize(struct sv_dev *d, uint64_t size, struct sv_err *err)
{
	if (ftruncate(file_fd(d), (off_t)size) < 0)
		return sv_fail_errno(err, errno, d->name, "cannot set the size to %llu bytes",
			(unsigned long long)size);
	return 0;
}

static void file_close(struct sv_dev *d)
{
	sv_direct_end(&((struct file *)d)->direct);
	close(file_fd(d));
	free(d);
}

static const struct sv_dev_ops file_ops = {
	.kind = "file",
	.pread = file_pread,
	.pwrite = file_pwrite,
	.flush = file_flush,
	.extent = file_extent,
	.discard = file_discard,
	.resize = file_resize,
	.append = file_pwrite,
	.push = file_push,
	.write_out = file_write_out,
	.writes_apart = true,
	.close = file_close,
};

int sv_file_fd(const struct sv_dev *d)
{
	return d->ops == &file_ops ? file_fd(d) : -1;
}

/* Shared lock on one byte. True also where the file system has no such locks. */
static bool take_byte(int fd, off_t byte)
{
	struct flock fl = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &fl) == 0 || (errno != EAGAIN && errno != EACCES);
}

/* Does anybody else hold a lock on the byte? */
static bool byte_is_held(int fd, off_t byte)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

static int take_locks(int fd, const char *path, bool writable, struct sv_err *err)
{
	const bool use[PERMS] = {true, writable, false, writable};
	const bool forbid[PERMS] = {writable, true, writable, true};
	bool free_of_others = true;

	for (int p = 0; p < PERMS; p++) {
		if (use[p])
			free_of_others &= take_byte(fd, LOCK_PERM_BASE + p);
		if (forbid[p])
			free_of_others &= take_byte(fd, LOCK_SHARED_BASE + p);
	}
	for (int p = 0; p < PERMS; p++) {
		if (use[p])
			free_of_others &= !byte_is_held(fd, LOCK_SHARED_BASE + p);
		if (forbid[p])
			free_of_others &= !byte_is_held(fd, LOCK_PERM_BASE + p);
	}
	if (free_of_others)
		return 0;
	sv_fail(err, SV_BUSY, path,
		"another program has this disk open (it holds QEMU's image lock)");
	return sv_hint(
		err, "shut the virtual machine down, or end the program that uses the disk");
}

struct sv_dev *sv_file_from_fd(
	int fd, const char *path, uint64_t size, bool writable, bool lock, struct sv_err *err)
{
	sv_autofree struct file *f = calloc(1, sizeof *f);

	if (!f) {
		sv_fail_nomem(err);
		return NULL;
	}
	if (lock && take_locks(fd, path, writable, err) < 0)
		return NULL;
	if (sv_dev_init(&f->dev, &file_ops, path, size, writable, err) < 0)
		return NULL;
	f->fd = fd;
	sv_direct_init(&f->direct);
	return &SV_STEAL(f)->dev;
}
