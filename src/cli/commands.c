/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands, and how one is found by its words. */
#include "cli/commands.h"

#include "base/str.h"
#include "cli/near.h"

#include <string.h>

const struct sv_cmd *const sv_commands[] = {
	&sv_cmd_list,
	&sv_cmd_show,
	&sv_cmd_ls,
	&sv_cmd_cat,
	&sv_cmd_cp,
	&sv_cmd_find,
	&sv_cmd_stat,
	&sv_cmd_df,
	&sv_cmd_usage,
	&sv_cmd_apps,
	&sv_cmd_reg,
	&sv_cmd_diff,
	&sv_cmd_extend,
	&sv_cmd_verify,
	&sv_cmd_rollback,
	&sv_cmd_flatten,
	&sv_cmd_image_info,
	&sv_cmd_image_check,
	&sv_cmd_image_map,
	&sv_cmd_image_create,
	&sv_cmd_image_convert,
	&sv_cmd_image_compare,
	&sv_cmd_help,
	NULL,
};

static const struct sv_cmd *find_exact(const char *name)
{
	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int unknown(const char *typed, struct sv_err *err)
{
	struct sv_near near = {.typed = typed};

	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (!(*c)->hidden)
			sv_near_offer(&near, (*c)->name);
	sv_fail(err, SV_USAGE, NULL, "unknown command '%s'", typed);
	if (near.best)
		return sv_hint(err, "did you mean 'sharevm %s'?", near.best);
	return sv_hint(err, "see 'sharevm help' for all commands");
}

bool sv_cmd_is_group(const char *group)
{
	size_t n = strlen(group);

	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (strncmp((*c)->name, group, n) == 0 && (*c)->name[n] == ' ')
			return true;
	return false;
}

const struct sv_cmd *sv_cmd_by_words(const char *first, const char *second, struct sv_err *err)
{
	const struct sv_cmd *cmd;
	sv_autofree char *two = NULL;

	if (!sv_cmd_is_group(first)) {
		cmd = find_exact(first);
		if (!cmd)
			unknown(first, err);
		return cmd;
	}
	if (!second) {
		sv_fail(err, SV_USAGE, NULL, "'%s' needs a command of its own", first);
		sv_hint(err, "see 'sharevm help %s'", first);
		return NULL;
	}
	two = sv_format("%s %s", first, second);
	if (!two) {
		sv_fail_nomem(err);
		return NULL;
	}
	cmd = find_exact(two);
	if (!cmd)
		unknown(two, err);
	return cmd;
}
