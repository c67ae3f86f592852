/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Software of a Windows on a disk: programs of the machine and of a user, packages, updates. */
#include "disk.h"
#include "hives.h"

#include "guest/apps.h"

#define CURRENT  "Microsoft\\Windows\\CurrentVersion"
#define NT       "Microsoft\\Windows NT\\CurrentVersion"
#define STORE    CURRENT "\\Appx\\AppxAllUserStore"
#define PACKAGES CURRENT "\\Component Based Servicing\\Packages"
#define ZOE_ID   "S-1-5-21-1-2-3-1001"

static void add_program(struct tree *t, const char *key, const char *name, const char *version,
	const char *publisher, const char *date)
{
	add_text(t, key, "DisplayName", name);
	add_text(t, key, "DisplayVersion", version);
	add_text(t, key, "Publisher", publisher);
	add_text(t, key, "InstallDate", date);
}

static void add_update(struct tree *t, const char *key, uint32_t state)
{
	add_number(t, key, "CurrentState", state);
	add_number(t, key, "InstallTimeHigh", 0x01d6893b);
	add_number(t, key, "InstallTimeLow", 0x549f6f00);
}

static void make_software(const struct fixture *f)
{
	struct tree *t = tree_new();

	add_text(t, NT, "ProductName", "Windows 10 Pro");
	add_text(t, NT, "SystemRoot", "C:\\Windows");
	add_text(t, NT "\\ProfileList\\" ZOE_ID, "ProfileImagePath", "C:\\Users\\Zoë");
	add_program(t, CURRENT "\\Uninstall\\Zip", "Zip", "22.01", "I. P.", "20200912");
	key_at(t, CURRENT "\\Uninstall\\NoName");
	add_program(t, "Wow6432Node\\" CURRENT "\\Uninstall\\{1}", "Old", "1.0", "", "9/12/20");
	key_at(t, STORE "\\Applications\\Contoso.App_1.2.3.4_x64__abcdefgh12345");
	key_at(t, STORE "\\Applications\\Microsoft.Calc_10.0.1.0_neutral_~_8wekyb3d8bbwe");
	key_at(t, STORE "\\InboxApplications\\Microsoft.Calc_10.0.1.0_neutral_~_8wekyb3d8bbwe");
	key_at(t, STORE "\\Applications\\no package");
	add_update(t, PACKAGES "\\Package_for_KB500~31bf3856ad364e35~amd64~~19041.1.1.5", 112);
	add_update(t, PACKAGES "\\Package_for_KB501~31bf3856ad364e35~amd64~~1.1.1.1", 80);
	add_update(t, PACKAGES "\\Package_for_KB500_RTM~31bf3856ad364e35~amd64~~1.0", 112);
	add_update(t, PACKAGES "\\Some-Part~31bf3856ad364e35~amd64~~10.0", 112);
	tree_save(t, f->dir, "SOFTWARE");
}

static void make_system(const struct fixture *f)
{
	struct tree *t = tree_new();

	add_number(t, "Select", "Current", 1);
	add_text(t, "ControlSet001\\Control\\Session Manager\\Environment",
		"PROCESSOR_ARCHITECTURE", "AMD64");
	tree_save(t, f->dir, "SYSTEM");
}

static void make_ntuser(const struct fixture *f)
{
	struct tree *t = tree_new();

	add_program(t, "Software\\" CURRENT "\\Uninstall\\Chat", "Chat", "5", "Chat Inc", "");
	tree_save(t, f->dir, "NTUSER.DAT");
}

struct notes {
	struct sv_str text;
	unsigned n, stop_at;
};

static int note_app(void *user, const struct sv_guest_app *app)
{
	struct notes *notes = user;

	assert_int_equal(app->system, 0);
	sv_str_addf(&notes->text, "%s|%s|%s|%s|%s|%s|%s\n", app->name, app->version,
		app->publisher, app->installed, app->source, app->arch, app->user);
	return ++notes->n == notes->stop_at ? 7 : 0;
}

static struct sv_guest *machine(struct fixture *f)
{
	disk_fixture(f);
	make_software(f);
	make_system(f);
	make_ntuser(f);
	make_disk(f, "dos");
	return open_guest(f);
}

static void lists_programs_packages_and_updates(void **state)
{
	struct fixture f;
	struct sv_guest *g = machine(&f);
	struct sv_err err = SV_ERR_INIT;
	struct notes notes = {.n = 0};

	(void)state;
	assert_ok(sv_guest_apps(g, note_app, &notes, NULL, &err));
	assert_string_equal(notes.text.data,
		"Zip|22.01|I. P.|2020-09-12|uninstall|x86_64|\n"
		"Old|1.0|||uninstall|x86|\n"
		"Chat|5|Chat Inc||uninstall||Zoë\n"
		"Contoso.App|1.2.3.4|||appx|x86_64|\n"
		"Microsoft.Calc|10.0.1.0|Microsoft Corporation||appx|neutral|\n"
		"KB500|19041.1.1.5|Microsoft Corporation|2020-09-12T19:31:36Z|update|x86_64|\n");
	sv_str_free(&notes.text);
	memset(&notes, 0, sizeof notes);
	notes.stop_at = 2;
	assert_int_equal(sv_guest_apps(g, note_app, &notes, NULL, &err), 7);
	assert_int_equal(notes.n, 2);
	sv_str_free(&notes.text);
	sv_guest_close(g);
	fixture_free(&f);
}

static void note(void *user, const char *text)
{
	sv_str_addf(user, "%s\n", text);
}

static void tells_damage_and_lists_the_rest(void **state)
{
	struct sv_str said = {0};
	struct sv_job job = {.note = note, .user = &said};
	struct sv_err err = SV_ERR_INIT;
	struct notes notes = {.n = 0};
	struct sv_guest *g;
	struct fixture f;

	(void)state;
	disk_fixture(&f);
	make_software(&f);
	make_system(&f);
	make_ntuser(&f);
	assert_int_equal(run("cd '%s' && head -c 6000 /dev/zero >NTUSER.DAT", f.dir), 0);
	make_disk(&f, "dos");
	g = open_guest(&f);
	assert_fails(sv_guest_apps(g, note_app, &notes, &job, &err), SV_CORRUPT, UINT64_MAX);
	assert_int_equal(notes.n, 5);
	assert_non_null(strstr(said.data, "NTUSER.DAT: no registry hive"));
	sv_str_free(&said);
	sv_str_free(&notes.text);
	sv_guest_close(g);
	fixture_free(&f);
}

static void refuses_a_machine_without_a_known_system(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = sv_sparse_open(1 << 20, 1 << 20, "empty", &err);
	struct sv_guest *g = NULL;
	struct notes notes = {.n = 0};

	(void)state;
	assert_ok(sv_guest_open(&dev, 1, NULL, &g, &err));
	assert_fails(
		sv_guest_apps(g, note_app, &notes, NULL, &err), SV_UNSUPPORTED, UINT64_MAX);
	sv_guest_close(g);
	sv_dev_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_programs_packages_and_updates),
		cmocka_unit_test(tells_damage_and_lists_the_rest),
		cmocka_unit_test(refuses_a_machine_without_a_known_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
