/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The registry of a Windows on a guest's disk, as that Windows would show it: hives mounted
 * below HKEY_LOCAL_MACHINE and HKEY_USERS, CurrentControlSet, users by name. Hives are opened
 * when they are asked for. Belongs to the guest's thread; the guest must outlive it.
 */
#ifndef SV_GUEST_REGISTRY_H
#define SV_GUEST_REGISTRY_H

#include "guest/guest.h"
#include "hive/hive.h"

struct sv_registry;

/* Of the guest's system number `system` (0: guest->os). SV_NOTFOUND where that is no Windows.
 * Damaged hives become notes of the job. */
int sv_registry_open(struct sv_guest *g, size_t system, struct sv_job *job,
	struct sv_registry **ret, struct sv_err *err);
void sv_registry_close(struct sv_registry *r);
SV_DEFINE_CLEANUP(struct sv_registry, sv_registry_close)

struct sv_registry_mount {
	char *path; /* "HKEY_LOCAL_MACHINE\SOFTWARE", "HKEY_USERS\S-1-5-21-…-1001" */
	char *file; /* in its volume, with '/' */
	size_t volume;
	char *user; /* whose hive it is; "" for none */
};
/* Where hives are mounted; those of users come last. Owned by the registry. */
int sv_registry_mounts(struct sv_registry *r, const struct sv_registry_mount **ret,
	size_t *ret_n, struct sv_err *err);
/* The hive at a mount (index), opened once; owned by the registry until it is released. */
int sv_registry_hive(
	struct sv_registry *r, size_t mount, struct sv_hive **ret, struct sv_err *err);
void sv_registry_release(struct sv_registry *r, size_t mount);

struct sv_registry_key {
	struct sv_hive *hive; /* NULL: a key above all hives, as HKEY_LOCAL_MACHINE */
	sv_hive_key key;
	char *path; /* in full, names as they are stored */
};
void sv_registry_key_free(struct sv_registry_key *k); /* frees the content */
#define sv_autoregkey SV_CLEANUP(sv_registry_key_free)

/*
 * "HKLM\SOFTWARE\Microsoft", "HKLM/SYSTEM/CurrentControlSet", "HKU\S-1-5-18",
 * "HKU\Zoë\Software", "HKCU\…" (where there is one user), "HKCR\…"; names compared without
 * case. The separator is
 * '\' where the path has one, else '/'. SV_NOTFOUND names what is missing.
 */
int sv_registry_find(struct sv_registry *r, const char *path, struct sv_registry_key *ret,
	struct sv_err *err);

/* The same below the root of one hive; `top` is what its root is called in the result. */
int sv_registry_descend(struct sv_hive *h, const char *top, const char *path,
	struct sv_registry_key *ret, struct sv_err *err);

/* What the root of a hive in a file of that name is called: "HKEY_LOCAL_MACHINE\SOFTWARE" for
 * "…/config/software", "HKEY_CURRENT_USER" for "NTUSER.DAT". Caller frees. */
char *sv_registry_top_of_file(const char *file, struct sv_err *err);

/* ---- what Windows' registry tells in several places ---- */

/* A string or number below a key of the hive; false where there is none. The string is freed by
 * the caller. */
bool sv_registry_string(
	struct sv_hive *h, const char *key, const char *value, char **ret, struct sv_err *err);
bool sv_registry_dword(struct sv_hive *h, const char *key, const char *value, uint32_t *ret);

#endif
