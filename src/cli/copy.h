/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copies one file or tree of a guest into a sink, and counts. */
#ifndef SV_CLI_COPY_H
#define SV_CLI_COPY_H

#include "cli/cmd.h"
#include "cli/machine.h"
#include "cli/sink.h"

struct sv_copy {
	struct sv_cli *cli;
	struct sv_sink *sink;
	uint64_t files, folders, bytes;
	uint64_t links_left;   /* symbolic links that lead out of the copy */
	uint64_t special_left; /* device nodes, sockets, unknown reparse points */
	uint64_t failed;       /* could not be read or written; each was told */
	uint64_t total;        /* bytes of all that was counted: for progress */
};

/* `name`: what the copy's root is called. -1 stops everything: cancelled, disk full, … */
int sv_copy_place(
	struct sv_copy *c, const struct sv_place *from, const char *name, struct sv_err *err);

/* Adds to c->total what copying it will read. Metadata only: a few microseconds an object. */
int sv_copy_count(struct sv_copy *c, const struct sv_place *from, struct sv_err *err);

#endif
