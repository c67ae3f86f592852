/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Any bytes as a .vmsd: the list has no missing texts and stays below its caps. */
#include "vm/vmsd.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_vmsd v;

	if (sv_vmsd_parse(bytes, n, &v, &err) < 0) {
		if (err.code != SV_CORRUPT)
			__builtin_trap();
	} else if (!v.current || v.n_snapshots > SV_VMSD_SNAPSHOTS_MAX ||
		   v.n_clones > SV_VMSD_CLONES_MAX)
		__builtin_trap();
	for (size_t i = 1; i < v.n_snapshots; i++) {
		if (v.snapshots[i - 1].number >= v.snapshots[i].number && err.code == SV_OK)
			__builtin_trap();
	}
	sv_vmsd_clear(&v);
	return 0;
}
