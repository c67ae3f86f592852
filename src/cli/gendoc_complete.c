/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Completions for bash and zsh, from the commands' tables. */
#include "cli/gendoc.h"

#include <stdio.h>
#include <string.h>

/* Length of the first word. */
static size_t first_word(const struct sv_cmd *cmd)
{
	return strcspn(cmd->name, " ");
}

/* Is it the first of several commands that share a word, as "image info"? */
static bool begins_group(const struct sv_cmd *const *c)
{
	size_t n = first_word(*c);

	return (*c)->name[n] &&
	       (c == sv_commands || strncmp(c[-1]->name, (*c)->name, n + 1) != 0);
}

/* Does it bring a first word that was not there before? */
static bool brings_word(const struct sv_cmd *const *c)
{
	return !(*c)->hidden && (!(*c)->name[first_word(*c)] || begins_group(c));
}

static void put_second_words(const struct sv_cmd *group)
{
	size_t n = first_word(group) + 1;

	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (!(*c)->hidden && strncmp((*c)->name, group->name, n) == 0)
			printf(" %s", (*c)->name + n);
}

static void put_choices(const struct sv_opt *o)
{
	for (size_t i = 0; o->choices[i]; i++)
		printf("%s%s", i ? " " : "", o->choices[i]);
}

/* ---- bash ---- */

static const char bash_begin[] =
	"# bash completion for sharevm; generated from its option tables\n"
	"_sharevm() {\n"
	"    local cur prev cmd='' i words='' kind='' value=''\n"
	"    COMPREPLY=()\n"
	"    cur=${COMP_WORDS[COMP_CWORD]}\n"
	"    prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"    # readline splits --color=never at '='\n"
	"    if [ \"$cur\" = '=' ]; then\n"
	"        cur=''\n"
	"        value=$prev\n"
	"    elif [ \"$prev\" = '=' ]; then\n"
	"        value=${COMP_WORDS[COMP_CWORD-2]}\n"
	"    else\n"
	"        value=$prev\n"
	"    fi\n"
	"    for ((i = 1; i < COMP_CWORD; i++)); do\n"
	"        case ${COMP_WORDS[i]} in\n"
	"        -*) ;;\n"
	"        *)\n"
	"            cmd=${COMP_WORDS[i]}\n"
	"            break\n"
	"            ;;\n"
	"        esac\n"
	"    done\n";

static const char bash_end[] =
	"    if [ -n \"$words\" ]; then\n"
	"        while IFS='' read -r i; do COMPREPLY+=(\"$i\"); done \\\n"
	"            < <(compgen -W \"$words\" -- \"$cur\")\n"
	"        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
	"    elif [ -n \"$kind\" ] && [ \"$kind\" != none ]; then\n"
	"        compopt -o filenames\n"
	"        while IFS='' read -r i; do COMPREPLY+=(\"$i\"); done \\\n"
	"            < <(compgen \"$kind\" -- \"$cur\")\n"
	"    fi\n"
	"    return 0\n"
	"}\n"
	"complete -F _sharevm sharevm\n";

static const char *bash_kind(enum sv_complete complete)
{
	switch (complete) {
	case SV_COMPLETE_FILE:
		return "-f";
	case SV_COMPLETE_DIR:
		return "-d";
	case SV_COMPLETE_NONE:
		break;
	}
	return "none";
}

/* "image" takes one word more to be a command. */
static void bash_groups(void)
{
	puts("    case $cmd in");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		if (!begins_group(c))
			continue;
		printf("    %.*s)\n"
		       "        if [ $((i + 1)) -lt \"$COMP_CWORD\" ]; then\n"
		       "            cmd=\"$cmd ${COMP_WORDS[i+1]}\"\n"
		       "        else\n"
		       "            words='--help",
			(int)first_word(*c), (*c)->name);
		put_second_words(*c);
		puts("'\n        fi\n        ;;");
	}
	puts("    esac");
}

/* What may follow an option: choices or files. */
static void bash_values(const char *pattern, /* its quote is still open */
	const struct sv_opt *table)
{
	for (const struct sv_opt *o = table; o->kind != SV_OPT_END; o++) {
		if (!o->value || o->hidden)
			continue;
		printf("    %s --%s') ", pattern, o->name);
		if (o->kind == SV_OPT_CHOICE) {
			printf("words='");
			put_choices(o);
			puts("' ;;");
		} else {
			printf("kind=%s ;;\n", bash_kind(o->complete));
		}
	}
}

static void bash_options(const struct sv_opt *table)
{
	for (const struct sv_opt *o = table; o->kind != SV_OPT_END; o++) {
		if (o->hidden)
			continue;
		printf(" --%s%s", o->name, o->value ? "=" : "");
		if (o->letter)
			printf(" -%c", o->letter);
	}
}

static void bash_command(const struct sv_cmd *cmd)
{
	printf("        '%s')\n            kind=%s\n            [[ $cur == -* ]] && words='",
		cmd->name, bash_kind(cmd->complete));
	bash_options(cmd->options);
	bash_options(sv_global_options);
	puts("'\n            ;;");
}

static void bash_words(void)
{
	puts("    if [ -z \"$words$kind\" ]; then\n        case $cmd in");
	fputs("        '') words='", stdout);
	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (brings_word(c))
			printf(" %.*s", (int)first_word(*c), (*c)->name);
	bash_options(sv_global_options);
	puts("' ;;");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		bash_command(*c);
	puts("        esac\n    fi");
}

void sv_complete_bash(void)
{
	fputs(bash_begin, stdout);
	bash_groups();
	puts("    case \"$cmd $value\" in");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		char quoted[64];

		snprintf(quoted, sizeof quoted, "'%s", (*c)->name);
		bash_values(quoted, (*c)->options);
	}
	bash_values("*'", sv_global_options);
	puts("    esac");
	bash_words();
	fputs(bash_end, stdout);
}

/* ---- zsh ---- */

static const char *zsh_kind(enum sv_complete complete)
{
	switch (complete) {
	case SV_COMPLETE_FILE:
		return "_files";
	case SV_COMPLETE_DIR:
		return "_files -/";
	case SV_COMPLETE_NONE:
		break;
	}
	return " ";
}

/* Within '…[…]' quotes, brackets and colons have a meaning. */
static void zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_option(const struct sv_opt *o, const char *dashes, const char *name)
{
	const char *joint = !o->value ? "" : dashes[1] ? "=" : "+";

	printf(" \\\n        '%s%s%s%s[", o->kind == SV_OPT_LIST ? "*" : "", dashes, name,
		joint);
	zsh_text(o->help);
	putchar(']');
	if (o->kind == SV_OPT_CHOICE) {
		printf(":%s:(", o->value);
		put_choices(o);
		putchar(')');
	} else if (o->value) {
		printf(":%s:%s", o->value, zsh_kind(o->complete));
	}
	putchar('\'');
}

static void zsh_options(const struct sv_opt *table)
{
	for (const struct sv_opt *o = table; o->kind != SV_OPT_END; o++) {
		if (o->hidden)
			continue;
		zsh_option(o, "--", o->name);
		if (o->letter)
			zsh_option(o, "-", (char[]){o->letter, 0});
	}
}

static void zsh_first_words(void)
{
	puts("    if (( CURRENT == 2 )); then\n        local -a commands=(");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		if (!brings_word(c))
			continue;
		printf("            '%.*s:", (int)first_word(*c), (*c)->name);
		zsh_text(begins_group(c) ? "several commands" : (*c)->summary);
		puts("'");
	}
	puts("        )\n        _describe command commands\n        return\n    fi");
}

static void zsh_groups(void)
{
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		if (!begins_group(c))
			continue;
		printf("    if [[ $cmd == %.*s ]]; then\n"
		       "        if (( CURRENT == 3 )); then\n            compadd --",
			(int)first_word(*c), (*c)->name);
		put_second_words(*c);
		puts("\n            return\n        fi\n        cmd=\"$cmd ${words[3]-}\"\n    fi");
	}
}

void sv_complete_zsh(void)
{
	puts("#compdef sharevm\n"
	     "# zsh completion for sharevm; generated from its option tables\n"
	     "_sharevm() {\n"
	     "    local cmd=${words[2]-}");
	zsh_first_words();
	zsh_groups();
	puts("    case $cmd in");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		printf("    '%s') _arguments -s", (*c)->name);
		zsh_options((*c)->options);
		zsh_options(sv_global_options);
		printf(" \\\n        '*:%s:%s' ;;\n", (*c)->operand, zsh_kind((*c)->complete));
	}
	puts("    esac\n}\n_sharevm \"$@\"");
}
