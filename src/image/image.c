/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of formats, and the opening of images: probe, then the chain of parents, each
 * read-only, each the one that its child was made for, none twice.
 */
#include "image/driver.h"
#include "image/split.h"

#include "base/num.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const struct sv_image_driver *const drivers[] = {
	&sv_vmdk_driver, &sv_qcow2_driver, &sv_vhd_driver, &sv_vhdx_driver, &sv_vdi_driver,
	&sv_parallels_driver, &sv_gzip_driver, &sv_xz_driver, &sv_zstd_driver, &sv_split_driver,
	&sv_raw_driver, /* what no other claims */
};

/* What a disk is opened by that is a folder: Parallels' .hdd. */
#define FOLDER_DESCRIPTOR "DiskDescriptor.xml"

struct sv_image {
	struct sv_host *host;
	struct sv_link **links; /* owned by dev */
	size_t n;
	struct sv_dev *dev;
};

/* ---- links ---- */

int sv_link_open_file(const struct sv_link_env *env, const char *path, bool writable,
	struct sv_dev **ret, struct sv_err *err)
{
	unsigned flags = SV_OPEN_NOFOLLOW;

	if (writable)
		flags |= SV_OPEN_WRITE;
	if (env->lock)
		flags |= SV_OPEN_LOCK;
	return sv_host_open(env->host, path, flags, ret, err);
}

int sv_link_add_file(struct sv_link *l, struct sv_host *host, const char *path, bool data,
	struct sv_err *err)
{
	struct sv_image_link *info = &l->info;
	struct sv_image_file *grown;
	struct sv_host_stat st;

	if (sv_host_stat(host, path, &st, err) < 0)
		return -1;
	grown = realloc(info->files, (info->n_files + 1) * sizeof *grown);
	if (!grown)
		return sv_fail_nomem(err);
	info->files = grown;
	grown[info->n_files] = (struct sv_image_file){strdup(path), st.size, data};
	if (!grown[info->n_files].path)
		return sv_fail_nomem(err);
	info->n_files++;
	info->host_size += st.allocated;
	return 0;
}

void sv_link_close(struct sv_link *l)
{
	if (!l)
		return;
	sv_dev_close(l->below);
	for (size_t i = 0; i < l->info.n_files; i++)
		free(l->info.files[i].path);
	free(l->info.files);
	for (size_t i = 0; i < l->info.n_snapshots; i++) {
		free(l->info.snapshots[i].id);
		free(l->info.snapshots[i].name);
	}
	free(l->info.snapshots);
	free(l->info.path);
	free(l->info.subformat);
	free(l->info.id);
	free(l->info.parent_hint);
	free(l->info.note);
	l->driver->close(l);
}

/* ---- which driver ---- */

static const struct sv_image_driver *find_driver(const char *name)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(drivers); i++) {
		if (!strcmp(drivers[i]->name, name))
			return drivers[i];
	}
	return NULL;
}

bool sv_image_format(size_t i, struct sv_image_format *ret)
{
	static const char *const none[] = {NULL};
	const struct sv_image_driver *d;

	if (i >= SV_ARRAY_LEN(drivers))
		return false;
	d = drivers[i];
	*ret = (struct sv_image_format){
		.name = d->name,
		.extension = d->extension,
		.subformats = d->subformats ? d->subformats : none,
		.can_create = d->create != NULL,
		.has_parents = d->parent != NULL || d->open_parent != NULL,
		.has_snapshots = d->has_snapshots,
	};
	return true;
}

static bool is_flat_part(const char *path)
{
	sv_autofree char *name = strdup(sv_path_base(path));
	const char *dash = name ? strrchr(name, '-') : NULL;

	return dash && (!strcmp(dash, "-flat.vmdk") || sv_starts_with(dash, "-f0"));
}

/* A file that carries a format's name but not its marks is damaged, not raw. */
static int check_raw_name(const char *path, struct sv_err *err)
{
	static const char *const endings[] = {
		".vmdk", ".vhd", ".vhdx", ".vdi", ".qcow2", ".avhd", ".avhdx"};

	for (size_t i = 0; i < SV_ARRAY_LEN(endings); i++) {
		if (!sv_ends_with_nocase(path, endings[i]) || is_flat_part(path))
			continue;
		return sv_fail_at(err, SV_CORRUPT, path, 0,
			"it is named %s, but does not begin like one", endings[i]);
	}
	return 0;
}

/* What nothing in the file tells: a raw disk, or the first part of one. */
static int choose_raw(struct sv_host *host, const char *path,
	const struct sv_image_driver **ret, struct sv_err *err)
{
	bool split;

	if (sv_split_look(host, path, &split, err) < 0)
		return -1;
	*ret = split ? &sv_split_driver : &sv_raw_driver;
	return check_raw_name(path, err);
}

static const struct sv_image_driver *driver_by_marks(const struct sv_probe *p)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(drivers); i++) {
		if (drivers[i]->probe(p))
			return drivers[i];
	}
	return NULL;
}

bool sv_probe_name(const struct sv_probe *p, char ret[SV_PROBE_NAME])
{
	const struct sv_image_driver *d = driver_by_marks(p);
	struct sv_foreign foreign;

	if (d)
		snprintf(ret, SV_PROBE_NAME, "a %s image", d->name);
	else if (sv_probe_foreign(p, &foreign))
		snprintf(ret, SV_PROBE_NAME, "%s", foreign.name);
	else
		return false;
	return true;
}

static int probe(struct sv_host *host, struct sv_dev *file, const char *path,
	const struct sv_image_driver **ret, struct sv_err *err)
{
	sv_autofree struct sv_probe_buf *buf = malloc(sizeof *buf);
	struct sv_foreign foreign;

	if (!buf)
		return sv_fail_nomem(err);
	if (sv_probe_read(file, buf, err) < 0)
		return -1;
	*ret = driver_by_marks(&buf->probe);
	if (*ret)
		return 0;
	if (!sv_probe_foreign(&buf->probe, &foreign))
		return choose_raw(host, path, ret, err);
	sv_fail(err, SV_UNSUPPORTED, path, "it is %s, which sharevm does not read",
		foreign.name);
	return sv_hint(err, "%s", foreign.hint);
}

static int choose_driver(struct sv_host *host, struct sv_dev *file, const char *path,
	const char *format, const struct sv_image_driver **ret, struct sv_err *err)
{
	if (!format)
		return probe(host, file, path, ret, err);
	*ret = find_driver(format);
	if (*ret)
		return 0;
	return sv_fail(err, SV_USAGE, path, "no image format \"%s\" is known", format);
}

/* ---- opening ---- */

static int check_snapshot(const struct sv_link_env *env, const struct sv_image_driver *driver,
	const char *path, struct sv_err *err)
{
	if (!env->snapshot)
		return 0;
	if (env->writable)
		return sv_fail(err, SV_USAGE, path, "a snapshot can only be read");
	if (!driver->has_snapshots)
		return sv_fail(err, SV_USAGE, path,
			"a %s image has no internal snapshots, so none named \"%.200s\"",
			driver->name, env->snapshot);
	return 0;
}

/* `path` is canonical; the link takes it over. */
static int open_link(const struct sv_link_env *env, char *path, const char *format,
	struct sv_link **ret, struct sv_err *err)
{
	const struct sv_image_driver *driver;
	sv_autodev struct sv_dev *file = NULL;
	sv_autofree char *own_path = path;
	struct sv_link *l;

	if (sv_link_open_file(env, path, env->writable, &file, err) < 0 ||
		choose_driver(env->host, file, path, format, &driver, err) < 0 ||
		check_snapshot(env, driver, path, err) < 0 ||
		driver->open(env, path, file, &l, err) < 0)
		return sv_err_path(err, path);
	l->snapshot = env->snapshot != NULL;
	l->flatten |= l->snapshot;
	l->info.format = driver->name;
	l->info.path = SV_STEAL(own_path);
	*ret = l;
	return 0;
}

static int add_link(struct sv_image *img, struct sv_link *l, struct sv_err *err)
{
	struct sv_link **grown = realloc(img->links, (img->n + 1) * sizeof *grown);

	if (!grown) {
		sv_link_close(l);
		return sv_fail_nomem(err);
	}
	img->links = grown;
	grown[img->n++] = l;
	return 0;
}

/* The canonical path of the child's parent; NULL in *ret for a base. */
static int find_parent(
	struct sv_host *host, const struct sv_link *child, char **ret, struct sv_err *err)
{
	struct sv_err first = SV_ERR_INIT;

	*ret = NULL;
	for (unsigned nth = 0; child->driver->parent; nth++) {
		sv_autofree char *path = child->driver->parent(child, nth);

		if (!path)
			break;
		*ret = sv_host_real_path(host, path, nth ? NULL : &first);
		if (*ret)
			return 0;
	}
	if (first.code == SV_OK)
		return 0;
	sv_err_copy(err, &first);
	if (first.code != SV_NOTFOUND)
		return -1;
	sv_fail(err, SV_NOTFOUND, first.path,
		"the parent of %s is missing (it names \"%.200s\")",
		sv_path_base(child->info.path), child->info.parent_hint);
	return sv_hint(
		err, "put the file back, or open the disk that the snapshot was made of");
}

static int refuse_loop(const struct sv_image *img, const char *path, struct sv_err *err)
{
	for (size_t i = 0; i < img->n; i++) {
		if (!strcmp(img->links[i]->info.path, path))
			return sv_fail(err, SV_CORRUPT, img->links[img->n - 1]->info.path,
				"the chain of parents comes back to %s", path);
	}
	if (img->n < SV_IMAGE_CHAIN_MAX)
		return 0;
	return sv_fail(err, SV_CORRUPT, img->links[0]->info.path,
		"the chain has more than %d links", SV_IMAGE_CHAIN_MAX);
}

/* The driver that the child names for its parent; NULL: probe. */
static int parent_format(const struct sv_link *child, const char **ret, struct sv_err *err)
{
	*ret = NULL;
	if (!child->driver->parent_format)
		return 0;
	if (child->driver->parent_format(child, ret, err) < 0)
		return -1;
	if (!*ret || find_driver(*ret))
		return 0;
	sv_fail(err, SV_UNSUPPORTED, child->info.path,
		"its parent \"%.200s\" is said to be a %s image, which cannot be read",
		child->info.parent_hint, *ret);
	return sv_hint(err, "convert the parent first: qemu-img convert -O qcow2 IN OUT.qcow2");
}

/* The parent that a path leads to; NULL in *ret for a base. */
static int open_by_path(struct sv_image *img, const struct sv_link_env *env,
	const struct sv_link *child, struct sv_link **ret, struct sv_err *err)
{
	const char *format;
	char *path;

	*ret = NULL;
	if (parent_format(child, &format, err) < 0 ||
		find_parent(env->host, child, &path, err) < 0)
		return -1;
	if (!path)
		return 0;
	if (refuse_loop(img, path, err) < 0) {
		free(path);
		return -1;
	}
	return open_link(env, path, format, ret, err);
}

static int open_by_driver(struct sv_image *img, const struct sv_link_env *env,
	const struct sv_link *child, struct sv_link **ret, struct sv_err *err)
{
	if (child->driver->open_parent(env, child, ret, err) < 0)
		return -1;
	if (!*ret)
		return 0;
	(*ret)->info.format = child->driver->name;
	if (refuse_loop(img, (*ret)->info.path, err) == 0)
		return 0;
	sv_link_close(*ret);
	return -1;
}

static int open_parents(
	struct sv_image *img, const struct sv_link_env *leaf_env, struct sv_err *err)
{
	struct sv_link_env env = *leaf_env;

	env.writable = false;
	env.snapshot = NULL;
	for (;;) {
		struct sv_link *child = img->links[img->n - 1], *parent;
		bool by_driver = child->driver->open_parent != NULL;

		if ((by_driver ? open_by_driver : open_by_path)(
			    img, &env, child, &parent, err) < 0)
			return -1;
		if (!parent)
			return 0;
		if (add_link(img, parent, err) < 0 ||
			(!by_driver && child->driver->match_parent(child, parent, err) < 0))
			return -1;
	}
}

/* The devices over the links: one for the leaf's driver, and the guest's. */
static int open_devices(struct sv_image *img, struct sv_err *err)
{
	struct sv_link *leaf = img->links[0];

	if (img->n > 1) {
		leaf->below = sv_chain_open(
			img->links + 1, img->n - 1, false, img->links[1]->info.path, err);
		if (!leaf->below)
			return -1;
	}
	img->dev = sv_chain_open(img->links, img->n, true, leaf->info.path, err);
	return img->dev ? 0 : -1;
}

/* A folder that is a disk stands for the descriptor in it, and so does the empty file that
 * Parallels puts into it. Takes `real` over. */
static char *file_in_folder(struct sv_host *host, char *real)
{
	sv_autofree char *dir = NULL, *inside = NULL;
	struct sv_host_stat st;

	if (sv_host_stat(host, real, &st, NULL) < 0 || (st.type == SV_HOST_FILE && st.size))
		return real;
	dir = st.type == SV_HOST_DIR ? strdup(real) : sv_path_dir(real);
	inside = dir ? sv_path_join(dir, FOLDER_DESCRIPTOR) : NULL;
	if (!inside || sv_host_stat(host, inside, &st, NULL) < 0 || st.type != SV_HOST_FILE)
		return real;
	free(real);
	return SV_STEAL(inside);
}

static bool has_inside(struct sv_host *host, const char *dir, const char *name)
{
	sv_autofree char *path = sv_path_join(dir, name);

	return path && sv_host_exists(host, path);
}

/* Apple's sparse bundle: a folder whose disk lies in files of 8 MB. */
static int refuse_bundle(struct sv_host *host, const char *path, struct sv_err *err)
{
	if (!has_inside(host, path, "bands") || !has_inside(host, path, "Info.plist"))
		return 0;
	sv_fail(err, SV_UNSUPPORTED, path,
		"it is an Apple sparse bundle, which sharevm does not read");
	return sv_hint(
		err, "make a raw disk of it on a Mac: hdiutil convert IN -format UDTO -o OUT");
}

char *sv_image_file_of(
	struct sv_host *host, const char *name, const char **ret_snapshot, struct sv_err *err)
{
	const char *sign = strrchr(sv_path_base(name), '@');
	struct sv_err why = SV_ERR_INIT;
	char *real = sv_host_real_path(host, name, &why);
	sv_autofree char *image = NULL;

	*ret_snapshot = NULL;
	if (!real && sign && sign != sv_path_base(name) && sign[1]) {
		image = strndup(name, (size_t)(sign - name));
		*ret_snapshot = sign + 1;
		real = image ? sv_host_real_path(host, image, NULL) : NULL;
	}
	if (!real)
		sv_err_copy(err, &why);
	if (real && refuse_bundle(host, real, err) < 0) {
		free(real);
		return NULL;
	}
	return real ? file_in_folder(host, real) : NULL;
}

/* A new grain of a delta is filled up from below: without parents that would be wrong. */
static int check_alone(
	const struct sv_link *leaf, const struct sv_image_opts *opts, struct sv_err *err)
{
	sv_autofree char *parent = NULL;

	if (!opts->alone || !opts->writable)
		return 0;
	if (leaf->driver->open_parent)
		parent = *leaf->info.parent_hint ? strdup(leaf->info.parent_hint) : NULL;
	else if (leaf->driver->parent)
		parent = leaf->driver->parent(leaf, 0);
	if (!parent)
		return 0;
	return sv_fail(err, SV_USAGE, leaf->info.path,
		"a disk with a parent cannot be written without it");
}

static int open_chain(struct sv_image *img, const struct sv_image_opts *opts, const char *path,
	struct sv_err *err)
{
	struct sv_link_env env = {img->host, opts->allow, opts->writable, opts->lock, NULL};
	char *real = sv_image_file_of(img->host, path, &env.snapshot, err);
	struct sv_link *leaf;

	if (opts->snapshot)
		env.snapshot = opts->snapshot;

	if (!real || open_link(&env, real, opts->format, &leaf, err) < 0 ||
		add_link(img, leaf, err) < 0 || check_alone(leaf, opts, err) < 0)
		return -1;
	if (!opts->alone && open_parents(img, &env, err) < 0)
		return -1;
	return open_devices(img, err);
}

int sv_image_open(struct sv_host *host, const char *path, const struct sv_image_opts *opts,
	struct sv_image **ret, struct sv_err *err)
{
	static const struct sv_image_opts none;
	struct sv_image *img = calloc(1, sizeof *img);

	if (!img)
		return sv_fail_nomem(err);
	img->host = host;
	if (open_chain(img, opts ? opts : &none, path, err) < 0) {
		sv_image_close(img);
		return -1;
	}
	*ret = img;
	return 0;
}

void sv_image_close(struct sv_image *img)
{
	if (!img)
		return;
	for (size_t i = 0; !img->dev && i < img->n; i++)
		sv_link_close(img->links[i]);
	if (!img->dev)
		free(img->links);
	sv_dev_close(img->dev);
	free(img);
}

struct sv_dev *sv_image_dev(struct sv_image *img)
{
	return img->dev;
}

size_t sv_image_links(const struct sv_image *img)
{
	return img->n;
}

const struct sv_image_link *sv_image_link(const struct sv_image *img, size_t i)
{
	return &img->links[i]->info;
}

struct sv_link *sv_image_driver_link(const struct sv_image *img, size_t i)
{
	return img->links[i];
}

struct sv_dev *sv_image_view(struct sv_image *img, size_t first, struct sv_err *err)
{
	if (!first)
		return sv_dev_ref(img->dev);
	return sv_chain_open(
		img->links + first, img->n - first, false, img->links[first]->info.path, err);
}

/* ---- what the drivers do with whole images ---- */

/* How far junk may reach that nobody could see until now: to the end of the block that the old
 * end lies in; of a link without blocks, to the end of its old files. */
static uint64_t end_of_junk(const struct sv_image_link *leaf, uint64_t old)
{
	uint64_t files = 0;

	if (leaf->block_size)
		return sv_div_up(old, leaf->block_size) * leaf->block_size;
	for (size_t i = 0; i < leaf->n_files; i++)
		files += leaf->files[i].size;
	return files;
}

/* The caller of grow counts on zeros: it does not write what is zeros already. */
static int clear_behind_old_end(struct sv_image *img, uint64_t old, struct sv_err *err)
{
	uint64_t end = SV_MIN(img->dev->size, end_of_junk(&img->links[0]->info, old)), n;
	uint8_t buf[4096];
	struct sv_extent e;

	for (uint64_t off = old; off < end; off += n) {
		if (sv_dev_extent(img->dev, off, end - off, &e, err) < 0)
			return -1;
		n = e.kind == SV_EXTENT_DATA ? SV_MIN(e.length, sizeof buf) : e.length;
		if (e.kind != SV_EXTENT_DATA)
			continue;
		if (sv_dev_read(img->dev, buf, (size_t)n, off, err) < 0)
			return -1;
		if (sv_is_zero(buf, (size_t)n))
			continue;
		memset(buf, 0, sizeof buf);
		if (sv_dev_write(img->dev, buf, (size_t)n, off, err) < 0)
			return -1;
	}
	return 0;
}

static int refuse_growth(const struct sv_link *leaf, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, leaf->info.path, "a %s disk cannot grow",
		leaf->driver->name);
	return sv_hint(err, "make another image of it: sharevm image convert IMAGE NEW.qcow2");
}

int sv_image_grow(struct sv_image *img, uint64_t size, struct sv_err *err)
{
	struct sv_link *leaf = img->links[0];
	uint64_t old = leaf->info.virtual_size;

	if (!leaf->driver->grow)
		return refuse_growth(leaf, err);
	if (!leaf->writable || img->n > 1 || *leaf->info.parent_hint)
		return sv_fail(err, SV_USAGE, leaf->info.path,
			"only a writable disk without a parent can grow");
	if (size < leaf->info.virtual_size || size % SV_SECTOR || size > SV_DEV_SIZE_MAX)
		return sv_fail(err, SV_USAGE, leaf->info.path,
			"the new size of %llu bytes is smaller than the disk's, or no whole "
			"number of sectors",
			(unsigned long long)size);
	if (sv_image_check_limits(img, SV_DERIVE_COPY, size, err) < 0)
		return -1;
	if (size == leaf->info.virtual_size)
		return 0;
	leaf->stopped = true; /* the file may be of the new size, or the old */
	if (leaf->driver->grow(leaf, img->host, size, err) < 0)
		return sv_err_path(err, leaf->info.path);
	leaf->stopped = false;
	leaf->info.virtual_size = size;
	img->dev->size = size;
	return clear_behind_old_end(img, old, err) < 0 ? -1 : sv_dev_flush(img->dev, err);
}

int sv_image_check(struct sv_host *host, const char *path, const struct sv_image_opts *opts,
	struct sv_image_faults *faults, struct sv_job *job, struct sv_err *err)
{
	struct sv_link_env env = {.host = host, .allow = opts ? opts->allow : NULL};
	const struct sv_image_driver *driver;
	const char *snapshot;
	sv_autofree char *real = sv_image_file_of(host, path, &snapshot, err);
	sv_autodev struct sv_dev *file = NULL;

	env.lock = opts && opts->lock;
	if (!real || sv_link_open_file(&env, real, false, &file, err) < 0 ||
		choose_driver(host, file, real, opts ? opts->format : NULL, &driver, err) < 0)
		return -1;
	return driver->check(&env, real, file, faults, job, err);
}

/* The spec of a new image in full; *ret_driver makes it. */
static int complete_spec(const char *path, struct sv_image_spec *spec, uint64_t size,
	const struct sv_image_driver **ret_driver, struct sv_err *err)
{
	const struct sv_image_driver *driver = find_driver(spec->format);

	if (!driver)
		return sv_fail(
			err, SV_USAGE, path, "no image format \"%s\" is known", spec->format);
	if (!spec->size)
		spec->size = size;
	if (!spec->size || spec->size % SV_SECTOR || spec->size > SV_DEV_SIZE_MAX)
		return sv_fail(err, SV_USAGE, path,
			"a disk of %llu bytes cannot be made: the size must be a multiple of 512",
			(unsigned long long)spec->size);
	*ret_driver = driver;
	return 0;
}

int sv_image_create(struct sv_host *host, const char *path, const struct sv_image_spec *spec,
	struct sv_err *err)
{
	const struct sv_image_driver *driver;
	struct sv_image_spec own = *spec;
	uint64_t size = spec->parent ? sv_dev_size(spec->parent->dev) : 0;

	if (complete_spec(path, &own, size, &driver, err) < 0)
		return -1;
	if (!driver->create)
		return sv_fail(err, SV_UNSUPPORTED, path, "%s images are only read, not made",
			driver->name);
	return driver->create(host, path, &own, err);
}

bool sv_image_is_whole(const char *format, const char *subformat)
{
	const struct sv_image_driver *driver = find_driver(format);

	return driver && driver->is_whole && driver->is_whole(subformat);
}

int sv_image_write_whole(struct sv_host *host, const char *path,
	const struct sv_image_spec *spec, struct sv_dev *source, struct sv_job *job,
	struct sv_err *err)
{
	const struct sv_image_driver *driver;
	struct sv_image_spec own = *spec;

	if (complete_spec(path, &own, sv_dev_size(source), &driver, err) < 0)
		return -1;
	if (!sv_image_is_whole(spec->format, spec->subformat) ||
		own.size != sv_dev_size(source))
		return sv_fail(err, SV_USAGE, path,
			"a %s image of kind %s and %llu bytes is not written as a whole",
			spec->format, spec->subformat ? spec->subformat : "(default)",
			(unsigned long long)own.size);
	return driver->write_whole(host, path, &own, source, job, err);
}
