/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Any bytes as the description of an appliance: what is read is complete; and as an appliance
 * alone on a host, or in an archive: its disks have names and paths.
 */
#include "base/num.h"
#include "io/tar.h"
#include "vm/ovf.h"
#include "vm/parts.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define REQUIRE(what)                                                                          \
	do {                                                                                   \
		if (!(what))                                                                   \
			__builtin_trap();                                                      \
	} while (0)

/* ---- a host with one file ---- */

struct one_file {
	struct sv_host host;
	const uint8_t *bytes;
	size_t n;
};

/* An archive or a description, by how it begins. */
static const char *config_of(const struct one_file *f)
{
	struct sv_dev *d = sv_mem_open(f->bytes, f->n, false, "input", NULL);
	bool archive = d && sv_tar_probe(d);

	sv_dev_close(d);
	return archive ? "/x/a.ova" : "/x/a.ovf";
}

static int one_open(struct sv_host *h, const char *path, unsigned flags, struct sv_dev **ret,
	struct sv_err *err)
{
	const struct one_file *f = (const struct one_file *)h;

	(void)flags;
	if (strcmp(path, config_of(f)))
		return sv_fail(err, SV_NOTFOUND, path, "nothing is there");
	*ret = sv_mem_open(f->bytes, f->n, false, path, err);
	return *ret ? 0 : -1;
}

static int one_stat(struct sv_host *h, const char *path, bool follow, struct sv_host_stat *ret,
	struct sv_err *err)
{
	(void)h;
	(void)follow;
	(void)ret;
	return sv_fail(err, SV_NOTFOUND, path, "nothing is there");
}

static char *one_real_path(struct sv_host *h, const char *path, struct sv_err *err)
{
	(void)h;
	(void)err;
	return strdup(path);
}

static const struct sv_host_ops one_ops = {
	.open = one_open, .stat = one_stat, .real_path = one_real_path};

static void look_at_vm(const uint8_t *bytes, size_t n)
{
	struct one_file f = {{&one_ops}, bytes, n};
	struct sv_err err = SV_ERR_INIT;
	struct sv_vm *vm = NULL;

	if (sv_vm_open_appliance(&f.host, config_of(&f), &vm, &err) < 0) {
		REQUIRE(err.code != SV_OK && err.code != SV_INTERNAL && *err.message);
		return;
	}
	REQUIRE(vm->name && vm->is_appliance);
	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct sv_vm_disk *d = &vm->disks[i];

		REQUIRE(*d->id && !strncmp(d->path, "/x/", 3) && d->as_written);
		REQUIRE(!d->problem == !d->remedy);
		REQUIRE(d->problem || !strstr(d->path, "/../"));
	}
	sv_vm_close(vm);
}

/* ---- the description alone ---- */

static void look_at_ovf(const struct sv_ovf *o)
{
	REQUIRE(o->name);
	for (size_t i = 0; i < o->n_files; i++) {
		const struct sv_ovf_file *f = &o->files[i];

		REQUIRE(f->id && f->href && f->compression && f->chunk_size);
		REQUIRE(strlen(f->href) <= SV_OVF_TEXT_MAX);
		REQUIRE(sv_ovf_find_file(o, f->id));
	}
	for (size_t i = 0; i < o->n_disks; i++) {
		REQUIRE(o->disks[i].id && o->disks[i].file && o->disks[i].parent);
		REQUIRE(sv_ovf_find_disk(o, o->disks[i].id));
	}
	for (size_t i = 0; i < o->n_items; i++) {
		const struct sv_ovf_item *m = &o->items[i];

		REQUIRE(m->instance && m->parent && m->address && m->on_parent && m->resource);
		REQUIRE(m->type <= 99999);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_ovf o = {0};
	struct sv_err err = SV_ERR_INIT;

	if (sv_ovf_parse((const char *)bytes, n, &o, &err) == 0)
		look_at_ovf(&o);
	else
		REQUIRE(err.code == SV_CORRUPT || err.code == SV_UNSUPPORTED);
	sv_ovf_clear(&o);
	look_at_vm(bytes, n);
	return 0;
}
