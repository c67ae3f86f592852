/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Logs of VHDXs: those that QEMU leaves when it is killed at each of its system calls (strace
 * kills it), and logs made here: sequences that go round the end, old ones, torn ones. We
 * replay them in memory and on the disk, qemu-img on a copy: all must show the same.
 */
#include "image/vhdx_replay.h"

#include "base/hash.h"
#include "image/vhdx/log.h"

enum { SIZE = 20 << 20, PAGES = 256 };

static uint8_t *read_all(const char *path, bool *ret_dirty)
{
	struct sv_image *img = open_image(path, false);
	uint8_t *buf = malloc(SIZE);
	struct sv_err err = SV_ERR_INIT;

	*ret_dirty = sv_image_link(img, 0)->dirty;
	assert_ok(sv_dev_read(sv_image_dev(img), buf, SIZE, 0, &err));
	sv_image_close(img);
	return buf;
}

/* ---- killed at each call ---- */

static int kill_qemu(const char *path, const char *call, int when)
{
	char *trace = sv_format("trace=%s", call);
	char *inject = sv_format("inject=%s:signal=SIGKILL:when=%d", call, when);
	int rc = run("strace", "-f", "-qq", "-o", "/dev/null", "-e", trace, "-e", inject,
		"qemu-io", "-f", "vhdx", "-c", "write -P 1 0 4k", "-c", "write -P 2 1M 70k",
		"-c", "write -P 3 5M 512", "-c", "flush", "-c", "write -P 4 9M 2M", path);

	free(trace);
	free(inject);
	return rc;
}

static void look_at_what_is_left(struct scratch *s, const char *what, int when, unsigned *dirty)
{
	bool is_dirty;
	uint8_t *content = read_all(at(s, "k.vhdx"), &is_dirty);
	const char *wrong = replays_same(s->dir, at(s, "k.vhdx"), true, content, SIZE);

	if (wrong)
		fail_msg("killed at %s number %d: %s", what, when, wrong);
	*dirty += is_dirty;
	free(content);
}

static void replays_what_a_killed_qemu_leaves(void **state)
{
	static const char *const calls[] = {"fdatasync", "pwrite64"};
	struct scratch *s = *state;
	unsigned dirty = 0;

	if (run("strace", "-qq", "-o", "/dev/null", "true")) {
		print_message("skip: strace is missing, or may not trace\n");
		skip();
	}
	assert_int_equal(run("qemu-img", "create", "-f", "vhdx", "-o", "block_size=1M",
				 at(s, "new.vhdx"), "20M"),
		0);
	for (size_t i = 0; i < SV_ARRAY_LEN(calls); i++) {
		int rc = 1;

		for (int when = 1; rc && when < 200; when++) {
			assert_int_equal(run("cp", "--sparse=always", at(s, "new.vhdx"),
						 at(s, "k.vhdx")),
				0);
			rc = kill_qemu(at(s, "k.vhdx"), calls[i], when);
			look_at_what_is_left(s, calls[i], when, &dirty);
		}
		assert_int_equal(rc, 0); /* it came to its end at last */
	}
	print_message("%u logs to replay\n", dirty);
	assert_true(dirty > 5);
}

/* ---- logs made here ---- */

static const struct sv_vhdx_guid log_id = {
	{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

struct made {
	int fd;
	uint64_t log_at, bat_at;
	uint8_t bat[SV_VHDX_PAGE]; /* the first page of the block table */
};

static void put(const struct made *m, const void *bytes, size_t n, uint64_t at)
{
	assert_int_equal(pwrite(m->fd, bytes, n, (off_t)at), n);
}

/* 20 blocks of 1 MiB, the nth full of n + 1, and a header that names a log. */
static void begin(struct scratch *s, struct made *m)
{
	struct sv_vhdx_header h;
	struct sv_vhdx_disk_header d;
	struct sv_err err = SV_ERR_INIT;
	struct sv_image *img;
	uint8_t *buf = malloc(SV_MIB);

	unlink(at(s, "m.vhdx"));
	make_image(at(s, "m.vhdx"), "vhdx", NULL, SIZE, NULL);
	set_blocks_of_1_mib(at(s, "m.vhdx"));
	img = open_image(at(s, "m.vhdx"), true);
	for (unsigned i = 0; i < 20; i++) {
		memset(buf, (int)i + 1, SV_MIB);
		assert_ok(sv_dev_write(sv_image_dev(img), buf, SV_MIB, i * SV_MIB, &err));
	}
	assert_ok(sv_dev_flush(sv_image_dev(img), &err));
	sv_image_close(img);
	free(buf);

	m->fd = open(at(s, "m.vhdx"), O_RDWR);
	assert_int_equal(pread(m->fd, &d, sizeof d, SV_VHDX_HEADER_AT(0)), sizeof d);
	assert_ok(sv_vhdx_header_parse(&d, sizeof d, &h, &err));
	h.sequence = 1000;
	h.log = log_id;
	sv_vhdx_header_print(&h, &d);
	put(m, &d, sizeof d, SV_VHDX_HEADER_AT(0));
	m->log_at = h.log_at;
	m->bat_at = 3 * SV_MIB;
	memset(d.reserved, 0, sizeof d.reserved);
	for (unsigned i = 0; i < PAGES; i++) /* what the disk's own work left in the log */
		put(m, d.reserved, 4000, m->log_at + i * 4096);
	assert_int_equal(pread(m->fd, m->bat, sizeof m->bat, (off_t)m->bat_at), sizeof m->bat);
}

/* An entry that makes block i what block from[i] was (-1: zeros), i < 4. */
struct want {
	int from[4];
};

static void change_bat(const struct made *m, const struct want *w, uint8_t *page)
{
	memcpy(page, m->bat, SV_VHDX_PAGE);
	for (size_t i = 0; i < 4; i++) {
		if (w->from[i] < 0)
			sv_vhdx_entry_store(
				page + i * 8, (struct sv_vhdx_entry){SV_VHDX_ZERO, 0});
		else
			memcpy(page + i * 8, m->bat + w->from[i] * 8, 8);
	}
}

static void put_round(const struct made *m, const uint8_t *bytes, unsigned n, unsigned page)
{
	for (unsigned i = 0; i < n; i++)
		put(m, bytes + i * 4096, 4096, m->log_at + (page + i) % PAGES * 4096);
}

static uint64_t file_size(const struct made *m)
{
	struct stat st;

	assert_int_equal(fstat(m->fd, &st), 0);
	return (uint64_t)st.st_size;
}

/* Two pages of the log, from `page` on. */
static void put_entry(const struct made *m, uint64_t sequence, unsigned page, unsigned tail,
	const struct want *w)
{
	struct sv_vhdx_log_entry e = {.tail = tail * 4096,
		.sequence = sequence,
		.n_descriptors = 1,
		.flushed = file_size(m),
		.last = file_size(m)};
	uint8_t bat[SV_VHDX_PAGE], bytes[2 * SV_VHDX_PAGE];
	struct sv_vhdx_change change = {m->bat_at, bat};

	change_bat(m, w, bat);
	sv_vhdx_log_entry_print(&e, &log_id, &change, bytes);
	put_round(m, bytes, 2, page);
}

/* What all must show; 0: zeros. */
static void shows(struct scratch *s, struct made *m, const int first[4], bool qemu)
{
	uint8_t *content, *want = malloc(SV_MIB);
	const char *wrong;
	bool is_dirty;

	close(m->fd);
	content = read_all(at(s, "m.vhdx"), &is_dirty);
	assert_true(is_dirty);
	for (unsigned i = 0; i < 20; i++) {
		memset(want, i < 4 ? first[i] : (int)i + 1, SV_MIB);
		if (memcmp(content + i * SV_MIB, want, SV_MIB) != 0)
			fail_msg("block %u holds %d, not %d", i, content[i * SV_MIB], want[0]);
	}
	wrong = replays_same(s->dir, at(s, "m.vhdx"), qemu, content, SIZE);
	if (wrong)
		fail_msg("%s", wrong);
	free(content);
	free(want);
}

static const struct want swap = {{1, 0, 2, 3}}, turn = {{3, 0, 1, 2}}, clear = {{-1, 1, -1, 3}};

static void replays_one_entry(void **state)
{
	struct made m;

	begin(*state, &m);
	put_entry(&m, 7, 0, 0, &swap);
	shows(*state, &m, (int[]){2, 1, 3, 4}, true);
}

static void replays_a_sequence_in_order(void **state)
{
	struct made m;

	begin(*state, &m);
	put_entry(&m, 7, 10, 10, &turn);
	put_entry(&m, 8, 12, 10, &swap);
	put_entry(&m, 9, 14, 10, &clear);
	shows(*state, &m, (int[]){0, 2, 0, 4}, true);
}

static void replays_a_sequence_that_goes_round_the_end(void **state)
{
	struct made m;

	begin(*state, &m);
	put_entry(&m, 70, PAGES - 3, PAGES - 3, &turn);
	put_entry(&m, 71, PAGES - 1, PAGES - 3, &clear);
	put_entry(&m, 72, 1, PAGES - 3, &swap);
	shows(*state, &m, (int[]){2, 1, 3, 4}, true);
}

static void replays_the_sequence_with_the_highest_number(void **state)
{
	struct made m;

	begin(*state, &m);
	put_entry(&m, 30, 100, 100, &clear);
	put_entry(&m, 40, 50, 50, &turn);
	put_entry(&m, 35, 20, 20, &swap);
	shows(*state, &m, (int[]){4, 1, 2, 3}, true);
}

/* The last entry points to one that was written over: what is before it counts. (qemu-img
 * replays it.) */
static void takes_no_sequence_that_lost_its_beginning(void **state)
{
	struct made m;

	begin(*state, &m);
	put_entry(&m, 30, 100, 100, &clear);
	put_entry(&m, 40, 50, 44, &turn);
	shows(*state, &m, (int[]){0, 2, 0, 4}, false);
}

static void takes_no_entry_that_is_torn(void **state)
{
	struct made m;

	begin(*state, &m);
	put_entry(&m, 7, 10, 10, &swap);
	put_entry(&m, 8, 12, 10, &clear);
	put(&m, "torn", 4, m.log_at + 13 * 4096 + 2000);
	shows(*state, &m, (int[]){2, 1, 3, 4}, true);
}

static void shows_the_disk_as_it_is_when_the_log_has_no_entry(void **state)
{
	struct made m;

	begin(*state, &m);
	shows(*state, &m, (int[]){1, 2, 3, 4}, true);
}

/* A sector of zeros in the table: 512 entries that are not present. */
static void put_zeros(const struct made *m, uint64_t at_byte, uint64_t length)
{
	uint8_t bytes[SV_VHDX_PAGE] = {0};
	struct sv_vhdx_disk_entry e = {.length = sv_put_le32(4096),
		.sequence = sv_put_le64(5),
		.n_descriptors = sv_put_le32(1),
		.log = log_id,
		.flushed = sv_put_le64(file_size(m)),
		.last = sv_put_le64(file_size(m))};
	struct sv_vhdx_disk_desc d = {.at = sv_put_le64(at_byte), .sequence = sv_put_le64(5)};

	memcpy(e.signature, "loge", 4);
	memcpy(d.signature, "zero", 4);
	d.length = sv_put_le64(length);
	memcpy(bytes, &e, sizeof e);
	memcpy(bytes + sizeof e, &d, sizeof d);
	sv_store_le32(bytes + 4, sv_crc32c(0, bytes, sizeof bytes));
	put(m, bytes, sizeof bytes, m->log_at);
}

static void replays_zeros(void **state)
{
	struct scratch *s = *state;
	uint8_t *content, *zeros = calloc(1, SIZE);
	struct made m;
	const char *wrong;
	bool dirty;

	begin(s, &m);
	put_zeros(&m, m.bat_at, 4096);
	close(m.fd);
	content = read_all(at(s, "m.vhdx"), &dirty);
	assert_memory_equal(content, zeros, SIZE);
	wrong = replays_same(s->dir, at(s, "m.vhdx"), true, content, SIZE);
	if (wrong)
		fail_msg("%s", wrong);
	free(content);
	free(zeros);
}

/* ---- bad ones ---- */

static void assert_refused(struct scratch *s, uint64_t offset, const char *word)
{
	for (int writable = 0; writable < 2; writable++) {
		struct sv_image_opts opts = {.writable = writable};
		struct sv_image *img = NULL;
		struct sv_err err = SV_ERR_INIT;

		assert_fails(sv_image_open(sv_host_posix(), at(s, "m.vhdx"), &opts, &img, &err),
			SV_CORRUPT, offset);
		assert_non_null(strstr(err.message, word));
		assert_string_equal(err.path, at(s, "m.vhdx"));
	}
}

static void refuses_a_log_that_writes_over_the_headers_or_itself(void **state)
{
	struct made m;

	begin(*state, &m);
	put_zeros(&m, SV_VHDX_HEADER_AT(1), 4096);
	assert_refused(*state, m.log_at, "header");
	put_zeros(&m, m.log_at - 4096, 8192);
	assert_refused(*state, m.log_at, "its own");
	close(m.fd);
}

static void refuses_a_log_with_zeros_without_end(void **state)
{
	struct made m;

	begin(*state, &m);
	put_zeros(&m, 2 * SV_MIB, 100 * SV_TIB);
	assert_refused(*state, m.log_at, "zeros");
	put_zeros(&m, 2 * SV_MIB, UINT64_MAX - 4095);
	assert_refused(*state, m.log_at + 64 + 16, "bytes at byte");
	close(m.fd);
}

static void refuses_a_file_that_was_cut_short(void **state)
{
	struct made m;
	uint64_t size;

	begin(*state, &m);
	put_entry(&m, 7, 10, 10, &swap);
	size = file_size(&m) - SV_MIB;
	assert_int_equal(ftruncate(m.fd, (off_t)size), 0);
	assert_refused(*state, size, "when its log was written");
	close(m.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replays_what_a_killed_qemu_leaves),
		cmocka_unit_test(replays_one_entry),
		cmocka_unit_test(replays_a_sequence_in_order),
		cmocka_unit_test(replays_a_sequence_that_goes_round_the_end),
		cmocka_unit_test(replays_the_sequence_with_the_highest_number),
		cmocka_unit_test(takes_no_sequence_that_lost_its_beginning),
		cmocka_unit_test(takes_no_entry_that_is_torn),
		cmocka_unit_test(shows_the_disk_as_it_is_when_the_log_has_no_entry),
		cmocka_unit_test(replays_zeros),
		cmocka_unit_test(refuses_a_log_that_writes_over_the_headers_or_itself),
		cmocka_unit_test(refuses_a_log_with_zeros_without_end),
		cmocka_unit_test(refuses_a_file_that_was_cut_short),
	};

	need_qemu();
	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
