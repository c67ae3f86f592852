/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading options by their table: see opt.h. */
#include "cli/opt.h"

#include "base/str.h"
#include "cli/near.h"

#include <stdio.h>
#include <string.h>

struct reader {
	const struct sv_opt_scope *scopes;
	size_t n_scopes;
	char *const *argv;
	size_t argc;
	size_t at; /* the next word */
	struct sv_err *err;
};

/* An option as it was met. */
struct met {
	const struct sv_opt *opt;
	void *into;
	char shown[68];    /* "--to", "-o": for messages */
	const char *value; /* "=VALUE" or the rest of a bundle; NULL: none was attached */
};

void sv_words_free(struct sv_words *w)
{
	free(w->item);
	*w = (struct sv_words){0};
}

static int words_add(struct sv_words *w, const char *word, struct sv_err *err)
{
	const char **item = realloc(w->item, (w->n + 1) * sizeof *item);

	if (!item)
		return sv_fail_nomem(err);
	w->item = item;
	w->item[w->n++] = word;
	return 0;
}

static bool find_long(struct reader *r, const char *name, size_t n, struct met *m)
{
	for (size_t i = 0; i < r->n_scopes; i++) {
		for (const struct sv_opt *o = r->scopes[i].table; o->kind != SV_OPT_END; o++) {
			if (strlen(o->name) != n || memcmp(o->name, name, n) != 0)
				continue;
			m->opt = o;
			m->into = r->scopes[i].into;
			return true;
		}
	}
	return false;
}

static bool find_letter(struct reader *r, char letter, struct met *m)
{
	for (size_t i = 0; i < r->n_scopes; i++) {
		for (const struct sv_opt *o = r->scopes[i].table; o->kind != SV_OPT_END; o++) {
			if (o->letter != letter)
				continue;
			m->opt = o;
			m->into = r->scopes[i].into;
			return true;
		}
	}
	return false;
}

static int unknown_long(struct reader *r, const char *name, size_t n)
{
	sv_autofree char *typed = strndup(name, n);
	struct sv_near near = {.typed = typed};

	if (!typed)
		return sv_fail_nomem(r->err);
	for (size_t i = 0; i < r->n_scopes; i++)
		for (const struct sv_opt *o = r->scopes[i].table; o->kind != SV_OPT_END; o++)
			if (!o->hidden)
				sv_near_offer(&near, o->name);
	sv_fail(r->err, SV_USAGE, NULL, "unknown option '--%s'", typed);
	if (near.best)
		sv_hint(r->err, "did you mean --%s?", near.best);
	return -1;
}

static int take_choice(const struct met *m, int *field, struct sv_err *err)
{
	sv_autostr struct sv_str all = {0};
	struct sv_near near = {.typed = m->value};

	for (int i = 0; m->opt->choices[i]; i++) {
		if (strcmp(m->opt->choices[i], m->value) == 0) {
			*field = i;
			return 0;
		}
		sv_str_addf(&all, "%s%s", i ? ", " : "", m->opt->choices[i]);
		sv_near_offer(&near, m->opt->choices[i]);
	}
	sv_fail(err, SV_USAGE, NULL, "%s: '%s' is none of %s", m->shown, m->value,
		all.data ? all.data : "");
	if (near.best)
		sv_hint(err, "did you mean %s=%s?", m->shown, near.best);
	return -1;
}

static int take_size(const struct met *m, uint64_t *field, struct sv_err *err)
{
	uint64_t bytes;

	if (sv_size_parse(m->value, &bytes, err)) {
		sv_err_context(err, "%s", m->shown);
		return -1;
	}
	if (!bytes)
		return sv_fail(err, SV_USAGE, NULL, "%s: the size must be above 0", m->shown);
	*field = bytes;
	return 0;
}

static int take_set(struct reader *r, const struct met *m, int *field)
{
	const struct sv_opt *other = NULL;

	for (size_t i = 0; i < r->n_scopes; i++)
		for (const struct sv_opt *o = r->scopes[i].table; o->kind != SV_OPT_END; o++)
			if (o->kind == SV_OPT_SET && r->scopes[i].into == m->into &&
				o->field == m->opt->field && o->set == *field)
				other = o;
	if (other && other != m->opt)
		return sv_fail(r->err, SV_USAGE, NULL, "%s and --%s exclude each other",
			m->shown, other->name);
	*field = m->opt->set;
	return 0;
}

static bool wants_value(const struct sv_opt *o)
{
	return o->kind != SV_OPT_FLAG && o->kind != SV_OPT_SET;
}

/* Puts the met option into its field. */
static int take(struct reader *r, struct met *m)
{
	void *field = (char *)m->into + m->opt->field;

	if (wants_value(m->opt) && !m->value) {
		if (r->at == r->argc)
			return sv_fail(r->err, SV_USAGE, NULL, "%s needs a value: %s %s",
				m->shown, m->shown, m->opt->value);
		m->value = r->argv[r->at++];
	}
	switch (m->opt->kind) {
	case SV_OPT_FLAG:
		*(bool *)field = true;
		return 0;
	case SV_OPT_SET:
		return take_set(r, m, field);
	case SV_OPT_CHOICE:
		return take_choice(m, field, r->err);
	case SV_OPT_TEXT:
		*(const char **)field = m->value;
		return 0;
	case SV_OPT_SIZE:
		return take_size(m, field, r->err);
	case SV_OPT_LIST:
		return words_add(field, m->value, r->err);
	case SV_OPT_END:
		break;
	}
	return sv_fail(r->err, SV_INTERNAL, NULL, "%s has no kind", m->shown);
}

static int read_long(struct reader *r, const char *word)
{
	size_t n = strcspn(word + 2, "=");
	struct met m = {0};

	if (!find_long(r, word + 2, n, &m))
		return unknown_long(r, word + 2, n);
	snprintf(m.shown, sizeof m.shown, "--%s", m.opt->name);
	if (word[2 + n] == '=') {
		if (!wants_value(m.opt))
			return sv_fail(r->err, SV_USAGE, NULL, "%s takes no value", m.shown);
		m.value = word + 2 + n + 1;
	}
	return take(r, &m);
}

static int read_letters(struct reader *r, const char *word)
{
	for (const char *p = word + 1; *p; p++) {
		struct met m = {.shown = {'-', *p, 0}};
		bool last;

		if (!find_letter(r, *p, &m))
			return sv_fail(r->err, SV_USAGE, NULL, "unknown option '-%c' in '%s'",
				*p, word);
		last = wants_value(m.opt);
		if (last && p[1])
			m.value = p + 1;
		if (take(r, &m))
			return -1;
		if (last)
			break;
	}
	return 0;
}

int sv_opt_parse(const struct sv_opt_scope *scopes, size_t n_scopes, char *const *argv,
	size_t argc, bool stop, struct sv_words *operands, size_t *ret_used, struct sv_err *err)
{
	struct reader r = {
		.scopes = scopes, .n_scopes = n_scopes, .argv = argv, .argc = argc, .err = err};
	bool only_operands = false;
	int rc = 0;

	while (!rc && r.at < argc) {
		const char *word = argv[r.at];
		bool operand = only_operands || word[0] != '-' || !word[1];

		if (operand && stop)
			break;
		r.at++;
		if (operand)
			rc = words_add(operands, word, err);
		else if (strcmp(word, "--") == 0)
			only_operands = true;
		else if (word[1] == '-')
			rc = read_long(&r, word);
		else
			rc = read_letters(&r, word);
	}
	if (!rc && ret_used)
		*ret_used = r.at;
	return rc;
}

void sv_opt_free(const struct sv_opt_scope *scope)
{
	for (const struct sv_opt *o = scope->table; o->kind != SV_OPT_END; o++)
		if (o->kind == SV_OPT_LIST)
			sv_words_free((struct sv_words *)((char *)scope->into + o->field));
}
