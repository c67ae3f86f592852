/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The registry of a Windows on a disk: where its hives are, its users, what it tells of itself.
 */
#include "disk.h"
#include "hives.h"

#include "guest/registry.h"

#define NT      "Microsoft\\Windows NT\\CurrentVersion"
#define CURRENT "Microsoft\\Windows\\CurrentVersion"
#define ZOE_ID  "S-1-5-21-1-2-3-1001"

static void make_software(const struct fixture *f)
{
	struct tree *t = tree_new();

	add_text(t, NT, "ProductName", "Windows 10 Pro");
	add_text(t, NT, "EditionID", "Professional");
	add_text(t, NT, "CurrentBuildNumber", "19045");
	add_text(t, NT, "DisplayVersion", "22H2");
	add_text(t, NT, "SystemRoot", "C:\\Windows");
	add_number(t, NT, "UBR", 3803);
	add_number(t, NT, "CurrentMajorVersionNumber", 10);
	add_number(t, NT, "CurrentMinorVersionNumber", 0);
	add_number(t, NT, "InstallDate", 1600000000);
	add_text(t, NT "\\ProfileList\\" ZOE_ID, "ProfileImagePath",
		"%SystemDrive%\\Users\\Zoë");
	add_text(t, NT "\\ProfileList\\S-1-5-21-9-9-9-500", "ProfileImagePath",
		"C:\\Users\\bob.CORP");
	key_at(t, CURRENT "\\Component Based Servicing\\RebootPending");
	key_at(t, "Classes\\.txt");
	tree_save(t, f->dir, "SOFTWARE");
}

static void make_system(const struct fixture *f)
{
	static const uint8_t shutdown[8] = {0x00, 0x6f, 0x9f, 0x54, 0x3b, 0x89, 0xd6, 0x01};
	struct tree *t = tree_new();

	add_number(t, "Select", "Current", 2);
	add_text(t, "ControlSet001\\Control", "Which", "the first");
	add_text(t, "ControlSet002\\Control", "Which", "the second");
	add_text(t, "ControlSet002\\Control\\TimeZoneInformation", "TimeZoneKeyName",
		"W. Europe Standard Time");
	add_value(t, "ControlSet002\\Control\\Windows", "ShutdownTime", SV_REG_BINARY, shutdown,
		sizeof shutdown);
	add_value(t, "ControlSet002\\Control\\Session Manager", "PendingFileRenameOperations",
		SV_REG_MULTI_SZ, "a\0\0\0b\0\0\0\0\0", 10);
	key_at(t, "ControlSet002\\Services\\Dhcp");
	key_at(t, "ControlSet002\\Services\\Tcpip");
	tree_save(t, f->dir, "SYSTEM");
}

static void make_sam(const struct fixture *f)
{
	static const uint8_t domain[16] = {0xEE, 0xEE, 0xEE, 0xEE, 1, 0, 0, 0, 2, 0, 0, 0, 3};
	struct tree *t = tree_new();

	add_value(t, "SAM\\Domains\\Account", "V", SV_REG_BINARY, domain, sizeof domain);
	add_value(t, "SAM\\Domains\\Account\\Users\\Names\\Administrator", "", 500, "", 0);
	add_value(t, "SAM\\Domains\\Account\\Users\\Names\\zoe", "", 1001, "", 0);
	tree_save(t, f->dir, "SAM");
}

static void make_ntuser(const struct fixture *f)
{
	struct tree *t = tree_new();

	add_text(t, "Software\\Acme", "Colour", "green");
	tree_save(t, f->dir, "NTUSER.DAT");
}

static struct sv_guest *machine(struct fixture *f)
{
	disk_fixture(f);
	make_software(f);
	make_system(f);
	make_sam(f);
	make_ntuser(f);
	make_disk(f, "dos");
	return open_guest(f);
}

static void tells_what_windows_knows_of_itself(void **state)
{
	struct fixture f;
	struct sv_guest *g = machine(&f);
	const struct sv_guest_os *os = sv_guest_system(g, 0);

	(void)state;
	assert_ptr_equal(os, &g->os);
	assert_null(sv_guest_system(g, 1));
	assert_string_equal(os->product, "Windows 10 Pro");
	assert_string_equal(os->edition, "Professional");
	assert_string_equal(os->display_version, "22H2");
	assert_string_equal(os->version, "10.0.19045.3803");
	assert_int_equal(os->build, 19045);
	assert_int_equal(os->ubr, 3803);
	assert_string_equal(os->time_zone, "W. Europe Standard Time");
	assert_int_equal(os->installed.sec, 1600000000);
	assert_int_equal(os->last_shutdown.sec, 1599939096);
	assert_int_equal(os->services, 2);
	assert_string_equal(os->pending_reboot,
		"parts of Windows are to be installed or removed; files are to be replaced or "
		"deleted");
	assert_int_equal(os->volume, 1);
	assert_int_equal(os->letter, 'C');
	sv_guest_close(g);
	fixture_free(&f);
}

static const struct sv_guest_user *user(const struct sv_guest_os *os, const char *name)
{
	for (size_t i = 0; i < os->n_users; i++) {
		if (!strcmp(os->users[i].name, name))
			return &os->users[i];
	}
	fail_msg("there is no user %s", name);
	return NULL;
}

static void joins_accounts_and_profiles(void **state)
{
	struct fixture f;
	struct sv_guest *g = machine(&f);

	(void)state;
	assert_int_equal(g->os.n_users, 3);
	assert_string_equal(user(&g->os, "zoe")->id, ZOE_ID);
	assert_string_equal(user(&g->os, "zoe")->home, "%SystemDrive%\\Users\\Zoë");
	assert_string_equal(user(&g->os, "Administrator")->id, "S-1-5-21-1-2-3-500");
	assert_string_equal(user(&g->os, "Administrator")->home, "");
	assert_string_equal(user(&g->os, "bob.CORP")->id, "S-1-5-21-9-9-9-500");
	sv_guest_close(g);
	fixture_free(&f);
}

/* The key is there under this name, and a string of it is this. */
static void finds(struct sv_registry *r, const char *path, const char *full, const char *value,
	const char *text)
{
	sv_autoregkey struct sv_registry_key k = {0};
	struct sv_err err = SV_ERR_INIT;
	sv_autofree char *found = NULL;

	assert_ok(sv_registry_find(r, path, &k, &err));
	assert_string_equal(k.path, full);
	if (!value)
		return;
	found = sv_hive_string(k.hive, k.key, value, &err);
	assert_non_null(found);
	assert_string_equal(found, text);
}

static void lacks(struct sv_registry *r, const char *path, const char *message)
{
	sv_autoregkey struct sv_registry_key k = {0};
	struct sv_err err = SV_ERR_INIT;

	assert_fails(sv_registry_find(r, path, &k, &err), SV_NOTFOUND, UINT64_MAX);
	if (!strstr(err.message, message))
		fail_msg("%s: %s", path, err.message);
	assert_true(err.hint[0] || strstr(message, "no key"));
}

static void finds_keys_by_the_names_that_people_use(void **state)
{
	struct fixture f;
	struct sv_guest *g = machine(&f);
	struct sv_registry *r = NULL;
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	assert_ok(sv_registry_open(g, 0, NULL, &r, &err));
	finds(r, "hklm\\software\\microsoft\\WINDOWS NT\\currentversion",
		"HKEY_LOCAL_MACHINE\\SOFTWARE\\" NT, "EditionID", "Professional");
	finds(r, "HKEY_LOCAL_MACHINE/SYSTEM/ControlSet001/Control",
		"HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control", "Which", "the first");
	finds(r, "Computer\\HKLM\\SYSTEM\\currentcontrolset\\control\\",
		"HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control", "Which",
		"the second");
	finds(r, "HKU\\ZOE\\software\\acme", "HKEY_USERS\\" ZOE_ID "\\Software\\Acme", "Colour",
		"green");
	finds(r, "HKU\\" ZOE_ID, "HKEY_USERS\\" ZOE_ID, NULL, NULL);
	finds(r, "HKCU\\Software\\Acme", "HKEY_USERS\\" ZOE_ID "\\Software\\Acme", "Colour",
		"green");
	finds(r, "HKCR\\.txt", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\.txt", NULL, NULL);
	finds(r, "HKLM", "HKEY_LOCAL_MACHINE", NULL, NULL);
	lacks(r, "HKLM\\SOFTWARE\\Nothing",
		"no key 'Nothing' in 'HKEY_LOCAL_MACHINE\\SOFTWARE'");
	lacks(r, "HKLM\\HARDWARE\\X", "no hive");
	lacks(r, "HKU\\nobody", "no hive");
	lacks(r, "SOFTWARE", "no root");
	sv_registry_close(r);
	sv_guest_close(g);
	fixture_free(&f);
}

static void lists_the_hives_with_their_users(void **state)
{
	struct fixture f;
	struct sv_guest *g = machine(&f);
	const struct sv_registry_mount *m;
	struct sv_err err = SV_ERR_INIT;
	struct sv_registry *r = NULL;
	size_t n = 0;

	(void)state;
	assert_ok(sv_registry_open(g, 0, NULL, &r, &err));
	assert_ok(sv_registry_mounts(r, &m, &n, &err));
	assert_int_equal(n, 4); /* SAM SOFTWARE SYSTEM, and Zoë's */
	assert_string_equal(m[0].path, "HKEY_LOCAL_MACHINE\\SAM");
	assert_string_equal(m[0].file, "/Windows/System32/config/SAM");
	assert_string_equal(m[0].user, "");
	assert_string_equal(m[3].path, "HKEY_USERS\\" ZOE_ID);
	assert_string_equal(m[3].file, "/Users/Zoë/NTUSER.DAT");
	assert_string_equal(m[3].user, "zoe");
	sv_registry_close(r);
	sv_guest_close(g);
	fixture_free(&f);
}

static void knows_a_second_windows_on_another_volume(void **state)
{
	struct sv_registry *r = NULL;
	struct sv_err err = SV_ERR_INIT;
	struct sv_guest *g;
	struct fixture f;

	(void)state;
	disk_fixture(&f);
	make_software(&f);
	make_system(&f);
	assert_int_equal(
		run("cd '%s' && mv SOFTWARE OTHER-SOFTWARE && mv SYSTEM OTHER-SYSTEM", f.dir),
		0);
	make_software(&f);
	make_system(&f);
	make_disk(&f, "dos");
	g = open_guest(&f);
	assert_int_equal(g->system_volume, 0);
	assert_int_equal(g->n_others, 1);
	assert_int_equal(sv_guest_system(g, 1)->volume, 1);
	assert_string_equal(sv_guest_system(g, 1)->edition, "Professional");
	assert_int_equal(sv_guest_system(g, 1)->letter, 'C');
	assert_null(sv_guest_system(g, 2));
	assert_ok(sv_registry_open(g, 1, NULL, &r, &err));
	finds(r, "HKLM\\SYSTEM\\CurrentControlSet\\Control",
		"HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control", "Which",
		"the second");
	sv_registry_close(r);
	sv_guest_close(g);
	fixture_free(&f);
}

static void names_the_root_of_a_hive_by_its_file(void **state)
{
	static const char *const known[][2] = {
		{"/Windows/System32/config/software", "HKEY_LOCAL_MACHINE\\software"},
		{"ntuser.dat", "HKEY_CURRENT_USER"},
		{"/x/UsrClass.dat", "HKEY_CURRENT_USER\\Software\\Classes"},
		{"DEFAULT", "HKEY_USERS\\.DEFAULT"}};
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++) {
		sv_autofree char *top = sv_registry_top_of_file(known[i][0], &err);

		assert_string_equal(top, known[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_windows_knows_of_itself),
		cmocka_unit_test(joins_accounts_and_profiles),
		cmocka_unit_test(finds_keys_by_the_names_that_people_use),
		cmocka_unit_test(lists_the_hives_with_their_users),
		cmocka_unit_test(knows_a_second_windows_on_another_volume),
		cmocka_unit_test(names_the_root_of_a_hive_by_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
