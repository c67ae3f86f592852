/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a disk-image format is to the rest of the room: a driver opens one link of a chain, and
 * tells for any guest range whether the link has its bytes, has zeros, or leaves the answer to
 * the parent. Chains, the guest's device, loops, locks and flattening are the frame's work
 * (image.c, chain.c, derive.c); a new format is one more row in image.c's table.
 */
#ifndef SV_IMAGE_DRIVER_H
#define SV_IMAGE_DRIVER_H

#include "image/image.h"

#define SV_PROBE_HEAD UINT64_C(4096) /* bytes; every known magic lies within them */
#define SV_PROBE_TAIL UINT64_C(512)

/* The two ends of a file, and nothing else, decide what it is. */
struct sv_probe {
	const uint8_t *head;
	size_t n_head;
	const uint8_t *tail; /* the last bytes of the file */
	size_t n_tail;
	uint64_t size;
};

enum sv_run_kind {
	SV_RUN_ABSENT, /* not in this link: the parent's bytes, zeros where there is none */
	SV_RUN_HOLE,   /* zeros, and nothing is stored */
	SV_RUN_ZERO,   /* stored as "zeros" */
	SV_RUN_DATA,
};

struct sv_run {
	uint64_t length; /* at least 1 */
	enum sv_run_kind kind;
	uint64_t host_offset; /* DATA: in `dev`, SV_NO_HOST_OFFSET where it is not stored so */
	struct sv_dev *dev;   /* DATA: borrowed; NULL where only the driver's read() knows */
};

/* Files and folders made by an operation that has not succeeded yet: removed unless kept. */
struct sv_made {
	struct sv_host *host;
	char **paths;
	size_t n;
};
int sv_made_add(struct sv_made *m, const char *path, struct sv_err *err);
/* Copies a file to a new one, or reflinks it. SV_EXISTS where the name is taken. */
int sv_made_copy(struct sv_made *m, const char *from, const char *to, bool reflink,
	struct sv_job *job, struct sv_err *err);
void sv_made_keep(struct sv_made *m); /* the operation succeeded */
void sv_made_undo(struct sv_made *m); /* frees the list in any case */
#define sv_automade SV_CLEANUP(sv_made_undo)

/* What a driver may use while it opens a link. */
struct sv_link_env {
	struct sv_host *host;
	const struct sv_allow *allow;
	bool writable;
	bool lock;
	const char *snapshot; /* NULL but for the leaf, and where the driver has_snapshots */
};

/* One open link. A driver embeds it as its first member. */
struct sv_link {
	const struct sv_image_driver *driver;
	struct sv_image_link info; /* strings are owned */
	bool writable;
	bool snapshot; /* set by the frame: it shows an internal snapshot */
	bool stopped;  /* set by the frame: a growth has failed, nothing is written any more */
	bool flatten;  /* copies are made of what the guest sees, not of its files */
	/* Set by the frame: what the parents show together; NULL for a base. It may be smaller
	 * than the link: beyond its end are zeros. */
	struct sv_dev *below;
};

struct sv_image_driver {
	const char *name;
	const char *extension; /* of the files it makes: ".vmdk" */
	/* The kinds that can be made without a parent, by create() or write_whole(), the
	 * default first; ends with NULL. NULL: the format has one kind. */
	const char *const *subformats;
	bool has_snapshots; /* open() knows sv_link_env.snapshot */
	/* The format that its disks are flattened into, where none is made of its own; NULL:
	 * its own. Such a driver has no create(), no copy() and no derive_linked(). */
	const char *flat_format;

	/* Is it this format? Never reads beyond the probe. */
	bool (*probe)(const struct sv_probe *p);

	/*
	 * Opens one link. `file` is the open file at `path`, which is canonical; a driver that
	 * keeps it takes its own reference. Parents are not opened. Everything in info but
	 * path and format is the driver's to fill in.
	 */
	int (*open)(const struct sv_link_env *env, const char *path, struct sv_dev *file,
		struct sv_link **ret, struct sv_err *err);
	/* Frees the driver's own; the frame has freed info. Does not flush. */
	void (*close)(struct sv_link *l);

	/*
	 * The run that begins at off, at most max long (both within the virtual size).
	 * `holes`: also look for holes in the host's files; else what they store counts as
	 * data. Safe from several threads.
	 */
	int (*map)(struct sv_link *l, uint64_t off, uint64_t max, bool holes,
		struct sv_run *ret, struct sv_err *err);
	/* Bytes of a DATA run whose dev is NULL (compressed); may be NULL. */
	int (*read)(struct sv_link *l, void *buf, size_t n, uint64_t off, struct sv_err *err);
	int (*write)(
		struct sv_link *l, const void *buf, size_t n, uint64_t off, struct sv_err *err);
	int (*discard)(struct sv_link *l, uint64_t off, uint64_t len, struct sv_err *err);
	int (*flush)(struct sv_link *l, struct sv_err *err);

	/*
	 * Filling a new image without a parent, from its front to its end (fill.h): the frame
	 * asks for a place for each range that is not zeros, writes the bytes there itself,
	 * many ranges at a time, and asks for the tables when all is there. The files are of no
	 * use to anybody until then: nothing is flushed on the way, and no order of writes is
	 * kept. NULL: the frame uses write().
	 *
	 * fill_begin() is called once; about `data` bytes will come. It refuses what the format
	 * cannot hold. Places are asked for in multiples of *ret_unit, the disk's end apart: a
	 * power of two, 512 to 64 KiB.
	 */
	int (*fill_begin)(
		struct sv_link *l, uint64_t data, uint32_t *ret_unit, struct sv_err *err);
	/*
	 * A place for guest bytes [off, off+len); ranges come in the order of the disk, none
	 * twice. Gives a DATA run of at most len bytes, in a device that reaches that far and
	 * reads as zeros there; the frame need not write all of it. One thread calls, while
	 * others write what was placed before.
	 */
	int (*fill_place)(struct sv_link *l, uint64_t off, uint64_t len, struct sv_run *ret,
		struct sv_err *err);
	/* All is written: brings the tables into the files and cuts them to their sizes. A
	 * flush() follows. */
	int (*fill_end)(struct sv_link *l, struct sv_err *err);

	/* After a failure the link reads as before; the frame does not write to it again. NULL:
	 * a disk of this format never grows. */
	int (*grow)(struct sv_link *l, struct sv_host *host, uint64_t size, struct sv_err *err);

	/* The nth place to look for the parent, absolute; NULL after the last. *ret_err says
	 * out of memory. Caller frees. NULL function: the format has no parents. */
	char *(*parent)(const struct sv_link *l, unsigned nth);
	/* The driver to open the parent with; NULL in *ret: probe. Refuses a parent that is no
	 * file. NULL function: probe. Asked before parent(). */
	int (*parent_format)(const struct sv_link *l, const char **ret, struct sv_err *err);
	/*
	 * Takes the place of parent() where the link knows more of its parent than one path can
	 * say: opens it, or gives NULL where there is none. All of info is filled in but
	 * format; parent_hint is empty where there is none. match_parent() is not asked.
	 */
	int (*open_parent)(const struct sv_link_env *env, const struct sv_link *child,
		struct sv_link **ret, struct sv_err *err);
	/* Is it the parent that the child was made for? */
	int (*match_parent)(
		const struct sv_link *child, const struct sv_link *parent, struct sv_err *err);

	/* See sv_image_check(). */
	int (*check)(const struct sv_link_env *env, const char *path, struct sv_dev *file,
		struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err);
	int (*create)(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
		struct sv_err *err);
	/* See sv_image_write_whole(). `spec` is complete. NULL: the format has no such kinds.
	 */
	bool (*is_whole)(const char *subformat);
	int (*write_whole)(struct sv_host *host, const char *path,
		const struct sv_image_spec *spec, struct sv_dev *source, struct sv_job *job,
		struct sv_err *err);

	/* Fills in what the format has of it; *ret is all zeros. NULL: nothing. */
	void (*identity)(const struct sv_link *l, struct sv_image_identity *ret);

	/* ---- derivation, see sv_image_derive(); the limits were checked ---- */

	int (*derive_linked)(struct sv_host *host, struct sv_image *original, const char *dir,
		const char *stem, uint64_t size, char **ret_path, struct sv_err *err);
	/* The same content in own files, not grown yet: reflinked, or copied with holes. The
	 * files are recorded in `made` before they are made. */
	int (*copy)(struct sv_host *host, struct sv_link *l, bool reflink, const char *dir,
		const char *stem, struct sv_made *made, struct sv_job *job, char **ret_path,
		struct sv_err *err);
	/* What a chain that ends in this link is flattened into. */
	const char *(*flat_subformat)(const struct sv_link *l);
	/* Host bytes that metadata for the new size takes, data excluded. */
	uint64_t (*metadata_cost)(
		struct sv_image *original, enum sv_image_derive how, uint64_t size);
	int (*limits)(struct sv_image *original, enum sv_image_derive how, uint64_t size,
		struct sv_err *err);
};

extern const struct sv_image_driver sv_gzip_driver;
extern const struct sv_image_driver sv_parallels_driver;
extern const struct sv_image_driver sv_qcow2_driver;
extern const struct sv_image_driver sv_raw_driver;
extern const struct sv_image_driver sv_split_driver;
extern const struct sv_image_driver sv_vdi_driver;
extern const struct sv_image_driver sv_vhd_driver;
extern const struct sv_image_driver sv_vhdx_driver;
extern const struct sv_image_driver sv_vmdk_driver;
extern const struct sv_image_driver sv_xz_driver;
extern const struct sv_image_driver sv_zstd_driver;

/* ---- the frame, for drivers ---- */

struct sv_link *sv_image_driver_link(const struct sv_image *img, size_t i);

/* Opens a link's host file the way `env` wants it; the last component is never a link. */
int sv_link_open_file(const struct sv_link_env *env, const char *path, bool writable,
	struct sv_dev **ret, struct sv_err *err);
/* Records a host file of the link: info.files, host_size. */
int sv_link_add_file(struct sv_link *l, struct sv_host *host, const char *path, bool data,
	struct sv_err *err);
void sv_link_close(struct sv_link *l); /* NULL-safe */

/* Makes a file that is being filled reach to `end`, and further, in large steps: what is too
 * much is cut off by fill_end(). */
int sv_fill_reach(struct sv_dev *file, uint64_t end, struct sv_err *err);

/* What a new disk takes over: all zeros unless the spec keeps ids, and for a disk with a
 * parent, which has its own way to be one disk with it. */
struct sv_image_identity sv_spec_identity(const struct sv_image_spec *spec);
/* From a GUID as Microsoft stores it to the order of RFC 4122, or back. */
void sv_guid_swap(const uint8_t from[16], uint8_t to[16]);

/* The guest's device over links[0..n). `owns`: closing it closes the links and frees the
 * array; else both are borrowed. */
struct sv_dev *sv_chain_open(
	struct sv_link **links, size_t n, bool owns, const char *name, struct sv_err *err);

/* What the chain shows from link `first` on; the links stay the image's, which must live as
 * long. */
struct sv_dev *sv_image_view(struct sv_image *img, size_t first, struct sv_err *err);

/* Reads both ends of a file. */
struct sv_probe_buf {
	uint8_t head[SV_PROBE_HEAD];
	uint8_t tail[SV_PROBE_TAIL];
	struct sv_probe probe;
};
int sv_probe_read(struct sv_dev *file, struct sv_probe_buf *ret, struct sv_err *err);
/* A known format that no driver here reads. */
struct sv_foreign {
	const char *name; /* with its article: "a QED image" */
	const char *hint; /* what to do, "IN" being the file */
};
/* Is it one of them? */
bool sv_probe_foreign(const struct sv_probe *p, struct sv_foreign *ret);
/* What a person calls it ("a vmdk image", "a QED image"); false: perhaps a raw disk. */
#define SV_PROBE_NAME 64
bool sv_probe_name(const struct sv_probe *p, char ret[SV_PROBE_NAME]);

#endif
