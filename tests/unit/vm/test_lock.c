/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tempdir.h"

#include <sys/wait.h>

#include "vm/lock.h"

/* The words below were encoded with another tool from this name and address. */
static const struct sv_computer machine = {
	.host_name = "build7",
	.mac = {0x00, 0x0c, 0x29, 0x11, 0x22, 0x33},
	.uuid = {0x05, 0xbf, 0xef, 0x3f, 0xd0, 0xe2, 0x64, 0x4e, 0xa5, 0x4d, 0xf3, 0x4e, 0x9d,
		0xc8, 0x3a, 0xa7},
	.has_uuid = true,
};
#define OWN   "rDH59AAMKREiMwAA"
#define OTHER "TKKVfP-------wAA"

static int parse(const char *text, struct sv_lock_member *m, struct sv_err *err)
{
	return sv_lock_parse(text, strlen(text), m, err);
}

static void reads_a_member_of_each_host_system(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock_member m;
	char padded[512] = "uuid=01-02 25156-134219857720971604(vmware.exe) 7 X 99 lc=1";

	(void)state;
	assert_ok(sv_lock_parse(padded, sizeof padded, &m, &err));
	assert_string_equal(m.machine, "uuid=01-02");
	assert_int_equal(m.pid, 25156);
	assert_int_equal(m.start, 134219857720971604);
	assert_string_equal(m.process, "vmware.exe");
	assert_true(m.exclusive);
	assert_ok(parse("host 12(a_(b)) 0 S", &m, &err));
	assert_int_equal(m.start, 0);
	assert_string_equal(m.process, "a_(b)");
	assert_false(m.exclusive);
	assert_ok(parse("host 12 0 S [", &m, &err));
	assert_ok(parse("host 12-5 4294967295 X [ lc=5 x=y", &m, &err));
	assert_int_equal(m.start, 5);
	assert_string_equal(m.process, "");
}

static void refuses_what_is_no_member(void **state)
{
	static const char *const texts[] = {"", " ", "host 12 0", "host x 0 X", "host -5 0 X",
		"host 0 0 X", "host 12- 0 X", "host 12-x 0 X", "host 12(a 0 X",
		"host 12(a)b 0 X", "host 99999999999999999999 0 X", "host 12 z X",
		"host 12 12345678901 X", "host 12 0 Y", "host 12 0 XX", "host 12 0 X p q",
		"host 12 0 X p =q",
		"host 12 0 X p q=", "a 1 0 X 5 6=6 7=7 8=8 9=9 a=a b=b c=c d=d e=e f=f g=g h=h",
		"a123456789a123456789a123456789a123456789a123456789a123456789a123456789a1234567"
		"89a123456789a123456789a123456789a123456789a123456789 12 0 X"};
	struct sv_err err = SV_ERR_INIT;
	struct sv_lock_member m;
	char *huge = calloc(1, SV_LOCK_MEMBER_MAX + 1);

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_fails(parse(texts[i], &m, &err), SV_CORRUPT, UINT64_MAX);
	assert_fails(
		sv_lock_parse(huge, SV_LOCK_MEMBER_MAX + 1, &m, &err), SV_CORRUPT, UINT64_MAX);
	free(huge);
}

static bool is_own(const char *machine_id)
{
	struct sv_lock_member m = {0};

	snprintf(m.machine, sizeof m.machine, "%s", machine_id);
	return sv_lock_is_of_machine(&m, &machine);
}

static void knows_its_own_machine_by_name_and_address_or_by_uuid(void **state)
{
	struct sv_computer nameless = machine;
	struct sv_lock_member m = {.machine = OWN};

	(void)state;
	assert_true(is_own(OWN));
	assert_false(is_own(OTHER));
	assert_false(is_own("build7"));
	assert_false(is_own(""));
	assert_true(is_own("uuid=05-bf-ef-3f-d0-e2-64-4e-a5-4d-f3-4e-9d-c8-3a-a7"));
	assert_true(is_own("uuid=3F-EF-BF-05-E2-D0-4E-64-a5-4d-f3-4e-9d-c8-3a-a7"));
	assert_false(is_own("uuid=05-bf-ef-3f-d0-e2-64-4e-a5-4d-f3-4e-9d-c8-3a-a8"));
	assert_false(is_own("uuid=05-bf-ef-3f-d0-e2-64-4e-a5-4d-f3-4e-9d-c8-3a"));
	assert_false(is_own("uuid=05-bf-ef-3f-d0-e2-64-4e-a5-4d-f3-4e-9d-c8-3a-a7-00"));
	assert_false(is_own("uuid="));
	memset(nameless.mac, 0xff, sizeof nameless.mac);
	snprintf(nameless.host_name, sizeof nameless.host_name, "desk");
	snprintf(m.machine, sizeof m.machine, OTHER);
	assert_true(sv_lock_is_of_machine(&m, &nameless));
	nameless.host_name[0] = 0;
	assert_false(sv_lock_is_of_machine(&m, &nameless));
	nameless.has_uuid = false;
	snprintf(m.machine, sizeof m.machine,
		"uuid=05-bf-ef-3f-d0-e2-64-4e-a5-4d-f3-4e-9d-c8-3a-a7");
	assert_false(sv_lock_is_of_machine(&m, &nameless));
}

/* ---- lock folders ---- */

struct fixture {
	char *dir, *vmx;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->dir = make_temp_dir();
	f->vmx = in_dir(f->dir, "a.vmx");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->vmx);
	remove_tree(f->dir);
	free(f);
	return 0;
}

static struct sv_lock_finding look(const struct fixture *f)
{
	struct sv_lock_finding found = {0};

	sv_lock_look(sv_host_posix(), f->vmx, &machine, &found);
	return found;
}

static void put_member(const struct fixture *f, const char *name, int pid, uint64_t start,
	const char *machine_id, const char *process)
{
	char text[512] = "", path[64];

	snprintf(text, sizeof text, "%s %d-%llu(%s) 0 X 5", machine_id, pid,
		(unsigned long long)start, process);
	snprintf(path, sizeof path, "a.vmx.lck/%s", name);
	put_bytes(f->dir, path, text, sizeof text);
}

static struct sv_process self(void)
{
	struct sv_process p;

	assert_true(sv_process_exists(getpid(), &p));
	return p;
}

/* A process number that no process has: of a child that was waited for. */
static int dead_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void finds_nothing_without_a_folder_or_in_an_empty_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(look(f).kind, SV_LOCK_NONE);
	put_dir(f->dir, "a.vmx.lck");
	assert_int_equal(look(f).kind, SV_LOCK_NONE);
	put_dir(f->dir, "a.vmx.lck/D12345.lck");
	put_text(f->dir, "a.vmx.lck/D12345.lck/E12345.lck", "");
	put_text(f->dir, "a.vmx.lck/.DS_Store", "");
	assert_int_equal(look(f).kind, SV_LOCK_NONE);
}

static void finds_a_living_process_of_this_machine(void **state)
{
	struct fixture *f = *state;
	struct sv_lock_finding found;

	put_dir(f->dir, "a.vmx.lck");
	put_member(f, "M00001.lck", dead_pid(), 7, OWN, "vmware-vmx");
	put_member(f, "M00002.lck", getpid(), self().start, OWN, "vmware-vmx");
	put_member(f, "M00003.lck", 5, 7, OTHER, "vmware-vmx");
	found = look(f);
	assert_int_equal(found.kind, SV_LOCK_HELD);
	assert_true(sv_ends_with(found.file, "/a.vmx.lck/M00002.lck"));
	assert_non_null(strstr(found.reason, self().name));
}

static void takes_a_process_without_a_known_start_for_living(void **state)
{
	struct fixture *f = *state;

	put_dir(f->dir, "a.vmx.lck");
	put_member(f, "M00001.lck", getpid(), 0, OWN, "x");
	assert_int_equal(look(f).kind, SV_LOCK_HELD);
}

static void tells_a_stale_lock_by_a_process_that_is_gone_or_newer(void **state)
{
	struct fixture *f = *state;

	put_dir(f->dir, "a.vmx.lck");
	put_member(f, "M00001.lck", getpid(), self().start + 1, OWN, "vmware-vmx");
	assert_int_equal(look(f).kind, SV_LOCK_STALE);
	put_member(f, "M00001.lck", dead_pid(), 7, OWN, "vmware-vmx");
	assert_int_equal(look(f).kind, SV_LOCK_STALE);
	assert_true(sv_ends_with(look(f).file, "/M00001.lck"));
}

static void never_calls_a_lock_of_another_machine_stale(void **state)
{
	struct fixture *f = *state;

	put_dir(f->dir, "a.vmx.lck");
	put_member(f, "M00001.lck", dead_pid(), 7, OTHER, "vmware-vmx");
	assert_int_equal(look(f).kind, SV_LOCK_ELSEWHERE);
	assert_non_null(strstr(look(f).reason, OTHER));
}

static void takes_garbage_for_a_lock_in_use(void **state)
{
	struct fixture *f = *state;

	put_dir(f->dir, "a.vmx.lck");
	put_text(f->dir, "a.vmx.lck/M00001.lck", "");
	assert_int_equal(look(f).kind, SV_LOCK_UNCLEAR);
	put_text(f->dir, "a.vmx.lck/M00001.lck", "\xff\xfe garbage");
	assert_int_equal(look(f).kind, SV_LOCK_UNCLEAR);
	remove_name(f->dir, "a.vmx.lck/M00001.lck");
	put_dir(f->dir, "a.vmx.lck/M00001.lck");
	assert_int_equal(look(f).kind, SV_LOCK_UNCLEAR);
}

static void takes_a_file_in_the_folders_place_for_a_lock(void **state)
{
	struct fixture *f = *state;

	put_text(f->dir, "a.vmx.lck", "");
	assert_int_equal(look(f).kind, SV_LOCK_UNCLEAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_member_of_each_host_system),
		cmocka_unit_test(refuses_what_is_no_member),
		cmocka_unit_test(knows_its_own_machine_by_name_and_address_or_by_uuid),
		cmocka_unit_test_setup_teardown(
			finds_nothing_without_a_folder_or_in_an_empty_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			finds_a_living_process_of_this_machine, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			takes_a_process_without_a_known_start_for_living, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			tells_a_stale_lock_by_a_process_that_is_gone_or_newer, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			never_calls_a_lock_of_another_machine_stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			takes_garbage_for_a_lock_in_use, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			takes_a_file_in_the_folders_place_for_a_lock, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
