/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Growing a file system: which one it is, and who grows it. A type that nobody grows here is
 * refused by name, with the command that grows it from within the guest: the partition can
 * always become larger, and the file system keeps its size until then.
 */
#include "fs/grow.h"

#include "base/num.h"
#include "fs/ext/growth.h"
#include "fs/fs.h"
#include "fs/ntfs/growth.h"

#include <string.h>

static const struct grower {
	const char *type;
	int (*check)(struct sv_dev *volume, uint64_t new_volume_size,
		const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret,
		struct sv_err *err);
	int (*grow)(
		struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err);
} growers[] = {
	{"ntfs", sv_ntfs_check_grow, sv_ntfs_grow},
	{"ext2", sv_ext_check_grow, sv_ext_grow},
	{"ext3", sv_ext_check_grow, sv_ext_grow},
	{"ext4", sv_ext_check_grow, sv_ext_grow},
};

#define PARTITION_ONLY "grow the partition only; then, in the guest: "

static const struct {
	const char *type, *name, *remedy;
} remedies[] = {
	{"bitlocker", "a volume encrypted with BitLocker",
		"start Windows and turn it off: manage-bde -off C:  (wait for \"Fully Decrypted\"),"
		" then shutdown /s /t 0"},
	{"luks", "a volume encrypted with LUKS",
		PARTITION_ONLY "cryptsetup resize NAME, and the file system in it"},
	{"lvm2", "an LVM physical volume", PARTITION_ONLY "pvresize DEVICE, lvextend -r LV"},
	{"xfs", "XFS", PARTITION_ONLY "xfs_growfs MOUNTPOINT"},
	{"btrfs", "btrfs", PARTITION_ONLY "btrfs filesystem resize max MOUNTPOINT"},
	{"refs", "ReFS", PARTITION_ONLY "diskpart, select volume LETTER, extend filesystem"},
};

static int refuse(struct sv_dev *volume, const char *type, struct sv_err *err)
{
	const char *name = *type ? type : "a volume without a known file system";
	const char *remedy = NULL;

	for (size_t i = 0; i < SV_ARRAY_LEN(remedies); i++)
		if (!strcmp(remedies[i].type, type)) {
			name = remedies[i].name;
			remedy = remedies[i].remedy;
		}
	sv_fail(err, SV_UNSUPPORTED, sv_dev_name(volume), "%s cannot be grown from outside",
		name);
	return remedy ? sv_hint(err, "%s", remedy) : -1;
}

static const struct grower *grower_of(const char *type)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(growers); i++)
		if (!strcmp(growers[i].type, type))
			return &growers[i];
	return NULL;
}

bool sv_fs_can_grow(const char *type)
{
	return grower_of(type);
}

static const struct grower *find_grower(struct sv_dev *volume, struct sv_err *err)
{
	const struct grower *g;
	const char *type;

	if (sv_fs_probe(volume, &type, err) < 0)
		return NULL;
	g = grower_of(type);
	if (!g)
		refuse(volume, type, err);
	return g;
}

int sv_fs_check_grow(struct sv_dev *volume, uint64_t new_volume_size,
	const struct sv_fs_grow_opts *opts, struct sv_fs_grow_plan *ret, struct sv_err *err)
{
	const struct grower *g = find_grower(volume, err);

	return g ? g->check(volume, new_volume_size, opts, ret, err) : -1;
}

int sv_fs_grow(struct sv_dev *volume, const struct sv_fs_grow_opts *opts, struct sv_err *err)
{
	const struct grower *g = find_grower(volume, err);

	return g ? g->grow(volume, opts, err) : -1;
}
