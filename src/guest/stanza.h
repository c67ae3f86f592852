/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Records of "KEY: value" lines, parted by empty ones: the databases of dpkg and apk. Keys are
 * compared as they are written; lines that begin with white space go on with a value that is
 * not kept.
 */
#ifndef SV_GUEST_STANZA_H
#define SV_GUEST_STANZA_H

#include "base/str.h"
#include "guest/unix_files.h"

#define SV_STANZA_KEYS 12

struct sv_stanzas {
	struct sv_lines lines;
	const char *const *keys;            /* those that are wanted; NULL ends them */
	const char *values[SV_STANZA_KEYS]; /* of the record at hand, per key; "" for none */
	struct sv_str text;                 /* what they point into */
	size_t at[SV_STANZA_KEYS];          /* where; 0 for none */
};

/* `keys` is borrowed. */
int sv_stanzas_open(const struct sv_guest_place *p, const char *const *keys, struct sv_job *job,
	struct sv_stanzas *ret, struct sv_err *err);
/* 1: there is a next record; 0: no more; -1. */
int sv_stanzas_next(struct sv_stanzas *s, struct sv_err *err);
void sv_stanzas_close(struct sv_stanzas *s); /* frees the content */
#define sv_autostanzas SV_CLEANUP(sv_stanzas_close)

#endif
