/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Records of "KEY: value" lines: see stanza.h. Of a key that comes twice the first one counts.
 */
#include "guest/stanza.h"

#include <string.h>

int sv_stanzas_open(const struct sv_guest_place *p, const char *const *keys, struct sv_job *job,
	struct sv_stanzas *ret, struct sv_err *err)
{
	*ret = (struct sv_stanzas){.keys = keys};
	return sv_lines_open(p, job, &ret->lines, err);
}

void sv_stanzas_close(struct sv_stanzas *s)
{
	sv_lines_close(&s->lines);
	sv_str_free(&s->text);
}

/* Keeps the value of a line whose key is wanted. */
static void take_line(struct sv_stanzas *s, const char *line)
{
	const char *colon = strchr(line, ':');

	for (size_t i = 0; colon && s->keys[i]; i++) {
		size_t n = strlen(s->keys[i]);

		if ((size_t)(colon - line) != n || memcmp(line, s->keys[i], n) != 0 || s->at[i])
			continue;
		colon++;
		colon += strspn(colon, " \t");
		s->at[i] = s->text.len;
		n = strlen(colon);
		while (n && strchr(" \t\r", colon[n - 1]))
			n--;
		sv_str_addn(&s->text, colon, n);
		sv_str_addn(&s->text, "", 1);
		return;
	}
}

int sv_stanzas_next(struct sv_stanzas *s, struct sv_err *err)
{
	bool any = false;
	char *line;
	int rc;

	s->text.len = 0;
	memset(s->at, 0, sizeof s->at);
	sv_str_addn(&s->text, "", 1); /* so that 0 is no value's place */
	while ((rc = sv_lines_next(&s->lines, &line, err)) > 0) {
		bool empty = line[strspn(line, " \t\r")] == 0;

		if (empty && any)
			break;
		any |= !empty;
		take_line(s, line);
	}
	if (rc < 0 || s->text.failed)
		return rc < 0 ? -1 : sv_fail_nomem(err);
	for (size_t i = 0; s->keys[i]; i++)
		s->values[i] = s->text.data + s->at[i];
	return any;
}
