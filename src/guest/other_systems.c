/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recognising macOS and the BSDs: by files that only they have, where their file system can be
 * read; else, where nothing else is on the machine, by the type of their partition, which names
 * the system.
 */
#include "guest/guest_private.h"

#include "base/num.h"
#include "base/str.h"
#include "guest/fstab.h"
#include "guest/unix_files.h"

#include <string.h>

#define TEXT_MAX (64u << 10) /* of a file that is read here */

/* The text of a small file; "" where it cannot be read. Caller frees; NULL: out of memory. */
static char *text_of(const struct sv_unix *u, const char *path)
{
	size_t n;
	char *text = sv_unix_read(u, path, TEXT_MAX, &n, NULL);

	return text ? text : strdup("");
}

/* Takes a text over where it is one. */
static void take(char **text, char *found)
{
	if (found && *found) {
		free(*text);
		*text = found;
	} else {
		free(found);
	}
}

/* The word at `p`, as far as one of `ends`. */
static char *word(const char *p, const char *ends)
{
	return p ? strndup(p, strcspn(p, ends)) : NULL;
}

/* Behind a prefix that the text has somewhere; NULL where it has none. */
static const char *behind(const char *text, const char *prefix)
{
	const char *found = strstr(text, prefix);

	return found ? found + strlen(prefix) : NULL;
}

/* ---- what their files tell ---- */

/* The string behind a key of a property list: "<key>K</key> <string>V</string>". */
static char *plist_string(const char *text, const char *key)
{
	sv_autofree char *tag = sv_format("<key>%s</key>", key);
	const char *at = tag ? behind(text, tag) : NULL;

	if (!at || !sv_starts_with(at += strspn(at, " \t\r\n"), "<string>"))
		return NULL;
	return word(at + strlen("<string>"), "<");
}

static void describe_macos(const struct sv_unix *u, struct sv_guest_os *os)
{
	sv_autofree char *text = text_of(u, "/System/Library/CoreServices/SystemVersion.plist");

	if (!text)
		return;
	take(&os->product, plist_string(text, "ProductName"));
	take(&os->version, plist_string(text, "ProductVersion"));
	take(&os->display_version, plist_string(text, "ProductBuildVersion"));
}

static void describe_freebsd(const struct sv_unix *u, struct sv_guest_os *os)
{
	sv_autofree char *script = text_of(u, "/bin/freebsd-version");
	sv_autofree char *config = text_of(u, "/etc/rc.conf");

	if (script)
		take(&os->version, sv_shell_value(script, "USERLAND_VERSION"));
	if (config)
		take(&os->hostname, sv_shell_value(config, "hostname"));
}

static void describe_openbsd(const struct sv_unix *u, struct sv_guest_os *os)
{
	sv_autofree char *motd = text_of(u, "/etc/motd"), *name = text_of(u, "/etc/myname");

	if (motd)
		take(&os->version, word(behind(motd, "OpenBSD "), " \n"));
	if (name)
		take(&os->hostname, word(name, " \n"));
}

static void describe_netbsd(const struct sv_unix *u, struct sv_guest_os *os)
{
	sv_autofree char *release = text_of(u, "/etc/release");
	sv_autofree char *config = text_of(u, "/etc/rc.conf");

	if (release)
		take(&os->version, word(behind(release, "NetBSD "), "/ \n"));
	if (config)
		take(&os->hostname, sv_shell_value(config, "hostname"));
}

static const struct {
	const char *file; /* that only it has */
	const char *family, *product;
	void (*describe)(const struct sv_unix *u, struct sv_guest_os *os);
} systems[] = {
	{"/System/Library/CoreServices/SystemVersion.plist", "macos", "macOS", describe_macos},
	{"/bin/freebsd-version", "freebsd", "FreeBSD", describe_freebsd},
	{"/bsd", "openbsd", "OpenBSD", describe_openbsd},
	{"/netbsd", "netbsd", "NetBSD", describe_netbsd},
};

static int look_into(struct sv_unix *u, struct sv_err *err)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(systems); i++) {
		SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
		struct sv_guest_os *os;

		if (sv_unix_find(u, systems[i].file, SV_FS_FILE, &at, NULL) < 0)
			continue;
		if (sv_guest_new_system(u->g, u->volume, systems[i].family, "", &os, err) < 0 ||
			sv_guest_set_text(&os->product, systems[i].product, err) < 0)
			return -1;
		systems[i].describe(u, os);
		return 0;
	}
	return 0;
}

int sv_others_detect(struct sv_guest *g, struct sv_job *job, struct sv_err *err)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		struct sv_unix u = {.g = g, .volume = i, .job = job};
		struct sv_fs *fs;

		if (sv_job_check(job, err) < 0)
			return -1;
		if (!g->volumes[i].readable || sv_guest_has_system(g, i) ||
			sv_guest_fs(g, i, &fs, NULL) < 0 || sv_fs_root(fs, &u.root, NULL) < 0)
			continue;
		if (look_into(&u, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- partitions that cannot be read ---- */

static const struct {
	const char *type_name; /* as it begins */
	const char *family;
} partitions[] = {{"FreeBSD", "freebsd"}, {"OpenBSD", "openbsd"}, {"NetBSD", "netbsd"}};

/* Is there anything that a person could mean but firmware's files? */
static bool nothing_else(const struct sv_guest *g)
{
	for (size_t i = 0; i < g->n_volumes; i++)
		if (g->volumes[i].readable && !sv_starts_with(g->volumes[i].type, "fat"))
			return false;
	return g->system_volume < 0;
}

int sv_unreadable_detect(struct sv_guest *g, struct sv_err *err)
{
	struct sv_guest_os *os;

	if (!nothing_else(g))
		return 0;
	for (size_t i = 0; i < g->n_volumes; i++) {
		const char *name = g->volumes[i].type_name;

		for (size_t k = 0; name && k < SV_ARRAY_LEN(partitions); k++) {
			if (!sv_starts_with(name, partitions[k].type_name))
				continue;
			if (sv_guest_new_system(g, i, partitions[k].family, "", &os, err) < 0)
				return -1;
			return sv_guest_set_text(&os->product, partitions[k].type_name, err);
		}
	}
	return 0;
}
