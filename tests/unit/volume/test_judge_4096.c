/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Tables of 4096-byte sectors, made and judged by the tools through a loop device of that
 * sector size: about a plain file they only see a protective MBR and say "no problems", or read
 * an MBR with sectors of 512 bytes.
 */
#include "judge.h"

static void grows_a_gpt_of_4096_byte_sectors(void **state)
{
	struct judge *j = *state;

	assert_true(judge_loop_4096(j));
	judge_sfdisk(j, WINDOWS_GPT);
	grow_gpt(j, "300M", 3, 0);
}

static void writes_a_bad_primary_of_4096_byte_sectors_good_again(void **state)
{
	struct judge *j = *state;

	assert_true(judge_loop_4096(j));
	judge_sfdisk(j, WINDOWS_GPT);
	poke(j->disk, 4096 + 60, 0xEE);
	assert_judge_rejects(sgdisk_accepts, j);
	judge_grow(j, 3, 40 << 20);
	assert_both_accept(j);
}

static uint32_t sector_size_of(struct judge *j)
{
	SV_CLEANUP(sv_table_free) struct sv_table t = {0};
	sv_autodev struct sv_dev *d = judge_open(j);
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_table_read(d, &t, &err));
	return t.sector_size;
}

/* An NTFS on [start, start+size) MiB, as a system makes it on such a disk. */
static void put_ntfs(struct judge *j, unsigned start, unsigned size)
{
	must_run("l=$(losetup -b 4096 --show -f -o %uM --sizelimit %uM %s) && "
		 "mkntfs -q -F -f $l >/dev/null 2>&1; losetup -d $l",
		start, size, j->disk);
}

static void grow_mbr(struct judge *j, unsigned number, unsigned box)
{
	sv_autofree char *before = judge_dump(j), *after = NULL;
	uint64_t size;

	assert_int_equal(sector_size_of(j), 4096);
	assert_judge_accepts(sfdisk_accepts, j);
	judge_resize(j, "300M");
	size = judge_grow(j, number, 0);
	assert_judge_accepts(sfdisk_accepts, j);
	after = judge_dump(j);
	assert_only_grown(j, before, after, number, box, size);
	assert_int_equal(sector_size_of(j), 4096);
}

static void grows_a_primary_of_4096_byte_sectors(void **state)
{
	struct judge *j = *state;

	assert_true(judge_loop_4096(j));
	judge_sfdisk(j, "label: dos\\nstart=1MiB, size=10MiB, type=c\\n"
			"start=11MiB, size=30MiB, type=7, bootable\\n");
	/* nothing says so yet */
	assert_int_equal(sector_size_of(j), 512);
	put_ntfs(j, 11, 30);
	grow_mbr(j, 2, 0);
}

static void grows_a_logical_of_4096_byte_sectors(void **state)
{
	struct judge *j = *state;

	assert_true(judge_loop_4096(j));
	judge_sfdisk(j, "label: dos\\nstart=1MiB, size=10MiB, type=83\\n"
			"start=12MiB, size=40MiB, type=f\\nstart=13MiB, size=5MiB, type=83\\n"
			"start=20MiB, size=30MiB, type=7\\n");
	put_ntfs(j, 20, 30);
	grow_mbr(j, 6, 2);
}

static void a_volume_of_512_byte_sectors_is_believed_first(void **state)
{
	struct judge *j = *state;

	assert_true(judge_loop_4096(j));
	judge_sfdisk(j, "label: dos\\nstart=8MiB, size=30MiB, type=7\\n");
	put_ntfs(j, 8, 30);
	assert_int_equal(sector_size_of(j), 4096);
	/* what the same table names when it counts in 512 bytes */
	must_run("truncate -s 2M %s/small && mkntfs -q -F -f -s 512 %s/small "
		 ">/dev/null 2>&1 && "
		 "dd if=%s/small of=%s bs=512 seek=2048 count=8 conv=notrunc status=none",
		j->dir, j->dir, j->dir, j->disk);
	assert_int_equal(sector_size_of(j), 512);
}

/* Not every host lets us attach a loop device: a container, or anybody but root. */
static bool can_loop(void)
{
	void *state;
	bool yes;

	judge_begin(&state);
	yes = judge_loop_4096(state);
	judge_end(&state);
	if (!yes)
		printf("skip: no loop device of 4096-byte sectors for this user\n");
	return yes;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		judge_test(grows_a_gpt_of_4096_byte_sectors),
		judge_test(writes_a_bad_primary_of_4096_byte_sectors_good_again),
		judge_test(grows_a_primary_of_4096_byte_sectors),
		judge_test(grows_a_logical_of_4096_byte_sectors),
		judge_test(a_volume_of_512_byte_sectors_is_believed_first),
	};

	if (!has_tool("sfdisk") || !has_tool("sgdisk") || !has_tool("partx") ||
		!has_tool("mkntfs") || !can_loop())
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
