/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mkfs and its kin make is recognised; what only looks like it is not. */
#include "fixture.h"

#include "base/endian.h"
#include "base/num.h"
#include "fs/fs.h"

static const char *probe_dev(struct sv_dev *dev)
{
	struct sv_err err = SV_ERR_INIT;
	const char *type = NULL;

	assert_ok(sv_fs_probe(dev, &type, &err));
	assert_non_null(type);
	return type;
}

/* ---- by the tools that make them ---- */

static const struct {
	const char *tool, *command, *type;
} made[] = {
	{"mkfs.ext4", "mkfs.ext2 -q -F image", "ext2"},
	{"mkfs.ext4", "mkfs.ext3 -q -F image", "ext3"},
	{"mkfs.ext4", "mkfs.ext4 -q -F image", "ext4"},
	{"mkfs.ext4", "mkfs.ext4 -q -F -b 4096 -O ^has_journal image", "ext4"},
	{"mkfs.vfat", "truncate -s 1440K image; mkfs.vfat -F 12 image", "fat12"},
	{"mkfs.vfat", "truncate -s 20M image; mkfs.vfat -F 16 image", "fat16"},
	{"mkfs.vfat", "truncate -s 64M image; mkfs.vfat -F 32 image", "fat32"},
	{"mkfs.vfat", "truncate -s 300M image; mkfs.vfat -S 4096 -F 32 image", "fat32"},
	{"mkntfs", "mkntfs -q -Q -F image", "ntfs"},
	{"mkntfs", "mkntfs -q -Q -F -s 4096 image", "ntfs"},
	{"mkswap", "mkswap image", "swap"},
	{"mkswap", "mkswap -p 65536 image", "swap"},
	{"mkfs.xfs", "truncate -s 300M image; mkfs.xfs -q image", "xfs"},
	{"mkfs.btrfs", "truncate -s 128M image; mkfs.btrfs -q image", "btrfs"},
	{"mkfs.exfat", "mkfs.exfat image", "exfat"},
	{"cryptsetup",
		"echo pw | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 "
		"image -",
		"luks"},
	{"cryptsetup",
		"echo pw | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 "
		"--pbkdf-force-iterations 1000 image -",
		"luks"},
	{"xorriso", "mkdir d; echo x >d/x; xorriso -as mkisofs -quiet -o image d", "iso9660"},
};

static void recognises_what_other_tools_make(void **state)
{
	struct fixture f;
	size_t tried = 0;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(made); i++) {
		struct sv_dev *dev;

		if (run("command -v %s >/dev/null", made[i].tool) != 0) {
			print_message("skip: %s is not installed\n", made[i].tool);
			continue;
		}
		fixture_make(&f);
		if (run("cd '%s'; truncate -s 32M image; (%s) >log 2>&1", f.dir,
			    made[i].command) != 0)
			fail_msg("%s", made[i].command);
		dev = fixture_open(&f, false);
		if (strcmp(probe_dev(dev), made[i].type) != 0)
			fail_msg("%s: %s", made[i].command, probe_dev(dev));
		sv_dev_close(dev);
		fixture_free(&f);
		tried++;
	}
	assert_true(tried > 0);
}

/* ---- by their signatures alone ---- */

static const struct {
	uint64_t off;
	const char *bytes;
	size_t n;
	const char *type;
} signatures[] = {
	{3, "-FVE-FS-", 8, "bitlocker"},
	{424, "\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01", 16,
		"bitlocker"},
	{3, "ReFS\0\0\0\0", 8, "refs"},
	{0, "LUKS\xba\xbe\0\1", 8, "luks"},
	{32, "NXSB", 4, "apfs"},
	{1024, "H+\0\4", 4, "hfsplus"},
	{1024, "HX\0\5", 4, "hfsplus"},
	{0, "\xfc\x4e\x2b\xa9\1\0\0\0", 8, "md"},
	{4096, "\xfc\x4e\x2b\xa9\1\0\0\0", 8, "md"},
	{(1 << 20) - 8192, "\xfc\x4e\x2b\xa9\1\0\0\0", 8, "md"},
	{(1 << 20) - 65536, "\xfc\x4e\x2b\xa9\0\0\0\0", 8, "md"},
	{(1 << 20) - 65536, "\xa9\x2b\x4e\xfc\0\0\0\0", 8, "md"},
	{4086, "S1SUSPEND", 9, "swsuspend"},
	{0x10040, "_BHRfS_M", 8, "btrfs"},
	{8192, "\x49\xe8\x95\xf9\xc5\xe9\x53\xfa", 8, "hpfs"},
	{0, "SPACEDB ", 8, "storage spaces"},
	{8192 + 1372, "\x54\x19\x01\x00", 4, "ufs1"},
	{65536 + 1372, "\x19\x01\x54\x19", 4, "ufs2"},
	{1024, "\xf5\xfc\x01\xa5", 4, "vxfs"},
	{4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", 16,
		"bcachefs"},
};

static struct sv_dev *with_bytes(uint64_t off, const void *bytes, size_t n)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = sv_sparse_open(1 << 20, 1 << 20, "volume", &err);

	assert_non_null(dev);
	assert_ok(sv_dev_write(dev, bytes, n, off, &err));
	return dev;
}

static void recognises_signatures_and_not_their_neighbours(void **state)
{
	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(signatures); i++) {
		struct sv_dev *dev =
			with_bytes(signatures[i].off, signatures[i].bytes, signatures[i].n);
		char bad[16];

		assert_string_equal(probe_dev(dev), signatures[i].type);
		sv_dev_close(dev);
		memcpy(bad, signatures[i].bytes, signatures[i].n);
		bad[1] ^= 1;
		dev = with_bytes(signatures[i].off, bad, signatures[i].n);
		assert_string_equal(probe_dev(dev), "");
		sv_dev_close(dev);
	}
}

/* A ZFS label's list of pairs, as OpenZFS lays it out; a VMFS extent. */
static void tells_the_pool_and_names_vmfs(void **state)
{
	static const uint8_t name[] = {0, 0, 0, 4, 'n', 'a', 'm', 'e', 0, 0, 0, 9, 0, 0, 0, 1,
		0, 0, 0, 4, 't', 'a', 'n', 'k'};
	static const uint8_t guid[] = {0, 0, 0, 9, 'p', 'o', 'o', 'l', '_', 'g', 'u', 'i', 'd',
		0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0xd2};
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = with_bytes(16384, "\1\1\0\0", 4);
	struct sv_fs_mark m;

	(void)state;
	assert_string_equal(probe_dev(dev), "");
	assert_ok(sv_dev_write(dev, name, sizeof name, 16384 + 24, &err));
	assert_ok(sv_dev_write(dev, guid, sizeof guid, 16384 + 96, &err));
	assert_ok(sv_fs_mark(dev, &m, &err));
	assert_string_equal(m.type, "zfs");
	assert_string_equal(m.label, "tank");
	assert_string_equal(m.uuid, "1234");
	sv_dev_close(dev);
	dev = sv_sparse_open(4 << 20, 1 << 20, "volume", &err);
	assert_ok(sv_dev_write(dev, "\x0d\xd0\x01\xc0", 4, 1 << 20, &err));
	assert_string_equal(probe_dev(dev), "");
	assert_ok(sv_dev_write(dev, "\x5e\xf1\xab\x2f", 4, 2 << 20, &err));
	assert_string_equal(probe_dev(dev), "vmfs");
	sv_dev_close(dev);
}

static void finds_an_lvm_label_in_any_of_four_sectors(void **state)
{
	uint8_t label[32] = "LABELONE";

	(void)state;
	memcpy(label + 24, "LVM2 001", 8);
	for (uint64_t sector = 0; sector < 5; sector++) {
		struct sv_dev *dev = with_bytes(sector * 512, label, sizeof label);

		assert_string_equal(probe_dev(dev), sector < 4 ? "lvm2" : "");
		sv_dev_close(dev);
	}
}

/* Boot code ends with 55 AA and may jump like FAT does. */
static void takes_boot_code_for_nothing(void **state)
{
	uint8_t mbr[512] = {0xeb, 0x3c, 0x90, [510] = 0x55, [511] = 0xaa};
	struct sv_dev *dev;

	(void)state;
	dev = with_bytes(0, mbr, sizeof mbr);
	assert_string_equal(probe_dev(dev), "");
	sv_dev_close(dev);
	memcpy(mbr + 3, "NTFS    ", 8); /* but no sector size */
	dev = with_bytes(0, mbr, sizeof mbr);
	assert_string_equal(probe_dev(dev), "");
	sv_dev_close(dev);
}

static void reads_nothing_beyond_a_tiny_volume(void **state)
{
	struct sv_err err = SV_ERR_INIT;

	(void)state;
	for (size_t n = 0; n < 70000; n = 2 * n + 1) {
		struct sv_dev *dev = sv_sparse_open(n, 0, "tiny", &err);

		assert_string_equal(probe_dev(dev), "");
		sv_dev_close(dev);
	}
}

static void refuses_by_name_what_it_cannot_read(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs = NULL;
	struct sv_dev *dev = with_bytes(3, "-FVE-FS-", 8);

	(void)state;
	assert_fails(sv_fs_open(dev, &fs, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_string_equal(err.message, "encrypted with BitLocker");
	assert_true(err.hint[0] != 0);
	sv_dev_close(dev);
	dev = with_bytes(32, "NXSB", 4);
	assert_fails(sv_fs_open(dev, &fs, &err), SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, "apfs"));
	sv_dev_close(dev);
	dev = with_bytes(0, "nothing", 7);
	assert_fails(sv_fs_open(dev, &fs, &err), SV_UNSUPPORTED, UINT64_MAX);
	sv_dev_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recognises_what_other_tools_make),
		cmocka_unit_test(recognises_signatures_and_not_their_neighbours),
		cmocka_unit_test(tells_the_pool_and_names_vmfs),
		cmocka_unit_test(finds_an_lvm_label_in_any_of_four_sectors),
		cmocka_unit_test(takes_boot_code_for_nothing),
		cmocka_unit_test(reads_nothing_beyond_a_tiny_volume),
		cmocka_unit_test(refuses_by_name_what_it_cannot_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
