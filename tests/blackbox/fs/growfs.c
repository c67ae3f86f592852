/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing a file system in a plain file, for the judges: the way that extend takes (check, grow
 * in an overlay, write out), and nothing else of sharevm.
 *
 *   growfs check|grow FILE SIZE [quick] [ask] [dirty] [times=N by=SIZE]
 *
 * Prints one line of figures. On failure prints the error's code, message and hint, each on a
 * line of its own, and exits 1.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/num.h"
#include "base/str.h"
#include "fs/grow.h"
#include "io/host.h"

#define OVERLAY_CAP (64 * SV_MIB)
#define RUNS_MAX    10000

struct request {
	const char *verb, *path;
	uint64_t size, by;
	unsigned long times;
	struct sv_fs_grow_opts opts;
};

static int parse(int argc, char **argv, struct request *r, struct sv_err *err)
{
	if (argc < 4)
		return sv_fail(err, SV_USAGE, NULL, "growfs check|grow FILE SIZE [WORD...]");
	r->verb = argv[1];
	r->path = argv[2];
	r->times = 1;
	for (int i = 4; i < argc; i++) {
		r->opts.quick |= strcmp(argv[i], "quick") == 0;
		r->opts.ask_check |= strcmp(argv[i], "ask") == 0;
		r->opts.accept_dirty |= strcmp(argv[i], "dirty") == 0;
		if (sv_starts_with(argv[i], "times="))
			r->times = strtoul(argv[i] + strlen("times="), NULL, 10);
		if (sv_starts_with(argv[i], "by=") &&
			sv_size_parse(argv[i] + strlen("by="), &r->by, err) < 0)
			return -1;
	}
	return sv_size_parse(argv[3], &r->size, err);
}

static int copy_run(struct sv_dev *overlay, struct sv_dev *file, uint64_t start, uint64_t end,
	struct sv_err *err)
{
	uint8_t buf[65536];

	for (uint64_t n; start < end; start += n) {
		n = SV_MIN(sizeof buf, end - start);
		if (sv_dev_read(overlay, buf, (size_t)n, start, err) < 0 ||
			sv_dev_write(file, buf, (size_t)n, start, err) < 0)
			return -1;
	}
	return 0;
}

/* What changed is listed before the file below gets its new size: an overlay takes what it
 * does not know of below for cut off. */
static int write_out(struct sv_dev *overlay, struct sv_dev *file, struct sv_err *err)
{
	static struct {
		uint64_t start, length;
	} runs[RUNS_MAX];
	size_t count = 0;
	uint64_t pos = 0;

	while (sv_overlay_next(overlay, pos, &runs[count].start, &runs[count].length)) {
		pos = runs[count].start + runs[count].length;
		if (++count == RUNS_MAX)
			return sv_fail(
				err, SV_NOMEM, NULL, "more than %d changed runs", RUNS_MAX);
	}
	if (sv_dev_resize(file, sv_dev_size(overlay), err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (copy_run(overlay, file, runs[i].start, runs[i].start + runs[i].length,
			    err) < 0)
			return -1;
	return 0;
}

static int grow_once(const struct request *r, uint64_t size, uint64_t *ret_changed,
	struct sv_fs_grow_plan *plan, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL, *overlay = NULL;
	bool grow = strcmp(r->verb, "grow") == 0;

	if (sv_host_open(sv_host_posix(), r->path, grow ? SV_OPEN_WRITE : SV_OPEN_READ, &file,
		    err) < 0 ||
		sv_fs_check_grow(file, size, &r->opts, plan, err) < 0)
		return -1;
	if (!grow)
		return 0;
	overlay = sv_overlay_open(file, size, OVERLAY_CAP, r->path, err);
	if (!overlay || sv_fs_grow(overlay, &r->opts, err) < 0)
		return -1;
	*ret_changed = sv_overlay_changed(overlay);
	return write_out(overlay, file, err);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run(int argc, char **argv, struct sv_err *err)
{
	struct request r = {0};
	struct sv_fs_grow_plan plan = {0};
	struct rusage usage;
	uint64_t changed = 0;
	double begin = seconds();

	if (parse(argc, argv, &r, err) < 0)
		return -1;
	for (unsigned long i = 0; i < r.times; i++)
		if (grow_once(&r, r.size + i * r.by, &changed, &plan, err) < 0)
			return -1;
	getrusage(RUSAGE_SELF, &usage);
	printf("old %llu new %llu used %llu free %llu estimate %llu changed %llu memory %ld "
	       "seconds %.3f %s\n",
		(unsigned long long)plan.old_size, (unsigned long long)plan.new_size,
		(unsigned long long)plan.used, (unsigned long long)plan.free,
		(unsigned long long)plan.write_bytes, (unsigned long long)changed,
		usage.ru_maxrss, seconds() - begin, plan.note);
	return 0;
}

int main(int argc, char **argv)
{
	struct sv_err err = SV_ERR_INIT;

	if (run(argc, argv, &err) == 0)
		return 0;
	printf("%s\n%s\n%s\n", sv_code_name(err.code), err.message, err.hint);
	return 1;
}
