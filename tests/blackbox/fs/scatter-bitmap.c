/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Spreads $Bitmap of an NTFS image over single clusters with a gap after each, through
 * libntfs-3g, so that it comes to need an attribute list: a volume that no tool makes on
 * purpose, but that many small growths make.
 *
 *   scatter-bitmap FILE FRAGMENTS
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <ntfs-3g/volume.h>

#include <ntfs-3g/attrib.h>
#include <ntfs-3g/bitmap.h>
#include <ntfs-3g/lcnalloc.h>

static int complain(const char *what)
{
	fprintf(stderr, "scatter-bitmap: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The first `fragments` clusters lie two apart from `first` on, the rest follows them. */
static runlist_element *spread(int64_t first, int64_t fragments, int64_t clusters)
{
	runlist_element *rl = calloc((size_t)fragments + 2, sizeof *rl);

	if (!rl)
		return NULL;
	for (int64_t i = 0; i < fragments; i++)
		rl[i] = (runlist_element){.vcn = i, .lcn = first + 2 * i, .length = 1};
	rl[fragments - 1].length = clusters - fragments + 1;
	rl[fragments] = (runlist_element){.vcn = clusters, .lcn = LCN_ENOENT};
	return rl;
}

static int scatter(ntfs_volume *vol, int64_t fragments)
{
	ntfs_attr *na = vol->lcnbmp_na;
	int64_t clusters = na->allocated_size / vol->cluster_size;
	int64_t first = vol->nr_clusters / 2 + vol->nr_clusters / 4;
	runlist_element *old, *fresh = spread(first, fragments, clusters);
	char *bits = malloc((size_t)na->data_size);

	if (!fresh || !bits || fragments > clusters)
		return complain("too many fragments");
	for (int64_t i = 0; fresh[i].length; i++)
		if (ntfs_bitmap_set_run(na, fresh[i].lcn, fresh[i].length))
			return complain("marking the new clusters");
	for (old = na->rl; old->length; old++)
		if (ntfs_bitmap_clear_run(na, old->lcn, old->length))
			return complain("freeing the old clusters");
	if (ntfs_attr_pread(na, 0, na->data_size, bits) != na->data_size)
		return complain("reading $Bitmap");
	free(na->rl);
	na->rl = fresh;
	/* the list takes clusters from the bitmap where it lies now */
	if (ntfs_attr_pwrite(na, 0, na->data_size, bits) != na->data_size)
		return complain("writing $Bitmap");
	free(bits);
	return ntfs_attr_update_mapping_pairs(na, 0) ? complain("updating the runs") : 0;
}

int main(int argc, char **argv)
{
	ntfs_volume *vol;
	int result;

	if (argc != 3)
		return 2;
	vol = ntfs_mount(argv[1], 0);
	if (!vol)
		return complain("mounting");
	result = scatter(vol, strtoll(argv[2], NULL, 10));
	return ntfs_umount(vol, FALSE) ? complain("unmounting") : result;
}
