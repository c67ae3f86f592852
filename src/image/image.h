/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Virtual disk images and their chains, whatever the format.
 *
 * An open image is a chain of links: link 0 is the leaf (the newest), the last one is the
 * base. Each link is one driver's work over the host files it is made of; the image's device
 * is the guest's disk as the whole chain shows it. Parents are always opened read-only.
 */
#ifndef SV_IMAGE_IMAGE_H
#define SV_IMAGE_IMAGE_H

#include "base/job.h"
#include "io/allow.h"
#include "io/dev.h"
#include "io/host.h"

#define SV_IMAGE_CHAIN_MAX 512 /* links; VMware stops at 32, qemu-made chains grow longer */

struct sv_image;

struct sv_image_opts {
	bool writable;        /* the leaf only */
	bool lock;            /* hold QEMU's image locks on every file (SV_OPEN_LOCK) */
	bool alone;           /* do not open parents: for info and check of one link */
	const char *format;   /* driver name; NULL probes */
	const char *snapshot; /* id or name of an internal snapshot of the leaf; read-only */
	const struct sv_allow *allow; /* borrowed for the call; NULL: the own folder only */
};

/*
 * Opens the image at `path` and its parents. NULL opts: read-only, probed. A path that does
 * not exist may be IMAGE@SNAPSHOT: the same as `.snapshot`.
 */
int sv_image_open(struct sv_host *host, const char *path, const struct sv_image_opts *opts,
	struct sv_image **ret, struct sv_err *err);
/* NULL-safe. Does not flush: what was written since the last flush may be lost. */
void sv_image_close(struct sv_image *img);

/*
 * The file of IMAGE or IMAGE@SNAPSHOT, canonical; *ret_snapshot points into `name`, or is NULL.
 * What exists as a whole is an image, whatever signs are in its name. Of a folder that is a
 * disk (.hdd) it is the descriptor. Caller frees.
 */
char *sv_image_file_of(
	struct sv_host *host, const char *name, const char **ret_snapshot, struct sv_err *err);
SV_DEFINE_CLEANUP(struct sv_image, sv_image_close)

/* The guest's disk; borrowed: ref it to keep it after the image is closed. */
struct sv_dev *sv_image_dev(struct sv_image *img);

/* One host file of a link. */
struct sv_image_file {
	char *path; /* canonical */
	uint64_t size;
	bool data; /* false: a text descriptor only */
};

/* One internal snapshot of a link. */
struct sv_image_snapshot {
	char *id, *name;
	int64_t date_sec; /* since the Epoch */
	uint32_t date_nsec;
	uint64_t clock_nsec;   /* how long the guest had run */
	uint64_t state_size;   /* bytes of the machine's saved memory; 0 for none */
	uint64_t virtual_size; /* of the disk in it, bytes */
};

/* Sizes are those of the moment of opening. */
struct sv_image_link {
	char *path;         /* canonical path of what was opened: descriptor or single file */
	const char *format; /* "raw", "vmdk" */
	char *subformat;    /* "monolithicSparse", ...; "" where the format has none */
	uint64_t virtual_size; /* bytes */
	uint64_t host_size;    /* bytes that the host stores for all its files */
	uint64_t allocated;  /* guest bytes whose data lie in this link, from the files' sizes:
			      * exact unless the image leaks space */
	uint32_t block_size; /* allocation unit in bytes (VMDK: grain); 0 for flat and raw */
	bool dirty;          /* not closed cleanly by its last writer */
	bool encrypted;
	bool compressed;
	char *id;          /* VMDK: CID as 8 hex digits; "" where the format has none */
	char *parent_hint; /* as the image names its parent; "" for a base */
	char *note; /* what a person should know ("wrong checksum: ..."); NULL: nothing */
	struct sv_image_file *files;
	size_t n_files;
	struct sv_image_snapshot *snapshots; /* in the image's order; strings are owned */
	size_t n_snapshots;
};

size_t sv_image_links(const struct sv_image *img);
const struct sv_image_link *sv_image_link(const struct sv_image *img, size_t i);

/*
 * Who the leaf's disk is to a guest and its hypervisor: what outlives a conversion that keeps
 * ids. The ids by which a child knows its parent's state (VMDK's CID, VHDX's data id) are not.
 */
struct sv_image_identity {
	bool has_id;
	uint8_t id[16];          /* as RFC 4122 orders the bytes */
	uint32_t heads, sectors; /* of a track; 0: the format has no geometry */
};
struct sv_image_identity sv_image_identity(const struct sv_image *img);

/* ---- checking ---- */

struct sv_image_faults {
	uint64_t errors; /* wrong data could be read or written */
	uint64_t leaks;  /* space that nothing points to */
	void (*report)(
		void *user, bool leak, const char *path, uint64_t offset, const char *message);
	void *user;
};

/*
 * Looks at every table of the leaf link (parents are checked one by one by the caller) and
 * reports every fault. Returns 0 when the check could be made, whatever it found.
 */
int sv_image_check(struct sv_host *host, const char *path, const struct sv_image_opts *opts,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);

/* ---- making ---- */

struct sv_image_format {
	const char *name;      /* "vmdk" */
	const char *extension; /* ".vmdk" */
	/* The kinds that can be made without a parent, the default first; ends with NULL. Empty
	 * where there is but one. */
	const char *const *subformats;
	bool can_create;
	bool has_parents;
	bool has_snapshots;
};
/* The ith known format; false behind the last. */
bool sv_image_format(size_t i, struct sv_image_format *ret);
/* The format to make: by its name, or where that is NULL by the ending of `path`. SV_USAGE with
 * those that there are. */
int sv_image_choose_format(
	const char *path, const char *name, struct sv_image_format *ret, struct sv_err *err);
/* One of the format's kinds; NULL: the default, "" where there is but one kind. */
int sv_image_choose_subformat(const char *path, const struct sv_image_format *f,
	const char *name, const char **ret, struct sv_err *err);

/* Whose ids a new disk without a parent gets. */
enum sv_image_ids {
	SV_IDS_OF_COPY, /* of a machine's copy: new ones, but for the serial number of a VMDK */
	SV_IDS_NEW,
	SV_IDS_KEPT, /* `like`'s, its geometry, too, as far as both formats have them */
};

struct sv_image_spec {
	const char *format;      /* "raw", "vmdk" */
	const char *subformat;   /* NULL: the format's default */
	uint64_t size;           /* bytes; 0 with a parent: the parent's */
	struct sv_image *parent; /* an open image to be the parent of a delta; borrowed */
	struct sv_image *like;   /* an open image whose settings (VMDK: ddb) are taken over */
	const char *adapter;     /* VMDK ddb.adapterType; NULL: "lsilogic", or the parent's */
	unsigned level; /* of kinds that compress, 1 (fast) to 12 (small); 0: their default */
	enum sv_image_ids ids;
};

/* Makes a new empty image (and its extent files beside it), flushed; nothing is left behind
 * on failure. `path` must not exist. */
int sv_image_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err);

/*
 * Kinds that are written once, from beginning to end, and are never changed (VMDK
 * streamOptimized): sv_image_create() refuses them, sv_image_write_whole() makes them.
 */
bool sv_image_is_whole(const char *format, const char *subformat);
/*
 * Makes a new image of such a kind with everything that `source` shows, flushed; nothing is
 * left behind on failure. The spec's size is 0 or the source's; it has no parent. Several
 * threads read the source at once. Equal sources give equal bytes, but for the content id.
 */
int sv_image_write_whole(struct sv_host *host, const char *path,
	const struct sv_image_spec *spec, struct sv_dev *source, struct sv_job *job,
	struct sv_err *err);

/*
 * Gives a writable leaf without a parent a larger virtual size. The new space reads as zeros.
 * The metadata that the size needs is written; crash order is the driver's, see its header.
 */
int sv_image_grow(struct sv_image *img, uint64_t size, struct sv_err *err);

/*
 * Makes, in folder `dir`, a disk `name` of `size` bytes (at least the original's) that shows
 * the original's content and then zeros, and that writes nothing to it:
 * - linked: refers to the original's files (VMDK: a shadow parent per link and an equal-sized
 *   delta, DESIGN: one empty tail extent per link); cost is metadata only;
 * - copy: own files. A disk without a parent keeps its subformat, its files are reflinked
 *   when `reflink` is set (SV_UNSUPPORTED where the host cannot) or copied with their holes,
 *   then grown; a chain is flattened into the leaf's kind of image (monolithicSparse, or
 *   twoGbMaxExtentSparse when the leaf is split).
 * *ret_path is what a configuration names. Everything is flushed. Caller frees *ret_path.
 */
enum sv_image_derive { SV_DERIVE_LINKED, SV_DERIVE_REFLINK, SV_DERIVE_COPY };
int sv_image_derive(struct sv_host *host, struct sv_image *original, enum sv_image_derive how,
	const char *dir, const char *name, uint64_t size, struct sv_job *job, char **ret_path,
	struct sv_err *err);
/* Upper bound of host bytes that the derivation writes, for the plan. */
int sv_image_derive_cost(struct sv_image *original, enum sv_image_derive how, uint64_t size,
	uint64_t *ret_bytes, struct sv_err *err);

/* SV_UNSUPPORTED with the remedy where the format cannot be `size` bytes large, or cannot be
 * derived that way; checked before any work. */
int sv_image_check_limits(
	struct sv_image *original, enum sv_image_derive how, uint64_t size, struct sv_err *err);

#endif
