/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power is cut at each step of work on qcow2 images. Whatever is left opens, has no fault
 * but leaks, and holds in each sector what was flushed last or what was written since; the
 * snapshots hold what they held. qemu-img looks at some of the outcomes, too.
 */
#include "unit.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "base/num.h"
#include "host_fault.h"
#include "image/image.h"
#include "tempdir.h"

extern char **environ;

enum { SIZE = 6 << 20, SECTORS = SIZE / 512, OPS = 45, GROWN = 40 << 20 };

/* A sector is full of the number of the write that it comes from. */
struct sector {
	uint16_t flushed; /* the last one that was flushed */
	uint64_t since;   /* bit set of those that came later, by their number mod 64 */
};

struct job {
	const char *options; /* of qemu-img create */
	bool backing, snapshot, data_file, grow;
	char *made;    /* the folder with the image as it was made */
	uint16_t base; /* what every sector holds in the beginning */
	unsigned looked;
	struct sector sectors[SECTORS];
	bool grow_begun, grow_done;
};

/* ---- programs ---- */

static int run_program(const char *const argv[])
{
	posix_spawn_file_actions_t files;
	int status = -1;
	pid_t pid;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)argv, environ) ||
		waitpid(pid, &status, 0) != pid)
		status = -1;
	posix_spawn_file_actions_destroy(&files);
	return status < 0 || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
}

#define run(...) run_program((const char *const[]){__VA_ARGS__, NULL})

/* ---- the image ---- */

static struct sv_image *open_in(struct sv_host *h, const char *dir, bool writable,
	const char *snapshot, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable, .snapshot = snapshot};
	char *path = in_dir(dir, "disk.qcow2");
	struct sv_image *img = NULL;

	sv_image_open(h, path, &opts, &img, err);
	free(path);
	return img;
}

static int write_sectors(
	struct sv_image *img, uint64_t first, uint64_t n, uint16_t number, struct sv_err *err)
{
	uint16_t *buf = malloc(n * 512);
	int rc;

	for (size_t i = 0; i < n * 256; i++)
		buf[i] = number;
	rc = sv_dev_write(sv_image_dev(img), buf, n * 512, first * 512, err);
	free(buf);
	return rc;
}

/* Made once with qemu-img; every sector of it, or of its backing file, holds 1000. */
static void make(struct job *j)
{
	char *path, *base, *options;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	j->made = make_temp_dir();
	j->base = 1000;
	path = in_dir(j->made, "disk.qcow2");
	base = in_dir(j->made, "base.raw");
	options = sv_format("%s%s", j->options, j->data_file ? ",data_file=base.raw" : "");
	if (j->backing) {
		assert_int_equal(run("qemu-img", "create", "-f", "raw", base, "6M"), 0);
		assert_int_equal(
			run("qemu-io", "-f", "raw", "-c", "write -P 232 0 6M", base), 0);
		j->base = 232 * 257;
		assert_int_equal(run("qemu-img", "create", "-f", "qcow2", "-o", options, "-b",
					 "base.raw", "-F", "raw", path, "6M"),
			0);
	} else {
		/* a data file's name is relative to the folder that qemu works in */
		assert_int_equal(run("env", "-C", j->made, "qemu-img", "create", "-f", "qcow2",
					 "-o", options, "disk.qcow2", "6M"),
			0);
		img = open_in(sv_host_posix(), j->made, true, NULL, &err);
		assert_ok(write_sectors(img, 0, SECTORS, j->base, &err));
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
	}
	if (j->snapshot)
		assert_int_equal(run("qemu-img", "snapshot", "-c", "snap", path), 0);
	free(path);
	free(base);
	free(options);
}

static void prepare(const char *dir, void *user)
{
	struct job *j = user;
	char *from = sv_format("%s/.", j->made);

	assert_int_equal(run("cp", "-a", "--sparse=always", from, dir), 0);
	free(from);
}

/* ---- the work ---- */

static void note_write(struct job *j, uint64_t first, uint64_t n, uint16_t number)
{
	for (uint64_t i = first; i < first + n; i++)
		j->sectors[i].since |= UINT64_C(1) << number;
}

/* `last`: the number that each sector holds now. */
static void note_flush(struct job *j, const uint16_t *last)
{
	for (uint64_t i = 0; i < SECTORS; i++)
		j->sectors[i] = (struct sector){last[i], 0};
}

/* Number 0 is a discard. */
static int do_op(struct job *j, struct sv_image *img, uint16_t number, uint16_t *last,
	struct sv_err *err)
{
	uint64_t n = 1 + (uint64_t)random() % (random() % 4 ? 40 : 1500);
	uint64_t first = (uint64_t)random() % (SECTORS - 1500);
	bool discard = random() % 3 == 0;

	if (random() % 2)
		first = sv_align_down(first, 128);
	number = discard ? 0 : number;
	note_write(j, first, n, number);
	for (uint64_t i = first; i < first + n; i++)
		last[i] = number;
	return discard ? sv_dev_discard(sv_image_dev(img), first * 512, n * 512, err)
		       : write_sectors(img, first, n, number, err);
}

static int write_all(struct job *j, struct sv_image *img, struct sv_err *err)
{
	uint16_t *last = malloc(SECTORS * sizeof *last);
	int rc = 0;

	srandom(7);
	for (size_t i = 0; i < SECTORS; i++)
		last[i] = j->base;
	note_flush(j, last);
	for (uint16_t i = 1; i <= OPS && !rc; i++) {
		rc = do_op(j, img, i, last, err);
		if (!rc && i % 9 == 0) {
			rc = sv_dev_flush(sv_image_dev(img), err);
			if (!rc)
				note_flush(j, last);
		}
	}
	free(last);
	return rc;
}

static int grow(struct job *j, struct sv_image *img, struct sv_err *err)
{
	if (!j->grow)
		return 0;
	j->grow_begun = true;
	if (sv_image_grow(img, GROWN, err) < 0)
		return -1;
	j->grow_done = true;
	return 0;
}

static int work(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	struct job *j = user;
	struct sv_image *img;
	int rc;

	j->grow_begun = j->grow_done = false;
	for (size_t i = 0; i < SECTORS; i++)
		j->sectors[i] = (struct sector){j->base, 0};
	img = open_in(h, dir, true, NULL, err);
	if (!img)
		return -1;
	rc = write_all(j, img, err);
	if (!rc)
		rc = grow(j, img, err);
	sv_image_close(img);
	return rc;
}

/* ---- what is left ---- */

static char wrong[600];

static void note_fault(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	(void)user;
	(void)path;
	if (!leak && !*wrong)
		snprintf(wrong, sizeof wrong, "offset %llu: %s", (unsigned long long)offset,
			message);
}

static const char *check_tables(struct job *j, const char *dir)
{
	struct sv_image_faults faults = {.report = note_fault};
	struct sv_err err = SV_ERR_INIT;
	char *path = in_dir(dir, "disk.qcow2");
	int rc;

	if (sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err) < 0)
		snprintf(wrong, sizeof wrong, "check: %s", err.message);
	if (!*wrong && j->looked++ % 24 == 0) {
		rc = run("env", "-C", dir, "qemu-img", "check", "disk.qcow2");
		if (rc != 0 && rc != 3) /* 3: leaks */
			snprintf(wrong, sizeof wrong, "qemu-img check exits with %d", rc);
	}
	free(path);
	return *wrong ? wrong : NULL;
}

/* Also in parts: a write that fails has done its first half, wherever that ends. */
static bool holds(const struct sector *s, const uint16_t *words)
{
	for (size_t i = 0; i < 256; i++) {
		if (words[i] != s->flushed && (words[i] > 63 || !(s->since >> words[i] & 1)))
			return false;
	}
	return true;
}

static const char *check_content(struct job *j, struct sv_image *img, const struct sector *want)
{
	struct sector still = {j->base, 0};
	struct sv_err err = SV_ERR_INIT;
	uint16_t *buf = malloc(SIZE);

	if (sv_dev_read(sv_image_dev(img), buf, SIZE, 0, &err) < 0)
		snprintf(wrong, sizeof wrong, "read: %s", err.message);
	for (size_t i = 0; i < SECTORS && !*wrong; i++) {
		const struct sector *s = want ? &want[i] : &still;

		if (!holds(s, buf + i * 256))
			snprintf(wrong, sizeof wrong,
				"%ssector %zu holds %u..%u, flushed was %u, since then %llx",
				want ? "" : "snapshot: ", i, buf[i * 256], buf[i * 256 + 255],
				s->flushed, (unsigned long long)s->since);
	}
	free(buf);
	return *wrong ? wrong : NULL;
}

static const char *check_size(struct job *j, struct sv_image *img)
{
	uint64_t size = sv_dev_size(sv_image_dev(img));
	struct sv_extent e = {.kind = SV_EXTENT_HOLE};

	if ((size != SIZE || j->grow_done) && (size != GROWN || !j->grow_begun))
		return "the size is neither the old nor the new one";
	if (size == GROWN && sv_dev_extent(sv_image_dev(img), SIZE, GROWN, &e, NULL) < 0)
		return "the new space cannot be read";
	return e.kind == SV_EXTENT_DATA ? "the new space has data" : NULL;
}

static const char *check_one(struct job *j, const char *dir, const char *snapshot)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = open_in(sv_host_posix(), dir, false, snapshot, &err);
	const char *found;

	if (!img) {
		snprintf(wrong, sizeof wrong, "open: %s", err.message);
		return wrong;
	}
	found = check_content(j, img, snapshot ? NULL : j->sectors);
	if (!found && !snapshot)
		found = check_size(j, img);
	sv_image_close(img);
	return found;
}

static const char *check(const char *dir, void *user, bool done)
{
	struct job *j = user;
	const char *found;

	(void)done;
	*wrong = 0;
	found = check_tables(j, dir);
	if (!found)
		found = check_one(j, dir, NULL);
	if (!found && j->snapshot)
		found = check_one(j, dir, "snap");
	return found;
}

/* ---- */

static void sweep(struct job *j, bool failures)
{
	struct host_fault_sweep s = {
		prepare, work, check, j, .seeds = 2, .max_cuts = 30, .failures = failures};
	uint64_t looked;

	if (getenv("SHAREVM_SOAK")) {
		s.max_cuts = 0;
		s.seeds = 6;
	}
	make(j);
	looked = host_fault_sweep(&s);
	print_message("%llu outcomes\n", (unsigned long long)looked);
	remove_tree(j->made);
	free(j);
}

static struct job *new_job(const char *options)
{
	struct job *j = calloc(1, sizeof *j);

	j->options = options;
	return j;
}

static void flushed_data_survive_in_small_clusters(void **state)
{
	struct job *j = new_job("cluster_size=512,refcount_bits=64");

	(void)state;
	j->grow = true;
	sweep(j, true);
}

static void flushed_data_survive_over_a_backing_file(void **state)
{
	struct job *j = new_job("extended_l2=on,cluster_size=16K");

	(void)state;
	j->backing = true;
	sweep(j, false);
}

static void flushed_data_survive_beside_a_snapshot(void **state)
{
	struct job *j = new_job("cluster_size=4K");

	(void)state;
	j->snapshot = j->grow = true;
	sweep(j, false);
}

static void flushed_data_survive_in_a_data_file(void **state)
{
	struct job *j = new_job("cluster_size=64K");

	(void)state;
	j->data_file = true;
	sweep(j, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushed_data_survive_in_small_clusters),
		cmocka_unit_test(flushed_data_survive_over_a_backing_file),
		cmocka_unit_test(flushed_data_survive_beside_a_snapshot),
		cmocka_unit_test(flushed_data_survive_in_a_data_file),
	};

	if (run("qemu-img", "--version")) {
		fprintf(stderr, "qemu-img is missing: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
