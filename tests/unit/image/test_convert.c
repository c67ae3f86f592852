/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Conversion: chains, snapshots, what is refused, and what a cut or a failure leaves: the whole
 * result, or nothing that stands in the way of the next run.
 */
#include "image/scratch.h"
#include "host_fault.h"
#include "image/compare.h"
#include "image/convert.h"

#include <sys/stat.h>
#include <unistd.h>

#define SIZE (5 * SV_MIB + 3 * SV_SECTOR)

/* ---- helpers ---- */

static int convert_on(struct sv_host *host, const struct sv_convert_request *req,
	struct sv_convert_result *ret, struct sv_err *err)
{
	struct sv_convert *c = NULL;
	int rc = sv_convert_open(host, req, &c, err);

	if (!rc)
		rc = sv_convert_run(c, NULL, ret, err);
	sv_convert_close(c);
	return rc;
}

static void convert(const char *from, const char *to, bool keep_chain)
{
	struct sv_convert_request req = {.from = from, .to = to, .keep_chain = keep_chain};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(convert_on(sv_host_posix(), &req, NULL, &err));
}

static int convert_fails(const struct sv_convert_request *req, struct sv_err *err)
{
	return convert_on(sv_host_posix(), req, NULL, err);
}

static struct sv_compare_result compare(const char *a, const char *b, bool strict)
{
	const struct sv_compare_opts opts = {.strict = strict};
	struct sv_image *one = open_image(a, false), *two = open_image(b, false);
	struct sv_err err = SV_ERR_INIT;
	struct sv_compare_result r;

	assert_ok(
		sv_image_compare(sv_image_dev(one), sv_image_dev(two), &opts, NULL, &r, &err));
	sv_image_close(one);
	sv_image_close(two);
	return r;
}

static void assert_same(const char *a, const char *b)
{
	struct sv_compare_result r = compare(a, b, true);

	if (!r.equal)
		fail_msg("%s and %s differ at %llu", a, b, (unsigned long long)r.first);
}

static void write_to(const char *path, uint64_t off, size_t n, unsigned seed)
{
	struct sv_image *img = open_image(path, true);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(sv_image_dev(img), off, n, seed);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
}

/* A disk "base" and two deltas over it; in the last one a hole hides data below. */
static void make_chain(struct scratch *s, const char *format, const char *extension)
{
	static const char *const names[] = {"base", "mid", "leaf"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *parent = NULL;

	for (unsigned i = 0; i < 3; i++) {
		sv_autofree char *name = sv_format("%s%s", names[i], extension);

		make_image(at(s, name), format, NULL, SIZE, parent);
		sv_image_close(parent);
		write_to(at(s, name), i * 70000, 100000, i + 1);
		write_to(at(s, name), 3 * SV_MIB + i * 512, 2 * SV_MIB - 2048, i + 4);
		parent = open_image(at(s, name), false);
	}
	sv_image_close(parent);
	{
		sv_autofree char *leaf = sv_format("leaf%s", extension);

		parent = open_image(at(s, leaf), true);
	}
	assert_ok(sv_dev_discard(sv_image_dev(parent), 70000, 130000, &err));
	assert_ok(sv_dev_flush(sv_image_dev(parent), &err));
	sv_image_close(parent);
}

/* ---- chains ---- */

static void makes_one_image_of_a_chain(void **state)
{
	struct scratch *s = *state;

	make_chain(s, "vmdk", ".vmdk");
	convert(at(s, "leaf.vmdk"), at(s, "flat.img"), false);
	assert_same(at(s, "leaf.vmdk"), at(s, "flat.img"));
	convert(at(s, "leaf.vmdk"), at(s, "flat.vmdk"), false);
	assert_same(at(s, "leaf.vmdk"), at(s, "flat.vmdk"));
	assert_sound(at(s, "flat.vmdk"));
}

/* Every link shows what the old one does, and the chain is one. */
static void check_kept(struct scratch *s, const char *extension)
{
	static const char *const names[] = {"base", "mid", "leaf"};

	for (unsigned i = 0; i < 3; i++) {
		sv_autofree char *old = sv_format("%s.vmdk", names[i]);
		sv_autofree char *new = sv_format("new/%s%s", names[i], extension);
		struct sv_image *img = open_image(at(s, new), false);

		assert_int_equal(sv_image_links(img), i + 1);
		sv_image_close(img);
		assert_same(at(s, old), at(s, new));
		assert_sound(at(s, new));
	}
}

static void keeps_a_chain_in_every_format_that_has_them(void **state)
{
	struct scratch *s = *state;
	struct sv_image_format f;

	make_chain(s, "vmdk", ".vmdk");
	for (size_t i = 0; sv_image_format(i, &f); i++) {
		sv_autofree char *to = sv_format("new/leaf%s", f.extension);

		if (!f.can_create || !f.has_parents)
			continue;
		mkdir(at(s, "new"), 0700);
		convert(at(s, "leaf.vmdk"), at(s, to), true);
		check_kept(s, f.extension);
		/* they stand on each other wherever they are */
		assert_int_equal(rename(at(s, "new"), at(s, "moved")), 0);
		assert_int_equal(rename(at(s, "moved"), at(s, "new")), 0);
		assert_int_equal(run("rm", "-r", at(s, "new")), 0);
	}
}

static void names_links_of_one_name_apart(void **state)
{
	struct scratch *s = *state;
	struct sv_image *parent;

	mkdir(at(s, "a"), 0700);
	mkdir(at(s, "new"), 0700);
	make_image(at(s, "a/disk.vmdk"), "vmdk", NULL, SIZE, NULL);
	write_to(at(s, "a/disk.vmdk"), 0, 4096, 1);
	parent = open_image(at(s, "a/disk.vmdk"), false);
	make_image(at(s, "disk.vmdk"), "vmdk", NULL, SIZE, parent);
	sv_image_close(parent);
	convert(at(s, "disk.vmdk"), at(s, "new/disk.vmdk"), true);
	assert_same(at(s, "disk.vmdk"), at(s, "new/disk.vmdk"));
	assert_same(at(s, "a/disk.vmdk"), at(s, "new/disk-1.vmdk"));
}

/* A qcow2 larger than its backing file: no VMDK can be that, and it is said before any work. */
static void refuses_a_chain_that_the_format_cannot_hold(void **state)
{
	struct scratch *s = *state;
	struct sv_convert_request req = {.keep_chain = true};
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *parent;
	struct stat st;

	make_image(at(s, "base.img"), "raw", NULL, SIZE, NULL);
	parent = open_image(at(s, "base.img"), false);
	make_image(at(s, "leaf.qcow2"), "qcow2", NULL, 2 * SIZE, parent);
	sv_image_close(parent);
	req.from = at(s, "leaf.qcow2");
	req.to = at(s, "new.vmdk");
	assert_fails(convert_fails(&req, &err), SV_UNSUPPORTED, UINT64_MAX);
	req.to = at(s, "new.img");
	assert_fails(convert_fails(&req, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_int_equal(stat(at(s, "new.vmdk.partial"), &st), -1);
	assert_int_equal(stat(at(s, "base.vmdk"), &st), -1);
}

static void packs_a_chain_into_a_stream(void **state)
{
	struct scratch *s = *state;
	struct sv_convert_request req = {.subformat = "streamOptimized"};
	struct sv_err err = SV_ERR_INIT;

	make_chain(s, "vmdk", ".vmdk");
	req.from = at(s, "leaf.vmdk");
	req.to = at(s, "packed.vmdk");
	assert_ok(convert_on(sv_host_posix(), &req, NULL, &err));
	assert_same(at(s, "leaf.vmdk"), at(s, "packed.vmdk"));
	req.to = at(s, "chain.vmdk");
	req.keep_chain = true;
	assert_fails(convert_fails(&req, &err), SV_UNSUPPORTED, UINT64_MAX);
}

/* ---- what is refused ---- */

static void refuses_names_that_are_taken(void **state)
{
	struct scratch *s = *state;
	struct sv_convert_request req = {.subformat = "twoGbMaxExtentSparse"};
	struct sv_err err = SV_ERR_INIT;
	struct stat st;

	make_image(at(s, "from.img"), "raw", NULL, SIZE, NULL);
	req.from = at(s, "from.img");
	req.to = at(s, "from.img");
	req.format = "raw";
	req.subformat = NULL;
	assert_fails(convert_fails(&req, &err), SV_EXISTS, UINT64_MAX);
	/* the extent of another disk */
	make_image(at(s, "to-s001.vmdk"), "raw", NULL, SIZE, NULL);
	req = (struct sv_convert_request){.from = at(s, "from.img"),
		.to = at(s, "to.vmdk"),
		.subformat = "twoGbMaxExtentSparse"};
	assert_fails(convert_fails(&req, &err), SV_EXISTS, UINT64_MAX);
	assert_int_equal(stat(at(s, "to.vmdk"), &st), -1);
	assert_int_equal(stat(at(s, "to.vmdk.partial"), &st), -1);
	assert_int_equal(stat(at(s, "to-s001.vmdk"), &st), 0);
	/* a folder that is not ours */
	mkdir(at(s, "b.vmdk.partial"), 0700);
	make_image(at(s, "b.vmdk.partial/mine.img"), "raw", NULL, SIZE, NULL);
	req.to = at(s, "b.vmdk");
	assert_fails(convert_fails(&req, &err), SV_EXISTS, UINT64_MAX);
	assert_int_equal(stat(at(s, "b.vmdk.partial/mine.img"), &st), 0);
}

static void refuses_formats_and_sizes_by_name(void **state)
{
	struct scratch *s = *state;
	struct sv_convert_request req = {0};
	struct sv_err err = SV_ERR_INIT;

	make_image(at(s, "from.img"), "raw", NULL, 3 * SV_TIB, NULL);
	req.from = at(s, "from.img");
	req.to = at(s, "to.nonsense");
	assert_fails(convert_fails(&req, &err), SV_USAGE, UINT64_MAX);
	assert_non_null(strstr(err.hint, "qcow2"));
	req.format = "nonsense";
	assert_fails(convert_fails(&req, &err), SV_USAGE, UINT64_MAX);
	req.format = "vmdk";
	req.subformat = "nonsense";
	assert_fails(convert_fails(&req, &err), SV_USAGE, UINT64_MAX);
	assert_non_null(strstr(err.hint, "monolithicFlat"));
	req.format = "vhd";
	req.subformat = NULL;
	assert_fails(convert_fails(&req, &err), SV_UNSUPPORTED, UINT64_MAX);
}

/* A host with little room. */
struct poor_host {
	struct sv_host host;
	struct sv_host_ops ops;
};

static int little_room(struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	(void)h;
	(void)path;
	(void)err;
	*ret = SV_MIB;
	return 0;
}

static void refuses_a_host_without_room(void **state)
{
	struct scratch *s = *state;
	struct poor_host poor = {.ops = *sv_host_posix()->ops};
	struct sv_convert_request req = {0};
	struct sv_err err = SV_ERR_INIT;

	poor.ops.free_space = little_room;
	poor.host.ops = &poor.ops;
	make_image(at(s, "from.img"), "raw", NULL, SIZE, NULL);
	write_to(at(s, "from.img"), 0, 3 << 20, 1);
	req.from = at(s, "from.img");
	req.to = at(s, "to.vmdk");
	assert_fails(convert_on(&poor.host, &req, NULL, &err), SV_NOSPACE, UINT64_MAX);
}

/* ---- snapshots ---- */

static void converts_the_state_of_a_snapshot(void **state)
{
	struct scratch *s = *state;
	const char *disk = at(s, "disk.qcow2");
	sv_autofree char *snapshot = sv_format("%s@old", disk);

	need_qemu();
	make_image(disk, "qcow2", NULL, SIZE, NULL);
	write_to(disk, 0, 300000, 1);
	convert(disk, at(s, "before.img"), false);
	assert_int_equal(run("qemu-img", "snapshot", "-c", "old", disk), 0);
	write_to(disk, 100000, 300000, 2);
	convert(snapshot, at(s, "old.vmdk"), false);
	assert_same(at(s, "before.img"), at(s, "old.vmdk"));
	assert_false(compare(disk, at(s, "old.vmdk"), false).equal);
}

/* ---- comparing ---- */

static void finds_the_first_difference(void **state)
{
	struct scratch *s = *state;
	struct sv_compare_result r;
	const char *a = at(s, "a.vmdk"), *b = at(s, "b.img");

	make_image(a, "vmdk", NULL, 40 * SV_MIB, NULL);
	write_to(a, 0, 12 << 20, 1);
	convert(a, b, false);
	assert_same(a, b);
	write_to(b, 30 * SV_MIB + 4711, 1, 9);
	r = compare(a, b, false);
	assert_false(r.equal);
	assert_int_equal(r.first, 30 * SV_MIB + 4711);
	write_to(b, 7 * SV_MIB + 17, 1, 9);
	assert_int_equal(compare(a, b, false).first, 7 * SV_MIB + 17);
	assert_int_equal(compare(b, a, false).first, 7 * SV_MIB + 17);
	assert_false(compare(a, b, false).only_size);
}

static void takes_zeros_at_the_end_as_equal_unless_strict(void **state)
{
	struct scratch *s = *state;
	const char *a = at(s, "a.img"), *b = at(s, "b.img");
	struct sv_compare_result r;

	make_image(a, "raw", NULL, SIZE, NULL);
	make_image(b, "raw", NULL, 2 * SIZE, NULL);
	write_to(a, 0, 70000, 1);
	write_to(b, 0, 70000, 1);
	assert_true(compare(a, b, false).equal);
	r = compare(a, b, true);
	assert_false(r.equal);
	assert_true(r.only_size);
	assert_int_equal(r.first, SIZE);
	write_to(b, SIZE + 70001, 1, 3);
	r = compare(a, b, false);
	assert_false(r.equal);
	assert_false(r.only_size);
	assert_int_equal(r.first, SIZE + 70001);
}

/* ---- cuts ---- */

static void prepare_cut(const char *dir, void *user)
{
	sv_autofree char *path = sv_format("%s/from.img", dir);

	(void)user;
	make_image(path, "raw", NULL, SIZE, NULL);
	write_to(path, 65536, 200000, 1);
	write_to(path, SIZE - 70000, 70000, 2);
}

static int convert_in(struct sv_host *host, const char *dir, struct sv_err *err)
{
	sv_autofree char *from = sv_format("%s/from.img", dir);
	sv_autofree char *to = sv_format("%s/to.vmdk", dir);
	struct sv_convert_request req = {.from = from, .to = to, .subformat = "monolithicFlat"};

	return convert_on(host, &req, NULL, err);
}

static int work(struct sv_host *host, const char *dir, void *user, struct sv_err *err)
{
	(void)user;
	return convert_in(host, dir, err);
}

static bool is_whole(const char *dir)
{
	sv_autofree char *from = sv_format("%s/from.img", dir);
	sv_autofree char *to = sv_format("%s/to.vmdk", dir);
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img = NULL;

	if (sv_image_open(sv_host_posix(), to, NULL, &img, &err) < 0)
		return false;
	sv_image_close(img);
	return compare(from, to, true).equal;
}

/* The folder holds the source and the result's files, nothing else. */
static bool is_clean(const char *dir)
{
	static const char *const names[] = {"from.img", "to-flat.vmdk", "to.vmdk"};
	struct sv_err err = SV_ERR_INIT;
	char **found;
	size_t n;
	bool same;

	assert_ok(sv_host_list(sv_host_posix(), dir, &found, &n, &err));
	same = n == SV_ARRAY_LEN(names);
	for (size_t i = 0; same && i < n; i++)
		same = strcmp(found[i], names[i]) == 0;
	sv_host_free_names(found, n);
	return same;
}

static const char *look(const char *dir, void *user, bool done)
{
	sv_autofree char *to = sv_format("%s/to.vmdk", dir);
	static char text[600];
	struct sv_err err = SV_ERR_INIT;

	(void)user;
	if (sv_host_exists(sv_host_posix(), to))
		return is_whole(dir) ? NULL : "there is a disk, but it is not whole";
	if (done)
		return "it was done, and there is no disk";
	if (convert_in(sv_host_posix(), dir, &err) < 0) {
		snprintf(
			text, sizeof text, "the next run fails: %s: %s", err.path, err.message);
		return text;
	}
	if (!is_whole(dir))
		return "the next run's disk is not whole";
	return is_clean(dir) ? NULL : "something is left after the next run";
}

static void leaves_all_or_nothing_when_it_is_cut(void **state)
{
	const struct host_fault_sweep sweep = {
		prepare_cut, work, look, NULL, .seeds = 2, .failures = true};

	(void)state;
	assert_true(host_fault_sweep(&sweep) > 60);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, drop_scratch)
	const struct CMUnitTest tests[] = {
		TEST(makes_one_image_of_a_chain),
		TEST(keeps_a_chain_in_every_format_that_has_them),
		TEST(packs_a_chain_into_a_stream),
		TEST(names_links_of_one_name_apart),
		TEST(refuses_a_chain_that_the_format_cannot_hold),
		TEST(refuses_names_that_are_taken),
		TEST(refuses_formats_and_sizes_by_name),
		TEST(refuses_a_host_without_room),
		TEST(converts_the_state_of_a_snapshot),
		TEST(finds_the_first_difference),
		TEST(takes_zeros_at_the_end_as_equal_unless_strict),
		TEST(leaves_all_or_nothing_when_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
