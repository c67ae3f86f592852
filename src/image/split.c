/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw disks in parts, as dd with split, FTK Imager, 7-Zip or VDFuse leave them: NAME.000 or
 * NAME.001 is the first, the numbers go on without a gap, behind .999 comes .1000. All parts
 * but the last have one size: another size is a part that was cut off, and everything behind
 * it would be read at the wrong place. Whether parts are missing at the end nobody can tell.
 * They are read, and written in place; such a disk cannot grow.
 */
#include "image/split.h"
#include "image/raw.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

#define DIGITS    3
#define PARTS_MAX 10000 /* 39 TB in parts for 4 GB file systems; each is an open file */

/* The parts of one disk that lie in the folder. */
struct series {
	char *stem;   /* canonical, up to the dot's left */
	unsigned *at; /* their numbers, ascending */
	size_t n;
};

static void drop_series(struct series *s)
{
	free(s->stem);
	free(s->at);
}

/* ---- names ---- */

/* The number behind the last dot; false where there is none: "001", "0999", no; "1000", yes. */
static bool parse_number(const char *name, size_t *ret_stem, unsigned *ret)
{
	const char *dot = strrchr(name, '.');
	size_t n = dot ? strlen(dot + 1) : 0;
	unsigned number = 0;

	if (n < DIGITS || n > DIGITS + 2 || dot == name || (n > DIGITS && dot[1] == '0'))
		return false;
	for (const char *c = dot + 1; *c; c++) {
		if (*c < '0' || *c > '9')
			return false;
		number = number * 10 + (unsigned)(*c - '0');
	}
	*ret_stem = (size_t)(dot - name);
	*ret = number;
	return true;
}

static char *part_path(const struct series *s, unsigned number)
{
	return sv_format("%s.%0*u", s->stem, DIGITS, number);
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

/* ---- which parts there are ---- */

static int take_names(struct series *s, char **names, size_t n, struct sv_err *err)
{
	const char *stem = sv_path_base(s->stem);
	size_t n_stem = strlen(stem), len;
	unsigned number;

	s->at = calloc(n + 1, sizeof *s->at);
	if (!s->at)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		if (parse_number(names[i], &len, &number) && len == n_stem &&
			!strncmp(names[i], stem, len))
			s->at[s->n++] = number;
	}
	qsort(s->at, s->n, sizeof *s->at, by_number);
	return 0;
}

/* An empty series where the name is no part's. */
static int find_series(struct sv_host *host, const char *path, struct series *ret,
	unsigned *ret_number, struct sv_err *err)
{
	sv_autofree char *dir = sv_path_dir(path);
	size_t stem, n_names;
	char **names;
	int rc;

	*ret = (struct series){0};
	if (!dir)
		return sv_fail_nomem(err);
	if (!parse_number(sv_path_base(path), &stem, ret_number))
		return 0;
	ret->stem = strndup(path, (size_t)(sv_path_base(path) - path) + stem);
	if (!ret->stem)
		return sv_fail_nomem(err);
	if (sv_host_list(host, dir, &names, &n_names, err) < 0)
		return -1;
	rc = take_names(ret, names, n_names, err);
	sv_host_free_names(names, n_names);
	return rc;
}

/* ---- is it a whole disk? ---- */

static int refuse_later_part(const struct series *s, unsigned number, struct sv_err *err)
{
	sv_autofree char *own = part_path(s, number), *first = part_path(s, s->at[0]);

	if (!own || !first)
		return sv_fail_nomem(err);
	sv_fail(err, SV_USAGE, own, "it is a later part of a disk that is split in files");
	return sv_hint(err, "open the first part, the others are found: %s", first);
}

static int refuse_gap(
	const struct series *s, unsigned missing, unsigned next, struct sv_err *err)
{
	sv_autofree char *path = part_path(s, missing), *behind = part_path(s, next);

	if (!path || !behind)
		return sv_fail_nomem(err);
	sv_fail(err, SV_NOTFOUND, path, "this part of a split disk is missing; %s is there",
		sv_path_base(behind));
	return sv_hint(
		err, "put it back beside the others: without it the disk cannot be read");
}

/* At least two parts. */
static int check_numbers(const struct series *s, unsigned number, struct sv_err *err)
{
	if (s->at[0] > 1)
		return refuse_gap(s, 1, s->at[0], err);
	if (s->at[0] != number)
		return refuse_later_part(s, number, err);
	for (size_t i = 1; i < s->n; i++) {
		if (s->at[i] != s->at[0] + i)
			return refuse_gap(s, s->at[0] + (unsigned)i, s->at[i], err);
	}
	if (s->n > PARTS_MAX)
		return sv_fail(err, SV_UNSUPPORTED, s->stem,
			"the disk has %zu parts, the most possible are %d", s->n, PARTS_MAX);
	return 0;
}

int sv_split_look(struct sv_host *host, const char *path, bool *ret, struct sv_err *err)
{
	SV_CLEANUP(drop_series) struct series s;
	unsigned number = 0;

	if (find_series(host, path, &s, &number, err) < 0)
		return -1;
	*ret = s.n > 1;
	return *ret ? check_numbers(&s, number, err) : 0;
}

/* ---- opening ---- */

struct parts {
	struct sv_dev **devs;
	size_t n;
};

static void close_parts(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		sv_dev_close(p->devs[i]);
	free(p->devs);
}

/* All but the last are as large as the first. */
static int check_size(const struct parts *p, const char *path, struct sv_err *err)
{
	uint64_t first = sv_dev_size(p->devs[0]), before;

	if (p->n < 2)
		return 0;
	before = sv_dev_size(p->devs[p->n - 2]);
	if (before == first)
		return 0;
	sv_fail(err, SV_CORRUPT, sv_dev_name(p->devs[p->n - 2]),
		"this part has %llu bytes, the first has %llu, and %s follows: it was cut off, "
		"or is another disk's",
		(unsigned long long)before, (unsigned long long)first, sv_path_base(path));
	return sv_hint(err, "copy the part anew from where it came from");
}

/* The first part is open already. */
static int open_parts(const struct sv_link_env *env, const struct series *s,
	struct sv_dev *first, struct parts *ret, struct sv_err *err)
{
	ret->devs = calloc(s->n, sizeof(struct sv_dev *));
	if (!ret->devs)
		return sv_fail_nomem(err);
	ret->devs[ret->n++] = sv_dev_ref(first);
	for (size_t i = 1; i < s->n; i++) {
		sv_autofree char *path = part_path(s, s->at[i]);

		if (!path)
			return sv_fail_nomem(err);
		if (sv_link_open_file(env, path, env->writable, &ret->devs[i], err) < 0)
			return -1;
		ret->n++;
		if (check_size(ret, path, err) < 0)
			return -1;
	}
	return 0;
}

static int open_joined(const struct sv_link_env *env, const struct series *s, const char *path,
	struct sv_dev *first, struct sv_dev **ret, struct sv_err *err)
{
	SV_CLEANUP(close_parts) struct parts parts = {0};

	if (open_parts(env, s, first, &parts, err) < 0)
		return -1;
	*ret = sv_join_open(parts.devs, parts.n, path, err);
	return *ret ? 0 : -1;
}

static int find_whole(
	struct sv_host *host, const char *path, struct series *ret, struct sv_err *err)
{
	unsigned number = 0;

	if (find_series(host, path, ret, &number, err) < 0)
		return -1;
	if (!ret->n)
		return sv_fail(err, SV_USAGE, path,
			"a disk in parts is opened by its first part, NAME.001 or NAME.000");
	return check_numbers(ret, number, err);
}

static int add_files(
	struct sv_link *l, struct sv_host *host, const struct series *s, struct sv_err *err)
{
	for (size_t i = 0; i < s->n; i++) {
		sv_autofree char *path = part_path(s, s->at[i]);

		if (!path)
			return sv_fail_nomem(err);
		if (sv_link_add_file(l, host, path, true, err) < 0)
			return -1;
	}
	l->info.allocated = SV_MIN(l->info.host_size, l->info.virtual_size);
	return 0;
}

static int split_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	SV_CLEANUP(drop_series) struct series s = {0};
	sv_autodev struct sv_dev *joined = NULL;
	struct sv_raw *r;

	if (find_whole(env->host, path, &s, err) < 0 ||
		open_joined(env, &s, path, file, &joined, err) < 0)
		return -1;
	r = sv_raw_new(env, &sv_split_driver, path, joined, err);
	if (!r)
		return -1;
	r->link.flatten = true;
	free(r->link.info.subformat);
	r->link.info.subformat = strdup("raw");
	if (!r->link.info.subformat)
		sv_fail_nomem(err);
	if (!r->link.info.subformat || add_files(&r->link, env->host, &s, err) < 0) {
		sv_link_close(&r->link);
		return -1;
	}
	*ret = &r->link;
	return 0;
}

/* ---- the rest ---- */

/* Nothing of the file's content tells: sv_split_look() does. */
static bool split_probe(const struct sv_probe *p)
{
	(void)p;
	return false;
}

/* That it opens is what can be checked, and its size. */
static int split_check(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	SV_CLEANUP(drop_series) struct series s = {0};
	sv_autodev struct sv_dev *joined = NULL;

	(void)job;
	if (find_whole(env->host, path, &s, err) < 0 ||
		open_joined(env, &s, path, file, &joined, err) < 0)
		return -1;
	return sv_raw_check_size(sv_dev_size(joined), path, faults, err);
}

static uint64_t split_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	(void)original;
	(void)how;
	(void)size;
	return 0;
}

static int split_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	(void)size;
	if (how == SV_DERIVE_COPY)
		return 0;
	sv_fail(err, SV_UNSUPPORTED, sv_image_link(original, 0)->path,
		"no other program reads a disk in parts: nothing can be linked to it");
	return sv_hint(err, "make an independent copy instead: --copy");
}

const struct sv_image_driver sv_split_driver = {
	.name = "split",
	.extension = ".001",
	.flat_format = "raw",
	.probe = split_probe,
	.open = split_open,
	.close = sv_raw_close,
	.map = sv_raw_map,
	.write = sv_raw_write,
	.discard = sv_raw_discard,
	.flush = sv_raw_flush,
	.check = split_check,
	.flat_subformat = sv_raw_flat_subformat,
	.metadata_cost = split_metadata_cost,
	.limits = split_limits,
};
