/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of the generator of manual pages and completions (gendoc.c). All print to stdout.
 */
#ifndef SV_CLI_GENDOC_H
#define SV_CLI_GENDOC_H

#include "cli/cmd.h"

/* A command's page up to and from its prose; the same for sharevm(1). */
void sv_man_begin(const struct sv_cmd *cmd);
void sv_man_end(const struct sv_cmd *cmd);
/* The page of a group of commands: "image". */
void sv_man_begin_group(const char *group);
void sv_man_end_group(const char *group);
void sv_man_begin_all(void);
void sv_man_commands(void);
void sv_man_end_all(void);

void sv_complete_bash(void);
void sv_complete_zsh(void);

#endif
