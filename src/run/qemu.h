/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A QEMU process of ours: its monitor and its serial console are sockets that only we hold, its
 * temporary files lie in a private folder, and it dies with us, however we die. What is done
 * with it is decided elsewhere (boot_check.c).
 *
 * This file, unlike those of other rooms, talks to the operating system itself: processes and
 * sockets are what it is about.
 */
#ifndef SV_RUN_QEMU_H
#define SV_RUN_QEMU_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>

#define SV_QEMU_PROGRAM "qemu-system-x86_64"

struct sv_qemu_opts {
	const char *disk;   /* absolute path; opened with snapshot=on, so never written */
	const char *format; /* QEMU's name of its format */
	bool efi;           /* OVMF instead of SeaBIOS */
	/* The processor's own virtualisation, else emulation, slower but always there. With it
	 * QEMU ends at once where the host cannot give the guest a whole processor. */
	bool kvm;
	unsigned memory_mib;
};

struct sv_qemu;

bool sv_qemu_may_kvm(void); /* is there a /dev/kvm that we may use? */

/* SV_NOTFOUND, with the package to install as hint, where QEMU or OVMF is not there. */
int sv_qemu_start(const struct sv_qemu_opts *opts, struct sv_qemu **ret, struct sv_err *err);
/* Kills it (no request: nothing in it is worth keeping), waits, removes the folder. */
void sv_qemu_kill(struct sv_qemu *q);
SV_DEFINE_CLEANUP(struct sv_qemu, sv_qemu_kill)

int sv_qemu_monitor(const struct sv_qemu *q); /* non-blocking sockets, borrowed */
int sv_qemu_serial(const struct sv_qemu *q);
const char *sv_qemu_folder(const struct sv_qemu *q); /* for files that QEMU writes for us */
/* What QEMU said on stderr, printable, "" for nothing. Caller frees; NULL when out of memory.
 */
char *sv_qemu_complaint(struct sv_qemu *q);

#endif
