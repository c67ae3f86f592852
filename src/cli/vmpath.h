/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * "VM:PATH" taken apart: which machine on the host, which place inside it. An existing host
 * path wins over ':' (and over '@'), the longest one first: "a:b.vmx:C:/x" is the machine
 * "a:b.vmx" when such a file exists.
 */
#ifndef SV_CLI_VMPATH_H
#define SV_CLI_VMPATH_H

#include "io/host.h"

struct sv_vmpath {
	char *vm;
	char *inside; /* "C:/Users", "@disk0p2:/x", "/etc"; NULL where no place is named */
};

/* Splits; where no part exists on the host, at the first ':' (opening will say what is
 * missing). SV_USAGE for an empty name of the machine. */
int sv_vmpath_parse(
	struct sv_host *host, const char *text, struct sv_vmpath *ret, struct sv_err *err);
void sv_vmpath_free(struct sv_vmpath *p); /* frees the content */
#define sv_autovmpath SV_CLEANUP(sv_vmpath_free)

/* The same for a command that needs a place: SV_USAGE tells how one is written. */
int sv_vmpath_parse_place(
	struct sv_host *host, const char *text, struct sv_vmpath *ret, struct sv_err *err);

#endif
