/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * See publish.h. Several files cannot be moved at once: before the first of them moves, a list
 * of all, with their inode numbers, is written into the folder. A run that finds such a list
 * and the main file still in the folder takes back what had been moved, and that alone: a file
 * of another inode number is not ours.
 */
#include "image/publish.h"

#include "base/str.h"
#include "io/partial.h"

#include <inttypes.h>
#include <string.h>

#define LIST_NAME "sharevm.names"
#define LIST_MAX  (1U << 20) /* a disk of 4096 files has 200 KiB */

struct sv_publish {
	struct sv_host *host;
	char *dir;        /* of the result */
	const char *main; /* name of the main file; points into path */
	char *path;
	char *partial;
	struct sv_dev *lock;
	bool made; /* the folder is ours */
};

/* ---- what a run that was cut off has left ---- */

/* One line of the list: takes the file back where it was moved already. */
static int take_back(struct sv_publish *p, const char *line, struct sv_err *err)
{
	sv_autofree char *there = NULL;
	struct sv_host_stat st;
	char *name;
	uint64_t inode = strtoull(line, &name, 10);

	if (*name++ != ' ' || !*name || strchr(name, '/'))
		return 0;
	there = sv_path_join(p->dir, name);
	if (!there)
		return sv_fail_nomem(err);
	if (!sv_host_exists(p->host, there))
		return 0;
	if (sv_host_lstat(p->host, there, &st, err) < 0)
		return -1;
	if (st.ino != inode)
		return 0;
	return sv_host_remove(p->host, there, err);
}

static int take_all_back(struct sv_publish *p, struct sv_err *err)
{
	sv_autofree char *list = sv_path_join(p->partial, LIST_NAME);
	sv_autofree char *main = sv_path_join(p->partial, p->main);
	sv_autofree char *text = NULL;
	char *rest = NULL;
	size_t n;

	if (!list || !main)
		return sv_fail_nomem(err);
	if (!sv_host_exists(p->host, list) || !sv_host_exists(p->host, main))
		return 0;
	text = sv_host_read_file(p->host, list, LIST_MAX, &n, err);
	if (!text)
		return -1;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (take_back(p, line, err) < 0)
			return -1;
	return 0;
}

/* Nothing is taken back while another run works there: its mark is locked. */
static int clean_up(struct sv_publish *p, struct sv_err *err)
{
	sv_autofree char *mark = sv_path_join(p->partial, SV_PARTIAL_MARK);
	sv_autodev struct sv_dev *lock = NULL;

	if (!mark)
		return sv_fail_nomem(err);
	if (sv_host_exists(p->host, mark) &&
		sv_host_open(p->host, mark, SV_OPEN_WRITE | SV_OPEN_LOCK | SV_OPEN_NOFOLLOW,
			&lock, NULL) == 0 &&
		take_all_back(p, err) < 0)
		return -1;
	sv_dev_close(SV_STEAL(lock)); /* sv_partial_remove() takes it itself */
	return sv_partial_remove(p->host, p->partial, NULL, err);
}

/* ---- begin ---- */

static int begin(struct sv_publish *p, struct sv_err *err)
{
	if (clean_up(p, err) < 0)
		return -1;
	if (sv_host_exists(p->host, p->path)) {
		sv_fail(err, SV_EXISTS, p->path, "there is a file of this name already");
		return sv_hint(err, "choose another name, or move the file away");
	}
	if (sv_partial_make(p->host, p->partial, &p->lock, err) < 0)
		return -1;
	p->made = true;
	return 0;
}

int sv_publish_begin(
	struct sv_host *host, const char *path, struct sv_publish **ret, struct sv_err *err)
{
	SV_CLEANUP(sv_publish_closep) struct sv_publish *p = calloc(1, sizeof *p);

	if (!p)
		return sv_fail_nomem(err);
	p->host = host;
	p->path = strdup(path);
	p->dir = sv_path_dir(path);
	p->partial = sv_format("%s%s", path, SV_PARTIAL_SUFFIX);
	if (!p->path || !p->dir || !p->partial)
		return sv_fail_nomem(err);
	p->main = sv_path_base(p->path);
	if (!*p->main)
		return sv_fail(
			err, SV_USAGE, path, "it is the name of a folder, not of a file");
	if (begin(p, err) < 0)
		return -1;
	*ret = SV_STEAL(p);
	return 0;
}

char *sv_publish_place(const struct sv_publish *p, const char *name)
{
	return sv_path_join(p->partial, name);
}

/* ---- end ---- */

static bool is_own(const char *name)
{
	return !strcmp(name, SV_PARTIAL_MARK) || !strcmp(name, LIST_NAME);
}

typedef int (*each_fn)(struct sv_publish *p, const char *name, void *user, struct sv_err *err);

/* Every file that was made, the main one last. */
static int for_each(struct sv_publish *p, each_fn fn, void *user, struct sv_err *err)
{
	char **names;
	size_t n;
	int rc = 0;

	if (sv_host_list(p->host, p->partial, &names, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n && !rc; i++)
		if (!is_own(names[i]) && strcmp(names[i], p->main) != 0)
			rc = fn(p, names[i], user, err);
	sv_host_free_names(names, n);
	return rc ? rc : fn(p, p->main, user, err);
}

static int check_name(struct sv_publish *p, const char *name, void *user, struct sv_err *err)
{
	sv_autofree char *there = sv_path_join(p->dir, name);

	(void)user;
	if (!there)
		return sv_fail_nomem(err);
	if (!sv_host_exists(p->host, there))
		return 0;
	sv_fail(err, SV_EXISTS, there, "there is a file of this name already");
	return sv_hint(err, "choose another name, or move the file away");
}

int sv_publish_check(struct sv_publish *p, struct sv_err *err)
{
	return for_each(p, check_name, NULL, err);
}

static int delete (struct sv_publish *p, const char *name, void *user, struct sv_err *err)
{
	sv_autofree char *here = sv_path_join(p->partial, name);

	(void)user;
	return here ? sv_host_remove(p->host, here, err) : sv_fail_nomem(err);
}

int sv_publish_clear(struct sv_publish *p, struct sv_err *err)
{
	return for_each(p, delete, NULL, err);
}

static int add_size(struct sv_publish *p, const char *name, void *user, struct sv_err *err)
{
	sv_autofree char *here = sv_path_join(p->partial, name);
	uint64_t *sum = user, stored;

	if (!here)
		return sv_fail_nomem(err);
	if (sv_host_stored(p->host, here, &stored, err) < 0)
		return -1;
	*sum += stored;
	return 0;
}

int sv_publish_size(struct sv_publish *p, uint64_t *ret, struct sv_err *err)
{
	*ret = 0;
	return for_each(p, add_size, ret, err);
}

static int add_line(struct sv_publish *p, const char *name, void *user, struct sv_err *err)
{
	sv_autofree char *here = sv_path_join(p->partial, name);
	struct sv_host_stat st;

	if (!here)
		return sv_fail_nomem(err);
	if (sv_host_lstat(p->host, here, &st, err) < 0)
		return -1;
	sv_str_addf(user, "%" PRIu64 " %s\n", st.ino, name);
	return 0;
}

static int write_list(struct sv_publish *p, struct sv_err *err)
{
	sv_autofree char *path = sv_path_join(p->partial, LIST_NAME);
	sv_autostr struct sv_str list = {0};

	if (!path)
		return sv_fail_nomem(err);
	if (for_each(p, add_line, &list, err) < 0)
		return -1;
	if (list.failed)
		return sv_fail_nomem(err);
	return sv_host_write_file(p->host, path, list.data, list.len, err);
}

static int sync_both(struct sv_publish *p, struct sv_err *err)
{
	if (sv_host_sync_dir(p->host, p->dir, err) < 0)
		return -1;
	return sv_host_sync_dir(p->host, p->partial, err);
}

static int move(struct sv_publish *p, const char *name, void *user, struct sv_err *err)
{
	sv_autofree char *here = sv_path_join(p->partial, name);
	sv_autofree char *there = sv_path_join(p->dir, name);

	(void)user;
	if (!here || !there)
		return sv_fail_nomem(err);
	/* the others are there for good before the main one, and it alone counts */
	if (name == p->main && sync_both(p, err) < 0)
		return -1;
	return sv_host_rename(p->host, here, there, false, err);
}

int sv_publish_end(struct sv_publish *p, struct sv_err *err)
{
	if (sv_publish_check(p, err) < 0 || write_list(p, err) < 0 ||
		sv_host_sync_dir(p->host, p->partial, err) < 0)
		return -1;
	if (for_each(p, move, NULL, err) < 0) {
		take_all_back(p, NULL);
		return -1;
	}
	return sync_both(p, err);
}

void sv_publish_close(struct sv_publish *p)
{
	if (!p)
		return;
	sv_dev_close(p->lock); /* its lock would shut sv_partial_remove() out */
	if (p->made)
		sv_partial_remove(p->host, p->partial, NULL, NULL);
	free(p->partial);
	free(p->path);
	free(p->dir);
	free(p);
}
