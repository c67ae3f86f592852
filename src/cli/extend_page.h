/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plan and the result of an extension, for people and as JSON. */
#ifndef SV_CLI_EXTEND_PAGE_H
#define SV_CLI_EXTEND_PAGE_H

#include "cli/cmd.h"
#include "extend/extend.h"
#include "run/boot_check.h"

int sv_put_plan(struct sv_cli *cli, const struct sv_extend_plan *p, struct sv_err *err);
int sv_put_result(struct sv_cli *cli, const struct sv_extend_plan *p,
	const struct sv_extend_result *r, struct sv_err *err);
void sv_put_boot(struct sv_cli *cli, const struct sv_boot_report *boot);

/* `r` and `boot` NULL: there is none. */
void sv_put_extend_json(struct sv_cli *cli, const struct sv_extend_plan *p,
	const struct sv_extend_result *r, const struct sv_boot_report *boot);

#endif
