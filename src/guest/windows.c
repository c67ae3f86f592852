/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recognising Windows: the volume with its registry. */
#include "guest/guest_private.h"

#include "base/str.h"

#include <string.h>

#define CONFIG "/Windows/System32/config/"

static bool exists(struct sv_guest *g, size_t volume, const char *path)
{
	struct sv_fs *fs;
	uint64_t ino;

	return g->volumes[volume].readable && sv_guest_fs(g, volume, &fs, NULL) == 0 &&
	       sv_fs_lookup(fs, path, &ino, NULL) == 0;
}

/* The first volume with both hives; Windows' recovery image has them inside a WIM only. */
static int find_system_volume(struct sv_guest *g)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (!strcmp(g->volumes[i].type, "ntfs") && exists(g, i, CONFIG "SYSTEM") &&
			exists(g, i, CONFIG "SOFTWARE"))
			return (int)i;
	}
	return -1;
}

int sv_windows_detect(struct sv_guest *g, struct sv_job *job, struct sv_err *err)
{
	if (sv_job_check(job, err) < 0)
		return -1;
	g->system_volume = find_system_volume(g);
	return g->system_volume < 0 ? 0 : sv_guest_set_text(&g->os.family, "windows", err);
}
