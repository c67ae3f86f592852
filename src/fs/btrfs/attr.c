/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Extended attributes of btrfs: items like a folder's entries, by their whole names. */
#include "fs/btrfs/btrfs.h"

#include "base/num.h"

#include <string.h>

static int tell(
	const struct sv_btrfs_cursor *c, sv_fs_xattr_fn fn, void *user, struct sv_err *err)
{
	char name[BTRFS_NAME_MAX + 1];
	struct sv_btrfs_entry e;
	int rc = 0;

	for (size_t at = 0; !rc && at < c->size;) {
		if (sv_btrfs_parse_entry(c->data, c->size, &at, &e, err) < 0)
			return sv_err_context(err, "attributes of inode %llu",
				(unsigned long long)c->key.objectid);
		memcpy(name, e.name, e.name_len);
		name[e.name_len] = 0;
		if (name[0])
			rc = fn(user, name, e.value, e.value_len);
	}
	return rc;
}

int sv_btrfs_xattrs(
	struct sv_fs *fs, uint64_t ino, sv_fs_xattr_fn fn, void *user, struct sv_err *err)
{
	SV_BTRFS_CURSOR c = {0};
	struct sv_btrfs *v = sv_btrfs_of(fs);
	struct sv_btrfs_inode i;
	struct sv_btrfs_root root;
	struct sv_btrfs_key key;
	int there, rc = 0;

	if (sv_btrfs_load(v, ino, &i, &root, err) < 0)
		return -1;
	if (i.objectid & BTRFS_EMPTY)
		return 0;
	key = (struct sv_btrfs_key){i.objectid, BTRFS_XATTR_ITEM, 0};
	there = sv_btrfs_seek(v, &root, &key, &c, err);
	while (there > 0 && c.key.objectid == i.objectid && c.key.type == BTRFS_XATTR_ITEM) {
		rc = tell(&c, fn, user, err);
		if (rc)
			return rc < 0 ? sv_err_path(err, sv_dev_name(fs->volume)) : rc;
		there = sv_btrfs_next(&c, err);
	}
	return there < 0 ? -1 : 0;
}
