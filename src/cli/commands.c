/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands, and how one is found by its words. */
#include "cli/cmd.h"

#include "base/str.h"
#include "cli/help.h"
#include "cli/near.h"

#include <string.h>

const struct sv_cmd *const sv_commands[] = {
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

const struct sv_cmd *sv_cmd_find(
	char *const *argv, size_t argc, size_t *ret_used, struct sv_err *err)
{
	const struct sv_cmd *cmd = find_exact(argv[0]);
	sv_autofree char *two = NULL;

	*ret_used = 1;
	if (cmd)
		return cmd;
	if (sv_help_is_group(argv[0]) && argc < 2) {
		sv_fail(err, SV_USAGE, NULL, "'%s' needs a command of its own", argv[0]);
		sv_hint(err, "see 'sharevm help %s'", argv[0]);
		return NULL;
	}
	two = argc < 2 ? strdup(argv[0]) : sv_format("%s %s", argv[0], argv[1]);
	if (!two) {
		sv_fail_nomem(err);
		return NULL;
	}
	*ret_used = 2;
	cmd = find_exact(two);
	if (!cmd)
		unknown(sv_help_is_group(argv[0]) ? two : argv[0], err);
	return cmd;
}
