/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The id and the geometry of a disk through conversions: kept where that was asked for, new
 * otherwise. They are looked for where the formats' specifications put them, not by our
 * parsers.
 */
#include "image/scratch.h"
#include "image/convert.h"

#include <unistd.h>

#define SIZE (20 * SV_MIB)

/* 00112233-4455-6677-8899-aabbccddeeff */
static const uint8_t ID[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
	0xbb, 0xcc, 0xdd, 0xee, 0xff};
/* the same as Microsoft stores it */
static const uint8_t MIXED[16] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99,
	0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
#define SERIAL "00 11 22 33 44 55 66 77-88 99 aa bb cc dd ee ff"

static int convert(const char *from, const char *to, const char *kind, bool keep_id,
	bool keep_chain, struct sv_err *err)
{
	const struct sv_convert_request req = {.from = from,
		.to = to,
		.subformat = kind,
		.keep_id = keep_id,
		.keep_chain = keep_chain};
	struct sv_convert *c = NULL;
	int rc = sv_convert_open(sv_host_posix(), &req, &c, err);

	if (!rc)
		rc = sv_convert_run(c, NULL, NULL, err);
	sv_convert_close(c);
	return rc;
}

static void converted(struct scratch *s, const char *from, const char *to, bool keep_id)
{
	struct sv_err err = SV_ERR_INIT;

	unlink(at(s, to));
	assert_ok(convert(at(s, from), at(s, to), NULL, keep_id, false, &err));
}

/* A disk of 16 heads and 32 sectors, with that id. */
static void make_original(struct scratch *s)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\nCID=12345678\n"
				   "parentCID=ffffffff\ncreateType=\"monolithicFlat\"\n"
				   "RW 40960 FLAT \"old-flat.vmdk\" 0\n"
				   "ddb.adapterType = \"ide\"\n"
				   "ddb.geometry.cylinders = \"80\"\n"
				   "ddb.geometry.heads = \"16\"\n"
				   "ddb.geometry.sectors = \"32\"\n"
				   "ddb.uuid = \"" SERIAL "\"\n";
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_host_write_file(
		sv_host_posix(), at(s, "old.vmdk"), text, sizeof text - 1, &err));
	make_image(at(s, "old-flat.vmdk"), "raw", NULL, SIZE, NULL);
}

/* Are these bytes anywhere in the file's first 4 MiB? */
static bool file_has(struct scratch *s, const char *name, const void *bytes, size_t n)
{
	sv_autofree char *buf = calloc(1, 4 * SV_MIB);
	int fd = open(at(s, name), O_RDONLY);
	ssize_t got = read(fd, buf, 4 * SV_MIB);

	close(fd);
	assert_true(got > 0);
	return memmem(buf, (size_t)got, bytes, n) != NULL;
}

static bool bytes_are(
	struct scratch *s, const char *name, int64_t offset, const void *bytes, size_t n)
{
	uint8_t buf[64];
	int fd = open(at(s, name), O_RDONLY);
	off_t end = lseek(fd, 0, SEEK_END);

	assert_int_equal(pread(fd, buf, n, offset < 0 ? end + offset : offset), n);
	close(fd);
	return !memcmp(buf, bytes, n);
}

/* VHD: footer, byte 68. VDI: byte 0x188. VHDX: an item of the metadata region. */
static bool has_id(struct scratch *s, const char *name)
{
	if (sv_ends_with(name, ".vhd"))
		return bytes_are(s, name, -512 + 68, ID, 16);
	if (sv_ends_with(name, ".vdi"))
		return bytes_are(s, name, 0x188, MIXED, 16);
	if (sv_ends_with(name, ".vhdx"))
		return file_has(s, name, MIXED, 16);
	return file_has(s, name, SERIAL, sizeof SERIAL - 1);
}

static const char *const names[] = {"a.vmdk", "a.vhd", "a.vhdx", "a.vdi"};

static void keeps_the_id_between_all_formats_that_have_one(void **state)
{
	struct scratch *s = *state;

	make_original(s);
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		converted(s, "old.vmdk", names[i], true);
		assert_true(has_id(s, names[i]));
		for (size_t k = 0; k < SV_ARRAY_LEN(names); k++) {
			sv_autofree char *next = sv_format("b%s", names[k]);

			converted(s, names[i], next, true);
			assert_true(has_id(s, next));
			assert_sound(at(s, next));
		}
	}
}

static void gives_new_ids_unless_asked(void **state)
{
	struct scratch *s = *state;

	make_original(s);
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		sv_autofree char *again = sv_format("b%s", names[i]);

		converted(s, "old.vmdk", names[i], true);
		converted(s, names[i], again, false);
		assert_true(has_id(s, names[i]));
		assert_false(has_id(s, again));
	}
}

static void keeps_the_geometry(void **state)
{
	/* cylinders, heads, sectors; little-endian */
	static const uint8_t vdi[12] = {80, 0, 0, 0, 16, 0, 0, 0, 32};
	static const uint8_t own[12] = {40, 0, 0, 0, 16, 0, 0, 0, 63};
	struct scratch *s = *state;

	make_original(s);
	converted(s, "old.vmdk", "a.vdi", true);
	assert_true(bytes_are(s, "a.vdi", 0x15c, vdi, 12));
	converted(s, "a.vdi", "back.vmdk", true);
	assert_true(file_has(s, "back.vmdk", "ddb.geometry.sectors = \"32\"", 27));
	assert_true(file_has(s, "back.vmdk", "ddb.geometry.heads = \"16\"", 25));
	converted(s, "old.vmdk", "b.vdi", false);
	assert_true(bytes_are(s, "b.vdi", 0x15c, own, 12));
}

/* A stream-optimized VMDK is made in another way. */
static void keeps_the_id_in_a_packed_vmdk(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	make_original(s);
	converted(s, "old.vmdk", "a.vdi", true);
	assert_ok(
		convert(at(s, "a.vdi"), at(s, "p.vmdk"), "streamOptimized", true, false, &err));
	assert_true(has_id(s, "p.vmdk"));
}

static void a_disk_without_an_id_gets_one(void **state)
{
	struct scratch *s = *state;

	make_image(at(s, "plain.img"), "raw", NULL, SIZE, NULL);
	converted(s, "plain.img", "a.vhd", true);
	converted(s, "plain.img", "b.vhd", true);
	assert_int_not_equal(run("cmp", "-s", at(s, "a.vhd"), at(s, "b.vhd")), 0);
}

static void another_program_sees_the_id(void **state)
{
	struct scratch *s = *state;
	sv_autofree char *text = NULL;
	struct sv_err err = SV_ERR_INIT;

	if (run("vhdiinfo", "-V") != 0)
		return;
	make_original(s);
	converted(s, "old.vmdk", "a.vhd", true);
	assert_int_equal(run_to(at(s, "said"), "vhdiinfo", at(s, "a.vhd")), 0);
	text = sv_host_read_file(sv_host_posix(), at(s, "said"), 1 << 16, NULL, &err);
	assert_non_null(strstr(text, "00112233-4455-6677-8899-aabbccddeeff"));
}

static void the_ids_of_a_chain_are_new(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *base;

	make_image(at(s, "base.vhdx"), "vhdx", NULL, SIZE, NULL);
	base = open_image(at(s, "base.vhdx"), false);
	make_image(at(s, "top.vhdx"), "vhdx", NULL, 0, base);
	sv_image_close(base);
	assert_fails(convert(at(s, "top.vhdx"), at(s, "top.vdi"), NULL, true, true, &err),
		SV_USAGE, UINT64_MAX);
	assert_ok(convert(at(s, "top.vhdx"), at(s, "flat.vdi"), NULL, true, false, &err));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_scratch, drop_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_the_id_between_all_formats_that_have_one),
		TEST(gives_new_ids_unless_asked),
		TEST(keeps_the_geometry),
		TEST(keeps_the_id_in_a_packed_vmdk),
		TEST(a_disk_without_an_id_gets_one),
		TEST(another_program_sees_the_id),
		TEST(the_ids_of_a_chain_are_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
