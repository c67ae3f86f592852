/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recognising Windows: the volume with its registry, what the registry says of the system, and
 * which letters it gave to the volumes.
 *
 * Letters stand in SYSTEM\MountedDevices: "\DosDevices\C:" is 12 bytes (signature of the MBR
 * disk, offset of the partition) or 24 bytes ("DMIO:ID:" and the GUID of the GPT partition).
 */
#include "guest/guest_private.h"
#include "guest/hive_file.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define CURRENT     "Microsoft\\Windows NT\\CurrentVersion"
#define DOS_DEVICES "\\DosDevices\\"
#define WIN11_BUILD 22000 /* its registry calls itself Windows 10 */

/* ---- the volume ---- */

static bool exists(struct sv_guest *g, size_t volume, const char *path)
{
	struct sv_fs *fs;
	uint64_t ino;

	return sv_guest_fs(g, volume, &fs, NULL) == 0 &&
	       sv_fs_lookup(fs, path, &ino, NULL) == 0;
}

/* Where the hives lie: the folder that set-up proposes, and the one of before XP. */
static const struct {
	const char *system, *software;
} places[] = {
	{"/Windows/System32/config/SYSTEM", "/Windows/System32/config/SOFTWARE"},
	{"/WINNT/system32/config/system", "/WINNT/system32/config/software"},
};

/* The first volume with both hives (Windows' recovery image has them inside a WIM only), and
 * which of the places; -1 where there is none. */
static int find_system_volume(struct sv_guest *g, size_t *ret_place)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (!g->volumes[i].readable || strcmp(g->volumes[i].type, "ntfs") != 0)
			continue;
		for (size_t p = 0; p < SV_ARRAY_LEN(places); p++) {
			if (exists(g, i, places[p].system) &&
				exists(g, i, places[p].software)) {
				*ret_place = p;
				return (int)i;
			}
		}
	}
	return -1;
}

/* ---- hives ---- */

static int open_hive(struct sv_guest *g, const char *path, struct sv_job *job,
	struct sv_hive **ret, struct sv_err *err)
{
	struct sv_fs *fs;

	if (sv_guest_fs(g, (size_t)g->system_volume, &fs, err) < 0)
		return -1;
	return sv_guest_hive_open(fs, path, job, ret, err);
}

/* Damage is told by a note; what is left are the errors that end everything. */
static int only_fatal(
	struct sv_job *job, const char *path, const struct sv_err *why, struct sv_err *err)
{
	if (why->code != SV_NOMEM && why->code != SV_CANCELLED) {
		sv_job_note(job, "the registry hive %s cannot be read: %s", path, why->message);
		return 0;
	}
	sv_err_copy(err, why);
	return -1;
}

/* A string below the root; *text stays as it is where there is none. */
static int take_string(
	struct sv_hive *h, const char *key, const char *value, char **text, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	sv_hive_key root, k;
	char *s = NULL;

	if (sv_hive_root(h, &root, &why) < 0 || sv_hive_find(h, root, key, &k, &why) < 0 ||
		!(s = sv_hive_string(h, k, value, &why))) {
		sv_err_copy(err, &why);
		return why.code == SV_NOMEM ? -1 : 0;
	}
	free(*text);
	*text = s;
	return 0;
}

static bool take_dword(struct sv_hive *h, const char *key, const char *value, uint32_t *ret)
{
	sv_hive_key root, k;

	return sv_hive_root(h, &root, NULL) == 0 && sv_hive_find(h, root, key, &k, NULL) == 0 &&
	       sv_hive_dword(h, k, value, ret, NULL) == 0;
}

/* ---- SOFTWARE: product and version ---- */

static int set_version(
	struct sv_guest_os *os, struct sv_hive *h, const char *build, struct sv_err *err)
{
	sv_autofree char *old = strdup("");
	uint32_t major, minor;

	if (!old || take_string(h, CURRENT, "CurrentVersion", &old, err) < 0)
		return old ? -1 : sv_fail_nomem(err);
	free(os->version);
	if (take_dword(h, CURRENT, "CurrentMajorVersionNumber", &major) &&
		take_dword(h, CURRENT, "CurrentMinorVersionNumber", &minor))
		os->version = sv_format("%u.%u.%s", major, minor, build);
	else
		os->version = sv_format("%s%s%s", old, old[0] && build[0] ? "." : "", build);
	return os->version ? 0 : sv_fail_nomem(err);
}

static int correct_product(struct sv_guest_os *os, const char *build, struct sv_err *err)
{
	static const char ten[] = "Windows 10";
	char *text;

	if (!sv_starts_with(os->product, ten) || strtoul(build, NULL, 10) < WIN11_BUILD)
		return 0;
	text = sv_format("Windows 11%s", os->product + strlen(ten));
	if (!text)
		return sv_fail_nomem(err);
	free(os->product);
	os->product = text;
	return 0;
}

static int read_software(
	struct sv_guest *g, struct sv_hive *h, char *ret_letter, struct sv_err *err)
{
	sv_autofree char *build = strdup("");
	sv_autofree char *root = strdup("");

	if (!build || !root)
		return sv_fail_nomem(err);
	if (take_string(h, CURRENT, "ProductName", &g->os.product, err) < 0 ||
		take_string(h, CURRENT, "CurrentBuildNumber", &build, err) < 0 ||
		take_string(h, CURRENT, "SystemRoot", &root, err) < 0 ||
		set_version(&g->os, h, build, err) < 0 ||
		correct_product(&g->os, build, err) < 0)
		return -1;
	if (isalpha((unsigned char)root[0]) && root[1] == ':')
		*ret_letter = (char)toupper((unsigned char)root[0]);
	return 0;
}

/* ---- SYSTEM: architecture, name, letters ---- */

static const char *arch_name(const char *windows)
{
	static const char *const names[][2] = {
		{"x86", "x86"}, {"AMD64", "x86_64"}, {"ARM64", "arm64"}, {"IA64", "ia64"}};

	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		if (!strcasecmp(windows, names[i][0]))
			return names[i][1];
	}
	return windows;
}

static int take_from_set(
	struct sv_hive *h, const char *key, const char *value, char **text, struct sv_err *err)
{
	uint32_t current = 1;
	sv_autofree char *path = NULL;

	take_dword(h, "Select", "Current", &current);
	path = sv_format("ControlSet%03u\\%s", current, key);
	return path ? take_string(h, path, value, text, err) : sv_fail_nomem(err);
}

static int read_names(struct sv_guest_os *os, struct sv_hive *h, struct sv_err *err)
{
	sv_autofree char *arch = strdup("");

	if (!arch)
		return sv_fail_nomem(err);
	if (take_from_set(h, "Control\\Session Manager\\Environment", "PROCESSOR_ARCHITECTURE",
		    &arch, err) < 0 ||
		take_from_set(h, "Control\\ComputerName\\ComputerName", "ComputerName",
			&os->hostname, err) < 0 ||
		take_from_set(
			h, "Services\\Tcpip\\Parameters", "Hostname", &os->hostname, err) < 0)
		return -1;
	return sv_guest_set_text(&os->arch, arch_name(arch), err);
}

/* Does a value of MountedDevices mean this volume? */
static bool is_mounted_as(const struct sv_guest *g, const struct sv_guest_volume *v,
	const uint8_t *data, size_t n)
{
	const struct sv_table *t = &g->disks[v->disk].table;
	const struct sv_partition *p = sv_table_find(t, v->number);

	if (!p)
		return false;
	if (n == 12)
		return t->kind == SV_TABLE_MBR && sv_load_le32(data) == t->mbr_signature &&
		       sv_load_le64(data + 4) == v->start;
	return n == 24 && t->kind == SV_TABLE_GPT && !memcmp(data, "DMIO:ID:", 8) &&
	       !memcmp(data + 8, p->guid, sizeof p->guid);
}

/* A clone of a disk may be there too: the letter is the first volume's that has none. */
static int take_letter(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	struct sv_guest *g = user;
	const char *letter = name + strlen(DOS_DEVICES);

	(void)type;
	if (strncasecmp(name, DOS_DEVICES, strlen(DOS_DEVICES)) != 0 ||
		!isalpha((unsigned char)letter[0]) || strcmp(letter + 1, ":") != 0)
		return 0;
	for (size_t i = 0; i < g->n_volumes; i++) {
		struct sv_guest_volume *v = &g->volumes[i];

		if (!v->letter && is_mounted_as(g, v, data, n)) {
			v->letter = (char)toupper((unsigned char)letter[0]);
			return 0;
		}
	}
	return 0;
}

static int read_system(struct sv_guest *g, struct sv_hive *h, struct sv_err *err)
{
	sv_hive_key root, key;

	if (sv_hive_root(h, &root, NULL) == 0 &&
		sv_hive_find(h, root, "MountedDevices", &key, NULL) == 0)
		sv_hive_values(h, key, take_letter, g, NULL);
	return read_names(&g->os, h, err);
}

/* ---- all of it ---- */

static bool letter_is_free(const struct sv_guest *g, char letter)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (g->volumes[i].letter == letter)
			return false;
	}
	return true;
}

static int set_mounts(struct sv_guest *g, struct sv_err *err)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		char text[] = {g->volumes[i].letter, ':', 0};

		if (text[0] && sv_guest_set_text(&g->volumes[i].mount, text, err) < 0)
			return -1;
	}
	return 0;
}

int sv_windows_detect(struct sv_guest *g, bool brief, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_hive_closep) struct sv_hive *system = NULL;
	SV_CLEANUP(sv_hive_closep) struct sv_hive *software = NULL;
	struct sv_err why = SV_ERR_INIT;
	struct sv_guest_volume *v;
	size_t place = 0;
	char letter = 0; /* of the system volume, as SystemRoot says */

	g->system_volume = find_system_volume(g, &place);
	if (g->system_volume < 0)
		return 0;
	v = &g->volumes[g->system_volume];
	if (sv_guest_set_text(&g->os.family, "windows", err) < 0)
		return -1;
	if ((open_hive(g, places[place].system, job, &system, &why) < 0 ||
		    read_system(g, system, &why) < 0) &&
		only_fatal(job, places[place].system, &why, err) < 0)
		return -1;
	if (brief && v->letter)
		return set_mounts(g, err);
	if ((open_hive(g, places[place].software, job, &software, &why) < 0 ||
		    read_software(g, software, &letter, &why) < 0) &&
		only_fatal(job, places[place].software, &why, err) < 0)
		return -1;
	/* a disk whose signature was changed is not in MountedDevices any more */
	if (!v->letter && letter && letter_is_free(g, letter))
		v->letter = letter;
	return set_mounts(g, err);
}
