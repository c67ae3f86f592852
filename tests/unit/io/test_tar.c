/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Archives that GNU tar made, and archives that are damaged; files in them as a host shows
 * them. */
#include "io/tar.h"

#include "tempdir.h"

#include "base/num.h"

static char *dir;

static int set_up(void **state)
{
	(void)state;
	dir = make_temp_dir();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_tree(dir);
	return 0;
}

/* Runs a shell command in the folder. */
static void sh(const char *command)
{
	sv_autofree char *line = sv_format("cd '%s' && %s", dir, command);

	assert_int_equal(system(line), 0);
}

static struct sv_dev *open_archive(const char *name)
{
	sv_autofree char *path = in_dir(dir, name);
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = NULL;

	assert_ok(sv_host_open(sv_host_posix(), path, SV_OPEN_READ, &d, &err));
	return d;
}

/* The member of the name; the test fails where there is none. */
static struct sv_tar_member find(struct sv_dev *d, const char *name)
{
	struct sv_tar_walk w = {.dev = d};
	struct sv_err err = SV_ERR_INIT;
	struct sv_tar_member m;
	bool more;

	for (;;) {
		assert_ok(sv_tar_next(&w, &m, &more, &err));
		if (!more)
			fail_msg("%s is not in the archive", name);
		if (!strcmp(m.name, name))
			return m;
		free(m.name);
	}
}

static void assert_holds(const char *archive, const char *name, const char *content)
{
	struct sv_dev *d = open_archive(archive);
	struct sv_tar_member m = find(d, name);
	struct sv_err err = SV_ERR_INIT;
	char got[64] = "";

	assert_true(m.file && !m.sparse);
	assert_int_equal(m.size, strlen(content));
	assert_ok(sv_dev_read(d, got, (size_t)m.size, m.at, &err));
	assert_string_equal(got, content);
	free(m.name);
	sv_dev_close(d);
}

static void reads_what_tar_writes_in_each_format(void **state)
{
	static const char *const formats[] = {"v7", "oldgnu", "gnu", "ustar", "posix"};
	char long_name[200], command[600];

	(void)state;
	memset(long_name, 'n', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	put_text(dir, "a.txt", "alpha");
	put_text(dir, "b.txt", "beta");
	put_text(dir, "empty", "");
	sh("mkdir -p d && cp b.txt d/c.txt && ln -sf a.txt link");
	put_text(dir, long_name, "long");
	for (size_t i = 0; i < SV_ARRAY_LEN(formats); i++) {
		bool has_long = !strcmp(formats[i], "gnu") || !strcmp(formats[i], "posix");

		snprintf(command, sizeof command,
			"tar --format=%s -cf x.tar a.txt empty d link ./b.txt %s", formats[i],
			has_long ? long_name : "");
		sh(command);
		assert_holds("x.tar", "a.txt", "alpha");
		assert_holds("x.tar", "b.txt", "beta");
		assert_holds("x.tar", "d/c.txt", "beta");
		assert_holds("x.tar", "empty", "");
		if (has_long)
			assert_holds("x.tar", long_name, "long");
	}
	/* ustar divides a name in two fields */
	sh("mkdir -p $(printf 'p%.0s' $(seq 90))/q && cp a.txt $(printf 'p%.0s' $(seq 90))/q/"
	   "some-file-in-the-folder && tar --format=ustar -cf u.tar p*");
	snprintf(command, sizeof command, "%.90s/q/some-file-in-the-folder",
		"pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
		"pppppppppppppppppppppp");
	assert_holds("u.tar", command, "alpha");
}

/* 8 GiB is what 11 octal digits hold; GNU writes larger sizes in binary, pax in a record. */
static void reads_members_larger_than_8_gib(void **state)
{
	static const char *const formats[] = {"gnu", "posix"};
	char command[200];

	(void)state;
	put_text(dir, "behind", "here");
	for (size_t i = 0; i < SV_ARRAY_LEN(formats); i++) {
		struct sv_tar_member m;
		struct sv_dev *d;

		/* only the headers are kept: a hole is in the place of the data */
		snprintf(command, sizeof command,
			"truncate -s 9G big && tar --format=%s -cf - big | head -c 4096 >x.tar && "
			"rm big && truncate -s 9665773568 x.tar",
			formats[i]);
		sh(command);
		d = open_archive("x.tar");
		m = find(d, "big");
		assert_int_equal(m.size, 9 * SV_GIB);
		free(m.name);
		sv_dev_close(d);
	}
}

static void knows_sparse_members(void **state)
{
	static const char *const kinds[] = {"--format=gnu",
		"--format=posix --sparse-version=1.0", "--format=posix --sparse-version=0.1"};
	char command[200];

	(void)state;
	put_text(dir, "holes", "data");
	sh("truncate -s 10M holes");
	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		struct sv_tar_walk w = {0};
		struct sv_err err = SV_ERR_INIT;
		struct sv_tar_member m;
		bool more;

		snprintf(command, sizeof command, "tar %s -S -cf x.tar holes", kinds[i]);
		sh(command);
		w.dev = open_archive("x.tar");
		assert_ok(sv_tar_next(&w, &m, &more, &err));
		assert_true(more && m.file && m.sparse);
		free(m.name);
		sv_dev_close(w.dev);
	}
}

/* ---- damage ---- */

/* Walks to the end or to the first error. */
static int walk(const char *name, unsigned *ret_n, struct sv_err *err)
{
	struct sv_tar_walk w = {.dev = open_archive(name)};
	struct sv_tar_member m;
	bool more = true;
	int rc;

	*ret_n = 0;
	while (!(rc = sv_tar_next(&w, &m, &more, err)) && more) {
		free(m.name);
		++*ret_n;
	}
	sv_dev_close(w.dev);
	return rc;
}

static void tells_where_an_archive_is_cut_off(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	unsigned n;

	(void)state;
	sh("head -c 3000 /dev/zero | tr '\\0' x >a && cp a b && tar -cf x.tar a b");
	assert_ok(walk("x.tar", &n, &err));
	assert_int_equal(n, 2);
	/* the zeros at the end are not needed */
	sh("head -c 7168 x.tar >y.tar");
	assert_ok(walk("y.tar", &n, &err));
	assert_int_equal(n, 2);
	sh("head -c 6000 x.tar >y.tar");
	assert_fails(walk("y.tar", &n, &err), SV_CORRUPT, 6000);
	assert_int_equal(n, 2);
	assert_non_null(strstr(err.hint, "again"));
	sh("head -c 2000 x.tar >y.tar");
	assert_fails(walk("y.tar", &n, &err), SV_CORRUPT, 2000);
	assert_int_equal(n, 1);
	sh("head -c 100 x.tar >y.tar");
	assert_fails(walk("y.tar", &n, &err), SV_CORRUPT, 100);
	assert_int_equal(n, 0);
}

static void refuses_damaged_headers(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	unsigned n;

	(void)state;
	sh("echo a >a && tar -cf x.tar a && printf X | dd of=x.tar bs=1 seek=3 conv=notrunc "
	   "2>/dev/null");
	assert_fails(walk("x.tar", &n, &err), SV_CORRUPT, 0);
	assert_non_null(strstr(err.message, "checksum"));
}

/* A header block with the right sum. */
static void print_header(uint8_t block[SV_TAR_BLOCK], const char *size, char type)
{
	unsigned sum = 0;

	memset(block, 0, SV_TAR_BLOCK);
	memcpy(block, "name", 4);
	memcpy(block + 124, size, 12);
	memset(block + 148, ' ', 8);
	block[156] = (uint8_t)type;
	memcpy(block + 257, "ustar\00000", 8);
	for (size_t i = 0; i < SV_TAR_BLOCK; i++)
		sum += block[i];
	snprintf((char *)block + 148, 8, "%06o", sum);
}

static void refuses_sizes_that_are_none(void **state)
{
	static const struct {
		const char *size;
		bool good;
		uint64_t value;
	} cases[] = {
		{"00000000012", true, 10},
		{"        12 ", true, 10},
		{"\0\0\0\0\0\0\0\0\0\0\0", true, 0},
		{"777777777777", true, 68719476735},
		{"0000000001x", false, 0},
		{"-0000000012", false, 0},
		{"\x80\0\0\0\0\0\0\2\0\0\0\1", true, UINT64_C(0x200000001)},
		{"\x80\0\0\0\x40\0\0\0\0\0\0\0", true, SV_DEV_SIZE_MAX},
		{"\x80\0\0\0\x40\0\0\0\0\0\0\1", false, 0},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		uint8_t block[SV_TAR_BLOCK];
		struct sv_err err = SV_ERR_INIT;
		struct sv_tar_header h;

		print_header(block, cases[i].size, '0');
		if (cases[i].good) {
			assert_ok(sv_tar_header_parse(block, 1024, &h, &err));
			assert_int_equal(h.size, cases[i].value);
		} else {
			assert_fails(sv_tar_header_parse(block, 1024, &h, &err), SV_CORRUPT,
				1024 + 124);
		}
	}
}

static void refuses_damaged_extended_headers(void **state)
{
	static const struct {
		const char *text;
		uint64_t offset; /* UINT64_MAX: it is good */
	} cases[] = {
		{"12 path=abc\n", UINT64_MAX},
		{"9 size=1\n19 comment=whatever\n", 9},
		{"9 size=1\n20 comment=whatever\n", UINT64_MAX},
		{"13 path=abc\n", 0},
		{"12 path=abcd", 0},
		{"0 path=abc\n", 0},
		{"x path=abc\n", 0},
		{"8 path0\n", 0},
		{"10 size=1x\n", 0},
		{"28 size=9999999999999999999\n", 0},
		{"99999999999999999999 path=abc\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		const char *text = cases[i].text;
		struct sv_tar_pax pax = {0};
		struct sv_err err = SV_ERR_INIT;
		int rc = sv_tar_pax_parse(text, strlen(text), 512, &pax, &err);

		if (cases[i].offset == UINT64_MAX)
			assert_ok(rc);
		else
			assert_fails(rc, SV_CORRUPT, 512 + cases[i].offset);
		free(pax.path);
	}
}

static void stops_at_headers_without_end(void **state)
{
	uint8_t block[SV_TAR_BLOCK];
	sv_autofree char *path = in_dir(dir, "x.tar");
	struct sv_err err = SV_ERR_INIT;
	FILE *f = fopen(path, "wb");
	unsigned n;

	(void)state;
	print_header(block, "00000000000", '5');
	for (unsigned i = 0; i <= SV_TAR_HEADERS_MAX; i++)
		assert_int_equal(fwrite(block, 1, sizeof block, f), sizeof block);
	fclose(f);
	assert_fails(walk("x.tar", &n, &err), SV_CORRUPT,
		(uint64_t)SV_TAR_HEADERS_MAX * SV_TAR_BLOCK);
	/* a name that is longer than any, and one that is cut off */
	print_header(block, "00000020001", 'L');
	put_bytes(dir, "x.tar", block, sizeof block);
	assert_fails(walk("x.tar", &n, &err), SV_CORRUPT, 512);
	print_header(block, "00000001000", 'L');
	put_bytes(dir, "x.tar", block, sizeof block);
	assert_fails(walk("x.tar", &n, &err), SV_CORRUPT, UINT64_MAX);
}

/* ---- the host ---- */

static void shows_members_as_files(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *host = sv_tar_host(sv_host_posix(), &err);
	sv_autofree char *path = in_dir(dir, "x.ova/d/b.txt");
	sv_autofree char *missing = in_dir(dir, "x.ova/nothing");
	sv_autofree char *none = in_dir(dir, "a.txt/nothing");
	sv_autofree char *want = NULL;
	sv_autofree char *real = NULL;
	struct sv_dev *d = NULL;
	struct sv_host_stat st;
	char got[5] = "";

	(void)state;
	put_text(dir, "a.txt", "alpha");
	sh("mkdir -p d && printf beta >d/b.txt && tar -cf x.ova a.txt ./d/b.txt && rm d/b.txt");
	assert_ok(sv_host_stat(host, path, &st, &err));
	assert_int_equal(st.type, SV_HOST_FILE);
	assert_int_equal(st.size, 4);
	assert_true(sv_host_exists(host, path));
	assert_ok(sv_host_open(host, path, SV_OPEN_READ | SV_OPEN_NOFOLLOW, &d, &err));
	assert_int_equal(sv_dev_size(d), 4);
	assert_ok(sv_dev_read(d, got, 4, 0, &err));
	assert_string_equal(got, "beta");
	assert_fails(sv_dev_write(d, got, 4, 0, &err), SV_INTERNAL, UINT64_MAX);
	sv_dev_close(d);
	real = sv_host_real_path(host, path, &err);
	want = sv_host_real_path(sv_host_posix(), dir, &err);
	assert_true(real && want && sv_starts_with(real, want));
	assert_true(sv_ends_with(real, "/x.ova/d/b.txt"));
	assert_fails(
		sv_host_open(host, path, SV_OPEN_WRITE, &d, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.hint, "tar xf"));
	assert_fails(
		sv_host_open(host, missing, SV_OPEN_READ, &d, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.message, "nothing"));
	/* a file that is no archive is no folder */
	assert_fails(sv_host_stat(host, none, &st, &err), SV_NOTFOUND, UINT64_MAX);
	assert_null(sv_host_real_path(host, none, &err));
	sv_host_close(host);
}

static void leaves_real_files_as_they_are(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *host = sv_tar_host(sv_host_posix(), &err);
	sv_autofree char *path = in_dir(dir, "new/file");
	sv_autofree char *to = in_dir(dir, "new/other");
	sv_autofree char *folder = in_dir(dir, "new");
	char **names = NULL;
	struct sv_dev *d = NULL;
	uint64_t room;
	size_t n = 0;

	(void)state;
	assert_ok(sv_host_make_dir(host, folder, &err));
	assert_ok(sv_host_write_file(host, path, "x", 1, &err));
	assert_ok(sv_host_open(host, path, SV_OPEN_WRITE, &d, &err));
	assert_ok(sv_dev_write(d, "y", 1, 0, &err));
	sv_dev_close(d);
	assert_ok(sv_host_rename(host, path, to, false, &err));
	assert_ok(sv_host_list(host, folder, &names, &n, &err));
	assert_int_equal(n, 1);
	sv_host_free_names(names, n);
	assert_ok(sv_host_sync_dir(host, folder, &err));
	assert_ok(sv_host_free_space(host, folder, &room, &err));
	assert_int_equal(sv_host_can_reflink(host, to, folder),
		sv_host_can_reflink(sv_host_posix(), to, folder));
	if (!sv_host_can_reflink(host, to, folder))
		assert_fails(sv_host_reflink(host, to, path, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(sv_host_unlink(host, to, &err));
	sv_host_unlink(host, path, NULL);
	assert_ok(sv_host_remove_dir(host, folder, &err));
	sv_host_close(host);
}

static void refuses_members_that_are_not_in_one_piece(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_host *host = sv_tar_host(sv_host_posix(), &err);
	sv_autofree char *sparse = in_dir(dir, "s.ova/holes2");
	sv_autofree char *cut = in_dir(dir, "c.ova/long");
	struct sv_dev *d = NULL;

	(void)state;
	sh("echo data >holes2 && truncate -s 10M holes2 && tar -S -cf s.ova holes2 && rm holes2");
	assert_fails(
		sv_host_open(host, sparse, SV_OPEN_READ, &d, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "sparse"));
	sh("head -c 5000 /dev/zero >long && tar -cf - long | head -c 4000 >c.ova && rm long");
	assert_fails(sv_host_open(host, cut, SV_OPEN_READ, &d, &err), SV_CORRUPT, 512);
	assert_non_null(strstr(err.hint, "again"));
	sv_host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_tar_writes_in_each_format),
		cmocka_unit_test(reads_members_larger_than_8_gib),
		cmocka_unit_test(knows_sparse_members),
		cmocka_unit_test(tells_where_an_archive_is_cut_off),
		cmocka_unit_test(refuses_damaged_headers),
		cmocka_unit_test(refuses_sizes_that_are_none),
		cmocka_unit_test(refuses_damaged_extended_headers),
		cmocka_unit_test(stops_at_headers_without_end),
		cmocka_unit_test(shows_members_as_files),
		cmocka_unit_test(leaves_real_files_as_they_are),
		cmocka_unit_test(refuses_members_that_are_not_in_one_piece),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
