/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A walk of a hive that hands each thing to a format of `reg`, with the path of its key. */
#include "cli/reg.h"

#include "cli/out.h"

enum { STOP = 1 }; /* nobody reads any more */

static int follow(struct sv_reg *r, const struct sv_hive_visit *v, struct sv_err *err)
{
	if (v->depth == 0) {
		r->path.len = 0;
		sv_str_add(&r->path, r->top);
	} else {
		r->path.len = r->lengths[v->depth - 1];
		sv_str_add(&r->path, "\\");
		sv_str_add(&r->path, v->name);
	}
	r->lengths[v->depth] = r->path.len;
	return r->path.failed ? sv_fail_nomem(err) : 0;
}

static int only_value(struct sv_reg *r, sv_hive_key key, struct sv_err *err)
{
	uint32_t type = 0;
	size_t n = 0;
	sv_autofree void *data = sv_hive_value(r->hive, key, r->only, &type, &n, err);

	return data ? r->format->value(r, r->only, type, data, n, err) : -1;
}

static int on_key(void *user, const struct sv_hive_visit *v, struct sv_err *err)
{
	struct sv_reg *r = user;

	if (sv_out_gone(&r->cli->out))
		return STOP;
	if (sv_job_check(&r->cli->job, err) < 0 || follow(r, v, err) < 0)
		return -1;
	r->subkeys = 0;
	r->keys++;
	if (r->format->key(r, v, err) < 0)
		return -1;
	return r->only ? only_value(r, v->key, err) : 0;
}

static int on_value(void *user, const char *name, uint32_t type, const void *data, size_t n)
{
	struct sv_reg *r = user;

	return r->format->value(r, name, type, data, n, &r->err);
}

static int on_subkey(void *user, const char *name)
{
	struct sv_reg *r = user;
	int rc = r->only ? 0 : r->format->subkey(r, name, &r->err);

	r->subkeys++;
	return rc;
}

static int on_done(void *user, const struct sv_hive_visit *v)
{
	struct sv_reg *r = user;

	(void)v;
	r->format->done(r);
	return 0;
}

static int on_problem(void *user, const struct sv_err *what)
{
	struct sv_reg *r = user;

	if (r->problems++ >= SV_REG_NOTES)
		return 0;
	sv_job_note(&r->cli->job, "%s: offset 0x%llx of %s: %s; what it leads to is missing",
		r->path.data ? r->path.data : r->top, (unsigned long long)what->offset,
		what->path, what->message);
	return 0;
}

int sv_reg_walk(struct sv_reg *r, struct sv_hive *h, sv_hive_key key, struct sv_err *err)
{
	const struct sv_hive_walk walk = {.key = on_key,
		.value = r->only ? NULL : on_value,
		.subkey = on_subkey,
		.done = on_done,
		.problem = on_problem,
		.recursive = r->recursive,
		.user = r};
	int rc;

	r->hive = h;
	r->problems += sv_hive_state(h)->problem[0] != 0;
	rc = sv_hive_walk(h, key, &walk, err);
	if (rc < 0 && r->err.code != SV_OK)
		sv_err_copy(err, &r->err);
	return rc == STOP ? 0 : rc;
}
