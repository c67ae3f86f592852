/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Small files of Unix guests: fstab(5), with white space in names as octal escapes, and
 * os-release(5), whose values are quoted as in a shell.
 */
#include "guest/fstab.h"

#include "base/cleanup.h"
#include "base/num.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 4096 /* more are a file that was made to keep us busy */

const char *sv_next_line(const char **text, size_t *ret_len)
{
	const char *line = *text;
	size_t n = strcspn(line, "\n");

	if (!*line)
		return NULL;
	*text = line + n + (line[n] == '\n');
	*ret_len = n && line[n - 1] == '\r' ? n - 1 : n;
	return line;
}

/* ---- fstab ---- */

static bool is_octal(const char *p, size_t n)
{
	return n >= 4 && p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
	       p[2] <= '7' && p[3] >= '0' && p[3] <= '7';
}

/* A field with "\040" as the character it stands for. */
static char *unescape(const char *p, size_t n)
{
	struct sv_str s = {0};

	while (n) {
		size_t step = is_octal(p, n) ? 4 : 1;
		char c = *p;

		if (step == 4)
			c = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
		sv_str_addn(&s, &c, 1);
		p += step;
		n -= step;
	}
	return sv_str_take(&s);
}

static void entry_free(struct sv_fstab_entry *e)
{
	free(e->spec);
	free(e->dir);
	free(e->type);
	free(e->options);
}

void sv_fstab_free(struct sv_fstab *t)
{
	for (size_t i = 0; i < t->n; i++)
		entry_free(&t->entries[i]);
	free(t->entries);
	*t = (struct sv_fstab){0};
}

/* The next field of a line; its length is 0 where there is none. */
static size_t next_field(const char **p, const char *end)
{
	size_t n = 0;

	while (*p < end && (**p == ' ' || **p == '\t'))
		(*p)++;
	while (*p + n < end && (*p)[n] != ' ' && (*p)[n] != '\t')
		n++;
	return n;
}

/* 1 for an entry, 0 for a line that is none. */
static int parse_line(
	const char *line, size_t len, struct sv_fstab_entry *ret, struct sv_err *err)
{
	char **fields[] = {&ret->spec, &ret->dir, &ret->type, &ret->options};
	const char *p = line, *end = line + len;

	*ret = (struct sv_fstab_entry){0};
	for (size_t i = 0; i < SV_ARRAY_LEN(fields); i++) {
		size_t n = next_field(&p, end);

		if ((!n && i < 3) || (i == 0 && *p == '#')) {
			entry_free(ret);
			return 0;
		}
		*fields[i] = unescape(p, n);
		if (!*fields[i]) {
			entry_free(ret);
			return sv_fail_nomem(err);
		}
		p += n;
	}
	return 1;
}

int sv_fstab_parse(const char *text, struct sv_fstab *ret, struct sv_err *err)
{
	struct sv_fstab t = {0};
	const char *line;
	size_t len;

	while (t.n < ENTRIES_MAX && (line = sv_next_line(&text, &len))) {
		struct sv_fstab_entry e, *grown;
		int rc = parse_line(line, len, &e, err);

		if (!rc)
			continue;
		grown = rc < 0 ? NULL : realloc(t.entries, (t.n + 1) * sizeof e);
		if (!grown) {
			if (rc > 0)
				entry_free(&e);
			sv_fstab_free(&t);
			return sv_fail_nomem(err);
		}
		t.entries = grown;
		t.entries[t.n++] = e;
	}
	*ret = t;
	return 0;
}

char *sv_fstab_option(const struct sv_fstab_entry *e, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = e->options; *p;) {
		size_t n = strcspn(p, ",");

		if (n >= len && !memcmp(p, name, len) && (n == len || p[len] == '='))
			return n == len ? strdup("") : strndup(p + len + 1, n - len - 1);
		p += n + (p[n] == ',');
	}
	return NULL;
}

/* ---- KEY=value ---- */

/* What a shell makes of a word: quotes go, a backslash keeps what follows it. */
static char *unquote(const char *p, size_t n)
{
	struct sv_str s = {0};
	char quote = 0;

	for (size_t i = 0; i < n; i++) {
		char c = p[i];

		if (!quote && (c == ' ' || c == '\t'))
			break;
		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? 0 : c;
			continue;
		}
		if (c == '\\' && quote != '\'' && i + 1 < n)
			c = p[++i];
		sv_str_addn(&s, &c, 1);
	}
	return sv_str_take(&s);
}

char *sv_shell_value(const char *text, const char *key)
{
	size_t key_len = strlen(key), len;
	char *value = NULL;
	const char *line;

	while ((line = sv_next_line(&text, &len))) {
		if (len <= key_len || memcmp(line, key, key_len) != 0 || line[key_len] != '=')
			continue;
		free(value); /* the last one counts */
		value = unquote(line + key_len + 1, len - key_len - 1);
	}
	return value;
}
