/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile and broken volumes: each byte that is changed has its error, code and place. */
#include "ntfs_judge.h"

#include "fs/ntfs/ntfs.h"

struct victim {
	struct fixture f;
	uint8_t *bytes;
	size_t n;
	struct sv_dev *dev;
	struct sv_fs *fs;
};

static void victim_make(struct victim *v)
{
	struct sv_err err = SV_ERR_INIT;

	fixture_ntfs(&v->f, "12M", "-c 4096");
	free(fill(&v->f, "rw",
		"echo a >a; echo b >b; head -c 100000 /dev/urandom >big; echo c >c\n"
		"mkdir many; for i in $(seq 900); do : >many/entry-with-a-name-$i; done\n"
		"mkdir sub; echo d >sub/d\n"));
	v->bytes = (uint8_t *)sv_host_read_file(
		sv_host_posix(), v->f.image, 64 << 20, &v->n, &err);
	assert_non_null(v->bytes);
	v->dev = sv_mem_open(v->bytes, v->n, false, "victim", &err);
	assert_ok(sv_fs_open(v->dev, &v->fs, &err));
}

/* Opens again, so that nothing of before is remembered. */
static void victim_reopen(struct victim *v)
{
	struct sv_err err = SV_ERR_INIT;

	sv_fs_close(v->fs);
	v->fs = NULL;
	assert_ok(sv_fs_open(v->dev, &v->fs, &err));
}

static void victim_free(struct victim *v)
{
	sv_fs_close(v->fs);
	sv_dev_close(v->dev);
	free(v->bytes);
	fixture_free(&v->f);
}

static uint64_t ino_of(struct victim *v, const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t ino = 0;

	assert_ok(sv_fs_lookup(v->fs, path, &ino, &err));
	return ino;
}

/* Where on the volume the record of a file lies. */
static uint64_t record_at(struct victim *v, uint64_t ino)
{
	struct sv_ntfs *n = sv_ntfs_of(v->fs);
	uint64_t at = sv_ntfs_locate(n, &n->mft, ino * n->geo.record_size);

	assert_true(at != 0);
	return at;
}

/* The offset within its record of a file's attribute. */
static size_t attr_at(struct victim *v, uint64_t ino, uint32_t type)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ntfs_record r = {0};
	struct sv_ntfs_raw_attr a = {0};

	assert_ok(sv_ntfs_load(sv_ntfs_of(v->fs), ino, false, &r, &err));
	while (sv_ntfs_next_attr(&r, &a) && a.type != type)
		;
	assert_int_equal(a.type, type);
	sv_ntfs_unload(&r);
	return a.offset;
}

struct seen {
	size_t n;
	bool a, c;
};

static int note_object(
	void *user, uint64_t parent, const char *name, const struct sv_fs_stat *st)
{
	struct seen *s = user;

	(void)parent, (void)st;
	s->n++;
	s->a |= !strcmp(name, "a");
	s->c |= !strcmp(name, "c");
	return 0;
}

static int note_entry(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	(void)raw, (void)raw_len, (void)ino, (void)type;
	return note_object(user, 0, name, NULL);
}

static void a_damaged_record_hides_no_other(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct seen walked = {0}, listed = {0}, whole = {0};
	struct sv_fs_stat st;
	struct victim v;
	uint64_t ino, at;

	(void)state;
	victim_make(&v);
	assert_ok(sv_fs_walk(v.fs, note_object, &whole, NULL, &err));
	ino = ino_of(&v, "/b");
	at = record_at(&v, ino);
	v.bytes[at + 510] ^= 1; /* half of a torn write */
	victim_reopen(&v);
	assert_fails(sv_fs_stat(v.fs, ino, &st, &err), SV_CORRUPT, at + 510);
	assert_string_equal(err.path, "victim");
	assert_fails(sv_fs_walk(v.fs, note_object, &walked, NULL, &err), SV_CORRUPT, at + 510);
	assert_non_null(strstr(err.message, "left out (1)"));
	assert_int_equal(walked.n, whole.n - 1);
	assert_true(walked.a && walked.c);
	assert_ok(sv_fs_readdir(v.fs, 5, note_entry, &listed, &err));
	assert_true(listed.a && listed.c);
	victim_free(&v);
}

static void an_attribute_that_is_too_long_is_told(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_stat st;
	struct victim v;
	uint64_t ino, at;
	size_t attr;

	(void)state;
	victim_make(&v);
	ino = ino_of(&v, "/a");
	at = record_at(&v, ino);
	attr = attr_at(&v, ino, NTFS_ATTR_FILE_NAME);
	v.bytes[at + attr + 5] = 0x40;
	victim_reopen(&v);
	assert_fails(sv_fs_stat(v.fs, ino, &st, &err), SV_CORRUPT, at + attr + 4);
	victim_free(&v);
}

static void runs_that_leave_the_volume_are_told(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v;
	uint64_t ino, at;
	size_t attr, got;
	char buf[16];

	(void)state;
	victim_make(&v);
	ino = ino_of(&v, "/big");
	at = record_at(&v, ino);
	attr = attr_at(&v, ino, NTFS_ATTR_DATA);
	at += attr + sv_load_le16(v.bytes + at + attr + 32);
	assert_int_equal(v.bytes[at], 0x21); /* one byte of length, two of place */
	v.bytes[at + 3] = 0x7f;
	victim_reopen(&v);
	assert_fails(
		sv_fs_read(v.fs, ino, NULL, buf, sizeof buf, 0, &got, &err), SV_CORRUPT, at);
	victim_free(&v);
}

static void encrypted_data_are_refused(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_stat st;
	struct victim v;
	uint64_t ino;
	size_t got;
	char buf[16];

	(void)state;
	victim_make(&v);
	ino = ino_of(&v, "/big");
	sv_store_le16(v.bytes + record_at(&v, ino) + attr_at(&v, ino, NTFS_ATTR_DATA) + 12,
		NTFS_ATTR_ENCRYPTED);
	victim_reopen(&v);
	assert_ok(sv_fs_stat(v.fs, ino, &st, &err));
	assert_true(st.encrypted);
	assert_fails(sv_fs_read(v.fs, ino, NULL, buf, sizeof buf, 0, &got, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "EFS"));
	victim_free(&v);
}

/* The child of the root of the index of /many, as a place of 8 bytes on the volume. */
static uint64_t first_child_at(struct victim *v, uint64_t ino)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ntfs_record r = {0};
	struct sv_ntfs_raw_attr a;
	struct sv_ntfs_node node;
	struct sv_ntfs_entry e;
	size_t at;

	assert_ok(sv_ntfs_load(sv_ntfs_of(v->fs), ino, false, &r, &err));
	assert_true(sv_ntfs_find_attr(&r, NTFS_ATTR_INDEX_ROOT, sv_ntfs_i30, 4, &a));
	assert_ok(sv_ntfs_parse_node(r.bytes, r.size,
		a.value_offset + offsetof(struct ntfs_index_root, index), &node, &err));
	assert_int_equal(sv_ntfs_next_entry(&node, &e, &err), 1);
	assert_true(e.has_child);
	at = node.pos - 8;
	sv_ntfs_unload(&r);
	return record_at(v, ino) + at;
}

static void an_index_that_leads_nowhere_is_told(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct seen listed = {0};
	struct victim v;
	uint64_t ino, child;

	(void)state;
	victim_make(&v);
	child = first_child_at(&v, ino_of(&v, "/many"));
	memset(v.bytes + child, 0xff, 8);
	victim_reopen(&v);
	assert_fails(sv_fs_lookup(v.fs, "/many/entry-with-a-name-1", &ino, &err), SV_CORRUPT,
		UINT64_MAX);
	/* listing does not follow the tree */
	assert_ok(sv_fs_readdir(v.fs, ino_of(&v, "/many"), note_entry, &listed, &err));
	assert_int_equal(listed.n, 900);
	victim_free(&v);
}

/* A block whose child is the block itself: "aaa" goes before all its entries, for ever. */
static void a_loop_in_an_index_ends(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ntfs_record r = {0};
	struct sv_ntfs_stream blocks = {0};
	struct victim v;
	struct sv_ntfs *n;
	uint64_t ino, at, vcn;
	uint8_t *p;

	(void)state;
	victim_make(&v);
	n = sv_ntfs_of(v.fs);
	ino = ino_of(&v, "/many");
	vcn = sv_load_le64(v.bytes + first_child_at(&v, ino));
	assert_ok(sv_ntfs_load(n, ino, false, &r, &err));
	assert_ok(sv_ntfs_stream_open(
		n, &r, ino, NTFS_ATTR_INDEX_ALLOCATION, sv_ntfs_i30, 4, &blocks, &err));
	at = sv_ntfs_locate(n, &blocks, vcn * 4096);
	p = v.bytes + at + 24 + sv_load_le32(v.bytes + at + 24); /* its first entry */
	sv_store_le16(p + 12, NTFS_ENTRY_CHILD | NTFS_ENTRY_LAST);
	sv_store_le64(p + sv_load_le16(p + 8) - 8, vcn);
	sv_ntfs_stream_close(&blocks);
	sv_ntfs_unload(&r);
	victim_reopen(&v);
	assert_fails(sv_fs_lookup(v.fs, "/many/aaa", &ino, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "deeper than"));
	victim_free(&v);
}

static void a_torn_index_block_hides_no_other(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ntfs_record r = {0};
	struct sv_ntfs_stream blocks = {0};
	struct seen listed = {0};
	struct victim v;
	struct sv_ntfs *n;
	uint64_t ino, at;

	(void)state;
	victim_make(&v);
	n = sv_ntfs_of(v.fs);
	ino = ino_of(&v, "/many");
	assert_ok(sv_ntfs_load(n, ino, false, &r, &err));
	assert_ok(sv_ntfs_stream_open(
		n, &r, ino, NTFS_ATTR_INDEX_ALLOCATION, sv_ntfs_i30, 4, &blocks, &err));
	at = sv_ntfs_locate(n, &blocks, 2 * 4096);
	v.bytes[at + 1022] ^= 0x55;
	sv_ntfs_stream_close(&blocks);
	sv_ntfs_unload(&r);
	victim_reopen(&v);
	assert_fails(
		sv_fs_readdir(v.fs, ino, note_entry, &listed, &err), SV_CORRUPT, at + 1022);
	assert_true(listed.n > 800 && listed.n < 900);
	victim_free(&v);
}

static void an_index_that_claims_to_be_huge_is_told(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct seen listed = {0};
	struct victim v;
	uint64_t ino, at;

	(void)state;
	victim_make(&v);
	ino = ino_of(&v, "/many");
	at = record_at(&v, ino) + attr_at(&v, ino, NTFS_ATTR_INDEX_ALLOCATION);
	for (size_t i = 40; i <= 56; i += 8) /* allocated, size, initialized */
		sv_store_le64(v.bytes + at + i, 1ull << 52);
	victim_reopen(&v);
	assert_fails(
		sv_fs_readdir(v.fs, ino, note_entry, &listed, &err), SV_CORRUPT, UINT64_MAX);
	assert_non_null(strstr(err.message, "4503599627370496 bytes"));
	victim_free(&v);
}

static void an_entry_of_a_record_used_again_is_told(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v;
	uint64_t ino, at;

	(void)state;
	victim_make(&v);
	at = record_at(&v, ino_of(&v, "/a"));
	v.bytes[at + 16]++; /* sequence */
	victim_reopen(&v);
	assert_fails(sv_fs_lookup(v.fs, "/a", &ino, &err), SV_CORRUPT, at + 16);
	at = record_at(&v, ino_of(&v, "/c"));
	v.bytes[at + 22] = 0; /* not in use any more */
	victim_reopen(&v);
	assert_fails(sv_fs_lookup(v.fs, "/c", &ino, &err), SV_CORRUPT, at + 22);
	victim_free(&v);
}

static void a_lost_mft_is_found_by_its_copy(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	struct victim v;

	(void)state;
	victim_make(&v);
	assert_ok(sv_fs_info(v.fs, &info, &err));
	assert_string_equal(info.state, "");
	v.bytes[record_at(&v, 0)] = 'X';
	victim_reopen(&v);
	ino_of(&v, "/sub/d");
	assert_ok(sv_fs_info(v.fs, &info, &err));
	assert_non_null(strstr(info.state, "damaged"));
	victim_free(&v);
}

static void a_lost_mft_without_a_copy_is_told(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs = NULL;
	struct victim v;
	uint64_t at;

	(void)state;
	victim_make(&v);
	at = record_at(&v, 0);
	v.bytes[at] = 'X';
	v.bytes[sv_load_le64(v.bytes + 56) * 4096] = 'X';
	assert_fails(sv_fs_open(v.dev, &fs, &err), SV_CORRUPT, at);
	v.bytes[at] = 'F';
	sv_store_le64(v.bytes + 48, UINT64_MAX / 4096);
	assert_fails(sv_fs_open(v.dev, &fs, &err), SV_CORRUPT, 48);
	assert_null(fs);
	victim_free(&v);
}

/* Half of an image: what lies in the other half is told, the rest can be read. */
static void a_cut_volume_is_read_as_far_as_it_goes(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	struct sv_fs *fs = NULL;
	struct sv_dev *half;
	struct victim v;
	uint64_t ino;

	(void)state;
	victim_make(&v);
	half = sv_mem_open(v.bytes, v.n / 12 * 11, false, "half", &err);
	assert_ok(sv_fs_open(half, &fs, &err));
	assert_ok(sv_fs_lookup(fs, "/sub/d", &ino, &err));
	assert_ok(sv_fs_info(fs, &info, &err));
	assert_true(info.size > sv_dev_size(half));
	sv_fs_close(fs);
	sv_dev_close(half);
	half = sv_mem_open(v.bytes, 8192, false, "head", &err);
	assert_fails(sv_fs_open(half, &fs, &err), SV_CORRUPT, UINT64_MAX);
	sv_dev_close(half);
	victim_free(&v);
}

/* The judge of the other tests must see one changed byte of data and one of a name. */
static void the_comparison_sees_a_broken_twin(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct tree before = {0}, after = {0};
	struct victim v;
	char *a, *b;
	uint64_t at;

	(void)state;
	victim_make(&v);
	before.fs = v.fs;
	assert_ok(sv_fs_walk(v.fs, add_object, &before, NULL, &err));
	a = listing(&before);
	at = record_at(&v, ino_of(&v, "/a"));
	v.bytes[at + attr_at(&v, ino_of(&v, "/a"), NTFS_ATTR_DATA) + 24] ^= 1;
	victim_reopen(&v);
	after.fs = v.fs;
	assert_ok(sv_fs_walk(v.fs, add_object, &after, NULL, &err));
	b = listing(&after);
	assert_string_not_equal(a, b);
	free(a);
	free(b);
	tree_free(&before);
	tree_free(&after);
	victim_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_record_hides_no_other),
		cmocka_unit_test(an_attribute_that_is_too_long_is_told),
		cmocka_unit_test(runs_that_leave_the_volume_are_told),
		cmocka_unit_test(encrypted_data_are_refused),
		cmocka_unit_test(an_index_that_leads_nowhere_is_told),
		cmocka_unit_test(a_loop_in_an_index_ends),
		cmocka_unit_test(a_torn_index_block_hides_no_other),
		cmocka_unit_test(an_index_that_claims_to_be_huge_is_told),
		cmocka_unit_test(an_entry_of_a_record_used_again_is_told),
		cmocka_unit_test(a_lost_mft_is_found_by_its_copy),
		cmocka_unit_test(a_lost_mft_without_a_copy_is_told),
		cmocka_unit_test(a_cut_volume_is_read_as_far_as_it_goes),
		cmocka_unit_test(the_comparison_sees_a_broken_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
