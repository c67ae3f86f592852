/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Starts a machine's disk in QEMU on a throw-away overlay (-snapshot), looks for a sign of
 * life and ends it: nothing of the machine is written. Needs qemu-system-x86_64.
 */
#ifndef SV_RUN_BOOT_CHECK_H
#define SV_RUN_BOOT_CHECK_H

#include "base/job.h"
#include "io/host.h"

struct sv_boot_report {
	bool alive;       /* a sign was seen before the time was up */
	char sign[256];   /* "serial: 'login:'", "the screen changed 4 times": what was seen */
	double seconds;   /* from start to the sign */
	char *serial;     /* the last lines of the serial console, printable; never NULL */
	char *screenshot; /* path of a PNG or PPM that was kept, "" for none */
};

struct sv_boot_opts {
	const char *disk;       /* path that QEMU opens: qcow2, vmdk, raw */
	const char *format;     /* QEMU's name of the format */
	bool efi;               /* start with OVMF instead of SeaBIOS where it is installed */
	unsigned timeout_s;     /* 0: 120 */
	const char *expect;     /* NULL, or a text on the serial console that means success */
	const char *screenshot; /* NULL, or where to keep the last picture */
};

/* SV_NOTFOUND with the package as hint where QEMU is not installed. */
int sv_boot_check(const struct sv_boot_opts *opts, struct sv_job *job,
	struct sv_boot_report *ret, struct sv_err *err);
void sv_boot_report_free(struct sv_boot_report *r);

#endif
