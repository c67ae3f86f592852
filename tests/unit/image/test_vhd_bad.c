/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VHDs that lie, in every field that is followed; what the check lists; and what is different
 * in the images of different makers: their marks, their sizes, the ways to name a parent.
 */
#include "image/scratch.h"
#include "image/vhd/format.h"

#include <unistd.h>

enum { TABLE = 1536, BLOCK = 4096, SPACE = SV_SECTOR + BLOCK };

/* ---- images made by hand ---- */

struct bad {
	struct sv_vhd_disk_footer f;
	struct sv_vhd_disk_header h;
	uint32_t entries[128]; /* host order */
	uint64_t blocks;       /* that the file has room for, from sector 4 on */
};

/* A dynamic disk of 8 blocks of 4 KiB, none stored. */
static struct bad sound(void)
{
	static const uint8_t id[SV_VHD_ID_SIZE] = "a disk";
	struct bad b = {.blocks = 8};

	sv_vhd_footer_make(&b.f, SV_VHD_DYNAMIC, 8 * BLOCK, id, 1);
	sv_vhd_header_make(&b.h, TABLE, 8, BLOCK);
	memset(b.entries, 0xff, sizeof b.entries);
	return b;
}

static void put(const char *path, struct bad *b)
{
	uint8_t table[sizeof b->entries], bits[SV_SECTOR];
	int fd;

	unlink(path);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	for (size_t i = 0; i < SV_ARRAY_LEN(b->entries); i++)
		sv_store_be32(table + 4 * i, b->entries[i]);
	sv_vhd_footer_sum(&b->f);
	sv_vhd_header_sum(&b->h);
	memset(bits, 0xff, sizeof bits);
	assert_int_equal(pwrite(fd, &b->f, sizeof b->f, 0), sizeof b->f);
	assert_int_equal(pwrite(fd, &b->h, sizeof b->h, 512), sizeof b->h);
	assert_int_equal(pwrite(fd, table, sizeof table, TABLE), sizeof table);
	for (uint64_t i = 0; i < b->blocks; i++)
		assert_int_equal(pwrite(fd, bits, 512, (off_t)(2048 + i * SPACE)), 512);
	assert_int_equal(
		pwrite(fd, &b->f, sizeof b->f, (off_t)(2048 + b->blocks * SPACE)), sizeof b->f);
	close(fd);
}

static int try_open(const char *path, bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	struct sv_image *img = NULL;
	int rc = sv_image_open(sv_host_posix(), path, &opts, &img, err);

	sv_image_close(img);
	return rc;
}

/* ---- headers ---- */

#define FOOTER(field) offsetof(struct sv_vhd_disk_footer, field)
#define HEADER(field) offsetof(struct sv_vhd_disk_header, field)

struct lie {
	size_t at; /* in the structure */
	const char *bytes;
	size_t n;
	enum sv_code code;
};

static void refuses_footers_that_lie(void **state)
{
	static const struct lie lies[] = {
		{FOOTER(version), "\0\2\0\0", 4, SV_UNSUPPORTED},
		{FOOTER(type), "\0\0\0\0", 4, SV_CORRUPT},
		{FOOTER(type), "\0\0\0\5", 4, SV_CORRUPT},
		{FOOTER(type), "\xff\xff\xff\xff", 4, SV_CORRUPT},
		{FOOTER(size), "\0\0\0\0\0\0\0\0", 8, SV_CORRUPT},
		{FOOTER(size), "\0\0\0\0\0\0\2\1", 8, SV_CORRUPT},
		{FOOTER(size), "\0\0\1\xfe\0\0\2\0", 8, SV_CORRUPT}, /* 2040 GiB and 512 */
		{FOOTER(size), "\x80\0\0\0\0\0\0\0", 8, SV_CORRUPT},
		{FOOTER(size), "\x7f\xff\xff\xff\xff\xff\xfe\0", 8, SV_CORRUPT},
		{FOOTER(header_at), "\0\0\0\0\0\1\0\0", 8, SV_CORRUPT},
		{FOOTER(header_at), "\x7f\xff\xff\xff\xff\xff\xff\0", 8, SV_CORRUPT},
		{FOOTER(header_at), "\xff\xff\xff\xff\xff\xff\xff\xff", 8, SV_CORRUPT},
	};
	const char *path = at(*state, "footer.vhd");
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(lies); i++) {
		struct bad b = sound();

		memcpy((uint8_t *)&b.f + lies[i].at, lies[i].bytes, lies[i].n);
		put(path, &b);
		assert_fails(try_open(path, false, &err), lies[i].code,
			2048 + b.blocks * SPACE + lies[i].at);
		assert_string_equal(err.path, path);
	}
}

static void refuses_headers_that_lie(void **state)
{
	static const struct lie lies[] = {
		{0, "cxspares", 8, SV_CORRUPT},
		{HEADER(version), "\0\2\0\0", 4, SV_UNSUPPORTED},
		{HEADER(block_size), "\0\0\0\0", 4, SV_CORRUPT},
		{HEADER(block_size), "\0\0\4\0", 4, SV_CORRUPT},
		{HEADER(block_size), "\0\x30\0\0", 4, SV_CORRUPT},
		{HEADER(block_size), "\x80\0\0\0", 4, SV_CORRUPT},
		{HEADER(max_entries), "\0\0\0\7", 4, SV_CORRUPT},
		{HEADER(table_at), "\0\0\0\0\0\0\0\0", 8, SV_CORRUPT},
		{HEADER(table_at), "\0\0\0\0\0\0\6\1", 8, SV_CORRUPT},
		{HEADER(table_at), "\0\0\0\1\0\0\0\0", 8, SV_CORRUPT},
		{HEADER(table_at), "\x7f\xff\xff\xff\xff\xff\xfe\0", 8, SV_CORRUPT},
		{HEADER(table_at), "\xff\xff\xff\xff\xff\xff\xfe\0", 8, SV_CORRUPT},
	};
	const char *path = at(*state, "header.vhd");
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(lies); i++) {
		struct bad b = sound();

		memcpy((uint8_t *)&b.h + lies[i].at, lies[i].bytes, lies[i].n);
		put(path, &b);
		assert_fails(try_open(path, false, &err), lies[i].code, 512 + lies[i].at);
	}
}

static void refuses_tables_larger_than_the_file_or_our_memory(void **state)
{
	const char *path = at(*state, "table.vhd");
	struct sv_err err = SV_ERR_INIT;
	struct bad b = sound();

	b.f.size = sv_put_be64(SV_VHD_SIZE_MAX);
	b.h.block_size = sv_put_be32(2 << 20);
	b.h.max_entries = sv_put_be32(UINT32_MAX);
	put(path, &b);
	assert_fails(try_open(path, false, &err), SV_CORRUPT, 512 + HEADER(table_at));
	b.h.block_size = sv_put_be32(BLOCK);
	put(path, &b);
	assert_fails(try_open(path, false, &err), SV_UNSUPPORTED, 512 + HEADER(block_size));
}

/* ---- what the check lists ---- */

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

static void assert_listed(const char *path, const struct list *want)
{
	struct list got = {0};
	struct sv_image_faults faults = {.report = add_to_list, .user = &got};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_image_check(sv_host_posix(), path, NULL, &faults, NULL, &err));
	assert_int_equal(got.n, want->n);
	for (size_t i = 0; i < got.n; i++) {
		assert_int_equal(got.offsets[i], want->offsets[i]);
		assert_int_equal(got.leaks[i], want->leaks[i]);
	}
}

static void lists_every_fault_with_its_offset(void **state)
{
	const struct list want = {/* those outside, then by their places */
		{TABLE + 8, TABLE + 12, TABLE + 16, TABLE + 4, TABLE + 24, 23 * 512},
		{[5] = true}, 6};
	const char *path = at(*state, "list.vhd");
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	struct bad b = sound();
	uint8_t buf[BLOCK];

	b.blocks = 4;
	b.entries[0] = 4;
	b.entries[1] = 4;          /* the same */
	b.entries[2] = 0x7fffffff; /* beyond the end */
	b.entries[3] = 1;          /* on the header */
	b.entries[4] = 0;          /* on the footer's copy */
	b.entries[5] = 4 + 9;
	b.entries[6] = 4 + 10; /* half on block 5 and half on nothing */
	put(path, &b);
	assert_listed(path, &want);
	/* what is sound is read, what is outside is refused, nothing is written */
	img = open_image(path, false);
	assert_ok(sv_dev_read(sv_image_dev(img), buf, BLOCK, 0, &err));
	assert_fails(
		sv_dev_read(sv_image_dev(img), buf, 1, 2 * BLOCK, &err), SV_CORRUPT, TABLE + 8);
	assert_fails(sv_dev_read(sv_image_dev(img), buf, 1, 4 * BLOCK, &err), SV_CORRUPT,
		TABLE + 16);
	sv_image_close(img);
	assert_fails(try_open(path, true, &err), SV_CORRUPT, TABLE + 8);
	assert_non_null(strstr(err.hint, "image check"));
}

/* Room for more blocks than anybody can count. */
static void lists_lost_space_of_a_huge_file_at_once(void **state)
{
	const uint64_t end = 8 * SV_TIB;
	const struct list want = {{2048 + SPACE}, {true}, 1};
	const char *path = at(*state, "holes.vhd");
	struct bad b = sound();
	int fd;

	b.blocks = 1;
	b.entries[7] = 4;
	put(path, &b);
	fd = open(path, O_RDWR);
	if (ftruncate(fd, (off_t)end) < 0) {
		close(fd);
		skip(); /* a host file system with a limit below */
	}
	assert_int_equal(pwrite(fd, &b.f, sizeof b.f, (off_t)(end - 512)), sizeof b.f);
	close(fd);
	assert_listed(path, &want);
}

static void lists_broken_copies_and_checksums(void **state)
{
	const char *path = at(*state, "sums.vhd");
	const uint64_t end = 2048;
	struct bad b = sound();
	int fd;

	b.blocks = 0;
	put(path, &b);
	assert_listed(path, &(const struct list){0});
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 100), 1); /* the front copy's reserved bytes */
	close(fd);
	assert_listed(path, &(const struct list){{0}, {0}, 1});
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, 512 + 1000), 1);
	assert_int_equal(pwrite(fd, "x", 1, (off_t)end + 100), 1);
	close(fd);
	assert_listed(path, &(const struct list){{end, 512}, {0}, 2});
}

/* ---- makers ---- */

/* The size is the footer's, whoever made it; qemu goes by the geometry for some. */
static void the_size_is_the_footers_whoever_made_it(void **state)
{
	static const struct {
		const char *creator;
		bool qemu_by_geometry; /* QEMU before 10, which takes it from fewer makers */
	} makers[] = {
		{"vpc ", true},   /* Virtual PC */
		{"vs  ", true},   /* Virtual Server */
		{"qemu", true},   /* QEMU */
		{"qem2", false},  /* QEMU with force_size */
		{"win ", false},  /* Hyper-V, Windows' own */
		{"d2v ", false},  /* Disk2vhd */
		{"tap\0", false}, /* Xen's tapdisk */
		{"CTXS", false},  /* XenServer's conversion */
		{"vbox", true},   /* VirtualBox: not on qemu's list */
	};
	const uint64_t size = 7 * SV_MIB + 512 * 77;
	struct scratch *s = *state;
	uint64_t by_geometry;

	for (size_t i = 0; i < SV_ARRAY_LEN(makers); i++) {
		const char *path = at(s, "maker.vhd"), *out = at(s, "info.json");
		struct sv_err err = SV_ERR_INIT;
		struct sv_vhd_disk_footer f;
		struct sv_image *img;
		char want[64], older[64], *text;
		int fd;

		unlink(path);
		make_image(path, "vhd", "fixed", size, NULL);
		fd = open(path, O_RDWR);
		assert_int_equal(pread(fd, &f, sizeof f, (off_t)size), sizeof f);
		memcpy(f.creator, makers[i].creator, 4);
		sv_vhd_footer_sum(&f);
		assert_int_equal(pwrite(fd, &f, sizeof f, (off_t)size), sizeof f);
		close(fd);
		by_geometry = sv_get_be16(f.cylinders) * (uint64_t)f.heads * f.sectors * 512;
		assert_in_range(by_geometry, size - 1000000, size - 1);
		img = open_image(path, true);
		assert_int_equal(sv_dev_size(sv_image_dev(img)), size);
		write_pattern(sv_image_dev(img), size - 512, 512, 1); /* no guest saw it yet */
		sv_image_close(img);
		if (run("qemu-img", "--version"))
			continue;
		assert_int_equal(
			run_to(out, "qemu-img", "info", "-f", "vpc", "--output=json", path), 0);
		text = sv_host_read_file(sv_host_posix(), out, 1 << 20, NULL, &err);
		snprintf(
			want, sizeof want, "\"virtual-size\": %llu,", (unsigned long long)size);
		snprintf(older, sizeof older, "\"virtual-size\": %llu,",
			(unsigned long long)by_geometry);
		if (!strstr(text, want) && !(makers[i].qemu_by_geometry && strstr(text, older)))
			fail_msg("%s: expected %s in %s", makers[i].creator, want, text);
		free(text);
	}
}

/* ---- parents ---- */

/* The child's names are taken away but for one locator, or the name in the header. */
static void name_parent(
	const char *path, const char *code, const void *text, size_t n, const char *name)
{
	struct sv_vhd_disk_header h;
	uint64_t at;
	int fd = open(path, O_RDWR);

	assert_int_equal(pread(fd, &h, sizeof h, 512), sizeof h);
	at = sv_get_be64(h.locators[0].offset);
	memset(h.parent_name, 0, sizeof h.parent_name);
	memset(h.locators, 0, sizeof h.locators);
	for (size_t i = 0; name && name[i]; i++)
		h.parent_name[2 * i + 1] = (uint8_t)name[i];
	if (code) {
		memcpy(h.locators[3].code, code, 4);
		h.locators[3].space = sv_put_be32(512);
		h.locators[3].length = sv_put_be32((uint32_t)n);
		h.locators[3].offset = sv_put_be64(at);
		assert_int_equal(pwrite(fd, text, n, (off_t)at), n);
	}
	sv_vhd_header_sum(&h);
	assert_int_equal(pwrite(fd, &h, sizeof h, 512), sizeof h);
	close(fd);
}

/* sub/child.vhd over "a base.vhd", which lies above it or beside it. */
static void make_pair(struct scratch *s, bool beside)
{
	const char *base = at(s, beside ? "sub/a base.vhd" : "a base.vhd");
	struct sv_image *img;

	mkdir(at(s, "sub"), 0777);
	unlink(at(s, "sub/child.vhd"));
	unlink(at(s, "a base.vhd"));
	unlink(at(s, "sub/a base.vhd"));
	make_image(base, "vhd", NULL, 4 * SV_MIB, NULL);
	img = open_image(base, false);
	make_image(at(s, "sub/child.vhd"), "vhd", NULL, 0, img);
	sv_image_close(img);
}

static void finds_the_parent_by_each_platforms_locator(void **state)
{
	static const struct {
		const char *code, *text, *name; /* name: in the header */
		bool wide, beside, found;
	} cases[] = {
		{"W2ru", "..\\a base.vhd", NULL, true, false, true},
		{"W2ru", ".\\a base.vhd", NULL, true, true, true},
		{"W2ku", "D:\\VMs\\a base.vhd", NULL, true, true, true},
		{"W2ku", "\\\\server\\share\\a base.vhd", NULL, true, true, true},
		{"Wi2r", "..\\a base.vhd", NULL, false, false, true},
		{"Wi2k", "C:\\a base.vhd", NULL, false, true, true},
		{"MacX", "file:///Users/me/a%20base.vhd", NULL, false, true, true},
		{"MacX", "file://localhost/a base.vhd", NULL, false, true, true},
		{"Mac ", "a base.vhd", NULL, false, true, false}, /* an alias record */
		{NULL, NULL, "C:\\Disks\\a base.vhd", false, true, true},
		{NULL, NULL, "/mnt/a base.vhd", false, true, true},
		/* the locator is another machine's: the header's name helps */
		{"W2ku", "C:\\gone.vhd", "a base.vhd", true, true, true},
		{NULL, NULL, NULL, false, true, false},
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		size_t n = cases[i].text ? strlen(cases[i].text) : 0;
		struct sv_err err = SV_ERR_INIT;
		void *wide = NULL;

		make_pair(s, cases[i].beside);
		if (cases[i].wide) {
			wide = sv_utf8_to_utf16(cases[i].text, &n);
			n *= 2;
		}
		name_parent(at(s, "sub/child.vhd"), cases[i].code, wide ? wide : cases[i].text,
			n, cases[i].name);
		free(wide);
		if (try_open(at(s, "sub/child.vhd"), false, &err) < 0 && cases[i].found)
			fail_msg("case %zu: %s", i, err.message);
		if (!cases[i].found)
			assert_string_equal(sv_code_name(err.code), "notfound");
	}
}

static void locators_that_lie_say_nothing(void **state)
{
	struct scratch *s = *state;
	struct sv_vhd_disk_header h;
	struct sv_image *img;
	int fd;

	make_pair(s, true);
	fd = open(at(s, "sub/child.vhd"), O_RDWR);
	assert_int_equal(pread(fd, &h, sizeof h, 512), sizeof h);
	h.locators[0].length = sv_put_be32(UINT32_MAX);
	memcpy(h.locators[1].code, "W2ku", 4);
	h.locators[1].length = sv_put_be32(64);
	h.locators[1].offset = sv_put_be64(UINT64_MAX - 16);
	sv_vhd_header_sum(&h);
	assert_int_equal(pwrite(fd, &h, sizeof h, 512), sizeof h);
	close(fd);
	img = open_image(at(s, "sub/child.vhd"), false); /* by the name in the header */
	assert_int_equal(sv_image_links(img), 2);
	sv_image_close(img);
}

static void give_id_of(const char *from, const char *to)
{
	struct sv_vhd_disk_footer a, b;
	int in = open(from, O_RDONLY), out = open(to, O_RDWR);
	off_t end = lseek(out, -512, SEEK_END);

	assert_int_equal(pread(in, &a, sizeof a, 0), sizeof a);
	assert_int_equal(pread(out, &b, sizeof b, 0), sizeof b);
	memcpy(b.id, a.id, sizeof b.id);
	sv_vhd_footer_sum(&b);
	assert_int_equal(pwrite(out, &b, sizeof b, 0), sizeof b);
	assert_int_equal(pwrite(out, &b, sizeof b, end), sizeof b);
	close(in);
	close(out);
}

/* loop0 <- loop1 <- loop2; then loop2 takes the place of loop0, with its id. */
static void refuses_two_disks_that_are_each_others_parent(void **state)
{
	static const char *const names[] = {"loop0.vhd", "loop1.vhd", "loop2.vhd"};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *parent = NULL;

	for (size_t i = 0; i < 3; i++) {
		make_image(at(s, names[i]), "vhd", NULL, parent ? 0 : 4 * SV_MIB, parent);
		sv_image_close(parent);
		parent = open_image(at(s, names[i]), false);
	}
	sv_image_close(parent);
	give_id_of(at(s, "loop0.vhd"), at(s, "loop2.vhd"));
	assert_int_equal(rename(at(s, "loop2.vhd"), at(s, "loop0.vhd")), 0);
	assert_fails(try_open(at(s, "loop0.vhd"), false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "comes back"));
	assert_fails(try_open(at(s, "loop1.vhd"), true, &err), SV_CORRUPT, UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_footers_that_lie),
		cmocka_unit_test(refuses_headers_that_lie),
		cmocka_unit_test(refuses_tables_larger_than_the_file_or_our_memory),
		cmocka_unit_test(lists_every_fault_with_its_offset),
		cmocka_unit_test(lists_lost_space_of_a_huge_file_at_once),
		cmocka_unit_test(lists_broken_copies_and_checksums),
		cmocka_unit_test(the_size_is_the_footers_whoever_made_it),
		cmocka_unit_test(finds_the_parent_by_each_platforms_locator),
		cmocka_unit_test(locators_that_lie_say_nothing),
		cmocka_unit_test(refuses_two_disks_that_are_each_others_parent),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
