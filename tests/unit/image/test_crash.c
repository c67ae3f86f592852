/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A writer that is killed before its nth write, for every n: the extent that is left opens,
 * has no wrong table, and holds for each grain the old bytes or the new; a grow has happened
 * or not, and the content is the same.
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

static struct sv_vmdk_sparse *open_extent(
	struct sv_dev *file, struct sv_vmdk_tables **tables, struct sv_dev *const *below)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_sparse *s;

	*tables = sv_vmdk_tables_new(&err);
	s = sv_vmdk_sparse_open(file, *tables, 0, true, &err);
	if (!s)
		fail_msg("%s", err.message);
	s->below = below;
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
		else if (run.kind == SV_RUN_ABSENT && s->below)
			assert_ok(sv_dev_read(*s->below, buf + off, run.length, off, &err));
		else
			memset(buf + off, 0, run.length);
	}
}

static void assert_no_error(struct sv_vmdk_sparse *s, bool copies_may_differ)
{
	struct sv_image_faults faults = {0};
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_vmdk_check_sparse(s, "extent", &faults, NULL, &err));
	/* the table is written before its copy: one entry may differ, no more */
	assert_true(faults.errors <= (copies_may_differ ? 1 : 0));
}

static void put_some(struct sv_vmdk_sparse *s, uint8_t *model, uint64_t off, uint64_t n, int c)
{
	struct sv_err err = SV_ERR_INIT;

	memset(model + off, c, n);
	assert_ok(sv_vmdk_sparse_write(s, model + off, n, off, &err));
}

/* ---- writes ---- */

struct action {
	uint64_t off, n;
	int byte; /* -1: discard */
};

static const struct action actions[] = {{100, 200, 1}, {3 * GRAIN - 5, 4 * GRAIN, 2},
	{SIZE - 1000, 1000, 3}, {150, 70000, 4}, {3 * GRAIN, GRAIN + 100, -1},
	{20 * GRAIN + 7, 3 * GRAIN, -1}, {5 * GRAIN, 10, 5}};

static int act(struct sv_vmdk_sparse *s, const struct action *a, struct sv_err *err)
{
	uint8_t *buf = malloc(a->n);
	int rc;

	memset(buf, a->byte, a->n);
	rc = a->byte < 0 ? sv_vmdk_sparse_discard(s, a->off, a->n, err)
			 : sv_vmdk_sparse_write(s, buf, a->n, a->off, err);
	free(buf);
	return rc;
}

static void apply(uint8_t *model, const struct action *a)
{
	memset(model + a->off, a->byte < 0 ? 0 : a->byte, a->n);
}

/* Everything up to the action that was cut is there; in its range each byte is old or new. */
static void assert_old_or_new(
	const uint8_t *got, const uint8_t *old, const uint8_t *new, const struct action *cut)
{
	for (uint64_t i = 0; i < SIZE; i++) {
		bool inside = cut && i >= cut->off && i < cut->off + cut->n;

		if (got[i] != old[i] && !(inside && got[i] == new[i]))
			fail_msg("byte %llu is %u, was %u", (unsigned long long)i, got[i],
				old[i]);
	}
}

/* Plays the actions until the device dies; false when none was cut. */
static bool play(struct sv_dev *file, int left, struct sv_dev *const *below, uint8_t *old,
	uint8_t *new, const struct action **ret_cut)
{
	struct sv_dev *mortal = open_mortal(file, &left);
	struct sv_vmdk_tables *tables;
	struct sv_vmdk_sparse *s = open_extent(mortal, &tables, below);
	struct sv_err err = SV_ERR_INIT;
	bool cut = false;

	*ret_cut = NULL;
	for (size_t i = 0; i < SV_ARRAY_LEN(actions) && !cut; i++) {
		memcpy(new, old, SIZE);
		apply(new, &actions[i]);
		cut = act(s, &actions[i], &err) < 0;
		if (cut)
			*ret_cut = &actions[i];
		else
			memcpy(old, new, SIZE);
	}
	if (!cut)
		cut = sv_vmdk_sparse_flush(s, &err) < 0;
	if (cut)
		assert_string_equal(err.message, "killed");
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);
	sv_dev_close(mortal);
	return cut;
}

static void writes_until(struct sv_dev *below)
{
	uint8_t *old = malloc(SIZE), *new = malloc(SIZE), *got = malloc(SIZE);
	int n = 0;
	bool cut;

	do {
		struct sv_dev *file = make_extent();
		struct sv_vmdk_tables *tables;
		struct sv_vmdk_sparse *s;
		const struct action *action;

		memset(old, below ? 0x77 : 0, SIZE);
		cut = play(file, n++, below ? &below : NULL, old, new, &action);
		s = open_extent(file, &tables, below ? &below : NULL);
		read_all(s, got, SIZE);
		assert_old_or_new(got, old, new, action);
		assert_no_error(s, cut);
		sv_vmdk_sparse_close(s);
		sv_vmdk_tables_free(tables);
		sv_dev_close(file);
	} while (cut);
	assert_in_range(n, 20, 200);
	free(old);
	free(new);
	free(got);
}

static void a_killed_writer_leaves_old_bytes_or_new(void **state)
{
	(void)state;
	writes_until(NULL);
}

static void a_killed_writer_of_a_delta_leaves_old_bytes_or_new(void **state)
{
	uint8_t *bytes = malloc(SIZE);
	struct sv_dev *below;

	(void)state;
	memset(bytes, 0x77, SIZE);
	below = sv_mem_open(bytes, SIZE, false, "below", NULL);
	writes_until(below);
	sv_dev_close(below);
	free(bytes);
}

/* ---- grow ---- */

static bool grows_until(int left, uint64_t sectors)
{
	struct sv_dev *file = make_extent(), *mortal;
	uint8_t *model = calloc(1, sectors * 512), *got = malloc(sectors * 512);
	struct sv_vmdk_tables *tables;
	struct sv_vmdk_sparse *s = open_extent(file, &tables, NULL);
	struct sv_err err = SV_ERR_INIT;
	bool killed;

	put_some(s, model, 0, 100000, 1);
	put_some(s, model, SIZE - 777, 777, 2);
	assert_ok(sv_vmdk_sparse_flush(s, &err));
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);

	mortal = open_mortal(file, &left);
	s = open_extent(mortal, &tables, NULL);
	killed = sv_vmdk_sparse_grow(s, sectors, NULL, 0, &err) < 0;
	sv_vmdk_sparse_close(s);
	sv_vmdk_tables_free(tables);
	sv_dev_close(mortal);

	s = open_extent(file, &tables, NULL);
	assert_true(s->h.capacity == sectors || (killed && s->h.capacity == SECTORS));
	read_all(s, got, s->h.capacity * 512);
	assert_memory_equal(got, model, s->h.capacity * 512);
	assert_no_error(s, false);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_writer_leaves_old_bytes_or_new),
		cmocka_unit_test(a_killed_writer_of_a_delta_leaves_old_bytes_or_new),
		cmocka_unit_test(a_killed_grow_leaves_the_old_size_or_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
