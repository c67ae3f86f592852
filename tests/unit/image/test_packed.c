/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packed raw disks, made by gzip, xz and zstd, read from any place on: what those programs
 * unpack is what must be read. Then damage of all kinds: never a wrong byte.
 */
#include "image/scratch.h"
#include "image/packed/packed.h"
#include "image/packed/zstd_frame.h"

#include <lzma.h>
#include <unistd.h>
#include <zstd.h>

#define SIZE  (9 * SV_MIB + 3 * SV_SECTOR)
#define READS 60

/* ---- the disk ---- */

/* Data that packs well, data that does not, and zeros. */
static uint8_t *make_content(void)
{
	uint8_t *bytes = calloc(1, SIZE);

	fill_pattern(bytes, 100000, 1);
	for (size_t i = SV_MIB; i < 3 * SV_MIB; i++)
		bytes[i] = (uint8_t)(i / 700 + i % 13);
	fill_pattern(bytes + 6 * SV_MIB + 77, SV_MIB, 2);
	fill_pattern(bytes + SIZE - 600, 600, 3);
	return bytes;
}

static int make_disk(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	sv_autofree uint8_t *bytes = make_content();
	struct scratch *s;

	if (make_scratch(state) < 0)
		return -1;
	s = *state;
	return sv_host_write_file(sv_host_posix(), at(s, "disk.img"), bytes, SIZE, &err);
}

/* Runs a shell command in the folder. */
static void shell(struct scratch *s, const char *command)
{
	if (run("env", "-C", s->dir, "sh", "-c", command))
		fail_msg("failed: %s", command);
}

/* zstd's seekable format: frames of 1 MiB, and a table with checksums that are not looked at.
 */
static void make_seekable(struct scratch *s, const char *name)
{
	sv_autofree uint8_t *bytes = make_content(), *out = malloc(2 * SIZE);
	size_t n_frames = SIZE / SV_MIB + 1, at_out = 0;
	sv_autofree uint8_t *table = calloc(n_frames, 12);
	uint8_t head[8], foot[SV_ZSTD_SEEK_FOOTER];
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < n_frames; i++) {
		size_t n = SV_MIN(SV_MIB, SIZE - i * SV_MIB);
		size_t packed = ZSTD_compress(
			out + at_out, 2 * SIZE - at_out, bytes + i * SV_MIB, n, 3);

		assert_false(ZSTD_isError(packed));
		sv_store_le32(table + 12 * i, (uint32_t)packed);
		sv_store_le32(table + 12 * i + 4, (uint32_t)n);
		at_out += packed;
	}
	sv_store_le32(head, SV_ZSTD_SEEK_SKIP_MAGIC);
	sv_store_le32(head + 4, (uint32_t)(12 * n_frames + sizeof foot));
	sv_store_le32(foot, (uint32_t)n_frames);
	foot[4] = 0x80;
	sv_store_le32(foot + 5, SV_ZSTD_SEEK_MAGIC);
	memcpy(out + at_out, head, sizeof head);
	memcpy(out + at_out + 8, table, 12 * n_frames);
	memcpy(out + at_out + 8 + 12 * n_frames, foot, sizeof foot);
	assert_ok(sv_host_write_file(sv_host_posix(), at(s, name), out,
		at_out + 8 + 12 * n_frames + sizeof foot, &err));
}

static const struct recipe {
	const char *format;
	const char *command; /* makes "packed" of disk.img; NULL: make_seekable() */
} recipes[] = {
	{"gzip", "gzip -1 <disk.img >packed"},
	{"gzip", "gzip -9 <disk.img >packed"},
	{"gzip", "head -c 3000000 disk.img | gzip >packed; "
		 "tail -c +3000001 disk.img | gzip >>packed; head -c 700 /dev/zero >>packed"},
	{"gzip", "split -b 200000 --filter='gzip -c' disk.img >packed"},
	{"xz", "xz -0 -c disk.img >packed"},
	{"xz", "xz -1 -T2 --block-size=1MiB -c disk.img >packed"},
	{"xz", "head -c 3000000 disk.img | xz -0 --check=crc32 >packed; "
	       "head -c 8 /dev/zero >>packed; "
	       "tail -c +3000001 disk.img | xz -0 --check=sha256 >>packed"},
	{"xz", "xz -0 --x86 --lzma2=preset=0 --check=none -c disk.img >packed"},
	{"zstd", "zstd -q -3 -c disk.img >packed"},
	{"zstd", "zstd -q --no-check -1 <disk.img >packed"},
	{"zstd", "split -b 500000 --filter='zstd -q -c' disk.img >packed"},
	{"zstd", NULL},
};

static void pack(struct scratch *s, const struct recipe *r)
{
	unlink(at(s, "packed"));
	if (r->command)
		shell(s, r->command);
	else
		make_seekable(s, "packed");
}

static int try_open(const char *path, struct sv_image **ret, struct sv_err *err)
{
	*err = (struct sv_err)SV_ERR_INIT;
	*ret = NULL;
	return sv_image_open(sv_host_posix(), path, NULL, ret, err);
}

static uint64_t count_faults(const char *path)
{
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	return faults.errors;
}

/* ---- reading ---- */

static void assert_same_reads(struct sv_dev *d, const uint8_t *bytes)
{
	sv_autofree uint8_t *buf = malloc(SV_MIB);
	struct sv_err err = SV_ERR_INIT;
	uint64_t x = 88172645463325252;

	for (unsigned i = 0; i < READS; i++) {
		uint64_t off;
		size_t n;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		off = x % SIZE;
		n = (size_t)SV_MIN(x >> 40 & 0xfffff >> i % 12, SIZE - off);
		assert_ok(sv_dev_read(d, buf, n, off, &err));
		assert_memory_equal(buf, bytes + off, n);
	}
}

static void reads_what_the_packer_unpacks_from_any_place_on(void **state)
{
	sv_autofree uint8_t *bytes = make_content();
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(recipes); i++) {
		sv_autofree char *unpack =
			sv_format("%s -dc <packed | cmp - disk.img", recipes[i].format);
		const struct sv_image_link *l;
		struct sv_image *img;

		pack(s, &recipes[i]);
		if (strncmp(recipes[i].format, "gzip", 4)) /* gzip warns of the padding */
			shell(s, unpack);
		img = open_image(at(s, "packed"), false);
		l = sv_image_link(img, 0);
		assert_string_equal(l->format, recipes[i].format);
		assert_string_equal(l->subformat, "raw");
		assert_true(l->compressed);
		assert_int_equal(l->virtual_size, SIZE);
		assert_same_reads(sv_image_dev(img), bytes);
		sv_image_close(img);
		assert_sound(at(s, "packed"));
	}
}

static void the_pages_of_zeros_of_a_gzip_file_are_known(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;
	uint64_t zeros = 0;
	struct sv_extent e;

	pack(s, &recipes[0]);
	img = open_image(at(s, "packed"), false);
	for (uint64_t off = 0; off < SIZE; off += e.length) {
		assert_int_equal(sv_dev_extent(sv_image_dev(img), off, SIZE, &e, NULL), 0);
		zeros += e.kind == SV_EXTENT_ZERO ? e.length : 0;
	}
	/* of 3 + 12 + 7 pages in three places */
	assert_int_equal(zeros, 22 * SV_PACKED_PAGE);
	assert_int_equal(sv_image_link(img, 0)->allocated, SIZE - zeros);
	sv_image_close(img);
}

/* More starts than are kept, and reads far apart. (The short run has too few.) */
static void a_large_gzip_file_keeps_few_starts(void **state)
{
	const uint64_t third = (getenv("SHAREVM_SOAK") ? 512 : 32) * SV_MIB, size = 3 * third;
	struct scratch *s = *state;
	sv_autofree char *make = sv_format(
		"for i in 1 2 3; do cat mark; head -c %llu /dev/zero; done | gzip -1 >packed",
		(unsigned long long)(third - 8192));
	struct sv_err err = SV_ERR_INIT;
	uint8_t buf[8192], want[8192];
	struct sv_image *img;

	fill_pattern(want, sizeof want, 9);
	assert_ok(sv_host_write_file(sv_host_posix(), at(s, "mark"), want, sizeof want, &err));
	shell(s, make);
	img = open_image(at(s, "packed"), false);
	assert_int_equal(sv_dev_size(sv_image_dev(img)), size);
	for (unsigned i = 3; i-- > 0;) {
		assert_ok(sv_dev_read(sv_image_dev(img), buf, sizeof buf, i * third, &err));
		assert_memory_equal(buf, want, sizeof buf);
	}
	sv_image_close(img);
}

/* ---- damage ---- */

/* Everything is read; 0 where all of it could be, and then it must be right. */
static int read_all(const char *path, const uint8_t *bytes)
{
	sv_autofree uint8_t *buf = malloc(SIZE);
	struct sv_image *img;
	struct sv_err err;
	int rc;

	if (try_open(path, &img, &err) < 0) {
		assert_true(err.code == SV_CORRUPT || err.code == SV_UNSUPPORTED);
		return -1;
	}
	/* of another size, it cannot be taken for the disk */
	if (sv_dev_size(sv_image_dev(img)) != SIZE) {
		sv_image_close(img);
		return -1;
	}
	rc = sv_dev_read(sv_image_dev(img), buf, SIZE, 0, &err);
	if (rc < 0)
		assert_true(err.code == SV_CORRUPT || err.code == SV_UNSUPPORTED);
	else
		assert_memory_equal(buf, bytes, SIZE);
	sv_image_close(img);
	return rc;
}

static const char *const damaged[] = {
	"gzip -6 <disk.img >packed",
	"xz -0 --block-size=1MiB -c disk.img >packed",
	"split -b 3000000 --filter='zstd -q -c' disk.img >packed",
};

static uint64_t packed_size(struct scratch *s)
{
	struct sv_host_stat st;

	assert_int_equal(sv_host_stat(sv_host_posix(), at(s, "packed"), &st, NULL), 0);
	return st.size;
}

static void a_file_that_is_cut_off_is_refused(void **state)
{
	sv_autofree uint8_t *bytes = make_content();
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(damaged); i++) {
		uint64_t size;

		shell(s, damaged[i]);
		shell(s, "cp packed whole");
		size = packed_size(s);
		assert_int_equal(read_all(at(s, "packed"), bytes), 0);
		for (unsigned k = 1; k <= 12; k++) {
			uint64_t cut = k < 6 ? k : size * (k - 5) / 8;

			shell(s, "cp whole packed");
			assert_int_equal(truncate(at(s, "packed"), (off_t)(size - cut)), 0);
			assert_int_equal(read_all(at(s, "packed"), bytes), -1);
		}
	}
}

static void flip(const char *path, uint64_t at)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

/* The first and last bytes, which the formats' own structures fill, and some in between. */
static void a_changed_byte_never_gives_wrong_bytes(void **state)
{
	sv_autofree uint8_t *bytes = make_content();
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(damaged); i++) {
		unsigned refused = 0;
		uint64_t size, pos;

		shell(s, damaged[i]);
		size = packed_size(s);
		for (unsigned k = 0; k < 40; k++) {
			pos = k < 16 ? k : k < 32 ? size - 1 - (k - 16) : size * (k - 31) / 10;
			flip(at(s, "packed"), pos);
			refused += read_all(at(s, "packed"), bytes) < 0;
			flip(at(s, "packed"), pos);
		}
		assert_int_equal(read_all(at(s, "packed"), bytes), 0);
		assert_true(refused > 25); /* some bytes of gzip's header mean nothing */
	}
}

static void the_check_tells_each_block_that_is_damaged(void **state)
{
	struct scratch *s = *state;
	uint64_t size;

	shell(s, damaged[1]);
	size = packed_size(s);
	assert_int_equal(count_faults(at(s, "packed")), 0);
	flip(at(s, "packed"), 60000);         /* the first block's data do not pack */
	flip(at(s, "packed"), size - 100000); /* and so the ones far behind */
	assert_int_equal(count_faults(at(s, "packed")), 2);
}

/* ---- sizes that lie ---- */

static void write_bytes(const char *path, const void *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;

	unlink(path);
	assert_ok(sv_host_write_file(sv_host_posix(), path, bytes, n, &err));
}

static void refuses_a_zstd_frame_that_claims_too_much(void **state)
{
	/* single segment, 8 bytes of size; one empty last block */
	uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0x14, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0};
	struct scratch *s = *state;
	struct sv_image *img;
	struct sv_err err;

	write_bytes(at(s, "packed"), frame, sizeof frame);
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_UNSUPPORTED, 0);
	assert_non_null(strstr(err.hint, "zstd -d"));
	sv_store_le64(frame + 6, 1000); /* sane, and a lie */
	write_bytes(at(s, "packed"), frame, sizeof frame);
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_CORRUPT, UINT64_MAX);
}

static void refuses_a_seek_table_that_lies(void **state)
{
	sv_autofree uint8_t *bytes = make_content();
	struct scratch *s = *state;
	struct sv_image *img;
	struct sv_err err;
	uint64_t size;
	int fd;

	make_seekable(s, "packed");
	size = packed_size(s);
	fd = open(at(s, "packed"), O_RDWR);
	/* the unpacked size of the last frame: one sector more; then of the one before: a page
	 * less, so that the sum is another */
	assert_int_equal(pwrite(fd, "\0\x08", 2, (off_t)(size - 9 - 8)), 2);
	assert_int_equal(read_all(at(s, "packed"), bytes), -1);
	assert_true(count_faults(at(s, "packed")) > 0);
	/* its packed size */
	assert_int_equal(pwrite(fd, "\1\1", 2, (off_t)(size - 9 - 12)), 2);
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_CORRUPT, UINT64_MAX);
	/* the number of frames */
	assert_int_equal(pwrite(fd, "\xff\xff\xff\x7f", 4, (off_t)(size - 9)), 4);
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_int_equal(pwrite(fd, "\0\0\2\0", 4, (off_t)(size - 9)), 4);
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_CORRUPT, UINT64_MAX);
	close(fd);
}

/* A stream of one block of 12 bytes that the index says unpacks to `claim`. */
static size_t make_lying_xz(uint8_t *out, uint64_t claim)
{
	lzma_stream_flags flags = {.version = 0, .check = LZMA_CHECK_CRC32};
	lzma_index *index = lzma_index_init(NULL);
	size_t at_out = LZMA_STREAM_HEADER_SIZE + 12, room = 256;

	assert_int_equal(lzma_stream_header_encode(&flags, out), LZMA_OK);
	memset(out + LZMA_STREAM_HEADER_SIZE, 1, 12);
	assert_int_equal(lzma_index_append(index, NULL, 12, claim), LZMA_OK);
	assert_int_equal(lzma_index_buffer_encode(index, out, &at_out, room), LZMA_OK);
	flags.backward_size = lzma_index_size(index);
	assert_int_equal(lzma_stream_footer_encode(&flags, out + at_out), LZMA_OK);
	lzma_index_end(index, NULL);
	return at_out + LZMA_STREAM_HEADER_SIZE;
}

static void refuses_an_xz_index_that_lies(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;
	struct sv_err err;
	uint8_t bytes[256];

	write_bytes(at(s, "packed"), bytes, make_lying_xz(bytes, UINT64_C(1) << 50));
	assert_fails(
		try_open(at(s, "packed"), &img, &err), SV_UNSUPPORTED, LZMA_STREAM_HEADER_SIZE);
	assert_non_null(strstr(err.hint, "xz -dk"));
	write_bytes(at(s, "packed"), bytes, make_lying_xz(bytes, 4096));
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_CORRUPT, UINT64_MAX);
}

static void refuses_what_takes_too_much_memory(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;
	struct sv_err err;

	shell(s, "head -c 100000 disk.img | xz --lzma2=preset=0,dict=512MiB >packed");
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "MiB of memory"));
	shell(s, "head -c 100000 disk.img | zstd -q --long=30 >packed");
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_UNSUPPORTED, 0);
	assert_non_null(strstr(err.hint, "--long"));
}

/* Members of zeros, one after the other: 70 GB in 70 MB. It takes half a minute to see. */
static void refuses_a_gzip_file_that_unpacks_to_too_much(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;
	struct sv_err err;

	if (!getenv("SHAREVM_SOAK"))
		return;
	shell(s,
		"head -c 1073741824 /dev/zero | gzip >one; i=0; while [ $i -lt 65 ]; do cat one; "
		"i=$((i + 1)); done >packed");
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.hint, "gunzip"));
}

/* ---- what is refused ---- */

static void refuses_what_is_no_raw_disk(void **state)
{
	static const struct {
		const char *command, *word;
	} others[] = {
		{"tar -c disk.img | gzip >packed", "tar"},
		{"printf 'QFI\\373\\0\\0\\0\\3' | xz >packed", "qcow2"},
		{"printf 'EVF\\011\\015\\012\\377\\0' | zstd -q >packed", "EWF"},
		{"gzip <disk.img | gzip >packed", "gzip"},
	};
	struct scratch *s = *state;
	struct sv_image *img;
	struct sv_err err;

	for (size_t i = 0; i < SV_ARRAY_LEN(others); i++) {
		shell(s, others[i].command);
		assert_fails(try_open(at(s, "packed"), &img, &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, others[i].word));
		assert_non_null(strstr(err.hint, at(s, "packed")));
	}
	shell(s, "gzip </dev/null >packed");
	assert_fails(try_open(at(s, "packed"), &img, &err), SV_CORRUPT, UINT64_MAX);
}

static void is_only_read(void **state)
{
	const struct sv_image_opts writable = {.writable = true};
	struct scratch *s = *state;
	sv_autofree char *path = NULL;
	struct sv_image *img = NULL;
	struct sv_err err = SV_ERR_INIT;

	pack(s, &recipes[5]);
	assert_fails(sv_image_open(sv_host_posix(), at(s, "packed"), &writable, &img, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	img = open_image(at(s, "packed"), false);
	assert_fails(sv_image_check_limits(img, SV_DERIVE_LINKED, SIZE, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_ok(sv_image_derive(
		sv_host_posix(), img, SV_DERIVE_COPY, s->dir, "copy", SIZE, NULL, &path, &err));
	sv_image_close(img);
	assert_int_equal(run("cmp", "-s", path, at(s, "disk.img")), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_disk, drop_scratch)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_the_packer_unpacks_from_any_place_on),
		TEST(the_pages_of_zeros_of_a_gzip_file_are_known),
		TEST(a_large_gzip_file_keeps_few_starts),
		TEST(a_file_that_is_cut_off_is_refused),
		TEST(a_changed_byte_never_gives_wrong_bytes),
		TEST(the_check_tells_each_block_that_is_damaged),
		TEST(refuses_a_zstd_frame_that_claims_too_much),
		TEST(refuses_a_seek_table_that_lies),
		TEST(refuses_an_xz_index_that_lies),
		TEST(refuses_what_takes_too_much_memory),
		TEST(refuses_a_gzip_file_that_unpacks_to_too_much),
		TEST(refuses_what_is_no_raw_disk),
		TEST(is_only_read),
	};

	if (run("xz", "--version") || run("zstd", "--version") || run("gzip", "--version")) {
		printf("skip: gzip, xz and zstd are not installed\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
