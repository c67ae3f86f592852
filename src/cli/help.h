/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Help screens: each fits 24 lines of 80 columns and begins with examples. */
#ifndef SV_CLI_HELP_H
#define SV_CLI_HELP_H

#include "cli/cmd.h"

void sv_help_all(struct sv_out *o); /* the commands of a group share a line */
void sv_help_command(struct sv_out *o, const struct sv_cmd *cmd);
/* The commands that begin with `group` ("image"). */
void sv_help_group(struct sv_out *o, const char *group);

#endif
