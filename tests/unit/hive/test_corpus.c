/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Real hives of Windows XP and 7: every key and every value as hivex reads them, and the facts
 * that EXPECTED.tsv tells. Our reading is written down in the words of hivexml and compared
 * whole. The judge first: hivexml has to reject a hive with a bad checksum.
 */
#include "corpus.h"

#include "base/num.h"
#include "fs/fs.h"
#include "hive/regf.h"

#include <jansson.h>

enum { KEYS_DEEP = 512 }; /* as Windows allows */

struct open_hive {
	const struct corpus *c;
	const char *file;
	struct sv_hive *h;
	sv_hive_key root;
	void *bytes;
	size_t n;
};

static struct open_hive open_hive(const struct corpus *c, const char *file)
{
	struct open_hive o = {.c = c, .file = file};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev;

	o.bytes = corpus_file(c, file, &o.n);
	dev = sv_mem_open(o.bytes, o.n, false, file, &err);
	assert_non_null(dev);
	assert_ok(sv_hive_open(dev, NULL, &o.h, &err));
	sv_dev_close(dev);
	assert_ok(sv_hive_root(o.h, &o.root, &err));
	return o;
}

static void close_hive(struct open_hive *o)
{
	sv_hive_close(o->h);
	free(o->bytes);
}

static void assert_fact(const struct open_hive *o, const char *key, const char *found)
{
	sv_autofree char *expected = corpus_fact(o->c, o->file, key);

	assert_string_equal(found, expected);
}

static void assert_number(const struct open_hive *o, const char *key, unsigned long found)
{
	sv_autofree char *expected = corpus_fact(o->c, o->file, key);

	assert_int_equal(found, strtoul(expected, NULL, 10));
}

/* ---- the whole hive, in the words of hivexml ---- */

struct dump {
	struct sv_hive *h;
	struct sv_err err;
	struct sv_str xml;
	unsigned long keys, values;
	unsigned depth;
};

static void add_escaped(struct sv_str *s, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			sv_str_add(s, "&amp;");
		else if (*text == '<')
			sv_str_add(s, "&lt;");
		else if (*text == '>')
			sv_str_add(s, "&gt;");
		else if (*text == '"')
			sv_str_add(s, "&quot;");
		else if (*text == '\r' || *text == '\n' || *text == '\t')
			sv_str_addf(s, "&#%d;", *text);
		else
			sv_str_addn(s, text, 1);
	}
}

static void add_base64(struct sv_str *s, const uint8_t *bytes, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t b = (uint32_t)bytes[i] << 16 |
			     (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
			     (i + 2 < n ? bytes[i + 2] : 0);
		char four[4] = {digits[b >> 18], digits[b >> 12 & 63], digits[b >> 6 & 63],
			digits[b & 63]};

		if (i && i % 54 == 0)
			sv_str_add(s, "\r\n");
		if (i + 2 >= n)
			four[3] = '=';
		if (i + 1 >= n)
			four[2] = '=';
		sv_str_addn(s, four, 4);
	}
}

static size_t units_before_nul(const uint8_t *data, size_t n)
{
	size_t units = 0;

	while (2 * units + 1 < n && sv_load_le16(data + 2 * units))
		units++;
	return units;
}

static void add_text(struct sv_str *s, const uint8_t *data, size_t n)
{
	sv_autofree char *text = sv_utf16_to_utf8(data, units_before_nul(data, n), NULL);

	add_escaped(s, text);
}

static void add_strings(struct sv_str *s, const uint8_t *data, size_t n)
{
	sv_str_add(s, ">");
	while (n) {
		size_t step = SV_MIN(2 * units_before_nul(data, n) + 2, n);

		sv_str_add(s, "<string>");
		add_text(s, data, n);
		sv_str_add(s, "</string>");
		data += step;
		n -= step;
	}
	sv_str_add(s, "</value>");
}

static const char *const type_names[] = {"none", "string", "expand", "binary", "int32", "int32",
	"link", "string-list", "resource-list", "resource-description", "resource-requirements",
	"int64"};

static bool is_base64(uint32_t type)
{
	return type == SV_REG_NONE || type == SV_REG_BINARY || (type >= 8 && type <= 10);
}

static int dump_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	struct dump *d = user;
	struct sv_str *s = &d->xml;

	d->values++;
	assert_true(type < SV_ARRAY_LEN(type_names));
	sv_str_addf(s, "<value type=\"%s\"%s ", type_names[type],
		is_base64(type) ? " encoding=\"base64\"" : "");
	sv_str_add(s, *name ? "key=\"" : "default=\"1");
	add_escaped(s, name);
	sv_str_add(s, "\"");
	if (type == SV_REG_MULTI_SZ && n) {
		add_strings(s, data, n);
		return 0;
	}
	if ((type == SV_REG_NONE || type == SV_REG_MULTI_SZ) && !n) {
		sv_str_add(s, "/>");
		return 0;
	}
	sv_str_add(s, " value=\"");
	if (type == SV_REG_DWORD)
		sv_str_addf(s, "%d", (int32_t)sv_load_le32(data));
	else if (type == SV_REG_QWORD)
		sv_str_addf(s, "%lld", (long long)sv_load_le64(data));
	else if (is_base64(type))
		add_base64(s, data, n);
	else
		add_text(s, data, n);
	sv_str_add(s, "\"/>");
	return 0;
}

static int dump_key(void *user, const char *name, sv_hive_key key)
{
	struct dump *d = user;

	d->keys++;
	assert_true(d->depth++ < KEYS_DEEP);
	sv_str_add(&d->xml, "<node name=\"");
	add_escaped(&d->xml, name);
	sv_str_add(&d->xml, d->depth == 1 ? "\" root=\"1\">" : "\">");
	if (sv_hive_values(d->h, key, dump_value, d, &d->err) < 0 ||
		sv_hive_subkeys(d->h, key, dump_key, d, &d->err) < 0)
		fail_msg(
			"offset 0x%llx: %s", (unsigned long long)d->err.offset, d->err.message);
	sv_str_add(&d->xml, "</node>");
	d->depth--;
	return 0;
}

/* Cuts every span from `from` to `to` out of xml, and puts `instead` there. */
static void cut(char *xml, const char *from, const char *to, const char *instead)
{
	char *in = xml, *out = xml;

	while (*in) {
		if (!sv_starts_with(in, from)) {
			*out++ = *in++;
			continue;
		}
		while (!sv_starts_with(in, to))
			in++;
		in += strlen(to);
		out = stpcpy(out, instead);
	}
	*out = 0;
}

/* Leaves out of hivexml's text what is about places and times. */
static void reduce(char *xml)
{
	cut(xml, "<?xml", "?>\n", "");
	cut(xml, "<mtime>", "</mtime>", "");
	cut(xml, "<byte_runs>", "</byte_runs>", "");
	cut(xml, "\"></value>", "</value>", "\"/>");
}

static char *hivexml(const void *bytes, size_t n, int *ret_status)
{
	char path[] = "/tmp/sharevm-hive-XXXXXX";
	int fd = mkstemp(path);
	sv_autofree char *command = sv_format("hivexml %s 2>/dev/null", path);
	size_t got;
	char *xml;
	FILE *f;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
	f = popen(command, "r");
	xml = corpus_slurp(f, &got);
	*ret_status = pclose(f);
	unlink(path);
	return xml;
}

/* Where two long texts part, with a little around it. */
static void assert_same_text(const char *ours, const char *theirs)
{
	size_t i = 0;

	while (ours[i] && ours[i] == theirs[i])
		i++;
	if (ours[i] != theirs[i])
		fail_msg("ours: %.200s\nhivexml: %.200s", ours + (i > 80 ? i - 80 : 0),
			theirs + (i > 80 ? i - 80 : 0));
}

static void compare_with_hivex(const struct open_hive *o)
{
	struct dump d = {.h = o->h};
	sv_autonode struct sv_regf_node root = {0};
	sv_autofree char *name = NULL, *theirs = NULL;
	int status;

	assert_int_equal(sv_regf_load_key(o->h, o->root, &root, &d.err), 0);
	name = sv_regf_name_text(&root.key.name);
	assert_fact(o, "hive.root", name);
	sv_str_add(&d.xml, "<hive>");
	dump_key(&d, name, o->root);
	sv_str_add(&d.xml, "</hive>\n");
	assert_number(o, "hive.keys", d.keys);
	assert_number(o, "hive.values", d.values);
	theirs = hivexml(o->bytes, o->n, &status);
	assert_int_equal(status, 0);
	assert_false(d.xml.failed);
	reduce(theirs);
	assert_same_text(d.xml.data, theirs);
	sv_str_free(&d.xml);
}

static void compare(const struct corpus *c, const char *file)
{
	struct open_hive o = open_hive(c, file);
	char text[64];

	snprintf(text, sizeof text, "1.%u", o.h->base.minor);
	assert_fact(&o, "hive.version", text);
	snprintf(text, sizeof text, "%u,%u", o.h->base.sequence1, o.h->base.sequence2);
	assert_fact(&o, "hive.sequence", text);
	assert_false(sv_hive_state(o.h)->dirty);
	assert_string_equal(sv_hive_state(o.h)->problem, "");
	compare_with_hivex(&o);
	close_hive(&o);
}

static void the_judge_rejects_a_bad_checksum(void **state)
{
	size_t n;
	sv_autofree uint8_t *bytes = corpus_file(*state, "plaso/NTUSER.DAT", &n);
	int status;

	bytes[508] ^= 1;
	free(hivexml(bytes, n, &status));
	assert_int_not_equal(status, 0);
}

static void reads_a_user_hive_of_windows_xp_as_hivex_does(void **state)
{
	compare(*state, "plaso/NTUSER.DAT");
}

static void reads_a_user_hive_of_windows_7_as_hivex_does(void **state)
{
	compare(*state, "plaso/NTUSER-WIN7.DAT");
}

static void reads_system_as_hivex_does(void **state)
{
	compare(*state, "plaso/SYSTEM");
}

static void reads_software_as_hivex_does(void **state)
{
	compare(*state, "plaso/SOFTWARE");
}

/* ---- the walk, and everybody's rights ---- */

struct tour {
	struct sv_hive *h;
	unsigned long keys, values, names, ends;
	unsigned depth;
};

static int tour_key(void *user, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct tour *t = user;
	sv_autofree char *sddl = sv_hive_key_security(t->h, v->key, err);
	sv_autofree char *class_name = sv_hive_key_class(t->h, v->key, err);

	if (!sddl || !class_name)
		fail_msg("%s: offset 0x%llx: %s", v->name, (unsigned long long)err->offset,
			err->message);
	assert_true(sv_starts_with(sddl, "O:"));
	assert_true(v->depth <= t->depth + 1);
	assert_true(v->info.written.sec > 315532800); /* 1980 */
	t->depth = v->depth;
	t->keys++;
	return 0;
}

static int tour_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	(void)name, (void)type, (void)data, (void)n;
	((struct tour *)user)->values++;
	return 0;
}

static int tour_subkey(void *user, const char *name)
{
	(void)name;
	((struct tour *)user)->names++;
	return 0;
}

static int tour_done(void *user, const struct sv_hive_visit *v)
{
	(void)v;
	((struct tour *)user)->ends++;
	return 0;
}

static void walks_all_keys_with_their_rights(void **state)
{
	static const char *const files[] = {"plaso/NTUSER.DAT", "plaso/SYSTEM"};

	for (size_t i = 0; i < SV_ARRAY_LEN(files); i++) {
		struct open_hive o = open_hive(*state, files[i]);
		struct tour t = {.h = o.h};
		struct sv_hive_walk walk = {.key = tour_key,
			.value = tour_value,
			.subkey = tour_subkey,
			.done = tour_done,
			.recursive = true,
			.user = &t};
		struct sv_err err = SV_ERR_INIT;

		assert_ok(sv_hive_walk(o.h, o.root, &walk, &err));
		assert_number(&o, "hive.keys", t.keys);
		assert_number(&o, "hive.values", t.values);
		assert_int_equal(t.ends, t.keys);
		assert_int_equal(t.names, t.keys - 1);
		close_hive(&o);
	}
}

/* ---- upper case ---- */

/* $UpCase of a volume that Windows formatted is the table that its registry uses, too. */
static void knows_upper_case_as_windows_does(void **state)
{
	enum { UPCASE_FILE = 10, VOLUME_AT = 128 * 512 };
	size_t n, got = 0;
	sv_autofree uint8_t *disk = corpus_file(*state, "dfvfs/ntfs-fixed.vhd", &n);
	sv_autofree uint8_t *table = malloc(2 * 65536);
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev =
		sv_mem_open(disk + VOLUME_AT, n - VOLUME_AT, false, "volume", &err);
	struct sv_fs *fs = NULL;

	assert_ok(sv_fs_open(dev, &fs, &err));
	assert_ok(sv_fs_read(fs, UPCASE_FILE, NULL, table, 2 * 65536, 0, &got, &err));
	assert_int_equal(got, 2 * 65536);
	for (unsigned c = 0; c < 65536; c++) {
		if (sv_regf_upcase((uint16_t)c) != sv_load_le16(table + 2 * c))
			fail_msg("U+%04X: U+%04X, Windows has U+%04X", c,
				sv_regf_upcase((uint16_t)c), sv_load_le16(table + 2 * c));
	}
	sv_fs_close(fs);
	sv_dev_close(dev);
}

/* ---- facts ---- */

static sv_hive_key find(const struct open_hive *o, const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	sv_hive_key key = 0;

	assert_ok(sv_hive_find(o->h, o->root, path, &key, &err));
	return key;
}

static void assert_string(
	const struct open_hive *o, const char *path, const char *value, const char *fact)
{
	struct sv_err err = SV_ERR_INIT;
	sv_autofree char *text = sv_hive_string(o->h, find(o, path), value, &err);

	if (!text)
		fail_msg("%s: %s", path, err.message);
	assert_fact(o, fact, text);
}

static int count(void *user, const char *name, sv_hive_key key)
{
	(void)name;
	(void)key;
	++*(unsigned *)user;
	return 0;
}

static unsigned count_subkeys(const struct open_hive *o, const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	unsigned n = 0;

	assert_ok(sv_hive_subkeys(o->h, find(o, path), count, &n, &err));
	return n;
}

#define UNINSTALL "Microsoft\\Windows\\CurrentVersion\\Uninstall"

/* "uninstall.entry:PATH" with {"DisplayName": ..., ...}; null: there is no such value. */
static void assert_uninstall_entry(
	const struct open_hive *o, const char *path, const char *json)
{
	json_t *expected = json_loads(json, 0, NULL), *want;
	struct sv_err err = SV_ERR_INIT;
	const char *value;

	assert_non_null(expected);
	json_object_foreach(expected, value, want)
	{
		sv_autofree char *text = sv_hive_string(o->h, find(o, path), value, &err);

		if (json_is_null(want))
			assert_null(text);
		else
			assert_string_equal(text, json_string_value(want));
	}
	json_decref(expected);
}

static void tells_the_facts_of_software(void **state)
{
	static const char nt[] = "microsoft/windows nt/currentversion";
	static const char *const strings[] = {"ProductName", "CurrentVersion",
		"CurrentBuildNumber", "EditionID", "CSDVersion", "InstallationType",
		"RegisteredOwner", "SystemRoot", "BuildLabEx", "ProductId"};
	static const char entry[] = "uninstall.entry:";
	struct open_hive o = open_hive(*state, "plaso/SOFTWARE");
	struct sv_err err = SV_ERR_INIT;
	uint32_t installed = 0;
	unsigned n = 0;

	for (size_t i = 0; i < SV_ARRAY_LEN(strings); i++) {
		sv_autofree char *fact = sv_format("os.%s", strings[i]);

		assert_string(&o, nt, strings[i], fact);
	}
	assert_ok(sv_hive_dword(o.h, find(&o, nt), "InstallDate", &installed, &err));
	assert_number(&o, "os.InstallDate", installed);
	assert_number(&o, "uninstall.keys:" UNINSTALL, count_subkeys(&o, UNINSTALL));
	for (;; n++) {
		sv_autofree char *key = corpus_row(*state, o.file, entry, n, 3);
		sv_autofree char *json = corpus_row(*state, o.file, entry, n, 4);

		if (!key)
			break;
		assert_uninstall_entry(&o, key + strlen(entry), json);
	}
	assert_true(n > 40);
	close_hive(&o);
}

static void tells_the_facts_of_system(void **state)
{
	struct open_hive o = open_hive(*state, "plaso/SYSTEM");
	sv_hive_key select = find(&o, "Select");
	struct sv_err err = SV_ERR_INIT;
	uint32_t now = 0, usual = 0, good = 0;
	char text[64];

	assert_ok(sv_hive_dword(o.h, select, "Current", &now, &err));
	assert_ok(sv_hive_dword(o.h, select, "Default", &usual, &err));
	assert_ok(sv_hive_dword(o.h, select, "LastKnownGood", &good, &err));
	snprintf(text, sizeof text, "Current=%u Default=%u LastKnownGood=%u", now, usual, good);
	assert_fact(&o, "system.Select", text);
	assert_string(&o, "ControlSet001\\Control\\ComputerName\\ComputerName", "ComputerName",
		"system.computername");
	assert_string(
		&o, "CONTROLSET001/services/tcpip/parameters", "HOSTNAME", "system.hostname");
	assert_string(&o, "ControlSet001\\Control\\TimeZoneInformation", "TimeZoneKeyName",
		"system.tz");
	assert_string(&o, "ControlSet001\\Control\\Session Manager\\Environment",
		"PROCESSOR_ARCHITECTURE", "system.arch");
	assert_number(&o, "system.services", count_subkeys(&o, "ControlSet001\\services"));
	close_hive(&o);
}

int main(void)
{
	struct corpus c;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(the_judge_rejects_a_bad_checksum, &c),
		cmocka_unit_test_prestate(reads_a_user_hive_of_windows_xp_as_hivex_does, &c),
		cmocka_unit_test_prestate(reads_a_user_hive_of_windows_7_as_hivex_does, &c),
		cmocka_unit_test_prestate(reads_system_as_hivex_does, &c),
		cmocka_unit_test_prestate(reads_software_as_hivex_does, &c),
		cmocka_unit_test_prestate(walks_all_keys_with_their_rights, &c),
		cmocka_unit_test_prestate(knows_upper_case_as_windows_does, &c),
		cmocka_unit_test_prestate(tells_the_facts_of_software, &c),
		cmocka_unit_test_prestate(tells_the_facts_of_system, &c),
	};
	int failed;

	if (system("command -v hivexml >/dev/null")) {
		printf("skip: hivexml is not installed\n");
		return 77;
	}
	if (!corpus_begin(&c))
		return 77;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	corpus_end(&c);
	return failed;
}
