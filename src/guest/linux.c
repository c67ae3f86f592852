/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Recognising Linux: the volume that is "/" (or a subvolume of it), and what its files tell:
 * os-release(5), hostname(5), machine-id(5), passwd(5), the kernels below /boot, and the
 * machine code of its programs. The volumes that it mounts are found first (mounts.c), so that
 * a /usr or /boot of its own is read, too.
 */
#include "guest/guest_private.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"
#include "guest/fstab.h"

#include <ctype.h>
#include <string.h>

#define TEXT_MAX    (4u << 20) /* of a file that is read here: /etc/passwd may be long */
#define USERS_MAX   100000
#define KERNELS_MAX 256

/* A system at hand: where its root is, and whether its mounts are known. */
struct linux_root {
	struct sv_guest *g;
	struct sv_guest_os *os;
	size_t volume;
	uint64_t root;
	bool mounts;
};

/* ---- its files ---- */

static bool find(const struct linux_root *l, const char *path, struct sv_guest_place *ret)
{
	return sv_guest_find_from(l->g, l->volume, l->root, path, true, l->mounts, ret, NULL) ==
	       0;
}

static bool is_type(const struct linux_root *l, const char *path, enum sv_fs_type type)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	struct sv_fs_stat st;

	return find(l, path, &at) && sv_fs_stat(at.fs, at.ino, &st, NULL) == 0 &&
	       st.type == type;
}

/* The first bytes of a file with a NUL behind them, as far as `cap`; NULL where there is none,
 * or it cannot be read. Caller frees. */
static char *read_head(const struct linux_root *l, const char *path, size_t cap, size_t *ret_n)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	sv_autofree char *bytes = NULL;
	struct sv_fs_stat st;

	if (!find(l, path, &at) || sv_fs_stat(at.fs, at.ino, &st, NULL) < 0 ||
		st.type != SV_FS_FILE)
		return NULL;
	cap = (size_t)SV_MIN(st.size, (uint64_t)cap);
	bytes = malloc(cap + 1);
	if (!bytes || sv_fs_read(at.fs, at.ino, NULL, bytes, cap, 0, ret_n, NULL) < 0)
		return NULL;
	bytes[*ret_n] = 0;
	return SV_STEAL(bytes);
}

static char *read_text(const struct linux_root *l, const char *path)
{
	size_t n;

	return read_head(l, path, TEXT_MAX, &n);
}

/* The first line with something in it that is no comment. Caller frees. */
static char *first_line(const char *text)
{
	const char *line;
	size_t n;

	while (text && (line = sv_next_line(&text, &n))) {
		char *trimmed = sv_trimmed(line, n);

		if (!trimmed || (trimmed[0] && trimmed[0] != '#'))
			return trimmed;
		free(trimmed);
	}
	return NULL;
}

/* Takes what was found over, where it is something. */
static void take(char **text, char *found)
{
	if (!found || !found[0]) {
		free(found);
		return;
	}
	free(*text);
	*text = found;
}

/* ---- product and version ---- */

/* Those of before os-release, whose first line is a name. */
static const char *const old_releases[] = {"/etc/redhat-release", "/etc/SuSE-release",
	"/etc/system-release", "/etc/slackware-version", "/etc/gentoo-release"};

static void take_old_release(const struct linux_root *l)
{
	sv_autofree char *debian = read_text(l, "/etc/debian_version");

	for (size_t i = 0; i < SV_ARRAY_LEN(old_releases) && !l->os->product[0]; i++) {
		sv_autofree char *text = read_text(l, old_releases[i]);

		take(&l->os->product, first_line(text));
	}
	if (!debian || l->os->product[0])
		return;
	take(&l->os->version, first_line(debian));
	take(&l->os->product, sv_format("Debian GNU/Linux %s", l->os->version));
}

static void take_release(const struct linux_root *l)
{
	sv_autofree char *text = read_text(l, "/etc/os-release");

	if (!text)
		text = read_text(l, "/usr/lib/os-release");
	if (text) {
		take(&l->os->product, sv_shell_value(text, "NAME"));
		take(&l->os->product, sv_shell_value(text, "PRETTY_NAME"));
		take(&l->os->version, sv_shell_value(text, "VERSION_ID"));
		take(&l->os->edition, sv_shell_value(text, "VARIANT"));
	}
	if (!l->os->product[0])
		take_old_release(l);
	if (!l->os->product[0])
		take(&l->os->product, strdup("Linux"));
}

/* ---- machine code ---- */

/* ELF: e_machine, and the byte orders that tell two names apart. */
static const struct {
	uint16_t machine;
	const char *arch;
} machines[] = {
	{3, "x86"},
	{62, "x86_64"},
	{183, "arm64"},
	{40, "arm"},
	{243, "riscv64"},
	{22, "s390x"},
	{21, "ppc64"},
	{20, "ppc"},
	{8, "mips"},
	{258, "loongarch64"},
};

static void take_arch(const struct linux_root *l)
{
	static const char *const programs[] = {
		"/bin/sh", "/usr/bin/env", "/sbin/init", "/bin/ls", "/bin/busybox"};

	for (size_t i = 0; i < SV_ARRAY_LEN(programs) && !l->os->arch[0]; i++) {
		size_t n;
		sv_autofree char *elf = read_head(l, programs[i], 20, &n);
		bool big;
		uint16_t machine;

		if (!elf || n < 20 || memcmp(elf, "\177ELF", 4) != 0)
			continue;
		big = elf[5] == 2;
		machine = big ? sv_load_be16(elf + 18) : sv_load_le16(elf + 18);
		for (size_t k = 0; k < SV_ARRAY_LEN(machines); k++)
			if (machines[k].machine == machine)
				take(&l->os->arch, sv_format("%s%s", machines[k].arch,
							   machine == 21 && !big ? "le" : ""));
	}
}

/* ---- names and places ---- */

static void take_hostname(const struct linux_root *l)
{
	sv_autofree char *text = read_text(l, "/etc/hostname");
	sv_autofree char *network = NULL;

	if (!text)
		text = read_text(l, "/etc/HOSTNAME");
	take(&l->os->hostname, first_line(text));
	if (l->os->hostname[0])
		return;
	network = read_text(l, "/etc/sysconfig/network");
	if (network)
		take(&l->os->hostname, sv_shell_value(network, "HOSTNAME"));
}

/* /etc/localtime is a link to ".../zoneinfo/Europe/Berlin". */
static void take_zone(const struct linux_root *l)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};
	sv_autofree char *text = read_text(l, "/etc/timezone"), *target = NULL;
	const char *zone;

	take(&l->os->time_zone, first_line(text));
	if (l->os->time_zone[0] || sv_guest_find_from(l->g, l->volume, l->root,
					   "/etc/localtime", false, l->mounts, &at, NULL) < 0)
		return;
	target = sv_fs_readlink(at.fs, at.ino, NULL);
	zone = target ? strstr(target, "/zoneinfo/") : NULL;
	if (zone)
		take(&l->os->time_zone, strdup(zone + strlen("/zoneinfo/")));
}

/* ---- users ---- */

/* Field number `i` of a line whose fields are parted by ':'. */
static char *field(const char *line, size_t len, unsigned i)
{
	const char *end = line + len;

	for (; i && line < end; line++)
		i -= *line == ':';
	return strndup(line, i ? 0 : strcspn(line, ":\n\r"));
}

static int take_user(struct sv_guest_os *os, const char *line, size_t len, struct sv_err *err)
{
	struct sv_guest_user u = {
		field(line, len, 0), field(line, len, 2), field(line, len, 5)};
	struct sv_guest_user *grown = NULL;
	bool whole = u.name && u.id && u.home;

	if (whole && u.name[0] && u.id[0])
		grown = realloc(os->users, (os->n_users + 1) * sizeof u);
	if (grown) {
		os->users = grown;
		grown[os->n_users++] = u;
		return 0;
	}
	whole = whole && !(u.name[0] && u.id[0]); /* a line that is none */
	free(u.name);
	free(u.id);
	free(u.home);
	return whole ? 0 : sv_fail_nomem(err);
}

static int take_users(const struct linux_root *l, struct sv_err *err)
{
	sv_autofree char *text = read_text(l, "/etc/passwd");
	const char *rest = text, *line;
	size_t len;

	while (text && l->os->n_users < USERS_MAX && (line = sv_next_line(&rest, &len)))
		if (take_user(l->os, line, len, err) < 0)
			return -1;
	return 0;
}

/* ---- kernels ---- */

static int add_kernel(struct sv_guest_os *os, const char *version)
{
	void *grown = realloc(os->kernels, (os->n_kernels + 1) * sizeof *os->kernels);

	if (!grown)
		return SV_NOMEM;
	os->kernels = grown;
	os->kernels[os->n_kernels] = strdup(version);
	if (!os->kernels[os->n_kernels])
		return SV_NOMEM;
	return ++os->n_kernels >= KERNELS_MAX ? SV_OK + 1 : 0;
}

static int take_kernel(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	static const char *const prefixes[] = {"vmlinuz-", "vmlinux-", "Image-"};

	(void)raw, (void)raw_len, (void)ino, (void)type;
	for (size_t i = 0; i < SV_ARRAY_LEN(prefixes); i++)
		if (sv_starts_with(name, prefixes[i]))
			return add_kernel(user, name + strlen(prefixes[i]));
	return 0;
}

/* "/lib/modules/6.1.0-13-amd64" */
static int take_modules(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	(void)raw, (void)raw_len, (void)ino;
	return type == SV_FS_DIR && isdigit((unsigned char)name[0]) ? add_kernel(user, name)
								    : 0;
}

static int newest_first(const void *a, const void *b)
{
	return -strverscmp(*(char *const *)a, *(char *const *)b);
}

static int list_kernels(
	const struct linux_root *l, const char *path, sv_fs_entry_fn fn, struct sv_err *err)
{
	SV_CLEANUP(sv_guest_place_free) struct sv_guest_place at = {0};

	if (find(l, path, &at) && sv_fs_readdir(at.fs, at.ino, fn, l->os, NULL) == SV_NOMEM)
		return sv_fail_nomem(err);
	return 0;
}

static int take_kernels(const struct linux_root *l, struct sv_err *err)
{
	if (list_kernels(l, "/boot", take_kernel, err) < 0)
		return -1;
	/* /boot may lie elsewhere, or name them otherwise; each has a folder of modules */
	if (!l->os->n_kernels && list_kernels(l, "/lib/modules", take_modules, err) < 0)
		return -1;
	if (l->os->n_kernels)
		qsort(l->os->kernels, l->os->n_kernels, sizeof *l->os->kernels, newest_first);
	return 0;
}

/* ---- the system ---- */

/* Where in a volume a system's root may be, if it is not what is mounted where no folder is
 * named: btrfs keeps it in a subvolume. */
static const char *const folders[] = {
	"", "/@", "/root", "/@rootfs", "/@/.snapshots/1/snapshot"};

static bool is_root(const struct linux_root *l)
{
	return is_type(l, "/etc", SV_FS_DIR) &&
	       (is_type(l, "/bin", SV_FS_DIR) || is_type(l, "/usr", SV_FS_DIR)) &&
	       (is_type(l, "/etc/os-release", SV_FS_FILE) ||
		       is_type(l, "/usr/lib/os-release", SV_FS_FILE) ||
		       is_type(l, "/etc/fstab", SV_FS_FILE));
}

static bool try_root(struct linux_root *l, struct sv_fs *fs, const char *folder)
{
	return sv_fs_lookup(fs, folder, &l->root, NULL) == 0 && is_root(l);
}

/* Finds the root in l->volume; NULL where it is none. Caller frees. */
static char *find_root(struct linux_root *l)
{
	sv_autofree char *mounted = NULL;
	struct sv_fs *fs;

	if (sv_guest_fs(l->g, l->volume, &fs, NULL) < 0)
		return NULL;
	mounted = sv_fs_subvolume(fs, 0, NULL);
	if (mounted && try_root(l, fs, mounted))
		return SV_STEAL(mounted);
	for (size_t i = 0; i < SV_ARRAY_LEN(folders); i++) {
		if (try_root(l, fs, folders[i]))
			return strdup(folders[i]);
	}
	return NULL;
}

static int describe(struct linux_root *l, struct sv_err *err)
{
	sv_autofree char *fstab = read_text(l, "/etc/fstab"), *id = NULL;

	if (l->os == &l->g->os) { /* its mounts are those of the guest's own paths */
		if (sv_mounts_add(l->g, l->volume, l->root, fstab ? fstab : "", err) < 0)
			return -1;
		l->mounts = true;
	}
	take_release(l);
	take_arch(l);
	take_hostname(l);
	take_zone(l);
	id = read_text(l, "/etc/machine-id");
	take(&l->os->machine_id, first_line(id));
	return take_users(l, err) < 0 ? -1 : take_kernels(l, err);
}

static bool may_hold_linux(const struct sv_guest_volume *v)
{
	return v->readable && strcmp(v->type, "ntfs") != 0 && strcmp(v->type, "exfat") != 0 &&
	       !sv_starts_with(v->type, "fat") && !v->mount[0];
}

int sv_linux_detect(struct sv_guest *g, struct sv_job *job, struct sv_err *err)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		struct linux_root l = {.g = g, .volume = i};
		sv_autofree char *folder = NULL;

		if (sv_job_check(job, err) < 0)
			return -1;
		if (sv_guest_has_system(g, i) || !may_hold_linux(&g->volumes[i]) ||
			!(folder = find_root(&l)))
			continue;
		if (sv_guest_new_system(g, i, "linux", folder, &l.os, err) < 0 ||
			describe(&l, err) < 0)
			return -1;
	}
	return 0;
}
