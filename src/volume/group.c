/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of volume managers, and the list of volumes that they fill. */
#include "volume/group.h"

#include "base/num.h"
#include "volume/manager.h"

#include <stdio.h>
#include <string.h>

static int (*const managers[])(const struct sv_member *members, size_t n,
	struct sv_group_volumes *ret, struct sv_job *job, struct sv_err *err) = {
	sv_ldm_assemble,
	sv_md_assemble,
	sv_lvm2_assemble,
};

int sv_group_assemble(const struct sv_member *members, size_t n, struct sv_group_volumes *ret,
	struct sv_job *job, struct sv_err *err)
{
	n = SV_MIN(n, (size_t)SV_GROUP_MEMBERS_MAX);
	for (size_t i = 0; i < SV_ARRAY_LEN(managers); i++) {
		if (sv_job_check(job, err) < 0 || managers[i](members, n, ret, job, err) < 0)
			return -1;
	}
	return 0;
}

static void volume_free(struct sv_group_volume *v)
{
	sv_dev_close(v->dev);
	free(v->name);
	free(v->type_name);
	free(v->uuid);
	free(v->problem);
	free(v->warning);
	free(v->members);
}

void sv_group_volumes_free(struct sv_group_volumes *v)
{
	for (size_t i = 0; i < v->n; i++)
		volume_free(&v->v[i]);
	free(v->v);
	*v = (struct sv_group_volumes){0};
}

struct sv_group_volume *sv_group_add(struct sv_group_volumes *ret, const char *kind,
	const char *name, const char *type_name, const char *uuid, struct sv_err *err)
{
	struct sv_group_volume v = {.kind = kind}, *grown;

	grown = ret->n < SV_GROUP_VOLUMES_MAX ? realloc(ret->v, (ret->n + 1) * sizeof v) : NULL;
	if (grown)
		ret->v = grown;
	v.name = strdup(name);
	v.type_name = strdup(type_name);
	v.uuid = strdup(uuid);
	v.problem = strdup("");
	v.warning = strdup("");
	if (!grown || !v.name || !v.type_name || !v.uuid || !v.problem || !v.warning) {
		volume_free(&v);
		sv_fail(err, SV_NOMEM, NULL, "out of memory, or more than %d volumes",
			SV_GROUP_VOLUMES_MAX);
		return NULL;
	}
	grown[ret->n] = v;
	return &grown[ret->n++];
}

int sv_group_add_member(struct sv_group_volume *v, size_t member, struct sv_err *err)
{
	size_t *grown;

	for (size_t i = 0; i < v->n_members; i++) {
		if (v->members[i] == member)
			return 0;
	}
	grown = realloc(v->members, (v->n_members + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	v->members = grown;
	v->members[v->n_members++] = member;
	return 0;
}

int sv_group_warn(struct sv_group_volume *v, struct sv_err *err, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return sv_fail_nomem(err);
	free(v->warning);
	v->warning = text;
	return 0;
}

int sv_group_problem(struct sv_group_volume *v, const struct sv_err *why, struct sv_err *err)
{
	char *text;

	if (why->code == SV_NOMEM || why->code == SV_CANCELLED) {
		sv_err_copy(err, why);
		return -1;
	}
	text = strdup(why->message);
	if (!text)
		return sv_fail_nomem(err);
	free(v->problem);
	v->problem = text;
	v->problem_code = why->code;
	return 0;
}
