/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sharevm image map IMAGE: where the bytes of a disk are, and where there are none. */
#include "base/num.h"
#include "base/str.h"
#include "cli/commands.h"
#include "cli/confine.h"
#include "cli/machine.h"

struct args {
	struct sv_vm_args vm;
	const char *format;
};

static const char *const kinds[] = {
	[SV_EXTENT_HOLE] = "hole", [SV_EXTENT_ZERO] = "zero", [SV_EXTENT_DATA] = "data"};

struct map {
	struct sv_cli *cli;
	struct sv_image *image;
	struct sv_json json;
	uint64_t sum[SV_ARRAY_LEN(kinds)];
	uint64_t pieces;
};

/* ---- neighbours that belong together ---- */

static bool continues(const struct sv_extent *a, const struct sv_extent *b)
{
	if (a->kind != b->kind || a->depth != b->depth)
		return false;
	if (a->host_offset == SV_NO_HOST_OFFSET || b->host_offset == SV_NO_HOST_OFFSET)
		return a->host_offset == b->host_offset;
	return a->host_offset + a->length == b->host_offset;
}

/* The extent at off, with all that continues it. */
static int next_extent(struct map *m, uint64_t off, struct sv_extent *ret, struct sv_err *err)
{
	struct sv_dev *d = sv_image_dev(m->image);
	uint64_t size = sv_dev_size(d);
	struct sv_extent more;

	if (sv_dev_extent(d, off, size - off, ret, err) < 0)
		return -1;
	while (off + ret->length < size) {
		uint64_t end = off + ret->length;

		if (sv_job_check(&m->cli->job, err) < 0 ||
			sv_dev_extent(d, end, size - end, &more, err) < 0)
			return -1;
		if (!continues(ret, &more))
			break;
		ret->length += more.length;
	}
	return 0;
}

/* ---- what is printed ---- */

static void put_extent_json(struct map *m, const struct sv_extent *e)
{
	struct sv_json *j = &m->json;

	sv_json_object(j);
	sv_json_ku64(j, "start", e->start);
	sv_json_ku64(j, "length", e->length);
	sv_json_kstring(j, "kind", kinds[e->kind]);
	sv_json_ku64(j, "depth", e->depth);
	sv_json_key(j, "host_offset");
	if (e->host_offset == SV_NO_HOST_OFFSET)
		sv_json_null(j);
	else
		sv_json_u64(j, e->host_offset);
	sv_json_end_object(j);
}

static void put_extent_line(struct map *m, const struct sv_extent *e)
{
	struct sv_out *o = &m->cli->out;
	char at[24] = "-";

	if (e->host_offset != SV_NO_HOST_OFFSET)
		snprintf(at, sizeof at, "0x%llx", (unsigned long long)e->host_offset);
	if (o->plain)
		sv_out_line(o, "%llu\t%llu\t%s\t%u\t%s", (unsigned long long)e->start,
			(unsigned long long)e->length, kinds[e->kind], e->depth, at);
	else
		sv_out_line(o, "%#16llx  %#16llx  %-4s  %5u  %16s",
			(unsigned long long)e->start, (unsigned long long)e->length,
			kinds[e->kind], e->depth, at);
}

static void put_heading(struct sv_out *o)
{
	if (o->plain)
		return;
	sv_out_in(o, SV_STYLE_DIM, "%16s  %16s  %-4s  %5s  %16s", "START", "LENGTH", "KIND",
		"LINK", "IN ITS FILE");
	sv_out_nl(o);
}

static void put_sums(struct map *m)
{
	struct sv_out *o = &m->cli->out;
	char data[SV_SIZE_TEXT], zero[SV_SIZE_TEXT], hole[SV_SIZE_TEXT];

	if (o->plain)
		return;
	sv_out_nl(o);
	sv_out_line(o, "%s data, %s zeros, %s holes, in %llu pieces",
		sv_size_format(m->sum[SV_EXTENT_DATA], data),
		sv_size_format(m->sum[SV_EXTENT_ZERO], zero),
		sv_size_format(m->sum[SV_EXTENT_HOLE], hole), (unsigned long long)m->pieces);
	for (size_t i = 0; i < sv_image_links(m->image) && sv_image_links(m->image) > 1; i++)
		sv_out_line(o, "link %zu: %s", i, sv_image_link(m->image, i)->path);
}

static int put_extents(struct map *m, struct sv_err *err)
{
	uint64_t size = sv_dev_size(sv_image_dev(m->image));
	bool json = m->cli->global.json;
	struct sv_extent e;

	for (uint64_t off = 0; off < size && !sv_out_gone(&m->cli->out); off += e.length) {
		if (next_extent(m, off, &e, err) < 0)
			return -1;
		m->sum[e.kind] += e.length;
		m->pieces++;
		if (json)
			put_extent_json(m, &e);
		else
			put_extent_line(m, &e);
	}
	return 0;
}

static int put_document(struct map *m, struct sv_err *err)
{
	struct sv_json *j = &m->json;
	int rc;

	sv_doc_begin(m->cli, j, "image.map");
	sv_json_kstring(j, "path", sv_image_link(m->image, 0)->path);
	sv_json_ku64(j, "virtual_size", sv_dev_size(sv_image_dev(m->image)));
	sv_json_key(j, "extents");
	sv_json_array(j);
	rc = put_extents(m, err);
	sv_json_end_array(j);
	sv_doc_end(m->cli, j);
	return rc;
}

static int run(struct sv_cli *cli, const void *args, struct sv_err *err)
{
	const struct args *a = args;
	const char *path = a->vm.common.operands.item[0];
	SV_CLEANUP(sv_allow_freep) struct sv_allow *allow = NULL;
	SV_CLEANUP(sv_image_closep) struct sv_image *image = NULL;
	struct sv_image_opts opts = {.format = a->format};
	struct map m = {.cli = cli};

	if (sv_image_operand(cli, path, &a->vm.allow, &allow, err) < 0)
		return -1;
	opts.allow = allow;
	if (sv_image_open(cli->host, path, &opts, &image, err) < 0)
		return -1;
	m.image = image;
	if (cli->global.json)
		return put_document(&m, err) < 0 ? -1 : SV_EXIT_OK;
	put_heading(&cli->out);
	if (put_extents(&m, err) < 0)
		return -1;
	put_sums(&m);
	return SV_EXIT_OK;
}

static const struct sv_example examples[] = {
	{"sharevm image map disk.vmdk", "every piece, and the sums"},
	{"sharevm image map disk.qcow2 --json", "exact bytes, for a script"},
	{0},
};

static const struct sv_opt options[] = {
	{SV_OPT_TEXT, "format", .value = "FORMAT", .field = offsetof(struct args, format),
		.help = "take IMAGE to be of this format (else it is looked at)"},
	SV_OPT_ALLOW_PATH(struct args),
	{SV_OPT_END},
};

const struct sv_cmd sv_cmd_image_map = {
	.name = "image map",
	.summary = "where the data of a disk image lie",
	.synopsis = "IMAGE[@SNAPSHOT] [OPTION]...",
	.examples = examples,
	.options = options,
	.args_size = sizeof(struct args),
	.operand = "IMAGE",
	.min_operands = 1,
	.max_operands = 1,
	.complete = SV_COMPLETE_FILE,
	.grant = sv_grant_operands,
	.run = run,
};
