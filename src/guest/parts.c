/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * File systems that lie on several volumes by themselves, without a volume manager: btrfs. The
 * first of the volumes shows the file system; each of the others says what it is a part of.
 */
#include "guest/guest_private.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>

/* The volume itself, then those that hold the same, are not open and have no problem. */
static size_t find_candidates(
	const struct sv_guest *g, size_t i, struct sv_dev **parts, size_t *volume_of)
{
	size_t n = 0;

	parts[n] = g->volumes[i].dev;
	volume_of[n++] = i;
	for (size_t k = i + 1; k < g->n_volumes; k++) {
		const struct sv_guest_volume *v = &g->volumes[k];

		if (v->problem[0] || v->readable || strcmp(v->type, g->volumes[i].type) != 0)
			continue;
		parts[n] = v->dev;
		volume_of[n++] = k;
	}
	return n;
}

static int tell_parts(struct sv_guest *g, const bool *used, const size_t *volume_of, size_t n,
	struct sv_err *err)
{
	for (size_t k = 1; k < n; k++) {
		struct sv_guest_volume *v = &g->volumes[volume_of[k]];
		sv_autofree char *text = NULL;

		if (!used[k])
			continue;
		text = sv_format("part of %s", g->volumes[volume_of[0]].id);
		if (!text)
			return sv_fail_nomem(err);
		v->problem_code = SV_UNSUPPORTED;
		if (sv_guest_set_text(&v->problem, text, err) < 0)
			return -1;
	}
	return 0;
}

int sv_guest_open_fs(struct sv_guest *g, size_t i, struct sv_fs **ret, struct sv_err *err)
{
	sv_autofree struct sv_dev **parts = calloc(g->n_volumes, sizeof(*parts));
	sv_autofree size_t *volume_of = calloc(g->n_volumes, sizeof *volume_of);
	sv_autofree bool *used = calloc(g->n_volumes, sizeof *used);
	size_t n;

	if (!parts || !volume_of || !used)
		return sv_fail_nomem(err);
	n = find_candidates(g, i, parts, volume_of);
	if (sv_fs_open_parts(parts, n, used, ret, err) < 0)
		return -1;
	return tell_parts(g, used, volume_of, n, err);
}
