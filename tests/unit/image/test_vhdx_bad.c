/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHDXs that are wrong in one place: refused with the code and the offset of what is wrong, or
 * opened, and the check finds it. Checksums are right everywhere. Chains whose parent is
 * missing, changed, or the child itself.
 */
#include "image/scratch.h"

#include "base/hash.h"
#include "image/vhdx/format.h"

#include <unistd.h>

enum {
	METADATA = 2 << 20,
	ITEMS = METADATA + 65536, /* file parameters, size, sector, physical sector, id */
	ITEM_SIZE = ITEMS + 8,
	ITEM_SECTOR = ITEMS + 16,
	BAT = 3 << 20,
	REGION = 16, /* of the first entry, in the region table: the block table's */
};

static void poke(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static void poke64(const char *path, uint64_t off, uint64_t value)
{
	uint8_t bytes[8];

	sv_store_le64(bytes, value);
	poke(path, off, bytes, sizeof bytes);
}

static void sum(const char *path, uint64_t off, size_t n)
{
	uint8_t *bytes = malloc(n);
	int fd = open(path, O_RDWR);

	assert_int_equal(pread(fd, bytes, n, (off_t)off), n);
	sv_store_le32(bytes + 4, 0);
	sv_store_le32(bytes + 4, sv_crc32c(0, bytes, n));
	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
	free(bytes);
}

static const char *make(struct scratch *s)
{
	const char *path = at(s, "bad.vhdx");

	unlink(path);
	make_image(path, "vhdx", NULL, 200 * SV_MIB, NULL);
	return path;
}

/* Both copies of a header or a region table. */
static void poke_both(
	const char *path, uint64_t first, size_t size, uint64_t in, const void *bytes, size_t n)
{
	for (unsigned i = 0; i < 2; i++) {
		poke(path, first + i * 65536 + in, bytes, n);
		sum(path, first + i * 65536, size);
	}
}

static void assert_open_fails(const char *path, enum sv_code code, uint64_t offset)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	assert_fails(sv_image_open(sv_host_posix(), path, NULL, &img, &err), code, offset);
	if (!strstr(err.path, ".vhdx"))
		fail_msg("no path in: %s", err.message);
}

/* ---- headers and tables ---- */

static void refuses_bad_headers(void **state)
{
	static const struct {
		uint64_t in;
		const char *bytes;
		size_t n;
		enum sv_code code;
		uint64_t offset;
	} cases[] = {
		{0, "HEAD", 4, SV_CORRUPT, 65536 * 2},
		{66, "\2", 1, SV_UNSUPPORTED, 65536 + 66},
		{72, "\1", 1, SV_CORRUPT, 65536 * 2 + 68}, /* log at an odd place */
		{72, "\0\0\0\0\0\0\0\x80", 8, SV_CORRUPT, 65536 * 2 + 68}, /* near 2^63 */
		{68, "\0\0\0\xff", 4, SV_CORRUPT, 65536 * 2 + 68},         /* of 4 GiB */
		{72, "\0\0\x20", 3, SV_CORRUPT, METADATA},                 /* on the metadata */
	};

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		const char *path = make(*state);

		poke_both(path, 65536, 4096, cases[i].in, cases[i].bytes, cases[i].n);
		assert_open_fails(path, cases[i].code, cases[i].offset);
	}
}

static void refuses_bad_region_tables(void **state)
{
	static const struct {
		uint64_t in;
		const char *bytes;
		size_t n;
		enum sv_code code;
		uint64_t offset;
	} cases[] = {
		{0, "REGI", 4, SV_CORRUPT, 196608},
		{8, "\0\x08", 2, SV_CORRUPT, 196608 + 8},          /* 2048 entries */
		{8, "\1", 1, SV_CORRUPT, 196608 + 8},              /* no metadata */
		{REGION, "x", 1, SV_UNSUPPORTED, 196608 + REGION}, /* required, unknown */
		{REGION + 16, "\1", 1, SV_CORRUPT, 196608 + REGION + 16},     /* an odd place */
		{REGION + 23, "\x7f", 1, SV_CORRUPT, 196608 + REGION + 16},   /* near 2^63 */
		{REGION + 24, "\0\0\0", 3, SV_CORRUPT, 196608 + REGION + 16}, /* empty */
		{REGION + 16, "\0\0\x20", 3, SV_CORRUPT, 196608 + 48},  /* on the metadata */
		{REGION + 16, "\0\0\0\x40", 4, SV_CORRUPT, 0x40000000}, /* beyond the end */
		{REGION + 48, "\0\0\0\x40", 4, SV_CORRUPT, 0x40000000}, /* the metadata, too */
	};

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		const char *path = make(*state);

		poke_both(path, 196608, 65536, cases[i].in, cases[i].bytes, cases[i].n);
		assert_open_fails(path, cases[i].code, cases[i].offset);
	}
}

/* ---- metadata ---- */

static void refuses_bad_metadata(void **state)
{
	static const struct {
		uint64_t at;
		const char *bytes;
		size_t n;
		enum sv_code code;
		uint64_t offset;
	} cases[] = {
		{METADATA, "METADATA", 8, SV_CORRUPT, METADATA},
		{METADATA + 10, "\0\x08", 2, SV_CORRUPT, METADATA + 10},
		{METADATA + 32, "x", 1, SV_UNSUPPORTED, METADATA + 32},  /* required, unknown */
		{METADATA + 48, "\0\0\0", 3, SV_CORRUPT, METADATA + 48}, /* on the table */
		{METADATA + 48, "\0\0\x10", 3, SV_CORRUPT,
			METADATA + 48},                                  /* behind the region */
		{METADATA + 48, "\7\0\1", 3, SV_CORRUPT, METADATA + 80}, /* on another */
		{METADATA + 52, "\7", 1, SV_CORRUPT, METADATA + 52},     /* of 7 bytes */
		{ITEMS, "\0\0\x30\0", 4, SV_CORRUPT, ITEMS},             /* blocks of 3 MiB */
		{ITEMS, "\0\0\0\x20", 4, SV_CORRUPT, ITEMS},             /* of 512 MiB */
		{ITEMS, "\0\0\x08\0", 4, SV_CORRUPT, ITEMS},             /* of 512 KiB */
		{ITEMS + 4, "\2", 1, SV_CORRUPT, METADATA},              /* no locator */
		{ITEM_SIZE, "\0\0\0\0\0\0\0\x80", 8, SV_CORRUPT, ITEM_SIZE}, /* near 2^63 */
		{ITEM_SIZE, "\0\0\0\0\0\x41", 6, SV_CORRUPT, ITEM_SIZE},     /* 65 TiB */
		{ITEM_SIZE, "\0\0\0\0\0\0", 6, SV_CORRUPT, ITEM_SIZE},
		{ITEM_SIZE, "\0\0\0\0\0\x40", 6, SV_CORRUPT, BAT}, /* 64 TiB: the table */
		{ITEM_SECTOR, "\0\4", 2, SV_CORRUPT, ITEM_SECTOR},
		{ITEM_SIZE, "\1", 1, SV_CORRUPT, METADATA}, /* no whole sectors */
	};

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		const char *path = make(*state);

		poke(path, cases[i].at, cases[i].bytes, cases[i].n);
		assert_open_fails(path, cases[i].code, cases[i].offset);
	}
}

static void keeps_what_others_put_into_the_metadata(void **state)
{
	struct scratch *s = *state;
	const char *path = make(s);
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint8_t entry[32] = "an item of mine!", text[5];
	int fd;

	sv_store_le32(entry + 16, 65536 + 4096);
	sv_store_le32(entry + 20, 5);
	sv_store_le32(entry + 24, 1); /* user's, not required */
	poke(path, METADATA + 32 + 5 * 32, entry, sizeof entry);
	poke(path, METADATA + 10, "\6", 1);
	poke(path, ITEMS + 4096, "hello", 5);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 12345, 100000, 1);
	assert_ok(sv_image_grow(img, SV_GIB, &err));
	sv_image_close(img);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, text, 5, ITEMS + 4096), 5);
	close(fd);
	assert_memory_equal(text, "hello", 5);
	assert_sound(path);
	/* the same, but required */
	poke(path, METADATA + 32 + 5 * 32 + 24, "\5", 1);
	assert_open_fails(path, SV_UNSUPPORTED, METADATA + 32 + 5 * 32);
}

/* ---- block table ---- */

struct faults {
	uint64_t at[16];
	unsigned n, leaks;
};

static void take_fault(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct faults *f = user;

	(void)path;
	assert_true(*message != 0);
	if (leak)
		f->leaks++;
	else if (f->n < SV_ARRAY_LEN(f->at))
		f->at[f->n++] = offset;
}

static struct faults check_of(const char *path)
{
	struct faults f = {0};
	struct sv_image_faults faults = {.report = take_fault, .user = &f};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	return f;
}

static const char *make_with_blocks(struct scratch *s)
{
	const char *path = make(s);
	struct sv_image *img = open_image(path, true);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(sv_image_dev(img), 0, 200 << 20, 3);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	return path;
}

static void finds_every_bad_entry(void **state)
{
	const char *path = make_with_blocks(*state);
	const uint64_t unit = 1 << 20, first = 4 * unit;
	struct faults f;

	poke64(path, BAT + 0, (first + 32 * unit) | 6);   /* where the second one is, too */
	poke64(path, BAT + 16, first | 5);                /* an unknown state */
	poke64(path, BAT + 24, (UINT64_MAX << 20) | 6);   /* near 2^64 */
	poke64(path, BAT + 32, (2 * unit) | 6);           /* on the metadata */
	poke64(path, BAT + 40, (first + 160 * unit) | 7); /* in part, without a parent */
	poke64(path, BAT + 48, (first + 200 * unit) | 6); /* ends beyond the end */
	f = check_of(path);
	assert_int_equal(f.n, 6);
	assert_int_equal(f.at[0], BAT + 8); /* the second of two that share a place */
	for (unsigned i = 1; i < 6; i++)
		assert_int_equal(f.at[i], BAT + 8 + i * 8);
	assert_int_equal(f.leaks, 2);
}

static void reads_no_block_from_a_bad_place(void **state)
{
	static const uint64_t entries[] = {5, (UINT64_MAX << 20) | 6, (2 << 20) | 6,
		(0 << 20) | 6, (1 << 20) | 6, (4 << 20) | 7, (UINT64_C(1000) << 20) | 6};
	struct scratch *s = *state;
	const char *path = make_with_blocks(s);
	uint8_t byte = 0;

	for (size_t i = 0; i < SV_ARRAY_LEN(entries); i++) {
		struct sv_err err = SV_ERR_INIT;
		struct sv_image *img;

		poke64(path, BAT + 8, entries[i]);
		img = open_image(path, true);
		assert_fails(sv_dev_read(sv_image_dev(img), &byte, 1, 33 << 20, &err),
			SV_CORRUPT, BAT + 8);
		assert_fails(sv_dev_write(sv_image_dev(img), &byte, 1, 33 << 20, &err),
			SV_CORRUPT, BAT + 8);
		/* its neighbour is not concerned */
		assert_ok(sv_dev_read(sv_image_dev(img), &byte, 1, 1 << 20, &err));
		sv_image_close(img);
	}
}

/* What an old QEMU left where a disk without a parent has no bitmaps is nobody's business. */
static void passes_over_entries_of_bitmaps_without_a_parent(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "old.vhdx");
	struct sv_image *img;
	struct sv_err err = SV_ERR_INIT;

	make_image(path, "vhdx", NULL, 10 * SV_GIB, NULL);
	poke64(path, BAT + 128 * 8, (4 << 20) | 6); /* 4 GiB in blocks of 32 MiB */
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 0, 4096, 1);
	write_pattern(sv_image_dev(img), 4 * SV_GIB - 2048, 4096, 2);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	assert_sound(path);
}

static void tells_broken_copies(void **state)
{
	const char *path = make(*state);
	struct faults f;

	poke(path, 131072 + 500, "x", 1);
	poke(path, 196608 + 500, "x", 1);
	f = check_of(path);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.at[0], 196608);
	assert_int_equal(f.at[1], 131072);
}

/* ---- chains ---- */

static void make_pair(struct scratch *s)
{
	struct sv_image *img;
	struct sv_err err = SV_ERR_INIT;

	unlink(at(s, "base.vhdx")), unlink(at(s, "child.vhdx"));
	make_image(at(s, "base.vhdx"), "vhdx", NULL, 20 * SV_MIB, NULL);
	img = open_image(at(s, "base.vhdx"), true);
	write_pattern(sv_image_dev(img), 0, 4 << 20, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	make_image(at(s, "child.vhdx"), "vhdx", NULL, 0, img);
	sv_image_close(img);
	img = open_image(at(s, "child.vhdx"), false);
	assert_int_equal(sv_image_links(img), 2);
	assert_string_equal(sv_image_link(img, 0)->parent_hint, "./base.vhdx");
	sv_image_close(img);
}

static void names_a_missing_parent(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	make_pair(s);
	unlink(at(s, "base.vhdx"));
	assert_fails(sv_image_open(sv_host_posix(), at(s, "child.vhdx"), NULL, &img, &err),
		SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.message, "base.vhdx"));
}

static void refuses_a_parent_that_was_written(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_pair(s);
	img = open_image(at(s, "base.vhdx"), true);
	write_pattern(sv_image_dev(img), 5000, 1, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	img = NULL;
	assert_fails(sv_image_open(sv_host_posix(), at(s, "child.vhdx"), NULL, &img, &err),
		SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "data id"));
	assert_string_equal(err.path, at(s, "base.vhdx"));
}

/* Neither opening it for writing nor reading it is a change. */
static void keeps_a_parent_that_was_only_opened(void **state)
{
	struct scratch *s = *state;
	uint8_t byte;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_pair(s);
	img = open_image(at(s, "base.vhdx"), true);
	assert_ok(sv_dev_read(sv_image_dev(img), &byte, 1, 0, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	sv_image_close(open_image(at(s, "child.vhdx"), true));
}

static void refuses_a_chain_that_comes_back(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	make_pair(s);
	/* the child takes the place of its parent */
	assert_int_equal(rename(at(s, "child.vhdx"), at(s, "base.vhdx")), 0);
	assert_fails(sv_image_open(sv_host_posix(), at(s, "base.vhdx"), NULL, &img, &err),
		SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "comes back"));
}

static void refuses_a_parent_of_another_format(void **state)
{
	struct sv_image_spec spec = {.format = "vhdx"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	make_pair(s);
	unlink(at(s, "base.vhdx"));
	make_image(at(s, "base.vhdx"), "vhd", NULL, 20 * SV_MIB, NULL);
	assert_fails(sv_image_open(sv_host_posix(), at(s, "child.vhdx"), NULL, &img, &err),
		SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "this is vhd"));
	img = open_image(at(s, "base.vhdx"), false);
	spec.parent = img;
	assert_fails(sv_image_create(sv_host_posix(), at(s, "other.vhdx"), &spec, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	sv_image_close(img);
}

static void a_copy_is_no_parent_of_the_originals_children(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *copy = NULL;

	make_pair(s);
	img = open_image(at(s, "base.vhdx"), false);
	assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY, s->dir, "copy",
		20 * SV_MIB, NULL, &copy, &err));
	sv_image_close(img);
	assert_sound(copy);
	assert_int_equal(rename(copy, at(s, "base.vhdx")), 0);
	free(copy);
	img = NULL;
	assert_fails(sv_image_open(sv_host_posix(), at(s, "child.vhdx"), NULL, &img, &err),
		SV_CORRUPT, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_headers),
		cmocka_unit_test(refuses_bad_region_tables),
		cmocka_unit_test(refuses_bad_metadata),
		cmocka_unit_test(keeps_what_others_put_into_the_metadata),
		cmocka_unit_test(finds_every_bad_entry),
		cmocka_unit_test(reads_no_block_from_a_bad_place),
		cmocka_unit_test(passes_over_entries_of_bitmaps_without_a_parent),
		cmocka_unit_test(tells_broken_copies),
		cmocka_unit_test(names_a_missing_parent),
		cmocka_unit_test(refuses_a_parent_that_was_written),
		cmocka_unit_test(keeps_a_parent_that_was_only_opened),
		cmocka_unit_test(refuses_a_chain_that_comes_back),
		cmocka_unit_test(refuses_a_parent_of_another_format),
		cmocka_unit_test(a_copy_is_no_parent_of_the_originals_children),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
