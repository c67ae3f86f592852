/* SPDX-License-Identifier: GPL-3.0-or-later */
/* VHDXs made from others: copies, which are disks of their own, and children. */
#include "image/vhdx/vhdx.h"

#include "base/str.h"

/* A copy is another disk: a machine may have both, and children of the original must not take
 * it for their parent. */
static int give_new_ids(struct sv_host *host, const char *path, struct sv_err *err)
{
	sv_autodev struct sv_dev *file = NULL;
	struct sv_vhdx_guid id;
	struct sv_vhdx *v;
	uint64_t at;
	int rc;

	if (sv_vhdx_guid_new(&id, err) < 0 ||
		sv_host_open(host, path, SV_OPEN_WRITE | SV_OPEN_NOFOLLOW, &file, err) < 0 ||
		sv_vhdx_load(file, true, &v, err) < 0)
		return -1;
	at = sv_vhdx_metadata(v)->at + v->items.known[SV_VHDX_ITEM_DISK_ID].at;
	rc = sv_vhdx_begin(v, err);
	if (!rc && v->items.known[SV_VHDX_ITEM_DISK_ID].length)
		rc = sv_vhdx_bytes_write(v, at, &id, sizeof id, err);
	if (!rc)
		rc = sv_vhdx_flush(&v->link, err);
	if (!rc)
		rc = sv_dev_flush(file, err);
	sv_vhdx_close(&v->link);
	return rc;
}

static char *file_path(const char *dir, const char *stem)
{
	sv_autofree char *name = sv_format("%s.vhdx", stem);

	return name ? sv_path_join(dir, name) : NULL;
}

int sv_vhdx_copy(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
	const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
	struct sv_err *err)
{
	sv_autofree char *path = file_path(dir, stem);

	if (!path)
		return sv_fail_nomem(err);
	if (sv_made_copy(made, l->info.path, path, reflink, job, err) < 0 ||
		give_new_ids(host, path, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

int sv_vhdx_derive_linked(struct sv_host *host, struct sv_image *original, const char *dir,
	const char *stem, uint64_t size, char **ret_path, struct sv_err *err)
{
	const struct sv_image_spec spec = {.format = "vhdx", .size = size, .parent = original};
	sv_autofree char *path = file_path(dir, stem);

	if (!path)
		return sv_fail_nomem(err);
	if (sv_image_create(host, path, &spec, err) < 0)
		return -1;
	*ret_path = SV_STEAL(path);
	return 0;
}

/* Identifier, headers, region tables and metadata; the table; one bitmap, where a smaller
 * parent ends within a block. Blocks and the log are holes until they are written. */
uint64_t sv_vhdx_metadata_cost(
	struct sv_image *original, enum sv_image_derive how, uint64_t size)
{
	const struct sv_vhdx *v = (const struct sv_vhdx *)sv_image_driver_link(original, 0);
	struct sv_vhdx_params p = v->params;

	if (how == SV_DERIVE_LINKED) {
		p.block = SV_VHDX_BLOCK_MIN;
		p.has_parent = true;
	}
	return 2 * SV_MIB + SV_VHDX_BITMAP + sv_vhdx_entries(&p, size) * 8;
}

int sv_vhdx_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err)
{
	const struct sv_vhdx *v = (const struct sv_vhdx *)sv_image_driver_link(original, 0);

	(void)how;
	if (sv_vhdx_refuse_large(v->link.info.path, size, err) < 0)
		return -1;
	if (size % v->params.sector == 0)
		return 0;
	return sv_fail(err, SV_USAGE, v->link.info.path,
		"the disk cannot have %llu bytes: its sectors have %u",
		(unsigned long long)size, v->params.sector);
}
