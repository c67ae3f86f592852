/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VMware's dictionary text, see vmx.h. Each line is kept as its own bytes; a line that was set
 * is printed anew. Names are found through a table of line numbers sorted by name and line, so
 * that no input can make a look-up slow.
 */
#include "vm/vmx.h"

#include "base/num.h"
#include "base/str.h"
#include "io/host.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct line {
	char *raw;   /* as printed, with its end of line */
	char *name;  /* NULL for comments and for what is not understood */
	char *value; /* unescaped */
	bool removed;
};

struct sv_vmx {
	struct line *lines;
	size_t n_lines, cap_lines;
	uint32_t *sorted; /* numbers of the lines that have a name */
	size_t n_sorted;
	const char *eol;
	struct sv_host *host; /* who converts texts; may be NULL */
};

/* ---- one line ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* |00 stays as it is written: values are C strings. */
static char *unescape(const char *p, size_t n)
{
	char *value = malloc(n + 1), *out = value;

	if (!value)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		int high = p[i] == '|' && n - i > 2 ? hex_digit(p[i + 1]) : -1;
		int low = high < 0 ? -1 : hex_digit(p[i + 2]);

		*out++ = p[i];
		if (low < 0 || !(high | low))
			continue;
		out[-1] = (char)(high * 16 + low);
		i += 2;
	}
	*out = 0;
	return value;
}

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == 0x7f || c == '"' || c == '|' || c == '#';
}

static void print_value(struct sv_str *out, const char *value)
{
	for (; *value; value++) {
		if (needs_escape((unsigned char)*value))
			sv_str_addf(out, "|%02X", (unsigned char)*value);
		else
			sv_str_addn(out, value, 1);
	}
}

/* Blanks, and the byte order mark that some editors put in front: never part of a name. */
static const char *skip_lead(const char *p, const char *end)
{
	for (p = skip_blanks(p, end); end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0;)
		p = skip_blanks(p + 3, end);
	return p;
}

struct parts {
	const char *name, *value;
	size_t name_n, value_n;
};

/* Splits [p, end) without its end of line; false where it is no `name = value`. */
static bool split_line(const char *p, const char *end, struct parts *ret)
{
	const char *q;

	p = skip_lead(p, end);
	for (q = p; q < end && !is_blank(*q) && *q != '#' && *q != '='; q++)
		;
	ret->name = p;
	ret->name_n = (size_t)(q - p);
	q = skip_blanks(q, end);
	if (!ret->name_n || q == end || *q != '=')
		return false;
	q = skip_blanks(q + 1, end);
	if (q < end && *q == '"') {
		ret->value = ++q;
		q = memchr(q, '"', (size_t)(end - q));
		if (!q)
			return false;
		ret->value_n = (size_t)(q++ - ret->value);
	} else {
		for (ret->value = q; q < end && !is_blank(*q) && *q != '#'; q++)
			;
		ret->value_n = (size_t)(q - ret->value);
	}
	q = skip_blanks(q, end);
	return q == end || *q == '#';
}

static void free_line(struct line *l)
{
	free(l->raw);
	free(l->name);
	free(l->value);
}

static struct line *add_line(struct sv_vmx *vmx)
{
	if (vmx->n_lines == vmx->cap_lines) {
		size_t cap = vmx->cap_lines ? 2 * vmx->cap_lines : 64;
		struct line *grown = realloc(vmx->lines, cap * sizeof *grown);

		if (!grown)
			return NULL;
		vmx->lines = grown;
		vmx->cap_lines = cap;
	}
	vmx->lines[vmx->n_lines] = (struct line){0};
	return &vmx->lines[vmx->n_lines++];
}

/* [p, end) is one line with its end of line, if it has one. */
static int parse_line(struct sv_vmx *vmx, const char *p, const char *end, struct sv_err *err)
{
	struct line *l = add_line(vmx);
	struct parts parts;

	if (!l || !(l->raw = strndup(p, (size_t)(end - p))))
		return sv_fail_nomem(err);
	if (end > p && end[-1] == '\n')
		end--;
	if (end > p && end[-1] == '\r')
		end--;
	if (!split_line(p, end, &parts))
		return 0;
	l->name = strndup(parts.name, parts.name_n);
	l->value = unescape(parts.value, parts.value_n);
	return l->name && l->value ? 0 : sv_fail_nomem(err);
}

/* ---- the sorted table ---- */

static int compare_lines(const void *a, const void *b, void *lines)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct line *l = lines;
	int order = strcasecmp(l[i].name, l[j].name);

	return order ? order : (i > j) - (i < j);
}

static int sort_lines(struct sv_vmx *vmx, struct sv_err *err)
{
	free(vmx->sorted);
	vmx->n_sorted = 0;
	vmx->sorted = malloc((vmx->n_lines + 1) * sizeof *vmx->sorted);
	if (!vmx->sorted)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < vmx->n_lines; i++) {
		if (vmx->lines[i].name)
			vmx->sorted[vmx->n_sorted++] = (uint32_t)i;
	}
	qsort_r(vmx->sorted, vmx->n_sorted, sizeof *vmx->sorted, compare_lines, vmx->lines);
	return 0;
}

/* Position in the table behind the last line of that name. */
static size_t find_end(const struct sv_vmx *vmx, const char *name)
{
	size_t low = 0, high = vmx->n_sorted;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcasecmp(vmx->lines[vmx->sorted[mid]].name, name) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct line *line_at(const struct sv_vmx *vmx, size_t pos)
{
	return &vmx->lines[vmx->sorted[pos]];
}

/* Is the line before position `end` one of that name? */
static bool is_before(const struct sv_vmx *vmx, size_t end, const char *name)
{
	return end && strcasecmp(line_at(vmx, end - 1)->name, name) == 0;
}

/* The line that counts; NULL where there is none. */
static struct line *find_line(const struct sv_vmx *vmx, const char *name)
{
	for (size_t end = find_end(vmx, name); is_before(vmx, end, name); end--) {
		if (!line_at(vmx, end - 1)->removed)
			return line_at(vmx, end - 1);
	}
	return NULL;
}

/* ---- whole texts ---- */

static int parse_lines(struct sv_vmx *vmx, const char *p, const char *end, struct sv_err *err)
{
	for (const char *text = p; p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		const char *next = newline ? newline + 1 : end;

		if (vmx->n_lines == SV_VMX_LINES_MAX)
			return sv_fail_at(err, SV_CORRUPT, NULL, (uint64_t)(p - text),
				"a configuration of more than %d lines", SV_VMX_LINES_MAX);
		if (newline > p && newline[-1] == '\r')
			vmx->eol = "\r\n";
		if (parse_line(vmx, p, next, err) < 0)
			return -1;
		p = next;
	}
	return sort_lines(vmx, err);
}

int sv_vmx_parse(const void *bytes, size_t n, struct sv_vmx **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_vmx_freep) struct sv_vmx *vmx = NULL;
	const char *text = bytes, *nul;

	if (n > SV_VMX_SIZE_MAX)
		return sv_fail(err, SV_CORRUPT, NULL,
			"it has %zu bytes, the largest configuration allowed is %d", n,
			SV_VMX_SIZE_MAX);
	nul = n ? memchr(text, 0, n) : NULL;
	if (nul)
		return sv_fail_at(err, SV_CORRUPT, NULL, (uint64_t)(nul - text),
			"a zero byte in a configuration that must be text");
	vmx = calloc(1, sizeof *vmx);
	if (!vmx)
		return sv_fail_nomem(err);
	vmx->eol = "\n";
	if (n && parse_lines(vmx, text, text + n, err) < 0)
		return -1;
	*ret = SV_STEAL(vmx);
	return 0;
}

void sv_vmx_free(struct sv_vmx *vmx)
{
	if (!vmx)
		return;
	for (size_t i = 0; i < vmx->n_lines; i++)
		free_line(&vmx->lines[i]);
	free(vmx->lines);
	free(vmx->sorted);
	free(vmx);
}

char *sv_vmx_print(const struct sv_vmx *vmx, size_t *ret_n, struct sv_err *err)
{
	sv_autostr struct sv_str out = {0};
	size_t n;
	char *text;

	for (size_t i = 0; i < vmx->n_lines; i++) {
		if (!vmx->lines[i].removed)
			sv_str_add(&out, vmx->lines[i].raw);
	}
	n = out.len;
	text = sv_str_take(&out);
	if (!text)
		sv_fail_nomem(err);
	else if (ret_n)
		*ret_n = n;
	return text;
}

struct sv_vmx *sv_vmx_copy(const struct sv_vmx *vmx, struct sv_err *err)
{
	struct sv_vmx *copy = NULL;
	size_t n = 0;
	sv_autofree char *text = sv_vmx_print(vmx, &n, err);

	if (!text || sv_vmx_parse(text, n, &copy, err) < 0)
		return NULL;
	copy->host = vmx->host;
	return copy;
}

/* ---- values ---- */

const char *sv_vmx_get(const struct sv_vmx *vmx, const char *name)
{
	const struct line *l = find_line(vmx, name);

	return l ? l->value : NULL;
}

const char *sv_vmx_getf(const struct sv_vmx *vmx, const char *fmt, ...)
{
	char name[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	return n > 0 && (size_t)n < sizeof name ? sv_vmx_get(vmx, name) : NULL;
}

bool sv_vmx_has(const struct sv_vmx *vmx, const char *name)
{
	const char *value = sv_vmx_get(vmx, name);

	return value && *value;
}

bool sv_vmx_is_true(const struct sv_vmx *vmx, const char *name)
{
	static const char *const words[] = {"TRUE", "YES", "ON", "T", "Y", "1"};
	const char *value = sv_vmx_get(vmx, name);

	for (size_t i = 0; value && i < SV_ARRAY_LEN(words); i++) {
		if (strcasecmp(value, words[i]) == 0)
			return true;
	}
	return false;
}

bool sv_vmx_next(
	const struct sv_vmx *vmx, size_t *pos, const char **ret_name, const char **ret_value)
{
	while (*pos < vmx->n_sorted) {
		size_t end = *pos + 1;
		const struct line *last = NULL;

		/* equal names lie side by side, the last of them counts */
		if (!line_at(vmx, *pos)->removed)
			last = line_at(vmx, *pos);
		while (end < vmx->n_sorted &&
			strcasecmp(line_at(vmx, end)->name, line_at(vmx, *pos)->name) == 0) {
			if (!line_at(vmx, end)->removed)
				last = line_at(vmx, end);
			end++;
		}
		*pos = end;
		if (!last)
			continue;
		*ret_name = last->name;
		*ret_value = last->value;
		return true;
	}
	return false;
}

void sv_vmx_remove(struct sv_vmx *vmx, const char *name)
{
	for (size_t end = find_end(vmx, name); is_before(vmx, end, name); end--)
		line_at(vmx, end - 1)->removed = true;
}

/* Gives the last line of the text an end, so that another can follow. */
static int end_last_line(struct sv_vmx *vmx)
{
	struct line *l = vmx->n_lines ? &vmx->lines[vmx->n_lines - 1] : NULL;
	char *ended;

	if (!l || sv_ends_with(l->raw, "\n"))
		return 0;
	ended = sv_format("%s%s", l->raw, vmx->eol);
	if (!ended)
		return -1;
	free(l->raw);
	l->raw = ended;
	return 0;
}

static int make_line(const struct sv_vmx *vmx, const char *name, const char *value,
	struct line *ret, struct sv_err *err)
{
	sv_autostr struct sv_str raw = {0};

	sv_str_addf(&raw, "%s = \"", name);
	print_value(&raw, value);
	sv_str_addf(&raw, "\"%s", vmx->eol);
	*ret = (struct line){sv_str_take(&raw), strdup(name), strdup(value), false};
	if (ret->raw && ret->name && ret->value)
		return 0;
	free_line(ret);
	return sv_fail_nomem(err);
}

static int append_line(struct sv_vmx *vmx, const struct line *l, struct sv_err *err)
{
	struct line *added;
	uint32_t *grown;
	size_t pos;

	if (end_last_line(vmx) < 0)
		return sv_fail_nomem(err);
	grown = realloc(vmx->sorted, (vmx->n_sorted + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	vmx->sorted = grown;
	pos = find_end(vmx, l->name);
	added = add_line(vmx);
	if (!added)
		return sv_fail_nomem(err);
	*added = *l;
	memmove(grown + pos + 1, grown + pos, (vmx->n_sorted - pos) * sizeof *grown);
	grown[pos] = (uint32_t)(vmx->n_lines - 1);
	vmx->n_sorted++;
	return 0;
}

int sv_vmx_set(struct sv_vmx *vmx, const char *name, const char *value, struct sv_err *err)
{
	struct line *old = find_line(vmx, name);
	struct line fresh;

	if (make_line(vmx, old ? old->name : name, value, &fresh, err) < 0)
		return -1;
	sv_vmx_remove(vmx, name);
	if (old) {
		free_line(old);
		*old = fresh;
		return 0;
	}
	if (append_line(vmx, &fresh, err) < 0) {
		free_line(&fresh);
		return -1;
	}
	return 0;
}

/* ---- encodings ---- */

void sv_vmx_use_host(struct sv_vmx *vmx, struct sv_host *host)
{
	vmx->host = host;
}

char *sv_vmx_get_text(const struct sv_vmx *vmx, const char *name)
{
	const char *value = sv_vmx_get(vmx, name), *encoding = sv_vmx_get(vmx, ".encoding");
	char *text;

	if (!value)
		return NULL;
	text = encoding ? sv_host_recode(vmx->host, value, encoding, true) : NULL;
	return text ? text : strdup(value);
}

int sv_vmx_set_text(struct sv_vmx *vmx, const char *name, const char *text, struct sv_err *err)
{
	const char *encoding = sv_vmx_get(vmx, ".encoding");
	sv_autofree char *value =
		encoding ? sv_host_recode(vmx->host, text, encoding, false) : NULL;

	if (encoding && !value) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"the value of %s cannot be written in the configuration's encoding (%s)",
			name, encoding);
		return sv_hint(err, "choose a name or a folder in plain ASCII letters");
	}
	return sv_vmx_set(vmx, name, value ? value : text, err);
}
