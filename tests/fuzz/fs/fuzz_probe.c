/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recognising what is on a volume: never an error on a device that can be read. */
#include "sparse.h"

#include "base/str.h"
#include "fs/fs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	size_t size = 0;
	uint8_t *image = sparse_image(bytes, n, &size);
	const char *type = NULL;
	struct sv_fs_mark mark;
	struct sv_dev *dev;

	if (!image)
		return 0;
	dev = sv_mem_open(image, size, false, "fuzz", &err);
	if (!dev || sv_fs_probe(dev, &type, &err) < 0 || !type)
		abort();
	if (sv_fs_mark(dev, &mark, &err) < 0 || mark.type != type ||
		strnlen(mark.uuid, sizeof mark.uuid) == sizeof mark.uuid ||
		!sv_utf8_valid(mark.label, strnlen(mark.label, sizeof mark.label)))
		abort();
	sv_dev_close(dev);
	free(image);
	return 0;
}
