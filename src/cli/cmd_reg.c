/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm reg VM [KEY]: the registry of a machine that is off, or of one hive. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/machine.h"
#include "cli/reg.h"
#include "cli/vmpath.h"
#include "guest/hive_file.h"
#include "guest/registry.h"

#include <string.h>
#include <strings.h>

struct args {
	struct sv_vm_args vm;
	bool recursive, export, security;
	const char *volume;
};

/* Where keys come from: a machine's registry, or one hive. */
struct source {
	struct sv_machine *machine;
	struct sv_registry *registry;
	struct sv_hive *hive;
	char *top; /* of the one hive */
};

static void source_close(struct source *s)
{
	sv_registry_close(s->registry);
	sv_hive_close(s->hive);
	sv_machine_close(s->machine);
	free(s->top);
}

/* ---- a hive's file on the host ---- */

static bool is_hive_file(struct sv_host *host, const char *path)
{
	sv_autodev struct sv_dev *dev = NULL;
	struct sv_host_stat st;
	char magic[4];

	return sv_host_stat(host, path, &st, NULL) == 0 && st.type == SV_HOST_FILE &&
	       st.size >= sizeof magic &&
	       sv_host_open(host, path, SV_OPEN_READ, &dev, NULL) == 0 &&
	       sv_dev_read(dev, magic, sizeof magic, 0, NULL) == 0 &&
	       memcmp(magic, "regf", sizeof magic) == 0;
}

static void close_logs(struct sv_hive_logs *l)
{
	sv_dev_close(l->log);
	sv_dev_close(l->log1);
	sv_dev_close(l->log2);
}

/* NULL where there is none; a copy may have the endings in small letters. */
static struct sv_dev *host_log(struct sv_host *host, const char *path, const char *ending)
{
	sv_autofree char *upper = sv_format("%s%s", path, ending);
	struct sv_dev *dev = NULL;

	if (upper && sv_host_open(host, upper, SV_OPEN_READ, &dev, NULL) < 0) {
		for (char *c = upper + strlen(path); *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		if (sv_host_open(host, upper, SV_OPEN_READ, &dev, NULL) < 0)
			return NULL;
	}
	return dev;
}

static int open_host_hive(
	struct sv_cli *cli, const char *path, struct source *s, struct sv_err *err)
{
	SV_CLEANUP(close_logs) struct sv_hive_logs logs = {0};
	sv_autodev struct sv_dev *dev = NULL;

	if (sv_host_open(cli->host, path, SV_OPEN_READ, &dev, err) < 0)
		return -1;
	logs.log = host_log(cli->host, path, ".LOG");
	logs.log1 = host_log(cli->host, path, ".LOG1");
	logs.log2 = host_log(cli->host, path, ".LOG2");
	if (sv_hive_open(dev, &logs, &s->hive, err) < 0)
		return -1;
	if (sv_hive_state(s->hive)->problem[0])
		sv_job_note(&cli->job, "%s: %s", path, sv_hive_state(s->hive)->problem);
	s->top = sv_registry_top_of_file(path, err);
	return s->top ? 0 : -1;
}

/* ---- a machine, or a file in it ---- */

static int choose_system(
	const struct sv_machine *m, const char *volume, size_t *ret, struct sv_err *err)
{
	size_t wanted = 0;

	*ret = 0;
	if (!volume)
		return 0;
	if (sv_guest_find_volume(m->guest, volume, &wanted, err) < 0)
		return -1;
	for (size_t i = 0; sv_guest_system(m->guest, i); i++) {
		if (sv_guest_system(m->guest, i)->volume == (int)wanted) {
			*ret = i;
			return 0;
		}
	}
	return sv_fail(err, SV_NOTFOUND, NULL, "there is no Windows on volume %s", volume);
}

static int open_guest_hive(
	struct sv_cli *cli, const char *inside, struct source *s, struct sv_err *err)
{
	sv_autoplace struct sv_place at = {0};

	if (sv_machine_find(s->machine, inside, &at, err) < 0 ||
		sv_guest_hive_open(at.fs, at.path, &cli->job, &s->hive, err) < 0)
		return -1;
	s->top = sv_registry_top_of_file(at.path, err);
	return s->top ? 0 : -1;
}

static int open_source(
	struct sv_cli *cli, const struct args *a, struct source *s, struct sv_err *err)
{
	const char *word = a->vm.common.operands.item[0];
	sv_autovmpath struct sv_vmpath p = {0};
	size_t system;

	if (is_hive_file(cli->host, word))
		return open_host_hive(cli, word, s, err);
	if (sv_vmpath_parse(cli->host, word, &p, err) < 0 ||
		sv_machine_open(cli, p.vm, &a->vm.allow, &s->machine, err) < 0)
		return -1;
	sv_machine_warn(cli, s->machine);
	if (p.inside && *p.inside)
		return open_guest_hive(cli, p.inside, s, err);
	if (choose_system(s->machine, a->volume, &system, err) < 0)
		return -1;
	return sv_registry_open(s->machine->guest, system, &cli->job, &s->registry, err);
}

/* ---- keys above the hives ---- */

/* Is the mount below the key `path` ("" for all)? */
static bool is_below(const struct sv_registry_mount *m, const char *path)
{
	size_t n = strlen(path);

	return !n || (strncasecmp(m->path, path, n) == 0 && m->path[n] == '\\');
}

static void list_json(struct sv_reg *r, const struct sv_registry_mount *m, size_t n)
{
	struct sv_json *j = &r->json;

	sv_doc_begin(r->cli, j, "reg");
	sv_json_key(j, "hives");
	sv_json_array(j);
	for (size_t i = 0; i < n; i++) {
		if (!is_below(&m[i], r->top))
			continue;
		sv_json_object(j);
		sv_json_kstring(j, "path", m[i].path);
		sv_json_kstring(j, "file", m[i].file);
		sv_json_kstring(j, "user", m[i].user[0] ? m[i].user : NULL);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
	sv_doc_end(r->cli, j);
}

static void list_mounts(struct sv_reg *r, const struct sv_registry_mount *m, size_t n)
{
	struct sv_out *o = &r->cli->out;

	for (size_t i = 0; i < n; i++) {
		if (!is_below(&m[i], r->top))
			continue;
		sv_out_in(o, SV_STYLE_NAME, "%s", m[i].path);
		if (m[i].user[0] && !o->plain)
			sv_out_in(o, SV_STYLE_DIM, "  (%s)", m[i].user);
		else if (m[i].user[0])
			sv_out_bytes(o, "\t", 1), sv_out_f(o, "%s", m[i].user);
		sv_out_nl(o);
	}
}

/* Every hive below `r->top`, one after the other; a bad one does not stop the others. */
static int walk_mounts(struct sv_reg *r, struct sv_registry *registry,
	const struct sv_registry_mount *m, size_t n, struct sv_err *err)
{
	const char *above = r->top;

	for (size_t i = 0; i < n; i++) {
		struct sv_err why = SV_ERR_INIT;
		sv_hive_key root;
		struct sv_hive *h;

		if (!is_below(&m[i], above))
			continue;
		r->top = m[i].path;
		if (sv_registry_hive(registry, i, &h, &why) < 0 ||
			sv_hive_root(h, &root, &why) < 0) {
			if (why.code == SV_NOMEM || why.code == SV_CANCELLED) {
				sv_err_copy(err, &why);
				return -1;
			}
			r->problems++;
			sv_job_note(&r->cli->job, "%s: %s", m[i].file, why.message);
			continue;
		}
		if (sv_reg_walk(r, h, root, err) < 0)
			return -1;
		sv_registry_release(registry, i);
	}
	return 0;
}

static int print_above(struct sv_reg *r, struct sv_registry *registry, struct sv_err *err)
{
	const struct sv_registry_mount *m;
	size_t n;
	int rc;

	if (sv_registry_mounts(registry, &m, &n, err) < 0)
		return -1;
	if (!r->recursive) {
		if (r->cli->global.json)
			list_json(r, m, n);
		else
			list_mounts(r, m, n);
		return 0;
	}
	r->format->begin(r);
	rc = walk_mounts(r, registry, m, n, err);
	r->format->end(r);
	return rc;
}

/* ---- a key, or a value of one ---- */

static int find(const struct source *s, const char *path, struct sv_registry_key *ret,
	struct sv_err *err)
{
	if (s->hive)
		return sv_registry_descend(s->hive, s->top, path, ret, err);
	return sv_registry_find(s->registry, path, ret, err);
}

static bool has_value(const struct sv_registry_key *k, const char *name)
{
	sv_autofree void *data = NULL;
	uint32_t type;
	size_t n;

	if (k->hive)
		data = sv_hive_value(k->hive, k->key, name, &type, &n, NULL);
	return data != NULL;
}

/* Where the last part of `path` is no key it may be a value of the key before it: *ret_value
 * (which points into path) is its name then. */
static int find_key_or_value(const struct source *s, const char *path,
	struct sv_registry_key *ret, const char **ret_value, struct sv_err *err)
{
	const char *last = strrchr(path, strchr(path, '\\') ? '\\' : '/');
	sv_autofree char *parent = last ? strndup(path, (size_t)(last - path)) : strdup("");
	struct sv_err why = SV_ERR_INIT;
	struct sv_registry_key k = {0};

	if (!parent)
		return sv_fail_nomem(err);
	if (find(s, path, ret, &why) == 0)
		return 0;
	if (why.code == SV_NOTFOUND && (s->hive || *parent) && find(s, parent, &k, NULL) == 0 &&
		has_value(&k, last ? last + 1 : path)) {
		*ret = k;
		*ret_value = last ? last + 1 : path;
		return 0;
	}
	sv_registry_key_free(&k);
	sv_err_copy(err, &why);
	return -1;
}

static int print_key(
	struct sv_reg *r, const struct source *s, const char *path, struct sv_err *err)
{
	sv_autoregkey struct sv_registry_key k = {0};
	int rc;

	if (find_key_or_value(s, path, &k, &r->only, err) < 0)
		return -1;
	r->top = k.path;
	if (!k.hive)
		return print_above(r, s->registry, err);
	r->recursive = r->recursive && !r->only;
	r->format->begin(r);
	rc = sv_reg_walk(r, k.hive, k.key, err);
	r->format->end(r);
	return rc;
}

static const struct sv_reg_format *format_of(const struct sv_cli *cli, const struct args *a)
{
	if (a->export)
		return &sv_reg_export;
	if (cli->global.json)
		return &sv_reg_json;
	return cli->out.plain ? &sv_reg_plain : &sv_reg_page;
}

static int check_args(const struct sv_cli *cli, const struct args *a, struct sv_err *err)
{
	if (a->export && cli->global.json)
		return sv_fail(
			err, SV_USAGE, NULL, "reg: --export and --json exclude each other");
	if (a->export && cli->out.terminal) {
		sv_fail(err, SV_USAGE, NULL, "reg: an export is no text for a terminal");
		return sv_hint(err, "write it to a file: sharevm reg ... --export >keys.reg");
	}
	return 0;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const struct sv_words *words = &a->vm.common.operands;
	SV_CLEANUP(source_close) struct source s = {0};
	struct sv_reg r = {.cli = cli,
		.format = format_of(cli, a),
		.recursive = a->recursive || a->export,
		.security = a->security,
		.top = ""};
	int rc;

	if (check_args(cli, a, err) < 0 || open_source(cli, a, &s, err) < 0)
		return -1;
	if (s.registry && words->n < 2)
		rc = print_above(&r, s.registry, err);
	else
		rc = print_key(&r, &s, words->n < 2 ? "" : words->item[1], err);
	sv_str_free(&r.path);
	if (rc < 0)
		return -1;
	if (r.problems > SV_REG_NOTES)
		sv_job_note(
			&cli->job, "%zu more places cannot be read", r.problems - SV_REG_NOTES);
	if (s.machine)
		sv_machine_warn_after(cli, s.machine);
	return r.problems ? SV_EXIT_PARTLY : SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm reg Win10.vmx", "which hives there are"},
	{"sharevm reg Win10.vmx HKLM/SOFTWARE/Microsoft", "a key"},
	{"sharevm reg Win10.vmx 'HKLM\\SYSTEM\\Setup' -R", "all below it"},
	{"sharevm reg Win10.vmx HKU/anna --export >anna.reg", "for regedit"},
	{"sharevm reg NTUSER.DAT Software", "a file on this computer"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_FLAG, "recursive", 'R', .field = offsetof(struct args, recursive),
		.help = "keys in keys, too"},
	{SV_OPT_FLAG, "export", .field = offsetof(struct args, export),
		.help = "the key and all below it, as regedit imports it",
		.more = "The text is UTF-16 with a byte order mark, as that program makes it; "
			"write it to a file."},
	{SV_OPT_FLAG, "security", .field = offsetof(struct args, security),
		.help = "who owns a key and may do what with it, as SDDL"},
	{SV_OPT_TEXT, "volume", .value = "VOLUME", .field = offsetof(struct args, volume),
		.help = "of the Windows on this volume, where there are several"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_reg = {
	.name = "reg",
	.summary = "registry keys and values of a Windows, its logs included",
	.synopsis = "VM[:PATH]|HIVE [KEY] [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM",
	.min_operands = 1,
	.max_operands = 2,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
