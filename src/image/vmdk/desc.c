/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads the text descriptor of a VMDK ("Virtual Disk Format 5.0", section "The Descriptor
 * File"). The text ends at its first NUL: embedded descriptors are padded with them. A line
 * that is no comment, no extent and no "key = value" is refused: guessing here would mean to
 * show a wrong disk.
 */
#include "image/vmdk/desc.h"

#include "base/num.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECTORS_MAX (UINT64_C(1) << 53) /* 2^62 bytes: no device of ours is larger */
#define PAIRS_MAX   4096                /* VMware writes about 15 */

struct span {
	const char *at;
	size_t n;
};

struct parser {
	const char *text;
	size_t n;
	size_t line; /* offset of the line in work */
	struct sv_vmdk_desc *desc;
	bool has_cid, has_parent_cid, has_version, has_type, has_hint, has_encoding;
	struct sv_err *err;
};

__attribute__((format(printf, 2, 3))) static int fail_line(
	struct parser *p, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return sv_fail_at(p->err, SV_CORRUPT, NULL, p->line, "%s", text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct span trim(struct span s)
{
	while (s.n && is_blank(*s.at)) {
		s.at++;
		s.n--;
	}
	while (s.n && is_blank(s.at[s.n - 1]))
		s.n--;
	return s;
}

static bool equals(struct span s, const char *word)
{
	return s.n == strlen(word) && !strncasecmp(s.at, word, s.n);
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (c < 0x20 || c == 0x7f || c == '"')
			return false;
	}
	return true;
}

static int take_text(struct parser *p, struct span s, char **ret)
{
	if (!is_printable(s))
		return fail_line(p, "a control character or a stray quote");
	free(*ret);
	*ret = strndup(s.at, s.n);
	return *ret ? 0 : sv_fail_nomem(p->err);
}

static unsigned digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 99;
}

static int take_number(struct parser *p, struct span s, unsigned base, uint64_t max,
	const char *what, uint64_t *ret)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = digit_of(s.at[i]);

		if (digit >= base)
			return fail_line(p, "%s is not a number", what);
		if (n > (max - digit) / base)
			return fail_line(p, "%s is above %llu", what, (unsigned long long)max);
		n = n * base + digit;
	}
	if (!s.n)
		return fail_line(p, "%s is missing", what);
	*ret = n;
	return 0;
}

/* ---- "key = value" ---- */

static int once(struct parser *p, bool *seen, const char *key)
{
	if (*seen)
		return fail_line(p, "%s is given twice", key);
	*seen = true;
	return 0;
}

static int add_pair(struct parser *p, struct span key, struct span value)
{
	struct sv_vmdk_desc *d = p->desc;
	struct sv_vmdk_pair *pairs;

	if (d->n_pairs == PAIRS_MAX)
		return fail_line(p, "more than %d settings", PAIRS_MAX);
	pairs = realloc(d->pairs, (d->n_pairs + 1) * sizeof *pairs);
	if (!pairs)
		return sv_fail_nomem(p->err);
	d->pairs = pairs;
	pairs[d->n_pairs] = (struct sv_vmdk_pair){0};
	d->n_pairs++; /* from here on sv_vmdk_desc_free() owns what is filled in */
	if (take_text(p, key, &pairs[d->n_pairs - 1].key) < 0)
		return -1;
	return take_text(p, value, &pairs[d->n_pairs - 1].value);
}

static int take_cid(
	struct parser *p, struct span value, bool *seen, const char *key, uint32_t *ret)
{
	uint64_t n;

	if (once(p, seen, key) < 0 || take_number(p, value, 16, UINT32_MAX, key, &n) < 0)
		return -1;
	*ret = (uint32_t)n;
	return 0;
}

static int take_version(struct parser *p, struct span value)
{
	uint64_t n;

	if (once(p, &p->has_version, "version") < 0 ||
		take_number(p, value, 10, UINT32_MAX, "version", &n) < 0)
		return -1;
	if (n < 1 || n > 3)
		return sv_fail_at(p->err, SV_UNSUPPORTED, NULL, p->line,
			"descriptor version %llu is not known (1 to 3 are)",
			(unsigned long long)n);
	p->desc->version = (uint32_t)n;
	return 0;
}

static int take_once(
	struct parser *p, struct span value, bool *seen, const char *key, char **ret)
{
	return once(p, seen, key) < 0 ? -1 : take_text(p, value, ret);
}

/* Takes the quotes off; what has only one of the two is refused as a stray quote later. */
static struct span unquote(struct span s)
{
	if (s.n >= 2 && s.at[0] == '"' && s.at[s.n - 1] == '"')
		return (struct span){s.at + 1, s.n - 2};
	return s;
}

static int parse_pair(struct parser *p, struct span line, size_t equal)
{
	struct sv_vmdk_desc *d = p->desc;
	struct span key = trim((struct span){line.at, equal});
	struct span value =
		unquote(trim((struct span){line.at + equal + 1, line.n - equal - 1}));

	if (!key.n)
		return fail_line(p, "a value without a name");
	if (equals(key, "version"))
		return take_version(p, value);
	if (equals(key, "CID"))
		return take_cid(p, value, &p->has_cid, "CID", &d->cid);
	if (equals(key, "parentCID"))
		return take_cid(p, value, &p->has_parent_cid, "parentCID", &d->parent_cid);
	if (equals(key, "createType"))
		return take_once(p, value, &p->has_type, "createType", &d->create_type);
	if (equals(key, "parentFileNameHint"))
		return take_once(p, value, &p->has_hint, "parentFileNameHint", &d->parent_hint);
	if (equals(key, "encoding"))
		return take_once(p, value, &p->has_encoding, "encoding", &d->encoding);
	return add_pair(p, key, value);
}

/* ---- extents ---- */

static const struct {
	const char *word;
	enum sv_vmdk_access access;
} accesses[] = {
	{"RW", SV_VMDK_RW},
	{"RDONLY", SV_VMDK_RDONLY},
	{"NOACCESS", SV_VMDK_NOACCESS},
};

static const struct {
	const char *word;
	enum sv_vmdk_extent_type type;
} types[] = {
	{"FLAT", SV_VMDK_FLAT},
	{"SPARSE", SV_VMDK_SPARSE},
	{"ZERO", SV_VMDK_ZERO},
	{"VMFS", SV_VMDK_VMFS},
	{"VMFSSPARSE", SV_VMDK_VMFSSPARSE},
	{"SESPARSE", SV_VMDK_SESPARSE},
	{"VMFSRDM", SV_VMDK_DEVICE},
	{"VMFSRAW", SV_VMDK_DEVICE},
};

/* The next word, or quoted text with its quotes; an empty span at the end of the line. */
static struct span next_word(struct span *rest)
{
	struct span word;
	size_t n = 0;

	*rest = trim(*rest);
	if (rest->n && *rest->at == '"') {
		for (n = 1; n < rest->n && rest->at[n] != '"';)
			n++;
		n = SV_MIN(n + 1, rest->n);
	} else {
		while (n < rest->n && !is_blank(rest->at[n]))
			n++;
	}
	word = (struct span){rest->at, n};
	rest->at += n;
	rest->n -= n;
	return word;
}

static bool find_access(struct span word, enum sv_vmdk_access *ret)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(accesses); i++) {
		if (equals(word, accesses[i].word)) {
			*ret = accesses[i].access;
			return true;
		}
	}
	return false;
}

static int take_type(struct parser *p, struct span word, enum sv_vmdk_extent_type *ret)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(types); i++) {
		if (equals(word, types[i].word)) {
			*ret = types[i].type;
			return 0;
		}
	}
	return fail_line(p, "extent type \"%.*s\" is not known", (int)SV_MIN(word.n, 40UL),
		is_printable(word) ? word.at : "");
}

/* The file and, for FLAT, the offset. */
static int take_place(struct parser *p, struct span rest, struct sv_vmdk_extent *e)
{
	struct span file = next_word(&rest), offset;

	if (e->type == SV_VMDK_ZERO && file.n)
		return fail_line(p, "a ZERO extent names a file");
	if (e->type != SV_VMDK_ZERO && unquote(file).n == 0)
		return fail_line(p, "the extent names no file");
	if (take_text(p, unquote(file), &e->file) < 0)
		return -1;
	if (e->type == SV_VMDK_DEVICE)
		return 0; /* never opened: what follows the name does not matter */
	offset = next_word(&rest);
	if (offset.n && take_number(p, offset, 10, SECTORS_MAX, "the offset", &e->offset) < 0)
		return -1;
	if (e->offset && e->type != SV_VMDK_FLAT && e->type != SV_VMDK_VMFS)
		return fail_line(p, "only a FLAT extent can have an offset");
	return trim(rest).n ? fail_line(p, "more words than an extent has") : 0;
}

static int add_extent(struct parser *p, struct sv_vmdk_extent **ret)
{
	struct sv_vmdk_desc *d = p->desc;
	struct sv_vmdk_extent *grown;

	if (d->n_extents == SV_VMDK_EXTENTS_MAX)
		return fail_line(p, "more than %d extents", SV_VMDK_EXTENTS_MAX);
	grown = realloc(d->extents, (d->n_extents + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(p->err);
	d->extents = grown;
	*ret = &grown[d->n_extents++];
	**ret = (struct sv_vmdk_extent){0};
	return 0;
}

static int parse_extent(struct parser *p, enum sv_vmdk_access access, struct span rest)
{
	struct sv_vmdk_extent *e = NULL;
	struct span count = next_word(&rest), type = next_word(&rest);

	if (add_extent(p, &e) < 0)
		return -1;
	e->access = access;
	if (take_number(p, count, 10, SECTORS_MAX, "the extent's size", &e->sectors) < 0 ||
		take_type(p, type, &e->type) < 0 || take_place(p, rest, e) < 0)
		return -1;
	if (!e->sectors)
		return fail_line(p, "an extent of 0 sectors");
	p->desc->sectors += e->sectors; /* both are at most 2^53 */
	if (p->desc->sectors > SECTORS_MAX)
		return fail_line(p, "the extents have more than %llu sectors together",
			(unsigned long long)SECTORS_MAX);
	return 0;
}

/* ---- lines ---- */

static int parse_line(struct parser *p, struct span line)
{
	enum sv_vmdk_access access;
	struct span rest = line;
	const char *equal;

	if (!line.n || *line.at == '#')
		return 0;
	if (find_access(next_word(&rest), &access) && trim(rest).n && *trim(rest).at != '=')
		return parse_extent(p, access, rest);
	equal = memchr(line.at, '=', line.n);
	if (!equal)
		return fail_line(p, "the line is neither a setting nor an extent");
	return parse_pair(p, line, (size_t)(equal - line.at));
}

static int parse_lines(struct parser *p)
{
	size_t pos = 0;

	while (pos < p->n) {
		const char *end = memchr(p->text + pos, '\n', p->n - pos);
		size_t len = end ? (size_t)(end - p->text) - pos : p->n - pos;

		p->line = pos;
		if (parse_line(p, trim((struct span){p->text + pos, len})) < 0)
			return -1;
		pos += len + 1;
	}
	return 0;
}

/* Fields that a descriptor cannot do without; texts that are not given become "". */
static int complete(struct parser *p)
{
	struct sv_vmdk_desc *d = p->desc;
	char **const texts[] = {&d->encoding, &d->create_type, &d->parent_hint};

	p->line = 0;
	if (!p->has_cid)
		return fail_line(p, "the descriptor has no CID");
	if (!p->has_type || !*d->create_type)
		return fail_line(p, "the descriptor has no createType");
	if (!d->n_extents)
		return fail_line(p, "the descriptor lists no extent");
	if (d->parent_cid != SV_VMDK_CID_NONE && (!p->has_hint || !*d->parent_hint))
		return fail_line(p, "parentCID is %08x, but parentFileNameHint names no parent",
			d->parent_cid);
	for (size_t i = 0; i < SV_ARRAY_LEN(texts); i++) {
		if (!*texts[i] && !(*texts[i] = strdup("")))
			return sv_fail_nomem(p->err);
	}
	return 0;
}

static int check_head(struct parser *p)
{
	static const char head[] = "# disk descriptorfile";
	size_t at = 0;

	while (at < p->n && (is_blank(p->text[at]) || p->text[at] == '\n'))
		at++;
	if (p->n - at < sizeof head - 1 || strncasecmp(p->text + at, head, sizeof head - 1))
		return fail_line(p, "it does not begin with \"# Disk DescriptorFile\"");
	return 0;
}

int sv_vmdk_desc_parse(const char *text, size_t n, struct sv_vmdk_desc *ret, struct sv_err *err)
{
	struct sv_vmdk_desc desc = {.version = 1, .parent_cid = SV_VMDK_CID_NONE};
	struct parser p = {.text = text, .n = strnlen(text, n), .desc = &desc, .err = err};

	if (n > SV_VMDK_DESC_MAX)
		return fail_line(&p, "the descriptor has %zu bytes, the largest allowed is %d",
			n, SV_VMDK_DESC_MAX);
	if (check_head(&p) < 0 || parse_lines(&p) < 0 || complete(&p) < 0) {
		sv_vmdk_desc_free(&desc);
		return -1;
	}
	*ret = desc;
	return 0;
}
