/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Help screens: see help.h. The text is the commands' own tables. */
#include "cli/help.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"

#include <ctype.h>
#include <string.h>

static const struct sv_example overview[] = {
	{"sharevm show Win10.vmx", "what is inside, and how full it is"},
	{"sharevm extend Win10.vmx --to 120G", "give a full C: drive more room"},
	{"sharevm ls Win10.vmx:C:/Users", "look at files without starting it"},
	{"sharevm cp Win10.vmx:C:/Users/me/Desktop .", "take files out of it"},
	{0},
};

static void put_examples(struct sv_out *o, const struct sv_example *examples)
{
	size_t width = 0;

	sv_out_in(o, SV_STYLE_BOLD, "Examples:");
	sv_out_nl(o);
	for (const struct sv_example *e = examples; e->command; e++)
		width = SV_MAX(width, *e->what ? strlen(e->command) : 0);
	for (const struct sv_example *e = examples; e->command; e++) {
		sv_out_spaces(o, 2);
		sv_out_in(o, SV_STYLE_GOOD, "%s", e->command);
		if (*e->what) {
			sv_out_spaces(o, width - strlen(e->command) + 2);
			sv_out_f(o, "%s", e->what);
		}
		sv_out_nl(o);
	}
	sv_out_nl(o);
}

static size_t put_option_name(struct sv_out *o, const struct sv_opt *opt)
{
	sv_autofree char *name =
		opt->letter ? sv_format("-%c, --%s%s%s", opt->letter, opt->name,
				      opt->value ? " " : "", opt->value ? opt->value : "")
			    : sv_format("    --%s%s%s", opt->name, opt->value ? " " : "",
				      opt->value ? opt->value : "");

	if (!name)
		return 0;
	if (o)
		sv_out_f(o, "%s", name);
	return strlen(name);
}

static void put_options(struct sv_out *o, const struct sv_opt *table)
{
	size_t width = 0;

	for (const struct sv_opt *opt = table; opt->kind != SV_OPT_END; opt++)
		width = SV_MAX(width, opt->hidden ? 0 : put_option_name(NULL, opt));
	for (const struct sv_opt *opt = table; opt->kind != SV_OPT_END; opt++) {
		if (opt->hidden)
			continue;
		sv_out_spaces(o, 2);
		sv_out_spaces(o, width - put_option_name(o, opt) + 2);
		sv_out_line(o, "%s", opt->help);
	}
	if (table->kind != SV_OPT_END)
		sv_out_nl(o);
}

static void put_globals(struct sv_out *o)
{
	sv_out_in(o, SV_STYLE_DIM,
		"Global: --json --plain -n/--dry-run -y/--yes --no-input --color=WHEN -q -v -h");
	sv_out_nl(o);
}

void sv_help_command(struct sv_out *o, const struct sv_cmd *cmd)
{
	put_examples(o, cmd->examples);
	sv_out_in(o, SV_STYLE_BOLD, "Usage:");
	sv_out_f(o, " sharevm %s ", cmd->name);
	sv_out_wrap(o, 16 + strlen(cmd->name), 16 + strlen(cmd->name), cmd->synopsis);
	sv_out_line(o, "%c%s.", toupper((unsigned char)cmd->summary[0]), cmd->summary + 1);
	sv_out_nl(o);
	put_options(o, cmd->options);
	put_globals(o);
	sv_out_in(o, SV_STYLE_DIM, "More:   man sharevm-");
	for (const char *p = cmd->name; *p; p++)
		sv_out_in(o, SV_STYLE_DIM, "%c", *p == ' ' ? '-' : *p);
	sv_out_nl(o);
}

/* What the commands of a group are about. */
static const char *const groups[][2] = {{"image", "disk images"}};

static const char *about(const char *group)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(groups); i++) {
		if (!strcmp(groups[i][0], group))
			return groups[i][1];
	}
	return group;
}

static void put_line(struct sv_out *o, const char *name, size_t width, const char *text)
{
	sv_out_spaces(o, 2);
	sv_out_in(o, SV_STYLE_BOLD, "%s", name);
	sv_out_spaces(o, width - strlen(name) + 2);
	sv_out_wrap(o, width + 4, width + 4, text);
}

/* The first word of a command of two; NULL for others. Caller frees. */
static char *group_of(const struct sv_cmd *cmd)
{
	const char *blank = strchr(cmd->name, ' ');

	return blank ? strndup(cmd->name, (size_t)(blank - cmd->name)) : NULL;
}

/* One line for all commands of a group, which begins at `c`. */
static void put_group(
	struct sv_out *o, const struct sv_cmd *const *c, const char *group, size_t width)
{
	sv_autofree char *prefix = sv_format("%s ", group);
	sv_autostr struct sv_str text = {0};

	sv_str_addf(&text, "%s: ", about(group));
	for (unsigned n = 0; *c && prefix; c++) {
		if (!(*c)->hidden && sv_starts_with((*c)->name, prefix))
			sv_str_addf(
				&text, "%s%s", n++ ? ", " : "", (*c)->name + strlen(prefix));
	}
	put_line(o, group, width, text.data ? text.data : "");
}

/* Commands that share a line of the overview, which has to fit a screen. */
static const char *const together[][2] = {
	{"ls, cat, cp, stat", "list, print and copy files; all about one of them"},
	{"df, usage", "how full volumes are; what fills them, and what will grow"},
	{"apps, reg", "software that is installed; the registry of a Windows"},
	{"verify, rollback", "is an extended machine sound; undo the extension"},
};

/* Does the list "ls, cat, cp" have the word? *ret_first: as its first. */
static bool lists(const char *list, const char *word, bool *ret_first)
{
	size_t n = strlen(word);

	for (const char *p = list; *p; p += strspn(p, ", ")) {
		size_t len = strcspn(p, ",");

		if (len == n && !strncmp(p, word, n)) {
			*ret_first = p == list;
			return true;
		}
		p += len;
	}
	return false;
}

static void put_single(struct sv_out *o, const struct sv_cmd *cmd, size_t width)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(together); i++) {
		bool first;

		if (!lists(together[i][0], cmd->name, &first))
			continue;
		if (first)
			put_line(o, together[i][0], width, together[i][1]);
		return;
	}
	put_line(o, cmd->name, width, cmd->summary);
}

static size_t width_of_all(void)
{
	size_t width = 0;

	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		width = SV_MAX(width, (*c)->hidden ? 0 : strcspn((*c)->name, " "));
	for (size_t i = 0; i < SV_ARRAY_LEN(together); i++)
		width = SV_MAX(width, strlen(together[i][0]));
	return width;
}

static void put_all_commands(struct sv_out *o)
{
	sv_autofree char *last = NULL;
	size_t width = width_of_all();

	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		char *group = group_of(*c);

		if (!group && !(*c)->hidden)
			put_single(o, *c, width);
		else if (group && (!last || strcmp(group, last) != 0))
			put_group(o, c, group, width);
		free(last);
		last = group;
	}
	sv_out_nl(o);
}

static void put_commands(struct sv_out *o, const char *prefix)
{
	size_t width = 0;

	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (!(*c)->hidden && sv_starts_with((*c)->name, prefix))
			width = SV_MAX(width, strlen((*c)->name));
	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (!(*c)->hidden && sv_starts_with((*c)->name, prefix))
			put_line(o, (*c)->name, width, (*c)->summary);
	sv_out_nl(o);
}

void sv_help_all(struct sv_out *o)
{
	put_examples(o, overview);
	sv_out_in(o, SV_STYLE_BOLD, "Usage:");
	sv_out_line(o, " sharevm COMMAND [OPTION]...      sharevm COMMAND --help");
	put_all_commands(o);
	put_globals(o);
}

void sv_help_group(struct sv_out *o, const char *group)
{
	sv_autofree char *prefix = sv_format("%s ", group);

	sv_out_in(o, SV_STYLE_BOLD, "Usage:");
	sv_out_line(o, " sharevm %s COMMAND      sharevm %s COMMAND --help", group, group);
	put_commands(o, prefix ? prefix : "");
	put_globals(o);
}

static int run_help(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct sv_words *words = &((const struct sv_args *)args)->operands;
	const struct sv_cmd *cmd;

	if (!words->n) {
		sv_help_all(&cli->out);
		return SV_EXIT_OK;
	}
	if (words->n == 1 && sv_cmd_is_group(words->item[0])) {
		sv_help_group(&cli->out, words->item[0]);
		return SV_EXIT_OK;
	}
	cmd = sv_cmd_by_words(words->item[0], words->n > 1 ? words->item[1] : NULL, err);
	if (!cmd)
		return -1;
	sv_help_command(&cli->out, cmd);
	return SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm help extend", "the help of one command"},
	{"sharevm help", "all commands"},
	{"man sharevm-extend", "the whole story"},
	{0},
};
static const struct sv_opt options[] = {{SV_OPT_END}};

const struct sv_cmd sv_cmd_help = {
	.name = "help",
	.summary = "help on a command",
	.synopsis = "[COMMAND]",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct sv_args),
	.operand = "COMMAND",
	.max_operands = 2,
	.run = run_help,
};
