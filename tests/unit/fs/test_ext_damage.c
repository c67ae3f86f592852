/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile and broken volumes: each byte that is changed has its error, code and place, and what
 * lies beside it is still read. */
#include "ext_judge.h"

#include "fs/ext/ext.h"
#include "fs/unix_name.h"

struct victim {
	struct fixture f;
	uint8_t *bytes;
	size_t n;
	struct sv_dev *dev;
	struct sv_fs *fs;
};

static const char script[] =
	"echo a >a; echo b >b; head -c 100000 /dev/urandom >big; ln -s a link\n"
	"for i in $(seq 0 2 40); do dd if=/dev/urandom of=pieces bs=1k count=1 seek=$((i * 20)) "
	"conv=notrunc status=none; done\n"
	"mkdir many; for i in $(seq 300); do :>many/entry-with-a-name-$i; done\n"
	"mkdir sub; echo d >sub/d\n"
	"python3 -c \"import os; os.setxattr('b', 'user.long', b'v' * 600)\" || :\n";

static void victim_make(struct victim *v, const char *options)
{
	struct sv_err err = SV_ERR_INIT;

	fill_tree(&v->f, script);
	make_ext(&v->f, "8M", options);
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

/* Where an inode lies. */
static uint64_t inode_at(struct victim *v, uint64_t ino)
{
	struct sv_ext *e = sv_ext_of(v->fs);
	const struct sv_ext_group *g;
	struct sv_err err = SV_ERR_INIT;
	uint64_t index = ino - 1;

	assert_ok(
		sv_ext_load_group(e, (uint32_t)(index / e->super.inodes_per_group), &g, &err));
	return g->inode_table * e->super.block_size +
	       index % e->super.inodes_per_group * e->super.inode_size;
}

/* Where block `lblk` of an object lies. */
static uint64_t block_at(struct victim *v, uint64_t ino, uint64_t lblk)
{
	struct sv_ext *e = sv_ext_of(v->fs);
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_map m = {0};
	struct sv_ext_run run;

	assert_ok(sv_ext_load(e, ino, &m.inode, &err));
	assert_ok(sv_ext_map_at(e, &m, lblk, &run, &err));
	sv_ext_map_free(&m);
	return run.pblk * e->super.block_size;
}

static int read_head(struct victim *v, const char *path, struct sv_err *err)
{
	uint8_t buf[16];
	size_t got;

	return sv_fs_read(v->fs, ino_of(v, path), NULL, buf, sizeof buf, 0, &got, err);
}

static int count_entry(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	(void)name, (void)raw, (void)raw_len, (void)ino, (void)type;
	(*(unsigned *)user)++;
	return 0;
}

static int count_extent(void *user, uint64_t file_off, uint64_t volume_off, uint64_t len)
{
	(void)file_off, (void)volume_off, (void)len;
	return ++*(unsigned *)user > 100000;
}

/* ---- the superblock ---- */

static void names_every_wrong_field_of_the_superblock(void **state)
{
	static const struct {
		size_t at, n;
		uint32_t value;
		enum sv_code code;
	} cases[] = {
		{offsetof(struct ext_super, magic), 2, 0xef52, SV_CORRUPT},
		{offsetof(struct ext_super, log_block_size), 4, 7, SV_CORRUPT},
		{offsetof(struct ext_super, inode_size), 2, 192, SV_CORRUPT},
		{offsetof(struct ext_super, inode_size), 2, 64, SV_CORRUPT},
		{offsetof(struct ext_super, inode_size), 2, 2048, SV_CORRUPT},
		{offsetof(struct ext_super, revision), 4, 2, SV_CORRUPT},
		{offsetof(struct ext_super, blocks_per_group), 4, 0, SV_CORRUPT},
		{offsetof(struct ext_super, blocks_per_group), 4, 70000, SV_CORRUPT},
		{offsetof(struct ext_super, inodes_per_group), 4, 0, SV_CORRUPT},
		{offsetof(struct ext_super, inodes_per_group), 4, 70000, SV_CORRUPT},
		{offsetof(struct ext_super, first_data_block), 4, 2, SV_CORRUPT},
		{offsetof(struct ext_super, desc_size), 2, 65, SV_CORRUPT},
		{offsetof(struct ext_super, desc_size), 2, 32, SV_CORRUPT},
		{offsetof(struct ext_super, desc_size), 2, 2048, SV_CORRUPT},
		{offsetof(struct ext_super, inodes), 4, 1, SV_CORRUPT},
		{offsetof(struct ext_super, checksum_type), 1, 9, SV_CORRUPT},
		{offsetof(struct ext_super, incompat), 4, 0x80000000, SV_UNSUPPORTED},
	};
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_super s;
	struct victim v = {0};
	uint8_t copy[1024];

	(void)state;
	victim_make(&v, "-t ext4 -b 1024 -O 64bit");
	for (size_t i = 0; i < SV_ARRAY_LEN(cases); i++) {
		memcpy(copy, v.bytes + 1024, sizeof copy);
		for (size_t k = 0; k < cases[i].n; k++)
			copy[cases[i].at + k] = (uint8_t)(cases[i].value >> 8 * k);
		assert_fails(sv_ext_parse_super(copy, sizeof copy, &s, &err), cases[i].code,
			cases[i].at);
	}
	memcpy(copy, v.bytes + 1024, sizeof copy);
	assert_fails(sv_ext_parse_super(copy, 1023, &s, &err), SV_CORRUPT, 1023);
	assert_ok(sv_ext_parse_super(copy, sizeof copy, &s, &err));
	assert_true(s.checksum_ok);
	copy[offsetof(struct ext_super, mounts)] ^= 1;
	assert_ok(sv_ext_parse_super(copy, sizeof copy, &s, &err));
	assert_false(s.checksum_ok);
	victim_free(&v);
}

static void warns_of_a_wrong_sum_of_the_superblock(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	struct victim v = {0};

	(void)state;
	victim_make(&v, "-t ext4");
	v.bytes[1024 + offsetof(struct ext_super, mounts)] ^= 1;
	victim_reopen(&v);
	assert_ok(sv_fs_info(v.fs, &info, &err));
	assert_non_null(strstr(info.warning, "checksum"));
	assert_ok(read_head(&v, "/a", &err));
	victim_free(&v);
}

/* ---- groups and inodes ---- */

static void takes_the_copy_of_a_damaged_descriptor(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	struct victim v = {0};

	(void)state;
	victim_make(&v, "-t ext4 -b 1024 -g 2048");
	v.bytes[2048 + offsetof(struct ext_group, inode_table_lo)] ^= 1;
	victim_reopen(&v);
	assert_ok(read_head(&v, "/a", &err));
	assert_ok(sv_fs_info(v.fs, &info, &err));
	assert_string_equal(info.warning, "");
	victim_free(&v);
}

static void places_a_table_beyond_the_volume(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	uint64_t ino;

	(void)state;
	victim_make(&v, "-t ext2 -b 1024");
	sv_store_le32(v.bytes + 2048 + offsetof(struct ext_group, inode_table_lo), 9000);
	victim_reopen(&v);
	assert_fails(sv_fs_lookup(v.fs, "/a", &ino, &err), SV_CORRUPT,
		2048 + offsetof(struct ext_group, inode_table_lo));
	victim_free(&v);
}

static void refuses_the_content_of_an_inode_with_a_wrong_sum(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	struct sv_fs_stat st;
	uint64_t at;

	(void)state;
	victim_make(&v, "-t ext4");
	at = inode_at(&v, ino_of(&v, "/a"));
	v.bytes[at + offsetof(struct ext_inode, atime)] ^= 1;
	victim_reopen(&v);
	assert_ok(sv_fs_stat(v.fs, ino_of(&v, "/a"), &st, &err));
	assert_int_equal(st.size, 2);
	assert_fails(read_head(&v, "/a", &err), SV_CORRUPT, at);
	assert_ok(read_head(&v, "/b", &err));
	victim_free(&v);
}

static void refuses_an_extra_part_that_does_not_fit(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	struct sv_fs_stat st;
	uint64_t at;

	(void)state;
	victim_make(&v, "-t ext4");
	at = inode_at(&v, ino_of(&v, "/a")) + EXT_OLD_INODE;
	sv_store_le16(v.bytes + at, 132);
	victim_reopen(&v);
	assert_fails(sv_fs_stat(v.fs, ino_of(&v, "/a"), &st, &err), SV_CORRUPT, at);
	victim_free(&v);
}

static void misses_inodes_that_are_free_or_none(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	struct sv_fs_stat st;

	(void)state;
	victim_make(&v, "-t ext4");
	assert_fails(sv_fs_stat(v.fs, 1900, &st, &err), SV_CORRUPT, inode_at(&v, 1900));
	assert_fails(sv_fs_stat(v.fs, 0, &st, &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(sv_fs_stat(v.fs, UINT64_MAX, &st, &err), SV_CORRUPT, UINT64_MAX);
	victim_free(&v);
}

/* ---- where data lie ---- */

static void refuses_extents_beyond_the_volume(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	unsigned n = 0;
	uint64_t at;

	(void)state;
	victim_make(&v, "-t ext4 -O ^metadata_csum");
	at = inode_at(&v, ino_of(&v, "/a")) + offsetof(struct ext_inode, block);
	sv_store_le32(v.bytes + at + 12 + 8, 1 << 20);
	victim_reopen(&v);
	assert_fails(read_head(&v, "/a", &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(sv_fs_extents(v.fs, ino_of(&v, "/a"), count_extent, &n, &err), SV_CORRUPT,
		UINT64_MAX);
	/* no extents at all */
	sv_store_le16(v.bytes + at, 0x1234);
	victim_reopen(&v);
	assert_fails(read_head(&v, "/a", &err), SV_CORRUPT, at);
	assert_ok(read_head(&v, "/b", &err));
	victim_free(&v);
}

/* The root says that it is as deep as can be, and each node is the same block. */
static void ends_in_a_tree_that_leads_to_itself(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	uint64_t at, data;

	(void)state;
	victim_make(&v, "-t ext4 -O ^metadata_csum");
	at = inode_at(&v, ino_of(&v, "/big")) + offsetof(struct ext_inode, block);
	data = block_at(&v, ino_of(&v, "/big"), 0);
	sv_store_le16(v.bytes + at + 6, 5); /* depth */
	sv_store_le32(v.bytes + at + 12 + 4, (uint32_t)(data / 1024));
	sv_store_le16(v.bytes + at + 12 + 8, 0);
	memcpy(v.bytes + data, v.bytes + at, 24);
	sv_store_le16(v.bytes + data + 6, 4);
	victim_reopen(&v);
	assert_fails(read_head(&v, "/big", &err), SV_CORRUPT, data + 6);
	victim_free(&v);
}

static void refuses_an_extent_block_with_a_wrong_sum(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	uint64_t at, node;

	(void)state;
	victim_make(&v, "-t ext4 -b 1024");
	at = inode_at(&v, ino_of(&v, "/pieces")) + offsetof(struct ext_inode, block);
	assert_int_equal(sv_load_le16(v.bytes + at + 6), 1); /* depth: a block of extents */
	node = sv_load_le32(v.bytes + at + 12 + 4) * 1024ull;
	v.bytes[node + 12 + 8] ^= 1;
	victim_reopen(&v);
	assert_fails(read_head(&v, "/pieces", &err), SV_CORRUPT,
		node + 12 + 12 * sv_load_le16(v.bytes + node + 4));
	victim_free(&v);
}

static void refuses_block_numbers_beyond_the_volume(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	unsigned n = 0;
	uint64_t at;

	(void)state;
	victim_make(&v, "-t ext2 -b 1024");
	at = inode_at(&v, ino_of(&v, "/big")) + offsetof(struct ext_inode, block);
	sv_store_le32(v.bytes + at + 4 * 12, 0xfffffff0); /* the block of further numbers */
	victim_reopen(&v);
	assert_ok(read_head(&v, "/big", &err));
	assert_fails(sv_fs_extents(v.fs, ino_of(&v, "/big"), count_extent, &n, &err),
		SV_CORRUPT, UINT64_MAX);
	assert_true(n > 0); /* what came before it */
	victim_free(&v);
}

/* ---- folders ---- */

static void lists_what_a_damaged_block_leaves(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	uint64_t ino, at, found;
	unsigned all = 0, left = 0;

	(void)state;
	victim_make(&v, "-t ext4 -b 1024 -O ^metadata_csum");
	ino = ino_of(&v, "/many");
	assert_ok(sv_fs_readdir(v.fs, ino, count_entry, &all, &err));
	assert_int_equal(all, 300);
	at = block_at(&v, ino, 2);
	sv_store_le16(v.bytes + at + 4, 3); /* the first entry's length */
	victim_reopen(&v);
	assert_fails(sv_fs_readdir(v.fs, ino, count_entry, &left, &err), SV_CORRUPT, at);
	assert_true(left > 200 && left < 300);
	assert_ok(sv_fs_lookup(v.fs, "/many/entry-with-a-name-1", &found, &err));
	/* whether it was in the damaged block nobody knows: that is no "not found" */
	assert_fails(sv_fs_lookup(v.fs, "/many/none", &found, &err), SV_CORRUPT, at);
	victim_free(&v);
}

static void tells_a_wrong_sum_after_the_entries(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	unsigned all = 0;
	uint64_t ino, at;

	(void)state;
	victim_make(&v, "-t ext4 -b 1024");
	ino = ino_of(&v, "/many");
	at = block_at(&v, ino, 2);
	v.bytes[at + 8] ^= 1; /* a letter of a name */
	victim_reopen(&v);
	assert_fails(sv_fs_readdir(v.fs, ino, count_entry, &all, &err), SV_CORRUPT, at);
	assert_int_equal(all, 300);
	victim_free(&v);
}

static void passes_over_entries_that_name_no_inode(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	unsigned all = 0;
	uint64_t ino, at;

	(void)state;
	victim_make(&v, "-t ext4 -b 1024 -O ^metadata_csum");
	ino = ino_of(&v, "/many");
	at = block_at(&v, ino, 2);
	sv_store_le32(v.bytes + at, 4000000);
	victim_reopen(&v);
	assert_fails(sv_fs_readdir(v.fs, ino, count_entry, &all, &err), SV_CORRUPT, at);
	assert_int_equal(all, 299);
	victim_free(&v);
}

static int keep_name(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	(void)ino, (void)type;
	if (!raw)
		return 0;
	assert_int_equal(raw_len, 1);
	strcpy(user, name);
	return 1;
}

static void never_tells_a_name_with_a_slash(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	char name[SV_FS_UNIX_NAME] = "";
	uint64_t at;

	(void)state;
	victim_make(&v, "-t ext4 -b 1024 -O ^metadata_csum");
	at = block_at(&v, ino_of(&v, "/sub"), 0);
	assert_int_equal(v.bytes[at + 24 + 8], 'd');
	v.bytes[at + 24 + 8] = '/';
	victim_reopen(&v);
	assert_int_equal(sv_fs_readdir(v.fs, ino_of(&v, "/sub"), keep_name, name, &err), 1);
	assert_string_equal(name, "\xef\xbf\xbd");
	victim_free(&v);
}

/* ---- attributes ---- */

static int count_attr(void *user, const char *name, const void *value, size_t n)
{
	(void)name, (void)value, (void)n;
	(*(unsigned *)user)++;
	return 0;
}

static void refuses_damaged_attributes(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct victim v = {0};
	unsigned n = 0;
	uint64_t at;

	(void)state;
	victim_make(&v, "-t ext4");
	assert_ok(sv_fs_xattrs(v.fs, ino_of(&v, "/b"), count_attr, &n, &err));
	if (!n) {
		print_message("skip: no attributes in the folder for temporary files\n");
		victim_free(&v);
		skip();
	}
	at = sv_load_le32(v.bytes + inode_at(&v, ino_of(&v, "/b")) +
			  offsetof(struct ext_inode, file_acl_lo));
	at *= sv_ext_of(v.fs)->super.block_size;
	v.bytes[at + 32 + 16] ^= 1;
	victim_reopen(&v);
	assert_fails(
		sv_fs_xattrs(v.fs, ino_of(&v, "/b"), count_attr, &n, &err), SV_CORRUPT, at);
	v.bytes[at] ^= 1;
	victim_reopen(&v);
	assert_fails(
		sv_fs_xattrs(v.fs, ino_of(&v, "/b"), count_attr, &n, &err), SV_CORRUPT, at);
	assert_ok(read_head(&v, "/b", &err)); /* the content is another matter */
	victim_free(&v);
}

static void refuses_acls_that_are_none(void **state)
{
	static const uint8_t bad[][12] = {
		{2, 0, 0, 0},             /* another version */
		{1, 0, 0, 0, 3, 0, 7, 0}, /* another tag */
		{1, 0, 0, 0, 2, 0, 7, 0}, /* a user without a number */
	};
	struct sv_err err = SV_ERR_INIT;
	size_t n;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(bad); i++) {
		assert_null(sv_ext_acl(bad[i], 8, &n, &err));
		assert_int_equal(err.code, SV_CORRUPT);
	}
	assert_null(sv_ext_acl(bad[0], 3, &n, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_every_wrong_field_of_the_superblock),
		cmocka_unit_test(warns_of_a_wrong_sum_of_the_superblock),
		cmocka_unit_test(takes_the_copy_of_a_damaged_descriptor),
		cmocka_unit_test(places_a_table_beyond_the_volume),
		cmocka_unit_test(refuses_the_content_of_an_inode_with_a_wrong_sum),
		cmocka_unit_test(refuses_an_extra_part_that_does_not_fit),
		cmocka_unit_test(misses_inodes_that_are_free_or_none),
		cmocka_unit_test(refuses_extents_beyond_the_volume),
		cmocka_unit_test(ends_in_a_tree_that_leads_to_itself),
		cmocka_unit_test(refuses_an_extent_block_with_a_wrong_sum),
		cmocka_unit_test(refuses_block_numbers_beyond_the_volume),
		cmocka_unit_test(lists_what_a_damaged_block_leaves),
		cmocka_unit_test(tells_a_wrong_sum_after_the_entries),
		cmocka_unit_test(passes_over_entries_that_name_no_inode),
		cmocka_unit_test(never_tells_a_name_with_a_slash),
		cmocka_unit_test(refuses_damaged_attributes),
		cmocka_unit_test(refuses_acls_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
