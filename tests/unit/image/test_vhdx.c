/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHDXs against other programs: images of the corpus, qemu-img for fixed and dynamic ones (it
 * refuses differencing ones), 7-Zip for chains, vhdiinfo for what stands in the metadata. Each
 * judge is first shown an image that is wrong.
 */
#include "corpus.h"
#include "image/scratch.h"
#include "image/vhdx/format.h"

#include <unistd.h>

static void patch(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static void img_to_raw(struct scratch *s, const char *image, const char *raw)
{
	struct sv_image *img = open_image(at(s, image), false);

	unlink(at(s, raw));
	dump(sv_image_dev(img), at(s, raw));
	sv_image_close(img);
}

/* ---- the corpus ---- */

static void put_corpus(struct corpus *c, struct scratch *s, const char *name)
{
	sv_autofree char *file = sv_format("dfvfs/%s", name);
	struct sv_err err = SV_ERR_INIT;
	size_t n;
	void *bytes = corpus_file(c, file, &n);

	assert_ok(sv_host_write_file(sv_host_posix(), at(s, name), bytes, n, &err));
	free(bytes);
}

static void assert_like_facts(struct corpus *c, struct scratch *s, const char *name)
{
	sv_autofree char *file = sv_format("dfvfs/%s", name);
	sv_autofree char *size = corpus_fact(c, file, "guest.size");
	sv_autofree char *sha = corpus_fact(c, file, "guest.sha256");
	struct sv_image *img = open_image(at(s, name), false);
	struct sv_dev *d = sv_image_dev(img);
	uint8_t digest[SV_SHA256_SIZE];
	struct sv_err err = SV_ERR_INIT;
	char text[SV_SHA256_TEXT];

	assert_int_equal(sv_dev_size(d), strtoull(size, NULL, 10));
	assert_ok(sv_dev_hash(d, 0, sv_dev_size(d), digest, NULL, &err));
	sv_hex(digest, sizeof digest, text);
	assert_string_equal(text, sha);
	sv_image_close(img);
}

static void reads_the_corpus_as_its_facts_say(void **state)
{
	static const char *const names[] = {"ext2.vhdx", "ntfs-dynamic.vhdx", "ntfs-fixed.vhdx",
		"fat-parent.vhdx", "fat-differential.vhdx"};
	struct scratch *s = *state;
	struct corpus c = {0};

	if (!corpus_begin(&c))
		skip();
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++)
		put_corpus(&c, s, names[i]);
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++)
		assert_like_facts(&c, s, names[i]);
	corpus_end(&c);
}

/* ---- qemu ---- */

static void reads_what_qemu_wrote(void **state)
{
	static const char *const opts[] = {"subformat=dynamic,block_size=1M",
		"subformat=fixed,block_size=2M", "subformat=dynamic", "subformat=fixed",
		"subformat=dynamic,block_size=256M,log_size=3M"};
	struct scratch *s = *state;

	need_qemu();
	for (size_t i = 0; i < SV_ARRAY_LEN(opts); i++) {
		unlink(at(s, "q.vhdx"));
		assert_int_equal(run("qemu-img", "create", "-f", "vhdx", "-o", opts[i],
					 at(s, "q.vhdx"), "101M"),
			0);
		assert_int_equal(run("qemu-io", "-f", "vhdx", "-c", "write -P 17 0 3M", "-c",
					 "write -P 34 5M 512", "-c", "write -P 51 99M 1M",
					 at(s, "q.vhdx")),
			0);
		assert_reads_like_qemu(s, at(s, "q.vhdx"));
		assert_no_errors(at(s, "q.vhdx"));
	}
}

/* qemu reads what it compares from end to end: of a large disk only the size is compared. */
static void qemu_reads_what_we_make(void **state)
{
	static const char *const kinds[] = {"dynamic", "fixed"};
	static const uint64_t sizes[] = {100 * SV_MIB, 7 * SV_MIB + 512 * 77, 5 * SV_TIB};
	struct scratch *s = *state;

	need_qemu();
	for (size_t i = 0; i < SV_ARRAY_LEN(sizes) * 2; i++) {
		uint64_t size = sizes[i / 2];

		unlink(at(s, "w.vhdx"));
		make_image(at(s, "w.vhdx"), "vhdx", kinds[i % 2], size, NULL);
		assert_sound(at(s, "w.vhdx"));
		assert_int_equal(run("qemu-img", "check", at(s, "w.vhdx")), 0);
		assert_int_equal(qemu_size(s, at(s, "w.vhdx")), size);
		if (size < SV_GIB)
			assert_reads_like_qemu(s, at(s, "w.vhdx"));
	}
}

static void refuses_what_is_larger_than_64_tib(void **state)
{
	struct sv_image_spec spec = {.format = "vhdx", .size = 64 * SV_TIB + 512};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	assert_fails(sv_image_create(sv_host_posix(), at(s, "huge.vhdx"), &spec, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_int_equal(access(at(s, "huge.vhdx"), F_OK), -1);
	make_image(at(s, "large.vhdx"), "vhdx", NULL, 64 * SV_TIB, NULL);
	assert_sound(at(s, "large.vhdx"));
}

static void write_all_over(struct sv_dev *d, unsigned seed)
{
	uint64_t size = sv_dev_size(d);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(d, 0, 512, seed);
	write_pattern(d, 1000, 70000, seed + 1);
	write_pattern(d, 2 * SV_MIB - 5000, 5 << 20, seed + 2);
	write_pattern(d, size / 2 + 12345, 333, seed + 3);
	write_pattern(d, size - 99999, 99999, seed + 4);
	assert_ok(sv_dev_flush(d, &err));
}

static void qemu_reads_what_we_write(void **state)
{
	static const char *const kinds[] = {"dynamic", "fixed"};
	static const uint64_t sizes[] = {300 * SV_MIB, 8 * SV_MIB + 512 * 77};
	struct scratch *s = *state;

	need_qemu();
	for (size_t i = 0; i < SV_ARRAY_LEN(sizes) * 2; i++) {
		struct sv_image *img;

		unlink(at(s, "w.vhdx"));
		make_image(at(s, "w.vhdx"), "vhdx", kinds[i % 2], sizes[i / 2], NULL);
		img = open_image(at(s, "w.vhdx"), true);
		write_all_over(sv_image_dev(img), (unsigned)i);
		sv_image_close(img);
		assert_sound(at(s, "w.vhdx"));
		assert_int_equal(run("qemu-img", "check", at(s, "w.vhdx")), 0);
		assert_reads_like_qemu(s, at(s, "w.vhdx"));
	}
	/* the judge sees a wrong byte */
	img_to_raw(s, "w.vhdx", "judge.raw");
	assert_true(qemu_says_equal(at(s, "w.vhdx"), at(s, "judge.raw")));
	patch(at(s, "judge.raw"), 1234, "x", 1);
	assert_false(qemu_says_equal(at(s, "w.vhdx"), at(s, "judge.raw")));
}

static void writes_to_what_qemu_made(void **state)
{
	static const char *const opts[] = {"subformat=dynamic,block_size=1M",
		"subformat=fixed,block_size=2M",
		"subformat=dynamic,block_size=256M,log_size=3M"};
	struct scratch *s = *state;

	need_qemu();
	for (size_t i = 0; i < SV_ARRAY_LEN(opts); i++) {
		struct sv_image *img;

		unlink(at(s, "q.vhdx"));
		assert_int_equal(run("qemu-img", "create", "-f", "vhdx", "-o", opts[i],
					 at(s, "q.vhdx"), "101M"),
			0);
		img = open_image(at(s, "q.vhdx"), true);
		write_all_over(sv_image_dev(img), (unsigned)i);
		sv_image_close(img);
		assert_int_equal(run("qemu-io", "-f", "vhdx", "-c", "write -P 17 60M 3M",
					 at(s, "q.vhdx")),
			0);
		assert_reads_like_qemu(s, at(s, "q.vhdx"));
		assert_no_errors(at(s, "q.vhdx"));
	}
}

/* ---- growth ---- */

static void grows_and_qemu_finds_the_same(void **state)
{
	static const struct {
		const char *kind;
		uint64_t from, to;
	} cases[] = {
		{"dynamic", 10 * SV_MIB + 512, 600 * SV_MIB},
		{"dynamic", 10 * SV_MIB, 12 * SV_TIB}, /* the table moves */
		{"dynamic", 100 * SV_MIB, 100 * SV_MIB + 512},
		{"fixed", 10 * SV_MIB, 600 * SV_MIB}, {"fixed", 10 * SV_MIB, 10 * SV_MIB + 512},
		{"fixed", 10 * SV_MIB, 6 * SV_TIB}, /* the table moves */
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	need_qemu();
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct sv_image *img;

		unlink(at(s, "g.vhdx"));
		make_image(at(s, "g.vhdx"), "vhdx", cases[i].kind, cases[i].from, NULL);
		img = open_image(at(s, "g.vhdx"), true);
		write_all_over(sv_image_dev(img), (unsigned)i);
		img_to_raw(s, "g.vhdx", "before.raw");
		assert_ok(sv_image_grow(img, cases[i].to, &err));
		/* old and new bytes through the image that was open all along */
		unlink(at(s, "after.raw"));
		dump(sv_image_dev(img), at(s, "after.raw"));
		assert_int_equal(truncate(at(s, "before.raw"), (off_t)cases[i].to), 0);
		assert_true(qemu_says_equal(at(s, "before.raw"), at(s, "after.raw")));
		write_pattern(sv_image_dev(img), cases[i].to - 512, 512, 9);
		write_pattern(sv_image_dev(img), cases[i].from, 512, 8);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		assert_no_errors(at(s, "g.vhdx"));
		assert_int_equal(run("qemu-img", "check", at(s, "g.vhdx")), 0);
		assert_int_equal(qemu_size(s, at(s, "g.vhdx")), cases[i].to);
		if (cases[i].to < SV_GIB)
			assert_reads_like_qemu(s, at(s, "g.vhdx"));
	}
}

/* ---- chains ---- */

static bool seven_zip_equal(struct scratch *s, const char *image, const char *raw)
{
	const char *out = at(s, "7z.raw");

	unlink(out);
	if (run_to(out, "7z", "e", "-so", "-tVHDX", at(s, image)))
		return false;
	return run("cmp", "-s", out, at(s, raw)) == 0;
}

/* A chain of three, each larger than the last, with something in each; sizes that end within
 * a block (7-Zip opens no disk of an odd number of sectors). */
static void make_chain(struct scratch *s, const char *middle)
{
	const char *const names[] = {"c0.vhdx", middle, "c2.vhdx"};
	static const uint64_t sizes[] = {
		20 * SV_MIB + 512 * 98, 31 * SV_MIB + 4096, 47 * SV_MIB};
	struct sv_image *parent = NULL, *img;
	struct sv_err err = SV_ERR_INIT;

	mkdir(at(s, "sub"), 0777);
	for (unsigned i = 0; i < 3; i++) {
		unlink(at(s, names[i]));
		make_image(at(s, names[i]), "vhdx", NULL, sizes[i], parent);
		sv_image_close(parent);
		img = open_image(at(s, names[i]), true);
		assert_int_equal(sv_image_links(img), i + 1);
		if (i == 0)
			write_pattern(sv_image_dev(img), 0, (size_t)sizes[0], 77);
		else
			write_all_over(sv_image_dev(img), 10 * i);
		assert_ok(sv_dev_discard(
			sv_image_dev(img), (3 + 4 * i) * SV_MIB, 2 * SV_MIB + 700, &err));
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		assert_sound(at(s, names[i]));
		parent = open_image(at(s, names[i]), false);
	}
	sv_image_close(parent);
}

/* Sectors of 4096 bytes: bitmaps and the disk's size count in them. We make such disks only
 * like others, so the first is changed before it has a block; its child takes after it. (7-Zip
 * opens no disk of an odd number of sectors.) */
static void seven_zip_reads_our_chains_of_large_sectors(void **state)
{
	const uint64_t sector_at = 2 * SV_MIB + SV_VHDX_ITEMS_AT + 16;
	struct scratch *s = *state;
	struct sv_image *base, *img;
	struct sv_err err = SV_ERR_INIT;

	if (run("7z")) {
		fprintf(stderr, "7z is missing: skipped\n");
		skip();
	}
	make_image(at(s, "l0.vhdx"), "vhdx", NULL, 20 * SV_MIB + 4 * 4096, NULL);
	patch(at(s, "l0.vhdx"), sector_at, "\0\x10\0\0", 4);
	img = open_image(at(s, "l0.vhdx"), true);
	write_pattern(sv_image_dev(img), 0, 11 * SV_MIB, 5);
	assert_ok(sv_image_grow(img, 22 * SV_MIB + 6 * 4096, &err));
	write_pattern(sv_image_dev(img), 22 * SV_MIB, 6 * 4096, 6);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	base = open_image(at(s, "l0.vhdx"), false);
	make_image(at(s, "l1.vhdx"), "vhdx", NULL, 0, base);
	sv_image_close(base);
	img = open_image(at(s, "l1.vhdx"), true);
	/* parts of sectors: the rest comes from below */
	write_pattern(sv_image_dev(img), 3 * SV_MIB + 512, 512, 7);
	write_pattern(sv_image_dev(img), 5 * SV_MIB - 1024, 10000, 8);
	assert_ok(sv_dev_discard(sv_image_dev(img), 7 * SV_MIB + 700, 50000, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	for (unsigned i = 0; i < 2; i++) {
		sv_autofree char *name = sv_format("l%u.vhdx", i);

		assert_sound(at(s, name));
		img_to_raw(s, name, "large.raw");
		assert_true(seven_zip_equal(s, name, "large.raw"));
		patch(at(s, "large.raw"), 5 * SV_MIB, "x", 1);
		assert_false(seven_zip_equal(s, name, "large.raw"));
	}
}

static void seven_zip_reads_our_chains(void **state)
{
	struct scratch *s = *state;

	if (run("7z")) {
		fprintf(stderr, "7z is missing: skipped\n");
		skip();
	}
	make_chain(s, "c1.vhdx");
	img_to_raw(s, "c2.vhdx", "chain.raw");
	assert_true(seven_zip_equal(s, "c2.vhdx", "chain.raw"));
	img_to_raw(s, "c1.vhdx", "middle.raw");
	assert_true(seven_zip_equal(s, "c1.vhdx", "middle.raw"));
	patch(at(s, "middle.raw"), 1234, "x", 1);
	assert_false(seven_zip_equal(s, "c1.vhdx", "middle.raw"));
}

/* 7-Zip does not know that \\ is / elsewhere. */
static void finds_a_parent_in_another_folder(void **state)
{
	struct scratch *s = *state;

	make_chain(s, "c1.vhdx");
	img_to_raw(s, "c2.vhdx", "one.raw");
	make_chain(s, "sub/c1.vhdx");
	img_to_raw(s, "c2.vhdx", "other.raw");
	assert_int_equal(run("cmp", "-s", at(s, "one.raw"), at(s, "other.raw")), 0);
}

/* ---- damage ---- */

static int open_fails(struct scratch *s, const char *image, bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	struct sv_image *img = NULL;

	return sv_image_open(sv_host_posix(), at(s, image), &opts, &img, err);
}

static void one_copy_of_header_and_region_table_is_enough(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (unsigned i = 0; i < 2; i++) {
		struct sv_image *img;

		unlink(at(s, "b.vhdx"));
		make_image(at(s, "b.vhdx"), "vhdx", NULL, 10 * SV_MIB, NULL);
		patch(at(s, "b.vhdx"), SV_VHDX_HEADER_AT(i) + 100, "x", 1);
		patch(at(s, "b.vhdx"), SV_VHDX_TABLE_AT(i) + 20000, "x", 1);
		img = open_image(at(s, "b.vhdx"), false);
		assert_non_null(strstr(sv_image_link(img, 0)->note, "header"));
		sv_image_close(img);
	}
	patch(at(s, "b.vhdx"), SV_VHDX_TABLE_AT(0) + 20000, "x", 1);
	assert_fails(open_fails(s, "b.vhdx", false, &err), SV_CORRUPT, SV_VHDX_TABLE_AT(0) + 4);
	patch(at(s, "b.vhdx"), SV_VHDX_HEADER_AT(0) + 100, "x", 1);
	assert_fails(
		open_fails(s, "b.vhdx", false, &err), SV_CORRUPT, SV_VHDX_HEADER_AT(1) + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_corpus_as_its_facts_say),
		cmocka_unit_test(reads_what_qemu_wrote),
		cmocka_unit_test(qemu_reads_what_we_make),
		cmocka_unit_test(qemu_reads_what_we_write),
		cmocka_unit_test(writes_to_what_qemu_made),
		cmocka_unit_test(grows_and_qemu_finds_the_same),
		cmocka_unit_test(seven_zip_reads_our_chains),
		cmocka_unit_test(seven_zip_reads_our_chains_of_large_sectors),
		cmocka_unit_test(finds_a_parent_in_another_folder),
		cmocka_unit_test(refuses_what_is_larger_than_64_tib),
		cmocka_unit_test(one_copy_of_header_and_region_table_is_enough),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
