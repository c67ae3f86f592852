/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `show` for people: name and state, system, each disk with its chain and volumes. */
#include "cli/show.h"

#include "base/num.h"
#include "base/str.h"
#include "cli/grid.h"
#include "cli/listing.h"

#include <string.h>

#define INDENT      2
#define NEARLY_FULL 90 /* per cent of the system volume: then `extend` is proposed */

static const struct sv_grid_col volume_cols[] = {
	{"VOLUME"},
	{"DRIVE"},
	{"CONTENT", .shrinks = true},
	{"LABEL", .shrinks = true},
	{"SIZE", .right = true},
	{"FREE", .right = true},
	{"USED"},
};

static const char *content_of(const struct sv_guest_volume *v)
{
	if (v->type && *v->type)
		return v->type;
	return v->type_name && *v->type_name ? v->type_name : "unknown";
}

static void add_volume(struct sv_grid *g, const struct sv_guest_volume *v, bool system)
{
	char size[SV_SIZE_TEXT];

	sv_grid_add(g, SV_STYLE_NONE, "%s", v->id);
	sv_grid_add(g, system ? SV_STYLE_BOLD : SV_STYLE_NONE, "%s", v->mount);
	sv_grid_add(g, SV_STYLE_NONE, "%s", content_of(v));
	sv_grid_add(g, SV_STYLE_NONE, "%s", v->info.label);
	sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(v->size, size));
	if (v->readable) {
		sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(v->info.free, size));
		sv_grid_add_gauge(g, v->info.used, v->info.size);
	} else {
		sv_grid_add(g, SV_STYLE_NONE, "-");
		sv_grid_add(g, SV_STYLE_NONE, "-");
	}
}

/* Windows keeps this partition for itself, and never puts a file system on it. */
static bool is_reserved(const struct sv_guest_volume *v)
{
	return !*v->type && v->type_name && !strcmp(v->type_name, "Microsoft reserved");
}

static void put_remark(
	struct sv_out *o, const struct sv_guest_volume *v, size_t indent, const char *text)
{
	char remark[400];

	snprintf(remark, sizeof remark, "%s: %s", v->mount && *v->mount ? v->mount : v->id,
		text);
	sv_out_spaces(o, indent);
	sv_out_in(o, SV_STYLE_WARN, "!");
	sv_out_f(o, " ");
	sv_out_wrap(o, indent + 2, indent + 2, remark);
}

/* What a table has no column for: why a volume cannot be read, or should not be written, and
 * what of it is missing. */
static void put_remarks(struct sv_out *o, const struct sv_guest_volume *v, size_t indent)
{
	const char *text = v->problem;

	if (v->readable && *v->warning)
		put_remark(o, v, indent, v->warning);
	if (v->readable && v->info.warning[0])
		put_remark(o, v, indent, v->info.warning);
	if (!text || !*text)
		text = v->readable ? v->info.state : "";
	if (!*text && v->readable && v->info.dirty)
		text = "its file system asks for a check";
	if (*text && !is_reserved(v))
		put_remark(o, v, indent, text);
}

int sv_show_volumes(struct sv_cli *cli, const struct sv_machine *m, size_t disk, size_t indent,
	struct sv_err *err)
{
	SV_CLEANUP(sv_grid_freep)
	struct sv_grid *g = sv_grid_new(volume_cols, SV_ARRAY_LEN(volume_cols));
	const struct sv_guest *guest = m->guest;
	size_t n = 0;

	for (size_t i = 0; i < guest->n_volumes; i++) {
		const struct sv_guest_volume *v = &guest->volumes[i];

		if ((disk != SIZE_MAX && v->disk != disk) || !m->disks[v->disk].image)
			continue;
		add_volume(g, v, (int)i == guest->system_volume);
		n++;
	}
	if (n && sv_grid_print(g, &cli->out, indent, err))
		return -1;
	for (size_t i = 0; !cli->out.plain && i < guest->n_volumes; i++)
		if (disk == SIZE_MAX || guest->volumes[i].disk == disk)
			put_remarks(&cli->out, &guest->volumes[i], indent);
	return 0;
}

/* A path as seen from the machine's folder, where it lies in it. */
static const char *short_path(const struct sv_vm *vm, const char *path)
{
	size_t n = strlen(vm->folder);

	if (strncmp(path, vm->folder, n) == 0 && path[n] == '/')
		return path + n + 1;
	return path;
}

/* The files of the disk, the newest first. */
static int put_chain(
	struct sv_out *o, const struct sv_vm *vm, struct sv_image *image, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {{NULL, .right = true}, {NULL}, {NULL}};
	SV_CLEANUP(sv_grid_freep) struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));

	for (size_t i = 0; i < sv_image_links(image); i++) {
		const struct sv_image_link *link = sv_image_link(image, i);
		char size[SV_SIZE_TEXT];

		sv_grid_add(g, SV_STYLE_NONE, "%s", sv_size_format(link->host_size, size));
		sv_grid_add(g, SV_STYLE_NONE, "%s%s%s", link->format,
			*link->subformat ? " " : "", link->subformat);
		sv_grid_add(
			g, SV_STYLE_NONE, "%s%s", i ? "over " : "", short_path(vm, link->path));
	}
	return sv_grid_print(g, o, INDENT + 2, err);
}

static const char *table_words(const struct sv_table *t)
{
	switch (t->kind) {
	case SV_TABLE_MBR:
		return "MBR partition table";
	case SV_TABLE_GPT:
		return "GPT partition table";
	case SV_TABLE_APM:
		return "Apple partition map";
	case SV_TABLE_BSD:
		return "BSD disklabel";
	case SV_TABLE_NONE:
		break;
	}
	return "no partition table";
}

static void put_problem(struct sv_out *o, const struct sv_err *e)
{
	char text[sizeof e->message + sizeof e->hint + 40], offset[32] = "";

	if (e->has_offset)
		snprintf(offset, sizeof offset,
			"offset 0x%llx: ", (unsigned long long)e->offset);
	snprintf(text, sizeof text, "%s%s%s%s", offset, e->message, *e->hint ? "; " : "",
		e->hint);
	sv_out_spaces(o, INDENT + 2);
	sv_out_in(o, SV_STYLE_BAD, "!");
	sv_out_f(o, " ");
	sv_out_wrap(o, INDENT + 4, INDENT + 4, text);
}

static int put_disk(
	struct sv_cli *cli, const struct sv_machine *m, size_t i, struct sv_err *err)
{
	const struct sv_machine_disk *d = &m->disks[i];
	const struct sv_guest_disk *g = &m->guest->disks[i];
	struct sv_out *o = &cli->out;
	char size[SV_SIZE_TEXT];

	sv_out_nl(o);
	sv_out_spaces(o, INDENT);
	sv_out_in(o, SV_STYLE_BOLD, "Disk %zu", i);
	if (m->vm->vmx)
		sv_out_f(o, "  %s", m->vm->disks[i].id);
	if (!d->image) {
		sv_out_line(o, "  %s", short_path(m->vm, m->vm->disks[i].path));
		put_problem(o, &d->problem);
		return 0;
	}
	sv_out_line(o, "  %s, %s",
		sv_size_format(sv_image_link(d->image, 0)->virtual_size, size),
		table_words(&g->table));
	if (put_chain(o, m->vm, d->image, err))
		return -1;
	if (g->problem && *g->problem) {
		sv_out_spaces(o, INDENT + 2);
		sv_out_in(o, SV_STYLE_WARN, "!");
		sv_out_f(o, " ");
		sv_out_wrap(o, INDENT + 4, INDENT + 4, g->problem);
	}
	return sv_show_volumes(cli, m, i, INDENT + 2, err);
}

static void put_head(struct sv_cli *cli, const struct sv_vm *vm)
{
	struct sv_out *o = &cli->out;
	enum sv_style style = vm->state == SV_VM_OFF ? SV_STYLE_GOOD : SV_STYLE_WARN;

	sv_out_in(o, SV_STYLE_NAME, "%s", vm->name);
	if (strcmp(vm->hypervisor, "image") != 0) {
		sv_out_f(o, "  ");
		sv_out_in(o, style, "%s", sv_state_words(vm->state));
	}
	sv_out_nl(o);
	sv_out_spaces(o, INDENT);
	sv_out_line(o, "%s", vm->config);
	if (vm->state_reason && *vm->state_reason) {
		sv_out_spaces(o, INDENT);
		sv_out_wrap(o, INDENT, INDENT, vm->state_reason);
	}
}

/* A person's account that was used, and no service's: of a Windows those have identifiers
 * without a machine or domain, of a Linux numbers below 1000, and "nobody" the last one. */
static bool is_person(const struct sv_guest_user *u)
{
	unsigned long number = strtoul(u->id, NULL, 10);

	return u->home[0] &&
	       (sv_starts_with(u->id, "S-1-5-21-") || (number >= 1000 && number < 65534));
}

static void add_part(struct sv_str *text, const char *label, const char *what)
{
	if (*what)
		sv_str_addf(text, "%s%s%s", text->len ? ", " : "", label, what);
}

/* "22H2, installed 2020-09-12, last shut down 2024-05-03, used by anna, bob" */
static void put_history(struct sv_out *o, const struct sv_guest_os *os)
{
	sv_autostr struct sv_str text = {0};
	char installed[SV_TIME_TEXT] = "", down[SV_TIME_TEXT] = "", when[SV_TIME_TEXT];
	bool first = true;

	if (os->installed.sec)
		snprintf(installed, 11, "%s", sv_time_local(os->installed, when)); /* the day */
	if (os->last_shutdown.sec)
		sv_time_local(os->last_shutdown, down);
	add_part(&text, "", os->display_version);
	add_part(&text, "installed ", installed);
	add_part(&text, "last shut down ", down);
	add_part(&text, "kernel ", os->n_kernels ? os->kernels[0] : "");
	for (size_t i = 0; i < os->n_users; i++) {
		if (!is_person(&os->users[i]))
			continue;
		add_part(&text, first ? "used by " : "", os->users[i].name);
		first = false;
	}
	if (!text.len)
		return;
	sv_out_spaces(o, INDENT);
	sv_out_wrap(o, INDENT, INDENT, text.data);
}

static void put_system(struct sv_out *o, const struct sv_guest *g, const struct sv_guest_os *os)
{
	sv_out_spaces(o, INDENT);
	sv_out_in(o, SV_STYLE_BOLD, "%s", *os->product ? os->product : os->family);
	/* "Debian GNU/Linux 12 (bookworm)" has its version in its name */
	if (*os->version && !strstr(os->product, os->version))
		sv_out_f(o, " %s", os->version);
	if (*os->arch)
		sv_out_f(o, ", %s", os->arch);
	if (*os->hostname)
		sv_out_f(o, ", called %s", os->hostname);
	if (g->n_others && os->volume >= 0)
		sv_out_f(o, ", on %s", g->volumes[os->volume].id);
	sv_out_nl(o);
	put_history(o, os);
	if (!*os->pending_reboot)
		return;
	sv_out_spaces(o, INDENT);
	sv_out_in(o, SV_STYLE_WARN, "waits for a restart: ");
	sv_out_wrap(o, INDENT + 21, INDENT, os->pending_reboot);
}

static void put_systems(struct sv_out *o, const struct sv_guest *g)
{
	const struct sv_guest_os *os;

	for (size_t i = 0; (os = sv_guest_system(g, i)); i++)
		put_system(o, g, os);
}

/* The system's volume; where no system was recognised, the only one that can be read. */
static const struct sv_guest_volume *main_volume(const struct sv_guest *g)
{
	const struct sv_guest_volume *only = NULL;

	if (g->system_volume >= 0)
		return &g->volumes[g->system_volume];
	for (size_t i = 0; i < g->n_volumes; i++) {
		if (g->volumes[i].readable && only)
			return NULL;
		if (g->volumes[i].readable)
			only = &g->volumes[i];
	}
	return only;
}

/* A full volume is why most people are here: say what helps. */
static void propose(struct sv_cli *cli, const struct sv_machine *m)
{
	const struct sv_guest_volume *v = main_volume(m->guest);

	if (!v || cli->out.plain || cli->global.quiet || !v->readable || v->group ||
		!strcmp(v->type, "iso9660") ||
		v->info.used / 100 < v->info.size / 10000 * NEARLY_FULL)
		return;
	sv_out_nl(&cli->out);
	sv_out_spaces(&cli->out, INDENT);
	sv_out_line(&cli->out, "%s is nearly full. To give it more room:",
		v->mount && *v->mount ? v->mount : v->id);
	sv_out_spaces(&cli->out, INDENT + 2);
	sv_out_command(&cli->out, "sharevm extend ", m->given, " --by 40G");
}

int sv_show_page(struct sv_cli *cli, const struct sv_machine *m, struct sv_err *err)
{
	put_head(cli, m->vm);
	put_systems(&cli->out, m->guest);
	for (size_t i = 0; i < m->vm->n_disks; i++)
		if (put_disk(cli, m, i, err))
			return -1;
	propose(cli, m);
	return 0;
}

bool sv_show_complete(const struct sv_machine *m)
{
	const struct sv_guest *g = m->guest;

	for (size_t i = 0; i < m->vm->n_disks; i++)
		if (!m->disks[i].image || (g->disks[i].problem && *g->disks[i].problem))
			return false;
	for (size_t i = 0; i < g->n_volumes; i++)
		if (g->volumes[i].problem_code != SV_OK &&
			g->volumes[i].problem_code != SV_UNSUPPORTED)
			return false;
	return true;
}
