/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dirty bitmaps in a Parallels image: what is written or discarded is marked, the power cut or
 * not. QEMU reads them where a file is opened read-only, and refuses the file where one is
 * wrong; qemu-nbd tells their bits. Nobody at hand makes them: they are made here from QEMU's
 * description of the format.
 */
#include "image/scratch.h"

#include "base/hash.h"
#include "image/parallels/ext.h"
#include "image/parallels/format.h"

#include <unistd.h>

enum { CLUSTER = 4096, SIZE = 3 * 1024 * 1024, N = SIZE / CLUSTER, GRANULE = 512 };
enum { N_BITS = SIZE / GRANULE, DATA_AT = 4096, EXT_AT = DATA_AT, BITS_AT = EXT_AT + CLUSTER };

static void patch(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static void peek(const char *path, uint64_t off, void *bytes, size_t n)
{
	int fd = open(path, O_RDONLY);

	assert_int_equal(pread(fd, bytes, n, (off_t)off), n);
	close(fd);
}

/* ---- an image with an extension ---- */

struct maker {
	uint8_t ext[CLUSTER];
	size_t n;
};

static void add_feature(
	struct maker *m, uint64_t magic, uint64_t flags, const void *data, size_t n)
{
	struct sv_prl_disk_feature f = {.magic = sv_put_le64(magic),
		.flags = sv_put_le64(flags),
		.n = sv_put_le32((uint32_t)n)};

	memcpy(m->ext + m->n, &f, sizeof f);
	memcpy(m->ext + m->n + sizeof f, data, n);
	m->n = (size_t)sv_align_up(m->n + sizeof f + n, 8);
}

static void add_bitmap(struct maker *m, char id, uint64_t entry)
{
	uint8_t data[sizeof(struct sv_prl_disk_bitmap) + 8];
	struct sv_prl_disk_bitmap b = {.n_sectors = sv_put_le64(SIZE / SV_SECTOR),
		.granularity = sv_put_le32(GRANULE / SV_SECTOR),
		.n_table = sv_put_le32(1)};

	memset(b.id, id, sizeof b.id);
	memcpy(data, &b, sizeof b);
	sv_store_le64(data + sizeof b, entry);
	add_feature(m, SV_PRL_BITMAP_MAGIC, 0, data, sizeof data);
}

static void finish_ext(struct maker *m)
{
	const size_t head = sizeof(struct sv_prl_disk_ext);
	struct sv_prl_disk_ext e = {.magic = sv_put_le64(SV_PRL_EXT_MAGIC)};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_md5_bytes(m->ext + head, CLUSTER - head, e.md5, &err));
	memcpy(m->ext, &e, sizeof e);
}

static struct maker begin_ext(void)
{
	struct maker m = {.n = sizeof(struct sv_prl_disk_ext)};

	return m;
}

/* Clusters of 4 KiB; the extension in the first, a cluster of bits in the second. */
static void make(struct scratch *s, struct maker *m, uint32_t in_use)
{
	struct sv_prl_disk_header h = {
		.version = sv_put_le32(2), .cluster_sectors = sv_put_le32(CLUSTER / SV_SECTOR)};

	memcpy(h.magic, SV_PRL_MAGIC_EXT, 16);
	sv_prl_header_resize(&h, SIZE, CLUSTER);
	h.data_at = sv_put_le32(DATA_AT / SV_SECTOR);
	h.ext_at = sv_put_le64(EXT_AT / SV_SECTOR);
	h.in_use = sv_put_le32(in_use);
	finish_ext(m);
	unlink(at(s, "b.hds"));
	patch(at(s, "b.hds"), 0, &h, sizeof h);
	patch(at(s, "b.hds"), EXT_AT, m->ext, CLUSTER);
	assert_int_equal(truncate(at(s, "b.hds"), BITS_AT + CLUSTER), 0);
}

static struct sv_prl_disk_header header(struct scratch *s)
{
	struct sv_prl_disk_header h;

	peek(at(s, "b.hds"), 0, &h, sizeof h);
	return h;
}

/* ---- what a reader finds ---- */

static void read_features(
	struct scratch *s, uint64_t size, struct sv_prl_features *ret, uint8_t *bytes)
{
	struct sv_prl_disk_header h = header(s);
	struct sv_err err = SV_ERR_INIT;

	assert_int_equal(sv_get_le32(h.in_use), SV_PRL_CLOSED);
	peek(at(s, "b.hds"), sv_get_le64(h.ext_at) * SV_SECTOR, bytes, CLUSTER);
	assert_ok(sv_prl_ext_parse(bytes, CLUSTER, size, ret, &err));
}

/* The bits of bitmap i, as the file has them. */
static void read_bits(struct scratch *s, size_t i, uint8_t *bits)
{
	struct sv_prl_features list;
	uint8_t bytes[CLUSTER];
	uint64_t entry;

	read_features(s, SIZE, &list, bytes);
	assert_true(list.all[i].is_bitmap);
	entry = sv_load_le64(bytes + list.all[i].table_at);
	if (entry <= 1)
		memset(bits, entry ? 0xff : 0, N_BITS / 8);
	else
		peek(at(s, "b.hds"), entry * SV_SECTOR, bits, N_BITS / 8);
}

static void expect_marks(uint8_t *bits, uint64_t off, uint64_t len)
{
	for (uint64_t i = off / GRANULE; i <= (off + len - 1) / GRANULE; i++)
		bits[i / 8] |= (uint8_t)(1 << i % 8);
}

static void assert_qemu_reads_it(struct scratch *s)
{
	assert_int_equal(run("qemu-img", "info", "-f", "parallels", at(s, "b.hds")), 0);
}

/* ---- tests ---- */

static void marks_what_is_written_and_discarded(void **state)
{
	struct scratch *s = *state;
	struct maker m = begin_ext();
	uint8_t before[N_BITS / 8] = {0x10, 0, 0x3}, want[3][N_BITS / 8] = {{0}},
				got[N_BITS / 8];
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;

	add_bitmap(&m, 'a', BITS_AT / SV_SECTOR);
	add_bitmap(&m, 'b', 0);
	add_bitmap(&m, 'c', SV_PRL_L1_ALL);
	make(s, &m, SV_PRL_CLOSED);
	patch(at(s, "b.hds"), BITS_AT, before, sizeof before);
	assert_qemu_reads_it(s);
	memcpy(want[0], before, sizeof before);
	memset(want[2], 0xff, sizeof want[2]);
	img = open_image(at(s, "b.hds"), true);
	srandom(5);
	for (int i = 0; i < 60; i++) {
		uint64_t off = (uint64_t)random() % (SIZE - 70000);
		uint64_t n = 1 + (uint64_t)random() % (i % 5 ? 2000 : 70000);

		if (i % 3)
			write_pattern(sv_image_dev(img), off, n, (unsigned)i);
		else
			assert_ok(sv_dev_discard(sv_image_dev(img), off, n, &err));
		assert_int_equal(sv_get_le32(header(s).in_use), SV_PRL_IN_USE);
		expect_marks(want[0], off, n);
		expect_marks(want[1], off, n);
		if (i % 10)
			continue;
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		for (size_t k = 0; k < 3; k++) {
			read_bits(s, k, got);
			assert_memory_equal(got, want[k], sizeof got);
		}
		assert_qemu_reads_it(s);
		assert_sound(at(s, "b.hds"));
	}
	sv_image_close(img);
}

static void qemu_tells_the_same_bits(void **state)
{
	struct scratch *s = *state;
	struct maker m = begin_ext();
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	char *command;

	add_bitmap(&m, 'a', 0);
	make(s, &m, SV_PRL_CLOSED);
	img = open_image(at(s, "b.hds"), true);
	write_pattern(sv_image_dev(img), 100 * GRANULE, 50 * GRANULE, 1);
	assert_ok(sv_dev_discard(sv_image_dev(img), 1000 * GRANULE, 10 * GRANULE, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	command = sv_format(
		"cd %s && { qemu-nbd -r -f parallels -B 61616161-6161-6161-6161-616161616161 "
		"-k $PWD/nbd -t b.hds & pid=$!; "
		"for i in 1 2 3 4 5 6 7 8 9; do [ -S nbd ] && break; sleep 0.3; done; "
		"qemu-img map --output=json --image-opts driver=nbd,server.type=unix,"
		"server.path=$PWD/nbd,x-dirty-bitmap=qemu:dirty-bitmap:"
		"61616161-6161-6161-6161-616161616161 > map; kill $pid; wait $pid; }; "
		/* a dirty range is told as one without data */
		"jq -r '.[] | select(.data == false) | \"\\(.start) \\(.length)\"' map > dirty; "
		"printf '51200 25600\\n512000 5120\\n' | cmp - dirty",
		s->dir);
	assert_int_equal(run("sh", "-c", command), 0);
	free(command);
}

static void bitmaps_that_are_out_of_date_stay_so(void **state)
{
	static const uint32_t marks[] = {SV_PRL_IN_USE, 0};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(marks); i++) {
		struct maker m = begin_ext();
		struct sv_err err = SV_ERR_INIT;
		struct sv_image *img;
		uint8_t before[CLUSTER], after[CLUSTER];

		add_bitmap(&m, 'a', BITS_AT / SV_SECTOR);
		make(s, &m, marks[i]);
		peek(at(s, "b.hds"), EXT_AT, before, CLUSTER);
		img = open_image(at(s, "b.hds"), true);
		write_pattern(sv_image_dev(img), 0, 100000, 1);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		/* 0 says: the last writer does not know the extension */
		assert_int_equal(sv_get_le32(header(s).in_use), 0);
		peek(at(s, "b.hds"), EXT_AT, after, CLUSTER);
		assert_memory_equal(before, after, CLUSTER);
		assert_sound(at(s, "b.hds"));
	}
}

static void features_that_are_not_known_do_what_they_ask_for(void **state)
{
	struct scratch *s = *state;
	struct sv_image_opts opts = {.writable = true};
	struct sv_prl_features list;
	struct sv_err err = SV_ERR_INIT;
	struct maker m = begin_ext();
	uint8_t bytes[CLUSTER];
	struct sv_image *img;

	add_feature(&m, 7, 0, "may be dropped", 14);
	add_feature(&m, 8, SV_PRL_TRANSIT, "stays as it is", 14);
	add_bitmap(&m, 'a', 0);
	make(s, &m, SV_PRL_CLOSED);
	img = open_image(at(s, "b.hds"), true);
	write_pattern(sv_image_dev(img), 0, 512, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	read_features(s, SIZE, &list, bytes);
	assert_int_equal(list.n, 2);
	assert_int_equal(list.all[0].magic, 8);
	assert_memory_equal(bytes + list.all[0].at, "stays as it is", 14);
	m = begin_ext();
	add_feature(&m, 7, SV_PRL_NECESSARY, "", 0);
	make(s, &m, SV_PRL_CLOSED);
	assert_fails(sv_image_open(sv_host_posix(), at(s, "b.hds"), &opts, &img, &err),
		SV_UNSUPPORTED, EXT_AT + 24 + 24);
	sv_image_close(open_image(at(s, "b.hds"), false));
}

static void a_grown_disk_has_bitmaps_of_its_size_with_all_bits_set(void **state)
{
	static const uint64_t sizes[] = {SIZE + SV_MIB, 40 * SV_MIB};
	struct scratch *s = *state;

	for (size_t i = 0; i < SV_ARRAY_LEN(sizes); i++) {
		struct maker m = begin_ext();
		struct sv_prl_features list;
		struct sv_err err = SV_ERR_INIT;
		struct sv_image *img;
		uint8_t bytes[CLUSTER];

		add_bitmap(&m, 'a', BITS_AT / SV_SECTOR);
		add_bitmap(&m, 'b', 0);
		make(s, &m, SV_PRL_CLOSED);
		img = open_image(at(s, "b.hds"), true);
		write_pattern(sv_image_dev(img), 0, 200000, 1);
		assert_ok(sv_image_grow(img, sizes[i], &err));
		assert_sound(at(s, "b.hds"));
		assert_qemu_reads_it(s);
		read_features(s, sizes[i], &list, bytes);
		assert_int_equal(list.n, 2);
		for (size_t k = 0; k < 2; k++) {
			for (size_t e = 0; e < list.all[k].n_table; e++)
				assert_int_equal(
					sv_load_le64(bytes + list.all[k].table_at + e * 8), 1);
		}
		write_pattern(sv_image_dev(img), sizes[i] - 5000, 5000, 2);
		assert_ok(sv_dev_flush(sv_image_dev(img), &err));
		sv_image_close(img);
		assert_sound(at(s, "b.hds"));
		assert_reads_like_qemu(s, at(s, "b.hds"));
	}
}

static void a_damaged_extension_is_named_and_its_clusters_are_left_alone(void **state)
{
	struct scratch *s = *state;
	struct found found = {0};
	struct sv_image_faults faults = {.report = note_fault, .user = &found};
	struct maker m = begin_ext();
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint8_t before[2 * CLUSTER], after[2 * CLUSTER];

	add_bitmap(&m, 'a', BITS_AT / SV_SECTOR);
	make(s, &m, SV_PRL_CLOSED);
	patch(at(s, "b.hds"), EXT_AT + 100, "x", 1);
	/* the judge's word: qemu refuses a broken one */
	assert_int_not_equal(run("qemu-img", "info", at(s, "b.hds")), 0);
	assert_ok(sv_image_check(sv_host_posix(), at(s, "b.hds"), NULL, &faults, NULL, &err));
	assert_int_equal(faults.errors, 1);
	assert_int_equal(found.offset, EXT_AT + 8);
	peek(at(s, "b.hds"), EXT_AT, before, sizeof before);
	img = open_image(at(s, "b.hds"), true);
	write_pattern(sv_image_dev(img), 0, 200000, 1);
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	peek(at(s, "b.hds"), EXT_AT, after, sizeof after);
	assert_memory_equal(before, after, sizeof after);
	assert_int_equal(sv_get_le32(header(s).in_use), 0);
	assert_sound(at(s, "b.hds"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_what_is_written_and_discarded),
		cmocka_unit_test(qemu_tells_the_same_bits),
		cmocka_unit_test(bitmaps_that_are_out_of_date_stay_so),
		cmocka_unit_test(features_that_are_not_known_do_what_they_ask_for),
		cmocka_unit_test(a_grown_disk_has_bitmaps_of_its_size_with_all_bits_set),
		cmocka_unit_test(a_damaged_extension_is_named_and_its_clusters_are_left_alone),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
