/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that an operation has made and takes back when it fails: see driver.h. */
#include "image/driver.h"

#include <string.h>

int sv_made_add(struct sv_made *m, const char *path, struct sv_err *err)
{
	char *copy = strdup(path);
	char **grown = copy ? realloc(m->paths, (m->n + 1) * sizeof *grown) : NULL;

	if (!grown) {
		free(copy);
		sv_host_unlink(m->host, path, NULL);
		return sv_fail_nomem(err);
	}
	m->paths = grown;
	grown[m->n++] = copy;
	return 0;
}

int sv_made_copy(struct sv_made *m, const char *from, const char *to, bool reflink,
	struct sv_job *job, struct sv_err *err)
{
	if (sv_host_exists(m->host, to))
		return sv_fail(err, SV_EXISTS, to, "there is a file of this name already");
	if (sv_made_add(m, to, err) < 0)
		return -1;
	return reflink ? sv_host_reflink(m->host, from, to, err)
		       : sv_host_copy_file(m->host, from, to, job, err);
}

static void forget(struct sv_made *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->paths[i]);
	free(m->paths);
	m->paths = NULL;
	m->n = 0;
}

void sv_made_keep(struct sv_made *m)
{
	forget(m);
}

void sv_made_undo(struct sv_made *m)
{
	/* the last first: a descriptor goes before the extents that it names, what is in a
	 * folder before the folder */
	for (size_t i = m->n; i-- > 0;)
		sv_host_remove(m->host, m->paths[i], NULL);
	forget(m);
}
