/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Formats that are known by name and not read: refused with what to do, never taken as raw. */
#include "image/scratch.h"

#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE 8192

static int try_open(const char *path, struct sv_err *err)
{
	struct sv_image *img = NULL;
	int rc;

	*err = (struct sv_err)SV_ERR_INIT;
	rc = sv_image_open(sv_host_posix(), path, NULL, &img, err);
	sv_image_close(img);
	return rc;
}

static void poke_all(const char *path, uint64_t at, const char *bytes, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(ftruncate(fd, FILE_SIZE), 0);
	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
	close(fd);
}

/* Marks as their makers document them, each with the word that a person must read. */
static void names_what_it_does_not_read(void **state)
{
	static const struct {
		uint64_t at;
		const char *magic;
		size_t n;
		const char *name, *hint;
	} known[] = {
#define MARK(at, magic, name, hint) {at, magic, sizeof(magic) - 1, name, hint}
		MARK(0, "QED\0", "QED", "qemu-img convert"),
		MARK(0, "Bochs Virtual HD Image\0Growing", "Bochs", "qemu-img convert"),
		MARK(0, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop", "cloop", "qemu-img"),
		MARK(FILE_SIZE - 512, "koly\0\0\0\4", "UDIF", "qemu-img convert -f dmg"),
		MARK(0, "encrcdsa", "encrypted Apple", "hdiutil"),
		MARK(FILE_SIZE - 8, "cdsaencr", "encrypted Apple", "hdiutil"),
		MARK(0, "sprs\0\0\0\3", "Apple sparse image", "hdiutil"),
		MARK(0, "EVF\x09\x0d\x0a\xff\0", "E01", "ewfexport"),
		MARK(0, "EVF2\x0d\x0a\x81\0", "Ex01", "ewfexport"),
		MARK(0, "LVF\x09\x0d\x0a\xff\0", "L01", "ewfexport"),
		MARK(0, "LEF2\x0d\x0a\x81\0", "Lx01", "EnCase"),
		MARK(0, "AFF10\r\n\0", "AFF", "affconvert"),
		MARK(0, "PK\3\4aaaaaaaaaaaaaaaaaaaaaaaaaacontainer.description", "AFF4",
			"aff4"),
		MARK(0, "PK\3\4", "ZIP", "7z x"),
		MARK(0, "\x3a\xff\x26\xed\1\0\0\0", "Android", "simg2img"),
		MARK(0, "\0ntfsclone-image", "ntfsclone", "--restore-image"),
		MARK(0, "partclone-image", "Partclone", "partclone.restore"),
		MARK(0, "PaRtImAgE-VoLuMe", "Partimage", "partimage"),
		MARK(0, "MSWIM\0\0\0", "WIM", "wim"),
		MARK(0, "BZh91AY&SY", "bzip2", "bunzip2"),
		MARK(0, "\x04\x22\x4d\x18", "lz4", "lz4 -d"),
		MARK(0, "LZIP\1", "lzip", "lzip -d"),
		MARK(0, "\x89LZO\0\r\n\x1a\n", "lzop", "lzop -d"),
		MARK(0, "7z\xbc\xaf\x27\x1c", "7z", "7z x"),
		MARK(0, "Rar!\x1a\x07\x01\0", "RAR", "7z x"),
		MARK(257, "ustar\00000", "tar", "tar -xf"),
#undef MARK
	};
	struct scratch *s = *state;
	struct sv_err err;

	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++) {
		const char *path = at(s, "foreign.img");

		poke_all(path, known[i].at, known[i].magic, known[i].n);
		assert_fails(try_open(path, &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_string_equal(err.path, path);
		if (!strstr(err.message, known[i].name) || !strstr(err.hint, known[i].hint))
			fail_msg("%s: %s (%s)", known[i].name, err.message, err.hint);
	}
}

/* One byte off, and it is a raw disk like any other. */
static void a_mark_elsewhere_means_nothing(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;

	poke_all(at(s, "raw.img"), 1, "EVF\x09\x0d\x0a\xff\0", 8);
	img = open_image(at(s, "raw.img"), false);
	assert_string_equal(sv_image_link(img, 0)->format, "raw");
	sv_image_close(img);
}

/* A whole disk may begin with these, and is a raw disk then. */
static void a_file_system_is_a_raw_disk(void **state)
{
	static const struct {
		uint64_t at;
		const char *magic;
	} raw[] = {{0, "LUKS\xba\xbe"}, {3, "-FVE-FS-"}, {0, "hsqs"}, {3, "NTFS    "},
		{0, "XFSB"}};
	struct scratch *s = *state;
	struct sv_image *img;

	for (size_t i = 0; i < SV_ARRAY_LEN(raw); i++) {
		poke_all(at(s, "raw.img"), raw[i].at, raw[i].magic, strlen(raw[i].magic));
		img = open_image(at(s, "raw.img"), false);
		assert_string_equal(sv_image_link(img, 0)->format, "raw");
		sv_image_close(img);
	}
}

static void knows_what_others_make(void **state)
{
	struct scratch *s = *state;
	struct sv_err err;

	if (run("qemu-img", "create", "-f", "qed", at(s, "disk.qed"), "1M") == 0) {
		assert_fails(try_open(at(s, "disk.qed"), &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, "QED"));
	}
	make_image(at(s, "disk.img"), "raw", NULL, SV_MIB, NULL);
	assert_int_equal(run("tar", "-cf", at(s, "disk.tar"), "-C", s->dir, "disk.img"), 0);
	assert_fails(try_open(at(s, "disk.tar"), &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "tar"));
}

static void names_a_sparse_bundle(void **state)
{
	struct scratch *s = *state;
	struct sv_err err;

	assert_int_equal(mkdir(at(s, "mac.sparsebundle"), 0700), 0);
	assert_fails(try_open(at(s, "mac.sparsebundle"), &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_null(strstr(err.message, "Apple"));
	assert_int_equal(mkdir(at(s, "mac.sparsebundle/bands"), 0700), 0);
	poke_all(at(s, "mac.sparsebundle/Info.plist"), 0, "<?xml", 5);
	assert_fails(try_open(at(s, "mac.sparsebundle"), &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "Apple sparse bundle"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_scratch, drop_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_what_it_does_not_read),
		TEST(a_mark_elsewhere_means_nothing),
		TEST(a_file_system_is_a_raw_disk),
		TEST(knows_what_others_make),
		TEST(names_a_sparse_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
