/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Manual pages: troff with the man macros (groff_man(7)). */
#include "cli/gendoc.h"

#include <stdio.h>
#include <string.h>

/* Text of the tables; "\\f" in it is a font change and stays. */
static void put(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1] != 'f')
			fputs("\\e", stdout);
		else if (*p == '-')
			fputs("\\-", stdout);
		else
			putchar(*p);
	}
}

/* "image info" -> "image-info", as the page's file is called. */
static void put_page_name(const char *command)
{
	for (const char *p = command; *p; p++)
		fputs(*p == ' ' ? "\\-" : (char[]){*p, 0}, stdout);
}

/* Capitals are what the reader replaces. */
static void put_synopsis(const char *synopsis)
{
	bool variable = false;

	for (const char *p = synopsis; *p; p++) {
		bool upper = (*p >= 'A' && *p <= 'Z') || (variable && *p >= '0' && *p <= '9');
		char previous = p == synopsis ? ' ' : p[-1];
		bool begins = upper && !variable && !(previous >= 'a' && previous <= 'z') &&
			      previous != '-';

		if (begins)
			fputs("\\fI", stdout);
		if (variable && !upper)
			fputs("\\fR", stdout);
		variable = begins || (variable && upper);
		put((char[]){*p, 0});
	}
	puts(variable ? "\\fR" : "");
}

static void put_option(const struct sv_opt *opt)
{
	puts(".TP");
	if (opt->letter)
		printf("\\fB\\-%c\\fR, ", opt->letter);
	fputs("\\fB\\-\\-", stdout);
	put(opt->name);
	fputs("\\fR", stdout);
	if (opt->value)
		printf(" \\fI%s\\fR", opt->value);
	putchar('\n');
	put(opt->help);
	puts(".");
	if (opt->more) {
		put(opt->more);
		putchar('\n');
	}
}

static void put_options(const struct sv_opt *table)
{
	for (const struct sv_opt *opt = table; opt->kind != SV_OPT_END; opt++)
		if (!opt->hidden)
			put_option(opt);
}

static void put_examples(const struct sv_cmd *cmd)
{
	puts(".SH EXAMPLES");
	for (const struct sv_example *e = cmd->examples; e->command; e++) {
		puts(".TP");
		fputs("\\fB", stdout);
		put(e->command);
		puts("\\fR");
		put(*e->what ? e->what : "\\fR");
		putchar('\n');
	}
}

static void put_title(const char *command)
{
	fputs(".\\\" Generated from the option tables of the program and from man/*.in\n.TH \"SHAREVM",
		stdout);
	for (const char *p = command; *p; p++)
		putchar(*p == ' ' ? '-' : *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	printf("\" 1 \"\" \"sharevm %s\" \"sharevm\"\n", SV_VERSION);
}

void sv_man_begin(const struct sv_cmd *cmd)
{
	char title[64];

	snprintf(title, sizeof title, "-%s", cmd->name);
	put_title(title);
	fputs(".SH NAME\nsharevm\\-", stdout);
	put_page_name(cmd->name);
	fputs(" \\- ", stdout);
	put(cmd->summary);
	printf("\n.SH SYNOPSIS\n\\fBsharevm %s\\fR ", cmd->name);
	put_synopsis(cmd->synopsis);
}

static void put_command(const struct sv_cmd *cmd)
{
	printf(".TP\n\\fBsharevm %s\\fR ", cmd->name);
	put_synopsis(cmd->synopsis);
	put(cmd->summary);
	putchar('\n');
}

/* Is it one of the group's: "image info" of "image"? */
static bool is_in_group(const struct sv_cmd *cmd, const char *group)
{
	size_t n = strlen(group);

	return !cmd->hidden && !strncmp(cmd->name, group, n) && cmd->name[n] == ' ';
}

void sv_man_begin_group(const char *group)
{
	char title[64];

	snprintf(title, sizeof title, "-%s", group);
	put_title(title);
	printf(".SH NAME\nsharevm\\-%s \\- disk %ss: their formats, and what is done to them\n",
		group, group);
	printf(".SH SYNOPSIS\n\\fBsharevm %s\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n", group);
	puts(".SH COMMANDS");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		if (is_in_group(*c, group))
			put_command(*c);
	}
}

void sv_man_end_group(const char *group)
{
	puts(".SH SEE ALSO\n.BR sharevm (1)");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		if (!is_in_group(*c, group))
			continue;
		fputs(".br\n.BR sharevm\\-", stdout);
		put_page_name((*c)->name);
		puts(" (1)");
	}
}

void sv_man_end(const struct sv_cmd *cmd)
{
	puts(".SH OPTIONS");
	put_options(cmd->options);
	puts(".PP\nThe options that every command knows \\(em \\fB\\-\\-json\\fR, "
	     "\\fB\\-\\-plain\\fR, \\fB\\-n\\fR, \\fB\\-y\\fR, \\fB\\-\\-no\\-input\\fR, "
	     "\\fB\\-\\-color\\fR, \\fB\\-q\\fR, \\fB\\-v\\fR \\(em and the exit codes are "
	     "described in\n.BR sharevm (1).");
	put_examples(cmd);
	puts(".SH SEE ALSO\n.BR sharevm (1)");
}

void sv_man_begin_all(void)
{
	put_title("");
	puts(".SH NAME\nsharevm \\- opens virtual machines offline: looks, copies, extends");
	puts(".SH SYNOPSIS\n\\fBsharevm\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]...");
}

void sv_man_commands(void)
{
	puts(".SH COMMANDS");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		if (!(*c)->hidden)
			put_command(*c);
	}
	puts(".SH OPTIONS OF EVERY COMMAND");
	put_options(sv_global_options);
}

void sv_man_end_all(void)
{
	puts(".SH SEE ALSO");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		if ((*c)->hidden)
			continue;
		fputs(".BR sharevm\\-", stdout);
		put_page_name((*c)->name);
		puts(c[1] ? " (1)," : " (1)");
	}
}
