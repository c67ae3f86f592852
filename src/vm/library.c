/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which machines there are: see library.h. Of what the walk found, each configuration is read
 * and each image's chain opened, for the names and for what stands on what; a file is known by
 * its device and inode, so that it counts once by whatever names it was found.
 */
#include "vm/library.h"

#include "vm/found.h"
#include "vm/parts.h"

#include "base/num.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_SHOWN 8

/* A file that belongs to a machine. */
struct claim {
	uint64_t dev, ino;
	bool config; /* by a configuration; else another image stands on it */
};

struct scan {
	struct sv_found found;
	char **names; /* per file; NULL: none of its own */
	struct claim *claims;
	size_t n_claims, cap;
};

static void scan_free(struct scan *s)
{
	for (size_t i = 0; s->names && i < s->found.n; i++)
		free(s->names[i]);
	free(s->names);
	free(s->claims);
	sv_found_free(&s->found);
}

/* ---- what belongs to whom ---- */

static int claim(struct scan *s, const char *path, bool config, struct sv_err *err)
{
	struct sv_host_stat st;

	if (sv_host_stat(s->found.host, path, &st, NULL) < 0)
		return 0;
	if (s->n_claims == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		void *p = realloc(s->claims, cap * sizeof *s->claims);

		if (!p)
			return sv_fail_nomem(err);
		s->claims = p;
		s->cap = cap;
	}
	s->claims[s->n_claims++] = (struct claim){st.dev, st.ino, config};
	return 0;
}

static int by_file(const void *a, const void *b)
{
	const struct claim *p = a, *q = b;

	if (p->dev != q->dev)
		return p->dev < q->dev ? -1 : 1;
	return p->ino < q->ino ? -1 : p->ino > q->ino;
}

/* Is it claimed by a configuration (or by anybody)? The claims are sorted. */
static bool is_claimed(const struct scan *s, uint64_t dev, uint64_t ino, bool config)
{
	struct claim key = {.dev = dev, .ino = ino};
	const struct claim *c =
		s->n_claims ? bsearch(&key, s->claims, s->n_claims, sizeof key, by_file) : NULL;

	while (c && c > s->claims && by_file(c - 1, &key) == 0)
		c--;
	for (; c && c < s->claims + s->n_claims && by_file(c, &key) == 0; c++)
		if (!config || c->config)
			return true;
	return false;
}

/* The files of a chain's links from `from` on. An image that cannot be opened claims nothing:
 * the list shows it, with the reason. */
static int claim_chain(
	struct scan *s, const char *path, size_t from, bool config, struct sv_err *err)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;

	if (sv_image_open(s->found.host, path, NULL, &image, NULL) < 0)
		return 0;
	for (size_t i = from; i < sv_image_links(image); i++) {
		const struct sv_image_link *link = sv_image_link(image, i);

		if (claim(s, link->path, config, err) < 0)
			return -1;
		for (size_t k = 0; k < link->n_files; k++)
			if (claim(s, link->files[k].path, config, err) < 0)
				return -1;
	}
	return 0;
}

static char *name_of_file(const char *path)
{
	const char *base = sv_path_base(path);

	return strndup(base, sv_vm_stem(base));
}

static int read_config(struct scan *s, size_t i, struct sv_err *err)
{
	SV_CLEANUP(sv_vm_closep) struct sv_vm *vm = NULL;
	const char *path = s->found.files[i].path;

	if (sv_vm_describe(s->found.host, path, &vm, NULL) < 0) {
		s->names[i] = name_of_file(path);
		return s->names[i] ? 0 : sv_fail_nomem(err);
	}
	s->names[i] = strdup(vm->name);
	if (!s->names[i])
		return sv_fail_nomem(err);
	for (size_t k = 0; k < vm->n_disks; k++)
		if (claim(s, vm->disks[k].path, true, err) < 0 ||
			claim_chain(s, vm->disks[k].path, 0, true, err) < 0)
			return -1;
	return 0;
}

static int read_image(struct scan *s, size_t i, struct sv_err *err)
{
	s->names[i] = name_of_file(s->found.files[i].path);
	if (!s->names[i])
		return sv_fail_nomem(err);
	return claim_chain(s, s->found.files[i].path, 1, false, err);
}

static int read_all(struct scan *s, struct sv_err *err)
{
	s->names = calloc(s->found.n ? s->found.n : 1, sizeof *s->names);
	if (!s->names)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < s->found.n; i++) {
		if (sv_job_check(s->found.job, err) < 0)
			return -1;
		sv_job_progress(s->found.job, "finding machines", i, s->found.n);
		if ((s->found.files[i].config ? read_config : read_image)(s, i, err) < 0)
			return -1;
	}
	if (s->n_claims)
		qsort(s->claims, s->n_claims, sizeof *s->claims, by_file);
	return 0;
}

/* Does the image stand on the disk of a configuration: a snapshot of that machine? */
static bool stands_on_a_machine(struct scan *s, const char *path)
{
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	struct sv_host_stat st;

	if (sv_image_open(s->found.host, path, NULL, &image, NULL) < 0)
		return false;
	for (size_t i = 1; i < sv_image_links(image); i++)
		if (!sv_host_stat(s->found.host, sv_image_link(image, i)->path, &st, NULL) &&
			is_claimed(s, st.dev, st.ino, true))
			return true;
	return false;
}

static bool is_machine(struct scan *s, size_t i)
{
	const struct sv_found_file *f = &s->found.files[i];

	return f->config ||
	       (!is_claimed(s, f->dev, f->ino, false) && !stands_on_a_machine(s, f->path));
}

/* ---- the result ---- */

void sv_library_free(struct sv_library *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->machines[i].path);
		free(l->machines[i].name);
	}
	free(l->machines);
	*l = (struct sv_library){0};
}

static int by_name(const void *a, const void *b)
{
	const struct sv_library_machine *p = a, *q = b;
	int rc = strcasecmp(p->name, q->name);

	rc = rc ? rc : strcmp(p->name, q->name);
	return rc ? rc : strcmp(p->path, q->path);
}

static int take(struct scan *s, struct sv_library *ret, struct sv_err *err)
{
	struct sv_library l = {0};

	l.machines = calloc(s->found.n ? s->found.n : 1, sizeof *l.machines);
	if (!l.machines)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < s->found.n; i++) {
		if (!is_machine(s, i))
			continue;
		l.machines[l.n++] = (struct sv_library_machine){
			SV_STEAL(s->found.files[i].path), SV_STEAL(s->names[i])};
	}
	if (l.n)
		qsort(l.machines, l.n, sizeof *l.machines, by_name);
	*ret = l;
	return 0;
}

int sv_library_scan(struct sv_host *host, const char *const *dirs, size_t n_dirs,
	const char *home, struct sv_job *job, struct sv_library *ret, size_t *ret_unreadable,
	struct sv_err *err)
{
	SV_CLEANUP(scan_free) struct scan s = {.found = {.host = host, .job = job}};

	for (size_t i = 0; i < n_dirs; i++)
		if (sv_found_walk(&s.found, dirs[i], false, err) < 0)
			return -1;
	if (home && sv_found_add_user(&s.found, home, err) < 0)
		return -1;
	sv_found_unite(&s.found);
	if (read_all(&s, err) < 0 || take(&s, ret, err) < 0)
		return -1;
	*ret_unreadable = s.found.unreadable;
	return 0;
}

/* ---- by name ---- */

static size_t matches(const struct sv_library *l, const char *name, bool prefix, size_t *ret)
{
	size_t n = 0, len = strlen(name);

	for (size_t i = l->n; i-- > 0;) {
		const char *own = l->machines[i].name;

		if (prefix ? strncasecmp(own, name, len) != 0 : strcasecmp(own, name) != 0)
			continue;
		*ret = i;
		n++;
	}
	return n;
}

static int ambiguous(
	const struct sv_library *l, const char *name, bool prefix, size_t n, struct sv_err *err)
{
	sv_autostr struct sv_str list = {0};
	size_t shown = 0, len = strlen(name);

	for (size_t i = 0; i < l->n && shown < NAMES_SHOWN; i++) {
		const struct sv_library_machine *m = &l->machines[i];

		if (prefix ? strncasecmp(m->name, name, len) : strcasecmp(m->name, name))
			continue;
		sv_str_addf(&list, "%s%s", shown++ ? ", " : "", prefix ? m->name : m->path);
	}
	sv_fail(err, SV_USAGE, NULL,
		prefix ? "\"%.100s\" begins the names of %zu machines"
		       : "\"%.100s\" is the name of %zu machines",
		name, n);
	return sv_hint(err, "name one of them: %s%s", list.data ? list.data : "",
		n > shown ? ", ..." : "");
}

int sv_library_find(
	const struct sv_library *l, const char *name, char **ret_path, struct sv_err *err)
{
	bool prefix = false;
	size_t at = 0, n = matches(l, name, false, &at);

	if (!n) {
		prefix = true;
		n = matches(l, name, true, &at);
	}
	if (n > 1)
		return ambiguous(l, name, prefix, n, err);
	if (!n) {
		sv_fail(err, SV_NOTFOUND, NULL, "no file and no machine is called \"%.200s\"",
			name);
		return sv_hint(err, "to see the machines that there are: sharevm list");
	}
	*ret_path = strdup(l->machines[at].path);
	return *ret_path ? 0 : sv_fail_nomem(err);
}
