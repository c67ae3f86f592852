/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * VMware's lock folders: `FILE.lck/` beside a file in use, with a member `M12345.lck` for each
 * holder. A member is text, filled up with NUL bytes to 512:
 *
 *     MACHINE PID-START(NAME) NUMBER S|X [START [name=value ...]]
 *
 * as open-vm-tools' lib/file/fileLockPrimitive.c and fileLockPosix.c write and read it. MACHINE
 * is "uuid=" and the mainboard's UUID (Windows, macOS, ESX), or 16 base64 characters of a hash
 * of the host's name and the MAC address of eth0 (Linux).
 *
 * Whoever reads looks at the locks, and makes none. Whoever writes an original (in place)
 * takes them. Never removed is a lock that is not a sharevm's; what cannot be proved to be a
 * dead process of this very machine counts as held.
 */
#ifndef SV_VM_LOCK_H
#define SV_VM_LOCK_H

#include "io/host.h"
#include "io/process.h"

#define SV_LOCK_MEMBER_SIZE 512 /* VMware deletes a member of another size as broken */
#define SV_LOCK_MEMBER_MAX  4096
#define SV_LOCK_PROCESS     "sharevm" /* our name, whatever the program file is called */

struct sv_lock_member {
	char machine[128];
	int64_t pid;
	uint64_t start;                /* 0 where it is not told */
	char process[SV_PROCESS_NAME]; /* "" where it is not told */
	uint32_t number;               /* Lamport's: who comes later has a greater one */
	bool exclusive;
};

/* Pure. SV_CORRUPT for anything but the text above. */
int sv_lock_parse(const void *bytes, size_t n, struct sv_lock_member *ret, struct sv_err *err);

/* Pure: as VMware would write it into lock folder `folder` (absolute). */
int sv_lock_print(const struct sv_lock_member *m, const char *folder,
	char ret[SV_LOCK_MEMBER_SIZE], struct sv_err *err);
/* MACHINE as VMware for Linux would name this machine. */
void sv_lock_machine_text(const struct sv_computer *machine, char ret[128]);

/* Was the member written on that machine? False where it cannot be proved. */
bool sv_lock_is_of_machine(const struct sv_lock_member *m, const struct sv_computer *machine);

/* From harmless to grave: the gravest of several members counts. */
enum sv_lock_kind {
	SV_LOCK_NONE,
	SV_LOCK_STALE_OWN, /* of a sharevm on this machine that is gone */
	SV_LOCK_STALE,     /* of another program on this machine that is gone */
	SV_LOCK_WINDOW,    /* VMware's window shows the machine, it need not run */
	SV_LOCK_ELSEWHERE, /* of another machine, or not provably of this one */
	SV_LOCK_UNCLEAR,   /* cannot be read or understood: counts as in use */
	SV_LOCK_HELD,      /* a living process of this machine */
};

struct sv_lock_finding {
	enum sv_lock_kind kind;
	char file[512];   /* the lock file that tells, absolute; "" for SV_LOCK_NONE */
	char reason[256]; /* "process 4711 (vmware-vmx) holds it" */
};

/*
 * Looks at the lock folder of `path` ("/vm/a.vmx" -> "/vm/a.vmx.lck") and, where it says
 * something graver than *found, replaces *found. Never fails: what goes wrong is
 * SV_LOCK_UNCLEAR with the reason.
 */
void sv_lock_look(struct sv_host *host, const char *path, const struct sv_computer *machine,
	struct sv_lock_finding *found);

/* The same for one member file; and for its parsed text. Our own process's is SV_LOCK_NONE. */
void sv_lock_look_at(struct sv_host *host, const char *file, const struct sv_computer *machine,
	struct sv_lock_finding *found);
void sv_lock_judge(const struct sv_lock_member *m, const char *file,
	const struct sv_computer *machine, struct sv_lock_finding *found);

/* ---- a lock of our own ---- */

struct sv_lock;

/*
 * Locks `path` (absolute) for writing, as VMware would. What sharevms left behind that no
 * longer run is cleared away. SV_BUSY with who has it, after waiting two seconds at most for
 * somebody who is only about to lock it. A killed process leaves SV_LOCK_STALE_OWN.
 */
int sv_lock_take(struct sv_host *host, const char *path, const struct sv_computer *machine,
	struct sv_lock **ret, struct sv_err *err);
void sv_lock_release(struct sv_lock *l); /* NULL-safe */

#endif
