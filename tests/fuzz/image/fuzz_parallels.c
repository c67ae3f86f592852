/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An expanding Parallels image in memory, with a megabyte of zeros behind it that its clusters
 * can lie in. Where it has a format extension its checksum is put right first, but for inputs
 * of odd length: behind a wrong one nothing is parsed.
 */
#include "block.h"

#include "base/hash.h"
#include "image/parallels/ext.h"
#include "image/parallels/format.h"

static void repair_sum(struct sv_dev *file, const struct sv_prl_header *h)
{
	const size_t head = sizeof(struct sv_prl_disk_ext);
	uint8_t *bytes, md5[SV_MD5_SIZE];
	size_t n = (size_t)h->cluster;

	if (!h->ext_at || n <= head || n > SV_MIB ||
		!sv_in_range(h->ext_at, n, sv_dev_size(file)))
		return;
	bytes = malloc(n);
	require(bytes && sv_dev_read(file, bytes, n, h->ext_at, NULL) == 0);
	require(sv_md5_bytes(bytes + head, n - head, md5, NULL) == 0);
	put(file, md5, sizeof md5, h->ext_at + offsetof(struct sv_prl_disk_ext, md5));
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_prl_header header;
	struct block_host h;
	struct sv_dev *file;

	if (n > INPUT_MAX || !n)
		return 0;
	file = load(bytes, n, SV_MIB);
	if (n % 2 == 0 && sv_prl_header_parse(bytes, n, sv_dev_size(file), &header, NULL) == 0)
		repair_sum(file, &header);
	h = block_host(file, NULL);
	exercise(&h, "parallels", bytes[n / 2]);
	sv_dev_close(file);
	return 0;
}
