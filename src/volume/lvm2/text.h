/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The text in which LVM2 keeps its metadata: sections in braces, `key = value`, where a value
 * is a number, a string in quotes, or a list of them in brackets; '#' begins a comment
 * (lvm.conf(5) describes the same syntax).
 */
#ifndef SV_VOLUME_LVM2_TEXT_H
#define SV_VOLUME_LVM2_TEXT_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sv_lvm2_kind { SV_LVM2_SECTION, SV_LVM2_LIST, SV_LVM2_STRING, SV_LVM2_NUMBER };

struct sv_lvm2_node {
	enum sv_lvm2_kind kind;
	const char *key;  /* "" for the root and for what is in a list */
	const char *text; /* STRING */
	uint64_t number;  /* NUMBER; negative ones do not occur in what is read here */
	size_t at;        /* offset in the text, for messages */
	struct sv_lvm2_node *first,
		*next; /* what is in a section or list; the next beside it */
};

struct sv_lvm2_tree;

/* Parses n bytes; the root is a section. SV_CORRUPT with the offset in the text. */
int sv_lvm2_parse_text(
	const char *text, size_t n, struct sv_lvm2_tree **ret, struct sv_err *err);
void sv_lvm2_tree_free(struct sv_lvm2_tree *t);
SV_DEFINE_CLEANUP(struct sv_lvm2_tree, sv_lvm2_tree_free)

const struct sv_lvm2_node *sv_lvm2_root(const struct sv_lvm2_tree *t);
/* What is called `key` directly below; NULL where there is none, or of another kind. */
const struct sv_lvm2_node *sv_lvm2_find(
	const struct sv_lvm2_node *section, const char *key, enum sv_lvm2_kind kind);
/* A number or a string, or what is given where there is none. */
uint64_t sv_lvm2_number(const struct sv_lvm2_node *section, const char *key, uint64_t other);
const char *sv_lvm2_string(
	const struct sv_lvm2_node *section, const char *key, const char *other);
/* Is the word in the list, or the string, called `key`? */
bool sv_lvm2_has_word(const struct sv_lvm2_node *section, const char *key, const char *word);

#endif
