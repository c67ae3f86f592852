/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands, one cmd_NAME.c each. */
#ifndef SV_CLI_COMMANDS_H
#define SV_CLI_COMMANDS_H

#include "cli/cmd.h"

extern const struct sv_cmd sv_cmd_apps;
extern const struct sv_cmd sv_cmd_cat;
extern const struct sv_cmd sv_cmd_cp;
extern const struct sv_cmd sv_cmd_df;
extern const struct sv_cmd sv_cmd_diff;
extern const struct sv_cmd sv_cmd_extend;
extern const struct sv_cmd sv_cmd_find;
extern const struct sv_cmd sv_cmd_flatten;
extern const struct sv_cmd sv_cmd_help;
extern const struct sv_cmd sv_cmd_image_check;
extern const struct sv_cmd sv_cmd_image_compare;
extern const struct sv_cmd sv_cmd_image_convert;
extern const struct sv_cmd sv_cmd_image_create;
extern const struct sv_cmd sv_cmd_image_info;
extern const struct sv_cmd sv_cmd_image_map;
extern const struct sv_cmd sv_cmd_list;
extern const struct sv_cmd sv_cmd_ls;
extern const struct sv_cmd sv_cmd_reg;
extern const struct sv_cmd sv_cmd_rollback;
extern const struct sv_cmd sv_cmd_show;
extern const struct sv_cmd sv_cmd_stat;
extern const struct sv_cmd sv_cmd_usage;
extern const struct sv_cmd sv_cmd_verify;

#endif
