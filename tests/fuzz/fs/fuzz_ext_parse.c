/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pure parsers of ext: after a superblock of 1024 bytes and a byte that selects, a group
 * descriptor, an inode, a node of an extent tree, a folder's block, or attributes.
 */
#include "fs/ext/ext.h"

#include <stdlib.h>

#define STEPS_MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(int rc, const struct sv_err *err)
{
	if (rc < 0 && (!err->message[0] || err->code == SV_OK || err->code == SV_INTERNAL))
		abort();
}

static void use_group(const struct sv_ext_super *s, const uint8_t *p, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_group g;
	uint64_t backup;

	for (uint32_t group = 0; group < s->groups; group = group * 3 + 1) {
		int rc = sv_ext_parse_group(p, n, s, group, &g, &err);

		check(rc, &err);
		if (rc == 0 && (g.inode_table >= s->blocks || g.inodes > s->inodes_per_group))
			abort();
		if (sv_ext_group_place(s, group) % s->desc_size)
			abort();
		sv_ext_group_backup(s, group, &backup);
		if (group > UINT32_MAX / 4)
			break;
	}
}

static void use_inode(const struct sv_ext_super *s, const uint8_t *p, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_inode i;
	struct sv_fs_stat st;
	int rc = sv_ext_parse_inode(p, n, s, 12, &i, &err);

	check(rc, &err);
	if (rc < 0)
		return;
	if (i.body > s->inode_size)
		abort();
	sv_ext_describe(&i, s, &st);
	if (st.mtime.nsec > 999999999 || st.type > SV_FS_OTHER)
		abort();
}

/* From any block the run goes forward, and stays before the end that was given. */
static void use_node(const uint8_t *p, size_t n)
{
	const uint64_t end = UINT64_C(1) << 32;
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_node node;
	unsigned steps = 0;

	if (sv_ext_parse_node(p, n, -1, &node, &err) < 0) {
		check(-1, &err);
		return;
	}
	for (uint64_t lblk = 0; lblk < end && steps++ < STEPS_MAX;) {
		struct sv_ext_run run = node.depth ? sv_ext_child_at(&node, lblk, end)
						   : sv_ext_leaf_at(&node, lblk, end);

		if (!run.len || run.lblk != lblk || run.len > end - lblk)
			abort();
		lblk += run.len;
	}
}

static void use_folder(const struct sv_ext_super *s, const uint8_t *p, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	char name[SV_FS_UNIX_NAME];
	struct sv_ext_entry e;

	if (n < s->block_size)
		return;
	n = s->block_size;
	sv_ext_dir_checksum_ok(p, n, 1, true);
	sv_ext_dir_checksum_ok(p, n, 1, false);
	for (size_t at = 0; at < n; at = e.next) {
		int rc = sv_ext_parse_entry(p, n, at, n % 3, &e, &err);

		check(rc, &err);
		if (rc < 0)
			return;
		if (e.next <= at || e.next > n || e.name + e.name_len > p + n)
			abort();
		sv_fs_unix_name(e.name, e.name_len, name);
		if (strchr(name, '/'))
			abort();
		sv_ext_name_encrypted(e.name, e.name_len, name);
		if (strchr(name, '/'))
			abort();
	}
}

static void use_attributes(const uint8_t *p, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_xattr x;
	size_t at = n ? p[0] % 64 : 0, acl_n;
	int rc;

	while ((rc = sv_ext_next_xattr(p, n, 0, &at, &x, &err)) == 1) {
		if (x.name + x.name_len > p + n || (x.value && x.value + x.size > p + n))
			abort();
	}
	check(rc, &err);
	if (n) {
		void *acl = sv_ext_acl(p + 1, n - 1, &acl_n, &err);

		check(acl ? 0 : -1, &err);
		free(acl);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_ext_super s;
	int rc = sv_ext_parse_super(bytes, n, &s, &err);
	uint8_t *rest;

	check(rc, &err);
	if (rc < 0 || n <= EXT_SUPER_SIZE + 1)
		return 0;
	n -= EXT_SUPER_SIZE + 1;
	rest = malloc(n); /* ends where the input ends: a step too far is seen */
	if (!rest)
		abort();
	memcpy(rest, bytes + EXT_SUPER_SIZE + 1, n);
	switch (bytes[EXT_SUPER_SIZE] % 5) {
	case 0:
		use_group(&s, rest, n);
		break;
	case 1:
		use_inode(&s, rest, n);
		break;
	case 2:
		use_node(rest, n);
		break;
	case 3:
		use_folder(&s, rest, n);
		break;
	default:
		use_attributes(rest, n);
	}
	free(rest);
	return 0;
}
