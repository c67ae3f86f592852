/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A machine opened for looking: its configuration, its disks read-only, and the guest on them.
 * A disk that cannot be opened keeps its number and says why; the others are shown.
 */
#ifndef SV_CLI_MACHINE_H
#define SV_CLI_MACHINE_H

#include "cli/cmd.h"
#include "guest/guest.h"
#include "image/image.h"
#include "vm/library.h"

/* What the arguments of every command that opens a machine begin with. */
struct sv_vm_args {
	struct sv_args common;
	struct sv_words allow;
};
#define SV_OPT_ALLOW_PATH(args_)                                                               \
	{                                                                                      \
		SV_OPT_LIST, "allow-path",                                                     \
			.value = "DIR", .field = offsetof(args_, vm.allow),                    \
			.complete = SV_COMPLETE_DIR,                                           \
			.help = "read parts of a disk from DIR too; may be repeated",          \
			.more = "A disk image can name files anywhere on the host as its "     \
				"parts. Only those in its own folder or below are used, and "  \
				"those below a folder that is allowed here."                   \
	}

struct sv_machine_disk {
	struct sv_image *image; /* NULL where it cannot be opened */
	struct sv_err problem;  /* then: why */
};

struct sv_machine {
	const char *given; /* how the user named it; borrowed */
	struct sv_vm *vm;
	struct sv_machine_disk *disks; /* per vm->disks */
	struct sv_guest *guest;
	uint64_t stamp; /* of the disks' files, when they were opened */
};

/* `path` is a host path, or the name of a machine in the user's libraries. Fails only when the
 * machine itself cannot be opened, or none of its disks can. */
int sv_machine_open(struct sv_cli *cli, const char *path, const struct sv_words *allow_dirs,
	struct sv_machine **ret, struct sv_err *err);
/* The same for who wants files only: of the systems is known where they lie, and the letters of
 * their drives (sv_guest_open_volumes). */
int sv_machine_open_volumes(struct sv_cli *cli, const char *path,
	const struct sv_words *allow_dirs, struct sv_machine **ret, struct sv_err *err);
void sv_machine_close(struct sv_machine *m);
SV_DEFINE_CLEANUP(struct sv_machine, sv_machine_close)

/* Tells on stderr when what is read may be half-written, because the machine is not off. */
void sv_machine_warn(struct sv_cli *cli, const struct sv_machine *m);
/* Looks again after the reading, and tells when it was started meanwhile. */
void sv_machine_warn_after(struct sv_cli *cli, struct sv_machine *m);

/* A file or folder of the guest; `fs` belongs to the machine. */
struct sv_place {
	struct sv_fs *fs;
	size_t volume;
	uint64_t ino;
	char *path; /* inside the volume, from its root */
	/* the guest whose mounts lead on from here; NULL where a volume was named */
	const struct sv_guest *mounts;
};
/* Links are followed inside the guest. */
int sv_machine_find(
	struct sv_machine *m, const char *inside, struct sv_place *ret, struct sv_err *err);
/* The same, but a link at the end is the place itself. */
int sv_machine_find_link(
	struct sv_machine *m, const char *inside, struct sv_place *ret, struct sv_err *err);
void sv_place_free(struct sv_place *p); /* frees the content */
#define sv_autoplace SV_CLEANUP(sv_place_free)

/* "switched off", "running", …: the state for people. */
const char *sv_state_words(enum sv_vm_state state);

/* The libraries' machines, as `list` shows them: in `dirs`, else those of the user. */
int sv_machines_scan(struct sv_cli *cli, const struct sv_words *dirs, struct sv_library *ret,
	size_t *ret_unreadable, struct sv_err *err);

/* What may be read for an image that was named: the allowed folders and recorded originals.
 * A machine's configuration instead of an image is SV_USAGE with a hint. */
int sv_image_operand(struct sv_cli *cli, const char *path, const struct sv_words *allow_dirs,
	struct sv_allow **ret, struct sv_err *err);

/* The folders given with --allow-path; *ret may be used after an error that is not NOMEM. */
int sv_allow_words(struct sv_cli *cli, const struct sv_words *dirs, struct sv_allow **ret,
	struct sv_err *err);

#endif
