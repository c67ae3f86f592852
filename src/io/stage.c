/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The staged host: see stage.h. Each path that was opened has an entry, whose content is an
 * overlay above the real file (or above nothing). Opening it again shares that content.
 */
#include "io/stage.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

struct entry {
	char *path; /* canonical */
	bool created;
	bool gone; /* created and unlinked or renamed away */
	uint64_t old_size;
	struct sv_dev *content; /* overlay */
};

struct stage {
	struct sv_host host;
	struct sv_host *under;
	uint64_t cap;
	struct entry *entries;
	size_t n;
};

static struct stage *of(struct sv_host *h)
{
	return (struct stage *)h;
}

/* Canonical path also of a file that does not exist yet: its folder must. */
static char *canonical(struct stage *s, const char *path, struct sv_err *err)
{
	sv_autofree char *dir = NULL;
	sv_autofree char *real_dir = NULL;
	char *joined;

	if (sv_host_exists(s->under, path))
		return sv_host_real_path(s->under, path, err);
	dir = sv_path_dir(path);
	real_dir = dir ? sv_host_real_path(s->under, dir, err) : NULL;
	if (!real_dir)
		return NULL;
	joined = sv_path_join(real_dir, sv_path_base(path));
	if (!joined)
		sv_fail_nomem(err);
	return joined;
}

static struct entry *find(struct stage *s, const char *real)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->entries[i].gone && !strcmp(s->entries[i].path, real))
			return &s->entries[i];
	}
	return NULL;
}

static struct entry *find_path(struct stage *s, const char *path)
{
	sv_autofree char *real = canonical(s, path, NULL);

	return real ? find(s, real) : NULL;
}

/* Takes over content, also on failure. */
static struct entry *add(struct stage *s, const char *real, bool created, uint64_t old_size,
	struct sv_dev *content, struct sv_err *err)
{
	struct entry *grown = realloc(s->entries, (s->n + 1) * sizeof *grown);
	char *path = strdup(real);

	if (grown)
		s->entries = grown;
	if (!grown || !path) {
		free(path);
		sv_dev_close(content);
		sv_fail_nomem(err);
		return NULL;
	}
	grown[s->n] = (struct entry){path, created, false, old_size, content};
	return &grown[s->n++];
}

static struct entry *open_real(
	struct stage *s, const char *path, const char *real, unsigned flags, struct sv_err *err)
{
	unsigned keep = flags & (SV_OPEN_NOFOLLOW | SV_OPEN_LOCK);
	sv_autodev struct sv_dev *file = NULL;
	struct sv_dev *content;

	if (sv_host_open(s->under, path, SV_OPEN_READ | keep, &file, err) < 0)
		return NULL;
	content = sv_overlay_open(file, sv_dev_size(file), s->cap, real, err);
	return content ? add(s, real, false, sv_dev_size(file), content, err) : NULL;
}

static struct entry *open_new(struct stage *s, const char *real, struct sv_err *err)
{
	struct sv_dev *content = sv_sparse_open(0, s->cap, real, err);

	return content ? add(s, real, true, 0, content, err) : NULL;
}

static int stage_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	struct stage *s = of(h);
	sv_autofree char *real = canonical(s, path, err);
	struct entry *e;

	if (!real)
		return -1;
	e = find(s, real);
	if (flags & SV_OPEN_CREATE) {
		if (e || sv_host_exists(s->under, path))
			return sv_fail(err, SV_EXISTS, path, "cannot make the file: it exists");
		e = open_new(s, real, err);
	} else if (!e) {
		e = open_real(s, path, real, flags, err);
	}
	if (!e)
		return -1;
	*ret = sv_dev_ref(e->content);
	return 0;
}

static int stage_stat(struct sv_host *h, const char *path, bool follow,
	struct sv_host_stat *ret, struct sv_err *err)
{
	struct stage *s = of(h);
	struct entry *e = find_path(s, path);

	if (e && e->created) {
		*ret = (struct sv_host_stat){.type = SV_HOST_FILE,
			.size = sv_dev_size(e->content),
			.allocated = sv_overlay_changed(e->content),
			.mode = 0100666};
		return 0;
	}
	if (s->under->ops->stat(s->under, path, follow, ret, err) < 0)
		return -1;
	if (e && ret->type == SV_HOST_FILE)
		ret->size = sv_dev_size(e->content);
	return 0;
}

static int add_name(char ***names, size_t *n, const char *name, struct sv_err *err)
{
	char **grown = realloc(*names, (*n + 1) * sizeof *grown);
	char *copy = strdup(name);

	if (grown)
		*names = grown;
	if (!grown || !copy) {
		free(copy);
		return sv_fail_nomem(err);
	}
	grown[(*n)++] = copy;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int stage_list(
	struct sv_host *h, const char *path, char ***ret, size_t *ret_n, struct sv_err *err)
{
	struct stage *s = of(h);
	sv_autofree char *folder = sv_host_real_path(s->under, path, err);
	char **names;
	size_t n;
	int rc = 0;

	if (!folder || sv_host_list(s->under, path, &names, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < s->n && !rc; i++) {
		const struct entry *e = &s->entries[i];
		sv_autofree char *dir = sv_path_dir(e->path);

		if (!dir)
			rc = sv_fail_nomem(err);
		else if (e->created && !e->gone && !strcmp(dir, folder))
			rc = add_name(&names, &n, sv_path_base(e->path), err);
	}
	if (rc < 0) {
		sv_host_free_names(names, n);
		return -1;
	}
	if (n)
		qsort(names, n, sizeof *names, compare_names);
	*ret = names;
	*ret_n = n;
	return 0;
}

static int refuse(const char *path, const char *what, struct sv_err *err)
{
	return sv_fail(err, SV_UNSUPPORTED, path, "%s cannot be tried before it is done", what);
}

static int stage_make_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	return refuse(path, "making a folder", err);
}

static int stage_remove_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	return refuse(path, "deleting a folder", err);
}

static int stage_unlink(struct sv_host *h, const char *path, struct sv_err *err)
{
	struct entry *e = find_path(of(h), path);

	if (!e || !e->created)
		return refuse(path, "deleting a file", err);
	e->gone = true;
	return 0;
}

/* Gives `to` the bytes of `from`; a real file keeps its identity and changes its content. */
static int replace_content(const struct entry *from, struct entry *to, struct sv_err *err)
{
	uint64_t size = sv_dev_size(from->content);
	sv_autofree uint8_t *buf = malloc(64 * SV_KIB);

	if (!buf)
		return sv_fail_nomem(err);
	if (sv_dev_resize(to->content, size, err) < 0)
		return -1;
	for (uint64_t off = 0, n; off < size; off += n) {
		n = SV_MIN(size - off, 64 * SV_KIB);
		if (sv_dev_read(from->content, buf, (size_t)n, off, err) < 0 ||
			sv_dev_write(to->content, buf, (size_t)n, off, err) < 0)
			return -1;
	}
	return 0;
}

static int stage_rename(
	struct sv_host *h, const char *from, const char *to, bool replace, struct sv_err *err)
{
	struct stage *s = of(h);
	sv_autofree char *real = canonical(s, to, err);
	struct entry *e = find_path(s, from), *target;
	size_t i;
	char *path;

	if (!real)
		return -1;
	if (!e || !e->created)
		return refuse(from, "renaming a file", err);
	i = (size_t)(e - s->entries);
	target = find(s, real);
	if (!target && sv_host_exists(s->under, to)) {
		target = open_real(s, to, real, SV_OPEN_NOFOLLOW, err);
		if (!target)
			return -1;
	}
	if (target && !replace)
		return sv_fail(err, SV_EXISTS, to, "cannot rename to it: it exists");
	if (target == &s->entries[i])
		return 0;   /* its own name */
	e = &s->entries[i]; /* open_real() may have moved the table */
	if (target) {
		if (replace_content(e, target, err) < 0)
			return -1;
		e->gone = true;
		return 0;
	}
	path = strdup(real);
	if (!path)
		return sv_fail_nomem(err);
	free(e->path);
	e->path = path;
	return 0;
}

static int stage_sync_dir(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	(void)path;
	(void)err;
	return 0; /* apply does it */
}

static int stage_reflink(
	struct sv_host *h, const char *src, const char *dst, struct sv_err *err)
{
	(void)h;
	(void)src;
	return refuse(dst, "sharing blocks", err);
}

static int stage_free_space(
	struct sv_host *h, const char *path, uint64_t *ret, struct sv_err *err)
{
	return sv_host_free_space(of(h)->under, path, ret, err);
}

static char *stage_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	struct entry *e = find_path(of(h), path);

	return e ? strdup(e->path) : sv_host_real_path(of(h)->under, path, err);
}

static void stage_close(struct sv_host *h)
{
	struct stage *s = of(h);

	for (size_t i = 0; i < s->n; i++) {
		free(s->entries[i].path);
		sv_dev_close(s->entries[i].content);
	}
	free(s->entries);
	free(s);
}

static const struct sv_host_ops stage_ops = {
	.open = stage_open,
	.stat = stage_stat,
	.list = stage_list,
	.make_dir = stage_make_dir,
	.rename = stage_rename,
	.unlink = stage_unlink,
	.remove_dir = stage_remove_dir,
	.sync_dir = stage_sync_dir,
	.reflink = stage_reflink,
	.free_space = stage_free_space,
	.real_path = stage_real_path,
	.close = stage_close,
};

struct sv_host *sv_stage_new(struct sv_host *under, uint64_t cap, struct sv_err *err)
{
	struct stage *s = calloc(1, sizeof *s);

	if (!s) {
		sv_fail_nomem(err);
		return NULL;
	}
	s->host.ops = &stage_ops;
	s->under = under;
	s->cap = cap;
	return &s->host;
}

/* ---- the walk ---- */

static bool is_changed(const struct entry *e)
{
	if (e->created)
		return !e->gone;
	return sv_dev_size(e->content) != e->old_size || sv_overlay_changed(e->content);
}

size_t sv_stage_files(const struct sv_host *stage)
{
	const struct stage *s = (const struct stage *)stage;
	size_t count = 0;

	for (size_t i = 0; i < s->n; i++)
		count += is_changed(&s->entries[i]);
	return count;
}

static const struct entry *changed_entry(const struct stage *s, size_t i)
{
	const struct entry *e = s->entries;

	while (!is_changed(e) || i--)
		e++;
	return e;
}

struct sv_staged_file sv_stage_file(const struct sv_host *stage, size_t i)
{
	const struct entry *e = changed_entry((const struct stage *)stage, i);

	return (struct sv_staged_file){
		e->path, e->created, e->old_size, sv_dev_size(e->content), e->content};
}

bool sv_stage_next(const struct sv_host *stage, size_t i, uint64_t pos, uint64_t *ret_start,
	uint64_t *ret_len)
{
	const struct entry *e = changed_entry((const struct stage *)stage, i);

	return sv_overlay_next(e->content, pos, ret_start, ret_len);
}

/* ---- apply ---- */

/* Writes the changed bytes of [from, to). */
static int write_part(const struct entry *e, struct sv_dev *out, uint64_t from, uint64_t to,
	struct sv_job *job, struct sv_err *err)
{
	sv_autofree uint8_t *buf = malloc(64 * SV_KIB);
	uint64_t start, len;

	if (!buf)
		return sv_fail_nomem(err);
	while (from < to && sv_overlay_next(e->content, from, &start, &len) && start < to) {
		len = SV_MIN(len, to - start);
		len = SV_MIN(len, 64 * SV_KIB);
		if (sv_dev_read(e->content, buf, (size_t)len, start, err) < 0 ||
			sv_dev_write(out, buf, (size_t)len, start, err) < 0)
			return -1;
		from = start + len;
		sv_job_progress(job, "writing the disk", from, sv_dev_size(e->content));
	}
	return 0;
}

static int apply_created(
	struct stage *s, const struct entry *e, struct sv_job *job, struct sv_err *err)
{
	sv_autodev struct sv_dev *out = NULL;
	sv_autofree char *dir = sv_path_dir(e->path);
	uint64_t size = sv_dev_size(e->content);

	if (!dir)
		return sv_fail_nomem(err);
	if (sv_host_open(s->under, e->path, SV_OPEN_CREATE, &out, err) < 0 ||
		(size && sv_dev_resize(out, size, err) < 0) ||
		write_part(e, out, 0, size, job, err) < 0 || sv_dev_flush(out, err) < 0)
		return -1;
	return sv_host_sync_dir(s->under, dir, err);
}

/* What lies beyond the old end: nothing that was there before changes. */
static int apply_growth(
	struct stage *s, const struct entry *e, struct sv_job *job, struct sv_err *err)
{
	sv_autodev struct sv_dev *out = NULL;
	uint64_t size = sv_dev_size(e->content);

	if (size <= e->old_size)
		return 0;
	if (sv_host_open(s->under, e->path, SV_OPEN_WRITE, &out, err) < 0 ||
		sv_dev_resize(out, size, err) < 0 ||
		write_part(e, out, e->old_size, size, job, err) < 0)
		return -1;
	return sv_dev_flush(out, err);
}

static int apply_inside(
	struct stage *s, const struct entry *e, struct sv_job *job, struct sv_err *err)
{
	sv_autodev struct sv_dev *out = NULL;
	uint64_t size = sv_dev_size(e->content);

	if (sv_host_open(s->under, e->path, SV_OPEN_WRITE, &out, err) < 0 ||
		write_part(e, out, 0, SV_MIN(size, e->old_size), job, err) < 0 ||
		(size < e->old_size && sv_dev_resize(out, size, err) < 0))
		return -1;
	return sv_dev_flush(out, err);
}

static bool is_new(const struct entry *e)
{
	return e->created && !e->gone;
}

static bool is_changed_real(const struct entry *e)
{
	return !e->created && is_changed(e);
}

int sv_stage_apply(struct sv_host *stage, struct sv_job *job, struct sv_err *err)
{
	static const struct {
		bool (*applies)(const struct entry *e);
		int (*apply)(struct stage *s, const struct entry *e, struct sv_job *job,
			struct sv_err *err);
	} phases[] = {
		{is_new, apply_created},
		{is_changed_real, apply_growth},
		{is_changed_real, apply_inside},
	};
	struct stage *s = of(stage);

	for (size_t p = 0; p < SV_ARRAY_LEN(phases); p++) {
		for (size_t i = 0; i < s->n; i++) {
			const struct entry *e = &s->entries[i];

			if (phases[p].applies(e) && phases[p].apply(s, e, job, err) < 0)
				return -1;
		}
	}
	return 0;
}
