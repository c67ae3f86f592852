/* SPDX-License-Identifier: GPL-3.0-or-later */
/* qcow2 images that we make, grow, link and copy; qemu is the judge. */
#include "image/scratch.h"

#include "base/endian.h"

#include <unistd.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)

/* DIR/NAME for the whole test. */
#define PATH(variable, name)                                                                   \
	char variable[128];                                                                    \
	snprintf(variable, sizeof variable, "%s/%s", s->dir, name)

static void assert_qemu_sound(const char *path)
{
	assert_int_equal(run("qemu-img", "check", "-q", path), 0);
}

static void write_here_and_there(struct sv_dev *d, unsigned seed)
{
	const uint64_t size = sv_dev_size(d);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(d, 0, 512, seed);
	write_pattern(d, 1000, 70000, seed + 1);
	write_pattern(d, size / 2 + 12345, 3 << 20, seed + 3);
	write_pattern(d, size - 99999, 99999, seed + 4);
	assert_ok(sv_dev_flush(d, &err));
}

static void assert_all_agree(struct scratch *s, const char *path)
{
	assert_qemu_sound(path);
	assert_sound(path);
	assert_reads_like_qemu(s, path);
}

/* ---- create ---- */

static void creates_disks_of_all_sizes(void **state)
{
	static const uint64_t sizes[] = {
		512, 65536, 65536 + 512, SV_GIB, 3 * SV_TIB + 512, UINT64_C(1) << 50};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(sizes); i++) {
		PATH(path, "new.qcow2");
		struct sv_image *img;

		unlink(path);
		make_image(path, "qcow2", NULL, sizes[i], NULL);
		assert_int_equal(qemu_size(s, path), sizes[i]);
		img = open_image(path, true);
		write_pattern(sv_image_dev(img), sizes[i] - 512, 512, 1);
		write_pattern(sv_image_dev(img), 0, 512, 2);
		assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
		sv_image_close(img);
		assert_qemu_sound(path);
		assert_sound(path);
	}
}

static void refuses_what_it_cannot_create(void **state)
{
	struct scratch *s = *state;
	PATH(path, "new.qcow2");
	struct sv_image_spec spec = {.format = "qcow2", .subformat = "v9", .size = SV_MIB};
	struct sv_err err = SV_ERR_INIT;

	assert_fails(sv_image_create(sv_host_posix(), path, &spec, &err), SV_USAGE, UINT64_MAX);
	spec = (struct sv_image_spec){.format = "qcow2", .size = UINT64_C(1) << 61};
	assert_fails(sv_image_create(sv_host_posix(), path, &spec, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_int_equal(access(path, F_OK), -1);
}

static void names_parents_so_that_qemu_finds_them(void **state)
{
	struct scratch *s = *state;
	PATH(dir, "elsewhere");
	PATH(base, "a:b.img");
	PATH(near, "near.qcow2");
	PATH(far, "elsewhere/far.qcow2");
	struct sv_image *parent;

	assert_int_equal(sv_host_make_dir(sv_host_posix(), dir, NULL), 0);
	make_image(base, "raw", NULL, SV_MIB, NULL);
	parent = open_image(base, true);
	write_pattern(sv_image_dev(parent), 0, 1 << 20, 3);
	make_image(near, "qcow2", NULL, 0, parent);
	make_image(far, "qcow2", NULL, 2 * SV_MIB, parent);
	sv_image_close(parent);
	assert_all_agree(s, near);
	assert_all_agree(s, far);
}

/* ---- grow ---- */

static void grow_to(const char *path, uint64_t size)
{
	struct sv_image *img = open_image(path, true);
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_grow(img, size, &err));
	assert_int_equal(sv_dev_size(sv_image_dev(img)), size);
	sv_image_close(img);
}

static void grows(void **state)
{
	static const char *const options[] = {"compat=0.10", "compat=1.1", "extended_l2=on",
		"cluster_size=512", "cluster_size=512,refcount_bits=64", "cluster_size=2M",
		"preallocation=metadata"};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(options); i++) {
		PATH(path, "grow.qcow2");
		PATH(before, "before.raw");
		struct sv_image *img;

		unlink(path), unlink(before);
		assert_int_equal(run("qemu-img", "create", "-f", "qcow2", "-o", options[i],
					 path, "10001K"),
			0);
		img = open_image(path, true);
		write_here_and_there(sv_image_dev(img), (unsigned)i);
		dump(sv_image_dev(img), before);
		sv_image_close(img);
		grow_to(path, 10002 * SV_KIB);
		grow_to(path, 600 * SV_MIB);
		grow_to(path, 2 * SV_GIB);
		assert_qemu_sound(path);
		assert_sound(path);
		assert_int_equal(qemu_size(s, path), 2 * SV_GIB);
		assert_true(qemu_says_equal(path, before)); /* and zeros behind */
		img = open_image(path, true);
		write_here_and_there(sv_image_dev(img), 50 + (unsigned)i);
		sv_image_close(img);
		assert_qemu_sound(path);
		assert_sound(path);
	}
}

/* A saved machine state lies behind the end of the disk: it must not come to light. */
static void new_space_is_zeros_whatever_lay_behind_the_end(void **state)
{
	struct scratch *s = *state;
	PATH(path, "shrunk.qcow2");
	struct sv_image *img;
	uint8_t size[8];
	FILE *f;

	assert_int_equal(run("qemu-img", "create", "-f", "qcow2", path, "8M"), 0);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 0, 8 << 20, 1);
	assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
	sv_image_close(img);
	/* a smaller size alone leaves the clusters where they are */
	f = fopen(path, "r+b");
	sv_store_be64(size, SV_MIB + 512);
	assert_int_equal(fseek(f, 24, SEEK_SET), 0);
	assert_int_equal(fwrite(size, 1, 8, f), 8);
	fclose(f);
	grow_to(path, 16 * SV_MIB);
	img = open_image(path, false);
	for (uint64_t off = SV_MIB + 512; off < 16 * SV_MIB; off += 512) {
		uint8_t buf[512];

		assert_int_equal(sv_dev_read(sv_image_dev(img), buf, 512, off, NULL), 0);
		assert_true(sv_is_zero(buf, 512));
	}
	sv_image_close(img);
	assert_all_agree(s, path);
}

static void refuses_to_grow_old_images_with_snapshots(void **state)
{
	struct scratch *s = *state;
	PATH(path, "old.qcow2");
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	assert_int_equal(
		run("qemu-img", "create", "-f", "qcow2", "-o", "compat=0.10", path, "8M"), 0);
	assert_int_equal(run("qemu-img", "snapshot", "-c", "one", path), 0);
	img = open_image(path, true);
	if (!sv_image_grow(img, 16 * SV_MIB, &err)) /* qemu records the size since 4.2 */
		assert_all_agree(s, path);
	sv_image_close(img);
}

/* ---- derive ---- */

static char *derive(const char *original, enum sv_image_derive how, const char *dir,
	const char *name, uint64_t size)
{
	struct sv_image *img = open_image(original, false);
	struct sv_err err = SV_ERR_INIT;
	uint64_t cost;
	char *path;

	assert_ok(sv_image_derive_cost(img, how, size, &cost, &err));
	assert_ok(
		sv_image_derive(sv_host_posix(), img, how, dir, name, size, NULL, &path, &err));
	sv_image_close(img);
	return path;
}

static void links_larger_disks_to_raw_and_qcow2(void **state)
{
	static const char *const formats[] = {"raw", "qcow2"};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(formats); i++) {
		PATH(base, i ? "base.qcow2" : "base.img");
		PATH(before, "before.raw");
		struct sv_host_stat was, is;
		struct sv_image *img;
		struct sv_extent e;
		char *linked;

		unlink(before);
		make_image(base, formats[i], NULL, 10 * SV_MIB + 4096, NULL);
		img = open_image(base, true);
		write_here_and_there(sv_image_dev(img), (unsigned)i);
		dump(sv_image_dev(img), before);
		sv_image_close(img);
		assert_int_equal(sv_host_stat(sv_host_posix(), base, &was, NULL), 0);
		linked = derive(base, SV_DERIVE_LINKED, s->dir, "linked", 3 * SV_GIB);
		assert_int_equal(qemu_size(s, linked), 3 * SV_GIB);
		assert_true(qemu_says_equal(linked, before));
		assert_qemu_sound(linked);
		assert_sound(linked);

		img = open_image(linked, true);
		assert_int_equal(sv_dev_extent(sv_image_dev(img), SV_GIB, SV_GIB, &e, NULL), 0);
		assert_int_equal(e.kind, SV_EXTENT_ZERO); /* the tail is marked */
		assert_int_equal(e.length, SV_GIB);
		write_here_and_there(sv_image_dev(img), 9);
		sv_image_close(img);
		assert_qemu_sound(linked);
		assert_sound(linked);
		assert_int_equal(sv_host_stat(sv_host_posix(), base, &is, NULL), 0);
		assert_int_equal(is.mtime_sec, was.mtime_sec);
		assert_int_equal(is.mtime_nsec, was.mtime_nsec);
		unlink(linked);
		free(linked);
	}
}

static void copies_disks_chains_and_snapshots(void **state)
{
	struct scratch *s = *state;
	PATH(base, "base.qcow2");
	PATH(top, "top.qcow2");
	PATH(ext, "ext.qcow2");
	PATH(option, "ext.raw");
	const char *paths[] = {base, top, ext};
	struct sv_image *img, *parent;
	char text[160];

	make_image(base, "qcow2", NULL, 10 * SV_MIB, NULL);
	img = open_image(base, true);
	write_here_and_there(sv_image_dev(img), 1);
	sv_image_close(img);
	parent = open_image(base, false);
	make_image(top, "qcow2", NULL, 12 * SV_MIB, parent);
	sv_image_close(parent);
	img = open_image(top, true);
	write_here_and_there(sv_image_dev(img), 2);
	sv_image_close(img);
	snprintf(text, sizeof text, "data_file=%s", option);
	assert_int_equal(run("qemu-img", "create", "-f", "qcow2", "-o", text, ext, "10M"), 0);
	img = open_image(ext, true);
	write_here_and_there(sv_image_dev(img), 3);
	sv_image_close(img);

	for (size_t i = 0; i < SV_ARRAY_LEN(paths); i++) {
		char *copy = derive(
			paths[i], SV_DERIVE_COPY, s->dir, i ? "c1" : "c0.qcow2", 20 * SV_MIB);

		assert_all_agree(s, copy);
		assert_true(qemu_says_equal(copy, paths[i]));
		img = open_image(copy, false);
		assert_int_equal(sv_image_links(img), 1);
		assert_int_equal(sv_image_link(img, 0)->n_files, 1);
		sv_image_close(img);
		unlink(copy);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(creates_disks_of_all_sizes),
		TEST(refuses_what_it_cannot_create),
		TEST(names_parents_so_that_qemu_finds_them),
		TEST(grows),
		TEST(new_space_is_zeros_whatever_lay_behind_the_end),
		TEST(refuses_to_grow_old_images_with_snapshots),
		TEST(links_larger_disks_to_raw_and_qcow2),
		TEST(copies_disks_chains_and_snapshots),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
