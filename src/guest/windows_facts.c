/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What SOFTWARE and SYSTEM tell of a Windows: product, version, name, times, and whether a
 * restart is due. Each fact is for itself: what is not there, or cannot be read, is left out.
 */
#include "guest/guest_private.h"
#include "guest/registry.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define CURRENT          "Microsoft\\Windows NT\\CurrentVersion"
#define START_AUTOMATIC  2     /* SERVICE_AUTO_START */
#define SERVICE_PROGRAMS 0x30  /* SERVICE_WIN32: in a process of its own, or a shared one */
#define WIN11_BUILD      22000 /* its registry calls itself Windows 10 */

/* A string, where there is one. SV_NOMEM is the only error. */
static int take(
	struct sv_hive *h, const char *key, const char *value, char **text, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	char *found;

	if (!sv_registry_string(h, key, value, &found, &why)) {
		sv_err_copy(err, &why);
		return why.code == SV_NOMEM ? -1 : 0;
	}
	free(*text);
	*text = found;
	return 0;
}

static struct sv_fs_time from_hive(struct sv_hive_time t)
{
	return (struct sv_fs_time){.sec = t.sec, .nsec = t.nsec};
}

static int set(char **text, char *value, struct sv_err *err)
{
	if (!value)
		return sv_fail_nomem(err);
	free(*text);
	*text = value;
	return 0;
}

/* ---- SOFTWARE ---- */

/* "10.0.19045.3803", "6.1.7601": major and minor as numbers since Windows 10. */
static int set_version(
	struct sv_guest_os *os, struct sv_hive *h, const char *build, struct sv_err *err)
{
	sv_autofree char *old = strdup("");
	uint32_t major, minor;

	if (!old)
		return sv_fail_nomem(err);
	if (take(h, CURRENT, "CurrentVersion", &old, err) < 0)
		return -1;
	if (!sv_registry_dword(h, CURRENT, "CurrentMajorVersionNumber", &major) ||
		!sv_registry_dword(h, CURRENT, "CurrentMinorVersionNumber", &minor))
		return set(&os->version,
			sv_format("%s%s%s", old, old[0] && build[0] ? "." : "", build), err);
	if (os->ubr)
		return set(&os->version, sv_format("%u.%u.%s.%u", major, minor, build, os->ubr),
			err);
	return set(&os->version, sv_format("%u.%u.%s", major, minor, build), err);
}

static int correct_product(struct sv_guest_os *os, struct sv_err *err)
{
	static const char ten[] = "Windows 10";

	if (!sv_starts_with(os->product, ten) || os->build < WIN11_BUILD)
		return 0;
	return set(&os->product, sv_format("Windows 11%s", os->product + strlen(ten)), err);
}

static int read_software(struct sv_guest_os *os, struct sv_hive *h, struct sv_err *err)
{
	sv_autofree char *build = strdup("");
	uint32_t installed;

	if (!build)
		return sv_fail_nomem(err);
	/* where there are two, the better one comes last */
	if (take(h, CURRENT, "ProductName", &os->product, err) < 0 ||
		take(h, CURRENT, "EditionID", &os->edition, err) < 0 ||
		take(h, CURRENT, "CSDVersion", &os->display_version, err) < 0 ||
		take(h, CURRENT, "ReleaseId", &os->display_version, err) < 0 ||
		take(h, CURRENT, "DisplayVersion", &os->display_version, err) < 0 ||
		take(h, CURRENT, "CurrentBuild", &build, err) < 0 ||
		take(h, CURRENT, "CurrentBuildNumber", &build, err) < 0)
		return -1;
	os->build = (uint32_t)SV_MIN(strtoul(build, NULL, 10), (unsigned long)UINT32_MAX);
	sv_registry_dword(h, CURRENT, "UBR", &os->ubr);
	if (sv_registry_dword(h, CURRENT, "InstallDate", &installed))
		os->installed.sec = installed;
	return set_version(os, h, build, err) < 0 ? -1 : correct_product(os, err);
}

/* ---- SYSTEM ---- */

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

/* A key of the control set that was in use last. Caller frees; NULL: out of memory. */
static char *in_set(struct sv_hive *h, const char *key)
{
	uint32_t number = 1;

	sv_registry_dword(h, "Select", "Current", &number);
	return sv_format("ControlSet%03u\\%s", number, key);
}

static int take_from_set(
	struct sv_hive *h, const char *key, const char *value, char **text, struct sv_err *err)
{
	sv_autofree char *path = in_set(h, key);

	return path ? take(h, path, value, text, err) : sv_fail_nomem(err);
}

static bool find_in_set(struct sv_hive *h, const char *key, sv_hive_key *ret)
{
	sv_autofree char *path = in_set(h, key);
	sv_hive_key root;

	return path && sv_hive_root(h, &root, NULL) == 0 &&
	       sv_hive_find(h, root, path, ret, NULL) == 0;
}

static void read_shutdown(struct sv_guest_os *os, struct sv_hive *h)
{
	sv_autofree void *data = NULL;
	sv_hive_key key;
	uint32_t type;
	size_t n = 0;

	if (find_in_set(h, "Control\\Windows", &key))
		data = sv_hive_value(h, key, "ShutdownTime", &type, &n, NULL);
	if (data && n == 8)
		os->last_shutdown = from_hive(sv_hive_time(sv_load_le64(data)));
}

struct services {
	struct sv_hive *h;
	uint32_t automatic;
};

static int count_service(void *user, const char *name, sv_hive_key key)
{
	struct services *s = user;
	uint32_t start, type;

	(void)name;
	if (sv_hive_dword(s->h, key, "Start", &start, NULL) == 0 && start == START_AUTOMATIC &&
		sv_hive_dword(s->h, key, "Type", &type, NULL) == 0 && type & SERVICE_PROGRAMS)
		s->automatic++;
	return 0;
}

static void count_services(struct sv_guest_os *os, struct sv_hive *h)
{
	struct services s = {.h = h};
	struct sv_hive_key_info info;
	sv_hive_key key;

	if (!find_in_set(h, "Services", &key) || sv_hive_key_info(h, key, &info, NULL) < 0)
		return;
	os->services = info.n_subkeys;
	sv_hive_subkeys(h, key, count_service, &s, NULL);
	os->services_auto = s.automatic;
}

static int read_system(struct sv_guest_os *os, struct sv_hive *h, struct sv_err *err)
{
	sv_autofree char *arch = strdup("");

	if (!arch)
		return sv_fail_nomem(err);
	if (take_from_set(h, "Control\\Session Manager\\Environment", "PROCESSOR_ARCHITECTURE",
		    &arch, err) < 0 ||
		take_from_set(h, "Control\\ComputerName\\ComputerName", "ComputerName",
			&os->hostname, err) < 0 ||
		take_from_set(
			h, "Services\\Tcpip\\Parameters", "Hostname", &os->hostname, err) < 0 ||
		take_from_set(h, "Control\\TimeZoneInformation", "StandardName", &os->time_zone,
			err) < 0 ||
		take_from_set(h, "Control\\TimeZoneInformation", "TimeZoneKeyName",
			&os->time_zone, err) < 0)
		return -1;
	read_shutdown(os, h);
	count_services(os, h);
	return sv_guest_set_text(&os->arch, arch_name(arch), err);
}

/* ---- is a restart due? ---- */

static bool has_key(struct sv_hive *h, const char *path)
{
	sv_hive_key root, key;

	return h && sv_hive_root(h, &root, NULL) == 0 &&
	       sv_hive_find(h, root, path, &key, NULL) == 0;
}

static bool has_renames(struct sv_hive *h)
{
	sv_autofree void *data = NULL;
	sv_hive_key key;
	uint32_t type;
	size_t n = 0;

	if (h && find_in_set(h, "Control\\Session Manager", &key))
		data = sv_hive_value(h, key, "PendingFileRenameOperations", &type, &n, NULL);
	return data && n > 4; /* more than the end of an empty list */
}

static int read_pending(struct sv_guest_os *os, struct sv_hive *software,
	struct sv_hive *system, struct sv_err *err)
{
	const struct {
		bool is;
		const char *what;
	} reasons[] = {
		{has_key(software,
			 "Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\"
			 "RebootPending"),
			"parts of Windows are to be installed or removed"},
		{has_key(software,
			 "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\"
			 "RebootRequired"),
			"updates are to be completed"},
		{has_renames(system), "files are to be replaced or deleted"},
	};
	struct sv_str text = {0};

	for (size_t i = 0; i < SV_ARRAY_LEN(reasons); i++) {
		if (reasons[i].is)
			sv_str_addf(&text, "%s%s", text.len ? "; " : "", reasons[i].what);
	}
	return set(&os->pending_reboot, sv_str_take(&text), err);
}

int sv_windows_facts(struct sv_guest_os *os, struct sv_hive *software, struct sv_hive *system,
	struct sv_err *err)
{
	if ((software && read_software(os, software, err) < 0) ||
		(system && read_system(os, system, err) < 0))
		return -1;
	return read_pending(os, software, system, err);
}
