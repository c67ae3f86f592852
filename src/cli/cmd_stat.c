/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm stat VM:PATH: everything that is known about one file. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/grid.h"
#include "cli/listing.h"
#include "cli/machine.h"
#include "cli/vmpath.h"

#include <string.h>

struct args {
	struct sv_vm_args vm;
};

struct stream {
	char *name;
	uint64_t size;
};

/* What is gathered before anything is printed. */
struct facts {
	const char *path;
	struct sv_fs_stat st;
	char *link;
	uint64_t fragments;
	uint64_t next; /* volume offset that would continue the last fragment */
	struct stream *streams;
	size_t n_streams;
	struct stream *attrs; /* extended attributes, with the bytes of their values */
	size_t n_attrs;
};

static void free_list(struct stream *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].name);
	free(list);
}

static void facts_free(struct facts *f)
{
	free_list(f->streams, f->n_streams);
	free_list(f->attrs, f->n_attrs);
	free(f->link);
}

static int add_to(struct stream **list, size_t *n, const char *name, uint64_t size)
{
	struct stream *grown = realloc(*list, (*n + 1) * sizeof *grown);

	if (!grown)
		return -1;
	*list = grown;
	grown[*n] = (struct stream){strdup(name), size};
	return grown[(*n)++].name ? 0 : -1;
}

static int add_stream(void *user, const char *name, uint64_t size)
{
	struct facts *f = user;

	return add_to(&f->streams, &f->n_streams, name, size);
}

static int add_attr(void *user, const char *name, const void *value, size_t n)
{
	struct facts *f = user;

	(void)value;
	return add_to(&f->attrs, &f->n_attrs, name, n);
}

/* Neighbouring extents are one fragment; holes are none. */
static int add_extent(void *user, uint64_t file_off, uint64_t volume_off, uint64_t len)
{
	struct facts *f = user;

	(void)file_off;
	if (volume_off == SV_NO_HOST_OFFSET)
		return 0;
	if (!f->fragments || volume_off != f->next)
		f->fragments++;
	f->next = volume_off + len;
	return 0;
}

static int gather(struct facts *f, const struct sv_place *at, struct sv_err *err)
{
	if (sv_fs_stat(at->fs, at->ino, &f->st, err))
		return -1;
	if (f->st.type == SV_FS_SYMLINK)
		f->link = sv_fs_readlink(at->fs, at->ino, NULL);
	if (f->st.type == SV_FS_FILE && sv_fs_extents(at->fs, at->ino, add_extent, f, err))
		return -1;
	if (f->st.attributes && sv_fs_streams(at->fs, at->ino, add_stream, f, err))
		return -1;
	return sv_fs_xattrs(at->fs, at->ino, add_attr, f, err) ? -1 : 0;
}

static void put_list(struct sv_json *j, const char *key, const struct stream *list, size_t n)
{
	sv_json_key(j, key);
	sv_json_array(j);
	for (size_t i = 0; i < n; i++) {
		sv_json_object(j);
		sv_json_kstring(j, "name", list[i].name);
		sv_json_ku64(j, "size", list[i].size);
		sv_json_end_object(j);
	}
	sv_json_end_array(j);
}

static void put_json(struct sv_cli *cli, const struct facts *f)
{
	const struct sv_fs_stat *st = &f->st;
	char text[SV_TIME_TEXT];
	struct sv_json j;

	sv_doc_begin(cli, &j, "stat");
	sv_json_kstring(&j, "path", f->path);
	sv_listing_fields(&j, st, f->link);
	sv_json_ku64(&j, "allocated", st->allocated);
	sv_json_kstring(&j, "atime", sv_time_utc(st->atime, text));
	sv_json_kstring(&j, "ctime", sv_time_utc(st->ctime, text));
	sv_json_kstring(&j, "born", sv_time_utc(st->born, text));
	sv_json_ku64(&j, "inode", st->ino);
	sv_json_ku64(&j, "links", st->nlink);
	sv_json_ku64(&j, "fragments", f->fragments);
	put_list(&j, "streams", f->streams, f->n_streams);
	put_list(&j, "xattrs", f->attrs, f->n_attrs);
	sv_doc_end(cli, &j);
}

static void add_row(struct sv_grid *g, const char *name, const char *value)
{
	sv_grid_add(g, SV_STYLE_DIM, "%s", name);
	sv_grid_add(g, SV_STYLE_NONE, "%s", value);
}

static void add_size(struct sv_grid *g, const struct facts *f)
{
	const struct sv_fs_stat *st = &f->st;
	bool resident = st->type == SV_FS_FILE && st->size && !st->sparse && !f->fragments &&
			!st->encrypted;
	char size[SV_SIZE_TEXT], allocated[SV_SIZE_TEXT];

	sv_grid_add(g, SV_STYLE_DIM, "size");
	if (st->size < SV_KIB)
		sv_grid_add(g, SV_STYLE_NONE, "%llu bytes", (unsigned long long)st->size);
	else
		sv_grid_add(g, SV_STYLE_NONE, "%s (%llu bytes)", sv_size_format(st->size, size),
			(unsigned long long)st->size);
	sv_grid_add(g, SV_STYLE_DIM, "takes");
	sv_grid_add(g, SV_STYLE_NONE, "%s%s%s%s%s", sv_size_format(st->allocated, allocated),
		resident ? ": it lies in its own file record" : "",
		st->sparse ? ", sparse" : "", st->compressed ? ", compressed" : "",
		st->encrypted ? ", encrypted" : "");
}

static void add_attributes(struct sv_grid *g, const struct sv_fs_stat *st)
{
	sv_autostr struct sv_str words = {0};

	if (st->mode || st->owned) {
		char mode[SV_MODE_TEXT];

		sv_grid_add(g, SV_STYLE_DIM, "mode");
		sv_grid_add(
			g, SV_STYLE_NONE, "%04o  %s", st->mode & 07777, sv_mode_text(st, mode));
		if (!st->owned)
			return;
		sv_grid_add(g, SV_STYLE_DIM, "owner");
		sv_grid_add(g, SV_STYLE_NONE, "%u:%u", st->uid, st->gid);
		return;
	}
	sv_attributes_words(st->attributes, ", ", &words);
	add_row(g, "attributes", words.data ? words.data : "none");
}

static void add_list(struct sv_grid *g, const char *what, const struct stream *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char size[SV_SIZE_TEXT];

		sv_grid_add(g, SV_STYLE_DIM, "%s", what);
		sv_grid_add(g, SV_STYLE_NONE, "%s, %s", list[i].name,
			sv_size_format(list[i].size, size));
	}
}

static int put_page(struct sv_cli *cli, const struct facts *f, struct sv_err *err)
{
	static const struct sv_grid_col cols[] = {{NULL}, {NULL}};
	SV_CLEANUP(sv_grid_freep) struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));
	const struct sv_fs_stat *st = &f->st;
	char text[SV_TIME_TEXT];

	add_row(g, "path", f->path);
	add_row(g, "type", sv_type_word(st->type));
	if (st->type == SV_FS_CHAR || st->type == SV_FS_BLOCK) {
		sv_grid_add(g, SV_STYLE_DIM, "device");
		sv_grid_add(g, SV_STYLE_NONE, "%u,%u", st->dev_major, st->dev_minor);
	}
	if (f->link)
		add_row(g, "target", f->link);
	add_size(g, f);
	add_attributes(g, st);
	add_row(g, "modified", sv_time_exact(st->mtime, text));
	add_row(g, "accessed", sv_time_exact(st->atime, text));
	add_row(g, "changed", sv_time_exact(st->ctime, text));
	add_row(g, "born", sv_time_exact(st->born, text));
	sv_grid_add(g, SV_STYLE_DIM, "inode");
	sv_grid_add(g, SV_STYLE_NONE, "%llu, %u %s", (unsigned long long)st->ino, st->nlink,
		st->nlink == 1 ? "name" : "names");
	sv_grid_add(g, SV_STYLE_DIM, "fragments");
	sv_grid_add(g, SV_STYLE_NONE, "%llu", (unsigned long long)f->fragments);
	add_list(g, "stream", f->streams, f->n_streams);
	add_list(g, "attribute", f->attrs, f->n_attrs);
	return sv_grid_print(g, &cli->out, 0, err);
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	SV_CLEANUP(sv_machine_closep) struct sv_machine *m = NULL;
	SV_CLEANUP(facts_free) struct facts facts = {0};
	sv_autovmpath struct sv_vmpath p = {0};
	sv_autoplace struct sv_place at = {0};

	if (sv_vmpath_parse_place(cli->host, a->vm.common.operands.item[0], &p, err) ||
		sv_machine_open_volumes(cli, p.vm, &a->vm.allow, &m, err))
		return -1;
	sv_machine_warn(cli, m);
	if (sv_machine_find_link(m, p.inside, &at, err) || gather(&facts, &at, err))
		return -1;
	facts.path = p.inside;
	if (cli->global.json)
		put_json(cli, &facts);
	else if (put_page(cli, &facts, err))
		return -1;
	sv_machine_warn_after(cli, m);
	return SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm stat Win10.vmx:C:/pagefile.sys", "size, times, attributes, fragments"},
	{"sharevm stat Win10.vmx:C:/setup.exe --json", "the same for a script"},
	{0},
};

static const struct sv_opt options[] = {
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_stat = {
	.name = "stat",
	.summary = "everything about one file: times, attributes, streams",
	.synopsis = "VM:PATH [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "VM:PATH",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
