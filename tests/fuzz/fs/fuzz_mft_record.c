/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A FILE record of 1 KiB and all that is decoded from its bytes alone: attributes, runs, file
 * names, attribute lists, index nodes.
 */
#include "sparse.h"

#include "fs/ntfs/ntfs.h"

#define RECORD   1024
#define CLUSTERS 100000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* An error says what and where. */
static void check(int rc, const struct sv_err *err)
{
	if (rc < 0 && (!err->message[0] || err->code == SV_OK || err->code == SV_INTERNAL))
		abort();
}

static void use_runs(const struct sv_ntfs_record *r, const struct sv_ntfs_raw_attr *a)
{
	struct sv_ntfs_runs runs = {.end = a->lowest_vcn};
	struct sv_err err = SV_ERR_INIT;
	int rc = sv_ntfs_runs_add(
		&runs, r->bytes + a->runs_offset, a->runs_length, a->end_vcn, CLUSTERS, &err);

	check(rc, &err);
	for (size_t i = 0; i < runs.n; i++) {
		if (runs.v[i].lcn != NTFS_HOLE &&
			(runs.v[i].lcn >= CLUSTERS ||
				runs.v[i].length > CLUSTERS - runs.v[i].lcn))
			abort();
		if (sv_ntfs_runs_at(&runs, runs.v[i].vcn) != &runs.v[i])
			abort();
	}
	if (runs.allocated > CLUSTERS)
		abort();
	free(runs.v);
}

static void use_name(const uint8_t *p, size_t n)
{
	char text[SV_NTFS_NAME_UTF8];
	uint8_t back[2 * SV_NTFS_NAME_MAX];
	struct sv_err err = SV_ERR_INIT;
	struct sv_ntfs_name name;
	unsigned len = 0;
	int rc = sv_ntfs_parse_name(p, n, &name, &err);

	check(rc, &err);
	if (rc < 0)
		return;
	/* what lost nothing comes back as it was */
	if (sv_ntfs_name_to_utf8(name.name, name.name_len, text))
		return;
	if (!sv_ntfs_name_from_utf8(text, strlen(text), back, &len) || len != name.name_len ||
		memcmp(back, name.name, 2 * len) != 0)
		abort();
}

static void use_list(const uint8_t *p, size_t n)
{
	struct sv_ntfs_list_entry e;
	struct sv_err err = SV_ERR_INIT;
	size_t pos = 0;
	int rc;

	while ((rc = sv_ntfs_next_list_entry(p, n, &pos, &e, &err)) > 0)
		;
	check(rc, &err);
}

static void use_node(const uint8_t *p, size_t n)
{
	struct sv_ntfs_node node;
	struct sv_ntfs_entry e = {0};
	struct sv_err err = SV_ERR_INIT;
	int rc = sv_ntfs_parse_node(p, n,
		sizeof(struct ntfs_index_root) - sizeof(struct ntfs_index_head), &node, &err);

	check(rc, &err);
	while (!rc && !e.last && (rc = sv_ntfs_next_entry(&node, &e, &err)) > 0)
		rc = 0;
	check(rc, &err);
}

static void use_attr(const struct sv_ntfs_record *r, const struct sv_ntfs_raw_attr *a)
{
	const uint8_t *value = r->bytes + a->value_offset;

	if (a->mapped)
		use_runs(r, a);
	else if (a->type == NTFS_ATTR_FILE_NAME)
		use_name(value, a->value_length);
	else if (a->type == NTFS_ATTR_LIST)
		use_list(value, a->value_length);
	else if (a->type == NTFS_ATTR_INDEX_ROOT)
		use_node(value, a->value_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	uint8_t *record = calloc(1, RECORD);
	struct sv_err err = SV_ERR_INIT;
	struct sv_ntfs_record r;
	struct sv_ntfs_raw_attr a = {0};
	int rc;

	if (!record)
		abort();
	memcpy(record, bytes, SV_MIN(n, (size_t)RECORD));
	sparse_protect(record, RECORD);
	rc = sv_ntfs_parse_record(record, RECORD, &r, &err);
	check(rc, &err);
	while (!rc && sv_ntfs_next_attr(&r, &a))
		use_attr(&r, &a);
	free(record);
	return 0;
}
