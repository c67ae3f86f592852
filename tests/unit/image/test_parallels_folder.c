/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Parallels disks that are folders: descriptors, snapshots, split disks. QEMU reads the single
 * images, and chains of them that it is told of one by one; nobody else at hand reads the
 * descriptor. What it says is compared with QEMU's description of it and with real ones.
 */
#include "image/parallels/desc.h"
#include "image/scratch.h"

#define BASE_GUID "11111111-2222-4333-8444-555555555555"
#define MID_GUID  "22222222-2222-4333-8444-555555555555"
#define UID       "{99999999-2222-4333-8444-555555555555}"

enum { SECTORS = 20480 };

static const uint64_t disk_size = SECTORS * SV_SECTOR;

/* ---- folders made by hand ---- */

static void write_text(struct scratch *s, const char *name, const char *text)
{
	struct sv_err err = SV_ERR_INIT;

	unlink(at(s, name));
	assert_ok(sv_host_write_file(sv_host_posix(), at(s, name), text, strlen(text), &err));
}

#define HEAD                                                                                   \
	"<?xml version='1.0' encoding='UTF-8'?>\n<Parallels_disk_image Version=\"1.0\">\n"     \
	"<Disk_Parameters><Disk_size>20480</Disk_size><Cylinders>40</Cylinders>\n"             \
	"<PhysicalSectorSize>4096</PhysicalSectorSize><LogicSectorSize>512</LogicSectorSize>"  \
	"<Heads>16</Heads><Sectors>32</Sectors><Padding>0</Padding>\n"                         \
	"<Encryption><Engine>{00000000-0000-0000-0000-000000000000}</Engine></Encryption>"     \
	"<UID>" UID "</UID><!-- a note --><Name>disk</Name></Disk_Parameters>\n"
#define STORAGE(start, end, images)                                                            \
	"<Storage><Start>" start "</Start><End>" end "</End><Blocksize>2048</Blocksize>"       \
	"\n" images "</Storage>\n"
#define IMAGE(guid, type, file)                                                                \
	"<Image><GUID>{" guid "}</GUID><Type>" type "</Type><File>" file "</File></Image>\n"
#define SHOT(guid, parent)                                                                     \
	"<Shot><GUID>{" guid "}</GUID><ParentGUID>{" parent "}</ParentGUID></Shot>\n"
#define DESC(storages, shots)                                                                  \
	HEAD "<StorageData>" storages "</StorageData>\n<Snapshots>" shots                      \
	     "</Snapshots>\n</Parallels_disk_image>\n"

static const char simple[] =
	DESC(STORAGE("0", "20480", IMAGE(SV_PRL_TOP_GUID, "Compressed", "a.hds")),
		SHOT(SV_PRL_TOP_GUID, SV_PRL_NULL_GUID));

/* An empty disk of one image, made by qemu. */
static void make_simple(struct scratch *s, const char *text)
{
	run("rm", "-rf", at(s, "s.hdd"));
	mkdir(at(s, "s.hdd"), 0777);
	write_text(s, "s.hdd/DiskDescriptor.xml", text);
	assert_int_equal(
		run("qemu-img", "create", "-f", "parallels", at(s, "s.hdd/a.hds"), "10485760"),
		0);
}

static int open_fails(struct scratch *s, const char *name, bool writable, struct sv_err *err)
{
	struct sv_image_opts opts = {.writable = writable};
	struct sv_image *img = NULL;

	return sv_image_open(sv_host_posix(), at(s, name), &opts, &img, err);
}

static void dump_to(struct scratch *s, const char *image, const char *raw)
{
	struct sv_image *img = open_image(at(s, image), false);

	unlink(at(s, raw));
	dump(sv_image_dev(img), at(s, raw));
	sv_image_close(img);
}

static void write_all_over(struct sv_dev *d, unsigned seed)
{
	uint64_t size = sv_dev_size(d);
	struct sv_err err = SV_ERR_INIT;

	write_pattern(d, size - 99999, 99999, seed + 4);
	write_pattern(d, 0, 512, seed);
	write_pattern(d, 1000, 70000, seed + 1);
	write_pattern(d, 2 * SV_MIB - 5000, 3 << 20, seed + 2);
	write_pattern(d, size / 2 + 12345, 333, seed + 3);
	assert_ok(sv_dev_flush(d, &err));
}

static void fill_disk(struct scratch *s, const char *name, unsigned seed)
{
	struct sv_image *img = open_image(at(s, name), true);

	write_all_over(sv_image_dev(img), seed);
	sv_image_close(img);
}

/* ---- qemu ---- */

/* "driver=parallels,file.filename=A,backing.driver=parallels,..." over files of the folder; a
 * name that begins with "+" is plain. */
static char *qemu_opts(struct scratch *s, const char *const *files)
{
	struct sv_str opts = {0};
	char prefix[128] = "";

	for (; *files; files++) {
		bool plain = **files == '+';

		sv_str_addf(&opts, "%s%sdriver=%s,%sfile.filename=%s", *prefix ? "," : "",
			prefix, plain ? "raw" : "parallels", prefix, at(s, *files + plain));
		snprintf(prefix + strlen(prefix), sizeof prefix - strlen(prefix), "backing.");
	}
	return sv_str_take(&opts);
}

static bool qemu_reads(struct scratch *s, const char *const *files, const char *raw)
{
	char *a = qemu_opts(s, files),
	     *b = sv_format("driver=raw,file.filename=%s", at(s, raw));
	int rc = run("qemu-img", "compare", "--image-opts", a, b);

	free(a);
	free(b);
	return rc == 0;
}

#define assert_qemu_reads(s, raw, ...)                                                         \
	assert_true(qemu_reads(s, (const char *const[]){__VA_ARGS__, NULL}, raw))

/* ---- making ---- */

static void makes_folders_that_qemu_reads(void **state)
{
	struct scratch *s = *state;

	make_image(at(s, "new.hdd"), "parallels", NULL, disk_size, NULL);
	fill_disk(s, "new.hdd", 1);
	assert_sound(at(s, "new.hdd"));
	dump_to(s, "new.hdd", "new.raw");
	assert_qemu_reads(s, "new.raw", "new.hdd/new.hdd.0.{" SV_PRL_TOP_GUID "}.hds");
	/* the judge sees a wrong byte */
	fill_disk(s, "new.hdd", 2);
	assert_false(qemu_reads(s,
		(const char *const[]){"new.hdd/new.hdd.0.{" SV_PRL_TOP_GUID "}.hds", NULL},
		"new.raw"));
	make_image(at(s, "plain.hdd"), "parallels", "plain", disk_size, NULL);
	fill_disk(s, "plain.hdd", 1);
	assert_sound(at(s, "plain.hdd"));
	assert_qemu_reads(s, "new.raw", "+plain.hdd/plain.hdd.0.{" SV_PRL_TOP_GUID "}.hds");
}

static void a_folder_its_descriptor_and_its_files_are_the_same_disk(void **state)
{
	static const char *const names[] = {
		"s.hdd", "s.hdd/DiskDescriptor.xml", "s.hdd/a.hds", "s.hdd/s.hdd"};
	struct scratch *s = *state;

	make_simple(s, simple);
	write_text(s, "s.hdd/s.hdd", "");
	fill_disk(s, "s.hdd", 3);
	dump_to(s, "s.hdd", "s.raw");
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		struct sv_image *img = open_image(at(s, names[i]), true);

		assert_string_equal(sv_image_link(img, 0)->format, "parallels");
		assert_int_equal(sv_image_link(img, 0)->n_files, 3);
		sv_image_close(img);
		dump_to(s, names[i], "again.raw");
		assert_int_equal(run("cmp", "-s", at(s, "s.raw"), at(s, "again.raw")), 0);
		assert_sound(at(s, names[i]));
	}
}

static void opens_with_every_lock(void **state)
{
	static const char *const names[] = {"s.hdd", "s.hdd/a.hds"};
	struct sv_image_opts opts = {.writable = true, .lock = true};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_simple(s, simple);
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		assert_ok(sv_image_open(sv_host_posix(), at(s, names[i]), &opts, &img, &err));
		assert_int_not_equal(run("qemu-io", "-f", "parallels", "-c", "write 0 512",
					     at(s, "s.hdd/a.hds")),
			0);
		sv_image_close(img);
	}
}

/* ---- snapshots ---- */

static const char snapshots[] =
	DESC(STORAGE("0", "20480",
		     IMAGE(BASE_GUID, "Compressed", "base.hds") IMAGE(MID_GUID, "Compressed",
			     "mid.hds") IMAGE(SV_PRL_TOP_GUID, "Compressed", "top.hds")),
		SHOT(SV_PRL_TOP_GUID, MID_GUID) SHOT(BASE_GUID, SV_PRL_NULL_GUID)
			SHOT(MID_GUID, BASE_GUID));

static void qemu_writes(struct scratch *s, const char *name, const char *a, const char *b)
{
	assert_int_equal(
		run("qemu-img", "create", "-f", "parallels", at(s, name), "10485760"), 0);
	/* whole clusters: qemu would fill up others with zeros, as it knows of no parent here
	 */
	assert_int_equal(run("qemu-io", "-f", "parallels", "-c", a, "-c", b, at(s, name)), 0);
}

static void make_snapshots(struct scratch *s, const char *text)
{
	run("rm", "-rf", at(s, "c.hdd"));
	mkdir(at(s, "c.hdd"), 0777);
	write_text(s, "c.hdd/DiskDescriptor.xml", text);
	qemu_writes(s, "c.hdd/base.hds", "write -P 1 0 5M", "write -P 2 8M 1M");
	qemu_writes(s, "c.hdd/mid.hds", "write -P 3 1M 1M", "write -P 4 6M 1M");
	qemu_writes(s, "c.hdd/top.hds", "write -P 5 3M 1M", "write -P 6 9M 1M");
}

#define CHAIN "c.hdd/top.hds", "c.hdd/mid.hds", "c.hdd/base.hds"

static void reads_and_writes_chains_as_qemu_does(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_snapshots(s, snapshots);
	img = open_image(at(s, "c.hdd"), true);
	assert_int_equal(sv_image_links(img), 3);
	assert_string_equal(sv_path_base(sv_image_link(img, 1)->path), "mid.hds");
	assert_string_equal(sv_image_link(img, 2)->id, "{" BASE_GUID "}");
	dump_to(s, "c.hdd", "c.raw");
	assert_qemu_reads(s, "c.raw", CHAIN);
	write_all_over(sv_image_dev(img), 1);
	assert_ok(sv_dev_discard(sv_image_dev(img), 700000, 3 << 20, &err));
	assert_ok(sv_dev_discard(sv_image_dev(img), 8 * SV_MIB, 2 * SV_MIB, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	dump_to(s, "c.hdd", "c.raw");
	assert_qemu_reads(s, "c.raw", CHAIN);
	sv_image_close(img);
	assert_sound(at(s, "c.hdd"));
}

static void opens_each_snapshot_by_its_name(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	make_snapshots(s, snapshots);
	img = open_image(at(s, "c.hdd"), false);
	assert_int_equal(sv_image_link(img, 0)->n_snapshots, 2);
	assert_string_equal(sv_image_link(img, 0)->snapshots[0].id, BASE_GUID);
	sv_image_close(img);
	dump_to(s, "c.hdd@" MID_GUID, "mid.raw");
	assert_qemu_reads(s, "mid.raw", "c.hdd/mid.hds", "c.hdd/base.hds");
	dump_to(s, "c.hdd@{" BASE_GUID "}", "base.raw");
	assert_qemu_reads(s, "base.raw", "c.hdd/base.hds");
	/* a file of the folder is the snapshot that it belongs to */
	dump_to(s, "c.hdd/mid.hds", "again.raw");
	assert_int_equal(run("cmp", "-s", at(s, "mid.raw"), at(s, "again.raw")), 0);
	assert_fails(open_fails(s, "c.hdd@nothing", false, &err), SV_NOTFOUND, UINT64_MAX);
	assert_fails(open_fails(s, "c.hdd@" MID_GUID, true, &err), SV_USAGE, UINT64_MAX);
	assert_fails(open_fails(s, "c.hdd/mid.hds", true, &err), SV_UNSUPPORTED, UINT64_MAX);
	img = open_image(at(s, "c.hdd"), true);
	assert_fails(sv_image_grow(img, 2 * disk_size, &err), SV_USAGE, UINT64_MAX);
	sv_image_close(img);
}

static void a_top_can_be_named(void **state)
{
	static const char text[] = DESC(
		STORAGE("0", "20480",
			IMAGE(SV_PRL_TOP_GUID, "Compressed", "base.hds")
				IMAGE(MID_GUID, "Compressed", "mid.hds")),
		"<TopGUID>{" MID_GUID "}</TopGUID>" SHOT(SV_PRL_TOP_GUID, SV_PRL_NULL_GUID)
			SHOT(MID_GUID, SV_PRL_TOP_GUID));
	struct scratch *s = *state;

	make_snapshots(s, text);
	dump_to(s, "c.hdd", "c.raw");
	assert_qemu_reads(s, "c.raw", "c.hdd/mid.hds", "c.hdd/base.hds");
}

static void a_plain_base_can_be_below(void **state)
{
	static const char text[] =
		DESC(STORAGE("0", "20480",
			     IMAGE(BASE_GUID, "Plain", "base.raw")
				     IMAGE(SV_PRL_TOP_GUID, "Compressed", "top.hds")),
			SHOT(SV_PRL_TOP_GUID, BASE_GUID) SHOT(BASE_GUID, SV_PRL_NULL_GUID));
	struct scratch *s = *state;
	struct sv_image *img;

	make_snapshots(s, text);
	assert_int_equal(
		run("qemu-img", "create", "-f", "raw", at(s, "c.hdd/base.raw"), "10485760"), 0);
	assert_int_equal(
		run("qemu-io", "-f", "raw", "-c", "write -P 9 0 10M", at(s, "c.hdd/base.raw")),
		0);
	fill_disk(s, "c.hdd", 1);
	dump_to(s, "c.hdd", "c.raw");
	assert_qemu_reads(s, "c.raw", "c.hdd/top.hds", "+c.hdd/base.raw");
	img = open_image(at(s, "c.hdd"), false);
	assert_string_equal(sv_image_link(img, 1)->subformat, "plain");
	sv_image_close(img);
}

/* ---- linked disks ---- */

static void links_disks_over_others(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *path = NULL;

	run("rm", "-rf", at(s, "vm"), at(s, "moved"));
	mkdir(at(s, "vm"), 0777);
	make_image(at(s, "vm/one.hdd"), "parallels", NULL, disk_size, NULL);
	fill_disk(s, "vm/one.hdd", 1);
	img = open_image(at(s, "vm/one.hdd"), false);
	make_image(at(s, "vm/two.hdd"), "parallels", NULL, 0, img);
	sv_image_close(img);
	fill_disk(s, "vm/two.hdd", 2);
	img = open_image(at(s, "vm/two.hdd"), false);
	assert_fails(sv_image_derive(sv_host_posix(), img, SV_DERIVE_LINKED, at(s, "vm"),
			     "three", 2 * disk_size, NULL, &path, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_LINKED, at(s, "vm"), "three",
		disk_size, NULL, &path, &err));
	sv_image_close(img);
	free(path);
	fill_disk(s, "vm/three.hdd", 3);
	img = open_image(at(s, "vm/three.hdd"), false);
	assert_int_equal(sv_image_links(img), 3);
	sv_image_close(img);
	/* relative names: all of them can be moved together */
	assert_int_equal(rename(at(s, "vm"), at(s, "moved")), 0);
	dump_to(s, "moved/three.hdd", "three.raw");
	assert_qemu_reads(s, "three.raw",
		"moved/three.hdd/three.hdd.0.{" SV_PRL_TOP_GUID "}.hds",
		"moved/two.hdd/two.hdd.0.{" SV_PRL_TOP_GUID "}.hds",
		"moved/one.hdd/one.hdd.0.{" SV_PRL_TOP_GUID "}.hds");
	assert_sound(at(s, "moved/three.hdd"));
}

static void absolute_names_are_looked_for_beside_a_moved_disk(void **state)
{
	static const char text[] = DESC(
		STORAGE("0", "20480",
			IMAGE(BASE_GUID, "Compressed",
				"/Users/x/Parallels/old.pvm/orig.hdd/base.hds")
				IMAGE(SV_PRL_TOP_GUID, "Compressed", "/gone/c.hdd/top.hds")),
		SHOT(SV_PRL_TOP_GUID, BASE_GUID) SHOT(BASE_GUID, SV_PRL_NULL_GUID));
	struct scratch *s = *state;

	make_snapshots(s, text);
	run("rm", "-rf", at(s, "orig.hdd"));
	mkdir(at(s, "orig.hdd"), 0777);
	assert_int_equal(rename(at(s, "c.hdd/base.hds"), at(s, "orig.hdd/base.hds")), 0);
	dump_to(s, "c.hdd", "c.raw");
	assert_qemu_reads(s, "c.raw", "c.hdd/top.hds", "orig.hdd/base.hds");
}

static void own_files_outside_the_folder_must_be_allowed(void **state)
{
	static const char text[] =
		DESC(STORAGE("0", "20480", IMAGE(SV_PRL_TOP_GUID, "Compressed", "../out.hds")),
			SHOT(SV_PRL_TOP_GUID, SV_PRL_NULL_GUID));
	struct scratch *s = *state;
	struct sv_allow *allow;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image_opts opts = {.writable = true};
	struct sv_image *img;

	make_simple(s, text);
	assert_int_equal(rename(at(s, "s.hdd/a.hds"), at(s, "out.hds")), 0);
	assert_fails(open_fails(s, "s.hdd", false, &err), SV_UNSUPPORTED, UINT64_MAX);
	allow = sv_allow_new(&err);
	assert_ok(sv_allow_add_dir(allow, sv_host_posix(), s->dir, &err));
	opts.allow = allow;
	assert_ok(sv_image_open(sv_host_posix(), at(s, "s.hdd"), &opts, &img, &err));
	sv_image_close(img);
	sv_allow_free(allow);
}

/* ---- split disks ---- */

static const char split[] = DESC(
	STORAGE("8192", "20480",
		IMAGE(BASE_GUID, "Plain", "b1.raw")
			IMAGE(SV_PRL_TOP_GUID, "Compressed", "t1.hds")) STORAGE("0", "8192",
		IMAGE(SV_PRL_TOP_GUID, "Compressed", "t0.hds")
			IMAGE(BASE_GUID, "Compressed", "b0.hds")),
	SHOT(SV_PRL_TOP_GUID, BASE_GUID) SHOT(BASE_GUID, SV_PRL_NULL_GUID));

static void reads_split_disks_piece_by_piece_as_qemu_does(void **state)
{
	struct scratch *s = *state;
	struct sv_image *img;

	run("rm", "-rf", at(s, "p.hdd"));
	mkdir(at(s, "p.hdd"), 0777);
	write_text(s, "p.hdd/DiskDescriptor.xml", split);
	assert_int_equal(
		run("qemu-img", "create", "-f", "parallels", at(s, "p.hdd/b0.hds"), "4M"), 0);
	assert_int_equal(
		run("qemu-img", "create", "-f", "parallels", at(s, "p.hdd/t0.hds"), "4M"), 0);
	assert_int_equal(
		run("qemu-img", "create", "-f", "parallels", at(s, "p.hdd/t1.hds"), "6M"), 0);
	assert_int_equal(
		run("qemu-img", "create", "-f", "raw", at(s, "p.hdd/b1.raw"), "6M"), 0);
	assert_int_equal(
		run("qemu-io", "-f", "raw", "-c", "write -P 9 0 6M", at(s, "p.hdd/b1.raw")), 0);
	assert_int_equal(run("qemu-io", "-f", "parallels", "-c", "write -P 8 0 3M",
				 at(s, "p.hdd/b0.hds")),
		0);
	fill_disk(s, "p.hdd", 1);
	img = open_image(at(s, "p.hdd"), false);
	assert_string_equal(sv_image_link(img, 0)->subformat, "splitExpanding");
	assert_int_equal(sv_image_links(img), 2);
	sv_image_close(img);
	dump_to(s, "p.hdd", "p.raw");
	assert_int_equal(run_to(at(s, "p0.raw"), "head", "-c", "4194304", at(s, "p.raw")), 0);
	assert_int_equal(run_to(at(s, "p1.raw"), "tail", "-c", "+4194305", at(s, "p.raw")), 0);
	assert_qemu_reads(s, "p0.raw", "p.hdd/t0.hds", "p.hdd/b0.hds");
	assert_qemu_reads(s, "p1.raw", "p.hdd/t1.hds", "+p.hdd/b1.raw");
	assert_sound(at(s, "p.hdd"));
}

static void makes_split_disks(void **state)
{
	static const char *const kinds[] = {"splitExpanding", "splitPlain"};
	struct scratch *s = *state;
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		struct sv_image *img;

		run("rm", "-rf", at(s, "x.hdd"));
		make_image(at(s, "x.hdd"), "parallels", kinds[i], 5 * SV_GIB + 512, NULL);
		img = open_image(at(s, "x.hdd"), true);
		assert_string_equal(sv_image_link(img, 0)->subformat, kinds[i]);
		assert_int_equal(sv_image_link(img, 0)->n_files, 5);
		write_pattern(sv_image_dev(img), 2 * SV_GIB - 1000, 2000, 1);
		write_all_over(sv_image_dev(img), 2);
		dump_to(s, "x.hdd", "x.raw");
		sv_image_close(img);
		dump_to(s, "x.hdd", "again.raw");
		assert_true(qemu_says_equal(at(s, "x.raw"), at(s, "again.raw")));
		assert_sound(at(s, "x.hdd"));
	}
	assert_int_equal(stat(at(s, "x.hdd/x.hdd.2.{" SV_PRL_TOP_GUID "}.hds"), &st), 0);
	assert_int_equal(st.st_size, SV_GIB + 512);
}

/* ---- growth and copies ---- */

static char *read_text(struct scratch *s, const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	char *text = sv_host_read_file(sv_host_posix(), at(s, name), 1 << 20, NULL, &err);

	assert_non_null(text);
	return text;
}

static void assert_says(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("the descriptor does not say %s: %s", part, text);
}

static void a_grown_disk_keeps_what_others_wrote_in_its_descriptor(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *text;

	make_simple(s, simple);
	img = open_image(at(s, "s.hdd"), true);
	write_all_over(sv_image_dev(img), 1);
	assert_ok(sv_image_grow(img, 700 * SV_GIB, &err));
	write_pattern(sv_image_dev(img), 600 * SV_GIB, 5000, 2);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	assert_ok(sv_image_grow(img, 700 * SV_GIB + 512, &err));
	sv_image_close(img);
	text = read_text(s, "s.hdd/DiskDescriptor.xml");
	assert_says(text, "<Disk_size>1468006401</Disk_size>");
	assert_says(text, "<Cylinders>1468006401</Cylinders>");
	assert_says(text, "<Heads>1</Heads><Sectors>1</Sectors>");
	assert_says(text, "<End>1468006401</End>");
	assert_says(text, "<UID>" UID "</UID><!-- a note --><Name>disk</Name>");
	free(text);
	dump_to(s, "s.hdd", "s.raw");
	assert_qemu_reads(s, "s.raw", "s.hdd/a.hds");
	assert_sound(at(s, "s.hdd"));
}

static void grows_the_last_piece_of_a_split_disk(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	run("rm", "-rf", at(s, "x.hdd"));
	make_image(at(s, "x.hdd"), "parallels", "splitPlain", 3 * SV_GIB, NULL);
	img = open_image(at(s, "x.hdd"), true);
	write_all_over(sv_image_dev(img), 1);
	dump_to(s, "x.hdd", "before.raw");
	assert_ok(sv_image_grow(img, 9 * SV_GIB, &err));
	dump_to(s, "x.hdd", "after.raw");
	sv_image_close(img);
	assert_true(qemu_says_equal(at(s, "before.raw"), at(s, "after.raw")));
	assert_sound(at(s, "x.hdd"));
}

static void copies_are_folders_of_their_own(void **state)
{
	static const char *const sources[] = {"s.hdd", "c.hdd", "c.hdd@" MID_GUID};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	char *text;

	make_simple(s, simple);
	fill_disk(s, "s.hdd", 1);
	make_snapshots(s, snapshots);
	run("rm", "-rf", at(s, "new"));
	mkdir(at(s, "new"), 0777);
	for (size_t i = 0; i < SV_ARRAY_LEN(sources); i++) {
		struct sv_image *img = open_image(at(s, sources[i]), false);
		char *path = NULL;

		run("rm", "-rf", at(s, "new/d.hdd"));
		dump_to(s, sources[i], "source.raw");
		assert_ok(sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY, at(s, "new"),
			"d", 700 * SV_GIB, NULL, &path, &err));
		sv_image_close(img);
		assert_string_equal(sv_path_base(path), "d.hdd");
		free(path);
		img = open_image(at(s, "new/d.hdd"), true);
		assert_int_equal(sv_dev_size(sv_image_dev(img)), 700 * SV_GIB);
		assert_int_equal(sv_image_links(img), 1);
		sv_image_close(img);
		assert_qemu_reads(
			s, "source.raw", "new/d.hdd/d.hdd.0.{" SV_PRL_TOP_GUID "}.hds");
		assert_sound(at(s, "new/d.hdd"));
		if (i)
			continue;
		text = read_text(s, "new/d.hdd/DiskDescriptor.xml");
		assert_says(text, "<!-- a note --><Name>disk</Name>");
		assert_null(strstr(text, UID));
		free(text);
	}
}

static void a_copy_that_fails_leaves_nothing(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *path = NULL;

	make_simple(s, simple);
	run("rm", "-rf", at(s, "new"));
	mkdir(at(s, "new"), 0777);
	img = open_image(at(s, "s.hdd"), false);
	unlink(at(s, "s.hdd/a.hds"));
	assert_fails(sv_image_derive(sv_host_posix(), img, SV_DERIVE_COPY, at(s, "new"), "d",
			     disk_size, NULL, &path, &err),
		SV_NOTFOUND, UINT64_MAX);
	sv_image_close(img);
	assert_false(sv_host_exists(sv_host_posix(), at(s, "new/d.hdd")));
}

/* ---- damage ---- */

struct lie {
	const char *what, *with; /* a replacement in the text */
	enum sv_code code;
	const char *says;
};

static char *replace(const char *text, const char *what, const char *with)
{
	const char *found = strstr(text, what);

	assert_non_null(found);
	return sv_format("%.*s%s%s", (int)(found - text), text, with, found + strlen(what));
}

static void refuses_descriptors_that_lie(void **state)
{
	static const struct lie lies[] = {
		{"<Disk_size>20480", "<Disk_size>20481", SV_CORRUPT, "storages end"},
		{"<Disk_size>20480", "<Disk_size>99999999999999999999", SV_CORRUPT, "number"},
		{"<Disk_size>20480", "<Disk_size>36028797018963968", SV_CORRUPT, "sectors"},
		{"<Disk_size>20480", "<Disk_size>0x20", SV_CORRUPT, "number"},
		{"<Padding>0", "<Padding>1", SV_UNSUPPORTED, "padding"},
		{"<LogicSectorSize>512", "<LogicSectorSize>4096", SV_UNSUPPORTED, "512"},
		{"<Engine>{0", "<Engine>{1", SV_UNSUPPORTED, "encrypted"},
		{"<Start>0", "<Start>1", SV_CORRUPT, "begins"},
		{"<End>20480", "<End>0", SV_CORRUPT, "begins"},
		{"Compressed", "Packed", SV_UNSUPPORTED, "Packed"},
		{"<File>a.hds", "<File>", SV_CORRUPT, "no file"},
		{"<GUID>{5", "<GUID>{6", SV_CORRUPT, "no file for"},
		{"<ParentGUID>{0", "<ParentGUID>{1", SV_CORRUPT, "not listed"},
		{"<ParentGUID>{" SV_PRL_NULL_GUID, "<ParentGUID>{" SV_PRL_TOP_GUID, SV_CORRUPT,
			"come back"},
		{"<GUID>{5fb", "<GUID>{5xb", SV_CORRUPT, "GUID"},
		{"<Snapshots>", "<Snapshots><TopGUID>{" MID_GUID "}</TopGUID>", SV_CORRUPT,
			"not listed"},
		{"<Shot>", SHOT(SV_PRL_TOP_GUID, SV_PRL_NULL_GUID) "<Shot>", SV_CORRUPT,
			"twice"},
		{"Version=\"1.0\"", "Version=\"2.0\"", SV_CORRUPT, "version"},
		{"</Snapshots>", "", SV_CORRUPT, "no XML"},
		{"<Disk_Parameters>", "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",
			SV_CORRUPT, "deep"},
	};
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	for (size_t i = 0; i < SV_ARRAY_LEN(lies); i++) {
		char *text = replace(simple, lies[i].what, lies[i].with);

		make_simple(s, text);
		free(text);
		assert_fails(open_fails(s, "s.hdd", false, &err), lies[i].code, UINT64_MAX);
		assert_true(sv_ends_with(err.path, "s.hdd/DiskDescriptor.xml"));
		if (!strstr(err.message, lies[i].says))
			fail_msg("%zu: \"%s\" does not say \"%s\"", i, err.message,
				lies[i].says);
	}
}

static void refuses_entities_and_documents_without_end(void **state)
{
	static const char laughs[] =
		"<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
		"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>\n<Parallels_disk_image";
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	char *text = replace(simple, "<Parallels_disk_image", laughs);
	struct sv_str many = {0};

	make_simple(s, text);
	free(text);
	assert_fails(open_fails(s, "s.hdd", false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "document type"));
	text = replace(simple, "a.hds", "&undefined;");
	make_simple(s, text);
	free(text);
	assert_fails(open_fails(s, "s.hdd", false, &err), SV_CORRUPT, UINT64_MAX);
	for (int i = 0; i < SV_PRL_SHOTS_MAX + 1; i++)
		sv_str_add(&many, SHOT(MID_GUID, BASE_GUID));
	text = replace(simple, "<Shot>", many.data);
	make_simple(s, text);
	free(text);
	sv_str_free(&many);
	assert_fails(open_fails(s, "s.hdd", false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "more than"));
	make_simple(s, simple);
	assert_int_equal(truncate(at(s, "s.hdd/DiskDescriptor.xml"), 5 << 20), 0);
	assert_fails(open_fails(s, "s.hdd", false, &err), SV_CORRUPT, UINT64_MAX);
}

static void names_what_is_missing_or_too_short(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;
	char *text;

	make_snapshots(s, snapshots);
	assert_int_equal(rename(at(s, "c.hdd/mid.hds"), at(s, "c.hdd/gone.hds")), 0);
	assert_fails(open_fails(s, "c.hdd", false, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.message, "mid.hds"));
	text = replace(simple, "Compressed", "Plain");
	make_simple(s, text);
	free(text);
	assert_int_equal(truncate(at(s, "s.hdd/a.hds"), 100), 0);
	assert_fails(open_fails(s, "s.hdd", false, &err), SV_CORRUPT, 100);
	make_simple(s, simple);
	unlink(at(s, "s.hdd/a.hds"));
	assert_int_equal(
		run("qemu-img", "create", "-f", "parallels", at(s, "s.hdd/a.hds"), "8M"), 0);
	assert_fails(open_fails(s, "s.hdd", false, &err), SV_CORRUPT, 36);
}

static void a_damaged_descriptor_is_not_passed_over(void **state)
{
	struct scratch *s = *state;
	struct sv_err err = SV_ERR_INIT;

	make_simple(s, "<?xml version='1.0'?><Parallels_disk_image");
	assert_fails(open_fails(s, "s.hdd/a.hds", false, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.hint, "folder of its own"));
	/* a file that the descriptor does not name is a disk of its own */
	make_simple(s, simple);
	assert_int_equal(rename(at(s, "s.hdd/a.hds"), at(s, "s.hdd/b.hds")), 0);
	sv_image_close(open_image(at(s, "s.hdd/b.hds"), true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_folders_that_qemu_reads),
		cmocka_unit_test(a_folder_its_descriptor_and_its_files_are_the_same_disk),
		cmocka_unit_test(opens_with_every_lock),
		cmocka_unit_test(reads_and_writes_chains_as_qemu_does),
		cmocka_unit_test(opens_each_snapshot_by_its_name),
		cmocka_unit_test(a_top_can_be_named),
		cmocka_unit_test(a_plain_base_can_be_below),
		cmocka_unit_test(links_disks_over_others),
		cmocka_unit_test(absolute_names_are_looked_for_beside_a_moved_disk),
		cmocka_unit_test(own_files_outside_the_folder_must_be_allowed),
		cmocka_unit_test(reads_split_disks_piece_by_piece_as_qemu_does),
		cmocka_unit_test(makes_split_disks),
		cmocka_unit_test(a_grown_disk_keeps_what_others_wrote_in_its_descriptor),
		cmocka_unit_test(grows_the_last_piece_of_a_split_disk),
		cmocka_unit_test(copies_are_folders_of_their_own),
		cmocka_unit_test(a_copy_that_fails_leaves_nothing),
		cmocka_unit_test(refuses_descriptors_that_lie),
		cmocka_unit_test(refuses_entities_and_documents_without_end),
		cmocka_unit_test(names_what_is_missing_or_too_short),
		cmocka_unit_test(a_damaged_descriptor_is_not_passed_over),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
