/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The broker's part in a copy: it makes what a worker names, below the one folder that was
 * granted. extract.h sees to it that no name leads out; here it is seen that the top has only
 * names that were asked for, and that the calls come in an order in which they mean something.
 */
#include "io/broker_private.h"

#include "base/str.h"

#include <string.h>

#define ATTRS_MAX      1024
#define ATTR_BYTES_MAX (4u << 20)

static void forget_attrs(struct broker_copy *c)
{
	for (size_t i = 0; i < c->n_attrs; i++) {
		free(c->attrs[i].name);
		free(c->attrs[i].value);
	}
	free(c->attrs);
	c->attrs = NULL;
	c->n_attrs = c->attr_bytes = 0;
}

void sv_broker_copy_end(struct broker_copy *c)
{
	forget_attrs(c);
	sv_extract_close(c->x);
	c->x = NULL;
}

static struct sv_extract_meta meta_of(const struct broker_copy *c, const struct sv_ask *ask)
{
	const struct sv_ask_meta *m = &ask->head.meta;

	return (struct sv_extract_meta){
		.mtime_sec = m->mtime_sec,
		.atime_sec = m->atime_sec,
		.mtime_nsec = m->mtime_nsec,
		.atime_nsec = m->atime_nsec,
		.has_mode = m->has_mode,
		.mode = m->mode & 07777,
		.uid = m->uid,
		.gid = m->gid,
		.attrs = c->attrs,
		.n_attrs = c->n_attrs,
	};
}

static int keep_attr(struct broker_copy *c, const struct sv_ask *ask, struct sv_err *err)
{
	size_t n = ask->head.data_n;
	struct sv_extract_attr *grown;

	if (c->n_attrs == ATTRS_MAX || c->attr_bytes + n > ATTR_BYTES_MAX)
		return sv_fail(err, SV_NOMEM, NULL, "more than %d attributes, or %u bytes",
			ATTRS_MAX, ATTR_BYTES_MAX);
	grown = realloc(c->attrs, (c->n_attrs + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	c->attrs = grown;
	grown += c->n_attrs;
	*grown = (struct sv_extract_attr){strdup(ask->text), malloc(n ? n : 1), n};
	c->n_attrs++;
	c->attr_bytes += n;
	if (!grown->name || !grown->value)
		return sv_fail_nomem(err);
	memcpy(grown->value, ask->data, n);
	return 0;
}

static int open_copy(struct broker_copy *c, const struct sv_grants *g, struct sv_err *err)
{
	if (!g->into || c->x)
		return sv_fail(err, SV_PERMISSION, NULL, "nothing is to be copied here");
	return sv_extract_open(g->into, g->archive, &c->x, err);
}

/* May this name be made where the copy stands? `path` is from the first folder. */
static int check_top(const struct sv_grants *g, const char *path, struct sv_err *err)
{
	if (sv_grants_name(g, path, strcspn(path, "/")))
		return 0;
	return sv_fail(err, SV_PERMISSION, NULL, "'%.200s' is not what was to be copied", path);
}

static int put(struct broker_copy *c, const struct sv_grants *g, const struct sv_ask *ask,
	const struct sv_extract_meta *meta, struct sv_err *err)
{
	if (sv_extract_begin(c->x, ask->text, g->replace, err) < 0)
		return -1;
	if (sv_extract_write(c->x, ask->data, ask->head.data_n, 0, err) == 0 &&
		sv_extract_finish(c->x, ask->head.data_n, meta, err) == 0)
		return 0;
	sv_extract_drop(c->x);
	return -1;
}

/* What makes a name, or goes a folder up or down. */
static int make(struct broker_copy *c, const struct sv_grants *g, const struct sv_ask *ask,
	struct answer *ret, struct sv_err *err)
{
	struct sv_extract_meta meta = meta_of(c, ask);
	const char *data = (const char *)ask->data;

	switch (ask->head.op) {
	case SV_ASK_ENTER:
		return sv_extract_enter(c->x, ask->text, err);
	case SV_ASK_LEAVE:
		return sv_extract_leave(c->x, &meta, err);
	case SV_ASK_BEGIN:
		if (sv_extract_begin(c->x, ask->text, g->replace, err) < 0)
			return -1;
		ret->fd = sv_extract_fd(c->x);
		return 0;
	case SV_ASK_PUT:
		return put(c, g, ask, &meta, err);
	case SV_ASK_LINK:
		return sv_extract_link(c->x, ask->text, data, g->replace, &meta, err);
	case SV_ASK_NODE:
		return sv_extract_node(c->x, ask->text, (uint32_t)ask->head.a,
			(uint32_t)(ask->head.b >> 32), (uint32_t)ask->head.b, g->replace, &meta,
			err);
	case SV_ASK_AGAIN:
		if (check_top(g, data, err) < 0)
			return -1;
		return sv_extract_again(c->x, ask->text, data, g->replace, err);
	default:
		return sv_fail(err, SV_INTERNAL, NULL, "question %u is none", ask->head.op);
	}
}

static int make_in_order(struct broker_copy *c, const struct sv_grants *g,
	const struct sv_ask *ask, struct answer *ret, struct sv_err *err)
{
	int rc;

	if (sv_extract_fd(c->x) >= 0)
		return sv_fail(err, SV_INTERNAL, NULL, "a file of the copy is not finished");
	if (!c->depth && ask->head.op != SV_ASK_LEAVE && check_top(g, ask->text, err) < 0)
		return -1;
	rc = make(c, g, ask, ret, err);
	if (ask->head.op == SV_ASK_ENTER && rc == 0)
		c->depth++;
	else if (ask->head.op == SV_ASK_LEAVE && c->depth)
		c->depth--;
	if (ask->head.op != SV_ASK_BEGIN)
		forget_attrs(c);
	return rc;
}

static int finish(struct broker_copy *c, const struct sv_ask *ask, struct sv_err *err)
{
	struct sv_extract_meta meta = meta_of(c, ask);
	int rc = -1;

	if (sv_extract_fd(c->x) < 0)
		sv_fail(err, SV_INTERNAL, NULL, "no file of the copy was begun");
	else
		rc = sv_extract_finish(c->x, ask->head.a, &meta, err);
	forget_attrs(c);
	if (rc < 0)
		sv_extract_drop(c->x);
	return rc;
}

int sv_broker_copy(struct broker_copy *c, const struct sv_grants *g, const struct sv_ask *ask,
	struct answer *ret, struct sv_err *err)
{
	if (ask->head.op == SV_ASK_EXTRACT_OPEN)
		return open_copy(c, g, err);
	if (!c->x)
		return sv_fail(err, SV_PERMISSION, NULL, "nothing is to be copied here");
	switch (ask->head.op) {
	case SV_ASK_ATTR:
		return keep_attr(c, ask, err);
	case SV_ASK_FINISH:
		return finish(c, ask, err);
	case SV_ASK_DROP:
		forget_attrs(c);
		sv_extract_drop(c->x);
		return 0;
	case SV_ASK_LEFT_OUT:
		ret->head.a = sv_extract_left_out(c->x);
		return 0;
	default:
		return make_in_order(c, g, ask, ret, err);
	}
}
