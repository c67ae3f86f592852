/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading and making the header of format.h. Nothing here does I/O. */
#include "image/parallels/format.h"

#include <string.h>

#define AT(field) offsetof(struct sv_prl_disk_header, field)

static int parse_kind(
	const struct sv_prl_disk_header *h, struct sv_prl_header *ret, struct sv_err *err)
{
	uint32_t version = sv_get_le32(h->version);
	uint64_t cluster = sv_get_le32(h->cluster_sectors) * SV_SECTOR;

	ret->wide = !memcmp(h->magic, SV_PRL_MAGIC_EXT, sizeof h->magic);
	if (!ret->wide && memcmp(h->magic, SV_PRL_MAGIC, sizeof h->magic) != 0)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(magic),
			"it does not begin with \"%s\" or \"%s\"", SV_PRL_MAGIC,
			SV_PRL_MAGIC_EXT);
	if (version != SV_PRL_VERSION)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(version),
			"Parallels image of version %u is not supported, only %d", version,
			SV_PRL_VERSION);
	if (!cluster || cluster > SV_PRL_CLUSTER_MAX)
		return sv_fail_at(err, cluster ? SV_UNSUPPORTED : SV_CORRUPT, NULL,
			AT(cluster_sectors),
			"clusters of %llu bytes are not supported, only up to %llu",
			(unsigned long long)cluster, (unsigned long long)SV_PRL_CLUSTER_MAX);
	ret->cluster = cluster;
	ret->unit = ret->wide ? cluster : SV_SECTOR;
	return 0;
}

static int parse_size(const struct sv_prl_disk_header *h, uint64_t file_size,
	struct sv_prl_header *ret, struct sv_err *err)
{
	uint64_t sectors = sv_get_le64(h->n_sectors);

	if (!ret->wide)
		sectors &= UINT32_MAX;
	if (!sectors || sectors > SV_DEV_SIZE_MAX / SV_SECTOR)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(n_sectors),
			"the disk is said to have %llu sectors", (unsigned long long)sectors);
	ret->size = sectors * SV_SECTOR;
	ret->n_bat = sv_get_le32(h->n_bat);
	ret->n_used = sv_div_up(ret->size, ret->cluster);
	if (ret->n_used > ret->n_bat)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(n_bat),
			"the BAT has %llu entries, the disk needs %llu",
			(unsigned long long)ret->n_bat, (unsigned long long)ret->n_used);
	if (sv_prl_entry_at(ret->n_bat) > file_size)
		return sv_fail_at(err, SV_CORRUPT, NULL, AT(n_bat),
			"the BAT of %llu entries ends at byte %llu, the file has %llu",
			(unsigned long long)ret->n_bat,
			(unsigned long long)sv_prl_entry_at(ret->n_bat),
			(unsigned long long)file_size);
	if (ret->n_bat > SV_PRL_BAT_MAX)
		return sv_fail_at(err, SV_UNSUPPORTED, NULL, AT(n_bat),
			"the BAT has %llu entries, the most supported are %llu",
			(unsigned long long)ret->n_bat, (unsigned long long)SV_PRL_BAT_MAX);
	return 0;
}

/* Reading needs no data offset: one that cannot be only keeps writers away. */
static void parse_places(
	const struct sv_prl_disk_header *h, uint64_t file_size, struct sv_prl_header *ret)
{
	uint64_t bat_end = sv_prl_entry_at(ret->n_bat);
	uint64_t data_at = sv_get_le32(h->data_at) * SV_SECTOR;

	ret->data_wrong = data_at && (data_at < bat_end || data_at > file_size);
	if (!data_at)
		data_at = sv_div_up(bat_end, ret->unit) * ret->unit;
	ret->data_wrong |= ret->wide && data_at % ret->cluster;
	ret->data_at = data_at;
}

int sv_prl_header_parse(const void *bytes, size_t n, uint64_t file_size,
	struct sv_prl_header *ret, struct sv_err *err)
{
	struct sv_prl_header parsed = {0};
	struct sv_prl_disk_header h;

	if (n < sizeof h)
		return sv_fail_at(err, SV_CORRUPT, NULL, 0,
			"%zu bytes are too few for a Parallels header", n);
	memcpy(&h, bytes, sizeof h);
	if (parse_kind(&h, &parsed, err) < 0 || parse_size(&h, file_size, &parsed, err) < 0)
		return -1;
	parse_places(&h, file_size, &parsed);
	if (!sv_mul(sv_get_le64(h.ext_at), SV_SECTOR, &parsed.ext_at))
		parsed.ext_at =
			UINT64_MAX; /* beyond every file: an extension that is damaged */
	parsed.in_use = sv_get_le32(h.in_use);
	parsed.flags = sv_get_le32(h.flags);
	*ret = parsed;
	return 0;
}

void sv_prl_header_resize(struct sv_prl_disk_header *h, uint64_t size, uint64_t cluster)
{
	uint64_t cylinders = size / SV_SECTOR / SV_PRL_HEADS / SV_PRL_SECTORS;

	h->n_sectors = sv_put_le64(size / SV_SECTOR);
	h->n_bat = sv_put_le32((uint32_t)sv_div_up(size, cluster));
	h->heads = sv_put_le32(SV_PRL_HEADS);
	h->cylinders = sv_put_le32((uint32_t)SV_MIN(cylinders, UINT32_MAX));
}

int sv_prl_header_make(uint64_t size, struct sv_prl_disk_header *ret, struct sv_err *err)
{
	uint64_t n = sv_div_up(size, SV_PRL_CLUSTER);
	struct sv_prl_disk_header h = {
		.version = sv_put_le32(SV_PRL_VERSION),
		.cluster_sectors = sv_put_le32(SV_PRL_CLUSTER / SV_SECTOR),
		.data_at = sv_put_le32((
			uint32_t)(sv_align_up(sv_prl_entry_at(n), SV_PRL_CLUSTER) / SV_SECTOR)),
	};

	if (n > SV_PRL_BAT_MAX) {
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"a Parallels disk has at most %llu bytes, %llu are asked for",
			(unsigned long long)(SV_PRL_BAT_MAX * SV_PRL_CLUSTER),
			(unsigned long long)size);
		return sv_hint(err, "choose a smaller size");
	}
	memcpy(h.magic, SV_PRL_MAGIC_EXT, sizeof h.magic);
	sv_prl_header_resize(&h, size, SV_PRL_CLUSTER);
	*ret = h;
	return 0;
}
