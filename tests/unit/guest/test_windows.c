/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a guest's registry tells: from hives that are built here, and from real ones. */
#include "disk.h"

#include "hive/build.h"

/* ---- hives ---- */

struct node {
	uint32_t cell, children[8];
	uint16_t n;
};

static void add_child(struct build *b, struct node *parent, struct node *ret, const char *name)
{
	*ret = (struct node){.cell = put_key(b, parent->cell, name)};
	parent->children[parent->n++] = ret->cell;
}

static void end_node(struct build *b, const struct node *n)
{
	if (n->n)
		set_subkeys(b, n->cell, put_list(b, "lf", n->children, n->n), n->n);
}

/* A chain of keys below `top`; the last one is to hold values. */
static uint32_t add_chain(struct build *b, struct node *top, const char *const *names, size_t n)
{
	struct node chain[8];
	struct node *parent = top;

	for (size_t i = 0; i < n; i++) {
		add_child(b, parent, &chain[i], names[i]);
		parent = &chain[i];
	}
	for (size_t i = 0; i < n; i++)
		end_node(b, &chain[i]);
	return chain[n - 1].cell;
}

static uint32_t put_text(struct build *b, const char *name, const char *text)
{
	uint8_t units[256] = {0};
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		units[2 * i] = (uint8_t)text[i];
	return put_value(b, name, 1, units, (uint32_t)(2 * n + 2));
}

static uint32_t put_dword(struct build *b, const char *name, uint32_t word)
{
	word = htole32(word);
	return put_value(b, name, 4, &word, 4);
}

static void set_one(struct build *b, uint32_t key, uint32_t value)
{
	set_values(b, key, &value, 1);
}

static void save(const struct fixture *f, struct build *b, const char *name)
{
	struct sv_err err = SV_ERR_INIT;
	char path[128];

	build_end(b);
	seal(b);
	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	assert_ok(sv_host_write_file(sv_host_posix(), path, b->bytes, sizeof b->bytes, &err));
	free(b);
}

static const uint8_t mbr_c[12] = {0x3e, 0xa0, 0xbe, 0x5c, 0, 0, 0x10, 1}; /* at 17 MiB */
static const uint8_t mbr_none[12] = {0x3e, 0xa0, 0xbe, 0x5c, 0, 2, 0x10}; /* nowhere */
static const uint8_t gpt_c[24] = {'D', 'M', 'I', 'O', ':', 'I', 'D', ':', 0x3c, 0x2d, 0x1e,
	0x0f, 0x5a, 0x4b, 0x78, 0x69, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0};

/* The second control set is the current one; the first one lies. */
static void make_system(const struct fixture *f, const uint8_t *c, uint32_t c_size)
{
	static const char *const env[] = {"Session Manager", "Environment"};
	static const char *const tcp[] = {"Services", "Tcpip", "Parameters"};
	struct build *b = build_new();
	struct node root = {.cell = b->root}, set1, set2, control, mounted, chosen;
	uint32_t values[4];

	add_child(b, &root, &set1, "ControlSet001");
	add_child(b, &root, &set2, "ControlSet002");
	add_child(b, &root, &mounted, "MountedDevices");
	add_child(b, &root, &chosen, "Select");
	set_one(b, add_chain(b, &set1, tcp, 3), put_text(b, "Hostname", "LIAR"));
	add_child(b, &set2, &control, "Control");
	set_one(b, add_chain(b, &control, env, 2),
		put_text(b, "PROCESSOR_ARCHITECTURE", "AMD64"));
	set_one(b, add_chain(b, &set2, tcp, 3), put_text(b, "Hostname", "desk-7"));
	values[0] = put_value(b, "\\DosDevices\\C:", 3, c, c_size);
	values[1] = put_value(b, "\\DosDevices\\D:", 3, mbr_none, sizeof mbr_none);
	values[2] = put_value(b, "\\??\\Volume{1}", 3, c, c_size);
	values[3] = put_value(b, "\\DosDevices\\E:", 3, "_??_USBSTOR", 11);
	set_values(b, mounted.cell, values, 4);
	set_one(b, chosen.cell, put_dword(b, "Current", 2));
	end_node(b, &control);
	end_node(b, &set1);
	end_node(b, &set2);
	end_node(b, &root);
	save(f, b, "SYSTEM");
}

static void make_software(const struct fixture *f, const char *product, const char *build,
	bool new_style, const char *system_root)
{
	static const char *const current[] = {"Microsoft", "Windows NT", "CurrentVersion"};
	struct build *b = build_new();
	struct node root = {.cell = b->root};
	uint32_t key = add_chain(b, &root, current, 3), values[8], n = 0;

	values[n++] = put_text(b, "ProductName", product);
	values[n++] = put_text(b, "CurrentBuildNumber", build);
	values[n++] = put_text(b, "CurrentVersion", new_style ? "6.3" : "6.1");
	values[n++] = put_text(b, "SystemRoot", system_root);
	if (new_style) {
		values[n++] = put_dword(b, "CurrentMajorVersionNumber", 10);
		values[n++] = put_dword(b, "CurrentMinorVersionNumber", 0);
	}
	set_values(b, key, values, n);
	end_node(b, &root);
	save(f, b, "SOFTWARE");
}

/* ---- tests ---- */

static void knows_windows_on_an_mbr_disk(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_guest *g;
	struct fixture f;
	size_t volume = 99;
	char *path;

	(void)state;
	disk_fixture(&f);
	make_system(&f, mbr_c, sizeof mbr_c);
	make_software(&f, "Windows 7 Ultimate", "7601", false, "C:\\Windows");
	make_disk(&f, "dos");
	g = open_guest(&f);
	assert_string_equal(g->os.family, "windows");
	assert_string_equal(g->os.product, "Windows 7 Ultimate");
	assert_string_equal(g->os.version, "6.1.7601");
	assert_string_equal(g->os.arch, "x86_64");
	assert_string_equal(g->os.hostname, "desk-7");
	assert_int_equal(g->system_volume, 1);
	assert_int_equal(g->volumes[1].letter, 'C');
	assert_string_equal(g->volumes[1].mount, "C:");
	assert_int_equal(g->volumes[0].letter, 0);
	assert_string_equal(g->volumes[0].mount, "");
	assert_ok(sv_guest_find_volume(g, "c", &volume, &err));
	assert_int_equal(volume, 1);
	assert_ok(sv_guest_resolve(g, "c:\\Users\\Zoë", &volume, &path, &err));
	assert_int_equal(volume, 1);
	assert_string_equal(path, "/Users/Zoë");
	free(path);
	assert_fails(sv_guest_find_volume(g, "D:", &volume, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.hint, "C: (@disk0p2)"));
	sv_guest_close(g);
	fixture_free(&f);
}

static void knows_windows_11_on_a_gpt_disk(void **state)
{
	struct sv_guest *g;
	struct fixture f;

	(void)state;
	disk_fixture(&f);
	make_system(&f, gpt_c, sizeof gpt_c);
	make_software(&f, "Windows 10 Pro", "22631", true, "D:\\Windows");
	make_disk(&f, "gpt");
	g = open_guest(&f);
	assert_string_equal(g->os.product, "Windows 11 Pro");
	assert_string_equal(g->os.version, "10.0.22631");
	assert_int_equal(g->volumes[1].letter, 'C'); /* by its GUID */
	sv_guest_close(g);
	fixture_free(&f);
}

/* The disk has got another signature: only SystemRoot still tells the letter. */
static void falls_back_to_the_letter_of_system_root(void **state)
{
	struct sv_guest *g;
	struct fixture f;

	(void)state;
	disk_fixture(&f);
	make_system(&f, mbr_none, sizeof mbr_none);
	make_software(&f, "Windows 10 Home", "19045", true, "d:\\Windows");
	make_disk(&f, "dos");
	g = open_guest(&f);
	assert_string_equal(g->os.product, "Windows 10 Home");
	assert_int_equal(g->volumes[1].letter, 'D');
	assert_string_equal(g->volumes[1].mount, "D:");
	sv_guest_close(g);
	fixture_free(&f);
}

static void note(void *user, const char *text)
{
	sv_str_addf(user, "%s\n", text);
}

static void broken_hives_are_noted_and_stop_nothing(void **state)
{
	struct sv_str notes = {0};
	struct sv_job job = {.note = note, .user = &notes};
	struct sv_err err = SV_ERR_INIT;
	struct sv_guest *g = NULL;
	struct sv_dev *dev;
	struct fixture f;

	(void)state;
	disk_fixture(&f);
	make_disk(&f, "dos"); /* both hives hold "none" */
	dev = fixture_open(&f, false);
	assert_ok(sv_guest_open(&dev, 1, &job, &g, &err));
	assert_int_equal(g->system_volume, 1);
	assert_string_equal(g->os.family, "windows");
	assert_string_equal(g->os.product, "");
	assert_int_equal(g->volumes[1].letter, 0);
	assert_non_null(strstr(notes.data, "config/SYSTEM cannot be read"));
	assert_non_null(strstr(notes.data, "config/SOFTWARE cannot be read"));
	sv_guest_close(g);
	sv_dev_close(dev);
	sv_str_free(&notes);
	fixture_free(&f);
}

/* ---- real hives, where SHAREVM_CORPUS names a folder with the corpus ---- */

static void assert_fact(
	const char *corpus, const char *file, const char *key, const char *found)
{
	assert_int_equal(run("awk -F'\\t' '$1 == \"%s\" && $4 == \"%s\" && $5 == \"%s\" "
			     "{ n++ } END { exit !n }' '%s/EXPECTED.tsv'",
				 file, key, found, corpus),
		0);
}

static void reads_the_facts_of_real_hives(void **state)
{
	const char *corpus = getenv("SHAREVM_CORPUS");
	struct sv_guest *g;
	struct fixture f;

	(void)state;
	if (!corpus || run("test -f '%s/plaso/SYSTEM.xz'", corpus) != 0) {
		print_message("skip: no corpus folder (SHAREVM_CORPUS)\n");
		skip();
	}
	disk_fixture(&f);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "SYSTEM" : "SOFTWARE";

		assert_int_equal(
			run("xz -dc '%s/plaso/%s.xz' >'%s/%s'", corpus, name, f.dir, name), 0);
	}
	make_disk(&f, "dos");
	g = open_guest(&f);
	assert_fact(corpus, "plaso/SOFTWARE", "os.ProductName", g->os.product);
	assert_fact(corpus, "plaso/SYSTEM", "system.hostname", g->os.hostname);
	assert_fact(corpus, "plaso/SYSTEM", "system.arch", g->os.arch);
	assert_string_equal(g->os.version, "6.1.7601");
	/* that machine's C: began at 1 MiB, where this disk has its first partition */
	assert_int_equal(g->volumes[0].letter, 'C');
	assert_int_equal(g->volumes[1].letter, 0);
	sv_guest_close(g);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_windows_on_an_mbr_disk),
		cmocka_unit_test(knows_windows_11_on_a_gpt_disk),
		cmocka_unit_test(falls_back_to_the_letter_of_system_root),
		cmocka_unit_test(broken_hives_are_noted_and_stop_nothing),
		cmocka_unit_test(reads_the_facts_of_real_hives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
