/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who uses a Windows: the accounts in SAM, and the profiles that SOFTWARE lists, which are
 * those of a domain's users too. An account's identifier is the machine's own one (the last 12
 * bytes of the domain's "V") and the account's number (the type of the value under its name).
 */
#include "guest/guest_private.h"
#include "guest/registry.h"

#include "base/endian.h"
#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNTS  "SAM\\Domains\\Account"
#define PROFILES  "Microsoft\\Windows NT\\CurrentVersion\\ProfileList"
#define USERS_MAX 10000

struct users {
	struct sv_guest_os *os;
	struct sv_hive *h;
	char machine[64]; /* "S-1-5-21-1-2-3"; "" where it is not known */
	struct sv_err *err;
};

static int nomem(struct users *u)
{
	sv_fail_nomem(u->err);
	return -1;
}

static struct sv_guest_user *by_id(struct sv_guest_os *os, const char *id)
{
	for (size_t i = 0; i < os->n_users; i++) {
		if (!strcasecmp(os->users[i].id, id))
			return &os->users[i];
	}
	return NULL;
}

/* Takes over nothing. */
static struct sv_guest_user *add(struct users *u, const char *name, const char *id)
{
	struct sv_guest_os *os = u->os;
	struct sv_guest_user *users, new = {strdup(name), strdup(id), strdup("")};

	users = os->n_users < USERS_MAX ? realloc(os->users, (os->n_users + 1) * sizeof *users)
					: NULL;
	if (users)
		os->users = users;
	if (!new.name || !new.id || !new.home || !users) {
		free(new.name);
		free(new.id);
		free(new.home);
		nomem(u);
		return NULL;
	}
	os->users[os->n_users] = new;
	return &os->users[os->n_users++];
}

/* ---- accounts ---- */

struct number {
	bool known;
	uint32_t rid;
};

static int take_number(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	struct number *number = user;

	(void)data, (void)n;
	if (!name[0])
		*number = (struct number){true, type};
	return 0;
}

static int add_account(void *user, const char *name, sv_hive_key key)
{
	struct users *u = user;
	struct number number = {0};
	char id[96];

	sv_hive_values(u->h, key, take_number, &number, NULL);
	snprintf(id, sizeof id, "%s-%u", u->machine, number.rid);
	return add(u, name, number.known && u->machine[0] ? id : "") ? 0 : -1;
}

static void read_machine_id(struct users *u, sv_hive_key root)
{
	sv_autofree uint8_t *data = NULL;
	sv_hive_key key;
	uint32_t type;
	size_t n = 0;

	if (sv_hive_find(u->h, root, ACCOUNTS, &key, NULL) == 0)
		data = sv_hive_value(u->h, key, "V", &type, &n, NULL);
	if (data && n >= 12)
		snprintf(u->machine, sizeof u->machine, "S-1-5-21-%u-%u-%u",
			sv_load_le32(data + n - 12), sv_load_le32(data + n - 8),
			sv_load_le32(data + n - 4));
}

static int read_accounts(struct users *u)
{
	sv_hive_key root, names;

	if (sv_hive_root(u->h, &root, NULL) < 0)
		return 0;
	read_machine_id(u, root);
	if (sv_hive_find(u->h, root, ACCOUNTS "\\Users\\Names", &names, NULL) < 0)
		return 0;
	sv_hive_subkeys(u->h, names, add_account, u, NULL);
	return u->err->code == SV_NOMEM ? -1 : 0;
}

/* ---- profiles ---- */

static int add_profile(void *user, const char *name, sv_hive_key key)
{
	struct users *u = user;
	sv_autofree char *home = sv_hive_string(u->h, key, "ProfileImagePath", NULL);
	struct sv_guest_user *found;
	const char *folder;

	if (!home || sv_ends_with(name, ".bak"))
		return 0;
	folder = strrchr(home, '\\');
	found = by_id(u->os, name);
	if (!found)
		found = add(u, folder ? folder + 1 : home, name);
	if (!found)
		return -1;
	free(found->home);
	found->home = SV_STEAL(home);
	return 0;
}

static int read_profiles(struct users *u)
{
	sv_hive_key root, list;

	if (sv_hive_root(u->h, &root, NULL) < 0 ||
		sv_hive_find(u->h, root, PROFILES, &list, NULL) < 0)
		return 0;
	sv_hive_subkeys(u->h, list, add_profile, u, NULL);
	return u->err->code == SV_NOMEM ? -1 : 0;
}

int sv_windows_users(struct sv_guest_os *os, struct sv_hive *sam, struct sv_hive *software,
	struct sv_err *err)
{
	struct sv_err own = SV_ERR_INIT;
	struct users u = {.os = os, .h = sam, .err = &own};
	int rc = sam ? read_accounts(&u) : 0;

	u.h = software;
	if (rc == 0 && software)
		rc = read_profiles(&u);
	if (rc < 0)
		sv_err_copy(err, &own);
	return rc;
}
