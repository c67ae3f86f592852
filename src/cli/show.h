/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `show`: one machine as JSON or as a page for people. */
#ifndef SV_CLI_SHOW_H
#define SV_CLI_SHOW_H

#include "cli/machine.h"

void sv_show_json(struct sv_cli *cli, const struct sv_machine *m);
int sv_show_page(struct sv_cli *cli, const struct sv_machine *m, struct sv_err *err);

/* Is everything readable that was found? Encrypted and unknown volumes are no fault. */
bool sv_show_complete(const struct sv_machine *m);

/* The volumes of the guest as a table (also what `ls VM` shows); `disk` SIZE_MAX: of all. */
int sv_show_volumes(struct sv_cli *cli, const struct sv_machine *m, size_t disk, size_t indent,
	struct sv_err *err);

#endif
