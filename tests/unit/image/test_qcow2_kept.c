/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What other programs keep in qcow2 images, and what becomes of it when we write: bitmaps,
 * features that we do not know, saved machine states.
 */
#include "image/scratch.h"

#include "base/endian.h"

#include <unistd.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)

/* DIR/NAME for the whole test. */
#define PATH(variable, name)                                                                   \
	char variable[128];                                                                    \
	snprintf(variable, sizeof variable, "%s/%s", s->dir, name)

static void create(const char *path, const char *size)
{
	unlink(path);
	assert_int_equal(run("qemu-img", "create", "-q", "-f", "qcow2", path, size), 0);
}

static void write_something(const char *path)
{
	struct sv_image *img = open_image(path, true);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(sv_image_dev(img), 100000, 300000, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
}

/* What qemu-img info says, without white space. Caller frees. */
static char *qemu_info(struct scratch *s, const char *path)
{
	const char *out = at(s, "info.json");
	struct sv_err err = SV_ERR_INIT;
	char *text, *to;

	assert_int_equal(run_to(out, "qemu-img", "info", "--output=json", path), 0);
	text = sv_host_read_file(sv_host_posix(), out, 1 << 20, NULL, &err);
	assert_non_null(text);
	to = text;
	for (char *from = text; *from; from++) {
		if (!strchr(" \n\t", *from))
			*to++ = *from;
	}
	*to = 0;
	return text;
}

static void assert_info(struct scratch *s, const char *path, const char *part, bool there)
{
	sv_autofree char *text = qemu_info(s, path);

	if (!strstr(text, part) == there)
		fail_msg("%s is %s in %s", part, there ? "missing" : "left", text);
}

/* ---- bitmaps ---- */

static void add_bitmaps(const char *path)
{
	assert_int_equal(run("qemu-img", "bitmap", "--add", path, "week"), 0);
	assert_int_equal(run("qemu-img", "bitmap", "--add", "--disable", path, "old"), 0);
}

#define WEEK(flags) "{\"flags\":[" flags "],\"name\":\"week\""
#define OLD         "{\"flags\":[],\"name\":\"old\""

static void disabled_bitmaps_stay_and_enabled_ones_are_marked(void **state)
{
	struct scratch *s = *state;
	PATH(path, "bitmaps.qcow2");

	create(path, "64M");
	add_bitmaps(path);
	assert_info(s, path, WEEK("\"auto\""), true);
	assert_reads_like_qemu(s, path);
	assert_info(s, path, WEEK("\"auto\""), true); /* reading does not touch them */
	write_something(path);
	assert_info(s, path, WEEK("\"in-use\",\"auto\""), true);
	assert_info(s, path, OLD, true);
	assert_int_equal(run("qemu-img", "check", "-q", path), 0);
	assert_sound(path);
	write_something(path);
	assert_info(s, path, OLD, true);
	assert_int_equal(run("qemu-img", "check", "-q", path), 0);
	/* qemu takes the one away that it must not trust */
	assert_int_equal(run("qemu-img", "bitmap", "--remove", path, "week"), 0);
	assert_info(s, path, OLD, true);
}

static void grow_to(const char *path, uint64_t size)
{
	struct sv_image *img = open_image(path, true);
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_grow(img, size, &err));
	sv_image_close(img);
}

static void bitmaps_that_do_not_fit_a_grown_disk_are_given_up(void **state)
{
	struct scratch *s = *state;
	PATH(path, "bitmaps.qcow2");
	uint64_t leaks;
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};

	create(path, "64M");
	add_bitmaps(path);
	grow_to(path, SV_GIB); /* a cluster of bits is enough for 32 GiB */
	assert_info(s, path, OLD, true);
	assert_int_equal(run("qemu-img", "check", "-q", path), 0);
	grow_to(path, 100 * SV_GIB);
	assert_info(s, path, OLD, false);
	/* their clusters are leaks now, no faults */
	assert_int_equal(run("qemu-img", "check", "-q", path), 3);
	assert_int_equal(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, NULL), 0);
	assert_int_equal(faults.errors, 0);
	leaks = faults.leaks;
	assert_true(leaks > 0);
}

/* The bits are looked at by the check, like everything. */
static void the_check_finds_bad_bitmaps(void **state)
{
	struct scratch *s = *state;
	PATH(path, "bitmaps.qcow2");
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;
	uint8_t extension[24], entry[8];
	uint64_t at = 0;
	int fd;

	create(path, "64M");
	add_bitmaps(path);
	fd = open(path, O_RDWR);
	for (uint64_t off = 112; off < 4096; off += 8) {
		assert_int_equal(pread(fd, extension, 8, (off_t)off), 8);
		if (sv_load_be32(extension) != 0x23852875)
			continue;
		assert_int_equal(pread(fd, extension, 24, (off_t)off + 8), 24);
		at = sv_load_be64(extension + 16);
		break;
	}
	assert_true(at > 0);
	assert_int_equal(pread(fd, entry, 8, (off_t)at), 8);
	at = sv_load_be64(entry);
	assert_int_equal(pwrite(fd, "\1\0\0\0\0\0\0\0", 8, (off_t)at), 8);
	close(fd);
	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 1);
	assert_int_equal(found.offset, at);
}

/* ---- features of tomorrow ---- */

static void unknown_features_that_demand_it_are_cleared(void **state)
{
	struct scratch *s = *state;
	PATH(path, "tomorrow.qcow2");
	uint8_t bytes[8];
	int fd;

	create(path, "64M");
	fd = open(path, O_RDWR);
	sv_store_be64(bytes, UINT64_C(1) << 33);
	assert_int_equal(pwrite(fd, bytes, 8, 88), 8);
	assert_reads_like_qemu(s, path);
	assert_int_equal(pread(fd, bytes, 8, 88), 8);
	assert_int_equal(sv_load_be64(bytes), UINT64_C(1) << 33);
	write_something(path);
	assert_int_equal(pread(fd, bytes, 8, 88), 8);
	assert_int_equal(sv_load_be64(bytes), 0);
	close(fd);
}

/* ---- saved machine states ---- */

/* The state lies behind the end of the disk, in the same tables. */
static void saved_states_stay_when_the_disk_is_written_and_grown(void **state)
{
	struct scratch *s = *state;
	PATH(path, "saved.qcow2");
	PATH(script, "savevm.sh");
	static const char text[] =
		"(echo savevm live; sleep 1; echo quit) | timeout 60 qemu-system-x86_64 -nodefaults"
		" -display none -S -m 16 -drive \"file=$1,if=virtio,format=qcow2\" -monitor stdio";
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint64_t saved;

	if (run("qemu-system-x86_64", "--version")) {
		print_message("qemu-system-x86_64 is missing: not tried\n");
		skip();
	}
	create(path, "8M");
	assert_int_equal(run("qemu-io", "-f", "qcow2", "-c", "write -P 5 0 8M", path), 0);
	assert_ok(sv_host_write_file(sv_host_posix(), script, text, strlen(text), &err));
	assert_int_equal(run("sh", script, path), 0);
	img = open_image(path, false);
	assert_int_equal(sv_image_link(img, 0)->n_snapshots, 1);
	saved = sv_image_link(img, 0)->snapshots[0].state_size;
	assert_true(saved > 10000);
	sv_image_close(img);
	write_something(path);
	grow_to(path, 32 * SV_MIB);
	write_something(path);
	assert_int_equal(run("qemu-img", "check", "-q", path), 0);
	assert_sound(path);
	assert_reads_like_qemu(s, path);
	/* qemu goes back to it, and so reads all of it */
	assert_int_equal(run("qemu-img", "snapshot", "-a", "live", path), 0);
	assert_int_equal(run("qemu-img", "check", "-q", path), 0);
	assert_int_equal(qemu_size(s, path), 8 * SV_MIB);
	assert_int_equal(run("qemu-io", "-f", "qcow2", "-c", "read -P 5 0 8M", path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(disabled_bitmaps_stay_and_enabled_ones_are_marked),
		TEST(bitmaps_that_do_not_fit_a_grown_disk_are_given_up),
		TEST(the_check_finds_bad_bitmaps),
		TEST(unknown_features_that_demand_it_are_cleared),
		TEST(saved_states_stay_when_the_disk_is_written_and_grown),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
