/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Writes past the host's cache, mixed with writes through it: what is read back is what the
 * same writes leave in memory, whatever their alignment. */
#include "unit.h"

#include "io/host.h"
#include "tempdir.h"

#include "base/num.h"

#include <pthread.h>

#define SIZE (4 * SV_MIB)

static struct sv_dev *make_file(const char *dir, const char *name)
{
	sv_autofree char *path = in_dir(dir, name);
	struct sv_dev *d = NULL;
	struct sv_err err = SV_ERR_INIT;

	assert_ok(
		sv_host_open(sv_host_posix(), path, SV_OPEN_WRITE | SV_OPEN_CREATE, &d, &err));
	assert_ok(sv_dev_resize(d, SIZE, &err));
	return d;
}

static uint8_t *make_bytes(void)
{
	uint8_t *bytes = aligned_alloc(4096, SIZE);

	assert_non_null(bytes);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 4096 * 13 + 1);
	return bytes;
}

static void assert_holds(struct sv_dev *d, const uint8_t *bytes)
{
	sv_autofree uint8_t *found = malloc(SIZE);
	struct sv_err err = SV_ERR_INIT;

	assert_non_null(found);
	assert_ok(sv_dev_read(d, found, SIZE, 0, &err));
	assert_memory_equal(found, bytes, SIZE);
}

static void writes_what_it_is_given_at_any_offset(void **state)
{
	/* offset in the file, offset in memory, length */
	static const struct {
		uint64_t at, from, n;
	} writes[] = {
		{0, 0, 256 * SV_KIB},                     /* whole blocks */
		{256 * SV_KIB + 512, 4096, 128 * SV_KIB}, /* the file's blocks are cut */
		{512 * SV_KIB, 1, 128 * SV_KIB},          /* memory that no disk takes */
		{700 * SV_KIB + 3, 3, 70 * SV_KIB},       /* both */
		{1 * SV_MIB, 8192, 65 * SV_KIB + 17},     /* an odd end */
		{2 * SV_MIB + 100, 100, 200},             /* less than a block */
		{SIZE - 96 * SV_KIB, 512, 96 * SV_KIB},   /* to the end */
		{SIZE - 2 * SV_MIB, 4096, 0},             /* nothing */
	};
	char *dir = make_temp_dir();
	struct sv_dev *d = make_file(dir, "f");
	sv_autofree uint8_t *bytes = make_bytes(), *expected = calloc(1, SIZE);
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(writes); i++) {
		assert_ok(sv_dev_write_out(
			d, bytes + writes[i].from, (size_t)writes[i].n, writes[i].at, &err));
		memcpy(expected + writes[i].at, bytes + writes[i].from, (size_t)writes[i].n);
		assert_holds(d, expected);
	}
	assert_ok(sv_dev_flush(d, &err));
	assert_holds(d, expected);
	assert_fails(
		sv_dev_write_out(d, bytes, 4096, SIZE - 4095, &err), SV_INTERNAL, SIZE - 4095);
	sv_dev_close(d);
	remove_tree(dir);
}

struct half {
	struct sv_dev *dev;
	const uint8_t *bytes;
	uint64_t first;
};

/* Every second 64 KiB past the cache, behind it a table of 4 KiB that changes and changes. */
static void *write_half(void *arg)
{
	const struct half *h = arg;
	struct sv_err err = SV_ERR_INIT;

	for (uint64_t at = h->first; at < SIZE; at += 256 * SV_KIB) {
		assert_ok(sv_dev_write_out(h->dev, h->bytes + at, 124 * SV_KIB, at, &err));
		for (uint64_t i = 0; i < 4096; i += 512)
			assert_ok(sv_dev_write(h->dev, h->bytes + at + 124 * SV_KIB + i, 512,
				at + 124 * SV_KIB + i, &err));
	}
	return NULL;
}

static void writes_from_several_threads_beside_tables(void **state)
{
	char *dir = make_temp_dir();
	struct sv_dev *d = make_file(dir, "f");
	sv_autofree uint8_t *bytes = make_bytes();
	struct half halves[] = {{d, bytes, 0}, {d, bytes, 128 * SV_KIB}};
	struct sv_err err = SV_ERR_INIT;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_half, &halves[0]), 0);
	write_half(&halves[1]);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_ok(sv_dev_flush(d, &err));
	assert_holds(d, bytes);
	sv_dev_close(d);
	remove_tree(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_it_is_given_at_any_offset),
		cmocka_unit_test(writes_from_several_threads_beside_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
