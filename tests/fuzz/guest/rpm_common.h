/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the fuzzers of rpm's databases share: who is told of packages, and what must hold. */
#ifndef SV_FUZZ_RPM_COMMON_H
#define SV_FUZZ_RPM_COMMON_H

#include "guest/rpm/rpm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(cond)                                                                             \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);             \
			abort();                                                               \
		}                                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static inline int use_package(void *user, const struct sv_rpm_package *p)
{
	size_t *sum = user;

	MUST(p->name[0]);
	*sum += strlen(p->name) + strlen(p->version) + strlen(p->release) + strlen(p->arch) +
		strlen(p->vendor) + strlen(p->packager);
	return 0;
}

static inline void read_database(const uint8_t *bytes, size_t n,
	int (*read)(struct sv_dev *db, struct sv_rpm_sink *sink, struct sv_err *err))
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = sv_mem_open(bytes, n, false, "database", &err);
	size_t sum = 0;
	struct sv_rpm_sink sink = {.package = use_package, .user = &sum};

	MUST(dev);
	if (read(dev, &sink, &err) != 0)
		MUST((err.code == SV_CORRUPT || err.code == SV_UNSUPPORTED) && err.path[0]);
	if (sink.first.code != SV_OK)
		MUST(sink.first.path[0] && sink.first.message[0] &&
			sink.first.code != SV_INTERNAL);
	sv_dev_close(dev);
}

#endif
