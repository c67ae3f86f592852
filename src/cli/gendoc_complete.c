/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Completions for bash and zsh, from the commands' tables. */
#include "cli/gendoc.h"

#include "base/str.h"
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

static void put_words(const struct sv_opt *table)
{
	for (const struct sv_opt *o = table; o->kind != SV_OPT_END; o++) {
		if (o->hidden)
			continue;
		printf(" --%s%s", o->name, o->value ? "=" : "");
		if (o->letter)
			printf(" -%c", o->letter);
	}
}

/* First words of all commands, each once: "show", "image". */
static void put_first_words(void)
{
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		size_t n = strcspn((*c)->name, " ");
		bool again = c > sv_commands && strncmp(c[-1]->name, (*c)->name, n) == 0 &&
			     c[-1]->name[n] == ' ';

		if (!(*c)->hidden && !again)
			printf(" %.*s", (int)n, (*c)->name);
	}
}

static void put_second_words(const char *group, size_t n)
{
	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		if (!(*c)->hidden && strncmp((*c)->name, group, n) == 0 && (*c)->name[n] == ' ')
			printf(" %s", (*c)->name + n + 1);
}

static const char *action(enum sv_complete complete)
{
	switch (complete) {
	case SV_COMPLETE_FILE:
		return "-f";
	case SV_COMPLETE_DIR:
		return "-d";
	case SV_COMPLETE_NONE:
		break;
	}
	return "";
}

/* What may follow --option=: choices or files. */
static void bash_values(const struct sv_opt *table)
{
	for (const struct sv_opt *o = table; o->kind != SV_OPT_END; o++) {
		if (o->kind == SV_OPT_CHOICE) {
			printf("\t--%s) words=\"", o->name);
			for (size_t i = 0; o->choices[i]; i++)
				printf("%s%s", i ? " " : "", o->choices[i]);
			puts("\" ;;");
		} else if (o->value && !o->hidden) {
			printf("\t--%s) kind=%s ;;\n", o->name,
				*action(o->complete) ? action(o->complete) : "none");
		}
	}
}

void sv_complete_bash(void)
{
	puts("# bash completion for sharevm; generated from its option tables\n"
	     "_sharevm() {\n"
	     "    local cur prev cmd i words='' kind='' value=''\n"
	     "    COMPREPLY=()\n"
	     "    cur=${COMP_WORDS[COMP_CWORD]}\n"
	     "    prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "    # readline splits --color=never at '='\n"
	     "    if [ \"$cur\" = '=' ]; then cur=''; value=$prev\n"
	     "    elif [ \"$prev\" = '=' ]; then value=${COMP_WORDS[COMP_CWORD-2]}\n"
	     "    else value=$prev; fi\n"
	     "    cmd=''\n"
	     "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "        case ${COMP_WORDS[i]} in\n"
	     "        -*) ;;\n"
	     "        *) cmd=${COMP_WORDS[i]}; break ;;\n"
	     "        esac\n"
	     "    done");
	puts("    case $cmd in");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		size_t n = strcspn((*c)->name, " ");

		if ((*c)->name[n] != ' ' ||
			(c > sv_commands && !strncmp(c[-1]->name, (*c)->name, n + 1)))
			continue;
		printf("    %.*s)\n        if [ $((i + 1)) -lt \"$COMP_CWORD\" ]; then\n"
		       "            cmd=\"$cmd ${COMP_WORDS[i+1]}\"\n        else\n"
		       "            words='",
			(int)n, (*c)->name);
		put_second_words((*c)->name, n);
		puts(" --help'\n        fi ;;");
	}
	puts("    esac\n    [ -n \"$words\" ] || case $value in");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++)
		bash_values((*c)->options);
	bash_values(sv_global_options);
	puts("    esac\n    if [ -z \"$words$kind\" ]; then\n        case $cmd in");
	fputs("        '') words='", stdout);
	put_first_words();
	put_words(sv_global_options);
	puts("' ;;");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		printf("        '%s')\n            case $cur in\n            -*) words='",
			(*c)->name);
		put_words((*c)->options);
		put_words(sv_global_options);
		printf("' ;;\n            *) kind='%s' ;;\n            esac ;;\n",
			*action((*c)->complete) ? action((*c)->complete) : "none");
	}
	puts("        esac\n    fi\n"
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
	     "complete -F _sharevm sharevm");
}

/* ---- zsh ---- */

/* A description within '…[…]': quotes, brackets and colons have a meaning there. */
static void put_zsh_text(const char *text)
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
	printf(" \\\n        '%s%s%s%s[", o->kind == SV_OPT_LIST ? "*" : "", dashes, name,
		!o->value   ? ""
		: dashes[1] ? "="
			    : "+");
	put_zsh_text(o->help);
	putchar(']');
	if (o->kind == SV_OPT_CHOICE) {
		printf(":%s:(", o->value);
		for (size_t i = 0; o->choices[i]; i++)
			printf("%s%s", i ? " " : "", o->choices[i]);
		putchar(')');
	} else if (o->value) {
		printf(":%s:%s", o->value,
			o->complete == SV_COMPLETE_DIR    ? "_files -/"
			: o->complete == SV_COMPLETE_FILE ? "_files"
							  : " ");
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

void sv_complete_zsh(void)
{
	puts("#compdef sharevm\n# zsh completion for sharevm; generated from its option tables\n"
	     "_sharevm() {\n"
	     "    local cmd=${words[2]-}\n"
	     "    if (( CURRENT == 2 )); then\n"
	     "        local -a commands=(");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		size_t n = strcspn((*c)->name, " ");

		if ((*c)->hidden || (c > sv_commands && !strncmp(c[-1]->name, (*c)->name, n) &&
					    c[-1]->name[n] == ' '))
			continue;
		printf("            '%.*s:", (int)n, (*c)->name);
		put_zsh_text((*c)->name[n] ? "disk images" : (*c)->summary);
		puts("'");
	}
	puts("        )\n        _describe command commands\n        return\n    fi");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		size_t n = strcspn((*c)->name, " ");

		if (!(*c)->name[n] ||
			(c > sv_commands && !strncmp(c[-1]->name, (*c)->name, n + 1)))
			continue;
		printf("    if [[ $cmd == %.*s ]]; then\n"
		       "        if (( CURRENT == 3 )); then compadd --",
			(int)n, (*c)->name);
		put_second_words((*c)->name, n);
		puts("; return; fi\n        cmd=\"$cmd ${words[3]-}\"\n    fi");
	}
	puts("    case $cmd in");
	for (const struct sv_cmd *const *c = sv_commands; *c; c++) {
		printf("    '%s') _arguments -s", (*c)->name);
		zsh_options((*c)->options);
		zsh_options(sv_global_options);
		printf(" \\\n        '*:%s:%s' ;;\n", (*c)->operand,
			(*c)->complete == SV_COMPLETE_DIR    ? "_files -/"
			: (*c)->complete == SV_COMPLETE_FILE ? "_files"
							     : " ");
	}
	puts("    esac\n}\n_sharevm \"$@\"");
}
