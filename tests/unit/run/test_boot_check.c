/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The boot check with a real QEMU and guests of one boot sector each. After every test nothing
 * may be left: no process, no file, no changed byte of the disk.
 */
#include "unit.h"

#include "run/boot_check.h"
#include "run/qemu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_SIZE (1u << 20)

struct guest {
	const char *code; /* 16-bit code at 0000:7C00 */
	size_t n;
};

/* Prints what follows the code to the first serial port, then rests. */
#define PRINT_AND_REST                                                                         \
	"\x31\xc0\x8e\xd8"         /* ds = 0 */                                                \
	"\xbe\x20\x7c\xfc"         /* si = text at 7C20 */                                     \
	"\xac\x84\xc0\x74\x12"     /* next: al = *si++; end at 0 */                            \
	"\x88\xc1\xba\xfd\x03"     /* cl = al; dx = line status */                             \
	"\xec\xa8\x20\x74\xfb"     /* until ready */                                           \
	"\x88\xc8\xba\xf8\x03\xee" /* send */                                                  \
	"\xeb\xe9"                 /* jump to next */                                          \
	"\xf4"                     /* hlt */
#define GUEST(bytes)                                                                           \
	(struct guest)                                                                         \
	{                                                                                      \
		bytes, sizeof(bytes) - 1                                                       \
	}

struct place {
	char folder[64];
	char tmp[80];
	char disk[80];
	char before[DISK_SIZE];
};

static void write_disk(struct place *p, struct guest g)
{
	int fd = open(p->disk, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && g.n <= 446);
	memset(p->before, 0, DISK_SIZE);
	memcpy(p->before, g.code, g.n);
	p->before[510] = 0x55;
	p->before[511] = (char)0xAA;
	assert_int_equal(write(fd, p->before, DISK_SIZE), DISK_SIZE);
	close(fd);
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	snprintf(p->folder, sizeof p->folder, "/tmp/sharevm-test-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->tmp, sizeof p->tmp, "%s/tmp", p->folder);
	/* a comma must not end QEMU's option */
	snprintf(p->disk, sizeof p->disk, "%s/disk,1.raw", p->folder);
	mkdir(p->tmp, 0700);
	setenv("TMPDIR", p->tmp, 1);
	*state = p;
	return 0;
}

static void nothing_is_left(struct place *p)
{
	static char after[DISK_SIZE];
	int fd = open(p->disk, O_RDONLY);

	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(rmdir(p->tmp), 0); /* only an empty folder can be removed */
	assert_int_equal(read(fd, after, DISK_SIZE), DISK_SIZE);
	assert_memory_equal(after, p->before, DISK_SIZE);
	close(fd);
}

static int teardown(void **state)
{
	struct place *p = *state;

	unlink(p->disk);
	rmdir(p->tmp);
	rmdir(p->folder);
	free(p);
	return 0;
}

static struct sv_boot_report check(
	struct place *p, struct guest g, unsigned timeout, const char *expect)
{
	struct sv_boot_opts opts = {
		.disk = p->disk, .format = "raw", .timeout_s = timeout, .expect = expect};
	struct sv_boot_report r = {0};
	struct sv_err err = SV_ERR_INIT;

	write_disk(p, g);
	assert_ok(sv_boot_check(&opts, NULL, &r, &err));
	nothing_is_left(p);
	return r;
}

static void sees_the_expected_text_on_the_console(void **state)
{
	struct sv_boot_report r =
		check(*state, GUEST(PRINT_AND_REST "all is well\n\0"), 60, "is well");

	assert_true(r.alive);
	assert_string_equal(r.sign, "serial: 'is well'");
	assert_string_equal(r.serial, "all is well");
	assert_string_equal(r.screenshot, "");
	sv_boot_report_free(&r);
}

static void is_not_content_with_another_text(void **state)
{
	struct sv_boot_report r =
		check(*state, GUEST(PRINT_AND_REST "not bad\n1\n2\n3\n\0"), 2, "well");

	assert_false(r.alive);
	assert_non_null(strstr(r.sign, "no sign of life in 2 s: 'well' was not seen"));
	sv_boot_report_free(&r);
}

/* Writes a letter that changes four times a second to the text screen. */
static void sees_life_on_the_screen(void **state)
{
	struct sv_boot_report r = check(*state,
		GUEST("\xfb\x31\xc0\x8e\xd8\xb8\x00\xb8\x8e\xc0"
		      "\xa1\x6c\x04\xc1\xe8\x02\xb4\x07\x26\xa3\x00\x00\xeb\xf2"),
		60, NULL);

	assert_true(r.alive);
	assert_string_equal(r.sign, "the screen showed 12 different pictures");
	sv_boot_report_free(&r);
}

static void is_not_fooled_by_firmware_that_finds_nothing_to_boot(void **state)
{
	struct place *p = *state;
	struct sv_boot_opts opts = {.disk = p->disk, .format = "raw", .timeout_s = 6};
	struct sv_boot_report r = {0};
	struct sv_err err = SV_ERR_INIT;
	int fd;

	write_disk(p, GUEST(""));
	p->before[510] = 0; /* no boot signature */
	fd = open(p->disk, O_WRONLY);
	assert_int_equal(pwrite(fd, p->before, 512, 0), 512);
	close(fd);
	assert_ok(sv_boot_check(&opts, NULL, &r, &err));
	assert_false(r.alive);
	nothing_is_left(p);
	sv_boot_report_free(&r);
}

static void tells_that_the_guest_restarted(void **state)
{
	struct sv_boot_report r = check(*state, GUEST("\xb0\xfe\xe6\x64\xf4"), 60, NULL);

	assert_false(r.alive);
	assert_non_null(strstr(r.sign, "the guest stopped or restarted after"));
	sv_boot_report_free(&r);
}

/* int 13h, function 3: writes sector 2 of the disk; then prints that it did. */
static void keeps_what_the_guest_writes_away_from_the_disk(void **state)
{
	struct sv_boot_report r = check(*state,
		GUEST("\x31\xc0\x8e\xd8\x8e\xc0\xbb\x00\x7c\xb8\x01\x03\xb9\x02\x00\xb6\x00\xcd\x13"
		      "\x72\x0b"                 /* on an error: to hlt */
		      "\xb0\x57\xba\xf8\x03\xee" /* 'W' to the console */
		      "\xb0\x0a\xee\xeb\xfe"
		      "\xf4"),
		60, "W\n");

	assert_true(r.alive);
	sv_boot_report_free(&r);
}

static void keeps_the_last_picture_where_one_is_wanted(void **state)
{
	struct place *p = *state;
	char shot[80], head[8] = "";
	struct sv_boot_opts opts = {.disk = p->disk,
		.format = "raw",
		.timeout_s = 60,
		.expect = "well",
		.screenshot = shot};
	struct sv_boot_report r = {0};
	struct sv_err err = SV_ERR_INIT;
	FILE *f;

	snprintf(shot, sizeof shot, "%s/shot.png", p->folder);
	write_disk(p, GUEST(PRINT_AND_REST "well\n\0"));
	assert_ok(sv_boot_check(&opts, NULL, &r, &err));
	assert_true(r.alive);
	assert_string_equal(r.screenshot, shot);
	f = fopen(shot, "rb");
	assert_non_null(f);
	assert_int_equal(fread(head, 1, 4, f), 4);
	assert_memory_equal(head, "\x89PNG", 4);
	fclose(f);
	unlink(shot);
	nothing_is_left(p);
	sv_boot_report_free(&r);
}

static void cancel_soon(void *user, const char *stage, uint64_t done, uint64_t total)
{
	struct sv_job *job = user;

	assert_string_equal(stage, "booting in QEMU");
	assert_int_equal(total, 60);
	atomic_store(&job->cancel, true);
}

static void stops_at_once_when_cancelled(void **state)
{
	struct place *p = *state;
	struct sv_boot_opts opts = {.disk = p->disk, .format = "raw", .timeout_s = 60};
	struct sv_job job = {.progress = cancel_soon};
	struct sv_boot_report r = {0};
	struct sv_err err = SV_ERR_INIT;

	job.user = &job;
	write_disk(p, GUEST("\xeb\xfe"));
	assert_fails(sv_boot_check(&opts, &job, &r, &err), SV_CANCELLED, UINT64_MAX);
	assert_null(r.serial);
	nothing_is_left(p);
}

static void tells_why_qemu_could_not_start(void **state)
{
	struct place *p = *state;
	struct sv_boot_opts opts = {.disk = p->disk, .format = "qcow2"};
	struct sv_boot_report r = {0};
	struct sv_err err = SV_ERR_INIT;

	write_disk(p, GUEST("\xeb\xfe"));
	assert_fails(sv_boot_check(&opts, NULL, &r, &err), SV_IO, UINT64_MAX);
	assert_non_null(strstr(err.message, "not in qcow2 format"));
	nothing_is_left(p);
	unlink(p->disk);
	assert_fails(sv_boot_check(&opts, NULL, &r, &err), SV_NOTFOUND, UINT64_MAX);
}

static void names_the_package_where_qemu_is_missing(void **state)
{
	struct place *p = *state;
	struct sv_boot_opts opts = {.disk = p->disk, .format = "raw"};
	struct sv_boot_report r = {0};
	struct sv_err err = SV_ERR_INIT;
	char *path = strdup(getenv("PATH"));

	write_disk(p, GUEST("\xeb\xfe"));
	setenv("PATH", "/nowhere", 1);
	assert_fails(sv_boot_check(&opts, NULL, &r, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.hint, "qemu-system-x86"));
	setenv("PATH", path, 1);
	free(path);
	nothing_is_left(p);
}

static bool have_qemu(void)
{
	char *path = strdup(getenv("PATH"));
	bool found = false;

	for (char *rest = path, *dir; (dir = strsep(&rest, ":"));) {
		char program[512];

		snprintf(program, sizeof program, "%s/" SV_QEMU_PROGRAM, dir);
		found = found || access(program, X_OK) == 0;
	}
	free(path);
	return found;
}

int main(void)
{
#define BOOT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		BOOT_TEST(sees_the_expected_text_on_the_console),
		BOOT_TEST(is_not_content_with_another_text),
		BOOT_TEST(sees_life_on_the_screen),
		BOOT_TEST(is_not_fooled_by_firmware_that_finds_nothing_to_boot),
		BOOT_TEST(tells_that_the_guest_restarted),
		BOOT_TEST(keeps_what_the_guest_writes_away_from_the_disk),
		BOOT_TEST(keeps_the_last_picture_where_one_is_wanted),
		BOOT_TEST(stops_at_once_when_cancelled),
		BOOT_TEST(tells_why_qemu_could_not_start),
		BOOT_TEST(names_the_package_where_qemu_is_missing),
	};

	if (!have_qemu()) {
		puts("skip: " SV_QEMU_PROGRAM " is not installed");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
