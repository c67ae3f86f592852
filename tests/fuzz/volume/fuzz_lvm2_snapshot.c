/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The input is the store of a classic snapshot, filled up with zeros to 64 KiB. */
#include "members.h"

#include "volume/lvm2/vg.h"

enum { STORE = 64 << 10, ORIGIN = 300 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_dev *origin = blank(ORIGIN), *store = blank(STORE), *shown;
	struct sv_err err = SV_ERR_INIT;

	put(store, 0, bytes, n);
	shown = sv_lvm2_snapshot_open(origin, store, ORIGIN, "snapshot", &err);
	must_tell(shown ? 0 : -1, &err);
	if (shown)
		read_places(shown);
	sv_dev_close(shown);
	sv_dev_close(origin);
	sv_dev_close(store);
	return 0;
}
