/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power is cut at each step of work on a Parallels image with a dirty bitmap. A bitmap that
 * a reader believes afterwards has a bit for every sector that is not what it was.
 * (test_cuts.c does the same without bitmaps.)
 */
#include "image/cuts.h"

#include "base/hash.h"
#include "image/parallels/ext.h"
#include "image/parallels/format.h"

static void fill_with(const char *path, uint16_t base)
{
	struct sv_image *img = open_image(path, true);
	struct sv_err err = SV_ERR_INIT;

	assert_ok(cut_write(img, 0, CUT_SECTORS, base, &err));
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
}

enum { CLUSTER = 4096, EXT_AT = 8192 };

static void write_at(const char *path, uint64_t off, const void *bytes, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	assert_int_equal(pwrite(fd, bytes, n, (off_t)off), n);
	close(fd);
}

static void make_ext(uint8_t *bytes)
{
	const size_t head = sizeof(struct sv_prl_disk_ext);
	struct sv_prl_disk_feature f = {.magic = sv_put_le64(SV_PRL_BITMAP_MAGIC),
		.n = sv_put_le32(sizeof(struct sv_prl_disk_bitmap) + 8)};
	struct sv_prl_disk_bitmap b = {.n_sectors = sv_put_le64(CUT_SECTORS),
		.granularity = sv_put_le32(1),
		.n_table = sv_put_le32(1)};
	struct sv_prl_disk_ext e = {.magic = sv_put_le64(SV_PRL_EXT_MAGIC)};
	struct sv_err err = SV_ERR_INIT;

	memset(bytes, 0, CLUSTER);
	memcpy(bytes + head, &f, sizeof f);
	memcpy(bytes + head + sizeof f, &b, sizeof b);
	assert_ok(sv_md5_bytes(bytes + head, CLUSTER - head, e.md5, &err));
	memcpy(bytes, &e, sizeof e);
}

/* Full of data first, then an extension with an empty bitmap. */
static void make_bitmap(struct cut_job *j, const char *dir)
{
	struct sv_prl_disk_header h = {.version = sv_put_le32(2),
		.cluster_sectors = sv_put_le32(CLUSTER / SV_SECTOR),
		.data_at = sv_put_le32(EXT_AT / SV_SECTOR)};
	char *path = in_dir(dir, j->image);
	uint8_t ext[CLUSTER];
	sv_le64 ext_at;
	sv_le32 closed = sv_put_le32(SV_PRL_CLOSED);
	struct stat st;

	memcpy(h.magic, SV_PRL_MAGIC_EXT, 16);
	sv_prl_header_resize(&h, CUT_SIZE, CLUSTER);
	write_at(path, 0, &h, sizeof h);
	assert_int_equal(truncate(path, EXT_AT), 0);
	fill_with(path, j->base);
	assert_int_equal(stat(path, &st), 0);
	make_ext(ext);
	write_at(path, (uint64_t)st.st_size, ext, sizeof ext);
	ext_at = sv_put_le64((uint64_t)st.st_size / SV_SECTOR);
	write_at(path, 56, &ext_at, sizeof ext_at);
	write_at(path, 44, &closed, sizeof closed);
	free(path);
}

/* The bits of the only bitmap; false where no reader believes them. */
static bool read_bits(const char *path, uint8_t *bits, const char **why)
{
	struct sv_prl_disk_header h;
	struct sv_prl_features list;
	struct sv_err err = SV_ERR_INIT;
	uint8_t ext[CLUSTER];
	int fd = open(path, O_RDONLY);
	uint64_t entry;
	bool believed;

	assert_int_equal(pread(fd, &h, sizeof h, 0), sizeof h);
	believed = sv_get_le32(h.in_use) == SV_PRL_CLOSED;
	memset(ext, 0, sizeof ext);
	memset(bits, 0, CUT_SECTORS / 8);
	if (believed) {
		assert_true(pread(fd, ext, sizeof ext,
				    (off_t)(sv_get_le64(h.ext_at) * SV_SECTOR)) > 0);
		if (sv_prl_ext_parse(ext, sizeof ext, sv_get_le64(h.n_sectors) * SV_SECTOR,
			    &list, &err) < 0)
			*why = "the extension is damaged, and the header says that it is not";
		entry = *why ? 0 : sv_load_le64(ext + list.all[0].table_at);
		if (entry == 1)
			memset(bits, 0xff, CUT_SECTORS / 8);
		else if (entry)
			assert_true(pread(fd, bits, CUT_SECTORS / 8,
					    (off_t)(entry * SV_SECTOR)) > 0);
	}
	close(fd);
	return believed;
}

static const char *bits_are_set(struct cut_job *j, const char *dir, const uint16_t *content)
{
	char *path = in_dir(dir, j->image);
	uint8_t bits[CUT_SECTORS / 8];
	const char *why = NULL;

	if (read_bits(path, bits, &why)) {
		for (size_t i = 0; i < CUT_SECTORS && !why; i++) {
			for (size_t k = 0; k < 256 && !why; k++) {
				if (content[i * 256 + k] != j->base &&
					!(bits[i / 8] >> (i % 8) & 1))
					why = "a sector has changed, and its bit is not set";
			}
		}
	}
	free(path);
	return why;
}

static void bitmaps_that_are_believed_are_right(void **state)
{
	struct cut_job *j = calloc(1, sizeof *j);

	(void)state;
	*j = (struct cut_job){.image = "disk.hds",
		.make = make_bitmap,
		.look = bits_are_set,
		.base = 1000,
		.grown = 9 * SV_MIB};
	cut_sweep(j, false);
	free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bitmaps_that_are_believed_are_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
