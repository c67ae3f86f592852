/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program of the build, not installed: prints the manual pages and the shells' completions
 * from the commands' own tables, so that they cannot disagree with the parser.
 *
 *   gendoc man [COMMAND] [PROSE-FILE]   sharevm(1), sharevm-COMMAND(1), sharevm-image(1)
 *   gendoc bash | zsh                   a completion
 *   gendoc names                        the commands, one a line
 *
 * PROSE-FILE is troff: what the table does not say, from DESCRIPTION on.
 */
#include "base/num.h"
#include "cli/commands.h"
#include "cli/gendoc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSERT ".\\\" the commands and the options of every command\n"

static int print_names(void)
{
	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (!(*c)->hidden)
			puts((*c)->name);
	return 0;
}

/* Copies the prose; a line of its own that says INSERT stands for the commands and options
 * of all. The page is made without prose where there is none. */
static int copy_prose(const char *path)
{
	char *line = NULL;
	size_t cap = 0;
	FILE *f;

	if (!path)
		return 0;
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		return 1;
	}
	while (getline(&line, &cap, f) > 0) {
		if (strcmp(line, INSERT) == 0)
			sv_man_commands();
		else
			fputs(line, stdout);
	}
	free(line);
	fclose(f);
	return 0;
}

static int print_page(const char *name, const char *prose)
{
	const struct sv_cmd *const *c = sv_commands;

	if (!*name) {
		sv_man_begin_all();
		if (copy_prose(prose))
			return 1;
		sv_man_end_all();
		return 0;
	}
	if (strcmp(name, "image") == 0) {
		sv_man_begin_group(name);
		if (copy_prose(prose))
			return 1;
		sv_man_end_group(name);
		return 0;
	}
	while (*c && strcmp((*c)->name, name) != 0)
		c++;
	if (!*c) {
		fprintf(stderr, "gendoc: no command '%s'\n", name);
		return 1;
	}
	sv_man_begin(*c);
	if (copy_prose(prose))
		return 1;
	sv_man_end(*c);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "names") == 0)
		return print_names();
	if (strcmp(what, "man") == 0 && argc > 2)
		return print_page(argv[2], argc > 3 ? argv[3] : NULL);
	if (strcmp(what, "bash") == 0)
		sv_complete_bash();
	else if (strcmp(what, "zsh") == 0)
		sv_complete_zsh();
	else
		return 2;
	return 0;
}
