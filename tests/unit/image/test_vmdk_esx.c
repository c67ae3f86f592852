/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What ESX keeps on VMFS: flat disks, COWD and seSparse extents, in chains as snapshots make
 * them. No tool at hand writes the sparse ones, so they are built here from the facts, and
 * qemu-img, which reads both, says whether they were built right.
 */
#include "image/scratch.h"

#include "base/endian.h"

#include <unistd.h>

#define DISK   (40 * SV_MIB)
#define PLACES 200 /* grains of one extent, and some behind each */

/* ---- building ---- */

struct build {
	uint8_t *bytes;
	size_t n, used; /* used: where the next grain goes */
	uint64_t random;
};

static uint64_t draw(struct build *b, uint64_t below)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random % below;
}

static void begin(struct build *b, size_t n, size_t used, unsigned seed)
{
	*b = (struct build){calloc(1, n), n, used, seed * UINT64_C(2654435761) + 99};
	assert_non_null(b->bytes);
}

static void finish(struct build *b, const char *path)
{
	struct sv_err err = SV_ERR_INIT;

	unlink(path);
	assert_ok(sv_host_write_file(sv_host_posix(), path, b->bytes, b->used, &err));
	free(b->bytes);
}

static void put32(struct build *b, uint64_t at, uint32_t value)
{
	sv_store_le32(b->bytes + at, value);
}

static void put64(struct build *b, uint64_t at, uint64_t value)
{
	sv_store_le64(b->bytes + at, value);
}

static uint64_t get32(const struct build *b, uint64_t at)
{
	return sv_load_le32(b->bytes + at);
}

/* Room for n bytes at the end, which reads as zeros. */
static uint64_t append(struct build *b, size_t n)
{
	uint64_t at = b->used;

	assert_true(at + n <= b->n);
	b->used += n;
	return at;
}

/* A grain of pattern; mostly behind the one before, so that some lie together. */
static uint64_t append_grain(struct build *b, size_t n, unsigned seed)
{
	uint64_t at;

	if (draw(b, 3) == 0)
		append(b, n);
	at = append(b, n);
	fill_pattern(b->bytes + at, n, seed);
	return at;
}

/* A COWD extent with grains of `grain` sectors here and there. */
static void make_cowd(const char *path, uint32_t grain, unsigned seed)
{
	const uint64_t span = grain * UINT64_C(512) * 4096, n_tables = sv_div_up(DISK, span);
	struct build b;

	begin(&b, 80 << 20, 4 * 512 + sv_align_up(n_tables * 4, 512), seed);
	memcpy(b.bytes, "COWD", 4);
	put32(&b, 4, 1);
	put32(&b, 8, 3);
	put32(&b, 12, DISK / 512);
	put32(&b, 16, grain);
	put32(&b, 20, 4);
	put32(&b, 24, (uint32_t)n_tables);
	for (unsigned i = 0; i < PLACES; i++) {
		/* runs of neighbours, and the very last grain */
		uint64_t first = i ? draw(&b, DISK / 512 / grain) : DISK / 512 / grain - 1;

		for (uint64_t g = first; g < first + 5 && g < DISK / 512 / grain; g++) {
			uint64_t gd = 4 * 512 + g / 4096 * 4, table;

			if (!get32(&b, gd))
				put32(&b, gd, (uint32_t)(append(&b, 4096 * 4) / 512));
			table = get32(&b, gd) * 512;
			if (!get32(&b, table + g % 4096 * 4))
				put32(&b, table + g % 4096 * 4,
					(uint32_t)(append_grain(&b, grain * 512, seed + i) /
						   512));
		}
	}
	put32(&b, 28, (uint32_t)(b.used / 512)); /* the next free sector */
	finish(&b, path);
}

enum {
	SE_VOLATILE = 1,
	SE_GD = 16,
	SE_TABLES = 24,
	SE_N_TABLES = 4,
	SE_GRAINS = SE_TABLES + SE_N_TABLES * 64
};

/* An seSparse extent: data, zeros, and grains that the guest gave back. */
static void make_sesparse(const char *path, unsigned seed)
{
	struct build b;
	uint32_t tables = 0;

	begin(&b, 80 << 20, SE_GRAINS * 512, seed);
	put64(&b, 0, 0xcafebabe);
	put64(&b, 8, UINT64_C(0x200000001));
	put64(&b, 16, DISK / 512);
	put64(&b, 24, 8);
	put64(&b, 32, 64);
	put64(&b, 80, SE_VOLATILE);
	put64(&b, 88, 1);
	put64(&b, 128, SE_GD);
	put64(&b, 136, 8);
	put64(&b, 144, SE_TABLES);
	put64(&b, 152, SE_N_TABLES * 64);
	put64(&b, 192, SE_GRAINS);
	put64(&b, 200, 1 << 20);
	put64(&b, SE_VOLATILE * 512, 0xcafecafe);
	for (unsigned i = 0; i < PLACES; i++) {
		uint64_t first = i ? draw(&b, DISK / 4096) : DISK / 4096 - 1;

		for (uint64_t g = first; g < first + 5 && g < DISK / 4096; g++) {
			uint64_t gd = SE_GD * 512 + g / 4096 * 8, entry, number;
			unsigned kind = (unsigned)draw(&b, 8);

			if (!b.bytes[gd + 7])
				put64(&b, gd, UINT64_C(1) << 60 | tables++);
			entry = SE_TABLES * 512 + get32(&b, gd) * 64 * 512 + g % 4096 * 8;
			if (b.bytes[entry + 7])
				continue;
			if (kind < 2) { /* unmapped, zero */
				put64(&b, entry, (UINT64_C(1) + kind) << 60 | (kind ? 0 : 77));
				continue;
			}
			number = (append_grain(&b, 4096, seed + i) - SE_GRAINS * 512) / 4096;
			put64(&b, entry,
				UINT64_C(3) << 60 | (number & 0xfff) << 48 | number >> 12);
		}
	}
	assert_true(tables <= SE_N_TABLES);
	finish(&b, path);
}

static void make_desc(const char *path, const char *kind, const char *type, const char *file,
	unsigned cid, const char *parent)
{
	struct sv_err err = SV_ERR_INIT;
	sv_autostr struct sv_str s = {0};

	sv_str_addf(&s,
		"# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=%08x\n"
		"parentCID=%08x\nisNativeSnapshot=\"no\"\ncreateType=\"%s\"\n",
		cid, parent ? cid - 1 : UINT32_MAX, kind);
	if (parent)
		sv_str_addf(&s, "parentFileNameHint=\"%s\"\n", parent);
	sv_str_addf(&s, "# Extent description\nRW %llu %s \"%s\"\n",
		(unsigned long long)(DISK / 512), type, file);
	sv_str_addf(&s, "# The Disk Data Base\n#DDB\n\nddb.adapterType = \"lsilogic\"\n");
	unlink(path);
	assert_ok(sv_host_write_file(sv_host_posix(), path, s.data, s.len, &err));
}

/* A thick or thin disk of VMFS: the data in a flat file. */
static void make_vmfs(struct scratch *s, const char *name)
{
	sv_autofree char *flat = sv_format("%s-flat.vmdk", name);
	sv_autofree char *desc = sv_format("%s.vmdk", name);
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = NULL;

	unlink(at(s, flat));
	assert_ok(sv_host_open(sv_host_posix(), at(s, flat), SV_OPEN_CREATE, &d, &err));
	assert_ok(sv_dev_resize(d, DISK, &err));
	write_pattern(d, 0, 5 << 20, 1);
	write_pattern(d, 30 * SV_MIB, 10 << 20, 2);
	sv_dev_close(d);
	make_desc(at(s, desc), "vmfs", "VMFS", flat, 100, NULL);
}

/* Snapshot i (1 or 2) over base.vmdk: si.vmdk and its extent. */
static void make_delta(struct scratch *s, bool sesparse, uint32_t grain, unsigned i)
{
	const char *data = i == 1 ? "s1-delta.vmdk" : "s2-delta.vmdk";

	if (sesparse)
		make_sesparse(at(s, data), i);
	else
		make_cowd(at(s, data), grain, i);
	make_desc(at(s, i == 1 ? "s1.vmdk" : "s2.vmdk"), sesparse ? "seSparse" : "vmfsSparse",
		sesparse ? "SESPARSE" : "VMFSSPARSE", data, 100 + i,
		i == 1 ? "base.vmdk" : "s1.vmdk");
}

static void make_chain(struct scratch *s, bool sesparse, uint32_t grain)
{
	make_vmfs(s, "base");
	make_delta(s, sesparse, grain, 1);
	make_delta(s, sesparse, grain, 2);
}

/* ---- reading ---- */

static void reads_and_writes_flat_disks_of_vmfs(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_vmfs(s, "flat");
	assert_reads_like_qemu(s, at(s, "flat.vmdk"));
	img = open_image(at(s, "flat.vmdk"), true);
	assert_string_equal(sv_image_link(img, 0)->subformat, "vmfs");
	write_pattern(sv_image_dev(img), 7 * SV_MIB + 100, 100000, 3);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	assert_ok(sv_image_grow(img, 50 * SV_MIB, &err));
	sv_image_close(img);
	assert_reads_like_qemu(s, at(s, "flat.vmdk"));
	assert_int_equal(qemu_size(s, at(s, "flat.vmdk")), 50 * SV_MIB);
	assert_sound(at(s, "flat.vmdk"));
}

/* What must be told of each delta. */
static void look_at(const char *path, uint32_t block, uint64_t room)
{
	struct sv_image *img = open_image(path, false);
	const struct sv_image_link *l = sv_image_link(img, 0);

	assert_int_equal(sv_image_links(img), 3);
	assert_int_equal(l->block_size, block);
	assert_true(l->allocated > 0 && l->allocated <= room);
	sv_image_close(img);
}

static void reads_chains_of_cowd_extents(void **state)
{
	struct scratch *s = *state;
	static const uint32_t grains[] = {1, 8, 128};

	for (size_t i = 0; i < SV_ARRAY_LEN(grains); i++) {
		make_chain(s, false, grains[i]);
		assert_reads_like_qemu(s, at(s, "s1.vmdk"));
		assert_reads_like_qemu(s, at(s, "s2.vmdk"));
		look_at(at(s, "s2.vmdk"), grains[i] * 512, DISK);
	}
}

static void reads_chains_of_sesparse_extents(void **state)
{
	struct scratch *s = *state;

	make_chain(s, true, 0);
	assert_reads_like_qemu(s, at(s, "s1.vmdk"));
	assert_reads_like_qemu(s, at(s, "s2.vmdk"));
	look_at(at(s, "s2.vmdk"), 4096, PLACES * 5 * 4096);
}

static void the_judge_rejects_a_broken_twin(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;
	int fd;

	for (int sesparse = 0; sesparse < 2; sesparse++) {
		make_chain(s, sesparse, 8);
		img = open_image(at(s, "s2.vmdk"), false);
		unlink(at(s, "twin.raw"));
		dump(sv_image_dev(img), at(s, "twin.raw"));
		sv_image_close(img);
		assert_true(qemu_says_equal(at(s, "s2.vmdk"), at(s, "twin.raw")));
		/* the first directory entry goes */
		fd = open(at(s, "s2-delta.vmdk"), O_RDWR);
		assert_int_equal(
			pwrite(fd, "\0\0\0\0\0\0\0\0", 8, sesparse ? SE_GD * 512 : 2048), 8);
		close(fd);
		assert_false(qemu_says_equal(at(s, "s2.vmdk"), at(s, "twin.raw")));
	}
}

static void are_only_read_and_copied_by_flattening(void **state)
{
	struct scratch *s = *state;
	struct sv_image_opts opts = {.writable = true};
	struct sv_err err = SV_ERR_INIT;

	for (int sesparse = 0; sesparse < 2; sesparse++) {
		struct sv_image *img = NULL;
		char *path = NULL;

		make_chain(s, sesparse, 1);
		assert_fails(
			sv_image_open(sv_host_posix(), at(s, "s2.vmdk"), &opts, &img, &err),
			SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, "only read"));
		img = open_image(at(s, "s2.vmdk"), false);
		assert_fails(sv_image_check_limits(img, SV_DERIVE_LINKED, 50 * SV_MIB, &err),
			SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.hint, "--copy"));
		assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY, s->dir,
			sesparse ? "copy1.vmdk" : "copy0.vmdk", DISK, NULL, &path, &err));
		sv_image_close(img);
		assert_true(qemu_says_equal(at(s, "s2.vmdk"), path));
		assert_sound(path);
		free(path);
	}
}

/* ---- refused ---- */

static int try_open(const char *path, struct sv_err *err)
{
	struct sv_image *img = NULL;
	int rc = sv_image_open(sv_host_posix(), path, NULL, &img, err);

	sv_image_close(img);
	return rc;
}

static void names_parts_that_are_opened_alone(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (int sesparse = 0; sesparse < 2; sesparse++) {
		make_delta(s, sesparse, 1, 1);
		assert_fails(
			try_open(at(s, "s1-delta.vmdk"), &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, sesparse ? "seSparse" : "COWD"));
		assert_non_null(strstr(err.hint, "text file"));
	}
}

static void refuses_devices_by_name(void **state)
{
	static const char *const kinds[] = {"fullDevice", "partitionedDevice", "vmfsRaw",
		"vmfsRDM", "vmfsPassthroughRDM", "vmfsRawDeviceMap",
		"vmfsPassthroughRawDeviceMap"};
	static const char *const types[] = {"VMFSRDM", "VMFSRAW"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		make_desc(at(s, "device.vmdk"), kinds[i], "FLAT", "/dev/sda", 1, NULL);
		assert_fails(try_open(at(s, "device.vmdk"), &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, kinds[i]));
		assert_non_null(strstr(err.hint, "ddrescue"));
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(types); i++) {
		make_desc(at(s, "device.vmdk"), "custom", types[i], "disk-rdm.vmdk", 1, NULL);
		assert_fails(try_open(at(s, "device.vmdk"), &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, "disk-rdm.vmdk"));
		assert_non_null(strstr(err.hint, "vmkfstools"));
	}
}

struct field {
	uint64_t at, value;
	unsigned bytes;
	enum sv_code code;
	uint64_t offset;
};

static void refuse_fields(
	struct scratch *s, bool sesparse, const struct field *fields, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	uint8_t bytes[8];
	int fd;

	make_vmfs(s, "base");
	for (size_t i = 0; i < n; i++) {
		make_delta(s, sesparse, 1, 1);
		assert_ok(try_open(at(s, "s1.vmdk"), &err));
		fd = open(at(s, "s1-delta.vmdk"), O_RDWR);
		sv_store_le64(bytes, fields[i].value);
		assert_int_equal(pwrite(fd, bytes, fields[i].bytes, (off_t)fields[i].at),
			fields[i].bytes);
		close(fd);
		assert_fails(
			try_open(at(s, "s1.vmdk"), &err), fields[i].code, fields[i].offset);
		assert_string_equal(err.path, at(s, "s1-delta.vmdk"));
	}
	assert_int_equal(truncate(at(s, "s1-delta.vmdk"), 100), 0);
	assert_fails(try_open(at(s, "s1.vmdk"), &err), SV_CORRUPT, UINT64_MAX);
}

static void refuses_bad_cowd_headers_with_the_offset_of_the_field(void **state)
{
	static const struct field fields[] = {
		{0, 0, 4, SV_CORRUPT, 0},
		{4, 2, 4, SV_UNSUPPORTED, 4},
		{12, 0, 4, SV_CORRUPT, 12},
		{12, DISK / 512 - 1, 4, SV_CORRUPT, 12}, /* less than described */
		{12, UINT32_MAX, 4, SV_CORRUPT, 24},
		{16, 0, 4, SV_CORRUPT, 16},
		{16, 3, 4, SV_CORRUPT, 16},
		{16, 16384, 4, SV_CORRUPT, 16},
		{20, 0, 4, SV_CORRUPT, 20},
		{20, 1 << 30, 4, SV_CORRUPT, 20},
		{24, 19, 4, SV_CORRUPT, 24},
	};

	refuse_fields(*state, false, fields, SV_ARRAY_LEN(fields));
}

static void refuses_bad_sesparse_headers_with_the_offset_of_the_field(void **state)
{
	static const struct field fields[] = {
		{0, 0, 8, SV_CORRUPT, 0},
		{8, UINT64_C(0x300000001), 8, SV_UNSUPPORTED, 8},
		{16, 0, 8, SV_CORRUPT, 16},
		{16, UINT64_C(1) << 38, 8, SV_CORRUPT, 16},
		{16, DISK / 512 - 1, 8, SV_CORRUPT, 16},
		{16, UINT64_C(1) << 37, 8, SV_CORRUPT, 128},
		{24, 16, 8, SV_UNSUPPORTED, 24},
		{32, 32, 8, SV_UNSUPPORTED, 32},
		{40, 1, 8, SV_UNSUPPORTED, 40},
		{56, 1, 8, SV_UNSUPPORTED, 48}, /* reserved */
		{80, 0, 8, SV_CORRUPT, 80},
		{80, UINT64_MAX, 8, SV_CORRUPT, 80},
		{128, UINT64_MAX, 8, SV_CORRUPT, 128},
		{136, 0, 8, SV_CORRUPT, 128},
		{144, UINT64_C(1) << 60, 8, SV_CORRUPT, 144},
		{192, UINT64_C(1) << 60, 8, SV_CORRUPT, 192},
		{SE_VOLATILE * 512, 0, 8, SV_CORRUPT, SE_VOLATILE * 512},
		{SE_VOLATILE * 512 + 24, 1, 8, SV_UNSUPPORTED, SE_VOLATILE * 512 + 24},
	};

	refuse_fields(*state, true, fields, SV_ARRAY_LEN(fields));
}

/* ---- checked ---- */

static void finds_no_fault_in_what_is_sound(void **state)
{
	struct scratch *s = *state;
	struct sv_image_faults faults;
	struct sv_err err = SV_ERR_INIT;

	for (unsigned i = 0; i < 4; i++) {
		make_delta(s, i == 3, 1U << 3 * i % 9, 1);
		faults = (struct sv_image_faults){0};
		assert_ok(sv_image_check(
			sv_host_posix(), at(s, "s1.vmdk"), NULL, &faults, NULL, &err));
		assert_int_equal(faults.errors, 0);
		/* append_grain() leaves space out */
		assert_true(i == 3 || faults.leaks > 0);
	}
}

/* One entry is made wrong: reading and checking both tell where. */
static void break_entry(struct scratch *s, bool sesparse, uint64_t at_byte, uint64_t value,
	bool reads, uint64_t offset)
{
	struct sv_image_faults faults = {.report = note_fault};
	struct sv_err err = SV_ERR_INIT;
	struct found found = {0};
	struct sv_image *img;
	uint8_t bytes[8], *all = malloc(DISK);
	int fd, rc;

	make_delta(s, sesparse, 1, 1);
	fd = open(at(s, "s1-delta.vmdk"), O_RDWR);
	sv_store_le64(bytes, value);
	assert_int_equal(pwrite(fd, bytes, sesparse ? 8 : 4, (off_t)at_byte), sesparse ? 8 : 4);
	close(fd);
	img = open_image(at(s, "s1.vmdk"), false);
	rc = sv_dev_read(sv_image_dev(img), all, DISK, 0, &err);
	if (reads)
		assert_ok(rc);
	else
		assert_fails(rc, SV_CORRUPT, offset);
	sv_image_close(img);
	faults.user = &found;
	assert_ok(sv_image_check(sv_host_posix(), at(s, "s1.vmdk"), NULL, &faults, NULL, &err));
	assert_true(faults.errors > 0);
	assert_int_equal(found.offset, offset);
	free(all);
}

static uint64_t read_number(const char *path, uint64_t at_byte, unsigned bytes)
{
	uint8_t raw[8] = {0};
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, raw, bytes, (off_t)at_byte), bytes);
	close(fd);
	return sv_load_le64(raw);
}

static void tells_which_entry_is_wrong(void **state)
{
	struct scratch *s = *state;
	uint64_t table, entry, value;

	/* the first entry of the first table that has a grain */
	make_vmfs(s, "base");
	make_delta(s, false, 1, 1);
	table = read_number(at(s, "s1-delta.vmdk"), 2048, 4) * 512;
	for (entry = table; !(value = read_number(at(s, "s1-delta.vmdk"), entry, 4));)
		entry += 4;
	break_entry(s, false, 2048, UINT32_MAX, false, 2048);
	break_entry(s, false, entry, UINT32_MAX, false, entry);
	break_entry(s, false, table + 4 * 4095, value, true, table + 4 * 4095);
	make_delta(s, true, 1, 1);
	table = read_number(at(s, "s1-delta.vmdk"), SE_GD * 512, 4) * 64 * 512 +
		SE_TABLES * 512;
	for (entry = table; (value = read_number(at(s, "s1-delta.vmdk"), entry, 8)) >> 60 != 3;)
		entry += 8;
	break_entry(s, true, SE_GD * 512, 1, false, SE_GD * 512);
	break_entry(s, true, SE_GD * 512, UINT64_C(1) << 60 | SE_N_TABLES, false, SE_GD * 512);
	break_entry(s, true, entry, UINT64_C(3) << 60 | 0xffffffff, false, entry);
	break_entry(s, true, entry, UINT64_C(4) << 60, false, entry);
	break_entry(s, true, entry, 5, false, entry);
	break_entry(s, true, table + 8 * 4095, value, true, table + 8 * 4095);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_judge_rejects_a_broken_twin),
		cmocka_unit_test(reads_and_writes_flat_disks_of_vmfs),
		cmocka_unit_test(reads_chains_of_cowd_extents),
		cmocka_unit_test(reads_chains_of_sesparse_extents),
		cmocka_unit_test(are_only_read_and_copied_by_flattening),
		cmocka_unit_test(names_parts_that_are_opened_alone),
		cmocka_unit_test(refuses_devices_by_name),
		cmocka_unit_test(refuses_bad_cowd_headers_with_the_offset_of_the_field),
		cmocka_unit_test(refuses_bad_sesparse_headers_with_the_offset_of_the_field),
		cmocka_unit_test(finds_no_fault_in_what_is_sound),
		cmocka_unit_test(tells_which_entry_is_wrong),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
