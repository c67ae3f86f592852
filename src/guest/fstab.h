/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /etc/fstab and other small files of Unix guests, taken apart. Pure. */
#ifndef SV_GUEST_FSTAB_H
#define SV_GUEST_FSTAB_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct sv_fstab_entry {
	char *spec;    /* "UUID=…", "/dev/sda1" */
	char *dir;     /* "/", "/home" */
	char *type;    /* "ext4" */
	char *options; /* "defaults,noatime" */
};

struct sv_fstab {
	struct sv_fstab_entry *entries;
	size_t n;
};

/* fstab(5). Lines that are none are passed over; the error is SV_NOMEM. */
int sv_fstab_parse(const char *text, struct sv_fstab *ret, struct sv_err *err);
void sv_fstab_free(struct sv_fstab *t); /* frees the content */

/* The value of an option ("subvol" of "rw,subvol=@"), "" for one without. Caller frees; NULL
 * where it is not there (or memory is gone). */
char *sv_fstab_option(const struct sv_fstab_entry *e, const char *name);

/* The value of KEY in a file of KEY=value lines as a shell reads them (os-release(5)). Caller
 * frees; NULL where there is none. */
char *sv_shell_value(const char *text, const char *key);

/* The next line of a text without its end; NULL at the end. *text moves on. */
const char *sv_next_line(const char **text, size_t *ret_len);

#endif
