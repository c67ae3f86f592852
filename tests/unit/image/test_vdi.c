/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VDIs against qemu-img and qemu-io, which write, check and compare dynamic and fixed ones.
 * Nobody else's reader of VDI chains is at hand (qemu refuses an image with a parent, 7-Zip
 * reads the child alone, libvirtualbox is not in Debian): chains are compared with what was
 * written, and with the format as VirtualBox's source gives it.
 */
#include "image/scratch.h"
#include "image/vdi/format.h"

#include <unistd.h>

static void patch(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static void peek(const char *path, uint64_t off, void *bytes, size_t n)
{
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static uint32_t map_entry(const char *path, uint64_t block)
{
	struct sv_vdi_disk_header h;
	uint8_t entry[4];

	peek(path, 0, &h, sizeof h);
	peek(path, sv_get_le32(h.map_at) + block * 4, entry, 4);
	return sv_load_le32(entry);
}

static void write_all_over(struct sv_dev *d, unsigned seed)
{
	uint64_t size = sv_dev_size(d);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(d, size - 99999, 99999, seed + 4);
	write_pattern(d, 0, 512, seed);
	write_pattern(d, 1000, 70000, seed + 1);
	write_pattern(d, 2 * SV_MIB - 5000, 5 << 20, seed + 2);
	write_pattern(d, size / 2 + 12345, 333, seed + 3);
	assert_ok(sv_dev_flush(d, &err));
}

static void dump_to(struct scratch *s, const char *image, const char *raw)
{
	struct sv_image *img = open_image(at(s, image), false);

	unlink(at(s, raw));
	dump(sv_image_dev(img), at(s, raw));
	sv_image_close(img);
}

static int open_fails(struct scratch *s, const char *image, struct sv_err *err)
{
	struct sv_image *img = NULL;

	return sv_image_open(sv_host_posix(), at(s, image), NULL, &img, err);
}

/* ---- qemu ---- */

static void reads_what_qemu_wrote(void **state)
{
	static const char *const opts[] = {"static=off", "static=on"};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(opts); i++) {
		unlink(at(s, "q.vdi"));
		assert_int_equal(run("qemu-img", "create", "-f", "vdi", "-o", opts[i],
					 at(s, "q.vdi"), "100M"),
			0);
		assert_int_equal(run("qemu-io", "-f", "vdi", "-c", "write -P 17 50M 3M", "-c",
					 "write -P 34 5M 512", "-c", "write -P 51 99M 1M",
					 at(s, "q.vdi")),
			0);
		assert_reads_like_qemu(s, at(s, "q.vdi"));
		assert_sound(at(s, "q.vdi"));
	}
}

static void qemu_reads_and_checks_what_we_write(void **state)
{
	static const char *const kinds[] = {"dynamic", "fixed"};
	static const uint64_t sizes[] = {100 * SV_MIB, 7 * SV_MIB + 512 * 77, 300 * SV_GIB};
	struct scratch *s = *state;

	for (size_t k = 0; k < SV_ARRAY_LEN(kinds); k++) {
		for (size_t i = 0; i < SV_ARRAY_LEN(sizes); i++) {
			struct sv_image *img;

			unlink(at(s, "w.vdi"));
			make_image(at(s, "w.vdi"), "vdi", kinds[k], sizes[i], NULL);
			img = open_image(at(s, "w.vdi"), true);
			write_all_over(sv_image_dev(img), (unsigned)i);
			sv_image_close(img);
			assert_reads_like_qemu(s, at(s, "w.vdi"));
			assert_int_equal(run("qemu-img", "check", at(s, "w.vdi")), 0);
			assert_sound(at(s, "w.vdi"));
		}
	}
}

static void qemu_and_we_find_a_block_that_is_used_twice(void **state)
{
	struct scratch *s = *state;
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_image(at(s, "twice.vdi"), "vdi", NULL, 10 * SV_MIB, NULL);
	img = open_image(at(s, "twice.vdi"), true);
	write_pattern(sv_image_dev(img), 0, 3 << 20, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	patch(at(s, "twice.vdi"), 512 + 8, "\0\0\0\0", 4);
	assert_int_not_equal(run("qemu-img", "check", at(s, "twice.vdi")), 0);
	assert_ok(
		sv_image_check(sv_host_posix(), at(s, "twice.vdi"), NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 1);
	assert_int_equal(faults.leaks, 1);
	assert_int_equal(found.offset, 512 + 8);
}

/* ---- growth ---- */

static void grows_and_qemu_finds_the_same(void **state)
{
	static const struct {
		const char *kind;
		uint64_t from, to;
	} cases[] = {
		{"dynamic", 10 * SV_MIB + 512, 60 * SV_GIB},   /* room behind the map */
		{"dynamic", 10 * SV_MIB, 600 * SV_GIB},        /* a block is in the way */
		{"dynamic", 10 * SV_MIB + 512, 3 * SV_TIB},    /* all blocks are */
		{"dynamic", 100 * SV_MIB, 100 * SV_MIB + 512}, /* one entry more */
		{"fixed", 10 * SV_MIB, 600 * SV_GIB},
		{"fixed", 10 * SV_MIB + 512, 10 * SV_MIB + 1024},
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		struct sv_image *img;

		unlink(at(s, "g.vdi"));
		make_image(at(s, "g.vdi"), "vdi", cases[i].kind, cases[i].from, NULL);
		img = open_image(at(s, "g.vdi"), true);
		write_all_over(sv_image_dev(img), (unsigned)i);
		dump_to(s, "g.vdi", "before.raw");
		assert_ok(sv_image_grow(img, cases[i].to, &err));
		dump_to(s, "g.vdi", "after.raw");
		assert_int_equal(truncate(at(s, "before.raw"), (off_t)cases[i].to), 0);
		assert_true(qemu_says_equal(at(s, "before.raw"), at(s, "after.raw")));
		write_pattern(sv_image_dev(img), cases[i].to - 512, 512, 9);
		write_pattern(sv_image_dev(img), cases[i].from, 512, 8);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		assert_reads_like_qemu(s, at(s, "g.vdi"));
		assert_int_equal(run("qemu-img", "check", at(s, "g.vdi")), 0);
		assert_sound(at(s, "g.vdi"));
	}
}

/* ---- chains ---- */

static void make_chain(struct scratch *s, uint64_t size, uint64_t child_size)
{
	struct sv_image *img;

	mkdir(at(s, "Snapshots"), 0777);
	unlink(at(s, "base.vdi"));
	unlink(at(s, "Snapshots/child.vdi"));
	make_image(at(s, "base.vdi"), "vdi", NULL, size, NULL);
	img = open_image(at(s, "base.vdi"), true);
	write_all_over(sv_image_dev(img), 1);
	sv_image_close(img);
	img = open_image(at(s, "base.vdi"), false);
	make_image(at(s, "Snapshots/child.vdi"), "vdi", NULL, child_size, img);
	sv_image_close(img);
}

static void a_larger_child_marks_its_tail_as_zeros(void **state)
{
	struct scratch *s = *state;
	const uint64_t size = 10 * SV_MIB + 512 * 77;
	struct sv_image *img;
	struct sv_extent e;
	struct sv_err err = SV_ERR_INIT;

	make_chain(s, size, 20 * SV_MIB);
	/* free: the parent's; the parent ends in block 10: stored; then zeros */
	assert_int_equal(map_entry(at(s, "Snapshots/child.vdi"), 9), SV_VDI_FREE);
	assert_int_equal(map_entry(at(s, "Snapshots/child.vdi"), 10), 0);
	for (uint64_t i = 11; i < 20; i++)
		assert_int_equal(map_entry(at(s, "Snapshots/child.vdi"), i), SV_VDI_ZERO);
	dump_to(s, "base.vdi", "base.raw");
	dump_to(s, "Snapshots/child.vdi", "child.raw");
	assert_int_equal(truncate(at(s, "base.raw"), 20 << 20), 0);
	assert_int_equal(run("cmp", "-s", at(s, "base.raw"), at(s, "child.raw")), 0);
	img = open_image(at(s, "Snapshots/child.vdi"), true);
	assert_int_equal(sv_image_links(img), 2);
	assert_ok(sv_dev_extent(sv_image_dev(img), 12 * SV_MIB, 20 * SV_MIB, &e, &err));
	assert_int_equal(e.kind, SV_EXTENT_ZERO);
	/* a new block over a zero mark is zeros around what is written */
	write_pattern(sv_image_dev(img), 12 * SV_MIB + 5, 7, 3);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	assert_sound(at(s, "Snapshots/child.vdi"));
}

static void finds_a_parent_by_its_id_when_it_was_renamed(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_chain(s, 10 * SV_MIB, 10 * SV_MIB);
	assert_int_equal(rename(at(s, "base.vdi"), at(s, "renamed.vdi")), 0);
	img = open_image(at(s, "Snapshots/child.vdi"), false);
	assert_non_null(strstr(sv_image_link(img, 1)->path, "renamed.vdi"));
	sv_image_close(img);
	assert_int_equal(rename(at(s, "renamed.vdi"), at(s, "renamed.other")), 0);
	assert_fails(open_fails(s, "Snapshots/child.vdi", &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.message, "child.vdi"));
}

static void refuses_a_parent_that_was_changed(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_chain(s, 10 * SV_MIB, 10 * SV_MIB);
	img = open_image(at(s, "base.vdi"), true);
	write_pattern(sv_image_dev(img), 0, 512, 99);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	assert_fails(open_fails(s, "Snapshots/child.vdi", &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "modification id"));
}

static void refuses_a_child_that_is_its_own_parent(void **state)
{
	struct scratch *s = *state;
	struct sv_vdi_disk_header h;
	struct sv_err err = SV_ERR_INIT;

	make_chain(s, 10 * SV_MIB, 10 * SV_MIB);
	unlink(at(s, "base.vdi"));
	peek(at(s, "Snapshots/child.vdi"), 0, &h, sizeof h);
	memcpy(h.parent_id, h.id, sizeof h.id);
	patch(at(s, "Snapshots/child.vdi"), 0, &h, sizeof h);
	assert_fails(open_fails(s, "Snapshots/child.vdi", &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "comes back"));
}

/* ---- derivation ---- */

static void derives_larger_disks_in_every_way(void **state)
{
	static const enum sv_image_derive ways[] = {SV_DERIVE_LINKED, SV_DERIVE_COPY};
	static const char *const sources[] = {"base.vdi", "Snapshots/child.vdi"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	make_chain(s, 10 * SV_MIB + 512, 15 * SV_MIB + 512);
	mkdir(at(s, "new"), 0777);
	for (size_t i = 0; i < 4; i++) {
		struct sv_image *img = open_image(at(s, sources[i / 2]), false);
		char *path = NULL;

		dump_to(s, sources[i / 2], "source.raw");
		unlink(at(s, "new/d.vdi"));
		assert_ok(sv_image_derive(sv_host_posix(), img, ways[i % 2], at(s, "new"), "d",
			700 * SV_GIB, NULL, &path, &err));
		sv_image_close(img);
		free(path);
		img = open_image(at(s, "new/d.vdi"), true);
		assert_int_equal(sv_dev_size(sv_image_dev(img)), 700 * SV_GIB);
		sv_image_close(img);
		dump_to(s, "new/d.vdi", "derived.raw");
		assert_true(qemu_says_equal(at(s, "source.raw"), at(s, "derived.raw")));
		assert_sound(at(s, "new/d.vdi"));
	}
}

/* ---- damage ---- */

static int open_writable(struct scratch *s, const char *image, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = true};
	struct sv_image *img = NULL;

	return sv_image_open(sv_host_posix(), at(s, image), &opts, &img, err);
}

static void refuses_headers_that_lie(void **state)
{
	static const struct {
		uint64_t at;
		const char *bytes;
		size_t n;
		enum sv_code code;
	} cases[] = {
		{0x44, "\0\0\0\0", 4, SV_UNSUPPORTED},            /* version 0 */
		{0x4c, "\3\0\0\0", 4, SV_UNSUPPORTED},            /* undo image */
		{0x154, "\0\0\0\x80", 4, SV_CORRUPT},             /* map beyond the end */
		{0x158, "\0\2\0\0", 4, SV_CORRUPT},               /* blocks over the map */
		{0x170, "\0\0\0\0\0\0\0\x80", 8, SV_UNSUPPORTED}, /* 2^63 bytes */
		{0x170, "\0\0\0\0\0\0\0\0", 8, SV_CORRUPT},       /* none */
		{0x178, "\0\0\x30\0", 4, SV_UNSUPPORTED},         /* blocks of 3 MiB */
		{0x180, "\1\0\0\0", 4, SV_CORRUPT},               /* a map too small */
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		uint64_t offset = cases[i].at == 0x44 ? 0x44 : cases[i].at;

		unlink(at(s, "h.vdi"));
		make_image(at(s, "h.vdi"), "vdi", NULL, 10 * SV_MIB, NULL);
		patch(at(s, "h.vdi"), cases[i].at, cases[i].bytes, cases[i].n);
		assert_fails(open_fails(s, "h.vdi", &err), cases[i].code, offset);
	}
}

static void refuses_a_block_outside_the_file(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint8_t buf[512];

	make_image(at(s, "b.vdi"), "vdi", NULL, 10 * SV_MIB, NULL);
	patch(at(s, "b.vdi"), 512 + 12, "\0\0\0\x40", 4);
	img = open_image(at(s, "b.vdi"), false);
	assert_fails(sv_dev_read(sv_image_dev(img), buf, 512, 3 * SV_MIB, &err), SV_CORRUPT,
		512 + 12);
	sv_image_close(img);
	assert_fails(open_writable(s, "b.vdi", &err), SV_CORRUPT, 512 + 12);
}

struct list {
	uint64_t offsets[16];
	bool leaks[16];
	size_t n;
};

static void add_to_list(
	void *user, bool leak, const char *path, uint64_t offset, const char *message)
{
	struct list *l = user;

	(void)path;
	(void)message;
	assert_in_range(l->n, 0, 15);
	l->leaks[l->n] = leak;
	l->offsets[l->n++] = offset;
}

static void lists_every_fault_with_its_offset(void **state)
{
	struct scratch *s = *state;
	const char *path = at(s, "list.vdi");
	struct list l = {0};
	struct sv_image_faults faults = {.report = add_to_list, .user = &l};
	struct sv_err err = SV_ERR_INIT;
	struct sv_vdi_disk_header h;

	make_image(path, "vdi", "fixed", 6 * SV_MIB, NULL);
	peek(path, 0, &h, sizeof h);
	patch(path, 512 + 4, "\0\0\0\0", 4);          /* block 1 where block 0 is */
	patch(path, 512 + 8, "\6\0\0\0", 4);          /* one beyond the end */
	patch(path, 512 + 12, "\xfd\xff\xff\xff", 4); /* the last place that is one */
	patch(path, 512 + 20, "\xff\xff\xff\xff", 4); /* block 5 is free */
	patch(path, 0x184, "\3\0\0\0", 4);            /* fewer than there are */
	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 4);
	assert_int_equal(faults.leaks, 1);
	assert_int_equal(l.n, 5);
	assert_int_equal(l.offsets[0], 512 + 4);
	assert_int_equal(l.offsets[1], 512 + 8);
	assert_int_equal(l.offsets[2], 512 + 12);
	assert_int_equal(l.offsets[3], 0x184);
	assert_true(l.leaks[4]); /* places 1 and 2 */
	assert_int_equal(l.offsets[4], sv_get_le32(h.data_at) + SV_VDI_BLOCK);
}

/* A write to one of the blocks would change the other. */
static void refuses_to_write_blocks_that_share_a_place(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	make_image(at(s, "one-place.vdi"), "vdi", "fixed", 10 * SV_MIB, NULL);
	patch(at(s, "one-place.vdi"), 512 + 12, "\1\0\0\0", 4);
	sv_image_close(open_image(at(s, "one-place.vdi"), false));
	assert_fails(open_writable(s, "one-place.vdi", &err), SV_CORRUPT, 512 + 12);
	assert_non_null(strstr(err.hint, "image check"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_qemu_wrote),
		cmocka_unit_test(qemu_reads_and_checks_what_we_write),
		cmocka_unit_test(qemu_and_we_find_a_block_that_is_used_twice),
		cmocka_unit_test(grows_and_qemu_finds_the_same),
		cmocka_unit_test(a_larger_child_marks_its_tail_as_zeros),
		cmocka_unit_test(finds_a_parent_by_its_id_when_it_was_renamed),
		cmocka_unit_test(refuses_a_parent_that_was_changed),
		cmocka_unit_test(refuses_a_child_that_is_its_own_parent),
		cmocka_unit_test(derives_larger_disks_in_every_way),
		cmocka_unit_test(refuses_headers_that_lie),
		cmocka_unit_test(refuses_a_block_outside_the_file),
		cmocka_unit_test(refuses_to_write_blocks_that_share_a_place),
		cmocka_unit_test(lists_every_fault_with_its_offset),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
