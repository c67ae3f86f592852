/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Between the plan and the run a person is asked, and may take his time: a machine that was
 * started and shut down meanwhile must be planned anew.
 */
#include "extend/target.h"

#include <string.h>

static int see(struct sv_host *host, struct sv_target *t, const char *path, struct sv_err *err)
{
	struct sv_target_file *grown = realloc(t->files, (t->n_files + 1) * sizeof *grown);
	struct sv_target_file *f;

	if (!grown)
		return sv_fail_nomem(err);
	t->files = grown;
	f = &grown[t->n_files];
	f->path = strdup(path);
	if (!f->path)
		return sv_fail_nomem(err);
	t->n_files++;
	return sv_identity_of(host, path, false, &f->identity, err);
}

int sv_target_see_files(struct sv_host *host, struct sv_target *t, struct sv_err *err)
{
	for (size_t i = 0; i < t->n_images; i++) {
		for (size_t l = 0; l < sv_image_links(t->images[i]); l++) {
			const struct sv_image_link *link = sv_image_link(t->images[i], l);

			for (size_t f = 0; f < link->n_files; f++) {
				if (see(host, t, link->files[f].path, err) < 0)
					return -1;
			}
		}
	}
	return 0;
}

void sv_target_forget_files(struct sv_target *t)
{
	for (size_t i = 0; i < t->n_files; i++)
		free(t->files[i].path);
	free(t->files);
	t->files = NULL;
	t->n_files = 0;
}

int sv_target_check_files(struct sv_host *host, const struct sv_target *t, struct sv_err *err)
{
	char why[SV_IDENTITY_WHY];

	for (size_t i = 0; i < t->n_files; i++) {
		const struct sv_target_file *f = &t->files[i];

		if (sv_identity_same(host, f->path, &f->identity, why))
			continue;
		sv_fail(err, SV_BUSY, f->path, "it was changed since the plan was made: %s",
			why);
		return sv_hint(err,
			"let nothing write to the virtual machine, then give the command again");
	}
	return 0;
}
