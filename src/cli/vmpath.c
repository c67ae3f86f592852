/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "VM:PATH" taken apart: see vmpath.h. */
#include "cli/vmpath.h"

#include "base/str.h"

#include <string.h>

void sv_vmpath_free(struct sv_vmpath *p)
{
	free(p->vm);
	free(p->inside);
	*p = (struct sv_vmpath){0};
}

static bool exists(struct sv_host *host, const char *path)
{
	struct sv_host_stat st;

	return *path && sv_host_stat(host, path, &st, NULL) == 0;
}

/* Where the machine's name ends: strlen(text) when there is no place. */
static int find_end(struct sv_host *host, const char *text, size_t *ret, struct sv_err *err)
{
	sv_autofree char *part = strdup(text);

	if (!part)
		return sv_fail_nomem(err);
	for (;;) {
		char *colon;

		if (exists(host, part)) {
			*ret = strlen(part);
			return 0;
		}
		colon = strrchr(part, ':');
		if (!colon)
			break;
		*colon = 0;
	}
	*ret = strcspn(text, ":");
	return 0;
}

int sv_vmpath_parse(
	struct sv_host *host, const char *text, struct sv_vmpath *ret, struct sv_err *err)
{
	struct sv_vmpath p = {0};
	size_t end = 0;

	if (find_end(host, text, &end, err))
		return -1;
	if (!end)
		return sv_fail(err, SV_USAGE, NULL, "'%s' names no machine", text);
	p.vm = strndup(text, end);
	if (text[end])
		p.inside = strdup(text + end + 1);
	if (!p.vm || (text[end] && !p.inside)) {
		sv_vmpath_free(&p);
		return sv_fail_nomem(err);
	}
	*ret = p;
	return 0;
}

int sv_vmpath_parse_place(
	struct sv_host *host, const char *text, struct sv_vmpath *ret, struct sv_err *err)
{
	struct sv_vmpath p = {0};

	if (sv_vmpath_parse(host, text, &p, err))
		return -1;
	if (!p.inside || !*p.inside) {
		sv_fail(err, SV_USAGE, NULL, "'%s' names no place inside the machine", text);
		sv_hint(err, "add one: '%s:C:/Users', '%s:/etc', '%s:@disk0p1:/'", p.vm, p.vm,
			p.vm);
		sv_vmpath_free(&p);
		return -1;
	}
	*ret = p;
	return 0;
}
