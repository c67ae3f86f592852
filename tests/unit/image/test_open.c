/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening images: formats, chains, and everything that is refused, by name and offset. */
#include "image/scratch.h"

#include "base/endian.h"
#include "image/vmdk/header.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void poke(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), (ssize_t)n);
	close(fd);
}

static void poke64(const char *path, uint64_t off, uint64_t value)
{
	uint8_t bytes[8];

	sv_store_le64(bytes, value);
	poke(path, off, bytes, sizeof bytes);
}

static void write_text(const char *path, const char *text)
{
	struct sv_err err = SV_ERR_INIT;

	unlink(path);
	assert_ok(sv_host_write_file(sv_host_posix(), path, text, strlen(text), &err));
}

static int try_open(const char *path, bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	struct sv_image *img = NULL;
	int rc = sv_image_open(sv_host_posix(), path, &opts, &img, err);

	sv_image_close(img);
	return rc;
}

/* ---- formats ---- */

static void opens_any_other_file_as_raw(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "some.raw");
	struct sv_extent e;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char text[5];

	write_text(path, "hello");
	assert_int_equal(truncate(path, SV_MIB), 0);
	img = open_image(path, true);
	assert_string_equal(sv_image_link(img, 0)->format, "raw");
	assert_int_equal(sv_dev_size(sv_image_dev(img)), SV_MIB);
	assert_ok(sv_dev_read(sv_image_dev(img), text, 5, 0, &err));
	assert_memory_equal(text, "hello", 5);
	assert_ok(sv_dev_write(sv_image_dev(img), "HELLO", 5, 512 * 1024, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	assert_ok(sv_dev_extent(sv_image_dev(img), 4096, SV_MIB, &e, &err));
	assert_int_equal(e.kind, SV_EXTENT_HOLE);
	assert_int_equal(e.length, 512 * 1024 - 4096);
	assert_ok(sv_dev_discard(sv_image_dev(img), 0, 4096, &err));
	assert_ok(sv_dev_read(sv_image_dev(img), text, 5, 0, &err));
	assert_memory_equal(text, "\0\0\0\0", 5);
	assert_ok(sv_image_grow(img, 2 * SV_MIB, &err));
	assert_int_equal(sv_dev_size(sv_image_dev(img)), 2 * SV_MIB);
	sv_image_close(img);
	assert_sound(path);
}

static void names_formats_that_it_cannot_read(void **state)
{
	static const struct {
		uint64_t at;
		const char *magic;
		size_t n;
		const char *name;
	} known[] = {
		{0, "QED\0", 4, "QED"},
		{0, "COWD", 4, "COWD"},
		{0, "\xbe\xba\xfe\xca\0\0\0\0", 8, "seSparse"},
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++) {
		const char *path = at(s, "foreign.img");

		unlink(path);
		poke(path, known[i].at, known[i].magic, known[i].n);
		assert_int_equal(truncate(path, 8192), 0);
		assert_fails(try_open(path, false, &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, known[i].name));
		assert_string_equal(err.path, path);
	}
}

static void refuses_files_that_are_no_images(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	write_text(at(s, "empty.img"), "");
	assert_fails(try_open(at(s, "empty.img"), false, &err), SV_CORRUPT, UINT64_MAX);
	write_text(at(s, "zeros.vmdk"), "zeros");
	assert_fails(try_open(at(s, "zeros.vmdk"), false, &err), SV_CORRUPT, 0);
	assert_fails(try_open(s->dir, false, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(try_open(at(s, "missing"), false, &err), SV_NOTFOUND, UINT64_MAX);
	assert_int_equal(mkfifo(at(s, "fifo"), 0600), 0);
	assert_fails(try_open(at(s, "fifo"), false, &err), SV_UNSUPPORTED, UINT64_MAX);
}

/* ---- chains ---- */

static void make_pair(struct scratch *s)
{
	struct sv_image *base;

	unlink(at(s, "base.vmdk"));
	unlink(at(s, "top.vmdk"));
	make_image(at(s, "base.vmdk"), "vmdk", NULL, 10 * SV_MIB, NULL);
	base = open_image(at(s, "base.vmdk"), false);
	make_image(at(s, "top.vmdk"), "vmdk", NULL, 0, base);
	sv_image_close(base);
}

static void tells_each_link_of_a_chain(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	const struct sv_image_link *l;
	struct sv_extent e;
	struct sv_image *img;
	struct sv_dev *d;

	make_pair(s);
	img = open_image(at(s, "base.vmdk"), true);
	write_pattern(sv_image_dev(img), SV_MIB, 65536, 1);
	assert_int_equal(sv_dev_flush(sv_image_dev(img), NULL), 0);
	sv_image_close(img);
	/* the base was written after the delta was made */
	assert_fails(try_open(at(s, "top.vmdk"), false, &err), SV_CORRUPT, UINT64_MAX);
	assert_string_equal(err.path, at(s, "base.vmdk"));
	assert_non_null(strstr(err.message, "content id"));

	unlink(at(s, "top.vmdk"));
	img = open_image(at(s, "base.vmdk"), false);
	make_image(at(s, "top.vmdk"), "vmdk", NULL, 0, img);
	sv_image_close(img);
	img = open_image(at(s, "top.vmdk"), true);
	d = sv_image_dev(img);
	write_pattern(d, 5 * SV_MIB, 65536, 2);
	assert_int_equal(sv_image_links(img), 2);
	l = sv_image_link(img, 0);
	assert_string_equal(l->format, "vmdk");
	assert_string_equal(l->subformat, "monolithicSparse");
	assert_string_equal(l->parent_hint, "base.vmdk");
	assert_string_equal(l->path, at(s, "top.vmdk"));
	assert_int_equal(l->block_size, 65536);
	assert_int_equal(l->virtual_size, 10 * SV_MIB);
	assert_int_equal(l->n_files, 1);
	assert_int_equal(sv_image_link(img, 1)->allocated, 65536);
	assert_false(l->dirty);
	assert_ok(sv_dev_extent(d, 0, 10 * SV_MIB, &e, &err));
	assert_int_equal(e.kind, SV_EXTENT_HOLE);
	assert_int_equal(e.length, SV_MIB);
	assert_ok(sv_dev_extent(d, SV_MIB, 10 * SV_MIB, &e, &err));
	assert_int_equal(e.kind, SV_EXTENT_DATA);
	assert_int_equal(e.depth, 1);
	assert_int_equal(e.length, 65536);
	assert_ok(sv_dev_extent(d, 5 * SV_MIB + 512, 10 * SV_MIB, &e, &err));
	assert_int_equal(e.depth, 0);
	assert_int_equal(e.length, 65536 - 512);
	sv_image_close(img);
}

static void a_device_outlives_its_image(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	struct sv_dev *d;
	char byte;

	make_pair(s);
	img = open_image(at(s, "top.vmdk"), false);
	d = sv_dev_ref(sv_image_dev(img));
	sv_image_close(img);
	assert_ok(sv_dev_read(d, &byte, 1, 10 * SV_MIB - 1, &err));
	sv_dev_close(d);
}

static void names_a_missing_parent(void **state)
{
	struct scratch *s = *state;
	struct sv_image_opts alone = {.alone = true};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	make_pair(s);
	unlink(at(s, "base.vmdk"));
	assert_fails(try_open(at(s, "top.vmdk"), false, &err), SV_NOTFOUND, UINT64_MAX);
	assert_string_equal(err.path, at(s, "base.vmdk"));
	assert_non_null(strstr(err.message, "top.vmdk"));
	assert_ok(sv_image_open(sv_host_posix(), at(s, "top.vmdk"), &alone, &img, &err));
	assert_int_equal(sv_image_links(img), 1);
	sv_image_close(img);
}

static void finds_a_moved_parent_beside_the_child(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	make_pair(s);
	mkdir(at(s, "far"), 0700);
	{
		struct sv_image *base = open_image(at(s, "base.vmdk"), false);

		make_image(at(s, "far/top.vmdk"), "vmdk", NULL, 0, base);
		assert_int_equal(rename(at(s, "base.vmdk"), at(s, "far/base.vmdk")), 0);
		sv_image_close(base);
	}
	assert_ok(try_open(at(s, "far/top.vmdk"), false, &err));
	unlink(at(s, "far/top.vmdk"));
	unlink(at(s, "far/base.vmdk"));
}

static void finds_names_that_a_windows_host_wrote(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	write_text(at(s, "f\xc3\xbcr \xe2\x82\xac.img"), "");
	assert_int_equal(truncate(at(s, "f\xc3\xbcr \xe2\x82\xac.img"), 512), 0);
	write_text(at(s, "b\xc3\xa4se.vmdk"),
		"# Disk DescriptorFile\nencoding=\"windows-1252\"\nCID=7\nparentCID=ffffffff\n"
		"createType=\"monolithicFlat\"\nRW 1 FLAT \"f\xfcr \x80.img\" 0\n");
	assert_ok(try_open(at(s, "b\xc3\xa4se.vmdk"), false, &err));
	write_text(at(s, "child.vmdk"),
		"# Disk DescriptorFile\nencoding=\"windows-1252\"\nCID=1\nparentCID=7\n"
		"createType=\"monolithicFlat\"\nparentFileNameHint=\"D:\\x\\b\xe4se.vmdk\"\n"
		"RW 1 FLAT \"f\xfcr \x80.img\" 0\n");
	assert_ok(try_open(at(s, "child.vmdk"), false, &err));
}

static void refuses_to_write_a_delta_without_its_parents(void **state)
{
	struct scratch *s = *state;
	struct sv_image_opts opts = {.alone = true, .writable = true};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	make_pair(s);
	assert_fails(sv_image_open(sv_host_posix(), at(s, "top.vmdk"), &opts, &img, &err),
		SV_USAGE, UINT64_MAX);
	assert_ok(sv_image_open(sv_host_posix(), at(s, "base.vmdk"), &opts, &img, &err));
	sv_image_close(img);
}

/* ---- threads ---- */

struct reader {
	pthread_t thread;
	struct sv_dev *dev;
	const uint8_t *bytes;
	unsigned seed;
	bool failed;
};

static void *read_at_random(void *user)
{
	struct reader *r = user;
	uint8_t buf[5000];

	for (int i = 0; i < 3000 && !r->failed; i++) {
		uint64_t off;

		r->seed = r->seed * 1664525U + 1013904223U;
		off = r->seed % (40 * SV_MIB - sizeof buf);
		r->failed = sv_dev_read(r->dev, buf, sizeof buf, off, NULL) < 0 ||
			    memcmp(buf, r->bytes + off, sizeof buf);
	}
	return NULL;
}

static void reads_from_several_threads_at_once(void **state)
{
	struct scratch *s = *state;
	uint8_t *bytes = calloc(1, 40 * SV_MIB);
	struct sv_image *img, *base;
	struct reader readers[4];
	struct sv_err err = SV_ERR_INIT;

	make_image(at(s, "t0.vmdk"), "vmdk", "monolithicSparse", 40 * SV_MIB, NULL);
	for (unsigned k = 0; k < 2; k++) {
		img = open_image(at(s, k ? "t1.vmdk" : "t0.vmdk"), true);
		for (unsigned i = 0; i < 100; i++) {
			uint64_t off = (i * UINT64_C(7654321) + k * 1111) % (39 * SV_MIB);

			write_pattern(sv_image_dev(img), off, 30000, i + k);
			fill_pattern(bytes + off, 30000, i + k);
		}
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		if (k)
			break;
		base = open_image(at(s, "t0.vmdk"), false);
		make_image(at(s, "t1.vmdk"), "vmdk", NULL, 0, base);
		sv_image_close(base);
	}
	img = open_image(at(s, "t1.vmdk"), false);
	for (unsigned i = 0; i < 4; i++) {
		readers[i] = (struct reader){
			.dev = sv_image_dev(img), .bytes = bytes, .seed = i + 1};
		assert_int_equal(
			pthread_create(&readers[i].thread, NULL, read_at_random, &readers[i]),
			0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_false(readers[i].failed);
	}
	sv_image_close(img);
	free(bytes);
}

static void refuses_a_chain_that_comes_back(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	write_text(at(s, "a.vmdk"),
		"# Disk DescriptorFile\nCID=1\nparentCID=2\ncreateType=\"monolithicFlat\"\n"
		"parentFileNameHint=\"b.vmdk\"\nRW 1 FLAT \"f\" 0\n");
	write_text(at(s, "b.vmdk"),
		"# Disk DescriptorFile\nCID=2\nparentCID=1\ncreateType=\"monolithicFlat\"\n"
		"parentFileNameHint=\"a.vmdk\"\nRW 1 FLAT \"f\" 0\n");
	write_text(at(s, "f"), "");
	assert_int_equal(truncate(at(s, "f"), 512), 0);
	assert_fails(try_open(at(s, "a.vmdk"), false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "comes back"));
}

static void refuses_a_parent_of_another_format(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	write_text(at(s, "secret"), "not an image of any kind");
	write_text(at(s, "child.vmdk"),
		"# Disk DescriptorFile\nCID=1\nparentCID=2\ncreateType=\"monolithicFlat\"\n"
		"parentFileNameHint=\"secret\"\nRW 1 FLAT \"f\" 0\n");
	assert_fails(try_open(at(s, "child.vmdk"), false, &err), SV_CORRUPT, UINT64_MAX);
	assert_string_equal(err.path, at(s, "secret"));
}

/* ---- text descriptors ---- */

#define TEXT(type, extents)                                                                    \
	"# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType=\"" type      \
	"\"\n" extents

static void refuses_kinds_by_name(void **state)
{
	static const struct {
		const char *text, *word;
	} kinds[] = {
		{TEXT("nonesuch", "RW 1 FLAT \"f\"\n"), "nonesuch"},
		{TEXT("fullDevice", "RW 1 FLAT \"/dev/sda\" 0\n"), "fullDevice"},
		{TEXT("monolithicFlat", "RW 1 VMFSRDM \"f\"\n"), "device"},
		{TEXT("monolithicFlat", "NOACCESS 1 FLAT \"f\" 0\n"), "no access"},
		{TEXT("monolithicFlat", "encryptionKeys=\"x\"\nRW 1 FLAT \"f\" 0\n"),
			"encrypted"},
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		write_text(at(s, "kind.vmdk"), kinds[i].text);
		assert_fails(
			try_open(at(s, "kind.vmdk"), false, &err), SV_UNSUPPORTED, UINT64_MAX);
		assert_non_null(strstr(err.message, kinds[i].word));
		assert_string_equal(err.path, at(s, "kind.vmdk"));
	}
}

static void refuses_extents_outside_the_folder(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	write_text(at(s, "out.vmdk"), TEXT("monolithicFlat", "RW 1 FLAT \"/etc/passwd\" 0\n"));
	assert_fails(try_open(at(s, "out.vmdk"), false, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.hint, "--allow-path"));
	assert_int_equal(symlink("/etc/passwd", at(s, "link")), 0);
	write_text(at(s, "out.vmdk"), TEXT("monolithicFlat", "RW 1 FLAT \"link\" 0\n"));
	assert_fails(try_open(at(s, "out.vmdk"), false, &err), SV_UNSUPPORTED, UINT64_MAX);
	write_text(at(s, "out.vmdk"), TEXT("monolithicFlat", "RW 1 FLAT \"gone\" 0\n"));
	assert_fails(try_open(at(s, "out.vmdk"), false, &err), SV_NOTFOUND, UINT64_MAX);
}

static void refuses_flat_extents_shorter_than_described(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	write_text(at(s, "short"), "");
	assert_int_equal(truncate(at(s, "short"), 5000), 0);
	write_text(at(s, "short.vmdk"), TEXT("monolithicFlat", "RW 10 FLAT \"short\" 0\n"));
	assert_fails(try_open(at(s, "short.vmdk"), false, &err), SV_CORRUPT, 5000);
	assert_string_equal(err.path, at(s, "short"));
	write_text(at(s, "short.vmdk"), TEXT("monolithicFlat", "RW 9 FLAT \"short\" 1\n"));
	assert_fails(try_open(at(s, "short.vmdk"), false, &err), SV_CORRUPT, 5000);
	write_text(at(s, "short.vmdk"), TEXT("monolithicFlat", "RW 8 FLAT \"short\" 1\n"));
	assert_ok(try_open(at(s, "short.vmdk"), false, &err));
}

static void shows_zero_extents_and_does_not_write_them(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char byte = 1;

	write_text(at(s, "z"), "");
	assert_int_equal(truncate(at(s, "z"), 512), 0);
	write_text(at(s, "z.vmdk"), TEXT("monolithicFlat", "RW 1 FLAT \"z\" 0\nRW 8 ZERO\n"));
	img = open_image(at(s, "z.vmdk"), true);
	assert_ok(sv_dev_write(sv_image_dev(img), &byte, 1, 511, &err));
	assert_ok(sv_dev_read(sv_image_dev(img), &byte, 1, 512, &err));
	assert_int_equal(byte, 0);
	assert_fails(sv_dev_write(sv_image_dev(img), &byte, 1, 512, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_ok(sv_dev_discard(sv_image_dev(img), 0, 9 * 512, &err));
	assert_fails(sv_image_grow(img, SV_MIB, &err), SV_UNSUPPORTED, UINT64_MAX);
	sv_image_close(img);
	write_text(at(s, "z.vmdk"), TEXT("monolithicFlat", "RDONLY 1 FLAT \"z\" 0\n"));
	assert_fails(try_open(at(s, "z.vmdk"), true, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(try_open(at(s, "z.vmdk"), false, &err));
}

static void refuses_a_descriptor_larger_than_its_cap(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	write_text(at(s, "big.vmdk"), TEXT("monolithicFlat", "RW 1 FLAT \"z\" 0\n"));
	assert_int_equal(truncate(at(s, "big.vmdk"), 2 << 20), 0);
	assert_fails(try_open(at(s, "big.vmdk"), false, &err), SV_CORRUPT, UINT64_MAX);
}

/* ---- headers of sparse extents ---- */

static void refuses_bad_headers_with_the_offset_of_the_field(void **state)
{
	static const struct {
		uint64_t at, value;
		enum sv_code code;
		uint64_t offset;
	} fields[] = {
		{12, 0, SV_CORRUPT, 12}, /* capacity */
		{12, UINT64_C(1) << 63, SV_CORRUPT, 12}, {12, UINT64_MAX, SV_CORRUPT, 12},
		{12, UINT64_C(1) << 52, SV_UNSUPPORTED, 12}, /* a directory above its cap */
		{20, 0, SV_CORRUPT, 20},                     /* grain size */
		{20, 4, SV_CORRUPT, 20}, {20, 100, SV_CORRUPT, 20}, {20, 16384, SV_CORRUPT, 20},
		{28, 1 << 20, SV_CORRUPT, 28}, /* descriptor's place */
		{36, UINT64_MAX, SV_CORRUPT, 28},
		{44, 1024, SV_CORRUPT, 44},       /* entries of a table */
		{48, UINT64_MAX, SV_CORRUPT, 48}, /* redundant directory */
		{56, 0, SV_CORRUPT, 56},          /* directory */
		{56, 1 << 20, SV_CORRUPT, 56},
		{56, UINT64_MAX, SV_CORRUPT, 56}, /* at the end, without markers */
		{4, UINT64_C(4) | UINT64_C(3) << 32, SV_UNSUPPORTED, 4}, /* version */
		{4, UINT64_C(1) | UINT64_C(0x30001) << 32, SV_UNSUPPORTED,
			77}, /* unknown packing */
		{4, UINT64_C(1) | UINT64_C(0x20001) << 32, SV_UNSUPPORTED, 8},
		{72, UINT64_C(0x0a0d20) << 8, SV_CORRUPT, 73}, /* newline bytes */
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	const char *path = at(s, "head.vmdk");

	for (size_t i = 0; i < SV_ARRAY_LEN(fields); i++) {
		unlink(path);
		make_image(path, "vmdk", NULL, 10 * SV_MIB, NULL);
		assert_ok(try_open(path, false, &err));
		poke64(path, fields[i].at, fields[i].value);
		assert_fails(try_open(path, false, &err), fields[i].code, fields[i].offset);
		assert_string_equal(err.path, path);
	}
}

static void writes_an_extent_without_a_redundant_directory(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	const char *path = at(s, "single.vmdk");
	struct sv_image *img;
	uint8_t got[4];

	make_image(path, "vmdk", NULL, 10 * SV_MIB, NULL);
	poke64(path, 48, 0);
	img = open_image(path, true);
	assert_ok(sv_dev_write(sv_image_dev(img), "data", 4, 5 * SV_MIB, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	assert_ok(sv_dev_read(sv_image_dev(img), got, 4, 5 * SV_MIB, &err));
	assert_memory_equal(got, "data", 4);
	sv_image_close(img);
	assert_sound(path);
}

static void refuses_truncated_images(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	const char *path = at(s, "cut.vmdk");
	struct sv_image *img;
	uint8_t buf[512];

	make_image(path, "vmdk", NULL, 100 * SV_MIB, NULL);
	img = open_image(path, true);
	write_pattern(sv_image_dev(img), 0, 2 * 65536, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	/* the last sector of the second grain is cut: reading the rest goes well */
	assert_int_equal(truncate(path, 3 * 65536 - 512), 0);
	img = open_image(path, false);
	assert_ok(sv_dev_read(sv_image_dev(img), buf, 512, 2 * 65536 - 1024, &err));
	assert_fails(sv_dev_read(sv_image_dev(img), buf, 512, 2 * 65536 - 512, &err),
		SV_CORRUPT, 39 * 512 + 4);
	sv_image_close(img);
	assert_int_equal(truncate(path, 21 * 512), 0);
	assert_fails(try_open(path, false, &err), SV_CORRUPT, 56);
	assert_int_equal(truncate(path, 100), 0);
	assert_fails(try_open(path, false, &err), SV_CORRUPT, 100);
}

static void refuses_a_part_of_a_split_disk(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	make_image(at(s, "split.vmdk"), "vmdk", "twoGbMaxExtentSparse", 10 * SV_MIB, NULL);
	assert_fails(
		try_open(at(s, "split-s001.vmdk"), false, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "split"));
	/* an extent smaller than the descriptor says */
	poke64(at(s, "split-s001.vmdk"), 12, 20479);
	assert_fails(try_open(at(s, "split.vmdk"), false, &err), SV_CORRUPT, 12);
}

/* ---- writing ---- */

static void changes_the_content_id_once_and_nothing_else_of_the_text(void **state)
{
	struct scratch *s = *state;
	struct sv_host *host = sv_host_posix();
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *before, *after;
	size_t n, m, differ = 0;

	write_text(at(s, "id-flat.vmdk"), "");
	assert_int_equal(truncate(at(s, "id-flat.vmdk"), 512), 0);
	write_text(at(s, "id.vmdk"),
		"# Disk DescriptorFile\r\n#a comment\r\nCID=00000001\r\nparentCID=ffffffff\r\n"
		"createType=\"monolithicFlat\"\r\nRW 1   FLAT \"id-flat.vmdk\" 0\r\n"
		"ddb.longContentID = \"00112233445566778899aabb00000001\"\r\n");
	before = sv_host_read_file(host, at(s, "id.vmdk"), 4096, &n, &err);
	img = open_image(at(s, "id.vmdk"), true);
	assert_string_equal(sv_image_link(img, 0)->id, "00000001");
	assert_ok(sv_dev_write(sv_image_dev(img), "x", 1, 0, &err));
	assert_string_not_equal(sv_image_link(img, 0)->id, "00000001");
	sv_image_close(img);
	after = sv_host_read_file(host, at(s, "id.vmdk"), 4096, &m, &err);
	assert_int_equal(n, m);
	for (size_t i = 0; i < n; i++)
		differ += before[i] != after[i];
	assert_in_range(differ, 1, 8 + 32);
	img = open_image(at(s, "id.vmdk"), false);
	assert_non_null(strstr(after, sv_image_link(img, 0)->id));
	/* the long id ends in the short one */
	assert_memory_equal(
		strstr(after, "longContentID = \"") + 17 + 24, sv_image_link(img, 0)->id, 8);
	sv_image_close(img);
	free(before);
	free(after);
}

static void sets_the_unclean_flag_until_it_is_flushed(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "flag.vmdk");
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img, *other;

	make_image(path, "vmdk", NULL, 10 * SV_MIB, NULL);
	img = open_image(path, true);
	assert_ok(sv_dev_write(sv_image_dev(img), "x", 1, 0, &err));
	other = open_image(path, false);
	assert_true(sv_image_link(other, 0)->dirty);
	sv_image_close(other);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	other = open_image(path, false);
	assert_false(sv_image_link(other, 0)->dirty);
	sv_image_close(other);
	/* over a grain that exists no table changes */
	assert_ok(sv_dev_write(sv_image_dev(img), "y", 1, 1, &err));
	other = open_image(path, false);
	assert_false(sv_image_link(other, 0)->dirty);
	sv_image_close(other);
	sv_image_close(img);
}

static void refuses_to_make_what_it_cannot(void **state)
{
	struct scratch *s = *state;
	struct sv_host *host = sv_host_posix();
	struct sv_err err = SV_ERR_INIT;
	struct sv_image_spec spec = {.format = "vmdk", .size = SV_MIB};
	const char *path = at(s, "made.vmdk");
	struct sv_image *base;

	spec.format = "floppy";
	assert_fails(sv_image_create(host, path, &spec, &err), SV_USAGE, UINT64_MAX);
	spec = (struct sv_image_spec){.format = "vmdk", .subformat = "vmfs", .size = SV_MIB};
	assert_fails(sv_image_create(host, path, &spec, &err), SV_USAGE, UINT64_MAX);
	spec = (struct sv_image_spec){.format = "vmdk", .size = 1000};
	assert_fails(sv_image_create(host, path, &spec, &err), SV_USAGE, UINT64_MAX);
	spec.size = 0;
	assert_fails(sv_image_create(host, path, &spec, &err), SV_USAGE, UINT64_MAX);
	spec.size = UINT64_C(1) << 60;
	assert_fails(sv_image_create(host, path, &spec, &err), SV_UNSUPPORTED, UINT64_MAX);
	make_pair(s);
	base = open_image(at(s, "base.vmdk"), false);
	spec = (struct sv_image_spec){.format = "vmdk", .size = SV_GIB, .parent = base};
	assert_fails(sv_image_create(host, path, &spec, &err), SV_UNSUPPORTED, UINT64_MAX);
	spec = (struct sv_image_spec){
		.format = "vmdk", .subformat = "monolithicFlat", .parent = base};
	assert_fails(sv_image_create(host, path, &spec, &err), SV_USAGE, UINT64_MAX);
	spec = (struct sv_image_spec){.format = "raw", .parent = base};
	assert_fails(sv_image_create(host, path, &spec, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_false(sv_host_exists(host, path));
	spec = (struct sv_image_spec){.format = "vmdk", .size = SV_MIB};
	assert_fails(
		sv_image_create(host, at(s, "base.vmdk"), &spec, &err), SV_EXISTS, UINT64_MAX);
	assert_true(sv_host_exists(host, at(s, "base.vmdk")));
	sv_image_close(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_any_other_file_as_raw),
		cmocka_unit_test(names_formats_that_it_cannot_read),
		cmocka_unit_test(refuses_files_that_are_no_images),
		cmocka_unit_test(tells_each_link_of_a_chain),
		cmocka_unit_test(a_device_outlives_its_image),
		cmocka_unit_test(names_a_missing_parent),
		cmocka_unit_test(finds_a_moved_parent_beside_the_child),
		cmocka_unit_test(finds_names_that_a_windows_host_wrote),
		cmocka_unit_test(refuses_to_write_a_delta_without_its_parents),
		cmocka_unit_test(reads_from_several_threads_at_once),
		cmocka_unit_test(refuses_a_chain_that_comes_back),
		cmocka_unit_test(refuses_a_parent_of_another_format),
		cmocka_unit_test(refuses_kinds_by_name),
		cmocka_unit_test(refuses_extents_outside_the_folder),
		cmocka_unit_test(refuses_flat_extents_shorter_than_described),
		cmocka_unit_test(shows_zero_extents_and_does_not_write_them),
		cmocka_unit_test(refuses_a_descriptor_larger_than_its_cap),
		cmocka_unit_test(refuses_bad_headers_with_the_offset_of_the_field),
		cmocka_unit_test(writes_an_extent_without_a_redundant_directory),
		cmocka_unit_test(refuses_truncated_images),
		cmocka_unit_test(refuses_a_part_of_a_split_disk),
		cmocka_unit_test(changes_the_content_id_once_and_nothing_else_of_the_text),
		cmocka_unit_test(sets_the_unclean_flag_until_it_is_flushed),
		cmocka_unit_test(refuses_to_make_what_it_cannot),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
