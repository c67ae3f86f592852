/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The disks of a machine that are not extended: the new machine gets a disk of its own for
 * each, so that it never writes an original. Blocks are shared where the host can; else it is a
 * delta that reads from the original.
 */
#include "extend/priv.h"

#include "base/str.h"

#include <string.h>

/* Disk ids as file names: "scsi0:1" -> "scsi0-1". */
static char *other_disk_name(const struct sv_extend *x, size_t i)
{
	char *name = sv_format("%s-%s", x->name, x->target.vm->disks[i].id);

	for (char *c = name; c && *c; c++) {
		if (*c == ':')
			*c = '-';
	}
	return name;
}

/* Of a disk's changes: its own format, where that knows parents. */
static int delta_format(
	const struct sv_image *image, struct sv_image_format *ret, struct sv_err *err)
{
	const struct sv_image_link *leaf = sv_image_link(image, 0);

	if (sv_image_choose_format(leaf->path, leaf->format, ret, err) < 0)
		return -1;
	return ret->has_parents ? 0 : sv_image_choose_format(leaf->path, "qcow2", ret, err);
}

/* A new image that reads from `image` and keeps what changes. */
static int make_delta(struct sv_host *host, struct sv_image *image, const char *folder,
	const char *name, char **ret, struct sv_err *err)
{
	struct sv_image_spec spec = {.parent = image};
	struct sv_image_format format;
	sv_autofree char *path = NULL;

	if (delta_format(image, &format, err) < 0)
		return -1;
	spec.format = format.name;
	path = sv_format("%s/%s%s", folder, name, format.extension);
	if (!path)
		return sv_fail_nomem(err);
	if (sv_image_create(host, path, &spec, err) < 0)
		return -1;
	*ret = SV_STEAL(path);
	return 0;
}

int sv_other_disk_make(struct sv_extend *x, size_t i, const char *folder, struct sv_job *job,
	char **ret_name, struct sv_err *err)
{
	struct sv_image *image = x->target.images[i];
	sv_autofree char *name = other_disk_name(x, i);
	sv_autofree char *made = NULL;
	bool shares = sv_image_links(image) == 1 &&
		      sv_host_can_reflink(x->host, sv_image_link(image, 0)->path, folder);

	if (!name)
		return sv_fail_nomem(err);
	if (shares ? sv_image_derive(x->host, image, SV_DERIVE_REFLINK, folder, name,
			     sv_dev_size(sv_image_dev(image)), job, &made, err) < 0
		   : make_delta(x->host, image, folder, name, &made, err) < 0)
		return -1;
	*ret_name = strdup(sv_path_base(made));
	return *ret_name ? 0 : sv_fail_nomem(err);
}
