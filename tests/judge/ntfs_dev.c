/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The device operations that libntfs-3g asks for, over an sv_dev.
 *
 * The library tells its callers little more than errno; the adapter therefore keeps the first
 * error of the device below, with its path and offset. Its log messages reach one process-wide
 * handler without saying which volume they are about, so they are silenced: a message that
 * another thread's volume may have caused explains nothing.
 */
#include "ntfs_dev.h"

#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <ntfs-3g/device.h>
#include <ntfs-3g/logging.h>

/* Below a volume that is only read: 4 MiB in blocks that hold 16 clusters or 64 records. */
#define CACHE_BLOCK  (64 * 1024)
#define CACHE_BLOCKS 64

struct adapter {
	struct sv_dev *dev;
	int64_t pos;         /* of seek, read and write */
	bool failed;         /* `first` is set */
	struct sv_err first; /* what the device below raised first */
};

static struct adapter *adapter_of(const struct ntfs_device *nd)
{
	return nd->d_private;
}

/* Keeps the error and says "EIO" to the library. */
static int fail_below(struct adapter *a, const struct sv_err *e)
{
	if (!a->failed)
		sv_err_copy(&a->first, e);
	a->failed = true;
	errno = e->code == SV_NOSPACE ? ENOSPC : e->code == SV_NOMEM ? ENOMEM : EIO;
	return -1;
}

/* NDevClear…() of the library does not compile without warnings. */
static void clear_state(struct ntfs_device *nd, unsigned bit)
{
	nd->d_state &= ~(1UL << bit);
}

static int op_open(struct ntfs_device *nd, int flags)
{
	struct adapter *a = adapter_of(nd);

	if ((flags & O_ACCMODE) == O_RDONLY)
		NDevSetReadOnly(nd);
	else if (!a->dev->writable) {
		errno = EROFS;
		return -1;
	}
	a->pos = 0;
	NDevSetOpen(nd);
	return 0;
}

static int op_close(struct ntfs_device *nd)
{
	clear_state(nd, ND_Open);
	return 0;
}

static s64 op_seek(struct ntfs_device *nd, s64 offset, int whence)
{
	struct adapter *a = adapter_of(nd);
	int64_t base = 0, pos;

	if (whence == SEEK_CUR)
		base = a->pos;
	else if (whence == SEEK_END)
		base = (int64_t)sv_dev_size(a->dev);
	if (__builtin_add_overflow(base, offset, &pos) || pos < 0) {
		errno = EINVAL;
		return -1;
	}
	a->pos = pos;
	return pos;
}

/* Like pread(2): short at the device's end, for the library asks beyond it. */
static s64 op_pread(struct ntfs_device *nd, void *buf, s64 count, s64 offset)
{
	struct adapter *a = adapter_of(nd);
	struct sv_err e = SV_ERR_INIT;
	uint64_t size = sv_dev_size(a->dev);

	if (count < 0 || offset < 0) {
		errno = EINVAL;
		return -1;
	}
	if ((uint64_t)offset >= size)
		return 0;
	count = (s64)SV_MIN((uint64_t)count, size - (uint64_t)offset);
	if (sv_dev_read(a->dev, buf, (size_t)count, (uint64_t)offset, &e) < 0)
		return fail_below(a, &e);
	return count;
}

static s64 op_pwrite(struct ntfs_device *nd, const void *buf, s64 count, s64 offset)
{
	struct adapter *a = adapter_of(nd);
	struct sv_err e = SV_ERR_INIT;

	if (NDevReadOnly(nd) || !a->dev->writable) {
		errno = EROFS;
		return -1;
	}
	if (count < 0 || offset < 0) {
		errno = EINVAL;
		return -1;
	}
	NDevSetDirty(nd);
	if (sv_dev_write(a->dev, buf, (size_t)count, (uint64_t)offset, &e) < 0)
		return fail_below(a, &e);
	return count;
}

static s64 op_read(struct ntfs_device *nd, void *buf, s64 count)
{
	s64 got = op_pread(nd, buf, count, adapter_of(nd)->pos);

	if (got > 0)
		adapter_of(nd)->pos += got;
	return got;
}

static s64 op_write(struct ntfs_device *nd, const void *buf, s64 count)
{
	s64 put = op_pwrite(nd, buf, count, adapter_of(nd)->pos);

	if (put > 0)
		adapter_of(nd)->pos += put;
	return put;
}

static int op_sync(struct ntfs_device *nd)
{
	struct adapter *a = adapter_of(nd);
	struct sv_err e = SV_ERR_INIT;

	if (NDevReadOnly(nd) || !NDevDirty(nd))
		return 0;
	if (sv_dev_flush(a->dev, &e) < 0)
		return fail_below(a, &e);
	clear_state(nd, ND_Dirty);
	return 0;
}

static int op_stat(struct ntfs_device *nd, struct stat *st)
{
	memset(st, 0, sizeof *st);
	st->st_mode = S_IFBLK | 0600;
	st->st_size = (off_t)sv_dev_size(adapter_of(nd)->dev);
	return 0;
}

static int op_ioctl(struct ntfs_device *nd, unsigned long request, void *arg)
{
	switch (request) {
	case BLKGETSIZE64: {
		uint64_t size = sv_dev_size(adapter_of(nd)->dev);

		memcpy(arg, &size, sizeof size);
		return 0;
	}
	case BLKSSZGET: {
		int sector = SV_SECTOR;

		memcpy(arg, &sector, sizeof sector);
		return 0;
	}
	default:
		errno = EOPNOTSUPP;
		return -1;
	}
}

static const struct ntfs_device_operations operations = {
	.open = op_open,
	.close = op_close,
	.seek = op_seek,
	.read = op_read,
	.write = op_write,
	.pread = op_pread,
	.pwrite = op_pwrite,
	.sync = op_sync,
	.stat = op_stat,
	.ioctl = op_ioctl,
};

static void silence_library(void)
{
	ntfs_log_set_handler(ntfs_log_handler_null);
}

static void adapter_free(struct adapter *a)
{
	if (a)
		sv_dev_close(a->dev);
	free(a);
}
SV_DEFINE_CLEANUP(struct adapter, adapter_free)

static struct adapter *adapter_new(struct sv_dev *volume, bool writable, struct sv_err *err)
{
	struct adapter *a = calloc(1, sizeof *a);

	if (!a) {
		sv_fail_nomem(err);
		return NULL;
	}
	a->dev = writable ? sv_dev_ref(volume)
			  : sv_cache_open(volume, CACHE_BLOCK, CACHE_BLOCKS, err);
	if (!a->dev) {
		free(a);
		return NULL;
	}
	return a;
}

static enum sv_code code_of_errno(int sys)
{
	switch (sys) {
	case ENOMEM:
		return SV_NOMEM;
	case ENOSPC:
		return SV_NOSPACE;
	case EOPNOTSUPP:
		return SV_UNSUPPORTED;
	default:
		return SV_CORRUPT;
	}
}

__attribute__((format(printf, 4, 0))) static int fail_adapter(
	const struct adapter *a, int sys, struct sv_err *err, const char *fmt, va_list ap)
{
	char phrase[sizeof err->message];

	vsnprintf(phrase, sizeof phrase, fmt, ap);
	if (a->failed) {
		sv_err_copy(err, &a->first);
		return sv_err_context(err, "%s", phrase);
	}
	sv_fail(err, code_of_errno(sys), sv_dev_name(a->dev), "%s (libntfs-3g says: %s)",
		phrase, strerror(sys));
	if (err)
		err->sys = sys;
	return -1;
}

__attribute__((format(printf, 3, 4))) static int fail_mount(
	const struct adapter *a, struct sv_err *err, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	fail_adapter(a, sys, err, fmt, ap);
	va_end(ap);
	return -1;
}

int sv_ntfs_fail(ntfs_volume *vol, struct sv_err *err, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	fail_adapter(adapter_of(vol->dev), sys, err, fmt, ap);
	va_end(ap);
	return -1;
}

int sv_ntfs_mount(struct sv_dev *volume, bool writable, ntfs_volume **ret, struct sv_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	SV_CLEANUP(adapter_freep) struct adapter *a = adapter_new(volume, writable, err);
	struct ntfs_device *nd;
	ntfs_volume *vol;

	if (!a)
		return -1;
	if (writable && !volume->writable)
		return sv_fail(err, SV_INTERNAL, sv_dev_name(volume),
			"a writable mount of a device that is open for reading only");
	pthread_once(&once, silence_library);
	/* the library takes a pointer to non-const and never writes through it */
	nd = ntfs_device_alloc(
		sv_dev_name(volume), 0, (struct ntfs_device_operations *)&operations, a);
	if (!nd)
		return sv_fail_nomem(err);
	vol = ntfs_device_mount(
		nd, NTFS_MNT_FORENSIC | (writable ? NTFS_MNT_NONE : NTFS_MNT_RDONLY));
	if (!vol) {
		fail_mount(a, err, "the NTFS volume cannot be mounted");
		ntfs_device_free(nd);
		return -1;
	}
	SV_STEAL(a);
	*ret = vol;
	return 0;
}

int sv_ntfs_unmount(ntfs_volume *vol, struct sv_err *err)
{
	SV_CLEANUP(adapter_freep) struct adapter *a = vol ? adapter_of(vol->dev) : NULL;

	if (vol && ntfs_umount(vol, FALSE) < 0)
		return fail_mount(a, err, "the NTFS volume cannot be unmounted");
	return 0;
}
