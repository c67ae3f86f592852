/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text descriptor: whatever is read must print to a text that reads to the same. */
#include "image/vmdk/desc.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool held)
{
	if (!held)
		abort();
}

static void round_trip(struct sv_vmdk_desc *d)
{
	sv_autostr struct sv_str first = {0}, second = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc copy, again;
	uint64_t sum = 0;

	require(sv_vmdk_desc_copy(d, &copy, &err) == 0);
	sv_vmdk_desc_print(&copy, &first);
	require(!first.failed);
	require(sv_vmdk_desc_parse(first.data, first.len, &again, &err) == 0 ||
		first.len > SV_VMDK_DESC_MAX);
	sv_vmdk_desc_free(&copy);
	if (first.len > SV_VMDK_DESC_MAX)
		return;
	sv_vmdk_desc_print(&again, &second);
	require(!strcmp(first.data, second.data));
	for (size_t i = 0; i < again.n_extents; i++)
		sum += again.extents[i].sectors;
	require(sum == again.sectors && sum == d->sectors);
	require(again.n_extents == d->n_extents && again.n_pairs == d->n_pairs);
	sv_vmdk_desc_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *text = (const char *)bytes;
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmdk_desc d;
	size_t at, len;

	if (sv_vmdk_desc_locate(text, n, "CID", &at, &len))
		require(at <= n && len <= n - at);
	if (sv_vmdk_desc_parse(text, n, &d, &err) < 0) {
		require(err.code != SV_OK && *err.message);
		return 0;
	}
	round_trip(&d);
	sv_vmdk_desc_set(&d, "ddb.uuid", "00", &err);
	sv_vmdk_desc_unset(&d, "ddb.uuid");
	require(sv_vmdk_desc_get(&d, "CID") == NULL);
	sv_vmdk_desc_free(&d);
	return 0;
}
