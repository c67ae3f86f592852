/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Disks made by sfdisk and sgdisk, grown by us, judged by both. Each judge has to reject a
 * broken twin first: the grown disk before our edit (GPT), or an entry with a byte set wrong.
 * sfdisk's dump before and after must be the same but for the grown partition.
 */
#include "judge.h"

/* ---- MBR, judged by sfdisk ---- */

struct mbr_shape {
	const char *script;
	unsigned number, box;
	uint64_t new_size; /* 0: the most */
	off_t twin;        /* a byte of an entry ... */
	uint8_t wrong;     /* ... that must not have this value */
};

static void grow_mbr(struct judge *j, const struct mbr_shape *s)
{
	uint8_t right;
	uint64_t size;

	judge_sfdisk(j, s->script);
	assert_judge_accepts(sfdisk_accepts, j);
	judge_resize(j, "200M");
	right = peek(j->disk, s->twin);
	poke(j->disk, s->twin, s->wrong);
	assert_judge_rejects(sfdisk_accepts, j);
	poke(j->disk, s->twin, right);
	{
		sv_autofree char *before = judge_dump(j), *after = NULL;

		size = judge_grow(j, s->number, s->new_size);
		assert_judge_accepts(sfdisk_accepts, j);
		after = judge_dump(j);
		assert_only_grown(j, before, after, s->number, s->box, size);
	}
}

#define COUNT_BYTE_2(slot) (446 + 16 * (slot) + 12 + 2)

static void grows_the_only_primary(void **state)
{
	grow_mbr(*state,
		&(struct mbr_shape){
			.script =
				"label: dos\\nlabel-id: 0xCAFE1234\\nstart=2048, size=40960, type=7, "
				"bootable\\n",
			.number = 1,
			.twin = COUNT_BYTE_2(0),
			.wrong = 0xEE,
		});
}

static void grows_the_last_of_four_primaries(void **state)
{
	grow_mbr(*state,
		&(struct mbr_shape){
			.script =
				"label: dos\\nlabel-id: 0xCAFE1234\\n"
				"start=63, size=2000, type=de\\nstart=4096, size=20480, type=7, bootable\\n"
				"start=32768, size=20480, type=83\\nstart=65536, size=30000, type=7\\n",
			.number = 4,
			.twin = COUNT_BYTE_2(1),
			.wrong = 0xEE,
		});
}

static void grows_a_primary_into_a_gap(void **state)
{
	grow_mbr(*state,
		&(struct mbr_shape){
			.script =
				"label: dos\\nlabel-id: 0xCAFE1234\\n"
				"start=2048, size=20480, type=7\\nstart=65536, size=30000, type=7\\n",
			.number = 1,
			.new_size = (65536 - 2048) * 512,
			.twin = COUNT_BYTE_2(0),
			.wrong = 0xEE,
		});
}

#define THREE_LOGICALS                                                                         \
	"label: dos\\nlabel-id: 0xCAFE1234\\n1 : start=2048, size=20480, type=7\\n"            \
	"2 : start=24576, size=90000, type=f\\n5 : start=26624, size=10240, type=7\\n"         \
	"6 : start=40960, size=20480, type=83\\n7 : start=65536, size=10240, type=82\\n"

static void grows_the_only_logical_and_its_container(void **state)
{
	grow_mbr(*state,
		&(struct mbr_shape){
			.script =
				"label: dos\\nlabel-id: 0xCAFE1234\\n1 : start=2048, size=20480, type=7\\n"
				"2 : start=24576, size=90000, type=5\\n5 : start=26624, size=80000, type=7\\n",
			.number = 5,
			.box = 2,
			.twin = COUNT_BYTE_2(1),
			.wrong = 0,
		});
}

static void grows_the_last_of_three_logicals(void **state)
{
	grow_mbr(*state, &(struct mbr_shape){.script = THREE_LOGICALS,
				 .number = 7,
				 .box = 2,
				 .twin = COUNT_BYTE_2(1),
				 .wrong = 0});
}

static void grows_the_first_logical_up_to_the_next_boot_record(void **state)
{
	grow_mbr(*state, &(struct mbr_shape){.script = THREE_LOGICALS,
				 .number = 5,
				 .twin = 24576 * 512 + COUNT_BYTE_2(0),
				 .wrong = 0xEE});
}

static void grows_a_middle_logical(void **state)
{
	grow_mbr(*state, &(struct mbr_shape){.script = THREE_LOGICALS,
				 .number = 6,
				 .new_size = 22528 * 512,
				 .twin = 24576 * 512 + COUNT_BYTE_2(0),
				 .wrong = 0xEE});
}

/* ---- GPT, judged by both ---- */

static void grows_the_last_partition_of_a_gpt(void **state)
{
	struct judge *j = *state;

	judge_sfdisk(j, WINDOWS_GPT);
	grow_gpt(j, "300M", 3, 0);
}

static void moves_only_the_backup_of_a_gpt(void **state)
{
	struct judge *j = *state;

	judge_sfdisk(j, WINDOWS_GPT);
	grow_gpt(j, "65M", 0, 0);
}

static void moves_the_backup_by_less_than_its_own_size(void **state)
{
	struct judge *j = *state;

	judge_sfdisk(j, WINDOWS_GPT);
	grow_gpt(j, "67112960", 0, 0); /* 8 sectors more */
}

static void grows_a_gpt_partition_into_a_gap_on_a_disk_that_keeps_its_size(void **state)
{
	struct judge *j = *state;

	must_run("sgdisk -o -n 1:2048:20479 -n 3:65536:98303 -c 3:third %s", j->disk);
	{
		sv_autofree char *before = judge_dump(j), *after = NULL;

		assert_both_accept(j);
		judge_grow(j, 1, 63488 * 512);
		assert_both_accept(j);
		after = judge_dump(j);
		assert_only_grown(j, before, after, 1, 0, 63488 * 512);
	}
}

static void keeps_a_table_of_256_entries(void **state)
{
	struct judge *j = *state;

	must_run("sgdisk -o -S 256 -n 200:4096:60000 -c 200:far -A 200:set:60 %s", j->disk);
	grow_gpt(j, "100M", 200, 0);
}

static void keeps_a_table_of_4_entries(void **state)
{
	struct judge *j = *state;

	judge_sfdisk(j, "label: gpt\\ntable-length: 4\\nsize=40MiB, name=\"only\"\\n");
	grow_gpt(j, "100M", 1, 0);
}

/* Breaks a byte of a header of a disk of 64 MiB, lets us grow it, and both copies are good. */
static void repair(struct judge *j, off_t where)
{
	judge_sfdisk(j, WINDOWS_GPT);
	poke(j->disk, where, (uint8_t)~peek(j->disk, where));
	assert_judge_rejects(sgdisk_accepts, j);
	{
		sv_autofree char *before = judge_dump(j), *after = NULL;
		uint64_t size = judge_grow(j, 3, 40 << 20);

		assert_both_accept(j);
		after = judge_dump(j);
		assert_only_grown(j, before, after, 3, 0, size);
	}
}

static void writes_a_bad_primary_good_again(void **state)
{
	repair(*state, 512 + 40);
}

static void writes_bad_primary_entries_good_again(void **state)
{
	repair(*state, 1024 + 130);
}

static void writes_a_bad_backup_good_again(void **state)
{
	repair(*state, (64 << 20) - 512 + 72);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		judge_test(grows_the_only_primary),
		judge_test(grows_the_last_of_four_primaries),
		judge_test(grows_a_primary_into_a_gap),
		judge_test(grows_the_only_logical_and_its_container),
		judge_test(grows_the_last_of_three_logicals),
		judge_test(grows_the_first_logical_up_to_the_next_boot_record),
		judge_test(grows_a_middle_logical),
		judge_test(grows_the_last_partition_of_a_gpt),
		judge_test(moves_only_the_backup_of_a_gpt),
		judge_test(moves_the_backup_by_less_than_its_own_size),
		judge_test(grows_a_gpt_partition_into_a_gap_on_a_disk_that_keeps_its_size),
		judge_test(keeps_a_table_of_256_entries),
		judge_test(keeps_a_table_of_4_entries),
		judge_test(writes_a_bad_primary_good_again),
		judge_test(writes_bad_primary_entries_good_again),
		judge_test(writes_a_bad_backup_good_again),
	};

	if (!has_tool("sfdisk") || !has_tool("sgdisk") || !has_tool("partx"))
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
