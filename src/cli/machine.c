/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A machine opened for looking: see machine.h. */
#include "cli/machine.h"

#include "base/str.h"
#include "extend/extend.h"

#include <string.h>

/* Stands for a disk that cannot be opened, so that the others keep their numbers. */
#define EMPTY_DISK 4096

void sv_machine_close(struct sv_machine *m)
{
	if (!m)
		return;
	sv_guest_close(m->guest);
	for (size_t i = 0; m->disks && i < m->vm->n_disks; i++)
		sv_image_close(m->disks[i].image);
	free(m->disks);
	sv_vm_close(m->vm);
	free(m);
}

int sv_allow_words(struct sv_cli *cli, const struct sv_words *dirs, struct sv_allow **ret,
	struct sv_err *err)
{
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = sv_allow_new(err);

	if (!allow)
		return -1;
	for (size_t i = 0; i < dirs->n; i++)
		if (sv_allow_add_dir(allow, cli->host, dirs->item[i], err))
			return -1;
	*ret = SV_STEAL(allow);
	return 0;
}

int sv_image_operand(struct sv_cli *cli, const char *path, const struct sv_words *allow_dirs,
	struct sv_allow **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	sv_autofree char *file = NULL;
	const char *snapshot;

	if (sv_ends_with_nocase(path, ".vmx")) {
		sv_fail(err, SV_USAGE, path, "it is a machine's configuration, no disk image");
		return sv_hint(err, "to see its disks: sharevm show '%s'", path);
	}
	if (sv_ends_with_nocase(path, ".ovf") || sv_ends_with_nocase(path, ".ova")) {
		sv_fail(err, SV_USAGE, path, "it is an appliance, no disk image");
		return sv_hint(err, "to see the names of its disks: sharevm show '%s'", path);
	}
	file = sv_image_file_of(cli->host, path, &snapshot, err);
	if (!file || sv_allow_words(cli, allow_dirs, &allow, err) ||
		sv_extend_allow_originals(cli->host, file, allow, err))
		return -1;
	*ret = SV_STEAL(allow);
	return 0;
}

static int open_disk(struct sv_cli *cli, const struct sv_vm_disk *d,
	const struct sv_image_opts *opts, struct sv_image **ret, struct sv_err *err)
{
	if (!d->problem)
		return sv_image_open(cli->host, d->path, opts, ret, err);
	sv_fail(err, SV_UNSUPPORTED, d->path, "%s", d->problem);
	return sv_hint(err, "%s", d->remedy);
}

/* Opens every disk that can be; -1 only where none can. */
static int open_disks(struct sv_cli *cli, struct sv_machine *m, const struct sv_allow *allow,
	struct sv_err *err)
{
	struct sv_image_opts opts = {.allow = allow};
	size_t bad = 0, first_bad = 0;

	m->disks = calloc(m->vm->n_disks ? m->vm->n_disks : 1, sizeof *m->disks);
	if (!m->disks)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < m->vm->n_disks; i++) {
		struct sv_machine_disk *d = &m->disks[i];

		if (open_disk(cli, &m->vm->disks[i], &opts, &d->image, &d->problem)) {
			first_bad = bad++ ? first_bad : i;
			d->image = NULL;
		}
	}
	if (!bad || bad < m->vm->n_disks)
		return 0;
	sv_err_copy(err, &m->disks[first_bad].problem);
	return -1;
}

static struct sv_dev *stand_in(struct sv_machine *m, size_t i, struct sv_err *err)
{
	if (m->disks[i].image)
		return sv_dev_ref(sv_image_dev(m->disks[i].image));
	return sv_sparse_open(EMPTY_DISK, EMPTY_DISK, m->vm->disks[i].path, err);
}

static int open_guest(
	struct sv_cli *cli, struct sv_machine *m, bool volumes_only, struct sv_err *err)
{
	size_t n = m->vm->n_disks, opened = 0;
	sv_autofree struct sv_dev **devs = calloc(n ? n : 1, sizeof(struct sv_dev *));
	int rc = 0;

	if (!devs)
		return sv_fail_nomem(err);
	for (; !rc && opened < n; opened++) {
		devs[opened] = stand_in(m, opened, err);
		rc = devs[opened] ? 0 : -1;
	}
	if (!rc)
		rc = (volumes_only ? sv_guest_open_volumes : sv_guest_open)(
			devs, n, &cli->job, &m->guest, err);
	for (size_t i = 0; i < opened; i++)
		sv_dev_close(devs[i]);
	return rc;
}

/* ---- was anything written meanwhile? ---- */

static uint64_t stamp_link(struct sv_cli *cli, const struct sv_image_link *link, uint64_t sum)
{
	for (size_t i = 0; i < link->n_files; i++) {
		struct sv_host_stat st = {0};

		sv_host_stat(cli->host, link->files[i].path, &st, NULL);
		sum = sum * 31 + st.size;
		sum = sum * 31 + (uint64_t)st.mtime_sec;
		sum = sum * 31 + st.mtime_nsec;
	}
	return sum;
}

/* Of all files of the disks, when they were last written and how long they are. */
static uint64_t stamp_of(struct sv_cli *cli, const struct sv_machine *m)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < m->vm->n_disks; i++) {
		struct sv_image *image = m->disks[i].image;

		for (size_t k = 0; image && k < sv_image_links(image); k++)
			sum = stamp_link(cli, sv_image_link(image, k), sum);
	}
	return sum;
}

/* ---- machines by name ---- */

int sv_machines_scan(struct sv_cli *cli, const struct sv_words *dirs, struct sv_library *ret,
	size_t *ret_unreadable, struct sv_err *err)
{
	const char *home = dirs->n ? NULL : getenv("HOME");

	return sv_library_scan(cli->host, dirs->item, dirs->n, home && *home ? home : NULL,
		&cli->job, ret, ret_unreadable, err);
}

/* What exists on the host is a path; so is what is written as one. */
static bool is_path(struct sv_cli *cli, const char *word)
{
	sv_autofree char *file = NULL;
	const char *snapshot;

	if (strchr(word, '/') || sv_host_exists(cli->host, word))
		return true;
	file = sv_image_file_of(cli->host, word, &snapshot, NULL);
	return file && snapshot;
}

static char *path_of(struct sv_cli *cli, const char *word, struct sv_err *err)
{
	struct sv_library library = {0};
	const struct sv_words own = {0};
	char *path = NULL;
	size_t unreadable;

	if (is_path(cli, word)) {
		path = strdup(word);
		if (!path)
			sv_fail_nomem(err);
		return path;
	}
	if (sv_machines_scan(cli, &own, &library, &unreadable, err))
		return NULL;
	sv_library_find(&library, word, &path, err);
	sv_library_free(&library);
	return path;
}

static int open_vm(struct sv_cli *cli, const char *path, struct sv_vm **ret, struct sv_err *err)
{
	if (sv_vm_open(cli->host, path, ret, err) == 0)
		return 0;
	if (err && err->code == SV_NOTFOUND && !err->hint[0])
		sv_hint(err,
			"a machine is a name that 'sharevm list' shows, a .vmx, an .ovf or .ova, "
			"a folder with one, or a disk image");
	return -1;
}

static int open_machine(struct sv_cli *cli, const char *word, const struct sv_words *allow_dirs,
	bool volumes_only, struct sv_machine **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = calloc(1, sizeof *m);
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	sv_autofree char *path = NULL;

	if (!m)
		return sv_fail_nomem(err);
	m->given = word;
	path = path_of(cli, word, err);
	if (!path || sv_allow_words(cli, allow_dirs, &allow, err) ||
		open_vm(cli, path, &m->vm, err) ||
		sv_extend_allow_originals(cli->host, m->vm->config, allow, err))
		return -1;
	if (open_disks(cli, m, allow, err))
		return -1;
	m->stamp = stamp_of(cli, m);
	if (open_guest(cli, m, volumes_only, err))
		return -1;
	*ret = SV_STEAL(m);
	return 0;
}

int sv_machine_open(struct sv_cli *cli, const char *path, const struct sv_words *allow_dirs,
	struct sv_machine **ret, struct sv_err *err)
{
	return open_machine(cli, path, allow_dirs, false, ret, err);
}

int sv_machine_open_volumes(struct sv_cli *cli, const char *path,
	const struct sv_words *allow_dirs, struct sv_machine **ret, struct sv_err *err)
{
	return open_machine(cli, path, allow_dirs, true, ret, err);
}

const char *sv_state_words(enum sv_vm_state state)
{
	switch (state) {
	case SV_VM_OFF:
		return "switched off";
	case SV_VM_RUNNING:
		return "running";
	case SV_VM_RUNNING_ELSEWHERE:
		return "running on another computer";
	case SV_VM_SUSPENDED:
		return "suspended";
	case SV_VM_MEMORY_SNAPSHOT:
		return "has a snapshot with memory";
	case SV_VM_CRASHED:
		return "crashed";
	case SV_VM_STALE_LOCK:
		return "off, with a lock that was left behind";
	case SV_VM_CUT_OFF:
		return "off, and was being changed when sharevm was cut off";
	case SV_VM_LOCKED:
		return "locked by another program";
	case SV_VM_UNKNOWN:
		break;
	}
	return "in an unknown state";
}

static bool is_live(enum sv_vm_state state)
{
	return state == SV_VM_RUNNING || state == SV_VM_RUNNING_ELSEWHERE ||
	       state == SV_VM_LOCKED || state == SV_VM_UNKNOWN;
}

void sv_machine_warn(struct sv_cli *cli, const struct sv_machine *m)
{
	if (is_live(m->vm->state))
		sv_job_note(&cli->job, "%s is %s (%s): what is read may be half-written",
			m->vm->name, sv_state_words(m->vm->state), m->vm->state_reason);
	else if (m->vm->state == SV_VM_SUSPENDED)
		sv_job_note(&cli->job,
			"%s is suspended: what it had not yet written to its disk is missing",
			m->vm->name);
	for (size_t i = 0; i < m->guest->n_volumes; i++) {
		const struct sv_guest_volume *v = &m->guest->volumes[i];

		if (v->readable && v->info.warning[0])
			sv_job_note(&cli->job, "%s: %s", v->id, v->info.warning);
	}
}

/* Where no file was written meanwhile, what was read is whole, whoever has them open: that is
 * cheaper to see than who it is. */
void sv_machine_warn_after(struct sv_cli *cli, struct sv_machine *m)
{
	bool was_live = is_live(m->vm->state);

	if (was_live || m->stamp == stamp_of(cli, m) ||
		sv_vm_refresh_state(cli->host, m->vm, NULL))
		return;
	if (is_live(m->vm->state))
		sv_job_note(&cli->job,
			"%s was started while it was read: what was read may be half-written",
			m->vm->name);
}

void sv_place_free(struct sv_place *p)
{
	free(p->path);
	*p = (struct sv_place){0};
}

static int find_place(struct sv_machine *m, const char *inside, bool follow_last,
	struct sv_place *ret, struct sv_err *err)
{
	struct sv_guest_place at;

	if (sv_guest_find(m->guest, inside, follow_last, &at, err))
		return -1;
	*ret = (struct sv_place){
		.fs = at.fs,
		.volume = at.volume,
		.ino = at.ino,
		.path = at.path,
		.mounts = inside[0] == '@' ? NULL : m->guest,
	};
	return 0;
}

int sv_machine_find(
	struct sv_machine *m, const char *inside, struct sv_place *ret, struct sv_err *err)
{
	return find_place(m, inside, true, ret, err);
}

int sv_machine_find_link(
	struct sv_machine *m, const char *inside, struct sv_place *ret, struct sv_err *err)
{
	return find_place(m, inside, false, ret, err);
}
