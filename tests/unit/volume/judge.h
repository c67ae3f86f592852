/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disks made and judged by other people's tools, in a folder of their own. */
#ifndef SV_TESTS_VOLUME_JUDGE_H
#define SV_TESTS_VOLUME_JUDGE_H

#include "unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/num.h"
#include "base/str.h"
#include "io/host.h"
#include "volume/table.h"

#define SKIPPED 77 /* meson's exit code for a test that could not run */

struct judge {
	char dir[64];
	char disk[128];   /* the file */
	char target[128]; /* what the tools open: the file, or a loop device over it */
	uint32_t sector_size;
};

/* Runs a shell command and gives all that it printed; caller frees. */
__attribute__((format(printf, 2, 3))) static inline char *run(
	int *ret_status, const char *fmt, ...)
{
	sv_autofree char *command = NULL;
	sv_autostr struct sv_str out = {0};
	char buf[4096];
	va_list ap;
	size_t n;
	FILE *f;

	va_start(ap, fmt);
	if (vasprintf(&command, fmt, ap) < 0)
		command = NULL;
	va_end(ap);
	assert_non_null(command);
	f = popen(command, "r");
	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof buf, f)))
		sv_str_addn(&out, buf, n);
	*ret_status = pclose(f);
	return sv_str_take(&out);
}

static inline bool has_tool(const char *name)
{
	int status;

	free(run(&status, "command -v %s", name));
	if (status)
		printf("skip: %s is not installed\n", name);
	return status == 0;
}

static inline void must(const char *command)
{
	int status;
	sv_autofree char *out = run(&status, "%s 2>&1", command);

	if (status)
		fail_msg("%s: %s", command, out);
}

#define must_run(...)                                                                          \
	do {                                                                                   \
		sv_autofree char *command_ = sv_format(__VA_ARGS__);                           \
		must(command_);                                                                \
	} while (0)

/* Set-up of a test: *state becomes an empty disk of 64 MiB. */
static inline int judge_begin(void **state)
{
	struct judge *j = calloc(1, sizeof *j);

	assert_non_null(j);
	*state = j;
	j->sector_size = 512;
	snprintf(j->dir, sizeof j->dir, "/tmp/sharevm-table-XXXXXX");
	assert_non_null(mkdtemp(j->dir));
	snprintf(j->disk, sizeof j->disk, "%s/disk", j->dir);
	snprintf(j->target, sizeof j->target, "%s", j->disk);
	must_run("truncate -s 64M %s", j->disk);
	return 0;
}

/* From now on the tools see 4096-byte sectors; false where the host has no loop devices. */
static inline bool judge_loop_4096(struct judge *j)
{
	int status;
	sv_autofree char *out =
		run(&status, "losetup -b 4096 --show -f %s 2>/dev/null", j->disk);

	if (status)
		return false;
	snprintf(j->target, sizeof j->target, "%.*s", (int)strcspn(out, "\n"), out);
	j->sector_size = 4096;
	return true;
}

/* Tear-down: runs also after a test that failed. */
static inline int judge_end(void **state)
{
	struct judge *j = *state;

	if (j->sector_size == 4096)
		must_run("losetup -d %s", j->target);
	must_run("rm -r %s", j->dir);
	free(j);
	return 0;
}

#define judge_test(f) cmocka_unit_test_setup_teardown(f, judge_begin, judge_end)

static inline void judge_sfdisk(struct judge *j, const char *script)
{
	must_run("printf '%s' | sfdisk -q --no-reread --no-tell-kernel %s", script, j->target);
}

static inline void judge_resize(struct judge *j, const char *size)
{
	must_run("truncate -s %s %s", size, j->disk);
	if (j->sector_size == 4096)
		must_run("losetup -c %s", j->target);
}

/* Both tools say in words, never by exit code, whether a table is sound. */
static inline bool sfdisk_accepts(struct judge *j, char **ret_text)
{
	int status;

	*ret_text = run(&status, "sfdisk -V %s 2>&1", j->target);
	return strstr(*ret_text, "No errors detected.") &&
	       !strstr(*ret_text, "greater than the maximum");
}

static inline bool sgdisk_accepts(struct judge *j, char **ret_text)
{
	int status;

	*ret_text = run(&status, "sgdisk -v %s 2>&1", j->target);
	return strstr(*ret_text, "No problems found.") && !strstr(*ret_text, "corrupt");
}

#define assert_judge_accepts(judge, j)                                                         \
	do {                                                                                   \
		sv_autofree char *text_ = NULL;                                                \
		if (!judge(j, &text_))                                                         \
			fail_msg("%s rejects it: %s", #judge, text_);                          \
	} while (0)

#define assert_judge_rejects(judge, j)                                                         \
	do {                                                                                   \
		sv_autofree char *text_ = NULL;                                                \
		if (judge(j, &text_))                                                          \
			fail_msg("%s is no judge, it accepts: %s", #judge, text_);             \
	} while (0)

/* sfdisk's dump of every entry. */
static inline char *judge_dump(struct judge *j)
{
	int status;

	return run(&status, "sfdisk -d %s 2>/dev/null", j->target);
}

static inline struct sv_dev *judge_open(struct judge *j)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *d = NULL;

	assert_ok(sv_host_open(sv_host_posix(), j->disk, SV_OPEN_WRITE, &d, &err));
	return d;
}

/* libblkid is a third reader, with code of its own: it sees what we see. */
static inline void assert_partx_agrees(struct judge *j, const struct sv_table *t)
{
	int status;
	sv_autofree char *out =
		run(&status, "partx -g -r -o NR,START,SECTORS %s 2>&1 | sort -n", j->target);
	sv_autostr struct sv_str ours = {0};

	for (unsigned number = 1; number <= 1024; number++) {
		const struct sv_partition *p = sv_table_find(t, number);

		if (p)
			sv_str_addf(&ours, "%u %llu %llu\n", number,
				(unsigned long long)p->start / 512,
				(unsigned long long)p->size / 512);
	}
	assert_string_equal(out, ours.data);
}

/* Reads the table, grows partition `number`, returns its new size. 0 as new_size: the most. */
static inline uint64_t judge_grow(struct judge *j, unsigned number, uint64_t new_size)
{
	SV_CLEANUP(sv_table_free) struct sv_table t = {0};
	sv_autodev struct sv_dev *d = judge_open(j);
	struct sv_err err = SV_ERR_INIT;

	assert_ok(sv_table_read(d, &t, &err));
	if (number && !new_size)
		assert_ok(sv_table_max_size(&t, number, sv_dev_size(d), &new_size, &err));
	assert_ok(sv_table_grow(d, &t, number, new_size, NULL, &err));
	sv_table_free(&t);
	assert_ok(sv_table_read(d, &t, &err));
	assert_partx_agrees(j, &t);
	return new_size;
}

/* Cuts "size= 123" from a line of a dump, and gives the number. */
static inline uint64_t cut_size(char *line)
{
	char *at = strstr(line, "size="), *end;
	uint64_t size;

	assert_non_null(at);
	size = strtoull(at + 5, &end, 10);
	memmove(at, end, strlen(end) + 1);
	return size;
}

static inline bool is_line_of(const struct judge *j, const char *line, unsigned number)
{
	sv_autofree char *plain = sv_format("%s%u ", j->target, number);
	sv_autofree char *with_p = sv_format("%sp%u ", j->target, number);

	return sv_starts_with(line, plain) || sv_starts_with(line, with_p);
}

/* Compares two dumps line by line: `number` has new_size, `box` (0: none) only grew. */
static inline void assert_only_grown(const struct judge *j, char *before, char *after,
	unsigned number, unsigned box, uint64_t new_size)
{
	char *b_rest, *a_rest, *b = strtok_r(before, "\n", &b_rest);
	char *a = strtok_r(after, "\n", &a_rest);
	bool seen = number == 0;

	for (; b && a; b = strtok_r(NULL, "\n", &b_rest), a = strtok_r(NULL, "\n", &a_rest)) {
		if (sv_starts_with(b, "last-lba") && sv_starts_with(a, "last-lba"))
			continue;
		if (is_line_of(j, b, number)) {
			assert_true(cut_size(b) < new_size / j->sector_size);
			assert_int_equal(cut_size(a), new_size / j->sector_size);
			seen = true;
		} else if (box && is_line_of(j, b, box)) {
			assert_true(cut_size(b) <= cut_size(a));
		}
		assert_string_equal(b, a);
	}
	assert_true(seen);
	assert_null(b);
	assert_null(a);
}

static inline void poke(const char *path, off_t at, uint8_t byte)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	assert_int_equal(close(fd), 0);
}

static inline uint8_t peek(const char *path, off_t at)
{
	int fd = open(path, O_RDONLY);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	assert_int_equal(close(fd), 0);
	return byte;
}

static inline void assert_both_accept(struct judge *j)
{
	assert_judge_accepts(sfdisk_accepts, j);
	assert_judge_accepts(sgdisk_accepts, j);
}

static inline void assert_both_reject(struct judge *j)
{
	assert_judge_rejects(sfdisk_accepts, j);
	assert_judge_rejects(sgdisk_accepts, j);
}

static inline void grow_gpt(struct judge *j, const char *to, unsigned number, uint64_t new_size)
{
	sv_autofree char *before = NULL, *after = NULL;
	uint64_t size;

	assert_both_accept(j);
	before = judge_dump(j);
	judge_resize(j, to);
	assert_both_reject(j);
	size = judge_grow(j, number, new_size);
	assert_both_accept(j);
	after = judge_dump(j);
	assert_only_grown(j, before, after, number, 0, size);
}

#define WINDOWS_GPT                                                                            \
	"label: gpt\\nlabel-id: 3C0AE5B5-54A7-4E1C-9A39-ABCDEF012345\\n"                       \
	"size=10MiB, type=U, name=\"EFI system partition\", attrs=\"GUID:63\"\\n"              \
	"size=1MiB, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\\n"                              \
	"size=30MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name=\"Basic data\"\\n"

#endif
