/* SPDX-License-Identifier: GPL-3.0-or-later */
/* New images of every kind filled from a disk full of edges: qemu-img compares and checks. */
#include "image/scratch.h"
#include "image/fill.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (70 * SV_MIB + 77 * SV_SECTOR)

/* Data and zeros that begin and end within blocks of every size, at the disk's ends too. */
static struct sv_dev *make_source(const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t *zeros = calloc(1, 3 << 20);
	struct sv_dev *d = NULL;

	assert_ok(sv_host_open(sv_host_posix(), path, SV_OPEN_CREATE, &d, &err));
	assert_ok(sv_dev_resize(d, SIZE, &err));
	write_pattern(d, 0, 512, 1);
	write_pattern(d, 65536 - 512, 1024, 2);
	write_pattern(d, 5 * SV_MIB - 4096, 9 << 20, 3);
	assert_ok(sv_dev_write(d, zeros, 3 << 20, 7 * SV_MIB + 512, &err));
	assert_ok(sv_dev_write(d, zeros, 40000, 12 * SV_MIB + 4096, &err));
	assert_ok(sv_dev_write(d, zeros, 1 << 20, 20 * SV_MIB, &err));
	for (unsigned i = 0; i < 300; i++)
		write_pattern(d, 32 * SV_MIB + i * 24000, 4096, 10 + i);
	write_pattern(d, SIZE - 3 * SV_SECTOR, 3 * SV_SECTOR, 4);
	free(zeros);
	return d;
}

static uint64_t fill_new(struct scratch *s, const char *name, const char *format,
	const char *kind, struct sv_dev *from, unsigned threads)
{
	struct sv_fill_opts opts = {.threads = threads, .stage = "filling"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_fill_stats stats;
	struct sv_image *img;

	make_image(at(s, name), format, kind, SIZE, NULL);
	img = open_image(at(s, name), true);
	assert_ok(sv_image_fill(from, img, &opts, NULL, &stats, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	assert_true(stats.read > 10 * SV_MIB && stats.read < 30 * SV_MIB);
	return stats.written;
}

static off_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

/* A disk that is a folder: QEMU reads one expanding file of it, and its plain ones as raw.
 * Nobody else joins several; what we read of those is compared instead. */
static void assert_folder_equal(struct scratch *s, const char *kind, const char *name)
{
	sv_autofree char *pattern = sv_format("%s/*.hds", at(s, name));
	sv_autofree char *dumped = sv_format("%s.raw", name);
	bool plain = strcmp(kind, "plain") == 0 || strcmp(kind, "splitPlain") == 0;
	struct sv_image *img = open_image(at(s, name), false);
	glob_t found;

	dump(sv_image_dev(img), at(s, dumped));
	sv_image_close(img);
	assert_int_equal(run("qemu-img", "compare", "-f", "raw", "-F", "raw", at(s, dumped),
				 at(s, "from.raw")),
		0);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	if (found.gl_pathc == 1 &&
		run("qemu-img", "compare", "-f", plain ? "raw" : "parallels", "-F", "raw",
			found.gl_pathv[0], at(s, "from.raw")) != 0)
		fail_msg("%s is not what it was filled with", found.gl_pathv[0]);
	globfree(&found);
}

/* qemu does not probe a fixed VHD, and has its own name for the format. */
static void assert_equal_to_source(
	struct scratch *s, const struct sv_image_format *f, const char *kind, const char *name)
{
	const char *format = strcmp(f->name, "vhd") == 0 ? "vpc" : f->name;
	struct stat st;

	assert_int_equal(stat(at(s, name), &st), 0);
	if (S_ISDIR(st.st_mode))
		assert_folder_equal(s, kind, name);
	else if (run("qemu-img", "compare", "-f", format, "-F", "raw", at(s, name),
			 at(s, "from.raw")) != 0)
		fail_msg("%s is not what it was filled with", name);
}

static void check_kind(struct scratch *s, const struct sv_image_format *f, const char *kind,
	struct sv_dev *from)
{
	sv_autofree char *one = sv_format("%s-%s-1%s", f->name, kind ? kind : "", f->extension);
	sv_autofree char *four =
		sv_format("%s-%s-4%s", f->name, kind ? kind : "", f->extension);
	uint64_t written = fill_new(s, one, f->name, kind, from, 1);

	assert_int_equal(fill_new(s, four, f->name, kind, from, 4), written);
	assert_int_equal(size_of(at(s, one)), size_of(at(s, four)));
	assert_sound(at(s, one));
	assert_sound(at(s, four));
	assert_equal_to_source(s, f, kind, one);
	assert_equal_to_source(s, f, kind, four);
}

static void fills_every_kind_that_can_be_made(void **state)
{
	struct scratch *s = *state;
	struct sv_dev *from = make_source(at(s, "from.raw"));
	struct sv_image_format f;

	need_qemu();
	for (size_t i = 0; sv_image_format(i, &f); i++) {
		if (!f.can_create)
			continue;
		check_kind(s, &f, f.subformats[0], from);
		for (size_t k = 1; f.subformats[0] && f.subformats[k]; k++)
			if (!sv_image_is_whole(f.name, f.subformats[k]))
				check_kind(s, &f, f.subformats[k], from);
	}
	sv_dev_close(from);
}

static void stops_when_it_is_cancelled(void **state)
{
	struct scratch *s = *state;
	struct sv_dev *from = make_source(at(s, "from.raw"));
	struct sv_fill_opts opts = {.stage = "filling"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_job job = {0};
	struct sv_image *img;

	make_image(at(s, "to.vmdk"), "vmdk", NULL, SIZE, NULL);
	img = open_image(at(s, "to.vmdk"), true);
	job.cancel = true;
	assert_fails(
		sv_image_fill(from, img, &opts, &job, NULL, &err), SV_CANCELLED, UINT64_MAX);
	sv_image_close(img);
	sv_dev_close(from);
}

static void refuses_more_data_than_a_vmdk_extent_can_name(void **state)
{
	struct scratch *s = *state;
	struct sv_dev *from = make_source(at(s, "from.raw"));
	struct sv_fill_opts opts = {.expected = 3 * SV_TIB, .stage = "filling"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_image(at(s, "to.vmdk"), "vmdk", NULL, 4 * SV_TIB, NULL);
	img = open_image(at(s, "to.vmdk"), true);
	assert_fails(
		sv_image_fill(from, img, &opts, NULL, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
	sv_image_close(img);
	sv_dev_close(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			fills_every_kind_that_can_be_made, make_scratch, drop_scratch),
		cmocka_unit_test_setup_teardown(
			stops_when_it_is_cancelled, make_scratch, drop_scratch),
		cmocka_unit_test_setup_teardown(refuses_more_data_than_a_vmdk_extent_can_name,
			make_scratch, drop_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
