/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Grain directories are read in pages: what a large, nearly empty extent costs to look into. */
#include "unit.h"

#include "image/vmdk/check.h"
#include "image/vmdk/sparse.h"

#define TIB  (UINT64_C(1) << 40)
#define SIZE (8 * TIB)
#define PAGE (SV_VMDK_DIRECTORY_PAGE * UINT64_C(4))
#define IN_PAGE                                                                                \
	(SV_VMDK_DIRECTORY_PAGE * UINT64_C(512) * 65536) /* bytes of the guest's disk          \
							  */

struct extent {
	struct sv_dev *file, *counted;
	struct sv_io_count count;
	struct sv_vmdk_tables *tables;
	struct sv_vmdk_sparse *s;
};

static void open_extent(struct extent *e, struct sv_dev *file)
{
	struct sv_err err = SV_ERR_INIT;

	*e = (struct extent){.file = file};
	e->counted = sv_count_open(file, &e->count, &err);
	e->tables = sv_vmdk_tables_new(&err);
	e->s = sv_vmdk_sparse_open(e->counted, e->tables, 0, true, &err);
	if (!e->s)
		fail_msg("%s", err.message);
}

static void close_extent(struct extent *e)
{
	sv_vmdk_sparse_close(e->s);
	sv_vmdk_tables_free(e->tables);
	sv_dev_close(e->counted);
}

static struct sv_dev *make_file(void)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *file = sv_sparse_open(0, 64 << 20, "extent", &err);

	assert_ok(sv_vmdk_sparse_make(file, SIZE / 512, 0, NULL, &err));
	return file;
}

static void opening_reads_only_the_header(void **state)
{
	struct sv_dev *file = make_file();
	struct extent e;

	(void)state;
	open_extent(&e, file);
	assert_int_equal(e.count.read_bytes, SV_VMDK_HEADER_SIZE);
	close_extent(&e);
	sv_dev_close(file);
}

static void a_write_reads_one_page_of_each_directory(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *file = make_file();
	struct extent e;
	uint64_t before;

	(void)state;
	open_extent(&e, file);
	before = e.count.read_bytes;
	assert_ok(sv_vmdk_sparse_write(e.s, "tail", 4, SIZE - 4, &err));
	/* and the one table that the write changes */
	assert_int_equal(e.count.read_bytes - before, 2 * PAGE + SV_VMDK_GTES * 4);
	before = e.count.read_bytes;
	assert_ok(sv_vmdk_sparse_write(e.s, "more", 4, SIZE - 65536 * 3, &err));
	assert_int_equal(e.count.read_bytes, before);
	close_extent(&e);
	sv_dev_close(file);
}

static void what_lies_on_both_sides_of_a_page_is_read_back(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_image_faults faults = {0};
	struct sv_dev *file = make_file();
	struct sv_run run;
	struct extent e;
	char got[8];

	(void)state;
	open_extent(&e, file);
	assert_ok(sv_vmdk_sparse_write(e.s, "astride!", 8, 5 * IN_PAGE - 4, &err));
	assert_ok(sv_vmdk_sparse_flush(e.s, &err));
	close_extent(&e);
	open_extent(&e, file);
	for (unsigned i = 0; i < 8; i += (unsigned)run.length) {
		assert_ok(
			sv_vmdk_sparse_map(e.s, 5 * IN_PAGE - 4 + i, 8 - i, false, &run, &err));
		assert_int_equal(run.kind, SV_RUN_DATA);
		assert_ok(sv_dev_read(run.dev, got + i, run.length, run.host_offset, &err));
	}
	assert_memory_equal(got, "astride!", 8);
	assert_ok(sv_vmdk_check_sparse(e.s, "extent", &faults, NULL, &err));
	assert_int_equal(faults.errors, 0);
	assert_int_equal(faults.leaks, 0);
	close_extent(&e);
	sv_dev_close(file);
}

/* A run may end with a page, so that no walk reads the whole directory at once. */
static void an_empty_extent_is_walked_in_pages(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *file = make_file();
	struct sv_run run;
	struct extent e;
	uint64_t off, steps = 0;

	(void)state;
	open_extent(&e, file);
	for (off = 0; off < SIZE; off += run.length, steps++) {
		assert_ok(sv_vmdk_sparse_map(e.s, off, SIZE - off, true, &run, &err));
		assert_int_equal(run.kind, SV_RUN_ABSENT);
	}
	/* the hole of the tables does not end where a page does */
	assert_in_range(steps, SIZE / IN_PAGE, 2 * SIZE / IN_PAGE);
	close_extent(&e);
	sv_dev_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opening_reads_only_the_header),
		cmocka_unit_test(a_write_reads_one_page_of_each_directory),
		cmocka_unit_test(what_lies_on_both_sides_of_a_page_is_read_back),
		cmocka_unit_test(an_empty_extent_is_walked_in_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
