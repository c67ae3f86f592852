/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The qcow2 driver, versions 2 and 3 (QEMU's docs/interop/qcow2.txt): opens a link at its
 * active state or at one of its internal snapshots, and tells what it is made of. Encryption
 * and features that are not known are refused by name, and so are backing files that are no
 * files.
 */
#include "image/qcow2/qcow2.h"
#include "image/qcow2/make.h"

#include "base/endian.h"
#include "base/str.h"

#include <string.h>

static bool qcow2_probe(const struct sv_probe *p)
{
	return p->n_head >= 4 && !memcmp(p->head, SV_QCOW2_MAGIC, 4);
}

/* ---- opening ---- */

static int load_header(struct sv_qcow2 *q, struct sv_err *err)
{
	uint64_t size = sv_dev_size(q->file);
	sv_autofree uint8_t *bytes = NULL;
	uint8_t first[24];
	size_t n = (size_t)SV_MIN(size, sizeof first);

	if (sv_dev_read(q->file, first, n, 0, err) < 0)
		return -1;
	n = sv_qcow2_header_room(first, n, size);
	bytes = malloc(n + 1);
	if (!bytes)
		return sv_fail_nomem(err);
	if (sv_dev_read(q->file, bytes, n, 0, err) < 0)
		return -1;
	if (sv_qcow2_header_parse(bytes, n, size, &q->h, err) < 0)
		return -1;
	q->layout = sv_qcow2_layout_of(&q->h);
	q->cluster = UINT64_C(1) << q->h.cluster_bits;
	q->l2_span = sv_qcow2_l2_span(&q->h);
	q->l1_at = q->h.l1_at;
	q->l1_size = q->l1_changed_from = q->h.l1_size;
	/* QEMU's disks are whole sectors: a last part of one is not shown */
	q->link.info.virtual_size = sv_align_down(q->h.size, SV_SECTOR);
	q->link.flatten = q->layout.data_file;
	return 0;
}

/* Turns to the L1 table of a snapshot. */
static int choose_snapshot(struct sv_qcow2 *q, const char *name, struct sv_err *err)
{
	const struct sv_qcow2_snapshot *s = sv_qcow2_snapshots_find(&q->snapshots, name);

	if (!s) {
		sv_fail(err, SV_NOTFOUND, sv_dev_name(q->file),
			"it has no snapshot with the id or the name \"%.200s\"", name);
		return sv_hint(err, "`sharevm image info` lists its snapshots");
	}
	q->l1_at = s->l1_at;
	q->l1_size = s->l1_size;
	q->link.info.virtual_size = sv_align_down(s->info.virtual_size, SV_SECTOR);
	return 0;
}

static int load_l1(struct sv_qcow2 *q, struct sv_err *err)
{
	size_t n = q->l1_size; /* at most SV_QCOW2_L1_MAX, and it lies in the file */

	q->l1 = malloc((n + 1) * sizeof *q->l1);
	if (!q->l1)
		return sv_fail_nomem(err);
	if (sv_dev_read(q->file, q->l1, n * sizeof *q->l1, q->l1_at, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		q->l1[i] = sv_load_be64(&q->l1[i]);
	return 0;
}

/* The data file's path is taken as an extent's: it could be any file of the host. */
static int open_data_file(
	const struct sv_link_env *env, struct sv_qcow2 *q, const char *path, struct sv_err *err)
{
	sv_autofree char *home = sv_path_dir(path);

	if (!q->layout.data_file) {
		q->data = sv_dev_ref(q->file);
		return 0;
	}
	if (!home)
		return sv_fail_nomem(err);
	if (!*q->h.data_file)
		return sv_fail(err, SV_UNSUPPORTED, path,
			"its data are in another file, and the image does not tell its name");
	if (sv_allow_resolve(env->allow, env->host, home, q->h.data_file, &q->data_path, err) <
		0)
		return -1;
	return sv_link_open_file(env, q->data_path, env->writable, &q->data, err);
}

static int load(
	const struct sv_link_env *env, struct sv_qcow2 *q, const char *path, struct sv_err *err)
{
	if (load_header(q, err) < 0 || (env->writable && sv_qcow2_check_writable(q, err) < 0) ||
		sv_qcow2_snapshots_load(q->file, &q->h, &q->snapshots, err) < 0 ||
		(env->snapshot && choose_snapshot(q, env->snapshot, err) < 0) ||
		load_l1(q, err) < 0)
		return -1;
	q->cache = sv_qcow2_cache_new(
		q->file, (uint32_t)SV_MIN(q->cluster, (uint64_t)SV_QCOW2_PAGE), err);
	return q->cache ? open_data_file(env, q, path, err) : -1;
}

static void qcow2_close(struct sv_link *l)
{
	struct sv_qcow2 *q = sv_qcow2_of(l);

	sv_qcow2_refs_free(&q->refs);
	sv_qcow2_cache_free(q->cache);
	sv_qcow2_snapshots_free(&q->snapshots);
	pthread_mutex_destroy(&q->unpacked.lock);
	free(q->unpacked.bytes);
	free(q->l1);
	free(q->data_path);
	sv_dev_close(q->data);
	sv_dev_close(q->file);
	free(q);
}

/* ---- what is told about the link ---- */

static int list_snapshots(struct sv_qcow2 *q, struct sv_err *err)
{
	struct sv_image_link *info = &q->link.info;

	if (!q->snapshots.n)
		return 0;
	info->snapshots = calloc(q->snapshots.n, sizeof *info->snapshots);
	if (!info->snapshots)
		return sv_fail_nomem(err);
	for (size_t i = 0; i < q->snapshots.n; i++) {
		struct sv_image_snapshot *s = &info->snapshots[info->n_snapshots++];

		*s = q->snapshots.all[i].info;
		s->id = strdup(s->id);
		s->name = strdup(s->name);
		if (!s->id || !s->name)
			return sv_fail_nomem(err);
	}
	return 0;
}

/* From the files' sizes; tables that exist are not data. */
static uint64_t allocated(const struct sv_qcow2 *q)
{
	uint64_t tables = 0, size = sv_dev_size(q->data);

	if (q->layout.data_file)
		return SV_MIN(q->link.info.host_size, q->link.info.virtual_size);
	for (uint32_t i = 0; i < q->l1_size; i++)
		tables += q->l1[i] ? q->cluster : 0;
	tables += q->cluster + q->h.reftable_clusters * q->cluster +
		  sv_align_up(q->l1_size * UINT64_C(8), q->cluster) +
		  sv_div_up(size, q->cluster << (q->h.cluster_bits + 3 - q->h.refcount_order)) *
			  q->cluster;
	size = size > tables ? size - tables : 0;
	return SV_MIN(size, q->link.info.virtual_size);
}

static int describe(
	const struct sv_link_env *env, struct sv_qcow2 *q, const char *path, struct sv_err *err)
{
	struct sv_image_link *info = &q->link.info;

	info->subformat = strdup(q->h.version == 2 ? "v2" : "v3");
	info->id = strdup("");
	info->parent_hint = strdup(q->h.backing);
	if (!info->subformat || !info->id || !info->parent_hint)
		return sv_fail_nomem(err);
	if (sv_link_add_file(&q->link, env->host, path, !q->layout.data_file, err) < 0 ||
		(q->data_path &&
			sv_link_add_file(&q->link, env->host, q->data_path, true, err) < 0))
		return -1;
	info->block_size = (uint32_t)q->cluster;
	info->dirty = q->h.incompatible & (SV_QCOW2_DIRTY | SV_QCOW2_CORRUPT);
	info->compressed = q->h.incompatible & SV_QCOW2_COMPRESSION;
	info->allocated = allocated(q);
	return list_snapshots(q, err);
}

static int qcow2_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_qcow2 *q = calloc(1, sizeof *q);

	if (!q)
		return sv_fail_nomem(err);
	q->link.driver = &sv_qcow2_driver;
	q->link.writable = env->writable;
	q->file = sv_dev_ref(file);
	pthread_mutex_init(&q->unpacked.lock, NULL);
	if (load(env, q, path, err) < 0 || describe(env, q, path, err) < 0) {
		sv_err_path(err, path);
		sv_link_close(&q->link);
		return -1;
	}
	*ret = &q->link;
	return 0;
}

/* ---- parents ---- */

/* What QEMU takes for a protocol: a colon before the first slash. */
static bool has_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

static int qcow2_parent_format(const struct sv_link *l, const char **ret, struct sv_err *err)
{
	/* QEMU's names that are not ours */
	static const char *const names[][2] = {
		{"file", "raw"}, {"host_device", "raw"}, {"vpc", "vhd"}};
	const struct sv_qcow2 *q = (const struct sv_qcow2 *)l;
	const char *backing = q->h.backing, *format = q->h.backing_format;

	if (has_protocol(backing)) {
		sv_fail(err, SV_UNSUPPORTED, l->info.path,
			"its backing file is \"%.200s\": only files are followed, not \"%.*s\"",
			backing, (int)strcspn(backing, ":"), backing);
		return sv_hint(err,
			"give it a local file: qemu-img rebase -u -b FILE -F FORMAT "
			"IMAGE");
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(names); i++) {
		if (!strcmp(format, names[i][0]))
			format = names[i][1];
	}
	*ret = *format ? format : NULL;
	return 0;
}

static char *qcow2_parent(const struct sv_link *l, unsigned nth)
{
	const struct sv_qcow2 *q = (const struct sv_qcow2 *)l;
	sv_autofree char *home = NULL;

	if (!*q->h.backing || nth)
		return NULL;
	home = sv_path_dir(l->info.path);
	return home ? sv_path_join(home, q->h.backing) : NULL;
}

/* A qcow2 image does not record which parent it was made for. */
static int qcow2_match_parent(
	const struct sv_link *child, const struct sv_link *parent, struct sv_err *err)
{
	(void)child;
	(void)parent;
	(void)err;
	return 0;
}

const struct sv_image_driver sv_qcow2_driver = {
	.name = "qcow2",
	.extension = ".qcow2",
	.has_snapshots = true,
	.probe = qcow2_probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.map = sv_qcow2_map,
	.read = sv_qcow2_read_packed,
	.write = sv_qcow2_write,
	.discard = sv_qcow2_discard,
	.flush = sv_qcow2_flush,
	.fill_begin = sv_qcow2_fill_begin,
	.fill_place = sv_qcow2_fill_place,
	.fill_end = sv_qcow2_fill_end,
	.grow = sv_qcow2_grow,
	.parent = qcow2_parent,
	.parent_format = qcow2_parent_format,
	.match_parent = qcow2_match_parent,
	.check = sv_qcow2_check,
	.create = sv_qcow2_create,
	.derive_linked = sv_qcow2_derive_linked,
	.copy = sv_qcow2_copy,
	.flat_subformat = sv_qcow2_flat_subformat,
	.metadata_cost = sv_qcow2_metadata_cost,
	.limits = sv_qcow2_limits,
};
