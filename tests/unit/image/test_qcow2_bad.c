/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Damaged and hostile qcow2 images: refused, or told of by the check, with the code and the
 * offset. qemu-img must find fault with the same ones: what it accepts it cannot judge.
 */
#include "image/scratch.h"

#include "base/endian.h"

#include <unistd.h>

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)

/* DIR/NAME for the whole test. */
#define PATH(variable, name)                                                                   \
	char variable[128];                                                                    \
	snprintf(variable, sizeof variable, "%s/%s", s->dir, name)

/* What sv_qcow2_make() lays: header, refcount table, block, L1 table, then L2 and data. */
enum { CLUSTER = 65536, REFTABLE = CLUSTER, BLOCK = 2 * CLUSTER, L1 = 3 * CLUSTER };
enum { L2 = 4 * CLUSTER, DATA = 5 * CLUSTER };

/* 64 KiB of data at 0, and nothing else. */
static void make_one(const char *path)
{
	struct sv_image *img;

	unlink(path);
	make_image(path, "qcow2", NULL, 8 * SV_MIB, NULL);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 0, CLUSTER, 1);
	assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
	sv_image_close(img);
	assert_sound(path);
}

static void poke(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static void poke64(const char *path, uint64_t off, uint64_t value)
{
	uint8_t bytes[8];

	sv_store_be64(bytes, value);
	poke(path, off, bytes, 8);
}

static void poke32(const char *path, uint64_t off, uint32_t value)
{
	uint8_t bytes[4];

	sv_store_be32(bytes, value);
	poke(path, off, bytes, 4);
}

static int try_open(const char *path, bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	struct sv_image *img = NULL;
	int rc = sv_image_open(sv_host_posix(), path, &opts, &img, err);

	sv_image_close(img);
	return rc;
}

/* ---- the header ---- */

static void refuses_bad_headers(void **state)
{
	static const struct {
		uint64_t at;
		uint64_t value;
		unsigned bytes;
		enum sv_code code;
		uint64_t offset;
	} bad[] = {
		{4, 1, 4, SV_UNSUPPORTED, 4},                      /* qcow */
		{4, 4, 4, SV_UNSUPPORTED, 4},                      /* a later version */
		{8, 112, 8, SV_OK, 0},                             /* an empty backing name */
		{8, 64, 8, SV_CORRUPT, 8},                         /* a name in the header */
		{8, CLUSTER, 8, SV_OK, 0},                         /* of no bytes */
		{8, CLUSTER + 1, 8, SV_CORRUPT, 8},                /* behind the cluster */
		{20, 8, 4, SV_CORRUPT, 20},                        /* clusters of 256 bytes */
		{20, 22, 4, SV_CORRUPT, 20},                       /* of 4 MiB */
		{24, UINT64_MAX, 8, SV_CORRUPT, 36},               /* the size */
		{24, UINT64_C(1) << 62, 8, SV_CORRUPT, 36},        /* the size */
		{24, 512 * SV_MIB + 1, 8, SV_CORRUPT, 36},         /* one more L2 table */
		{32, 1, 4, SV_UNSUPPORTED, 32},                    /* AES */
		{32, 2, 4, SV_UNSUPPORTED, 32},                    /* LUKS */
		{32, 77, 4, SV_UNSUPPORTED, 32},                   /* ? */
		{36, 0, 4, SV_CORRUPT, 36},                        /* no L1 table */
		{36, 0x7fffffff, 4, SV_CORRUPT, 36},               /* too large a one */
		{36, 0x10000, 4, SV_CORRUPT, 40},                  /* larger than the file */
		{40, L1 + 512, 8, SV_CORRUPT, 40},                 /* not aligned */
		{40, 0, 8, SV_CORRUPT, 40},                        /* over the header */
		{40, UINT64_MAX - CLUSTER + 1, 8, SV_CORRUPT, 40}, /* beyond the end */
		{48, REFTABLE + 8, 8, SV_CORRUPT, 48},             /* not aligned */
		{48, 0, 8, SV_CORRUPT, 48}, {56, 0, 4, SV_CORRUPT, 56}, /* no refcounts */
		{56, 129, 4, SV_CORRUPT, 56},        /* more than 8 MiB of table */
		{60, 65537, 4, SV_CORRUPT, 64},      /* snapshots, but no table */
		{64, 1, 8, SV_OK, 0},                /* no snapshots: not looked at */
		{72, 1 << 5, 8, SV_UNSUPPORTED, 72}, /* a feature of tomorrow */
		{72, UINT64_C(1) << 63, 8, SV_UNSUPPORTED, 72},
		{72, 1 << 3, 8, SV_CORRUPT, 104},            /* packed by zlib after all */
		{72, 1 << 2, 8, SV_UNSUPPORTED, UINT64_MAX}, /* a data file without a name */
		{80, UINT64_MAX, 8, SV_OK, 0},               /* compatible features */
		{88, 1, 8, SV_CORRUPT, 88},                  /* bitmaps, but none there */
		{88, 2, 8, SV_CORRUPT, 88},                  /* a raw data file, but none */
		{88, UINT64_C(1) << 40, 8, SV_OK, 0},        /* what only writers see to */
		{96, 7, 4, SV_CORRUPT, 96},                  /* refcounts of 128 bits */
		{100, 103, 4, SV_CORRUPT, 100}, {100, 96, 4, SV_CORRUPT, 100},
		{100, CLUSTER + 8, 4, SV_CORRUPT, 100},
		{104, UINT64_C(1) << 56, 8, SV_CORRUPT, 104}, /* zstd without the feature */
		{116, 0x1000000, 4, SV_OK, 0},                /* the end has no length */
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "bad.qcow2");

	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		make_one(path);
		if (bad[i].bytes == 8)
			poke64(path, bad[i].at, bad[i].value);
		else
			poke32(path, bad[i].at, (uint32_t)bad[i].value);
		if (bad[i].code == SV_OK) {
			assert_ok(try_open(path, false, &err));
			continue;
		}
		assert_fails(try_open(path, false, &err), bad[i].code, bad[i].offset);
		assert_string_equal(err.path, path);
		/* qemu, too; it reads on behind the end of the file, and knows encryption */
		if (bad[i].offset == bad[i].at && (bad[i].at == 4 || bad[i].at == 20 ||
							  bad[i].at == 36 || bad[i].at == 96))
			assert_int_not_equal(run("qemu-img", "info", "-f", "qcow2", path), 0);
	}
}

static void refuses_bad_extensions(void **state)
{
	static const struct {
		uint32_t type, length;
		enum sv_code code;
		uint64_t offset;
	} bad[] = {
		{0xe2792aca, 70000, SV_CORRUPT, 112}, /* beyond the cluster */
		{0xe2792aca, UINT32_MAX, SV_CORRUPT, 112},
		{0xe2792aca, 64, SV_CORRUPT, 120},   /* too long a name */
		{0x44415441, 1024, SV_CORRUPT, 120}, /* too long a name */
		{0x44415441, 8, SV_CORRUPT, 120},    /* of NULs */
		{0x23852875, 8, SV_CORRUPT, 120},    /* bitmaps, cut short */
		{0x23852875, 24, SV_CORRUPT, 120},   /* no bitmaps */
		{0x12345678, 16, SV_OK, 0},          /* not known */
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "bad.qcow2");

	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		make_one(path);
		poke32(path, 112, bad[i].type);
		poke32(path, 116, bad[i].length);
		if (bad[i].code == SV_OK)
			assert_ok(try_open(path, false, &err));
		else
			assert_fails(try_open(path, false, &err), bad[i].code, bad[i].offset);
	}
	/* twice the same */
	make_one(path);
	for (uint64_t at = 112; at < 112 + 32; at += 16) {
		poke32(path, at, 0xe2792aca);
		poke32(path, at + 4, 3);
		poke(path, at + 8, "raw", 3);
	}
	assert_fails(try_open(path, false, &err), SV_CORRUPT, 112 + 16 + 8);
}

static void tells_the_name_of_an_unknown_feature(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "bad.qcow2");

	make_one(path);
	poke64(path, 72, UINT64_C(1) << 9);
	poke32(path, 112, 0x6803f857);
	poke32(path, 116, 48);
	poke(path, 120, "\0\11time travel", 13);
	assert_fails(try_open(path, false, &err), SV_UNSUPPORTED, 72);
	assert_non_null(strstr(err.message, "\"time travel\""));
}

static void refuses_files_that_are_cut_short(void **state)
{
	static const off_t sizes[] = {4, 71, 72, 103, 111, 512, CLUSTER, L1};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "bad.qcow2");

	for (size_t i = 0; i < SV_ARRAY_LEN(sizes); i++) {
		make_one(path);
		assert_int_equal(truncate(path, sizes[i]), 0);
		assert_fails(try_open(path, false, &err), SV_CORRUPT, UINT64_MAX);
		assert_true(err.has_offset);
	}
}

/* ---- tables ---- */

static int read_first(const char *path, struct sv_err *err)
{
	struct sv_image *img = open_image(path, false);
	uint8_t buf[512];
	int rc = sv_dev_read(sv_image_dev(img), buf, sizeof buf, 0, err);

	sv_image_close(img);
	return rc;
}

static uint64_t errors_of(const char *path, uint64_t *leaks, uint64_t *offset)
{
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	*leaks = faults.leaks;
	*offset = found.offset;
	return faults.errors;
}

static void refuses_bad_entries(void **state)
{
	static const struct {
		uint64_t at, value;
	} bad[] = {
		{L1, UINT64_C(1) << 63 | (L2 + 512)}, /* not aligned */
		{L1, UINT64_C(1) << 63 | L2 | 1},     /* reserved */
		{L1, UINT64_C(1) << 63 | UINT64_C(1) << 60 | L2},
		{L1, UINT64_C(1) << 63 | 100 * CLUSTER}, /* beyond the end */
		{L2, UINT64_C(1) << 63 | (DATA + 512)}, {L2, UINT64_C(1) << 63 | DATA | 2},
		{L2, UINT64_C(1) << 63 | UINT64_C(1) << 56 | DATA},
		{L2, UINT64_C(1) << 63 | 100 * CLUSTER},
		{L2, UINT64_C(1) << 62 | (DATA + 20 * CLUSTER)}, /* packed, beyond the end */
		{L2, UINT64_C(1) << 62},                         /* packed in the header */
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "bad.qcow2");

	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		uint64_t leaks, offset;

		make_one(path);
		poke64(path, bad[i].at, bad[i].value);
		assert_fails(read_first(path, &err), SV_CORRUPT, bad[i].at);
		assert_true(errors_of(path, &leaks, &offset) > 0);
		assert_int_equal(offset, bad[i].at);
	}
}

static void refuses_packed_clusters_that_are_damaged(void **state)
{
	static const char *const options[] = {"compression_type=zlib", "compression_type=zstd"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(raw, "plain.raw");
	PATH(path, "packed.qcow2");
	uint8_t text[CLUSTER];

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i / 100 * 7 + i % 10);
	assert_ok(sv_host_write_file(sv_host_posix(), raw, text, sizeof text, &err));
	for (size_t i = 0; i < SV_ARRAY_LEN(options); i++) {
		uint8_t entry[8];
		uint64_t at;
		int fd;

		unlink(path);
		assert_int_equal(run("qemu-img", "convert", "-c", "-O", "qcow2", "-o",
					 options[i], raw, path),
			0);
		assert_ok(read_first(path, &err));
		fd = open(path, O_RDONLY);
		assert_int_equal(pread(fd, entry, 8, L2), 8);
		close(fd);
		at = sv_load_be64(entry) & ((UINT64_C(1) << 54) - 1);
		poke(path, at, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
		assert_fails(read_first(path, &err), SV_CORRUPT, at);
	}
}

/* ---- the check ---- */

static void finds_what_qemu_finds(void **state)
{
	static const struct {
		uint64_t at, value;
		unsigned bytes;
		uint64_t errors, leaks, offset;
	} bad[] = {
		{BLOCK + 10, 0, 2, 2, 0, DATA}, /* data without a refcount, and flag */
		{BLOCK + 10, 2, 2, 1, 1, DATA}, /* flag "copied" is wrong, and a leak */
		{BLOCK + 12, 1, 2, 0, 0, 0},    /* beyond the end of the file */
		{BLOCK + 8, 0, 2, 2, 0, L2},    /* a table without a refcount */
		{BLOCK + 0, 0, 2, 1, 0, 0},     /* the header */
		{L2, DATA, 8, 1, 0, DATA},      /* flag missing */
		{L1, L2, 8, 1, 0, L2},          /* flag missing */
		{L2, 0, 8, 0, 1, DATA},         /* nothing points to it */
		{L2 + 8, UINT64_C(1) << 63 | DATA, 8, 1, 0, DATA}, /* used twice */
		{L2, UINT64_C(1) << 63 | L1, 8, 2, 1, L1},         /* data over a table */
		{REFTABLE, BLOCK + 8, 8, 8, 0, REFTABLE},          /* no block */
		{REFTABLE + 8, 99 * CLUSTER, 8, 1, 0, REFTABLE + 8},
	};
	struct scratch *s = *state;
	PATH(path, "bad.qcow2");

	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		uint64_t leaks, offset, errors;
		uint8_t bytes[8];

		make_one(path);
		sv_store_be64(bytes, bad[i].value << (64 - 8 * bad[i].bytes));
		poke(path, bad[i].at, bytes, bad[i].bytes);
		errors = errors_of(path, &leaks, &offset);
		assert_int_equal(errors, bad[i].errors);
		assert_int_equal(leaks, bad[i].leaks);
		assert_int_equal(offset, bad[i].offset);
		assert_int_equal(run("qemu-img", "check", path), bad[i].errors  ? 2
								 : bad[i].leaks ? 3
										: 0);
	}
}

/* ---- what must not be written ---- */

static void refuses_to_write_what_is_marked(void **state)
{
	static const uint64_t features[] = {1, 2};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "marked.qcow2");

	for (size_t i = 0; i < SV_ARRAY_LEN(features); i++) {
		struct sv_image *img;

		make_one(path);
		poke64(path, 72, features[i]);
		assert_fails(try_open(path, true, &err), SV_UNSUPPORTED, 72);
		assert_non_null(strstr(err.hint, "qemu-img check -r"));
		assert_ok(read_first(path, &err));
		img = open_image(path, false);
		assert_true(sv_image_link(img, 0)->dirty);
		sv_image_close(img);
		/* and after that repair */
		assert_int_equal(run("qemu-img", "check", "-r", "all", path), 0);
		assert_ok(try_open(path, true, &err));
	}
}

/* Guest data are never written over the tables, whatever the image says. */
static void refuses_to_write_over_tables(void **state)
{
	static const uint64_t places[] = {REFTABLE, BLOCK, L1, L2};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "hostile.qcow2");
	uint8_t buf[512] = {1};

	for (size_t i = 0; i < SV_ARRAY_LEN(places); i++) {
		struct sv_image *img;

		make_one(path);
		poke64(path, L2, UINT64_C(1) << 63 | places[i]);
		img = open_image(path, true);
		assert_fails(sv_dev_write(sv_image_dev(img), buf, sizeof buf, 0, &err),
			SV_CORRUPT, places[i]);
		sv_image_close(img);
		/* the same with a refcount of 0: it is not taken for new data */
		make_one(path);
		poke(path, BLOCK + 2 * (places[i] / CLUSTER), "\0\0", 2);
		img = open_image(path, true);
		assert_fails(sv_dev_write(sv_image_dev(img), buf, sizeof buf, SV_MIB, &err),
			SV_CORRUPT, places[i]);
		sv_image_close(img);
	}
}

/* ---- parents ---- */

static void make_child(const char *path, const char *parent, const char *format)
{
	unlink(path);
	assert_int_equal(run("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", parent,
				 "-F", format, path, "8M"),
		0);
}

static void refuses_parents_that_are_no_files(void **state)
{
	static const char *const parents[] = {"nbd://localhost/disk", "nbd:unix:/x",
		"http://x/y", "json:{\"driver\":\"null-co\"}", "file:base.img", "C:\\base.img"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "child.qcow2");

	for (size_t i = 0; i < SV_ARRAY_LEN(parents); i++) {
		struct sv_image_opts alone = {.alone = true};
		struct sv_image *img;

		make_child(path, parents[i], "raw");
		assert_fails(try_open(path, false, &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, parents[i]));
		/* what it is can still be told */
		assert_ok(sv_image_open(sv_host_posix(), path, &alone, &img, &err));
		assert_string_equal(sv_image_link(img, 0)->parent_hint, parents[i]);
		sv_image_close(img);
		assert_sound(path);
	}
}

static void names_what_is_wrong_with_parents(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	PATH(path, "child.qcow2");
	PATH(base, "base.img");

	make_child(path, "base.img", "raw");
	assert_fails(try_open(path, false, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.message, "base.img"));
	make_image(base, "raw", NULL, SV_MIB, NULL);
	assert_ok(try_open(path, false, &err));
	make_child(path, "base.img", "qcow2");
	assert_fails(try_open(path, false, &err), SV_CORRUPT, 0);
	assert_string_equal(err.path, base);
	make_child(path, "base.img", "qed");
	assert_fails(try_open(path, false, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "qed"));
	make_child(path, "child.qcow2", "qcow2");
	assert_fails(try_open(path, false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "comes back"));
}

/* A raw file that says of itself that it is qcow2 stays raw where the child says so. */
static void believes_the_format_that_the_child_names(void **state)
{
	struct scratch *s = *state;
	PATH(path, "child.qcow2");
	PATH(base, "base.img");
	struct sv_image *img;
	uint8_t magic[4];

	make_one(base);
	make_child(path, "base.img", "raw");
	img = open_image(path, false);
	assert_string_equal(sv_image_link(img, 1)->format, "raw");
	assert_int_equal(sv_dev_read(sv_image_dev(img), magic, 4, 0, NULL), 0);
	assert_memory_equal(magic, "QFI\xfb", 4);
	sv_image_close(img);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_bad_headers),
		TEST(refuses_bad_extensions),
		TEST(tells_the_name_of_an_unknown_feature),
		TEST(refuses_files_that_are_cut_short),
		TEST(refuses_bad_entries),
		TEST(refuses_packed_clusters_that_are_damaged),
		TEST(finds_what_qemu_finds),
		TEST(refuses_to_write_what_is_marked),
		TEST(refuses_to_write_over_tables),
		TEST(refuses_parents_that_are_no_files),
		TEST(names_what_is_wrong_with_parents),
		TEST(believes_the_format_that_the_child_names),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
