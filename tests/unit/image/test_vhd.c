/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHDs against other programs: images of the corpus, qemu-img for fixed and dynamic ones
 * (always with -f vpc: it takes a fixed VHD for raw, and a differencing one it reads without
 * its parent), 7-Zip for chains, vhdiinfo for names and ids. Each judge is first shown an
 * image that is wrong.
 */
#include "corpus.h"
#include "image/scratch.h"
#include "image/vhd/format.h"

#include <unistd.h>

static void patch(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static uint64_t file_size(const char *path)
{
	struct sv_host_stat st;
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_host_stat(sv_host_posix(), path, &st, &err));
	return st.size;
}

static void dump_to(struct scratch *s, const char *image, const char *raw)
{
	struct sv_image *img = open_image(at(s, image), false);

	unlink(at(s, raw));
	dump(sv_image_dev(img), at(s, raw));
	sv_image_close(img);
}

static bool vpc_equal(struct scratch *s, const char *image, const char *raw)
{
	return run("qemu-img", "compare", "-f", "vpc", "-F", "raw", at(s, image), at(s, raw)) ==
	       0;
}

static void assert_like_qemu(struct scratch *s, const char *image)
{
	struct sv_image *img = open_image(at(s, image), false);
	const char *out = at(s, "info.json");
	struct sv_err err = SV_ERR_INIT;
	char want[64], *text;

	snprintf(want, sizeof want, "\"virtual-size\": %llu,",
		(unsigned long long)sv_dev_size(sv_image_dev(img)));
	sv_image_close(img);
	assert_int_equal(
		run_to(out, "qemu-img", "info", "-f", "vpc", "--output=json", at(s, image)), 0);
	text = sv_host_read_file(sv_host_posix(), out, 1 << 20, NULL, &err);
	if (!strstr(text, want))
		fail_msg("%s: expected %s in %s", image, want, text);
	free(text);
	dump_to(s, image, "dump.raw");
	assert_true(vpc_equal(s, image, "dump.raw"));
	assert_sound(at(s, image));
}

static int open_fails(struct scratch *s, const char *image, bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	struct sv_image *img = NULL;

	return sv_image_open(sv_host_posix(), at(s, image), &opts, &img, err);
}

/* ---- the corpus ---- */

static void put_corpus(struct corpus *c, struct scratch *s, const char *name)
{
	char file[64];
	struct sv_err err = SV_ERR_INIT;
	size_t n;
	void *bytes;

	snprintf(file, sizeof file, "dfvfs/%s", name);
	bytes = corpus_file(c, file, &n);
	assert_ok(sv_host_write_file(sv_host_posix(), at(s, name), bytes, n, &err));
	free(bytes);
}

static void reads_the_corpus_as_its_facts_say(void **state)
{
	static const char *const names[] = {"ext2.vhd", "ntfs-dynamic.vhd", "ntfs-fixed.vhd",
		"fat-parent.vhd", "fat-differential.vhd", "image.vhd",
		"image-differential.vhd"};
	struct scratch *s = *state;
	struct corpus c = {0};

	if (!corpus_begin(&c))
		skip();
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++)
		put_corpus(&c, s, names[i]);
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		struct sv_image *img = open_image(at(s, names[i]), false);
		struct sv_dev *d = sv_image_dev(img);
		uint8_t digest[SV_SHA256_SIZE];
		struct sv_err err = SV_ERR_INIT;
		char text[SV_SHA256_TEXT], file[64];
		char *size, *sha;

		snprintf(file, sizeof file, "dfvfs/%s", names[i]);
		size = corpus_fact(&c, file, "guest.size");
		sha = corpus_fact(&c, file, "guest.sha256");
		assert_int_equal(sv_dev_size(d), strtoull(size, NULL, 10));
		assert_ok(sv_dev_hash(d, 0, sv_dev_size(d), digest, NULL, &err));
		sv_hex(digest, sizeof digest, text);
		assert_string_equal(text, sha);
		free(size);
		free(sha);
		sv_image_close(img);
	}
	corpus_end(&c);
}

static void refuses_to_write_an_image_with_wrong_checksums(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	struct corpus c = {0};

	if (!corpus_begin(&c))
		skip();
	if (access(at(s, "image.vhd"), F_OK))
		put_corpus(&c, s, "image.vhd");
	img = open_image(at(s, "image.vhd"), false);
	assert_non_null(strstr(sv_image_link(img, 0)->note, "wrong checksum"));
	sv_image_close(img);
	assert_fails(open_fails(s, "image.vhd", true, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "checksum"));
	corpus_end(&c);
}

/* ---- qemu ---- */

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

static void reads_what_qemu_wrote(void **state)
{
	static const char *const opts[] = {"subformat=dynamic", "subformat=fixed",
		"subformat=dynamic,force_size=on", "subformat=fixed,force_size=on"};
	struct scratch *s = *state;

	need_qemu();
	for (size_t i = 0; i < SV_ARRAY_LEN(opts); i++) {
		unlink(at(s, "q.vhd"));
		assert_int_equal(run("qemu-img", "create", "-f", "vpc", "-o", opts[i],
					 at(s, "q.vhd"), "100M"),
			0);
		assert_int_equal(run("qemu-io", "-f", "vpc", "-c", "write -P 17 0 3M", "-c",
					 "write -P 34 5M 512", "-c", "write -P 51 99M 1M",
					 at(s, "q.vhd")),
			0);
		assert_like_qemu(s, "q.vhd");
	}
}

static void qemu_reads_what_we_write(void **state)
{
	static const char *const kinds[] = {"dynamic", "fixed"};
	/* sizes that are no whole number of cylinders, or of blocks */
	static const uint64_t sizes[] = {100 * SV_MIB, 136365211648, 7 * SV_MIB + 512 * 77};
	struct scratch *s = *state;

	need_qemu();
	for (size_t k = 0; k < SV_ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < SV_ARRAY_LEN(sizes); i++) {
			struct sv_image *img;

			unlink(at(s, "w.vhd"));
			make_image(at(s, "w.vhd"), "vhd", kinds[k], sizes[i], NULL);
			img = open_image(at(s, "w.vhd"), true);
			write_all_over(sv_image_dev(img), (unsigned)i);
			sv_image_close(img);
			assert_like_qemu(s, "w.vhd");
		}
	}
	/* the judge sees a wrong byte */
	patch(at(s, "dump.raw"), 1234, "x", 1);
	assert_false(vpc_equal(s, "w.vhd", "dump.raw"));
}

static void a_fixed_image_is_never_taken_for_raw(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;

	make_image(at(s, "plain-name.img"), "vhd", "fixed", SV_MIB, NULL);
	img = open_image(at(s, "plain-name.img"), true);
	assert_string_equal(sv_image_link(img, 0)->format, "vhd");
	assert_int_equal(sv_dev_size(sv_image_dev(img)), SV_MIB);
	/* not even when the guest's disk begins like a dynamic VHD */
	write_pattern(sv_image_dev(img), 0, 4096, 1);
	assert_int_equal(sv_dev_write(sv_image_dev(img), SV_VHD_COOKIE, 8, 0, NULL), 0);
	sv_image_close(img);
	img = open_image(at(s, "plain-name.img"), false);
	assert_string_equal(sv_image_link(img, 0)->subformat, "fixed");
	sv_image_close(img);
}

/* ---- growth ---- */

/* What a stranger left behind the disk's end must not come to light. */
static void grows_over_junk_behind_the_end(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	uint8_t footer[512], junk[4096];
	struct sv_image *img;
	FILE *f;

	make_image(at(s, "j.vhd"), "vhd", "fixed", 10 * SV_MIB, NULL);
	memset(junk, 0xee, sizeof junk);
	f = fopen(at(s, "j.vhd"), "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, 10 * (long)SV_MIB, SEEK_SET), 0);
	assert_int_equal(fread(footer, 1, sizeof footer, f), sizeof footer);
	assert_int_equal(fseek(f, 10 * (long)SV_MIB, SEEK_SET), 0);
	assert_int_equal(fwrite(junk, 1, sizeof junk, f), sizeof junk);
	assert_int_equal(fwrite(footer, 1, sizeof footer, f), sizeof footer);
	assert_int_equal(fclose(f), 0);

	img = open_image(at(s, "j.vhd"), true);
	assert_ok(sv_image_grow(img, 20 * SV_MIB, &err));
	assert_ok(sv_dev_read(sv_image_dev(img), junk, sizeof junk, 10 * SV_MIB, &err));
	assert_true(sv_is_zero(junk, sizeof junk));
	sv_image_close(img);
}

static void grows_and_qemu_finds_the_same(void **state)
{
	static const struct {
		const char *kind;
		uint64_t from, to;
	} cases[] = {
		{"dynamic", 10 * SV_MIB + 512, 60 * SV_GIB},   /* the table is in the way */
		{"dynamic", 10 * SV_MIB, 2040 * SV_GIB},       /* and larger than a block */
		{"dynamic", 100 * SV_MIB, 100 * SV_MIB + 512}, /* the same table */
		{"fixed", 10 * SV_MIB, 60 * SV_GIB},
		{"fixed", 10 * SV_MIB, 10 * SV_MIB + 512},
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	need_qemu();
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct sv_image *img;

		unlink(at(s, "g.vhd"));
		make_image(at(s, "g.vhd"), "vhd", cases[i].kind, cases[i].from, NULL);
		img = open_image(at(s, "g.vhd"), true);
		write_all_over(sv_image_dev(img), (unsigned)i);
		dump_to(s, "g.vhd", "before.raw");
		assert_ok(sv_image_grow(img, cases[i].to, &err));
		/* old and new bytes through the image that was open all along */
		dump_to(s, "g.vhd", "after.raw");
		assert_int_equal(truncate(at(s, "before.raw"), (off_t)cases[i].to), 0);
		assert_true(qemu_says_equal(at(s, "before.raw"), at(s, "after.raw")));
		write_pattern(sv_image_dev(img), cases[i].to - 512, 512, 9);
		write_pattern(sv_image_dev(img), cases[i].from, 512, 8);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		if (cases[i].to < 100 * SV_GIB)
			assert_like_qemu(s, "g.vhd");
		assert_sound(at(s, "g.vhd"));
	}
}

static void refuses_what_is_larger_than_2040_gib(void **state)
{
	struct sv_image_spec spec = {.format = "vhd", .size = 2040 * SV_GIB + 512};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	assert_fails(sv_image_create(sv_host_posix(), at(s, "huge.vhd"), &spec, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_int_equal(access(at(s, "huge.vhd"), F_OK), -1);
	make_image(at(s, "small.vhd"), "vhd", NULL, SV_MIB, NULL);
	img = open_image(at(s, "small.vhd"), true);
	assert_fails(sv_image_grow(img, spec.size, &err), SV_UNSUPPORTED, UINT64_MAX);
	sv_image_close(img);
	assert_sound(at(s, "small.vhd"));
}

/* ---- chains ---- */

static bool seven_zip_equal(struct scratch *s, const char *image, const char *raw)
{
	const char *out = at(s, "7z.raw");

	unlink(out);
	if (run_to(out, "7z", "e", "-so", "-tVHD", at(s, image)))
		return false;
	return run("cmp", "-s", out, at(s, raw)) == 0;
}

static void make_chain(struct scratch *s, const char *middle)
{
	const char *const names[] = {"c0.vhd", middle, "c2.vhd"};
	const uint64_t size = 20 * SV_MIB;
	struct sv_image *parent = NULL, *img;

	mkdir(at(s, "sub"), 0777);
	for (unsigned i = 0; i < 3; i++) {
		unlink(at(s, names[i]));
		make_image(at(s, names[i]), "vhd", NULL, parent ? 0 : size, parent);
		sv_image_close(parent);
		img = open_image(at(s, names[i]), true);
		if (i == 0)
			write_all_over(sv_image_dev(img), 1);
		write_pattern(sv_image_dev(img), 100 + i * 700000, 500000, 50 + i);
		write_pattern(sv_image_dev(img), size - 3000000 - i * 513, 513, 60 + i);
		assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
		sv_image_close(img);
		parent = open_image(at(s, names[i]), false);
	}
	sv_image_close(parent);
}

static void seven_zip_reads_our_chains(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;
	uint8_t bits[512];

	make_chain(s, "c1.vhd"); /* 7-Zip looks for parents beside the child only */
	img = open_image(at(s, "c2.vhd"), false);
	assert_int_equal(sv_image_links(img), 3);
	sv_image_close(img);
	dump_to(s, "c2.vhd", "chain.raw");
	assert_sound(at(s, "c2.vhd"));
	if (run("7z"))
		skip();
	assert_true(seven_zip_equal(s, "c2.vhd", "chain.raw"));
	/* the judge sees sectors that come from another link */
	memset(bits, 0, sizeof bits);
	patch(at(s, "c2.vhd"), sv_align_up(1536 + 512 + 512 + 512, 4096) - 512, bits, 512);
	assert_false(seven_zip_equal(s, "c2.vhd", "chain.raw"));
}

static void libvhdi_names_the_parent_we_wrote(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	char *text;

	if (run("vhdiinfo", "-V"))
		skip();
	make_chain(s, "sub/c1.vhd");
	assert_int_equal(run_to(at(s, "vhdi.txt"), "vhdiinfo", at(s, "c2.vhd")), 0);
	text = sv_host_read_file(sv_host_posix(), at(s, "vhdi.txt"), 1 << 16, NULL, &err);
	assert_non_null(strstr(text, "Differential"));
	assert_non_null(strstr(text, "c1.vhd"));
	free(text);
}

static void finds_a_moved_parent_by_its_name_and_tells_a_missing_one(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_chain(s, "sub/c1.vhd");
	assert_int_equal(rename(at(s, "sub/c1.vhd"), at(s, "c1.vhd")), 0);
	/* c1 looks for ..\c0.vhd, then for c0.vhd beside itself */
	img = open_image(at(s, "c2.vhd"), false);
	assert_int_equal(sv_image_links(img), 3);
	sv_image_close(img);
	assert_int_equal(rename(at(s, "c0.vhd"), at(s, "else.vhd")), 0);
	assert_fails(open_fails(s, "c2.vhd", false, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.message, "c0.vhd"));
}

static void refuses_another_parent_and_one_of_another_size(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_chain(s, "sub/c1.vhd");
	img = open_image(at(s, "c0.vhd"), true);
	assert_ok(sv_image_grow(img, 30 * SV_MIB, &err));
	sv_image_close(img);
	assert_fails(open_fails(s, "c2.vhd", false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "31457280"));
	unlink(at(s, "c0.vhd"));
	make_image(at(s, "c0.vhd"), "vhd", NULL, 20 * SV_MIB, NULL);
	assert_fails(open_fails(s, "c2.vhd", false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "unique id"));
}

static void refuses_a_chain_that_comes_back(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	make_chain(s, "sub/c1.vhd");
	assert_int_equal(rename(at(s, "sub/c1.vhd"), at(s, "c0.vhd")), 0);
	/* c0 is now a child of ..\c0.vhd or c0.vhd: itself */
	assert_fails(open_fails(s, "c0.vhd", false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "comes back"));
}

/* ---- damage ---- */

static void one_good_copy_of_the_footer_is_enough(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (int front = 0; front < 2; front++) {
		struct sv_image *img;

		unlink(at(s, "f.vhd"));
		make_image(at(s, "f.vhd"), "vhd", NULL, 10 * SV_MIB, NULL);
		img = open_image(at(s, "f.vhd"), true);
		write_all_over(sv_image_dev(img), 3);
		sv_image_close(img);
		dump_to(s, "f.vhd", "f.raw");
		patch(at(s, "f.vhd"), front ? 0 : file_size(at(s, "f.vhd")) - 512, "broken!!",
			8);
		img = open_image(at(s, "f.vhd"), true);
		assert_non_null(strstr(sv_image_link(img, 0)->note, "broken"));
		write_pattern(sv_image_dev(img), 700, 700, 5);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		assert_sound(at(s, "f.vhd")); /* the first change repaired it */
	}
	patch(at(s, "f.vhd"), 0, "broken!!", 8);
	patch(at(s, "f.vhd"), file_size(at(s, "f.vhd")) - 512, "broken!!", 8);
	assert_fails(open_fails(s, "f.vhd", false, &err), SV_CORRUPT, UINT64_MAX);
}

static void refuses_tables_and_blocks_outside_the_file(void **state)
{
	struct scratch *s = *state;
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;
	struct sv_vhd_disk_header h;
	struct sv_image *img;
	uint8_t buf[512];
	int fd;

	make_image(at(s, "b.vhd"), "vhd", NULL, 10 * SV_MIB, NULL);
	patch(at(s, "b.vhd"), 1536 + 4, "\x7f\xff\xff\xff", 4);
	img = open_image(at(s, "b.vhd"), false);
	assert_fails(
		sv_dev_read(sv_image_dev(img), buf, 512, 2 * SV_MIB, &err), SV_CORRUPT, 1540);
	sv_image_close(img);
	assert_ok(sv_image_check(sv_host_posix(), at(s, "b.vhd"), NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 1);
	assert_int_equal(found.offset, 1540);

	fd = open(at(s, "b.vhd"), O_RDWR);
	assert_int_equal(pread(fd, &h, sizeof h, 512), sizeof h);
	h.table_at = sv_put_be64(UINT64_C(1) << 62);
	sv_vhd_header_sum(&h);
	assert_int_equal(pwrite(fd, &h, sizeof h, 512), sizeof h);
	close(fd);
	assert_fails(open_fails(s, "b.vhd", false, &err), SV_CORRUPT, 512 + 16);
}

static void finds_blocks_that_share_space_and_space_that_is_lost(void **state)
{
	struct scratch *s = *state;
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint8_t entry[4];
	int fd;

	make_image(at(s, "o.vhd"), "vhd", NULL, 10 * SV_MIB, NULL);
	img = open_image(at(s, "o.vhd"), true);
	write_pattern(sv_image_dev(img), 0, 5 << 20, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	fd = open(at(s, "o.vhd"), O_RDWR);
	assert_int_equal(pread(fd, entry, 4, 1536), 4);
	close(fd);
	patch(at(s, "o.vhd"), 1536 + 8, entry, 4);
	assert_ok(sv_image_check(sv_host_posix(), at(s, "o.vhd"), NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 1);
	assert_int_equal(found.offset, 1536 + 8);
	assert_int_equal(faults.leaks, 1);
	/* a write to one of the blocks would change the other */
	assert_fails(open_fails(s, "o.vhd", true, &err), SV_CORRUPT, 1536 + 8);
	img = open_image(at(s, "o.vhd"), false);
	sv_image_close(img);
}

/* Found by the fuzzer: a table of an empty disk that reaches over the footer. */
static void puts_a_footer_that_lies_on_the_table_where_it_belongs(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint8_t footer[512];
	int fd;

	make_image(
		at(s, "t.vhd"), "vhd", NULL, 800 * SV_MIB, NULL); /* 400 entries: 1600 bytes */
	fd = open(at(s, "t.vhd"), O_RDWR);
	assert_int_equal(pread(fd, footer, 512, 0), 512);
	assert_int_equal(pwrite(fd, footer, 512, 1536 + 1536 + 90), 512);
	assert_int_equal(ftruncate(fd, 1536 + 1536 + 90 + 512), 0);
	close(fd);
	img = open_image(at(s, "t.vhd"), true);
	write_pattern(sv_image_dev(img), 5000, 5000, 1);
	assert_ok(sv_image_grow(img, SV_GIB, &err));
	sv_image_close(img);
	assert_sound(at(s, "t.vhd"));
}

/* ---- derivation ---- */

static void derives_copies_and_children_but_no_larger_child(void **state)
{
	static const char *const sources[] = {"d.vhd", "c2.vhd"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *path = NULL;

	make_image(at(s, "d.vhd"), "vhd", "fixed", 20 * SV_MIB, NULL);
	img = open_image(at(s, "d.vhd"), true);
	write_all_over(sv_image_dev(img), 7);
	sv_image_close(img);
	make_chain(s, "sub/c1.vhd");
	for (size_t i = 0; i < 2; i++) {
		dump_to(s, sources[i], "source.raw");
		img = open_image(at(s, sources[i]), false);
		unlink(at(s, "copy.vhd"));
		assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY, s->dir, "copy",
			50 * SV_MIB, NULL, &path, &err));
		free(path);
		sv_image_close(img);
		dump_to(s, "copy.vhd", "copy.raw");
		assert_true(qemu_says_equal(at(s, "source.raw"), at(s, "copy.raw")));
		assert_like_qemu(s, "copy.vhd");
	}
	img = open_image(at(s, "d.vhd"), false);
	assert_fails(sv_image_check_limits(img, SV_DERIVE_LINKED, 50 * SV_MIB, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_LINKED, s->dir, "child",
		20 * SV_MIB, NULL, &path, &err));
	free(path);
	sv_image_close(img);
	dump_to(s, "d.vhd", "source.raw");
	dump_to(s, "child.vhd", "child.raw");
	assert_true(qemu_says_equal(at(s, "source.raw"), at(s, "child.raw")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_corpus_as_its_facts_say),
		cmocka_unit_test(refuses_to_write_an_image_with_wrong_checksums),
		cmocka_unit_test(reads_what_qemu_wrote),
		cmocka_unit_test(qemu_reads_what_we_write),
		cmocka_unit_test(a_fixed_image_is_never_taken_for_raw),
		cmocka_unit_test(grows_over_junk_behind_the_end),
		cmocka_unit_test(grows_and_qemu_finds_the_same),
		cmocka_unit_test(refuses_what_is_larger_than_2040_gib),
		cmocka_unit_test(seven_zip_reads_our_chains),
		cmocka_unit_test(libvhdi_names_the_parent_we_wrote),
		cmocka_unit_test(finds_a_moved_parent_by_its_name_and_tells_a_missing_one),
		cmocka_unit_test(refuses_another_parent_and_one_of_another_size),
		cmocka_unit_test(refuses_a_chain_that_comes_back),
		cmocka_unit_test(one_good_copy_of_the_footer_is_enough),
		cmocka_unit_test(refuses_tables_and_blocks_outside_the_file),
		cmocka_unit_test(finds_blocks_that_share_space_and_space_that_is_lost),
		cmocka_unit_test(puts_a_footer_that_lies_on_the_table_where_it_belongs),
		cmocka_unit_test(derives_copies_and_children_but_no_larger_child),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
