/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power is cut at each step of work on VHDXs (cuts.h). What is left often has a log to be
 * replayed: what we show of it without touching it, what we and qemu-img make of copies by
 * replaying it on the disk, must be the same.
 */
#include "tempdir.h"

#include "image/cuts.h"
#include "image/vhdx_replay.h"

static unsigned looked, replayed;

/* ---- what is left ---- */

static bool is_dirty(const char *path, bool *ret_child)
{
	struct sv_image *img = open_image(path, false);
	bool dirty = sv_image_link(img, 0)->dirty;

	*ret_child = sv_image_links(img) > 1;
	sv_image_close(img);
	return dirty;
}

/* Every dirty outcome, some of the others. */
static const char *replays_agree(struct cut_job *j, const char *dir, const uint16_t *content)
{
	char *path = in_dir(dir, j->image);
	const char *found = NULL;
	bool child, dirty = is_dirty(path, &child);

	replayed += dirty;
	if (looked++ % 16 == 0 || dirty)
		found = replays_same(dir, path, !child, content, CUT_SIZE);
	free(path);
	return found;
}

/* ---- disks ---- */

static void fill_with(const char *path, uint16_t base)
{
	struct sv_image *img = open_image(path, true);
	struct sv_err err = SV_ERR_INIT;

	assert_ok(cut_write(img, 0, CUT_SECTORS, base, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
}

static void make_dynamic(struct cut_job *j, const char *dir)
{
	char *path = in_dir(dir, j->image);

	make_image(path, "vhdx", NULL, CUT_SIZE, NULL);
	set_blocks_of_1_mib(path);
	fill_with(path, j->base);
	free(path);
}

/* Blocks are added while the power goes. */
static void make_empty(struct cut_job *j, const char *dir)
{
	char *path = in_dir(dir, j->image);

	make_image(path, "vhdx", NULL, CUT_SIZE, NULL);
	set_blocks_of_1_mib(path);
	free(path);
}

static void make_fixed(struct cut_job *j, const char *dir)
{
	char *path = in_dir(dir, j->image);

	make_image(path, "vhdx", "fixed", CUT_SIZE, NULL);
	fill_with(path, j->base);
	free(path);
}

static void make_child(struct cut_job *j, const char *dir)
{
	char *path = in_dir(dir, j->image), *base = in_dir(dir, "base.vhdx");
	struct sv_image *parent;

	make_image(base, "vhdx", NULL, CUT_SIZE, NULL);
	fill_with(base, j->base);
	parent = open_image(base, false);
	make_image(path, "vhdx", NULL, CUT_SIZE, parent);
	sv_image_close(parent);
	free(path);
	free(base);
}

/* ---- */

static void sweep(void (*make)(struct cut_job *, const char *), uint16_t base, uint64_t grown,
	bool failures)
{
	struct cut_job *j = calloc(1, sizeof *j);

	*j = (struct cut_job){.image = "disk.vhdx",
		.make = make,
		.look = replays_agree,
		.base = base,
		.grown = grown};
	looked = replayed = 0;
	cut_sweep(j, failures);
	print_message("%u of them had a log to replay\n", replayed);
	assert_true(replayed > 0);
	free(j);
}

static void flushed_data_survive_in_a_dynamic_disk(void **state)
{
	(void)state;
	sweep(make_dynamic, 1000, 200 * SV_GIB, false); /* the table moves */
}

static void flushed_data_survive_in_a_disk_that_was_empty(void **state)
{
	(void)state;
	sweep(make_empty, 0, 40 * SV_MIB, false);
}

static void flushed_data_survive_in_a_fixed_disk(void **state)
{
	(void)state;
	sweep(make_fixed, 1000, 70 * SV_MIB, false);
}

static void flushed_data_survive_in_a_child(void **state)
{
	(void)state;
	sweep(make_child, 1000, 0, true);
}

/* ---- more pages than one entry of the log holds ---- */

/* A sector in each page of the block table, so that pages are written long before a flush. */
enum { FAR_WRITES = 240, FAR_FIRST = 70, FAR_SECOND = 230 };
#define FAR_STEP (512 * SV_MIB)

struct far {
	unsigned flushed;
	char wrong[200];
};

static void far_prepare(const char *dir, void *user)
{
	char *path = in_dir(dir, "far.vhdx");

	(void)user;
	make_image(path, "vhdx", NULL, FAR_WRITES * FAR_STEP, NULL);
	set_blocks_of_1_mib(path);
	free(path);
}

static int far_work(struct sv_host *h, const char *dir, void *user, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = true};
	char *path = in_dir(dir, "far.vhdx");
	struct sv_image *img = NULL;
	struct far *f = user;
	uint8_t buf[512];
	int rc;

	f->flushed = 0;
	rc = sv_image_open(h, path, &opts, &img, err);
	free(path);
	for (unsigned i = 0; i < FAR_WRITES && !rc; i++) {
		memset(buf, (int)i + 1, sizeof buf);
		rc = sv_dev_write(sv_image_dev(img), buf, sizeof buf, i * FAR_STEP, err);
		if (!rc && (i == FAR_FIRST || i == FAR_SECOND)) {
			rc = sv_dev_flush(sv_image_dev(img), err);
			f->flushed = rc ? f->flushed : i + 1;
		}
	}
	sv_image_close(img);
	return rc;
}

static const char *far_compare(struct far *f, const char *path)
{
	struct sv_image *img = open_image(path, false);
	struct sv_err err = SV_ERR_INIT;
	uint8_t buf[512], want[512];

	for (unsigned i = 0; i < FAR_WRITES && !*f->wrong; i++) {
		memset(want, (int)i + 1, sizeof want);
		if (sv_dev_read(sv_image_dev(img), buf, 512, i * FAR_STEP, &err) < 0)
			snprintf(f->wrong, sizeof f->wrong, "read: %s", err.message);
		else if (memcmp(buf, want, 512) != 0 &&
			 (i < f->flushed || !sv_is_zero(buf, 256) ||
				 !sv_is_zero(buf + 256, 256)))
			snprintf(f->wrong, sizeof f->wrong, "sector %u of %u flushed holds %u",
				i, f->flushed, buf[0]);
	}
	sv_image_close(img);
	return *f->wrong ? f->wrong : NULL;
}

static const char *far_check(const char *dir, void *user, bool done)
{
	char *path = in_dir(dir, "far.vhdx");
	const char *found;
	struct far *f = user;

	(void)done;
	*f->wrong = 0;
	found = far_compare(f, path);
	if (!found) {
		sv_image_close(open_image(path, true));
		found = far_compare(f, path);
	}
	if (!found)
		assert_no_errors(path);
	free(path);
	return found;
}

static void flushed_data_survive_commits_without_a_flush(void **state)
{
	struct far f = {0};
	struct host_fault_sweep s = {far_prepare, far_work, far_check, &f, .seeds = 2,
		.max_cuts = getenv("SHAREVM_SOAK") ? 0 : 25};

	(void)state;
	print_message("%llu outcomes\n", (unsigned long long)host_fault_sweep(&s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushed_data_survive_in_a_dynamic_disk),
		cmocka_unit_test(flushed_data_survive_in_a_disk_that_was_empty),
		cmocka_unit_test(flushed_data_survive_in_a_fixed_disk),
		cmocka_unit_test(flushed_data_survive_in_a_child),
		cmocka_unit_test(flushed_data_survive_commits_without_a_flush),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
