/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which files `find` wants: see match.h. */
#include "cli/match.h"

#include "base/num.h"
#include "base/str.h"

#include <fnmatch.h>
#include <string.h>
#include <time.h>

static int parse_types(const char *word, uint32_t *ret, struct sv_err *err)
{
	static const char letters[] = "fdlcbps"; /* in the order of enum sv_fs_type */

	for (const char *p = word; *p; p++) {
		const char *at = strchr(letters, *p);

		if (!at && *p != ',') {
			sv_fail(err, SV_USAGE, NULL, "--type %s: no type is called '%c'", word,
				*p);
			return sv_hint(err,
				"the types are f (file), d (folder), l (link), b, c (device), "
				"p (pipe), s (socket)");
		}
		*ret |= at ? 1u << (at - letters) : 0;
	}
	return 0;
}

static int parse_size(const char *word, struct sv_match *m, struct sv_err *err)
{
	m->size_sign = *word == '+' ? 1 : *word == '-' ? -1 : 0;
	m->has_size = true;
	if (!strcmp(word + (m->size_sign != 0), "0")) {
		m->size = 0;
		return 0;
	}
	if (sv_size_parse(word + (m->size_sign != 0), &m->size, err) < 0)
		return sv_err_context(err, "--size");
	return 0;
}

/* "7d", "12h", "30m": so long ago. */
static bool parse_age(const char *word, int64_t *ret)
{
	static const char units[] = "mhdw";
	static const int64_t seconds[] = {60, 3600, 86400, 7 * 86400};
	size_t digits = strspn(word, "0123456789");
	const char *unit = word[digits] ? strchr(units, word[digits]) : NULL;

	if (!digits || digits > 6 || !unit || word[digits + 1])
		return false;
	*ret = (int64_t)time(NULL) - strtoll(word, NULL, 10) * seconds[unit - units];
	return true;
}

static bool parse_date(const char *word, int64_t *ret)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
		"%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};

	for (size_t i = 0; i < SV_ARRAY_LEN(forms); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(word, forms[i], &tm);

		if (!end || (*end && strcmp(end, "Z") != 0))
			continue;
		*ret = *end ? (int64_t)timegm(&tm) : (int64_t)mktime(&tm);
		return true;
	}
	return false;
}

static int parse_time(
	const char *option, const char *word, bool *ret_has, int64_t *ret, struct sv_err *err)
{
	if (!word)
		return 0;
	*ret_has = true;
	if (parse_age(word, ret) || parse_date(word, ret))
		return 0;
	sv_fail(err, SV_USAGE, NULL, "%s: '%s' is no time", option, word);
	return sv_hint(err, "write a date, 2024-05-31, or how long ago: 7d, 12h, 30m");
}

static int parse_depth(const char *word, struct sv_match *m, struct sv_err *err)
{
	size_t n = strlen(word);

	if (!n || n > 6 || strspn(word, "0123456789") != n)
		return sv_fail(err, SV_USAGE, NULL, "--max-depth: '%s' is no number", word);
	m->depth = (unsigned)strtoul(word, NULL, 10);
	m->has_depth = true;
	return 0;
}

int sv_match_parse(const struct sv_match_words *w, struct sv_match *ret, struct sv_err *err)
{
	struct sv_match m = {.names = w->names, .ignore_case = w->ignore_case};

	if ((w->type && parse_types(w->type, &m.types, err) < 0) ||
		(w->size && parse_size(w->size, &m, err) < 0) ||
		parse_time("--newer", w->newer, &m.has_newer, &m.newer, err) < 0 ||
		parse_time("--older", w->older, &m.has_older, &m.older, err) < 0 ||
		(w->depth && parse_depth(w->depth, &m, err) < 0))
		return -1;
	*ret = m;
	return 0;
}

static bool fits_name(const struct sv_match *m, const char *name, bool folds)
{
	int flags = folds || m->ignore_case ? FNM_CASEFOLD : 0;

	for (size_t i = 0; i < m->names->n; i++)
		if (!fnmatch(m->names->item[i], name, flags))
			return true;
	return !m->names->n;
}

static bool fits_size(const struct sv_match *m, const struct sv_fs_stat *st)
{
	if (!m->has_size)
		return true;
	if (st->type != SV_FS_FILE)
		return false;
	if (!m->size_sign)
		return st->size == m->size;
	return m->size_sign > 0 ? st->size > m->size : st->size < m->size;
}

bool sv_match_file(
	const struct sv_match *m, const char *name, const struct sv_fs_stat *st, bool folds)
{
	if (m->types && !(m->types & 1u << st->type))
		return false;
	if ((m->has_newer && st->mtime.sec < m->newer) ||
		(m->has_older && st->mtime.sec >= m->older))
		return false;
	return fits_size(m, st) && fits_name(m, name, folds);
}
