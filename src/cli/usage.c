/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What fills a volume: see usage.h. Each folder on the way down has a frame of its own. */
#include "cli/usage.h"

#include "base/num.h"
#include "base/str.h"
#include "guest/growing.h"

#include <string.h>

struct frame {
	struct sv_usage_node node;
	int rule; /* of this folder or of one above; -1: none */
};

struct measure {
	const struct sv_usage_opts *opts;
	const struct sv_machine *m;
	const char *family; /* of the systems that the volume may belong to */
	const char *base;   /* what the rules' paths begin with, "" for a root */
	struct sv_usage *u;
	struct frame *frames;
	size_t depth, cap;
	struct sv_names names;
	struct sv_str path;
};

/* ---- nodes ---- */

static void node_free(struct sv_usage_node *n)
{
	for (size_t i = 0; i < n->n; i++)
		node_free(&n->children[i]); /* as deep as opts->depth */
	free(n->children);
	free(n->name);
	*n = (struct sv_usage_node){0};
}

void sv_usage_free(struct sv_usage *u)
{
	node_free(&u->tree);
	for (size_t i = 0; i < u->n_growing; i++)
		free(u->growing[i].path);
	free(u->growing);
	*u = (struct sv_usage){0};
}

static void add_amount(struct sv_amount *to, const struct sv_amount *a)
{
	to->allocated += SV_MIN(a->allocated, UINT64_MAX - to->allocated);
	to->size += SV_MIN(a->size, UINT64_MAX - to->size);
	to->files += a->files;
	to->folders += a->folders;
}

static bool is_larger(const struct sv_usage_node *a, const struct sv_usage_node *b)
{
	if (a->sum.allocated != b->sum.allocated)
		return a->sum.allocated > b->sum.allocated;
	return a->sum.size > b->sum.size;
}

/* Keeps the child if it is one of the largest; it belongs to the parent from then on. */
static int keep_child(const struct measure *k, struct sv_usage_node *parent,
	struct sv_usage_node *child, struct sv_err *err)
{
	struct sv_usage_node out;
	size_t at = parent->n;

	if (!parent->children) {
		parent->children = calloc(k->opts->top + 1, sizeof *parent->children);
		if (!parent->children)
			return sv_fail_nomem(err);
	}
	while (at && is_larger(child, &parent->children[at - 1])) {
		parent->children[at] = parent->children[at - 1];
		at--;
	}
	parent->children[at] = *child;
	*child = (struct sv_usage_node){0};
	if (parent->n < k->opts->top) {
		parent->n++;
		return 0;
	}
	out = parent->children[parent->n];
	add_amount(&parent->others, &out.sum);
	parent->n_others++;
	node_free(&out);
	return 0;
}

/* A finished object goes to the folder at hand. */
static int deliver(struct measure *k, struct sv_usage_node *n, struct sv_err *err)
{
	struct sv_usage_node *parent;
	int rc = 0;

	if (!k->depth) {
		k->u->tree = *n;
		*n = (struct sv_usage_node){0};
		return 0;
	}
	parent = &k->frames[k->depth - 1].node;
	add_amount(&parent->sum, &n->sum);
	if (k->depth <= k->opts->depth)
		rc = keep_child(k, parent, n, err);
	node_free(n);
	return rc;
}

/* ---- what grows ---- */

static int find_rule(struct measure *k, const struct sv_tree_item *item, struct sv_err *err)
{
	int above = k->depth ? k->frames[k->depth - 1].rule : -1, rule;
	struct sv_usage_growing *g;
	const char *name = *item->name ? item->name : sv_path_base(k->base);

	k->path.len = 0;
	sv_str_addf(&k->path, "%s%s%s", k->base, *item->path ? "/" : "", item->path);
	if (k->path.failed) {
		sv_fail_nomem(err);
		return -2;
	}
	rule = *name ? sv_growing_find(k->family, k->path.data, name) : -1;
	if (rule < 0 || (above >= 0 && sv_growing_rule((size_t)rule)->pattern[0] != '/'))
		return above;
	g = &k->u->growing[rule];
	if (!g->places++) {
		g->path = strdup(item->path);
		if (!g->path) {
			sv_fail_nomem(err);
			return -2;
		}
	}
	return rule;
}

/* ---- objects ---- */

/* A named stream of NTFS. How many clusters it has is not told: as many as it needs, none where
 * it fits into the record. The one that holds a packed file's data is not the file's size. */
struct streams {
	struct sv_amount *sum;
	uint64_t cluster;
};
#define FITS_RECORD 600

static int add_stream(void *user, const char *name, uint64_t size)
{
	struct streams *s = user;
	uint64_t clusters = sv_div_up(size, s->cluster) * s->cluster;

	if (strcmp(name, "WofCompressedData") != 0)
		s->sum->size += SV_MIN(size, UINT64_MAX - s->sum->size);
	if (size > FITS_RECORD)
		s->sum->allocated += SV_MIN(clusters, UINT64_MAX - s->sum->allocated);
	return 0;
}

static int amount_of(struct measure *k, const struct sv_tree_item *item, struct sv_amount *ret,
	struct sv_err *err)
{
	const struct sv_fs_stat *st = &item->st;
	bool again = st->nlink > 1 && st->type != SV_FS_DIR;

	if (again && sv_names_find(&k->names, item->volume, st->ino))
		return 0;
	if (again && sv_names_add(&k->names, item->volume, st->ino, "", st->nlink, err) < 0)
		return -1;
	ret->allocated = st->allocated;
	ret->size = st->type == SV_FS_DIR ? 0 : st->size;
	if (st->attributes) { /* only such file systems have streams */
		uint64_t cluster = k->m->guest->volumes[item->volume].info.block_size;
		struct streams s = {ret, cluster ? cluster : 4096};

		sv_fs_streams(item->fs, st->ino, add_stream, &s, NULL);
	}
	ret->files = st->type != SV_FS_DIR;
	ret->folders = st->type == SV_FS_DIR;
	return 0;
}

static int push(struct measure *k, const struct frame *f, struct sv_err *err)
{
	if (k->depth == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 16;
		void *p = realloc(k->frames, cap * sizeof *k->frames);

		if (!p)
			return sv_fail_nomem(err);
		k->frames = p;
		k->cap = cap;
	}
	k->frames[k->depth++] = *f;
	return 0;
}

static int enter(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct measure *k = user;
	bool kept = k->depth <= k->opts->depth;
	struct frame f = {.node = {.type = item->st.type}};

	f.rule = find_rule(k, item, err);
	if (f.rule == -2 || amount_of(k, item, &f.node.sum, err) < 0)
		return -1;
	if (f.rule >= 0)
		add_amount(&k->u->growing[f.rule].sum, &f.node.sum);
	f.node.name = kept ? strdup(item->name) : NULL;
	if (kept && !f.node.name)
		return sv_fail_nomem(err);
	if (item->st.type == SV_FS_DIR ? push(k, &f, err) : deliver(k, &f.node, err)) {
		node_free(&f.node);
		return -1;
	}
	return SV_TREE_ON;
}

static int leave(void *user, const struct sv_tree_item *item, struct sv_err *err)
{
	struct measure *k = user;
	struct sv_usage_node n = k->frames[--k->depth].node;

	(void)item;
	return deliver(k, &n, err);
}

static int problem(void *user, const char *path, const struct sv_err *what, struct sv_err *err)
{
	struct measure *k = user;

	(void)err;
	k->u->unreadable++;
	k->opts->problem(k->opts->user, path, what);
	return 0;
}

static const char *family_of(const struct sv_machine *m, size_t volume)
{
	const struct sv_guest_os *os = sv_guest_system(m->guest, 0);

	if (os)
		return os->family;
	return sv_folds_case(m->guest, volume) ? "windows" : "linux";
}

/* The rules speak of paths of a Unix from its root, and of others from their volume's. */
static const char *base_of(const struct sv_machine *m, const struct sv_root *root)
{
	if (root->at.mounts && m->guest->n_mounts)
		return root->path;
	return strcmp(root->at.path, "/") != 0 ? root->at.path : "";
}

int sv_usage_measure(const struct sv_machine *m, const struct sv_root *root,
	const struct sv_usage_opts *opts, struct sv_job *job, struct sv_usage *ret,
	struct sv_err *err)
{
	static const struct sv_tree_ops ops = {
		.enter = enter, .leave = leave, .problem = problem};
	sv_autousage struct sv_usage u = {0};
	struct measure k = {.opts = opts,
		.m = m,
		.family = family_of(m, root->at.volume),
		.base = base_of(m, root),
		.u = &u};
	int rc;

	while (sv_growing_rule(u.n_growing))
		u.n_growing++;
	u.growing = calloc(u.n_growing, sizeof *u.growing);
	if (!u.growing)
		return sv_fail_nomem(err);
	rc = sv_tree_walk_guest(root->at.mounts, root->at.volume, root->at.fs, root->at.ino,
		&ops, &k, job, err);
	while (k.depth)
		node_free(&k.frames[--k.depth].node);
	free(k.frames);
	sv_names_free(&k.names);
	sv_str_free(&k.path);
	if (rc)
		return -1;
	*ret = u;
	u = (struct sv_usage){0};
	return 0;
}
