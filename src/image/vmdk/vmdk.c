/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMDK driver: opens the hosted kinds ("Virtual Disk Format 5.0") and finds their parents.
 * streamOptimized is read, and written as a whole (stream_write.c); ESX's sparse kinds are
 * read; devices are refused by name.
 */
#include "image/vmdk/vmdk.h"
#include "image/vmdk/cowd.h"

#include "base/num.h"
#include "base/str.h"

#include <string.h>
#include <strings.h>

static struct sv_vmdk *of(struct sv_link *l)
{
	return (struct sv_vmdk *)l;
}

/* ---- probe ---- */

/* What kind of extent without a descriptor begins like this? NULL: none. */
static const char *bare_part(const uint8_t *head, size_t n)
{
	if (n >= 4 && !memcmp(head, SV_VMDK_COWD_MAGIC, 4))
		return "vmfsSparse (COWD)";
	return n >= 8 && !memcmp(head, SV_VMDK_SE_MAGIC, 8) ? "seSparse" : NULL;
}

static bool vmdk_probe(const struct sv_probe *p)
{
	static const char text[] = "# disk descriptorfile";
	size_t at = 0;

	if (p->n_head >= 4 && !memcmp(p->head, SV_VMDK_MAGIC, 4))
		return true;
	if (bare_part(p->head, p->n_head))
		return true;
	while (at < p->n_head && strchr(" \t\r\n", p->head[at]) && p->head[at])
		at++;
	return p->n_head - at >= sizeof text - 1 &&
	       !strncasecmp((const char *)p->head + at, text, sizeof text - 1);
}

/* ---- descriptor ---- */

static int refuse_part(const char *path, const char *kind, struct sv_err *err)
{
	sv_fail(err, SV_UNSUPPORTED, path, "it is a part of a %s disk, not the disk", kind);
	return sv_hint(err,
		"open the small text file beside it (its name ends in .vmdk without "
		"-s001, -delta or -sesparse)");
}

static int find_text(struct sv_dev *file, struct sv_vmdk_text *ret, struct sv_err *err)
{
	uint8_t head[SV_VMDK_HEADER_SIZE];
	size_t n = (size_t)SV_MIN(sv_dev_size(file), sizeof head);
	struct sv_vmdk_header h;

	if (sv_dev_read(file, head, n, 0, err) < 0)
		return -1;
	if (bare_part(head, n))
		return refuse_part(sv_dev_name(file), bare_part(head, n), err);
	if (n < 4 || memcmp(head, SV_VMDK_MAGIC, 4)) {
		*ret = (struct sv_vmdk_text){
			.n = (size_t)sv_dev_size(file), .room = SV_VMDK_DESC_MAX};
		if (sv_dev_size(file) <= SV_VMDK_DESC_MAX)
			return 0;
		return sv_fail(err, SV_CORRUPT, sv_dev_name(file),
			"the descriptor has %llu bytes, the largest allowed is %d",
			(unsigned long long)sv_dev_size(file), SV_VMDK_DESC_MAX);
	}
	if (sv_vmdk_header_parse(head, n, sv_dev_size(file), &h, err) < 0)
		return sv_err_path(err, sv_dev_name(file));
	if (!h.desc_at || !h.desc_sectors)
		return refuse_part(sv_dev_name(file), "split", err);
	*ret = (struct sv_vmdk_text){
		.embedded = true,
		.at = h.desc_at * SV_SECTOR,
		.room = SV_MIN(h.desc_sectors * SV_SECTOR, (uint64_t)SV_VMDK_DESC_MAX),
	};
	ret->n = (size_t)ret->room;
	return 0;
}

int sv_vmdk_read_text(struct sv_dev *file, struct sv_vmdk_text *ret, struct sv_err *err)
{
	struct sv_vmdk_text t = {0};
	sv_autofree char *text = NULL;

	if (find_text(file, &t, err) < 0)
		return -1;
	text = malloc(t.n + 1);
	if (!text)
		return sv_fail_nomem(err);
	if (sv_dev_read(file, text, t.n, t.at, err) < 0)
		return -1;
	text[t.n] = 0;
	t.n = strlen(text);
	if (t.embedded && !t.n)
		return refuse_part(sv_dev_name(file), "split", err);
	t.text = SV_STEAL(text);
	*ret = t;
	return 0;
}

int sv_vmdk_check_type(const struct sv_vmdk_desc *d, struct sv_err *err)
{
	static const char *const known[] = {"monolithicSparse", "monolithicFlat",
		"twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized", "vmfs",
		"vmfsThin", "vmfsPreallocated", "vmfsEagerZeroedThick", "vmfsSparse",
		"seSparse", "custom"};
	static const char *const devices[] = {"fullDevice", "partitionedDevice", "vmfsRaw",
		"vmfsRDM", "vmfsRDMP", "vmfsRawDeviceMap", "vmfsPassthroughRDM",
		"vmfsPassthroughRawDeviceMap"};

	for (size_t i = 0; i < d->n_pairs; i++) {
		if (sv_starts_with(d->pairs[i].key, "encryption")) {
			sv_fail(err, SV_UNSUPPORTED, NULL, "the disk is encrypted by VMware");
			return sv_hint(err, "remove the encryption in VMware first");
		}
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(known); i++) {
		if (!strcasecmp(d->create_type, known[i]))
			return 0;
	}
	for (size_t i = 0; i < SV_ARRAY_LEN(devices); i++) {
		if (strcasecmp(d->create_type, devices[i]))
			continue;
		sv_fail(err, SV_UNSUPPORTED, NULL,
			"VMDK of kind \"%s\": its data lie on a device, not in a file",
			d->create_type);
		return sv_hint(err, SV_VMDK_DEVICE_HINT);
	}
	sv_fail(err, SV_UNSUPPORTED, NULL, "VMDK of kind \"%s\" is not supported",
		d->create_type);
	return sv_hint(err, "have VMware copy it to a disk of another kind: "
			    "vmware-vdiskmanager -r OLD.vmdk -t 0 NEW.vmdk");
}

int sv_vmdk_load(const char *path, struct sv_dev *file, bool writable, struct sv_vmdk **ret,
	struct sv_err *err)
{
	struct sv_vmdk *v = calloc(1, sizeof *v);
	struct sv_vmdk_text t = {0};

	if (!v)
		return sv_fail_nomem(err);
	v->link.driver = &sv_vmdk_driver;
	v->file = sv_dev_ref(file);
	v->link.writable = writable;
	v->tables = sv_vmdk_tables_new(err);
	if (!v->tables || sv_vmdk_read_text(file, &t, err) < 0)
		goto fail;
	v->embedded = t.embedded;
	v->desc_at = t.at;
	v->desc_room = t.room;
	if (sv_vmdk_desc_parse(t.text, t.n, &v->desc, err) < 0) {
		sv_err_shift(err, t.at);
		goto fail;
	}
	free(t.text);
	*ret = v;
	return 0;
fail:
	free(t.text);
	sv_vmdk_close(&v->link);
	return sv_err_path(err, path);
}

/* ---- open and close ---- */

void sv_vmdk_close(struct sv_link *l)
{
	struct sv_vmdk *v = of(l);

	for (size_t i = 0; i < v->n_parts; i++) {
		sv_vmdk_close_part(&v->parts[i]);
		free(v->parts[i].path);
	}
	free(v->parts);
	sv_vmdk_desc_free(&v->desc);
	sv_vmdk_tables_free(v->tables);
	sv_dev_close(v->file);
	free(v);
}

static int open_parts(
	const struct sv_link_env *env, struct sv_vmdk *v, const char *path, struct sv_err *err)
{
	uint64_t start = 0;

	v->parts = calloc(v->desc.n_extents, sizeof *v->parts);
	if (!v->parts)
		return sv_fail_nomem(err);
	v->n_parts = v->desc.n_extents;
	for (size_t i = 0; i < v->n_parts; i++) {
		v->parts[i].start = start;
		if (sv_vmdk_open_part(env, v, path, i, err) < 0)
			return -1;
		start += v->parts[i].length;
	}
	return 0;
}

/* ---- what is told about the link ---- */

static int describe_sparse(struct sv_link *l, struct sv_vmdk_part *p, struct sv_err *err)
{
	struct sv_vmdk_sparse *s = p->sparse;
	uint64_t allocated;

	if (sv_vmdk_sparse_allocated(s, &allocated, err) < 0)
		return -1;
	l->info.allocated += SV_MIN(allocated, p->length);
	l->info.block_size = (uint32_t)s->grain_bytes;
	l->info.dirty |= s->h.unclean;
	l->info.compressed |= sv_vmdk_is_packed(&s->h);
	/* a copy of such a file could not be changed */
	l->flatten |= sv_vmdk_is_packed(&s->h) || s->h.table_shift;
	if (!s->note || l->info.note)
		return 0;
	l->info.note = strdup(s->note);
	return l->info.note ? 0 : sv_fail_nomem(err);
}

static int describe_sesparse(struct sv_link *l, struct sv_vmdk_part *p, struct sv_err *err)
{
	uint64_t allocated;

	if (sv_vmdk_se_allocated(p->sesparse, &allocated, err) < 0)
		return -1;
	l->info.allocated += SV_MIN(allocated, p->length);
	l->info.block_size = (uint32_t)SV_VMDK_SE_GRAIN;
	l->flatten = true; /* a copy of its file could not be changed */
	return 0;
}

static int describe_part(
	const struct sv_link_env *env, struct sv_vmdk *v, size_t i, struct sv_err *err)
{
	struct sv_vmdk_part *p = &v->parts[i];

	if (p->sparse && describe_sparse(&v->link, p, err) < 0)
		return -1;
	if (p->sesparse && describe_sesparse(&v->link, p, err) < 0)
		return -1;
	if (!p->path || (i && p[-1].path && !strcmp(p[-1].path, p->path)))
		return 0;
	return sv_link_add_file(&v->link, env->host, p->path, true, err);
}

static int describe(
	const struct sv_link_env *env, struct sv_vmdk *v, const char *path, struct sv_err *err)
{
	struct sv_image_link *info = &v->link.info;
	uint64_t sparse, flat;

	info->subformat = strdup(v->desc.create_type);
	info->parent_hint = strdup(v->desc.parent_hint);
	info->id = sv_format("%08x", v->desc.cid);
	info->virtual_size = v->desc.sectors * SV_SECTOR;
	if (!info->subformat || !info->parent_hint || !info->id)
		return sv_fail_nomem(err);
	if (!v->embedded && sv_link_add_file(&v->link, env->host, path, false, err) < 0)
		return -1;
	for (size_t i = 0; i < v->n_parts; i++) {
		if (describe_part(env, v, i, err) < 0)
			return -1;
	}
	/* flat files: what the host stores of them */
	sparse = flat = 0;
	for (size_t i = 0; i < v->n_parts; i++) {
		if (v->parts[i].sparse || v->parts[i].sesparse)
			sparse = 1;
		else if (v->parts[i].file)
			flat += v->parts[i].length;
	}
	info->allocated += sparse ? 0 : SV_MIN(flat, info->host_size);
	return 0;
}

static int vmdk_open(const struct sv_link_env *env, const char *path, struct sv_dev *file,
	struct sv_link **ret, struct sv_err *err)
{
	struct sv_vmdk *v;

	if (sv_vmdk_load(path, file, env->writable, &v, err) < 0)
		return -1;
	v->lock = env->lock;
	if ((env->writable && sv_vmdk_is_whole(v->desc.create_type) &&
		    sv_vmdk_refuse_packed(path, err) < 0) ||
		sv_vmdk_check_type(&v->desc, err) < 0 || open_parts(env, v, path, err) < 0 ||
		describe(env, v, path, err) < 0) {
		sv_err_path(err, path);
		sv_link_close(&v->link);
		return -1;
	}
	*ret = &v->link;
	return 0;
}

/* ---- parents ---- */

static const char *last_component(const char *hint)
{
	const char *back = strrchr(hint, '\\');

	return back ? back + 1 : sv_path_base(hint);
}

/*
 * The hint as it stands, then its last component in the child's own folder: people move disks
 * between hosts, and the content id tells a wrong one. Each also in this host's encoding.
 */
static char *vmdk_parent(const struct sv_link *l, unsigned nth)
{
	const struct sv_vmdk *v = (const struct sv_vmdk *)l;
	sv_autofree char *other = sv_vmdk_other_name(&v->desc, v->desc.parent_hint);
	const char *hint = nth & 1 && other ? other : v->desc.parent_hint;
	sv_autofree char *home = NULL;

	if (v->desc.parent_cid == SV_VMDK_CID_NONE || nth > 3)
		return NULL;
	home = sv_path_dir(l->info.path);
	if (!home)
		return NULL;
	if (nth < 2 && !sv_starts_with(hint, "\\") && !(*hint && hint[1] == ':'))
		return sv_path_join(home, hint);
	return sv_path_join(home, last_component(hint));
}

static int vmdk_match_parent(
	const struct sv_link *child, const struct sv_link *parent, struct sv_err *err)
{
	const struct sv_vmdk *c = (const struct sv_vmdk *)child;
	const struct sv_vmdk *p = (const struct sv_vmdk *)parent;

	if (parent->driver != &sv_vmdk_driver)
		return sv_fail(err, SV_CORRUPT, parent->info.path,
			"the parent of a VMDK must be a VMDK, this is %s",
			parent->driver->name);
	if (p->desc.cid == c->desc.parent_cid)
		return 0;
	sv_fail(err, SV_CORRUPT, parent->info.path,
		"its content id is %08x, %s was made for %08x", p->desc.cid,
		sv_path_base(child->info.path), c->desc.parent_cid);
	return sv_hint(err,
		"the parent was changed after the snapshot was made, or it is another "
		"disk: bring back the right file from a backup");
}

static const char *const subformats[] = {"monolithicSparse", "monolithicFlat",
	"twoGbMaxExtentSparse", "twoGbMaxExtentFlat", "streamOptimized", NULL};

const struct sv_image_driver sv_vmdk_driver = {
	.name = "vmdk",
	.extension = ".vmdk",
	.subformats = subformats,
	.probe = vmdk_probe,
	.open = vmdk_open,
	.close = sv_vmdk_close,
	.map = sv_vmdk_map,
	.read = sv_vmdk_read,
	.write = sv_vmdk_write,
	.discard = sv_vmdk_discard,
	.flush = sv_vmdk_flush,
	.fill_begin = sv_vmdk_fill_begin,
	.fill_place = sv_vmdk_fill_place,
	.fill_end = sv_vmdk_fill_end,
	.parent = vmdk_parent,
	.match_parent = vmdk_match_parent,
	.grow = sv_vmdk_grow,
	.check = sv_vmdk_check,
	.create = sv_vmdk_create,
	.identity = sv_vmdk_identity,
	.is_whole = sv_vmdk_is_whole,
	.write_whole = sv_vmdk_write_whole,
	.derive_linked = sv_vmdk_derive_linked,
	.copy = sv_vmdk_copy,
	.flat_subformat = sv_vmdk_flat_subformat,
	.metadata_cost = sv_vmdk_metadata_cost,
	.limits = sv_vmdk_limits,
};
