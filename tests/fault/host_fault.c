/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The failing host: counts steps, fails, and tells the log what could be lost. */
#include "host_fault.h"

#include "base/num.h"
#include "base/str.h"
#include "fault_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct fault_host {
	struct sv_host host;
	struct sv_host *real;
	struct fault_log *log;
	char **steps; /* what each was */
	size_t n_steps;
	uint64_t fail_at, cut_at;
	int fail_errno;
	bool hit, off; /* off: the power is gone */
	bool copy_reflinks;
};

struct fault_dev {
	struct sv_dev dev;
	struct fault_host *host;
	struct sv_dev *real;
	struct fault_node *node; /* NULL for a device that is open for reading only */
};

static struct fault_host *of(struct sv_host *h)
{
	return (struct fault_host *)h;
}

/* ---- steps ---- */

static int power_is_off(const struct fault_host *f, const char *path, struct sv_err *err)
{
	return f->off ? sv_fail_errno(err, EIO, path, "the power was cut") : 0;
}

/* Counts a step. -1: it must not be done; *ret_failed tells that it is to fail on its own. */
__attribute__((format(printf, 5, 6))) static int step(struct fault_host *f, const char *path,
	bool *ret_failed, struct sv_err *err, const char *fmt, ...)
{
	char **grown = realloc(f->steps, (f->n_steps + 1) * sizeof *grown);
	uint64_t n = f->n_steps;
	va_list ap;

	*ret_failed = false;
	if (!grown)
		return sv_fail_nomem(err);
	f->steps = grown;
	if (f->off || n == f->cut_at) {
		f->hit = f->off = true;
		return power_is_off(f, path, err);
	}
	va_start(ap, fmt);
	if (vasprintf(&grown[n], fmt, ap) < 0)
		grown[n] = NULL;
	va_end(ap);
	f->n_steps++;
	if (n != f->fail_at)
		return 0;
	f->hit = *ret_failed = true;
	return sv_fail_errno(
		err, f->fail_errno, path, "injected fault at step %llu", (unsigned long long)n);
}

/* For steps that do nothing at all when they fail. */
#define STEP(f, path, err, ...)                                                                \
	do {                                                                                   \
		bool failed_;                                                                  \
		if (step(f, path, &failed_, err, __VA_ARGS__) < 0)                             \
			return -1;                                                             \
	} while (0)

/* ---- devices ---- */

static struct fault_dev *dev_of(struct sv_dev *d)
{
	return (struct fault_dev *)d;
}

static int fault_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	if (power_is_off(dev_of(d)->host, d->name, err) < 0)
		return -1;
	return sv_dev_read(dev_of(d)->real, buf, n, off, err);
}

static int write_and_log(
	struct fault_dev *f, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	if (fault_log_write(f->host->log, f->node, off, n, err) < 0)
		return -1;
	return sv_dev_write(f->real, buf, n, off, err);
}

static int fault_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	uint64_t half = sv_align_down(off + n / 2, SV_SECTOR);
	struct fault_dev *f = dev_of(d);
	bool failed;

	if (step(f->host, d->name, &failed, err, "write %s %llu+%zu", sv_path_base(d->name),
		    (unsigned long long)off, n) == 0)
		return write_and_log(f, buf, n, off, err);
	/* a full disk takes a part, but none of a sector */
	if (failed && half > off)
		write_and_log(f, buf, (size_t)(half - off), off, NULL);
	return -1;
}

static int fault_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	struct fault_dev *f = dev_of(d);

	STEP(f->host, d->name, err, "discard %s %llu+%llu", sv_path_base(d->name),
		(unsigned long long)off, (unsigned long long)len);
	if (fault_log_write(f->host->log, f->node, off, len, err) < 0)
		return -1;
	return sv_dev_discard(f->real, off, len, err);
}

static int fault_resize(struct sv_dev *d, uint64_t size, struct sv_err *err)
{
	struct fault_dev *f = dev_of(d);

	STEP(f->host, d->name, err, "resize %s %llu", sv_path_base(d->name),
		(unsigned long long)size);
	if (fault_log_resize(f->host->log, f->node, size, err) < 0)
		return -1;
	return sv_dev_resize(f->real, size, err);
}

/* The bytes live and die with the size. */
static int fault_append(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	struct fault_dev *f = dev_of(d);

	STEP(f->host, d->name, err, "append %s %llu+%zu", sv_path_base(d->name),
		(unsigned long long)off, n);
	if (fault_log_resize(f->host->log, f->node, off + n, err) < 0)
		return -1;
	return sv_dev_append(f->real, buf, n, off, err);
}

static int fault_flush(struct sv_dev *d, struct sv_err *err)
{
	struct fault_dev *f = dev_of(d);
	bool failed;

	if (step(f->host, d->name, &failed, err, "flush %s", sv_path_base(d->name)) < 0) {
		if (failed)
			fault_log_poison(f->node);
		return -1;
	}
	/* the kernel is not asked: the machine that runs the tests keeps its power */
	fault_log_durable(f->host->log, f->node);
	return 0;
}

static int fault_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	if (power_is_off(dev_of(d)->host, d->name, err) < 0)
		return -1;
	return sv_dev_extent(dev_of(d)->real, off, max, ret, err);
}

static void fault_dev_close(struct sv_dev *d)
{
	sv_dev_close(dev_of(d)->real);
	free(d);
}

static const struct sv_dev_ops dev_ops = {
	.kind = "failing file",
	.pread = fault_pread,
	.pwrite = fault_pwrite,
	.flush = fault_flush,
	.extent = fault_extent,
	.discard = fault_discard,
	.resize = fault_resize,
	.append = fault_append,
	.close = fault_dev_close,
};

/* Takes over `real`, also on failure. */
static struct sv_dev *wrap(struct fault_host *f, const char *path, struct sv_dev *real,
	struct fault_node *node, struct sv_err *err)
{
	struct fault_dev *d = calloc(1, sizeof *d);

	if (!d)
		sv_fail_nomem(err);
	if (!d || sv_dev_init(&d->dev, &dev_ops, path, sv_dev_size(real), real->writable, err) <
			  0) {
		sv_dev_close(real);
		free(d);
		return NULL;
	}
	d->host = f;
	d->real = real;
	d->node = node;
	return &d->dev;
}

/* ---- the host's calls ---- */

static int fault_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	struct fault_host *f = of(h);
	struct fault_node *node = NULL;
	sv_autodev struct sv_dev *real = NULL;

	if (power_is_off(f, path, err) < 0)
		return -1;
	if (flags & SV_OPEN_CREATE)
		STEP(f, path, err, "create %s", sv_path_base(path));
	if (sv_host_open(f->real, path, flags, &real, err) < 0)
		return -1;
	if ((flags & SV_OPEN_CREATE) && fault_log_created(f->log, path, false, err) < 0)
		return -1;
	if (real->writable && !(node = fault_log_node(f->log, path, err)))
		return -1;
	*ret = wrap(f, path, SV_STEAL(real), node, err);
	return *ret ? 0 : -1;
}

static int fault_stat(struct sv_host *h, const char *path, bool follow,
	struct sv_host_stat *ret, struct sv_err *err)
{
	if (power_is_off(of(h), path, err) < 0)
		return -1;
	return of(h)->real->ops->stat(of(h)->real, path, follow, ret, err);
}

static int fault_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	if (power_is_off(of(h), path, err) < 0)
		return -1;
	return sv_host_list(of(h)->real, path, ret, ret_n, err);
}

static int fault_make_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	STEP(of(h), path, err, "make_dir %s", sv_path_base(path));
	if (sv_host_make_dir(of(h)->real, path, err) < 0)
		return -1;
	return fault_log_created(of(h)->log, path, true, err);
}

static int fault_rename(
	struct sv_host *h, const char *from, const char *to, bool replace, struct sv_err *err)
{
	STEP(of(h), to, err, "rename %s to %s", sv_path_base(from), sv_path_base(to));
	return fault_log_rename(of(h)->log, from, to, replace, err);
}

static int fault_unlink(struct sv_host *h, const char *path, struct sv_err *err)
{
	STEP(of(h), path, err, "unlink %s", sv_path_base(path));
	return fault_log_unlink(of(h)->log, path, err);
}

static int fault_remove_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	STEP(of(h), path, err, "remove_dir %s", sv_path_base(path));
	return fault_log_remove_dir(of(h)->log, path, err);
}

static int fault_sync_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	struct fault_node *dir;
	bool failed;
	int rc = step(of(h), path, &failed, err, "sync_dir %s", sv_path_base(path));

	if (rc < 0 && !failed)
		return -1;
	dir = fault_log_node(of(h)->log, path, rc < 0 ? NULL : err);
	if (!dir)
		return -1;
	if (failed)
		fault_log_poison(dir);
	else
		fault_log_durable(of(h)->log, dir);
	return rc;
}

static int fault_reflink(
	struct sv_host *h, const char *src, const char *dst, struct sv_err *err)
{
	struct fault_host *f = of(h);
	struct fault_node *node;
	int rc;

	STEP(f, dst, err, "reflink %s to %s", sv_path_base(src), sv_path_base(dst));
	rc = f->copy_reflinks ? sv_host_copy_file(f->real, src, dst, NULL, err)
			      : sv_host_reflink(f->real, src, dst, err);
	if (rc < 0 || fault_log_created(f->log, dst, false, err) < 0)
		return -1;
	node = fault_log_node(f->log, dst, err);
	return node ? fault_log_filled(f->log, node, err) : -1;
}

static int fault_free_space(
	struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	if (power_is_off(of(h), path, err) < 0)
		return -1;
	return sv_host_free_space(of(h)->real, path, ret, err);
}

static char *fault_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	if (power_is_off(of(h), path, err) < 0)
		return NULL;
	return sv_host_real_path(of(h)->real, path, err);
}

static void fault_close(struct sv_host *h)
{
	struct fault_host *f = of(h);

	for (size_t i = 0; i < f->n_steps; i++)
		free(f->steps[i]);
	free(f->steps);
	fault_log_free(f->log);
	free(f);
}

static const struct sv_host_ops host_ops = {
	.open = fault_open,
	.stat = fault_stat,
	.list = fault_list,
	.make_dir = fault_make_dir,
	.rename = fault_rename,
	.unlink = fault_unlink,
	.remove_dir = fault_remove_dir,
	.sync_dir = fault_sync_dir,
	.reflink = fault_reflink,
	.free_space = fault_free_space,
	.real_path = fault_real_path,
	.close = fault_close,
};

/* ---- for tests ---- */

struct sv_host *host_fault_new(const char *dir, struct sv_err *err)
{
	struct fault_host *f = calloc(1, sizeof *f);

	if (!f) {
		sv_fail_nomem(err);
		return NULL;
	}
	f->host.ops = &host_ops;
	f->real = sv_host_posix();
	f->fail_at = f->cut_at = HOST_FAULT_NEVER;
	f->log = fault_log_new(dir, err);
	if (!f->log) {
		free(f);
		return NULL;
	}
	return &f->host;
}

void host_fault_fail_at(struct sv_host *h, uint64_t n, int sys)
{
	of(h)->fail_at = n;
	of(h)->fail_errno = sys;
}

void host_fault_cut_at(struct sv_host *h, uint64_t n)
{
	of(h)->cut_at = n;
}

void host_fault_copy_reflinks(struct sv_host *h)
{
	of(h)->copy_reflinks = true;
}

uint64_t host_fault_steps(const struct sv_host *h)
{
	return ((const struct fault_host *)h)->n_steps;
}

bool host_fault_was_hit(const struct sv_host *h)
{
	return ((const struct fault_host *)h)->hit;
}

const char *host_fault_step(const struct sv_host *h, uint64_t n)
{
	const struct fault_host *f = (const struct fault_host *)h;

	return n < f->n_steps && f->steps[n] ? f->steps[n] : "";
}

int host_fault_settle(
	struct sv_host *h, enum host_fault_mode mode, uint64_t seed, struct sv_err *err)
{
	of(h)->off = true;
	return fault_log_settle(of(h)->log, mode, seed, err);
}
