/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A GPT of 4096-byte sectors, made and judged by the tools through a loop device of that sector
 * size: about a plain file they only see the protective MBR and say "no problems".
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
	};

	if (!has_tool("sfdisk") || !has_tool("sgdisk") || !has_tool("partx") || !can_loop())
		return SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
