/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of sentences, and the freeing of what the public structs of this room hold. */
#include "extend/priv.h"

#include <stdio.h>

int sv_list_add(char ***list, size_t *n, struct sv_err *err, const char *fmt, ...)
{
	char **grown = realloc(*list, (*n + 1) * sizeof *grown);
	char *text = NULL;
	va_list ap;
	int rc;

	if (!grown)
		return sv_fail_nomem(err);
	*list = grown;
	va_start(ap, fmt);
	rc = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (rc < 0)
		return sv_fail_nomem(err);
	grown[(*n)++] = text;
	return 0;
}

void sv_list_free(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void sv_extend_result_free(struct sv_extend_result *r)
{
	free(r->folder);
	free(r->config);
	sv_list_free(r->verified, r->n_verified);
	sv_list_free(r->left_to_do, r->n_left_to_do);
	*r = (struct sv_extend_result){0};
}

void sv_verify_report_free(struct sv_verify_report *r)
{
	free(r->name);
	sv_list_free(r->ok, r->n_ok);
	sv_list_free(r->faults, r->n_faults);
	*r = (struct sv_verify_report){0};
}
