/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every kind of image that can be written, one row each: how it is made, and who else reads it.
 * test_model.c plays with each of them, test_cuts.c cuts the power below each. A new format
 * joins by its rows here and its name in meson.build.
 */
#ifndef SV_TESTS_IMAGE_KINDS_H
#define SV_TESTS_IMAGE_KINDS_H

#include "image/scratch.h"
#include "image/parallels/desc.h"
#include "image/parallels/format.h"
#include "image/vdi/format.h"
#include "image/vhd/format.h"
#include "image/vhdx/format.h"

#include <unistd.h>

struct kind;

/* NULL: all is well. `raw`: what the image must show. `cut`: it was cut off while it was
 * written, so that space may be lost. */
struct judge {
	const char *program;
	const char *(*judge)(const char *path, const char *raw, bool cut);
};
/* Fills a link of a new disk; the leaf of a chain is left empty. */
typedef void fill_fn(void *user, struct sv_image *img, unsigned link);

struct kind {
	const char *name; /* FORMAT-WHAT */
	const char *file; /* the leaf's, in the folder */
	const char *format, *subformat;
	unsigned parents;     /* links below the leaf */
	bool smaller_parents; /* they may have other sizes */
	bool grows;
	bool content;    /* the maker leaves what it shows in content.raw */
	bool old_footer; /* what a growth that was cut off may show in the first new sector */
	/* What the check may find after a cut, until the next change (VMDK: and later). */
	const char *cut_fault;
	const char *options; /* qemu-img makes the leaf, with these */
	void (*make)(const char *dir, const struct kind *k, uint64_t size); /* or the test */
	const struct judge *judge; /* NULL: nobody else reads it here */
};

/* ---- judges ---- */

static inline bool has(const char *program)
{
	return run(program, "--version") == 0 || run(program, "--help") == 0;
}

static inline const char *judge_equal(const char *format, const char *path, const char *raw)
{
	if (run("qemu-img", "compare", "-f", format, "-F", "raw", path, raw))
		return "qemu-img reads something else";
	return NULL;
}

static inline const char *judge_check(const char *path, bool leaks_allowed)
{
	int rc = run("qemu-img", "check", "-q", path);

	return rc == 0 || (rc == 3 && leaks_allowed) ? NULL : "qemu-img check finds faults";
}

static inline const char *judge_qcow2(const char *path, const char *raw, bool cut)
{
	const char *wrong = judge_check(path, cut);

	return wrong ? wrong : judge_equal("qcow2", path, raw);
}

static inline const char *judge_parallels(const char *path, const char *raw, bool cut)
{
	/* qemu-img takes a table that was being changed for a fault */
	const char *wrong = cut ? NULL : judge_check(path, false);

	return wrong ? wrong : judge_equal("parallels", path, raw);
}

#define PARALLELS_PIECE (3 * SV_MIB) /* of the split disk; the second has the rest */

/* qemu reads no folders: it is told of the files of a piece, link by link. */
static inline const char *judge_parallels_piece(
	const char *path, const char *raw, unsigned piece, bool more)
{
	static const char *const links[] = {"disk", "base1", "base0"};
	sv_autofree char *dir = sv_path_dir(path), *a = NULL, *b = NULL;
	sv_autostr struct sv_str opts = {0};
	char prefix[64] = "", size[64] = "";

	for (size_t i = 0; i < SV_ARRAY_LEN(links); i++) {
		sv_autofree char *file =
			sv_format("%s/%s.hdd/%s.hdd.%u.{" SV_PRL_TOP_GUID "}.hds", dir,
				links[i], links[i], piece);

		if (access(file, F_OK))
			break;
		sv_str_addf(&opts, "%s%sdriver=parallels,%sfile.filename=%s", i ? "," : "",
			prefix, prefix, file);
		strcat(prefix, "backing.");
	}
	if (more)
		snprintf(size, sizeof size, ",size=%llu", PARALLELS_PIECE);
	a = sv_str_take(&opts);
	b = sv_format("driver=raw,offset=%llu%s,file.filename=%s", piece * PARALLELS_PIECE,
		size, raw);
	if (run("qemu-img", "compare", "--image-opts", a, b))
		return "qemu-img reads something else";
	return NULL;
}

static inline const char *judge_parallels_folder(const char *path, const char *raw, bool cut)
{
	sv_autofree char *second = sv_format("%s/disk.hdd.1.{" SV_PRL_TOP_GUID "}.hds", path);
	bool split = access(second, F_OK) == 0;
	const char *wrong = judge_parallels_piece(path, raw, 0, split);

	(void)cut;
	return wrong || !split ? wrong : judge_parallels_piece(path, raw, 1, false);
}

static inline const char *judge_vmdk(const char *path, const char *raw, bool cut)
{
	/* qemu-img takes lost grains for faults */
	const char *wrong = cut ? NULL : judge_check(path, false);

	return wrong ? wrong : judge_equal("vmdk", path, raw);
}

/* qemu-img cannot check flat VMDKs, or VHDs. */
static inline const char *judge_flat_vmdk(const char *path, const char *raw, bool cut)
{
	(void)cut;
	return judge_equal("vmdk", path, raw);
}

static inline const char *judge_vhd(const char *path, const char *raw, bool cut)
{
	(void)cut;
	return judge_equal("vpc", path, raw);
}

static inline const char *judge_raw(const char *path, const char *raw, bool cut)
{
	(void)cut;
	return run("cmp", "-s", path, raw) ? "cmp finds a difference" : NULL;
}

static inline const char *judge_vdi(const char *path, const char *raw, bool cut)
{
	/* qemu-img takes a count of blocks that is too large for a fault */
	const char *wrong = cut ? NULL : judge_check(path, false);

	return wrong ? wrong : judge_equal("vdi", path, raw);
}

static inline const char *judge_7z(const char *type, const char *path, const char *raw)
{
	sv_autofree char *out = sv_format("%s.7z.raw", path);
	bool equal;

	unlink(out);
	equal = run_to(out, "7z", "e", "-so", type, path) == 0 &&
		run("cmp", "-s", out, raw) == 0;
	unlink(out);
	return equal ? NULL : "7z reads something else";
}

/* The only other reader here of a chain of VHDs. */
static inline const char *judge_vhd_chain(const char *path, const char *raw, bool cut)
{
	(void)cut;
	return judge_7z("-tVHD", path, raw);
}

static inline const char *judge_vhdx(const char *path, const char *raw, bool cut)
{
	const char *wrong = judge_check(path, cut);

	return wrong ? wrong : judge_equal("vhdx", path, raw);
}

/* The only other reader here of a chain of VHDXs; it opens no disk of an odd number of
 * sectors. */
static inline const char *judge_vhdx_chain(const char *path, const char *raw, bool cut)
{
	(void)cut;
	return judge_7z("-tVHDX", path, raw);
}

static const struct judge qcow2_judge = {"qemu-img", judge_qcow2};
static const struct judge parallels_judge = {"qemu-img", judge_parallels};
static const struct judge parallels_folder_judge = {"qemu-img", judge_parallels_folder};
static const struct judge vmdk_judge = {"qemu-img", judge_vmdk};
static const struct judge flat_vmdk_judge = {"qemu-img", judge_flat_vmdk};
static const struct judge vhd_judge = {"qemu-img", judge_vhd};
static const struct judge vhd_chain_judge = {"7z", judge_vhd_chain};
static const struct judge vhdx_judge = {"qemu-img", judge_vhdx};
static const struct judge vhdx_chain_judge = {"7z", judge_vhdx_chain};
static const struct judge vdi_judge = {"qemu-img", judge_vdi};
static const struct judge raw_judge = {"cmp", judge_raw};

/* ---- makers ---- */

static inline char *in_folder(const char *dir, const char *name)
{
	char *path = sv_format("%s/%s", dir, name);

	assert_non_null(path);
	return path;
}

static inline void put_at(int fd, const void *bytes, size_t n, uint64_t at)
{
	assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
}

/* Blocks of 4 KiB: many entries, and a table that is soon in the way. */
static inline void make_vhd_of_small_blocks(
	const char *dir, const struct kind *k, uint64_t size)
{
	static const uint8_t id[SV_VHD_ID_SIZE] = "small blocks";
	const uint64_t table = SV_VHD_FOOTER_SIZE + SV_VHD_HEADER_SIZE;
	uint64_t n = sv_div_up(size, SV_VHD_BLOCK_MIN), bytes = sv_align_up(n * 4, SV_SECTOR);
	sv_autofree char *path = in_folder(dir, k->file);
	sv_autofree void *entries = malloc(bytes);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	struct sv_vhd_disk_footer f;
	struct sv_vhd_disk_header h;

	sv_vhd_footer_make(&f, SV_VHD_DYNAMIC, size, id, 0);
	sv_vhd_header_make(&h, table, n, SV_VHD_BLOCK_MIN);
	memset(entries, 0xff, bytes);
	put_at(fd, &f, sizeof f, 0);
	put_at(fd, &h, sizeof h, SV_VHD_FOOTER_SIZE);
	put_at(fd, entries, bytes, table);
	put_at(fd, &f, sizeof f, table + bytes);
	close(fd);
}

/* Blocks of 64 KiB, and no room behind the map. */
static inline void make_vdi_of_small_blocks(
	const char *dir, const struct kind *k, uint64_t size)
{
	uint64_t n = sv_div_up(size, SV_VDI_BLOCK_MIN), bytes = sv_align_up(n * 4, SV_SECTOR);
	sv_autofree char *path = in_folder(dir, k->file);
	sv_autofree void *entries = malloc(bytes);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	struct sv_vdi_disk_header h;

	sv_vdi_header_make(&h, SV_VDI_DYNAMIC, size);
	h.block_size = sv_put_le32(SV_VDI_BLOCK_MIN);
	h.data_at = sv_put_le32((uint32_t)(sizeof h + bytes));
	sv_vdi_header_resize(&h, size, SV_VDI_BLOCK_MIN);
	memset(entries, 0xff, bytes);
	put_at(fd, &h, sizeof h, 0);
	put_at(fd, entries, bytes, sizeof h);
	close(fd);
}

/* Entries that count sectors, clusters of 63 of them that follow the table at once. */
static inline void make_old_parallels(const char *dir, const struct kind *k, uint64_t size)
{
	struct sv_prl_disk_header h = {
		.version = sv_put_le32(SV_PRL_VERSION), .cluster_sectors = sv_put_le32(63)};
	sv_autofree char *path = in_folder(dir, k->file);
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	memcpy(h.magic, SV_PRL_MAGIC, sizeof h.magic);
	sv_prl_header_resize(&h, size, 63 * SV_SECTOR);
	put_at(fd, &h, sizeof h, 0);
	assert_int_equal(
		ftruncate(fd, (off_t)sv_align_up(sv_prl_entry_at(sv_get_le32(h.n_bat)), 512)),
		0);
	close(fd);
}

/* Pieces of 2 GB would make large disks: two small ones. */
static inline void make_split_parallels(const char *dir, const struct kind *k, uint64_t size)
{
	static char names[2][80] = {
		"disk.hdd.0.{" SV_PRL_TOP_GUID "}.hds", "disk.hdd.1.{" SV_PRL_TOP_GUID "}.hds"};
	struct sv_prl_image images[2] = {
		{SV_PRL_TOP_GUID, .file = names[0]}, {SV_PRL_TOP_GUID, .file = names[1]}};
	struct sv_prl_storage storages[2] = {
		{0, PARALLELS_PIECE, SV_PRL_CLUSTER, &images[0], 1},
		{PARALLELS_PIECE, size, SV_PRL_CLUSTER, &images[1], 1}};
	struct sv_prl_shot shot = {SV_PRL_TOP_GUID, SV_PRL_NULL_GUID};
	const struct sv_prl_desc d = {.size = size,
		.uid = SV_PRL_NULL_GUID,
		.storages = storages,
		.n_storages = 2,
		.shots = &shot,
		.n_shots = 1,
		.top_guid = SV_PRL_TOP_GUID};
	sv_autofree char *folder = in_folder(dir, k->file), *text = NULL;
	sv_autofree char *path = in_folder(folder, SV_PRL_DESC_NAME);
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_host_make_dir(sv_host_posix(), folder, &err));
	for (size_t i = 0; i < 2; i++) {
		sv_autofree char *file = in_folder(folder, names[i]);

		make_image(file, k->format, NULL, storages[i].end - storages[i].start, NULL);
	}
	text = sv_prl_desc_print(&d, &err);
	assert_ok(sv_host_write_file(sv_host_posix(), path, text, strlen(text), &err));
}

/* Blocks of 1 MiB. Nothing guards the metadata of a disk without blocks against a change. */
static inline void make_vhdx_of_small_blocks(
	const char *dir, const struct kind *k, uint64_t size)
{
	sv_autofree char *path = in_folder(dir, k->file);
	uint64_t metadata = 2 * SV_MIB;
	int fd;

	make_image(path, "vhdx", NULL, size, NULL);
	fd = open(path, O_RDWR);
	put_at(fd, "\0\0\x10", 4, metadata + SV_VHDX_ITEMS_AT);
	close(fd);
}

/* Extents of 2 GB would make large disks: three small ones. All but the last are whole grains:
 * qemu reads on in a grain beyond the end of its extent. */
static inline void make_split_vmdk(const char *dir, const struct kind *k, uint64_t size)
{
	const uint64_t sectors[] = {
		size / 3 / 65536 * 128, 128, size / 512 - size / 3 / 65536 * 128 - 128};
	sv_autofree char *path = in_folder(dir, k->file);
	struct sv_err err = SV_ERR_INIT;
	char text[512], name[32];
	int n = snprintf(text, sizeof text,
		"# Disk DescriptorFile\nversion=1\nCID=00000001\nparentCID=ffffffff\n"
		"createType=\"twoGbMaxExtentSparse\"\n");

	for (size_t i = 0; i < 3; i++) {
		sv_autofree char *extent = NULL;

		snprintf(name, sizeof name, "p%zu.vmdk", i);
		extent = in_folder(dir, name);
		make_image(extent, "vmdk", "twoGbMaxExtentSparse", sectors[i] * 512, NULL);
		n += snprintf(text + n, sizeof text - (size_t)n,
			"RW %llu SPARSE \"p%zu-s001.vmdk\"\n", (unsigned long long)sectors[i],
			i);
	}
	assert_ok(sv_host_write_file(sv_host_posix(), path, text, strlen(text), &err));
}

/* A sparse VMDK whose tables may mark zeros: version 2, flag 4. */
static inline void mark_zeroed_grains(const char *dir, const struct kind *k)
{
	sv_autofree char *path = in_folder(dir, k->file);
	int fd = open(path, O_RDWR);

	put_at(fd, "\2\0\0\0\7", 5, 4);
	close(fd);
}

static inline void make_with_qemu(
	const char *dir, const struct kind *k, const char *parent, uint64_t size)
{
	char text[32];

	snprintf(text, sizeof text, "%llu", (unsigned long long)size);
	if (parent)
		assert_int_equal(
			run("env", "-C", dir, "qemu-img", "create", "-f", k->format, "-o",
				k->options, "-b", parent, "-F", k->format, k->file, text),
			0);
	else
		assert_int_equal(run("env", "-C", dir, "qemu-img", "create", "-f", k->format,
					 "-o", k->options, k->file, text),
			0);
}

/* Everything is packed, and shared with a snapshot. */
static inline void make_packed_qcow2(const char *dir, const struct kind *k, uint64_t size)
{
	sv_autofree char *path = in_folder(dir, k->file), *raw = in_folder(dir, "content.raw");
	uint8_t *bytes = calloc(1, size);
	struct sv_err err = SV_ERR_INIT;

	fill_pattern(bytes, size / 2, 4);
	memset(bytes + size / 8, 0, size / 8);
	assert_ok(sv_host_write_file(sv_host_posix(), raw, bytes, size, &err));
	free(bytes);
	assert_int_equal(
		run("qemu-img", "convert", "-c", "-O", "qcow2", "-o", k->options, raw, path),
		0);
	assert_int_equal(run("qemu-img", "snapshot", "-c", "all", path), 0);
}

/* The name of a link: 0 is the base. Caller frees. */
static inline char *link_name(const struct kind *k, unsigned link)
{
	const char *dot = strrchr(k->file, '.');

	return link == k->parents ? strdup(k->file) : sv_format("base%u%s", link, dot);
}

static inline uint64_t link_size(const struct kind *k, unsigned link, uint64_t size)
{
	unsigned above = k->parents - link;

	return k->smaller_parents ? size - above * (SV_MIB + 78 * SV_SECTOR) : size;
}

static inline void make_link(
	const char *dir, const struct kind *k, unsigned link, uint64_t size)
{
	sv_autofree char *name = link_name(k, link), *path = in_folder(dir, name);
	sv_autofree char *below = link ? link_name(k, link - 1) : NULL;
	sv_autofree char *below_path = below ? in_folder(dir, below) : NULL;
	struct sv_image *parent = NULL;

	if (link == k->parents && k->make) {
		k->make(dir, k, size);
		return;
	}
	if (link == k->parents && k->options) {
		make_with_qemu(dir, k, below, size);
		return;
	}
	if (below)
		parent = open_image(below_path, false);
	make_image(
		path, k->format, link ? NULL : k->subformat, link_size(k, link, size), parent);
	sv_image_close(parent);
}

/* The whole disk in an empty folder. `fill` may be NULL. */
static inline void make_kind(
	const char *dir, const struct kind *k, uint64_t size, fill_fn *fill, void *user)
{
	struct sv_err err = SV_ERR_INIT;

	for (unsigned link = 0; link <= k->parents; link++) {
		sv_autofree char *name = link_name(k, link), *path = in_folder(dir, name);
		struct sv_image *img;

		make_link(dir, k, link, size);
		if (!fill || (link && link == k->parents))
			continue;
		img = open_image(path, true);
		fill(user, img, link);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
	}
	if (strstr(k->name, "zeroed"))
		mark_zeroed_grains(dir, k);
}

/* ---- the kinds ---- */

static const struct kind kinds[] = {
	{"raw-plain", "disk.img", "raw", .grows = true, .judge = &raw_judge},

	{"vmdk-sparse", "disk.vmdk", "vmdk", .grows = true, .judge = &vmdk_judge,
		.cut_fault = "redundant copy"},
	{"vmdk-flat", "disk.vmdk", "vmdk", "monolithicFlat", .grows = true,
		.judge = &flat_vmdk_judge},
	{"vmdk-split", "disk.vmdk", "vmdk", .make = make_split_vmdk, .judge = &vmdk_judge,
		.cut_fault = "redundant copy"},
	{"vmdk-chain", "disk.vmdk", "vmdk", .parents = 2, .judge = &vmdk_judge,
		.cut_fault = "redundant copy"},
	{"vmdk-zeroed-chain", "disk.vmdk", "vmdk", .parents = 2, .judge = &vmdk_judge,
		.cut_fault = "redundant copy"},

	{"vhd-fixed", "disk.vhd", "vhd", "fixed", .grows = true, .old_footer = true,
		.judge = &vhd_judge},
	{"vhd-dynamic", "disk.vhd", "vhd", .grows = true, .judge = &vhd_judge,
		.cut_fault = "footer"},
	{"vhd-small-blocks", "disk.vhd", "vhd", .grows = true, .judge = &vhd_judge,
		.make = make_vhd_of_small_blocks, .cut_fault = "footer"},
	{"vhd-chain", "disk.vhd", "vhd", .parents = 2, .judge = &vhd_chain_judge,
		.cut_fault = "footer"},

	{"vhdx-fixed", "disk.vhdx", "vhdx", "fixed", .grows = true, .judge = &vhdx_judge},
	{"vhdx-dynamic", "disk.vhdx", "vhdx", .grows = true, .judge = &vhdx_judge},
	{"vhdx-small-blocks", "disk.vhdx", "vhdx", .grows = true, .judge = &vhdx_judge,
		.make = make_vhdx_of_small_blocks},
	{"vhdx-chain", "disk.vhdx", "vhdx", .parents = 2, .smaller_parents = true,
		.judge = &vhdx_chain_judge},

	{"vdi-fixed", "disk.vdi", "vdi", "fixed", .grows = true, .judge = &vdi_judge},
	{"vdi-dynamic", "disk.vdi", "vdi", .grows = true, .judge = &vdi_judge},
	/* qemu-img reads blocks of 1 MiB only, and no chains; 7-Zip neither */
	{"vdi-small-blocks", "disk.vdi", "vdi", .grows = true,
		.make = make_vdi_of_small_blocks},
	{"vdi-chain", "disk.vdi", "vdi", .parents = 2, .smaller_parents = true},

	{"parallels-expanding", "disk.hds", "parallels", .grows = true,
		.judge = &parallels_judge},
	{"parallels-small-clusters", "disk.hds", "parallels", .grows = true,
		.judge = &parallels_judge, .options = "cluster_size=4K"},
	{"parallels-old", "disk.hds", "parallels", .grows = true, .judge = &parallels_judge,
		.make = make_old_parallels},
	{"parallels-folder", "disk.hdd", "parallels", .grows = true,
		.judge = &parallels_folder_judge},
	{"parallels-split", "disk.hdd", "parallels", .grows = true,
		.judge = &parallels_folder_judge, .make = make_split_parallels},
	{"parallels-chain", "disk.hdd", "parallels", .parents = 2,
		.judge = &parallels_folder_judge},

	{"qcow2-plain", "disk.qcow2", "qcow2", .grows = true, .judge = &qcow2_judge},
	{"qcow2-small-clusters", "disk.qcow2", "qcow2", .grows = true, .judge = &qcow2_judge,
		.options = "cluster_size=512,refcount_bits=1"},
	{"qcow2-chain", "disk.qcow2", "qcow2", .parents = 2, .smaller_parents = true,
		.judge = &qcow2_judge},
	{"qcow2-subclusters-chain", "disk.qcow2", "qcow2", .parents = 2,
		.smaller_parents = true, .judge = &qcow2_judge,
		.options = "extended_l2=on,cluster_size=128K"},
	{"qcow2-version-2-chain", "disk.qcow2", "qcow2", .parents = 2, .smaller_parents = true,
		.judge = &qcow2_judge, .options = "compat=0.10,cluster_size=16K"},
	{"qcow2-packed", "disk.qcow2", "qcow2", .content = true, .judge = &qcow2_judge,
		.make = make_packed_qcow2, .options = "cluster_size=32K"},
};

/* ---- a test for each kind ---- */

/* Has each format that can be made its rows? */
static inline bool kinds_are_complete(void)
{
	struct sv_image_format f;
	bool complete = true;

	for (size_t i = 0; sv_image_format(i, &f); i++) {
		bool row = false, chain = false;

		for (size_t k = 0; k < SV_ARRAY_LEN(kinds); k++) {
			row |= !strcmp(kinds[k].format, f.name);
			chain |= !strcmp(kinds[k].format, f.name) && kinds[k].parents;
		}
		if (!f.can_create || (row && (chain || !f.has_parents)))
			continue;
		fprintf(stderr, "%s has no %s in kinds.h\n", f.name, row ? "chain" : "row");
		complete = false;
	}
	return complete;
}

/* A group of one test per kind of the format that the program was asked for; all without. */
static inline int run_kinds(int argc, char **argv, CMUnitTestFunction test,
	CMFixtureFunction setup, CMFixtureFunction teardown)
{
	struct CMUnitTest tests[SV_ARRAY_LEN(kinds)];
	size_t n = 0;

	if (!kinds_are_complete())
		return 1;
	for (size_t i = 0; i < SV_ARRAY_LEN(kinds); i++) {
		const struct kind *k = &kinds[i];

		/* not "vhdx" for "vhd" */
		if (argc > 1 &&
			(!sv_starts_with(k->name, argv[1]) || k->name[strlen(argv[1])] != '-'))
			continue;
		tests[n++] = (struct CMUnitTest){k->name, test, setup, teardown, (void *)k};
	}
	if (!n) {
		fprintf(stderr, "no kind of image is called %s\n", argv[1]);
		return 1;
	}
	return _cmocka_run_group_tests("kinds", tests, n, NULL, NULL);
}

#endif
