/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finding the parent of a differencing VDI. The image names it by its id only; VirtualBox's
 * library knows the file. Without it: the file that a comment of ours names, then every .vdi
 * in the child's folder and in the one above (VirtualBox keeps snapshots in "Snapshots" below
 * the machine's folder).
 */
#include "image/vdi/vdi.h"

#include "base/str.h"

#include <string.h>

#define FILES_MAX 4096 /* looked into, of one folder */

static const char comment_prefix[] = "parent: ";

/* 0: another disk (or none); 1: the parent, changed since; 2: the parent */
static int match(const struct sv_vdi *v, const char *path)
{
	struct sv_vdi_disk_header h;
	sv_autodev struct sv_dev *file = NULL;

	if (sv_host_open(v->host, path, SV_OPEN_READ, &file, NULL) < 0 ||
		sv_dev_size(file) < sizeof h || sv_dev_read(file, &h, sizeof h, 0, NULL) < 0 ||
		sv_get_le32(h.signature) != SV_VDI_SIGNATURE ||
		memcmp(h.id, v->header.parent_id, sizeof h.id) != 0)
		return 0;
	return memcmp(h.modified, v->header.parent_modified, sizeof h.modified) ? 1 : 2;
}

/* The best file of a folder; NULL where none has the id. Caller frees. */
static char *search(const struct sv_vdi *v, const char *dir)
{
	sv_autofree char *best = NULL;
	unsigned looked = 0;
	char **names;
	int rank = 0;
	size_t n;

	if (sv_host_list(v->host, dir, &names, &n, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < n && rank < 2 && looked < FILES_MAX; i++) {
		sv_autofree char *path = NULL;
		int found;

		if (!sv_ends_with_nocase(names[i], ".vdi"))
			continue;
		looked++;
		path = sv_path_join(dir, names[i]);
		found = path ? match(v, path) : 0;
		if (found > rank) {
			rank = found;
			free(best);
			best = SV_STEAL(path);
		}
	}
	sv_host_free_names(names, n);
	return SV_STEAL(best);
}

static char *by_comment(const struct sv_vdi *v, const char *home)
{
	const char *name = v->header.comment + sizeof comment_prefix - 1;
	sv_autofree char *path = NULL;

	if (!sv_starts_with(v->header.comment, comment_prefix) || sv_path_is_absolute(name))
		return NULL;
	path = sv_path_join(home, name);
	return path && match(v, path) ? SV_STEAL(path) : NULL;
}

char *sv_vdi_parent(const struct sv_link *l, unsigned nth)
{
	const struct sv_vdi *v = (const struct sv_vdi *)l;
	sv_autofree char *home = sv_path_dir(l->info.path);
	sv_autofree char *above = home ? sv_path_dir(home) : NULL;
	char *found;

	if (v->header.type != SV_VDI_DIFFERENCING || nth || !above)
		return NULL;
	found = by_comment(v, home);
	if (!found)
		found = search(v, home);
	if (!found)
		found = search(v, above);
	/* the error names it as VirtualBox would name a snapshot's file */
	return found ? found : sv_format("%s/%s.vdi", home, l->info.parent_hint);
}

int sv_vdi_match_parent(
	const struct sv_link *child, const struct sv_link *parent, struct sv_err *err)
{
	static const uint8_t none[SV_VDI_UUID_SIZE];
	const struct sv_vdi *c = (const struct sv_vdi *)child;
	const struct sv_vdi *p = (const struct sv_vdi *)parent;
	const char *name = sv_path_base(child->info.path);
	char expected[SV_VDI_UUID_TEXT], modified[SV_VDI_UUID_TEXT];

	if (parent->driver != &sv_vdi_driver)
		return sv_fail(err, SV_CORRUPT, parent->info.path,
			"the parent of a VDI must be a VDI, this is %s", parent->driver->name);
	if (memcmp(p->header.id, c->header.parent_id, SV_VDI_UUID_SIZE) != 0)
		return sv_fail(err, SV_CORRUPT, parent->info.path,
			"its id is %s, %s was made for %s", parent->info.id, name,
			child->info.parent_hint);
	if (!memcmp(c->header.parent_modified, none, SV_VDI_UUID_SIZE) ||
		!memcmp(c->header.parent_modified, p->header.modified, SV_VDI_UUID_SIZE))
		return 0;
	sv_vdi_uuid_text(c->header.parent_modified, expected);
	sv_vdi_uuid_text(p->header.modified, modified);
	sv_fail(err, SV_CORRUPT, parent->info.path,
		"its modification id is %s, %s was made for %s", modified, name, expected);
	return sv_hint(err,
		"the parent was changed after the snapshot was made: bring back the "
		"file from a backup");
}
