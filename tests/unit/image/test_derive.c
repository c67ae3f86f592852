/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Larger disks made from others: linked and copied, judged by qemu, originals untouched. */
#include "image/scratch.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *const kinds[] = {
	"monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"};

/* ---- originals ---- */

static void write_original(const char *path, unsigned seed)
{
	struct sv_image *img = open_image(path, true);
	struct sv_dev *d = sv_image_dev(img);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(d, seed * 70000, 100000, seed);
	write_pattern(d, sv_dev_size(d) - 70000 - seed * 512, 70000, seed + 1);
	assert_ok(sv_dev_flush(d, &err));
	sv_image_close(img);
}

/* A chain of n links of `size` bytes in the folder "orig"; the leaf's path. */
static const char *make_chain(struct scratch *s, const char *kind, uint64_t size, int n)
{
	struct sv_image *parent = NULL;
	const char *path = NULL;
	char name[64];

	mkdir(at(s, "orig"), 0700);
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "orig/%s-%d-%d.vmdk", kind, n, i);
		path = at(s, name);
		make_image(path, "vmdk", i ? "monolithicSparse" : kind, size, parent);
		sv_image_close(parent);
		write_original(path, (unsigned)i + 1);
		parent = open_image(path, false);
	}
	sv_image_close(parent);
	return path;
}

/* One digest for all files of a folder, with their names and times. */
static void hash_folder(const char *dir, uint8_t ret[32])
{
	struct sv_host *host = sv_host_posix();
	struct sv_err err = SV_ERR_INIT;
	struct sv_sha256 *h = sv_sha256_new(&err);
	struct sv_host_stat st;
	uint8_t one[32];
	char **names;
	size_t n;

	assert_ok(sv_host_list(host, dir, &names, &n, &err));
	for (size_t i = 0; i < n; i++) {
		char *path = sv_path_join(dir, names[i]);
		struct sv_dev *d = NULL;

		assert_ok(sv_host_stat(host, path, &st, &err));
		assert_ok(sv_host_open(host, path, SV_OPEN_READ, &d, &err));
		for (uint64_t off = 0; off < sv_dev_size(d);) {
			struct sv_extent e;

			assert_ok(sv_dev_extent(d, off, sv_dev_size(d), &e, &err));
			if (e.kind == SV_EXTENT_DATA) {
				assert_ok(sv_dev_hash(d, off, e.length, one, NULL, &err));
				sv_sha256_add(h, one, sizeof one);
			}
			off += e.length;
		}
		sv_sha256_add(h, names[i], strlen(names[i]));
		sv_sha256_add(h, &st.mtime_sec, sizeof st.mtime_sec);
		sv_sha256_add(h, &st.mtime_nsec, sizeof st.mtime_nsec);
		sv_dev_close(d);
		free(path);
	}
	sv_host_free_names(names, n);
	assert_ok(sv_sha256_end(h, ret, &err));
	sv_sha256_free(h);
}

static uint64_t folder_bytes(const char *dir)
{
	struct sv_host *host = sv_host_posix();
	struct sv_err err = SV_ERR_INIT;
	struct sv_host_stat st;
	uint64_t sum = 0;
	char **names;
	size_t n;

	assert_ok(sv_host_list(host, dir, &names, &n, &err));
	for (size_t i = 0; i < n; i++) {
		char *path = sv_path_join(dir, names[i]);

		assert_ok(sv_host_stat(host, path, &st, &err));
		sum += st.allocated;
		free(path);
	}
	sv_host_free_names(names, n);
	return sum;
}

/* ---- derived disks ---- */

static struct sv_image *open_linked(struct scratch *s, const char *path, bool writable)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_allow *allow = sv_allow_new(&err);
	struct sv_image_opts opts = {.writable = writable, .allow = allow};
	struct sv_image *img = NULL;

	assert_ok(sv_allow_add_dir(allow, sv_host_posix(), at(s, "orig"), &err));
	assert_ok(sv_image_open(sv_host_posix(), path, &opts, &img, &err));
	sv_allow_free(allow);
	return img;
}

static char *derive(struct scratch *s, const char *original, enum sv_image_derive how,
	const char *dir, uint64_t size)
{
	struct sv_image *img = open_image(original, false);
	struct sv_err err = SV_ERR_INIT;
	uint64_t cost = 0;
	char *path = NULL;

	mkdir(at(s, dir), 0700);
	assert_ok(sv_image_derive_cost(img, how, size, &cost, &err));
	assert_ok(sv_image_derive(
		sv_host_posix(), img, how, at(s, dir), "disk.vmdk", size, NULL, &path, &err));
	sv_image_close(img);
	assert_in_range(folder_bytes(at(s, dir)), 1, cost);
	return path;
}

static void drop_folder(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The original's content and zeros behind it, as qemu reads the original. */
static const char *expected(struct scratch *s, const char *original, uint64_t size)
{
	const char *raw = at(s, "expected.raw");

	unlink(raw);
	assert_int_equal(run("qemu-img", "convert", "-O", "raw", original, raw), 0);
	assert_int_equal(truncate(raw, (off_t)size), 0);
	return raw;
}

/* The same bytes, ours and qemu's, and after writes of both. */
static void assert_derived(
	struct scratch *s, const char *original, const char *path, bool linked, uint64_t size)
{
	const char *raw = expected(s, original, size), *own = at(s, "own.raw");
	struct sv_image *img = linked ? open_linked(s, path, true) : open_image(path, true);
	struct sv_dev *d = sv_image_dev(img);
	struct sv_err err = SV_ERR_INIT;

	assert_int_equal(sv_dev_size(d), size);
	assert_int_equal(qemu_size(s, path), size);
	assert_true(qemu_says_equal(raw, path));
	unlink(own);
	dump(d, own);
	assert_true(qemu_says_equal(raw, own));
	write_pattern(d, 3000, 100, 7);
	write_pattern(d, sv_dev_size(d) - 100000, 100000, 8);
	write_pattern(d, 70000, 90000, 9);
	assert_ok(sv_dev_flush(d, &err));
	unlink(own);
	dump(d, own);
	assert_true(qemu_says_equal(own, path));
	assert_false(qemu_says_equal(raw, path));
	sv_image_close(img);
	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", "write -P 7 150k 300k", path), 0);
	img = linked ? open_linked(s, path, false) : open_image(path, false);
	unlink(own);
	dump(sv_image_dev(img), own);
	assert_true(qemu_says_equal(own, path));
	sv_image_close(img);
	unlink(own);
	unlink(raw);
}

static void derives(struct scratch *s, enum sv_image_derive how, int links)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		const char *original = make_chain(s, kinds[i], 2100 * SV_MIB + 512, links);
		uint8_t before[32], after[32];
		char *path;

		hash_folder(at(s, "orig"), before);
		path = derive(s, original, how, "new", 3 * SV_GIB);
		assert_derived(s, original, path, how == SV_DERIVE_LINKED, 3 * SV_GIB);
		hash_folder(at(s, "orig"), after);
		assert_memory_equal(before, after, 32);
		free(path);
		drop_folder(at(s, "new"));
		drop_folder(at(s, "orig"));
	}
}

static void links_to_each_kind(void **state)
{
	derives(*state, SV_DERIVE_LINKED, 1);
}

static void links_to_a_chain_of_three(void **state)
{
	derives(*state, SV_DERIVE_LINKED, 3);
}

static void copies_each_kind(void **state)
{
	derives(*state, SV_DERIVE_COPY, 1);
}

static void flattens_a_chain_of_three(void **state)
{
	derives(*state, SV_DERIVE_COPY, 3);
}

static size_t count_files(const char *dir)
{
	char **names;
	size_t n;

	assert_int_equal(sv_host_list(sv_host_posix(), dir, &names, &n, NULL), 0);
	sv_host_free_names(names, n);
	return n;
}

/* On a file system that can; elsewhere it is said, and nothing is left. */
static void shares_blocks_or_says_that_the_host_cannot(void **state)
{
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		const char *original = make_chain(s, kinds[i], 2100 * SV_MIB + 512, 1);
		struct sv_image *img = open_image(original, false);
		struct sv_err err = SV_ERR_INIT;
		char *path = NULL;
		int rc;

		mkdir(at(s, "new"), 0700);
		rc = sv_image_derive(sv_host_posix(), img, SV_DERIVE_REFLINK, at(s, "new"),
			"disk", 3 * SV_GIB, NULL, &path, &err);
		sv_image_close(img);
		if (rc == 0) {
			assert_derived(s, original, path, false, 3 * SV_GIB);
		} else {
			assert_int_equal(err.code, SV_UNSUPPORTED);
			assert_int_equal(count_files(at(s, "new")), 0);
		}
		free(path);
		drop_folder(at(s, "new"));
		drop_folder(at(s, "orig"));
	}
}

static void cancel_midway(void *user, const char *stage, uint64_t done, uint64_t total)
{
	(void)stage;
	(void)total;
	if (done > 50000)
		((struct sv_job *)user)->cancel = true;
}

static void a_cancelled_copy_leaves_nothing(void **state)
{
	struct scratch *s = *state;

	for (int links = 1; links < 4; links += 2) {
		for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
			struct sv_image *img = open_image(
				make_chain(s, kinds[i], 2100 * SV_MIB, links), false);
			struct sv_job job = {.progress = cancel_midway};
			struct sv_err err = SV_ERR_INIT;
			char *path = NULL;

			job.user = &job;
			mkdir(at(s, "new"), 0700);
			assert_fails(
				sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY,
					at(s, "new"), "disk", 3 * SV_GIB, &job, &path, &err),
				SV_CANCELLED, UINT64_MAX);
			assert_int_equal(count_files(at(s, "new")), 0);
			sv_image_close(img);
			drop_folder(at(s, "new"));
			drop_folder(at(s, "orig"));
		}
	}
}

static void links_to_a_disk_of_equal_size_with_a_plain_delta(void **state)
{
	struct scratch *s = *state;
	const char *original = make_chain(s, kinds[0], 100 * SV_MIB, 2);
	char *path = derive(s, original, SV_DERIVE_LINKED, "new", 100 * SV_MIB);
	struct sv_image *img = open_image(path, false);
	assert_int_equal(sv_image_links(img), 3);
	assert_string_equal(sv_image_link(img, 0)->parent_hint, sv_image_link(img, 1)->path);
	assert_int_equal(count_files(at(s, "new")), 1);
	sv_image_close(img);
	assert_derived(s, original, path, false, 100 * SV_MIB);
	free(path);
	drop_folder(at(s, "new"));
	drop_folder(at(s, "orig"));
}

static void links_to_a_linked_disk_again(void **state)
{
	struct scratch *s = *state;
	const char *original = make_chain(s, kinds[0], 100 * SV_MIB, 1);
	char *first = derive(s, original, SV_DERIVE_LINKED, "orig/first", SV_GIB);
	struct sv_image *img = open_linked(s, first, false);
	struct sv_err err = SV_ERR_INIT;
	char *path = NULL;

	mkdir(at(s, "new"), 0700);
	assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_LINKED, at(s, "new"), "disk",
		3 * SV_GIB, NULL, &path, &err));
	sv_image_close(img);
	assert_derived(s, first, path, true, 3 * SV_GIB);
	free(path);
	free(first);
	drop_folder(at(s, "new"));
	drop_folder(at(s, "orig"));
}

static void opens_originals_elsewhere_only_when_allowed(void **state)
{
	struct scratch *s = *state;
	const char *original = make_chain(s, kinds[0], 100 * SV_MIB, 1);
	char *path = derive(s, original, SV_DERIVE_LINKED, "new", SV_GIB);
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	assert_fails(sv_image_open(sv_host_posix(), path, NULL, &img, &err), SV_UNSUPPORTED,
		UINT64_MAX);
	assert_non_null(strstr(err.hint, "--allow-path"));
	free(path);
	drop_folder(at(s, "new"));
	drop_folder(at(s, "orig"));
}

/* qemu compares 64 KiB by 64 KiB, which takes minutes here: it reads in some places instead. */
static void an_8_tib_link_costs_less_than_5_megabytes(void **state)
{
	struct scratch *s = *state;
	const char *original = make_chain(s, kinds[0], 8 * SV_GIB, 1);
	char *path;

	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", "write -P 5 1G 3M", "-c",
				 "write -P 6 8191M 1M", original),
		0);
	path = derive(s, original, SV_DERIVE_LINKED, "new", 8 * SV_TIB);
	assert_in_range(folder_bytes(at(s, "new")), 1, 5000000);
	assert_int_equal(qemu_size(s, path), 8 * SV_TIB);
	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", "read -P 5 1G 3M", path), 0);
	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", "read -P 6 8191M 1M", path), 0);
	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", "read -P 0 8G 50M", path), 0);
	assert_int_equal(run("qemu-io", "-f", "vmdk", "-c", "read -P 0 8388607M 1M", path), 0);
	assert_int_not_equal(run("qemu-io", "-f", "vmdk", "-c", "read -P 5 1G 4M", path), 0);
	free(path);
	drop_folder(at(s, "new"));
	drop_folder(at(s, "orig"));
}

/* ---- raw ---- */

static void copies_and_links_raw_disks(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *path = NULL;
	const char *original;

	mkdir(at(s, "orig"), 0700);
	mkdir(at(s, "new"), 0700);
	original = at(s, "orig/disk.raw");
	make_image(original, "raw", NULL, 50 * SV_MIB, NULL);
	write_original(original, 1);
	img = open_image(original, false);
	assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY, at(s, "new"), "d",
		SV_GIB, NULL, &path, &err));
	assert_true(qemu_says_equal(expected(s, original, SV_GIB), path));
	free(path);
	assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_LINKED, at(s, "new"), "l",
		SV_GIB, NULL, &path, &err));
	assert_true(sv_ends_with(path, "/l.qcow2"));
	assert_true(qemu_says_equal(expected(s, original, SV_GIB), path));
	sv_image_close(img);
	free(path);
	drop_folder(at(s, "new"));
	drop_folder(at(s, "orig"));
}

/* ---- limits ---- */

static void refuses_what_the_format_cannot_hold(void **state)
{
	struct scratch *s = *state;
	struct sv_image *split, *chain;
	struct sv_err err = SV_ERR_INIT;
	const char *path;

	path = make_chain(s, "twoGbMaxExtentSparse", 10 * SV_MIB, 1);
	split = open_image(path, false);
	path = make_chain(s, "monolithicSparse", 10 * SV_MIB, 2);
	chain = open_image(path, false);
	assert_fails(sv_image_check_limits(split, SV_DERIVE_COPY, 17 * SV_TIB, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "8192"));
	assert_ok(sv_image_check_limits(split, SV_DERIVE_COPY, 15 * SV_TIB, &err));
	assert_fails(sv_image_check_limits(split, SV_DERIVE_LINKED, 63 * SV_TIB, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_fails(sv_image_check_limits(split, SV_DERIVE_LINKED, SV_MIB, &err), SV_USAGE,
		UINT64_MAX);
	assert_fails(sv_image_check_limits(split, SV_DERIVE_LINKED, SV_GIB + 1, &err), SV_USAGE,
		UINT64_MAX);
	assert_fails(sv_image_check_limits(chain, SV_DERIVE_REFLINK, SV_GIB, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	sv_image_close(split);
	sv_image_close(chain);
	drop_folder(at(s, "orig"));
}

static void refuses_to_copy_data_that_would_pass_2_tib(void **state)
{
	struct scratch *s = *state;
	const char *path = make_chain(s, "monolithicSparse", 3 * SV_TIB, 1);
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	/* as large as an extent that is almost full; the host stores next to nothing */
	assert_int_equal(truncate(path, (off_t)(2 * SV_TIB - 64 * SV_MIB)), 0);
	img = open_image(path, false);
	assert_fails(sv_image_check_limits(img, SV_DERIVE_COPY, 4 * SV_TIB, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(sv_image_check_limits(img, SV_DERIVE_LINKED, 4 * SV_TIB, &err));
	sv_image_close(img);
	drop_folder(at(s, "orig"));
}

/* ---- failures ---- */

static void leaves_nothing_behind_when_a_name_is_taken(void **state)
{
	static const enum sv_image_derive hows[] = {SV_DERIVE_LINKED, SV_DERIVE_COPY};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	char *path = NULL;

	for (size_t i = 0; i < SV_ARRAY_LEN(hows); i++) {
		struct sv_image *img =
			open_image(make_chain(s, "twoGbMaxExtentFlat", 10 * SV_MIB, 1), false);

		mkdir(at(s, "new"), 0700);
		assert_ok(sv_host_write_file(
			sv_host_posix(), at(s, "new/disk.vmdk"), "x", 1, &err));
		assert_fails(sv_image_derive(sv_host_posix(), img, hows[i], at(s, "new"),
				     "disk", SV_GIB, NULL, &path, &err),
			SV_EXISTS, UINT64_MAX);
		assert_int_equal(count_files(at(s, "new")), 1);
		sv_image_close(img);
		drop_folder(at(s, "new"));
		drop_folder(at(s, "orig"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_to_each_kind),
		cmocka_unit_test(links_to_a_chain_of_three),
		cmocka_unit_test(copies_each_kind),
		cmocka_unit_test(flattens_a_chain_of_three),
		cmocka_unit_test(shares_blocks_or_says_that_the_host_cannot),
		cmocka_unit_test(a_cancelled_copy_leaves_nothing),
		cmocka_unit_test(links_to_a_disk_of_equal_size_with_a_plain_delta),
		cmocka_unit_test(links_to_a_linked_disk_again),
		cmocka_unit_test(opens_originals_elsewhere_only_when_allowed),
		cmocka_unit_test(an_8_tib_link_costs_less_than_5_megabytes),
		cmocka_unit_test(copies_and_links_raw_disks),
		cmocka_unit_test(refuses_what_the_format_cannot_hold),
		cmocka_unit_test(refuses_to_copy_data_that_would_pass_2_tib),
		cmocka_unit_test(leaves_nothing_behind_when_a_name_is_taken),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
