/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A parser for LVM2's configuration text. Strings are cut out of one copy of the text, nodes
 * come from blocks, NODES_MAX of them at most; sections nest DEPTH_MAX deep at most.
 */
#include "volume/lvm2/text.h"

#include "base/num.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX   16
#define BLOCK_NODES 1024
#define NODES_MAX   (1u << 20) /* 56 MiB; a group of 1 MiB of text has some 70,000 */

struct block {
	struct block *next;
	struct sv_lvm2_node nodes[BLOCK_NODES];
};

struct sv_lvm2_tree {
	struct sv_lvm2_node root;
	struct block *blocks; /* the newest first */
	size_t n_nodes;
	char *strings; /* a copy of the text, cut into strings */
	size_t n;
};

struct parser {
	struct sv_lvm2_tree *t;
	size_t at;
	unsigned depth;
	struct sv_err *err;
};

static int fail(struct parser *p, const char *what)
{
	return sv_fail_at(p->err, SV_CORRUPT, NULL, p->at, "LVM2 metadata: %s", what);
}

static char peek(const struct parser *p)
{
	return p->at < p->t->n ? p->t->strings[p->at] : '\0';
}

static void skip_space(struct parser *p)
{
	while (p->at < p->t->n) {
		char c = p->t->strings[p->at];

		if (c == '#') {
			while (p->at < p->t->n && p->t->strings[p->at] != '\n')
				p->at++;
		} else if (isspace((unsigned char)c) || !c) {
			p->at++;
		} else {
			return;
		}
	}
}

static struct sv_lvm2_node *new_node(
	struct parser *p, enum sv_lvm2_kind kind, const char *key, size_t at)
{
	struct sv_lvm2_tree *t = p->t;
	size_t i = t->n_nodes % BLOCK_NODES;

	if (t->n_nodes == NODES_MAX) {
		fail(p, "more than 1,048,576 values");
		return NULL;
	}
	if (!i) {
		struct block *b = malloc(sizeof *b);

		if (!b) {
			sv_fail_nomem(p->err);
			return NULL;
		}
		b->next = t->blocks;
		t->blocks = b;
	}
	t->n_nodes++;
	t->blocks->nodes[i] =
		(struct sv_lvm2_node){.kind = kind, .key = key, .text = "", .at = at};
	return &t->blocks->nodes[i];
}

static bool is_key_char(char c)
{
	return isalnum((unsigned char)c) || strchr("_-.+/", c);
}

/* [from, to) becomes a string. The byte at `to` is overwritten: the caller has looked at it. */
static const char *cut(struct parser *p, size_t from, size_t to)
{
	p->t->strings[to] = '\0';
	return p->t->strings + from;
}

/* "text", where a backslash makes the next character an ordinary one. */
static int parse_string(struct parser *p, struct sv_lvm2_node *node)
{
	char *s = p->t->strings;
	size_t from = ++p->at, to = from;

	for (; p->at < p->t->n && s[p->at] != '"'; p->at++) {
		if (s[p->at] == '\\' && p->at + 1 < p->t->n)
			p->at++;
		s[to++] = s[p->at];
	}
	if (p->at >= p->t->n)
		return fail(p, "a string has no end");
	p->at++;
	node->kind = SV_LVM2_STRING;
	node->text = cut(p, from, to);
	return 0;
}

static int parse_number(struct parser *p, struct sv_lvm2_node *node)
{
	bool any = false;

	if (peek(p) == '-')
		p->at++;
	for (; isdigit((unsigned char)peek(p)); p->at++) {
		uint64_t digit = (uint64_t)(peek(p) - '0');

		if (!sv_mul(node->number, 10, &node->number) ||
			!sv_add(node->number, digit, &node->number))
			return fail(p, "a number is larger than 2^64");
		any = true;
	}
	return any ? 0 : fail(p, "expected a number, a string or a list");
}

static int parse_scalar(struct parser *p, struct sv_lvm2_node *node)
{
	return peek(p) == '"' ? parse_string(p, node) : parse_number(p, node);
}

static int parse_list(struct parser *p, struct sv_lvm2_node *list)
{
	struct sv_lvm2_node **end = &list->first;

	list->kind = SV_LVM2_LIST;
	for (p->at++;; p->at++) {
		skip_space(p);
		if (peek(p) == ']')
			break;
		*end = new_node(p, SV_LVM2_NUMBER, "", p->at);
		if (!*end || parse_scalar(p, *end) < 0)
			return -1;
		end = &(*end)->next;
		skip_space(p);
		if (peek(p) == ']')
			break;
		if (peek(p) != ',')
			return fail(p, "expected ',' or ']' in a list");
	}
	p->at++;
	return 0;
}

static int parse_items(struct parser *p, struct sv_lvm2_node *section);

/* `key { ... }` or `key = value`; the key was read, the byte behind it is `next`. */
static int parse_value(struct parser *p, struct sv_lvm2_node *node, char next)
{
	if (next == '{') {
		if (++p->depth > DEPTH_MAX)
			return fail(p, "sections lie more than 16 deep");
		p->at++;
		node->kind = SV_LVM2_SECTION;
		if (parse_items(p, node) < 0)
			return -1;
		if (peek(p) != '}')
			return fail(p, "a section has no end");
		p->at++;
		p->depth--;
		return 0;
	}
	if (next != '=')
		return fail(p, "expected '=' or '{' after a name");
	p->at++;
	skip_space(p);
	return peek(p) == '[' ? parse_list(p, node) : parse_scalar(p, node);
}

static int parse_item(struct parser *p, struct sv_lvm2_node **ret)
{
	size_t from = p->at, to;
	char next;

	while (p->at < p->t->n && peek(p) && is_key_char(peek(p)))
		p->at++;
	to = p->at;
	if (from == to)
		return fail(p, "expected a name");
	skip_space(p);
	next = peek(p);
	*ret = new_node(p, SV_LVM2_NUMBER, "", from);
	if (!*ret)
		return -1;
	/* what the key's end overwrites was looked at: it is `next` or white space */
	(*ret)->key = cut(p, from, to);
	return parse_value(p, *ret, next);
}

static int parse_items(struct parser *p, struct sv_lvm2_node *section)
{
	struct sv_lvm2_node **end = &section->first;

	for (skip_space(p); p->at < p->t->n && peek(p) != '}'; skip_space(p)) {
		if (parse_item(p, end) < 0)
			return -1;
		end = &(*end)->next;
	}
	return 0;
}

int sv_lvm2_parse_text(
	const char *text, size_t n, struct sv_lvm2_tree **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_lvm2_tree_freep)
	struct sv_lvm2_tree *t = calloc(1, sizeof *t);
	struct parser p = {.t = t, .err = err};

	if (!t)
		return sv_fail_nomem(err);
	t->root = (struct sv_lvm2_node){.kind = SV_LVM2_SECTION, .key = "", .text = ""};
	t->strings = malloc(n + 1);
	if (!t->strings)
		return sv_fail_nomem(err);
	memcpy(t->strings, text, n);
	t->strings[n] = '\0';
	t->n = n;
	if (parse_items(&p, &t->root) < 0)
		return -1;
	if (p.at < n)
		return fail(&p, "a '}' too many");
	*ret = SV_STEAL(t);
	return 0;
}

void sv_lvm2_tree_free(struct sv_lvm2_tree *t)
{
	if (!t)
		return;
	for (struct block *b = t->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(t->strings);
	free(t);
}

const struct sv_lvm2_node *sv_lvm2_root(const struct sv_lvm2_tree *t)
{
	return &t->root;
}

const struct sv_lvm2_node *sv_lvm2_find(
	const struct sv_lvm2_node *section, const char *key, enum sv_lvm2_kind kind)
{
	for (const struct sv_lvm2_node *c = section->first; c; c = c->next) {
		if (c->kind == kind && !strcmp(c->key, key))
			return c;
	}
	return NULL;
}

uint64_t sv_lvm2_number(const struct sv_lvm2_node *section, const char *key, uint64_t other)
{
	const struct sv_lvm2_node *c = sv_lvm2_find(section, key, SV_LVM2_NUMBER);

	return c ? c->number : other;
}

const char *sv_lvm2_string(
	const struct sv_lvm2_node *section, const char *key, const char *other)
{
	const struct sv_lvm2_node *c = sv_lvm2_find(section, key, SV_LVM2_STRING);

	return c ? c->text : other;
}

bool sv_lvm2_has_word(const struct sv_lvm2_node *section, const char *key, const char *word)
{
	const struct sv_lvm2_node *list = sv_lvm2_find(section, key, SV_LVM2_LIST);

	for (const struct sv_lvm2_node *c = list ? list->first : NULL; c; c = c->next) {
		if (c->kind == SV_LVM2_STRING && !strcmp(c->text, word))
			return true;
	}
	return !strcmp(sv_lvm2_string(section, key, ""), word);
}
