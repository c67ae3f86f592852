/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the guest room share beyond guest.h. */
#ifndef SV_GUEST_PRIVATE_H
#define SV_GUEST_PRIVATE_H

#include "guest/guest.h"

/* The guest as it is allocated: the public part first, then what callers must not see. */
struct sv_guest_impl {
	struct sv_guest pub;
	struct sv_fs **fs; /* by volume; NULL where it is not readable */
};

/* Puts a copy of `value` in place of *text. */
int sv_guest_set_text(char **text, const char *value, struct sv_err *err);

/*
 * windows.c: fills g->os, g->system_volume and the drive letters where one of the volumes
 * holds a Windows. What cannot be found out stays "" (a damaged hive is told by a note): only
 * SV_NOMEM and SV_CANCELLED are errors. `brief`: SOFTWARE, which may be large, is only read
 * where SYSTEM tells no letter.
 */
int sv_windows_detect(struct sv_guest *g, bool brief, struct sv_job *job, struct sv_err *err);

#endif
