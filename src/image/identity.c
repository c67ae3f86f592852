/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who a disk is, whatever the format: the id and the geometry that --keep-id carries over. */
#include "image/driver.h"

struct sv_image_identity sv_image_identity(const struct sv_image *img)
{
	const struct sv_link *leaf = sv_image_driver_link(img, 0);
	struct sv_image_identity identity = {0};

	if (leaf->driver->identity)
		leaf->driver->identity(leaf, &identity);
	return identity;
}

struct sv_image_identity sv_spec_identity(const struct sv_image_spec *spec)
{
	static const struct sv_image_identity none;

	return spec->ids == SV_IDS_KEPT && spec->like && !spec->parent
		       ? sv_image_identity(spec->like)
		       : none;
}

void sv_guid_swap(const uint8_t from[16], uint8_t to[16])
{
	static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

	for (size_t i = 0; i < sizeof order; i++)
		to[i] = from[order[i]];
}
