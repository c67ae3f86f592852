/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The document "sharevm.show/1"; its fields stand in CLI.md. */
#include "cli/listing.h"
#include "cli/show.h"

static const char *table_word(enum sv_table_kind kind)
{
	switch (kind) {
	case SV_TABLE_MBR:
		return "mbr";
	case SV_TABLE_GPT:
		return "gpt";
	case SV_TABLE_APM:
		return "apm";
	case SV_TABLE_BSD:
		return "bsd";
	case SV_TABLE_NONE:
		break;
	}
	return "none";
}

static const char *or_null(const char *s)
{
	return s && *s ? s : NULL;
}

static void put_vm(struct sv_json *j, const struct sv_vm *vm)
{
	sv_json_key(j, "vm");
	sv_json_object(j);
	sv_json_kstring(j, "name", vm->name);
	sv_json_kstring(j, "hypervisor", vm->hypervisor);
	sv_json_kstring(j, "config", vm->config);
	sv_json_kstring(j, "state", sv_vm_state_name(vm->state));
	sv_json_kstring(j, "state_reason", vm->state_reason);
	sv_json_end_object(j);
}

static void put_time(struct sv_json *j, const char *key, struct sv_fs_time t)
{
	char text[SV_TIME_TEXT];

	sv_json_kstring(j, key, t.sec ? sv_time_utc(t, text) : NULL);
}

static void put_users(struct sv_json *j, const struct sv_guest_os *os)
{
	sv_json_key(j, "users");
	sv_json_array(j);
	for (size_t i = 0; i < os->n_users; i++) {
		sv_json_object(j);
		sv_json_kstring(j, "name", os->users[i].name);
		sv_json_kstring(j, "id", or_null(os->users[i].id));
		sv_json_kstring(j, "home", or_null(os->users[i].home));
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
}

static void put_kernels(struct sv_json *j, const struct sv_guest_os *os)
{
	sv_json_key(j, "kernels");
	sv_json_array(j);
	for (size_t i = 0; i < os->n_kernels; i++)
		sv_json_string(j, os->kernels[i]);
	sv_json_end_array(j);
}

/* What fstab mounts, as far as it was found; those of the first system are known. */
static void put_mounts(struct sv_json *j, const struct sv_guest *g)
{
	sv_json_key(j, "mounts");
	sv_json_array(j);
	for (size_t i = 0; i < g->n_mounts; i++) {
		sv_json_object(j);
		sv_json_kstring(j, "path", g->mounts[i].path);
		sv_json_kstring(j, "volume", g->volumes[g->mounts[i].volume].id);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
}

static void put_system(
	struct sv_json *j, const struct sv_guest *g, const struct sv_guest_os *os)
{
	sv_json_object(j);
	sv_json_kstring(j, "family", os->family);
	sv_json_kstring(j, "product", or_null(os->product));
	sv_json_kstring(j, "version", or_null(os->version));
	sv_json_kstring(j, "arch", or_null(os->arch));
	sv_json_kstring(j, "hostname", or_null(os->hostname));
	sv_json_kstring(j, "edition", or_null(os->edition));
	sv_json_kstring(j, "display_version", or_null(os->display_version));
	sv_json_ku64(j, "build", os->build);
	sv_json_ku64(j, "ubr", os->ubr);
	sv_json_kstring(j, "time_zone", or_null(os->time_zone));
	put_time(j, "installed", os->installed);
	put_time(j, "last_shutdown", os->last_shutdown);
	sv_json_ku64(j, "services", os->services);
	sv_json_ku64(j, "services_auto", os->services_auto);
	sv_json_kstring(j, "pending_reboot", or_null(os->pending_reboot));
	sv_json_kstring(j, "volume", os->volume >= 0 ? g->volumes[os->volume].id : NULL);
	sv_json_kstring(j, "machine_id", or_null(os->machine_id));
	put_users(j, os);
	if (os->n_kernels)
		put_kernels(j, os);
	if (os == &g->os && g->n_mounts)
		put_mounts(j, g);
	sv_json_end_object(j);
}

/* "os" is the first; where there are several, "other_systems" has the rest. */
static void put_systems(struct sv_json *j, const struct sv_guest *g)
{
	sv_json_key(j, "os");
	if (sv_guest_system(g, 0))
		put_system(j, g, &g->os);
	else
		sv_json_null(j);
	if (!g->n_others)
		return;
	sv_json_key(j, "other_systems");
	sv_json_array(j);
	for (size_t i = 0; i < g->n_others; i++)
		put_system(j, g, &g->others[i]);
	sv_json_end_array(j);
}

static void put_chain(struct sv_json *j, struct sv_image *image)
{
	sv_json_key(j, "chain");
	sv_json_array(j);
	for (size_t i = 0; image && i < sv_image_links(image); i++) {
		const struct sv_image_link *link = sv_image_link(image, i);

		sv_json_object(j);
		sv_json_kstring(j, "path", link->path);
		sv_json_kstring(j, "format", link->format);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
}

static void put_flags(struct sv_json *j, const struct sv_guest_volume *v, bool system)
{
	sv_json_key(j, "flags");
	sv_json_array(j);
	if (v->active)
		sv_json_string(j, "active");
	if (system)
		sv_json_string(j, "system");
	if (v->readable && v->info.dirty)
		sv_json_string(j, "dirty");
	if (v->readable && v->info.state[0])
		sv_json_string(j, v->info.state);
	sv_json_end_array(j);
}

static void put_number_or_null(struct sv_json *j, const char *key, bool known, uint64_t n)
{
	sv_json_key(j, key);
	if (known)
		sv_json_u64(j, n);
	else
		sv_json_null(j);
}

static void put_volume(struct sv_json *j, const struct sv_guest_volume *v, bool system)
{
	sv_json_object(j);
	sv_json_kstring(j, "id", v->id);
	sv_json_ku64(j, "index", v->number);
	sv_json_kstring(j, "type", or_null(v->type_name));
	sv_json_ku64(j, "start", v->start);
	sv_json_ku64(j, "size", v->size);
	sv_json_kstring(j, "fs", or_null(v->type));
	sv_json_kstring(j, "label", v->readable ? v->info.label : or_null(v->info.label));
	sv_json_kstring(j, "uuid", or_null(v->info.uuid));
	put_number_or_null(j, "used", v->readable, v->info.used);
	put_number_or_null(j, "free", v->readable, v->info.free);
	sv_json_kstring(j, "mount", or_null(v->mount));
	put_flags(j, v, system);
	sv_json_kstring(j, "problem", or_null(v->problem));
	sv_json_kstring(j, "warning", or_null(*v->warning ? v->warning : v->info.warning));
	sv_json_end_object(j);
}

static void put_disk(struct sv_json *j, const struct sv_machine *m, size_t i)
{
	struct sv_image *image = m->disks[i].image;
	const struct sv_image_link *leaf = image ? sv_image_link(image, 0) : NULL;
	const struct sv_guest *g = m->guest;

	sv_json_object(j);
	sv_json_kstring(j, "id", m->vm->disks[i].id);
	sv_json_kstring(j, "path", m->vm->disks[i].path);
	sv_json_kstring(j, "format", leaf ? leaf->format : NULL);
	sv_json_kstring(j, "subformat", leaf ? or_null(leaf->subformat) : NULL);
	put_number_or_null(j, "virtual_size", leaf, leaf ? leaf->virtual_size : 0);
	put_number_or_null(j, "host_size", leaf, leaf ? leaf->host_size : 0);
	put_chain(j, image);
	sv_json_kstring(j, "table", image ? table_word(g->disks[i].table.kind) : NULL);
	sv_json_key(j, "volumes");
	sv_json_array(j);
	for (size_t v = 0; image && v < g->n_volumes; v++)
		if (g->volumes[v].disk == i)
			put_volume(j, &g->volumes[v], (int)v == g->system_volume);
	sv_json_end_array(j);
	sv_json_kstring(j, "problem",
		image ? or_null(g->disks[i].problem) : m->disks[i].problem.message);
	sv_json_end_object(j);
}

void sv_show_json(struct sv_cli *cli, const struct sv_machine *m)
{
	struct sv_json j;

	sv_doc_begin(cli, &j, "show");
	put_vm(&j, m->vm);
	put_systems(&j, m->guest);
	sv_json_key(&j, "disks");
	sv_json_array(&j);
	for (size_t i = 0; i < m->vm->n_disks; i++)
		put_disk(&j, m, i);
	sv_json_end_array(&j);
	sv_doc_end(cli, &j);
}
