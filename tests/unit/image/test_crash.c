/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A growth of a VMDK extent that is killed before its nth write, for every n: the extent opens,
 * has no wrong table, has grown or not, and the content is the same. (Cuts of writes:
 * test_cuts.c.)
 */
#include "unit.h"

#include "base/num.h"
#include "image/vmdk/check.h"
#include "image/vmdk/sparse.h"

enum { SECTORS = 5000, GRAIN = 65536, SIZE = SECTORS * 512 };

/* ---- a device that dies ---- */

struct mortal {
	struct sv_dev dev;
	struct sv_dev *under;
	int *left; /* changes until it dies */
};

static int die(struct sv_dev *d, struct sv_err *err)
{
	struct mortal *m = (struct mortal *)d;

	if ((*m->left)-- > 0)
		return 0;
	return sv_fail(err, SV_IO, d->name, "killed");
}

static int mortal_pread(struct sv_dev *d, void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	return sv_dev_read(((struct mortal *)d)->under, buf, n, off, err);
}

static int mortal_pwrite(
	struct sv_dev *d, const void *buf, size_t n, uint64_t off, struct sv_err *err)
{
	return die(d, err) ? -1 : sv_dev_write(((struct mortal *)d)->under, buf, n, off, err);
}

static int mortal_flush(struct sv_dev *d, struct sv_err *err)
{
	return die(d, err);
}

static int mortal_extent(
	struct sv_dev *d, uint64_t off, uint64_t max, struct sv_extent *ret, struct sv_err *err)
{
	return sv_dev_extent(((struct mortal *)d)->under, off, max, ret, err);
}

static int mortal_discard(struct sv_dev *d, uint64_t off, uint64_t len, struct sv_err *err)
{
	return die(d, err) ? -1 : sv_dev_discard(((struct mortal *)d)->under, off, len, err);
}

static int mortal_resize(struct sv_dev *d, uint64_t size, struct sv_err *err)
{
	return die(d, err) ? -1 : sv_dev_resize(((struct mortal *)d)->under, size, err);
}

static void mortal_close(struct sv_dev *d)
{
	sv_dev_close(((struct mortal *)d)->under);
	free(d);
}

static const struct sv_dev_ops mortal_ops = {
	.kind = "mortal",
	.pread = mortal_pread,
	.pwrite = mortal_pwrite,
	.flush = mortal_flush,
	.extent = mortal_extent,
	.discard = mortal_discard,
	.resize = mortal_resize,
	.close = mortal_close,
};

static struct sv_dev *open_mortal(struct sv_dev *under, int *left)
{
	struct mortal *m = calloc(1, sizeof *m);

	assert_int_equal(
		sv_dev_init(&m->dev, &mortal_ops, "mortal", sv_dev_size(under), true, NULL), 0);
	m->under = sv_dev_ref(under);
	m->left = left;
	return &m->dev;
}

/* ---- the extent ---- */

static struct sv_dev *make_extent(void)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *file = sv_sparse_open(0, 64 << 20, "extent", &err);

	assert_ok(sv_vmdk_sparse_make(file, SECTORS, 0, NULL, &err));
	return file;
}

static struct sv_vmdk_sparse *open_extent(struct sv_dev *file, struct sv_vmdk_tables **tables)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_sparse *s;

	*tables = sv_vmdk_tables_new(&err);
	s = sv_vmdk_sparse_open(file, *tables, 0, true, &err);
	if (!s)
		fail_msg("%s", err.message);
	return s;
}

static void read_all(struct sv_vmdk_sparse *s, uint8_t *buf, uint64_t size)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_run run;

	for (uint64_t off = 0; off < size; off += run.length) {
		assert_ok(sv_vmdk_sparse_map(s, off, size - off, false, &run, &err));
		if (run.kind == SV_RUN_DATA)
			assert_ok(sv_dev_read(
				run.dev, buf + off, run.length, run.host_offset, &err));
		else
			memset(buf + off, 0, run.length);
	}
}

static void assert_no_error(struct sv_vmdk_sparse *s)
{
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_vmdk_check_sparse(s, "extent", &faults, NULL, &err));
	assert_int_equal(faults.errors, 0);
}

static void put_some(struct sv_vmdk_sparse *s, uint8_t *model, uint64_t off, uint64_t n, int c)
{
	struct sv_err err = SV_ERR_INIT;

	memset(model + off, c, n);
	assert_ok(sv_vmdk_sparse_write(s, model + off, n, off, &err));
}

/* ---- grow ---- */

static bool grows_until(int left, uint64_t sectors)
{
	struct sv_dev *file = make_extent(), *mortal;
	uint8_t *model = calloc(1, sectors * 512), *got = malloc(sectors * 512);
	struct sv_vmdk_tables *tables;
	struct sv_vmdk_sparse *s = open_extent(file, &tables);
	struct sv_err err = SV_ERR_INIT;
	bool killed;

	put_some(s, model, 0, 100000, 1);
	put_some(s, model, SIZE - 777, 777, 2);
	assert_ok(sv_vmdk_sparse_flush(s, &err));
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);

	mortal = open_mortal(file, &left);
	s = open_extent(mortal, &tables);
	killed = sv_vmdk_sparse_grow(s, sectors, NULL, 0, &err) < 0;
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);
	sv_dev_close(mortal);

	s = open_extent(file, &tables);
	assert_true(s->h.capacity == sectors || (killed && s->h.capacity == SECTORS));
	read_all(s, got, s->h.capacity * 512);
	assert_memory_equal(got, model, s->h.capacity * 512);
	assert_no_error(s);
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);
	sv_dev_close(file);
	free(model);
	free(got);
	return killed || left < 0;
}

static void a_killed_grow_leaves_the_old_size_or_the_new(void **state)
{
	static const uint64_t sizes[] = {SECTORS + 1, 70000, 200000};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(sizes); i++) {
		int n = 0;

		while (grows_until(n, sizes[i]))
			n++;
		assert_in_range(n, 4, 100);
	}
}

/* ---- tables in memory ---- */

/* More tables than are kept: the places of changed ones are needed for others. */
static void a_changed_table_is_written_before_its_place_is_needed(void **state)
{
	enum { TABLES = SV_VMDK_TABLES + 100 };
	const uint64_t span = UINT64_C(512) * GRAIN, sectors = TABLES * span / 512;
	struct sv_dev *file = sv_sparse_open(0, 256 << 20, "extent", NULL);
	struct sv_vmdk_tables *tables;
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_sparse *s;
	struct sv_run run;
	uint8_t buf[16];

	(void)state;
	assert_ok(sv_vmdk_sparse_make(file, sectors, 0, NULL, &err));
	s = open_extent(file, &tables);
	for (uint64_t i = 0; i < TABLES; i++) {
		memset(buf, (int)i, sizeof buf);
		assert_ok(sv_vmdk_sparse_write(s, buf, sizeof buf, i * span + i * 7, &err));
	}
	for (int again = 0; again < 2; again++) {
		for (uint64_t i = 0; i < TABLES; i++) {
			assert_ok(sv_vmdk_sparse_map(
				s, i * span + i * 7, sizeof buf, false, &run, &err));
			assert_int_equal(run.kind, SV_RUN_DATA);
			assert_ok(sv_dev_read(file, buf, sizeof buf, run.host_offset, &err));
			assert_int_equal(buf[15], i % 256);
		}
		assert_ok(sv_vmdk_sparse_flush(s, &err));
		sv_vmdk_sparse_close(s);
		sv_vmdk_tables_free(tables);
		s = open_extent(file, &tables);
	}
	assert_no_error(s);
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);
	sv_dev_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_table_is_written_before_its_place_is_needed),
		cmocka_unit_test(a_killed_grow_leaves_the_old_size_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
