/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What lives on a machine's disks: joins image, volume, fs and hive. Opening looks at every
 * disk's partition table and probes every volume; file systems are opened when asked for.
 */
#ifndef SV_GUEST_GUEST_H
#define SV_GUEST_GUEST_H

#include "base/job.h"
#include "fs/fs.h"
#include "io/dev.h"
#include "volume/table.h"

#define SV_GUEST_DISKS_MAX 64

struct sv_guest_volume {
	char *id; /* "disk0p2"; "disk0" for a disk without a table; "disk0a", "disk0p1a" of BSD;
		     "vg/root", "md/0" */
	size_t disk;     /* index; where the first of its parts lies */
	unsigned number; /* partition number, 0 for a whole disk */
	char letter_in;  /* BSD: 'a' and on, in that partition or on the disk; 0 elsewhere */
	/* "lvm2", "md", "ldm": made of other volumes; NULL for a part of a disk */
	const char *group;
	uint8_t group_guid[16]; /* LDM: by which MountedDevices names it */
	char hint;             /* LDM: the drive letter that Windows gave it last; 0 for none */
	uint64_t start, size;  /* bytes on its disk; start is 0 in a group */
	struct sv_dev *dev;    /* window; owned by the guest */
	const char *type;      /* sv_fs_probe(): "ntfs", "" unknown */
	const char *type_name; /* of the partition, for people */
	bool readable; /* `info` below is filled; else its label and UUID only, if known */
	struct sv_fs_info info;
	const char *warning; /* "" or what is missing of a group's volume that is readable */
	char *problem;       /* "" or why it cannot be read: "encrypted with BitLocker" */
	/* SV_OK; SV_UNSUPPORTED where it is encrypted, unknown, or of a type not read here */
	enum sv_code problem_code;
	char letter; /* as that Windows knows it: 'C'; 0 for none */
	char *mount; /* "C:" or ""; Unix mount points come with their guests */
	bool active;
};

struct sv_guest_user {
	char *name; /* "Zoë"; of a domain's user the name of his folder */
	char *id;   /* "S-1-5-21-…-1001", "1000" */
	char *home; /* as the guest writes it: "C:\Users\Zoë"; "" where he never logged on */
};

/* Where a Unix guest mounts a volume. */
struct sv_guest_mount {
	char *path; /* "/", "/home" */
	size_t volume;
	uint64_t root; /* inode of what is mounted: the volume's root, or a subvolume of it */
	size_t on_volume; /* the folder that it hides; of "/" without meaning */
	uint64_t on_ino;
};

/* Texts are "" and times 0 where something is not known. */
struct sv_guest_os {
	/* "windows", "linux", "macos", "freebsd", "openbsd", "netbsd"; "" where none is
	 * recognised */
	char *family;
	char *product; /* "Windows 7 Ultimate" */
	char *version; /* "6.1.7601", "10.0.19045.3803" */
	char *arch;    /* "x86", "x86_64", "arm64" */
	char *hostname;
	char *edition;         /* "Ultimate", "Professional" */
	char *display_version; /* "22H2"; of older ones "Service Pack 1" */
	uint32_t build, ubr;   /* 19045 and 3803, its updates */
	char *time_zone;       /* as that system calls it */
	struct sv_fs_time installed, last_shutdown;
	uint32_t services;      /* how many are known to it, drivers among them */
	uint32_t services_auto; /* that start with the system, without drivers */
	char *pending_reboot;   /* "" or what waits for a restart */
	struct sv_guest_user *users;
	size_t n_users;
	int volume;     /* index of its volume, -1 where none is recognised */
	char *folder;   /* in it: "/Windows"; of a Unix where its root is: "", "/@" */
	char **kernels; /* Linux: versions in /boot, or /lib/modules; newest first */
	size_t n_kernels;
	char *machine_id; /* of systemd */
	char letter;      /* of its volume, as this system knows it; 0 for none */
};

struct sv_guest_disk {
	struct sv_dev *dev; /* ref'ed */
	struct sv_table table;
	char *problem; /* "" or why its table cannot be used */
};

struct sv_guest {
	struct sv_guest_disk *disks;
	size_t n_disks;
	struct sv_guest_volume *volumes; /* by disk, then by start, extended containers left
					  * out; then those that are made of others */
	size_t n_volumes;
	struct sv_guest_os os;
	int system_volume; /* index of the volume with the operating system (Windows' C:), or -1
			    */
	struct sv_guest_os
		*others; /* further systems, on other volumes; letters are not theirs */
	size_t n_others;
	struct sv_guest_mount *mounts; /* of a Unix on system_volume; "/" is the first */
	size_t n_mounts;
};

/* One bad disk or volume never stops the others: see `problem`. */
int sv_guest_open(struct sv_dev *const *disks, size_t n, struct sv_job *job,
	struct sv_guest **ret, struct sv_err *err);
/* The same for who wants volumes and letters only: the product and the version may stay "", so
 * that the SOFTWARE hive (up to 200 MiB) need not be read. */
int sv_guest_open_volumes(struct sv_dev *const *disks, size_t n, struct sv_job *job,
	struct sv_guest **ret, struct sv_err *err);
void sv_guest_close(struct sv_guest *g);
SV_DEFINE_CLEANUP(struct sv_guest, sv_guest_close)

/* System number i: `os`, then `others`; NULL where there are no more. */
const struct sv_guest_os *sv_guest_system(const struct sv_guest *g, size_t i);

/* The open file system of a volume; owned by the guest, opened once. */
int sv_guest_fs(struct sv_guest *g, size_t volume, struct sv_fs **ret, struct sv_err *err);

/* Are folders parted by '\', too? Where the file system allows none in a name. */
bool sv_guest_takes_backslash(const struct sv_guest_volume *v);

/*
 * "C:/Users", "C:\Users", "@disk0p2:/x", "/etc" -> volume and the path inside it ('/', from
 * its root). "/x" without a letter means the system volume, or the only readable one.
 * SV_NOTFOUND names the letters and ids there are. Caller frees *ret_path.
 */
int sv_guest_resolve(struct sv_guest *g, const char *path, size_t *ret_volume, char **ret_path,
	struct sv_err *err);

/* A file or folder of the guest. */
struct sv_guest_place {
	struct sv_fs *fs; /* the guest's */
	size_t volume;
	uint64_t ino;
	char *path; /* inside the volume, from its root: "/usr/lib/os-release" */
};

/*
 * The same looked up, as the guest goes: links are followed inside the guest (the last one
 * only with follow_last), and "/home/x" of a Unix leads on in the volume that is mounted there.
 * "@disk0p2:/x" stays on its volume, whose root is then that of links, too.
 */
int sv_guest_find(struct sv_guest *g, const char *path, bool follow_last,
	struct sv_guest_place *ret, struct sv_err *err);
void sv_guest_place_free(struct sv_guest_place *p); /* frees the content */
/* What is mounted on a folder; NULL where that is nothing. */
const struct sv_guest_mount *sv_guest_mounted_on(
	const struct sv_guest *g, size_t volume, uint64_t ino);

/* A volume by id or by letter ("C:", "C"). */
int sv_guest_find_volume(
	struct sv_guest *g, const char *name, size_t *ret_volume, struct sv_err *err);

#endif
