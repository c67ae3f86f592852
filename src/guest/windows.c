/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recognising Windows: the volumes with a registry, and which letters the first of them gave to
 * the volumes.
 *
 * Letters stand in SYSTEM\MountedDevices: "\DosDevices\C:" is 12 bytes (signature of the MBR
 * disk, offset of the partition) or 24 bytes ("DMIO:ID:" and the GUID of the GPT partition, or
 * of a dynamic disk's volume).
 */
#include "guest/guest_private.h"
#include "guest/registry.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define DOS_DEVICES "\\DosDevices\\"
#define CURRENT     "Microsoft\\Windows NT\\CurrentVersion"

/* ---- which volumes ---- */

static bool exists(struct sv_guest *g, size_t volume, const char *folder, const char *hive)
{
	sv_autofree char *path = sv_format("%s/System32/config/%s", folder, hive);
	struct sv_fs *fs;
	uint64_t ino;

	return path && sv_guest_fs(g, volume, &fs, NULL) == 0 &&
	       sv_fs_lookup(fs, path, &ino, NULL) == 0;
}

/* Where Windows lies: the folder that set-up proposes, and the one of before XP. */
static const char *const folders[] = {"/Windows", "/WINNT"};

/* Volumes with both hives (Windows' recovery image has them inside a WIM only). */
static int find_systems(struct sv_guest *g, struct sv_err *err)
{
	struct sv_guest_os *os;

	for (size_t i = 0; i < g->n_volumes; i++) {
		size_t f = 0;

		if (!g->volumes[i].readable || strcmp(g->volumes[i].type, "ntfs") != 0)
			continue;
		while (f < SV_ARRAY_LEN(folders) &&
			!(exists(g, i, folders[f], "SYSTEM") &&
				exists(g, i, folders[f], "SOFTWARE")))
			f++;
		if (f < SV_ARRAY_LEN(folders) &&
			sv_guest_new_system(g, i, "windows", folders[f], &os, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- hives ---- */

/* 0 with *ret NULL where it cannot be read, which becomes a note. */
static int open_hive(struct sv_registry *r, const char *name, struct sv_job *job,
	struct sv_hive **ret, struct sv_err *err)
{
	sv_autofree char *path = sv_format("HKEY_LOCAL_MACHINE\\%s", name);
	sv_autoregkey struct sv_registry_key k = {0};
	struct sv_err why = SV_ERR_INIT;

	*ret = NULL;
	if (!path)
		return sv_fail_nomem(err);
	if (sv_registry_find(r, path, &k, &why) == 0) {
		*ret = k.hive;
		return 0;
	}
	if (why.code == SV_NOMEM || why.code == SV_CANCELLED) {
		sv_err_copy(err, &why);
		return -1;
	}
	if (why.code != SV_NOTFOUND)
		sv_job_note(job, "the registry hive %s cannot be read: %s",
			why.path[0] ? why.path : name, why.message);
	return 0;
}

/* ---- letters ---- */

/* The database of dynamic disks holds GUIDs in the order of their text, GPTs in Windows' own:
 * both are taken. */
static bool is_same_guid(const uint8_t *named, const uint8_t *text_order)
{
	static const uint8_t swapped[16] = {
		3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	bool same = true;

	for (size_t i = 0; i < sizeof swapped; i++)
		same = same && named[i] == text_order[swapped[i]];
	return same || !memcmp(named, text_order, sizeof swapped);
}

/* Does a value of MountedDevices mean this volume? */
static bool is_mounted_as(const struct sv_guest *g, const struct sv_guest_volume *v,
	const uint8_t *data, size_t n)
{
	const struct sv_table *t = &g->disks[v->disk].table;
	const struct sv_partition *p = sv_table_find(t, v->number);

	if (v->group)
		return n == 24 && !strcmp(v->group, "ldm") && !memcmp(data, "DMIO:ID:", 8) &&
		       is_same_guid(data + 8, v->group_guid);
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

static bool letter_is_free(const struct sv_guest *g, char letter)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (g->volumes[i].letter == letter)
			return false;
	}
	return true;
}

static void read_letters(struct sv_guest *g, struct sv_hive *system)
{
	sv_hive_key root, key;

	if (sv_hive_root(system, &root, NULL) == 0 &&
		sv_hive_find(system, root, "MountedDevices", &key, NULL) == 0)
		sv_hive_values(system, key, take_letter, g, NULL);
}

/* What MountedDevices does not name, Windows gives the letter that the database keeps. */
static void take_hints(struct sv_guest *g)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		struct sv_guest_volume *v = &g->volumes[i];

		if (!v->letter && v->hint && letter_is_free(g, v->hint))
			v->letter = v->hint;
	}
}

/* The letter of the system's own volume stands in SOFTWARE, too: a disk whose signature was
 * changed is not in MountedDevices any more. 0: it is not told. */
static char letter_of_root(struct sv_hive *software)
{
	sv_autofree char *root = NULL;

	if (!software || !sv_registry_string(software, CURRENT, "SystemRoot", &root, NULL) ||
		!isalpha((unsigned char)root[0]) || root[1] != ':')
		return 0;
	return (char)toupper((unsigned char)root[0]);
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

/* ---- paths as Windows writes them ---- */

static bool starts_nocase(const char *s, const char *prefix, const char **ret_rest)
{
	size_t n = strlen(prefix);

	if (strncasecmp(s, prefix, n) != 0)
		return false;
	*ret_rest = s + n;
	return true;
}

int sv_guest_resolve_windows(struct sv_guest *g, const struct sv_guest_os *os, const char *path,
	size_t *ret_volume, char **ret_path, struct sv_err *err)
{
	const char *id = g->volumes[os->volume].id, *rest = path;
	sv_autofree char *place = NULL;

	if (starts_nocase(path, "%SystemDrive%", &rest))
		place = sv_format("@%s:%s", id, rest);
	else if (starts_nocase(path, "%SystemRoot%", &rest))
		place = sv_format("@%s:%s%s", id, os->folder, rest);
	else if (os->letter && toupper((unsigned char)path[0]) == os->letter && path[1] == ':')
		place = sv_format("@%s:%s", id, path + 2);
	else
		place = strdup(path);
	if (!place)
		return sv_fail_nomem(err);
	return sv_guest_resolve(g, place, ret_volume, ret_path, err);
}

/* ---- all of it ---- */

/* The first system: its letters are those of the guest. SOFTWARE is left unread where only
 * letters are wanted and SYSTEM tells them. */
static int look_at_first(struct sv_guest *g, struct sv_registry *r, bool brief,
	struct sv_job *job, struct sv_err *err)
{
	struct sv_guest_volume *v = &g->volumes[g->system_volume];
	struct sv_hive *system, *software = NULL, *sam = NULL;

	if (open_hive(r, "SYSTEM", job, &system, err) < 0)
		return -1;
	if (system)
		read_letters(g, system);
	take_hints(g);
	if ((!brief || !v->letter) && open_hive(r, "SOFTWARE", job, &software, err) < 0)
		return -1;
	g->os.letter = v->letter ? v->letter : letter_of_root(software);
	if (!v->letter && g->os.letter && letter_is_free(g, g->os.letter))
		v->letter = g->os.letter;
	if (set_mounts(g, err) < 0)
		return -1;
	if (brief)
		return 0;
	if (open_hive(r, "SAM", job, &sam, err) < 0 ||
		sv_windows_facts(&g->os, software, system, err) < 0)
		return -1;
	return sv_windows_users(&g->os, sam, software, err);
}

static int look_at_other(
	struct sv_guest_os *os, struct sv_registry *r, struct sv_job *job, struct sv_err *err)
{
	struct sv_hive *system, *software, *sam;

	if (open_hive(r, "SYSTEM", job, &system, err) < 0 ||
		open_hive(r, "SOFTWARE", job, &software, err) < 0 ||
		open_hive(r, "SAM", job, &sam, err) < 0 ||
		sv_windows_facts(os, software, system, err) < 0)
		return -1;
	os->letter = letter_of_root(software);
	return sv_windows_users(os, sam, software, err);
}

static int look_at(
	struct sv_guest *g, size_t system, bool brief, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(sv_registry_closep) struct sv_registry *r = NULL;

	if (sv_registry_open(g, system, job, &r, err) < 0)
		return -1;
	if (system)
		return look_at_other(&g->others[system - 1], r, job, err);
	return look_at_first(g, r, brief, job, err);
}

int sv_windows_detect(struct sv_guest *g, bool brief, struct sv_job *job, struct sv_err *err)
{
	if (find_systems(g, err) < 0)
		return -1;
	for (size_t i = 0; sv_guest_system(g, i); i++) {
		if ((!brief || i == 0) && look_at(g, i, brief, job, err) < 0)
			return -1;
	}
	return 0;
}
