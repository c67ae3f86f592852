/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Errors as people and programs see them. */
#ifndef SV_CLI_REPORT_H
#define SV_CLI_REPORT_H

#include "cli/out.h"

/* The exit code that CLI.md promises for a code. */
int sv_exit_code(enum sv_code code);

/* "sharevm: PATH: offset 0x…: message" and "hint: …", or one JSON document. */
void sv_report(struct sv_out *msg, bool json, const struct sv_err *err);

#endif
