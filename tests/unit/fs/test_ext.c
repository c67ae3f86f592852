/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of ext2, ext3 and ext4 on volumes of every layout, beside the folder that mke2fs
 * made them of. */
#include "ext_judge.h"

static const char ordinary[] =
	"echo small >small; : >empty; head -c 59 /dev/zero >in-block; head -c 130 /etc/passwd "
	">in-inode\n"
	"head -c 3000001 /dev/urandom >large; seq 200000 >numbers; : >slow-copy\n"
	"mkdir -p 'größe/日本語'; echo x >'größe/日本語/файл.txt'; echo smile >'😀 smile.txt'\n"
	"ln large 'größe/hard link'; ln large 'größe/second'\n"
	"ln -s small soft; ln -s ../nowhere/日本 'größe/soft'\n"
	"ln -s $(head -c 59 /dev/zero | tr '\\0' a) fast-link; ln -s $(head -c 60 /dev/zero | tr "
	"'\\0' b) first-slow-link; ln -s $(head -c 1000 /dev/zero | tr '\\0' c) slow-link\n"
	"d=deep; for i in $(seq 30); do d=$d/level$i; done; mkdir -p $d; echo down >$d/bottom\n"
	"truncate -s 6M hole; for at in 3000000 6291400; do\n"
	"echo data | dd of=hole bs=1 seek=$at conv=notrunc status=none; done\n"
	"truncate -s 5000 allhole\n"
	"mkdir many; (cd many; for i in $(seq 1500); do : >name-that-is-long-$i; done)\n"
	"touch -d '1965-03-04 05:06:07Z' small; touch -d '2037-01-01Z' empty\n"
	"chmod 4755 small; chmod 1777 many; chmod 0 empty; mkfifo fifo\n"
	"if [ $(id -u) = 0 ]; then mknod null c 1 3; mknod disk b 259 70000\n"
	"chown 65536:70000 large; chown -h 1:2 soft; fi\n";

/* Attributes short and long, one without a value, ACLs of both kinds. */
static const char attributes[] =
	"python3 - <<'END'\n"
	"import os, struct\n"
	"def put(path, name, value):\n"
	"    os.setxattr(path, name, value, follow_symlinks=False)\n"
	"try:\n"
	"    for a in 'abc': put('large', 'user.' + a, b'value of ' + a.encode())\n"
	"    put('numbers', 'user.long', b'v' * 700); put('numbers', 'user.empty', b'')\n"
	"    acl = ((1, 6, -1), (2, 7, 1000), (2, 4, 70000), (4, 5, -1), (8, 1, 33), (16, 7, -1),\n"
	"        (32, 0, -1))\n"
	"    put('slow-copy', 'system.posix_acl_access', struct.pack('<I', 2) +\n"
	"        b''.join(struct.pack('<HHi', *e) for e in acl))\n"
	"    put('many', 'system.posix_acl_default', struct.pack('<I', 2) +\n"
	"        b''.join(struct.pack('<HHi', *e) for e in acl))\n"
	"    put('in-inode', 'security.capability', bytes.fromhex('0100000200200000' + '00' * 12))\n"
	"except OSError as e: print('fewer attributes:', e)\n"
	"END\n";

struct layout {
	const char *what, *options;
};

static void agrees(
	const struct layout *layouts, size_t n, const char *size, bool with_attributes)
{
	struct fixture f;
	char script[8192];

	snprintf(script, sizeof script, "%s%s", ordinary, with_attributes ? attributes : "");
	fill_tree(&f, script);
	for (size_t i = 0; i < n; i++) {
		print_message("  %s\n", layouts[i].what);
		make_ext(&f, size, layouts[i].options);
		compare_with_the_tree(&f);
	}
	fixture_free(&f);
}

static void agrees_on_each_generation(void **state)
{
	static const struct layout layouts[] = {
		{"ext2", "-t ext2"},
		{"ext3", "-t ext3"},
		{"ext4", "-t ext4"},
	};

	(void)state;
	agrees(layouts, SV_ARRAY_LEN(layouts), "64M", true);
}

static void agrees_on_revision_0(void **state)
{
	static const struct layout older = {"ext2", "-t ext2 -r 0 -I 128"};
	static const struct layout newer = {"ext2", "-t ext2 -E revision=0 -I 128"};
	/* e2fsprogs 1.47.1 has taken one option for the other */
	bool is_newer = system("mke2fs -n -q -F -t ext2 -E revision=0 /dev/null 64M "
			       ">/dev/null 2>&1") == 0;

	(void)state;
	agrees(is_newer ? &newer : &older, 1, "64M", false);
}

static void agrees_with_blocks_of_every_size(void **state)
{
	static const struct layout layouts[] = {
		{"1 KiB", "-t ext4 -b 1024"},
		{"2 KiB", "-t ext4 -b 2048"},
		{"1 KiB, block numbers", "-t ext2 -b 1024"},
		{"64 KiB", "-t ext4 -b 65536"},
		{"64 KiB, block numbers", "-t ext2 -b 65536"},
	};

	(void)state;
	agrees(layouts, SV_ARRAY_LEN(layouts), "256M", true);
}

static void agrees_with_every_feature(void **state)
{
	static const struct layout layouts[] = {
		{"without 64bit", "-t ext4 -O ^64bit"},
		{"without checksums", "-t ext4 -O ^metadata_csum,uninit_bg"},
		{"without any sum", "-t ext4 -O ^metadata_csum,^uninit_bg"},
		{"without extents", "-t ext4 -O ^extents,^64bit"},
		{"meta_bg", "-t ext4 -b 1024 -O meta_bg,^resize_inode -g 1024"},
		{"bigalloc", "-t ext4 -O bigalloc -C 65536"},
		{"bigalloc, 1 KiB", "-t ext4 -b 1024 -O bigalloc -C 16384"},
		{"inline_data", "-t ext4 -O inline_data -I 256"},
		{"inline_data, inodes of 1 KiB", "-t ext4 -O inline_data -I 1024"},
		{"without flex_bg", "-t ext4 -b 1024 -O ^flex_bg"},
		{"ea_inode", "-t ext4 -O ea_inode"},
		{"large_dir", "-t ext4 -O large_dir"},
		{"casefold", "-t ext4 -O casefold -E encoding=utf8"},
		{"metadata_csum_seed", "-t ext4 -O metadata_csum_seed"},
		{"sparse_super2", "-t ext4 -b 1024 -O sparse_super2,^resize_inode"},
		{"without filetype", "-t ext4 -O ^filetype"},
		{"inodes of 128 bytes", "-t ext4 -I 128"},
		{"verity and encrypt", "-t ext4 -O verity,encrypt"},
		{"orphan_file", "-t ext4 -O orphan_file"},
	};

	(void)state;
	agrees(layouts, SV_ARRAY_LEN(layouts), "128M", true);
}

static void tells_label_uuid_and_space(void **state)
{
	const char *uuid = "01234567-89ab-cdef-0123-456789abcdef";
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	char options[128];
	struct sv_fs *fs;
	struct fixture f;

	(void)state;
	fill_tree(&f, "head -c 1000000 /dev/urandom >a\n");
	snprintf(options, sizeof options, "-t ext4 -L Größe -U %s", uuid);
	make_ext(&f, "32M", options);
	fs = open_fs(&f);
	assert_ok(sv_fs_info(fs, &info, &err));
	assert_string_equal(info.type, "ext4");
	assert_string_equal(info.label, "Größe");
	assert_string_equal(info.uuid, uuid);
	assert_int_equal(info.size, 32 << 20);
	assert_int_equal(info.used + info.free, info.size);
	assert_int_equal(
		run("test $(dumpe2fs -h '%s' 2>/dev/null | sed -n 's/^Free blocks: *//p') "
		    "-eq %u",
			f.image, (unsigned)(info.free / info.block_size)),
		0);
	assert_false(info.dirty);
	assert_string_equal(info.state, "");
	assert_string_equal(info.warning, "");
	sv_fs_close(fs);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_on_each_generation),
		cmocka_unit_test(agrees_on_revision_0),
		cmocka_unit_test(agrees_with_blocks_of_every_size),
		cmocka_unit_test(agrees_with_every_feature),
		cmocka_unit_test(tells_label_uuid_and_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
