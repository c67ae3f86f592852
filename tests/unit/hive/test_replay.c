/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Logs over a dirty hive, in memory. The hive's root has one value "V" of four bytes; each log
 * entry holds the page with that value, with another number in it, so that the number tells how
 * far the logs were applied.
 */
#include "build.h"

#include "base/num.h"

enum { PAGE = 4096, LOG_MAX = 65536 };
#define SEED UINT64_C(0xC5554E7A884DEF82)

struct log {
	uint8_t bytes[LOG_MAX];
	size_t n;
};

struct fixture {
	struct build *b;
	uint32_t value; /* cell */
	struct log log1, log2, log;
};

static void seal_bytes(uint8_t *base)
{
	sv_store_le32(base + 508, sv_regf_checksum(base));
}

/* A hive whose numbers say that change 7 is the first which is not in it. */
static struct fixture *dirty_hive(void)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->b = build_new();
	f->value = put_value(f->b, "V", SV_REG_DWORD, "\1\0\0", 4);
	set_values(f->b, f->b->root, &f->value, 1);
	build_end(f->b);
	sv_store_le32(f->b->bytes + 4, 8);
	sv_store_le64(f->b->bytes + 12, 4711); /* its time */
	sv_store_le64(f->b->bytes + SV_REGF_BINS_AT + 20, 4711);
	seal_bytes(f->b->bytes);
	return f;
}

static void fixture_free(struct fixture *f)
{
	free(f->b);
	free(f);
}

/* The copy of the base block that a log begins with. */
static void begin_log(struct fixture *f, struct log *l, enum sv_regf_type type, uint32_t number)
{
	memcpy(l->bytes, f->b->bytes, 512);
	sv_store_le32(l->bytes + 4, number);
	sv_store_le32(l->bytes + 8, number);
	sv_store_le32(l->bytes + 28, type);
	sv_store_le32(l->bytes + 40, BINS_SIZE);
	sv_store_le32(l->bytes, 0x66676572);
	sv_store_le32(l->bytes + 20, 1);
	sv_store_le32(l->bytes + 24, 5);
	sv_store_le32(l->bytes + 32, 1);
	sv_store_le32(l->bytes + 36, f->b->root);
	seal_bytes(l->bytes);
	l->n = 512;
}

/* The first page of the bins, with `number` as the value. */
static void page_with(struct fixture *f, uint8_t *page, uint32_t number)
{
	memcpy(page, f->b->bytes + SV_REGF_BINS_AT, PAGE);
	sv_store_le32(page + f->value + 4 + 8, number);
}

static void seal_entry(uint8_t *e, uint32_t size)
{
	sv_store_le64(e + 24, sv_marvin32(SEED, e + 40, size - 40));
	sv_store_le64(e + 32, sv_marvin32(SEED, e, 32));
}

static void add_entry_sized(
	struct fixture *f, struct log *l, uint32_t sequence, uint32_t value, uint32_t bins_size)
{
	uint32_t size = (uint32_t)sv_align_up(40 + 8 + PAGE, 512);
	uint8_t *e = l->bytes + l->n;

	assert_true(l->n + size <= LOG_MAX);
	memcpy(e, "HvLE", 4);
	sv_store_le32(e + 4, size);
	sv_store_le32(e + 12, sequence);
	sv_store_le32(e + 16, bins_size);
	sv_store_le32(e + 20, 1);
	sv_store_le32(e + 44, PAGE);
	page_with(f, e + 48, value);
	seal_entry(e, size);
	l->n += size;
}

static void add_entry(struct fixture *f, struct log *l, uint32_t sequence)
{
	add_entry_sized(f, l, sequence, sequence, BINS_SIZE);
}

static struct sv_dev *dev_of(const void *bytes, size_t n, const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = n ? sv_mem_open(bytes, n, true, name, &err) : NULL;

	assert_true(!n || dev);
	return dev;
}

static struct sv_hive *open_with_logs(struct fixture *f)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_hive_logs logs = {.log1 = dev_of(f->log1.bytes, f->log1.n, "LOG1"),
		.log2 = dev_of(f->log2.bytes, f->log2.n, "LOG2"),
		.log = dev_of(f->log.bytes, f->log.n, "LOG")};
	struct sv_dev *dev = dev_of(f->b->bytes, sizeof f->b->bytes, "HIVE");
	struct sv_hive *h = NULL;

	assert_ok(sv_hive_open(dev, &logs, &h, &err));
	sv_dev_close(logs.log);
	sv_dev_close(logs.log1);
	sv_dev_close(logs.log2);
	sv_dev_close(dev);
	return h;
}

/* Opens, compares, and frees all. An empty `problem`: there must be none. */
static void shows(struct fixture *f, uint32_t value, unsigned applied, const char *problem)
{
	struct sv_hive *h = open_with_logs(f);
	const struct sv_hive_state *s = sv_hive_state(h);
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key root;
	uint32_t found = 0;

	assert_ok(sv_hive_root(h, &root, &err));
	assert_ok(sv_hive_dword(h, root, "V", &found, &err));
	assert_int_equal(found, value);
	assert_int_equal(s->applied, applied);
	if (!*problem)
		assert_string_equal(s->problem, "");
	else if (!strstr(s->problem, problem))
		fail_msg("\"%s\" is not in \"%s\"", problem, s->problem);
	sv_hive_close(h);
	fixture_free(f);
}

static void computes_the_published_hashes(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		uint64_t hash;
	} known[] = {{"", 0, 0x30ed35c100cd3c7d}, {"\xaf", 1, 0x48e73fc77d75ddc1},
		{"\xe7\x0f", 2, 0xb5f6e1fc485dbff8}, {"\x37\xf4\x95", 3, 0xf0b07c789b8cf7e8},
		{"\x86\x42\xdc\x59", 4, 0x7008f2e87e9cf556},
		{"\x15\x3f\xb7\x98\x26", 5, 0xe6c08c6da2afa997},
		{"\x09\x32\xe6\x24\x6c\x47", 6, 0x6f04bf1a5ea24060},
		{"\xab\x42\x7e\xa8\xd1\x0f\xc7", 7, 0xe11847e4f0678c41}};

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++)
		assert_int_equal(
			sv_marvin32(UINT64_C(0x004fb61a001bdbcc), known[i].bytes, known[i].n),
			known[i].hash);
}

static void applies_a_log(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	add_entry(f, &f->log1, 8);
	shows(f, 8, 2, "");
}

static void leaves_a_clean_hive_as_it_is(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	sv_store_le32(f->b->bytes + 4, 7);
	seal_bytes(f->b->bytes);
	shows(f, 1, 0, "");
}

static void applies_the_log_with_the_lower_numbers_first(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 9);
	add_entry(f, &f->log1, 9);
	add_entry(f, &f->log1, 10);
	begin_log(f, &f->log2, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log2, 7);
	add_entry(f, &f->log2, 8);
	shows(f, 10, 4, "");
}

static void skips_what_the_hive_has_already(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 5);
	for (uint32_t i = 5; i < 9; i++)
		add_entry(f, &f->log1, i);
	shows(f, 8, 2, "");
}

static void ends_where_older_entries_follow(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	add_entry(f, &f->log1, 3); /* of an earlier use of the file */
	shows(f, 7, 1, "");
}

/* Windows wrote the data of the entries that are gone, but not the number. */
static void begins_where_the_logs_begin(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 12);
	add_entry(f, &f->log1, 12);
	begin_log(f, &f->log2, SV_REGF_LOG_NEW, 11);
	add_entry(f, &f->log2, 11);
	shows(f, 12, 2, "");
}

static void ends_at_a_gap_between_the_logs_and_tells_it(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	begin_log(f, &f->log2, SV_REGF_LOG_NEW, 11);
	add_entry(f, &f->log2, 11);
	shows(f, 7, 1, "nothing of changes 8 to 10");
}

static void ends_at_an_entry_that_is_damaged_and_tells_it(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	add_entry(f, &f->log1, 8);
	f->log1.bytes[f->log1.n - 1] ^= 1;
	shows(f, 7, 1, "entry 8 of the log has the hash");
	f = dirty_hive();
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	f->log1.bytes[512 + 16] ^= 1; /* its own head: then it is no entry */
	shows(f, 1, 0, "no log fits it");
	f = dirty_hive();
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	f->log1.n -= 512; /* cut */
	shows(f, 1, 0, "no log fits it");
}

static void refuses_pages_outside_the_hive(void **state)
{
	struct fixture *f = dirty_hive();
	uint8_t *e = f->log1.bytes + 512;

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	sv_store_le32(e + 40, BINS_SIZE);
	seal_entry(e, sv_load_le32(e + 4));
	shows(f, 1, 0, "has a page of 4096 bytes for 0x10000");
}

static void makes_the_hive_as_large_as_the_log_says(void **state)
{
	struct fixture *f = dirty_hive();
	struct sv_hive *h;

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry_sized(f, &f->log1, 7, 7, 2 * BINS_SIZE);
	h = open_with_logs(f);
	assert_int_equal(h->base.bins_size, 2 * BINS_SIZE);
	assert_int_equal(sv_dev_size(h->dev), SV_REGF_BINS_AT + 2 * BINS_SIZE);
	sv_hive_close(h);
	fixture_free(f);
}

static void takes_the_base_block_of_a_log_where_the_hives_is_lost(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	begin_log(f, &f->log2, SV_REGF_LOG_NEW, 8);
	add_entry(f, &f->log2, 8);
	memset(f->b->bytes, 0, 512);
	shows(f, 8, 2, "");
	f = dirty_hive();
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7); /* long ago */
	add_entry(f, &f->log1, 3);
	begin_log(f, &f->log2, SV_REGF_LOG_NEW, 8);
	add_entry(f, &f->log2, 8);
	f->b->bytes[508] ^= 1;
	shows(f, 8, 1, "");
}

/* ---- logs of before Windows 8.1 ---- */

static void add_dirt(struct fixture *f, struct log *l, uint32_t value)
{
	uint8_t page[PAGE];

	page_with(f, page, value);
	memcpy(l->bytes + 512, "DIRT", 4);
	l->bytes[512 + 4] = 0xFF; /* the first eight sectors */
	memcpy(l->bytes + 1024, page, PAGE);
	l->n = 1024 + PAGE;
}

static void applies_an_old_log(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log, SV_REGF_LOG_OLD, 7);
	add_dirt(f, &f->log, 42);
	shows(f, 42, 1, "");
}

static void applies_the_old_log_that_has_the_hives_time(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log1, SV_REGF_LOG_OLD, 7);
	sv_store_le64(f->log1.bytes + 12, 4712);
	seal_bytes(f->log1.bytes);
	add_dirt(f, &f->log1, 41);
	begin_log(f, &f->log2, SV_REGF_LOG_OLD, 7);
	add_dirt(f, &f->log2, 42);
	shows(f, 42, 1, "");
	f = dirty_hive();
	begin_log(f, &f->log1, SV_REGF_LOG_OLD, 7);
	add_dirt(f, &f->log1, 42);
	memset(f->b->bytes, 0xAA, 512); /* the first bin has the time, too */
	shows(f, 42, 1, "");
}

static void refuses_an_old_log_that_is_not_whole(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	begin_log(f, &f->log, SV_REGF_LOG_OLD, 7);
	add_dirt(f, &f->log, 42);
	f->log.n -= 512;
	shows(f, 1, 0, "expected sector 7 of the hive");
	f = dirty_hive();
	begin_log(f, &f->log, SV_REGF_LOG_OLD, 7);
	add_dirt(f, &f->log, 42);
	f->log.bytes[512] = 'd';
	shows(f, 1, 0, "expected 'DIRT'");
	f = dirty_hive();
	begin_log(f, &f->log, SV_REGF_LOG_OLD, 7);
	add_dirt(f, &f->log, 42);
	sv_store_le32(f->log.bytes + 8, 6); /* was being written */
	seal_bytes(f->log.bytes);
	shows(f, 1, 0, "no log fits it");
}

static void passes_over_logs_that_are_none(void **state)
{
	struct fixture *f = dirty_hive();

	(void)state;
	f->log1.n = 100;
	f->log2.n = 4096; /* never written */
	begin_log(f, &f->log, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log, 7);
	shows(f, 7, 1, "its .LOG1 cannot be used: it has 100 bytes");
	f = dirty_hive();
	begin_log(f, &f->log1, SV_REGF_LOG_NEW, 7);
	add_entry(f, &f->log1, 7);
	f->log1.bytes[508] ^= 1;
	shows(f, 1, 0, "checksum is wrong");
	f = dirty_hive();
	memcpy(f->log1.bytes, "no log", 6);
	f->log1.n = 1024;
	shows(f, 1, 0, "no registry hive");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes_the_published_hashes),
		cmocka_unit_test(applies_a_log),
		cmocka_unit_test(leaves_a_clean_hive_as_it_is),
		cmocka_unit_test(applies_the_log_with_the_lower_numbers_first),
		cmocka_unit_test(skips_what_the_hive_has_already),
		cmocka_unit_test(ends_where_older_entries_follow),
		cmocka_unit_test(begins_where_the_logs_begin),
		cmocka_unit_test(ends_at_a_gap_between_the_logs_and_tells_it),
		cmocka_unit_test(ends_at_an_entry_that_is_damaged_and_tells_it),
		cmocka_unit_test(refuses_pages_outside_the_hive),
		cmocka_unit_test(makes_the_hive_as_large_as_the_log_says),
		cmocka_unit_test(takes_the_base_block_of_a_log_where_the_hives_is_lost),
		cmocka_unit_test(applies_an_old_log),
		cmocka_unit_test(applies_the_old_log_that_has_the_hives_time),
		cmocka_unit_test(refuses_an_old_log_that_is_not_whole),
		cmocka_unit_test(passes_over_logs_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
