/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Making Parallels disks, and copies of them. */
#include "image/parallels/parallels.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static int check_spec(const char *path, const struct sv_image_spec *spec, struct sv_err *err)
{
	if (spec->parent) {
		sv_fail(err, SV_UNSUPPORTED, path,
			"a Parallels disk over a parent cannot be made");
		return sv_hint(err, "make an independent copy: --copy");
	}
	if (!spec->subformat || !strcmp(spec->subformat, "expanding"))
		return 0;
	return sv_fail(err, SV_USAGE, path, "no Parallels disk of kind \"%s\" can be made",
		spec->subformat);
}

int sv_prl_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	sv_automade struct sv_made made = {.host = host};
	sv_autofree char *dir = sv_path_dir(path);
	sv_autodev struct sv_dev *d = NULL;
	struct sv_prl_disk_header probe;

	if (!dir)
		return sv_fail_nomem(err);
	if (check_spec(path, spec, err) < 0 || sv_prl_header_make(spec->size, &probe, err) < 0)
		return sv_err_path(err, path);
	if (sv_host_open(host, path, SV_OPEN_CREATE, &d, err) < 0 ||
		sv_made_add(&made, path, err) < 0 || sv_hds_make(d, spec->size, err) < 0 ||
		sv_dev_flush(d, err) < 0 || sv_host_sync_dir(host, dir, err) < 0)
		return sv_err_path(err, path);
	sv_made_keep(&made);
	return 0;
}

/* ---- derivation ---- */

int sv_prl_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	const char *dot = strrchr(sv_path_base(l->info.path), '.');
	sv_autofree char *name = sv_format("%s%s", stem, dot ? dot : ".hds");
	sv_autofree char *path = name ? sv_path_join(dir, name) : NULL;

	if (!path)
		return sv_fail_nomem(err);
	if (sv_made_copy(made, l->info.path, path, reflink, job, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

int sv_prl_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err)
{
	(void)host;
	(void)dir;
	(void)stem;
	(void)ret_path;
	return sv_prl_limits(original, SV_DERIVE_LINKED, size, err);
}

uint64_t sv_prl_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	const struct sv_prl *p = (const struct sv_prl *)sv_image_driver_link(original, 0);

	(void)how;
	return sv_hds_grow_cost(&p->hds->h, size);
}

int sv_prl_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	const struct sv_prl *p = (const struct sv_prl *)sv_image_driver_link(original, 0);

	if (how == SV_DERIVE_LINKED) {
		sv_fail(err, SV_UNSUPPORTED, p->link.info.path,
			"a Parallels disk cannot be linked to another one");
		return sv_hint(err, "make an independent copy: --copy");
	}
	if (sv_hds_check_size(&p->hds->h, size, err) < 0)
		return sv_err_path(err, p->link.info.path);
	return 0;
}
