/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Taking VMware's lock on a file, as open-vm-tools' lib/file/fileLockPrimitive.c does: a member
 * is written as an entry ("E12345.lck"), gets its name by rename, and then looks who else is
 * there. VMware also announces itself with a folder ("D12345.lck") while it chooses its number,
 * so that two who come at once agree on who was first. Here nothing is announced, and whoever
 * else is seen has precedence: our member is visible before we look, so that of two who come
 * at once at least one sees the other.
 */
#include "vm/lock.h"

#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TRIES      20 /* while others come and go */
#define PAUSE_MSEC 100

struct sv_lock {
	struct sv_host *host;
	char *folder;
	char *member; /* path; NULL until it is there */
};

/* VMware's checksum of the folder's path (DJB2, of plain chars): a lock that was copied
 * elsewhere is void. */
static uint32_t location_checksum(const char *folder)
{
	uint32_t hash = 5381;

	for (; *folder; folder++) {
		int c = *folder;

		hash = hash * 33 + (uint32_t)c;
	}
	return hash;
}

int sv_lock_print(const struct sv_lock_member *m, const char *folder,
	char ret[SV_LOCK_MEMBER_SIZE], struct sv_err *err)
{
	int n;

	memset(ret, 0, SV_LOCK_MEMBER_SIZE);
	n = snprintf(ret, SV_LOCK_MEMBER_SIZE,
		"%s %" PRId64 "-%" PRIu64 "(%s) %" PRIu32 " %s %" PRIu64 " lc=%" PRIu32,
		m->machine, m->pid, m->start, m->process, m->number, m->exclusive ? "X" : "S",
		m->start, location_checksum(folder));
	return n > 0 && n < SV_LOCK_MEMBER_SIZE
		       ? 0
		       : sv_fail(err, SV_INTERNAL, folder, "the lock's text is too long");
}

/* ---- who else is there ---- */

/* What is known of the others in the folder. */
struct others {
	uint32_t number; /* the greatest */
	bool entering;   /* somebody is choosing his number */
	struct sv_lock_finding found;
};

static int remove_stale(struct sv_host *host, const char *file, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	if (sv_host_unlink(host, file, &why) == 0 || why.code == SV_NOTFOUND)
		return 0;
	sv_err_copy(err, &why);
	return -1;
}

/* A member or an entry: one that a sharevm left which no longer runs is removed. */
static int meet(struct sv_lock *l, const char *file, const struct sv_computer *machine,
	struct others *o, struct sv_err *err)
{
	size_t n = 0;
	sv_autofree char *text = sv_host_read_file(l->host, file, SV_LOCK_MEMBER_MAX, &n, NULL);
	struct sv_lock_finding found = {0};
	struct sv_lock_member m;

	if (!text || sv_lock_parse(text, n, &m, NULL) < 0) {
		sv_lock_look_at(l->host, file, machine, &o->found);
		return 0;
	}
	o->number = SV_MAX(o->number, m.number);
	sv_lock_judge(&m, file, machine, &found);
	if (found.kind == SV_LOCK_NONE || found.kind == SV_LOCK_STALE_OWN)
		return remove_stale(l->host, file, err);
	if (found.kind > o->found.kind)
		o->found = found;
	return 0;
}

/* An entry without its "D" folder belongs to nobody any more, or to a sharevm. */
static bool is_debris(const struct sv_lock *l, const char *name)
{
	sv_autofree char *path = sv_path_join(l->folder, name);

	if (name[0] != 'E' || !path)
		return false;
	path[strlen(l->folder) + 1] = 'D';
	return !sv_host_exists(l->host, path);
}

static int meet_all(struct sv_lock *l, char **names, size_t n,
	const struct sv_computer *machine, struct others *o, struct sv_err *err)
{
	for (size_t i = 0; i < n; i++) {
		sv_autofree char *file = sv_path_join(l->folder, names[i]);

		if (!file)
			return sv_fail_nomem(err);
		if (l->member && !strcmp(file, l->member))
			continue;
		o->entering |= names[i][0] == 'D';
		if (is_debris(l, names[i])
				? remove_stale(l->host, file, err) < 0
				: names[i][0] == 'M' && meet(l, file, machine, o, err) < 0)
			return -1;
	}
	return 0;
}

static int look_around(struct sv_lock *l, const struct sv_computer *machine, struct others *ret,
	struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	char **names;
	size_t n;
	int rc;

	*ret = (struct others){0};
	if (sv_host_list(l->host, l->folder, &names, &n, &why) < 0) {
		if (why.code == SV_NOTFOUND)
			return 0;
		sv_err_copy(err, &why);
		return -1;
	}
	rc = meet_all(l, names, n, machine, ret, err);
	sv_host_free_names(names, n);
	return rc;
}

/* ---- our member ---- */

static int make_folder(const struct sv_lock *l, struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;

	if (sv_host_make_dir(l->host, l->folder, &why) == 0 || why.code == SV_EXISTS)
		return 0;
	sv_err_copy(err, &why);
	return -1;
}

static int own_text(const struct sv_lock *l, const struct sv_computer *machine, uint32_t number,
	char ret[SV_LOCK_MEMBER_SIZE], struct sv_err *err)
{
	struct sv_lock_member m = {.number = number + 1, .exclusive = true};
	struct sv_process own;

	sv_process_own(&own);
	m.pid = own.pid;
	m.start = own.start;
	snprintf(m.process, sizeof m.process, "%s", SV_LOCK_PROCESS);
	sv_lock_machine_text(machine, m.machine);
	return sv_lock_print(&m, l->folder, ret, err);
}

/* SV_EXISTS where the number is taken, SV_NOTFOUND where VMware has just removed the folder. */
static int make_member(struct sv_lock *l, const char *text, struct sv_err *err)
{
	sv_autofree char *entry = NULL;
	sv_autofree char *member = NULL;
	struct sv_err why = SV_ERR_INIT;
	uint16_t n;

	if (sv_random(&n, sizeof n, err) < 0)
		return -1;
	entry = sv_format("%s/E%05u.lck", l->folder, n);
	member = sv_format("%s/M%05u.lck", l->folder, n);
	if (!entry || !member)
		return sv_fail_nomem(err);
	if (sv_host_write_file(l->host, entry, text, SV_LOCK_MEMBER_SIZE, &why) < 0) {
		if (why.code != SV_EXISTS) /* then it is somebody else's */
			sv_host_unlink(l->host, entry, NULL);
		sv_err_copy(err, &why);
		return -1;
	}
	if (sv_host_rename(l->host, entry, member, false, err) < 0) {
		sv_host_unlink(l->host, entry, NULL);
		return -1;
	}
	l->member = SV_STEAL(member);
	return 0;
}

/* Takes our member away, and the folder if it is empty then. */
static void leave(struct sv_lock *l)
{
	if (l->member)
		sv_host_unlink(l->host, l->member, NULL);
	free(l->member);
	l->member = NULL;
	sv_host_remove_dir(l->host, l->folder, NULL);
}

static int refuse(const struct sv_lock *l, const struct others *o, struct sv_err *err)
{
	const char *file = o->entering ? l->folder : o->found.file;

	if (o->entering)
		sv_fail(err, SV_BUSY, file, "another program is about to lock it");
	else
		sv_fail(err, SV_BUSY, file, "it is locked: %s", o->found.reason);
	return sv_hint(err,
		"close the machine in the program that has it open, then try again; if none "
		"has, delete %s",
		file);
}

/* One attempt. 1: somebody else comes or goes, it is worth another. */
static int attempt(struct sv_lock *l, const struct sv_computer *machine, struct others *o,
	struct sv_err *err)
{
	struct sv_err why = SV_ERR_INIT;
	char text[SV_LOCK_MEMBER_SIZE];

	if (make_folder(l, err) < 0 || look_around(l, machine, o, err) < 0)
		return -1;
	if (o->found.kind != SV_LOCK_NONE)
		return 0;
	if (own_text(l, machine, o->number, text, err) < 0)
		return -1;
	if (make_member(l, text, &why) < 0) {
		if (why.code == SV_EXISTS || why.code == SV_NOTFOUND)
			return 1;
		sv_err_copy(err, &why);
		return -1;
	}
	if (look_around(l, machine, o, err) < 0)
		return -1;
	return o->entering ? 1 : 0;
}

static int take(struct sv_lock *l, const struct sv_computer *machine, struct sv_err *err)
{
	struct others o = {0};
	int rc = 1;

	for (unsigned i = 0; i < TRIES && rc == 1; i++) {
		if (i) {
			leave(l);
			nanosleep(&(struct timespec){.tv_nsec = PAUSE_MSEC * 1000000L}, NULL);
		}
		rc = attempt(l, machine, &o, err);
	}
	if (rc < 0) {
		leave(l);
		return -1;
	}
	return o.entering || o.found.kind != SV_LOCK_NONE || rc ? refuse(l, &o, err) : 0;
}

int sv_lock_take(struct sv_host *host, const char *path, const struct sv_computer *machine,
	struct sv_lock **ret, struct sv_err *err)
{
	struct sv_lock *l = calloc(1, sizeof *l);

	if (!l)
		return sv_fail_nomem(err);
	l->host = host;
	l->folder = sv_format("%s.lck", path);
	if (!l->folder ? sv_fail_nomem(err) < 0 : take(l, machine, err) < 0) {
		sv_lock_release(l);
		return -1;
	}
	*ret = l;
	return 0;
}

void sv_lock_release(struct sv_lock *l)
{
	if (!l)
		return;
	if (l->folder)
		leave(l);
	free(l->folder);
	free(l);
}
