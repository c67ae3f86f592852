/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What not every file has: compression, named streams, hundreds of fragments, links of all
 * kinds, data that are elsewhere; and what a volume tells about itself.
 */
#include "ntfs_judge.h"

#include <sys/statvfs.h>

static const uint8_t compressed_dir[4] = {0, 0, 8, 0x10}; /* Windows' attributes, big endian */

static uint64_t find_ino(struct sv_fs *fs, const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	uint64_t ino = 0;

	assert_ok(sv_fs_lookup(fs, path, &ino, &err));
	return ino;
}

static struct sv_fs_stat stat_of(struct sv_fs *fs, const char *path)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_stat st = {0};

	assert_ok(sv_fs_stat(fs, find_ino(fs, path), &st, &err));
	return st;
}

/* ---- compression ---- */

static void unpacks_compressed_files(void **state)
{
	struct sv_fs_stat st;
	struct sv_fs *fs;
	struct fixture f;
	char *want;

	(void)state;
	fixture_ntfs(&f, "64M", "-c 4096");
	mount_ntfs(&f, "compression");
	in_mount(&f, "mkdir packed; head -c 900000 /dev/urandom >random\n");
	set_in_mount(&f, "packed", "system.ntfs_attrib_be", compressed_dir, 4);
	in_mount(&f,
		"cd packed; seq 200000 >numbers; head -c 3000000 /dev/zero >zeros\n"
		"cat ../random >random; (seq 20000; cat ../random; seq 30000) >mixed\n"
		"head -c 65536 /dev/zero >unit; head -c 65537 /dev/zero | tr '\\0' x >unit1\n"
		"yes abc | head -c 4095 >chunk; yes abc | head -c 4097 >chunk1\n"
		"for i in $(seq 0 255); do printf \"\\\\x$(printf %x $i)%.0s\" $(seq $i); done "
		">ramp\n"
		"seq 9000 >grown; for i in 1 2 3 4 5; do seq $i 70000 >>grown; done\n");
	want = unmount_ntfs(&f);
	fs = open_fs(&f);
	st = stat_of(fs, "/packed/numbers");
	assert_true(st.compressed && !st.sparse && st.allocated < st.size);
	assert_true(st.attributes & 0x800);
	sv_fs_close(fs);
	compare_with_the_mount(&f, want);
	fixture_free(&f);
}

/* ---- fragments ---- */

static int count_extents(void *user, uint64_t file_off, uint64_t volume_off, uint64_t len)
{
	uint64_t *sums = user;

	assert_int_equal(file_off, sums[1]);
	sums[0]++;
	sums[1] += len;
	sums[2] += volume_off == SV_NO_HOST_OFFSET ? 0 : len;
	return 0;
}

static void gathers_hundreds_of_fragments(void **state)
{
	uint64_t sums[3] = {0};
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs;
	struct fixture f;
	char *want;

	(void)state;
	fixture_ntfs(&f, "24M", "-c 1024");
	/* every other hole of 1 KiB is filled, by one file */
	want = fill(&f, "rw",
		"mkdir h; for i in $(seq 6000); do printf %1024s $i >h/$i; done\n"
		"head -c 30000000 /dev/urandom >rest 2>/dev/null || true\n"
		"sync; rm h/*[13579]; head -c 2500000 /dev/urandom >pieces\n"
		"ln pieces hard; for i in $(seq 30); do ln pieces another-longer-name-$i; done\n");
	fs = open_fs(&f);
	assert_ok(sv_fs_extents(fs, find_ino(fs, "/pieces"), count_extents, sums, &err));
	assert_true(sums[0] > 300);
	assert_int_equal(sums[1], 2500000);
	assert_int_equal(sums[2], 2500000);
	assert_int_equal(stat_of(fs, "/HARD").nlink, 32);
	sv_fs_close(fs);
	compare_with_the_mount(&f, want);
	fixture_free(&f);
}

struct raw_copy {
	struct sv_dev *dev;
	uint8_t *out;
};

static int copy_extent(void *user, uint64_t file_off, uint64_t volume_off, uint64_t len)
{
	struct raw_copy *c = user;
	struct sv_err err = SV_ERR_INIT;

	if (volume_off != SV_NO_HOST_OFFSET)
		assert_ok(sv_dev_read(c->dev, c->out + file_off, len, volume_off, &err));
	return 0;
}

static void extents_lead_to_the_bytes_on_the_volume(void **state)
{
	enum { SIZE = 3000123 };
	uint8_t *raw = calloc(1, SIZE), *read = malloc(SIZE);
	struct raw_copy c = {.out = raw};
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs;
	struct fixture f;
	uint64_t sums[3] = {0};
	size_t got;

	(void)state;
	fixture_ntfs(&f, "32M", "");
	free(fill(&f, "rw",
		"head -c 1000123 /dev/urandom | dd of=file bs=100000 seek=20 iflag=fullblock "
		"status=none; echo x >small\n"));
	fs = open_fs(&f);
	c.dev = fixture_open(&f, false);
	assert_ok(sv_fs_extents(fs, find_ino(fs, "/file"), copy_extent, &c, &err));
	assert_ok(sv_fs_read(fs, find_ino(fs, "/file"), NULL, read, SIZE, 0, &got, &err));
	assert_int_equal(got, SIZE);
	assert_memory_equal(raw, read, SIZE);
	assert_true(stat_of(fs, "/file").sparse);
	assert_ok(sv_fs_extents(fs, find_ino(fs, "/file"), count_extents, sums, &err));
	assert_true(sums[2] < 1100000);
	sums[0] = 0;
	assert_ok(sv_fs_extents(fs, find_ino(fs, "/small"), count_extents, sums, &err));
	assert_int_equal(sums[0], 0); /* resident */
	sv_fs_close(fs);
	sv_dev_close(c.dev);
	fixture_free(&f);
	free(raw);
	free(read);
}

/* ---- streams ---- */

static int note_stream(void *user, const char *name, uint64_t size)
{
	sv_str_addf(user, "%s=%llu;", name, (unsigned long long)size);
	return 0;
}

static void reads_named_streams(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_str names = {0};
	uint8_t *buf = malloc(300000);
	struct sv_fs *fs;
	struct fixture f;
	uint64_t ino;
	size_t got;

	(void)state;
	fixture_ntfs(&f, "16M", "");
	free(fill(&f, "streams_interface=windows",
		"echo plain >file; echo one >file:first; seq 50000 | head -c 200001 "
		">'file:zwölf'\n"
		"mkdir dir; echo d >dir:of-dir\n"));
	fs = open_fs(&f);
	ino = find_ino(fs, "/file");
	assert_ok(sv_fs_streams(fs, ino, note_stream, &names, &err));
	assert_string_equal(names.data, "first=4;zwölf=200001;");
	assert_ok(sv_fs_read(fs, ino, "FIRST", buf, 100, 0, &got, &err));
	assert_int_equal(got, 4);
	assert_memory_equal(buf, "one\n", 4);
	assert_ok(sv_fs_read(fs, ino, "ZWÖLF", buf, 300000, 150001, &got, &err));
	assert_int_equal(got, 50000);
	assert_ok(sv_fs_read(fs, ino, NULL, buf, 100, 0, &got, &err));
	assert_memory_equal(buf, "plain\n", 6);
	assert_ok(sv_fs_read(fs, find_ino(fs, "/dir"), "of-dir", buf, 100, 0, &got, &err));
	assert_int_equal(got, 2);
	assert_fails(
		sv_fs_read(fs, ino, "none", buf, 1, 0, &got, &err), SV_NOTFOUND, UINT64_MAX);
	assert_fails(sv_fs_read(fs, find_ino(fs, "/dir"), NULL, buf, 1, 0, &got, &err),
		SV_USAGE, UINT64_MAX);
	sv_str_free(&names);
	sv_fs_close(fs);
	fixture_free(&f);
	free(buf);
}

/* ---- names ---- */

static void compares_names_as_windows_does(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs *fs;
	struct fixture f;
	uint64_t ino;

	(void)state;
	fixture_ntfs(&f, "16M", "");
	mount_ntfs(&f, "rw");
	in_mount(&f, "mkdir -p 'Program Files/Größe'; echo 1 >'Program Files/Größe/ΑΒΓ.txt'\n"
		     "echo lower >case; echo upper >CASE; echo mixed >Case\n"
		     "mkdir many; for i in $(seq 1200); do : >many/File-$i.dat; done\n"
		     "echo long >long-name-of-a-file.txt\n");
	set_in_mount(&f, "long-name-of-a-file.txt", "system.ntfs_dos_name", "LONGNA~1.TXT", 12);
	free(unmount_ntfs(&f));
	fs = open_fs(&f);
	find_ino(fs, "//PROGRAM FILES/gRÖßE/αβγ.TXT/");
	assert_int_equal(find_ino(fs, ""), 5);
	assert_int_equal(find_ino(fs, "/"), 5);
	/* where names differ by case only, the exact one is taken */
	assert_int_not_equal(find_ino(fs, "/case"), find_ino(fs, "/CASE"));
	assert_int_not_equal(find_ino(fs, "/Case"), find_ino(fs, "/CASE"));
	find_ino(fs, "/cASE");
	for (int i = 1; i <= 1200; i += 7) {
		char path[64];

		snprintf(path, sizeof path, "/MANY/fILE-%d.DAT", i);
		find_ino(fs, path);
	}
	assert_int_equal(
		find_ino(fs, "/longna~1.txt"), find_ino(fs, "/Long-Name-Of-A-File.txt"));
	find_ino(fs, "/$MFT");
	assert_fails(sv_fs_lookup(fs, "/many/nothing/x", &ino, &err), SV_NOTFOUND, UINT64_MAX);
	assert_non_null(strstr(err.message, "\"/many/nothing\""));
	assert_fails(sv_fs_lookup(fs, "/case/x", &ino, &err), SV_NOTFOUND, UINT64_MAX);
	assert_fails(sv_fs_lookup(fs, "/many/../case", &ino, &err), SV_USAGE, UINT64_MAX);
	assert_fails(sv_fs_lookup(fs, "/\xff\xfe", &ino, &err), SV_NOTFOUND, UINT64_MAX);
	sv_fs_close(fs);
	fixture_free(&f);
}

/* ---- links and data that are elsewhere ---- */

/* A reparse point: tag, length, then the bytes. */
static size_t reparse(uint8_t *out, uint32_t tag, const void *data, size_t n)
{
	sv_store_le32(out, tag);
	sv_store_le16(out + 4, (uint16_t)n);
	sv_store_le16(out + 6, 0);
	memcpy(out + 8, data, n);
	return 8 + n;
}

/* The names of a symbolic link or junction (with or without flags) in UTF-16LE. */
static size_t link_data(uint8_t *out, bool flags, const char *substitute, const char *print)
{
	size_t head = flags ? 12 : 8, a = strlen(substitute), b = strlen(print);

	memset(out, 0, head + 2 * (a + b + 2));
	sv_store_le16(out + 2, (uint16_t)(2 * a));
	sv_store_le16(out + 4, (uint16_t)(2 * a + 2));
	sv_store_le16(out + 6, (uint16_t)(2 * b));
	for (size_t i = 0; i < a; i++)
		out[head + 2 * i] = (uint8_t)substitute[i];
	for (size_t i = 0; i < b; i++)
		out[head + 2 * (a + 1 + i)] = (uint8_t)print[i];
	return head + 2 * (a + b + 2);
}

static void set_reparse(
	const struct fixture *f, const char *name, uint32_t tag, const void *data, size_t n)
{
	uint8_t point[600];

	set_in_mount(f, name, "system.ntfs_reparse_data", point, reparse(point, tag, data, n));
}

static void leads_to(struct sv_fs *fs, const char *path, const char *want)
{
	struct sv_err err = SV_ERR_INIT;
	char *target;

	assert_int_equal(stat_of(fs, path).type, SV_FS_SYMLINK);
	target = sv_fs_readlink(fs, find_ino(fs, path), &err);
	assert_non_null(target);
	assert_string_equal(target, want);
	free(target);
}

static int type_of_entry(void *user, const char *name, const void *raw, size_t raw_len,
	uint64_t ino, enum sv_fs_type type)
{
	(void)raw, (void)raw_len, (void)ino;
	sv_str_addf(user, "%s:%d ", name, (int)type);
	return 0;
}

static void knows_links_of_every_kind(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_str types = {0};
	uint8_t data[500];
	struct sv_fs *fs;
	struct fixture f;
	char *bad;
	size_t n;

	(void)state;
	fixture_ntfs(&f, "16M", "");
	mount_ntfs(&f, "rw");
	in_mount(&f, "mkdir junction volume dirlink; : >relative; : >noprint; : >wsl; : >odd\n"
		     "ln -s ../interix/target interix\n");
	n = link_data(data, false, "\\??\\C:\\Users", "C:\\Users");
	set_reparse(&f, "junction", 0xa0000003, data, n);
	n = link_data(data, false, "\\??\\Volume{1234}\\", "");
	set_reparse(&f, "volume", 0xa0000003, data, n);
	n = link_data(data, true, "..\\a\\b", "..\\a\\b");
	set_reparse(&f, "relative", 0xa000000c, data, n);
	n = link_data(data, true, "\\??\\D:\\x", "");
	set_reparse(&f, "noprint", 0xa000000c, data, n);
	n = link_data(data, true, "\\??\\C:\\y", "C:\\y");
	set_reparse(&f, "dirlink", 0xa000000c, data, n);
	set_reparse(&f, "wsl", 0xa000001d, "\2\0\0\0/etc/größe", 16);
	n = link_data(data, true, "x", "x");
	sv_store_le16(data + 6, 60000); /* the print name lies outside */
	set_reparse(&f, "odd", 0xa000000c, data, n);
	assert_int_equal(
		run("\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" '%s/mnt'", f.dir), 0);
	free(fill(&f, "special_files=wsl", "mkfifo fifo; ln -s /usr/bin/größe made-by-wsl\n"));
	fs = open_fs(&f);
	leads_to(fs, "/junction", "C:/Users");
	leads_to(fs, "/made-by-wsl", "/usr/bin/größe");
	leads_to(fs, "/volume",
		"/?"
		"?/Volume{1234}/");
	leads_to(fs, "/relative", "../a/b");
	leads_to(fs, "/noprint", "D:/x");
	leads_to(fs, "/dirlink", "C:/y");
	leads_to(fs, "/wsl", "/etc/größe");
	leads_to(fs, "/interix", "../interix/target");
	assert_int_equal(stat_of(fs, "/fifo").type, SV_FS_FIFO);
	bad = sv_fs_readlink(fs, find_ino(fs, "/odd"), &err);
	assert_null(bad);
	assert_int_equal(err.code, SV_CORRUPT);
	assert_true(err.has_offset);
	assert_null(sv_fs_readlink(fs, 5, &err));
	assert_int_equal(err.code, SV_USAGE);
	assert_ok(sv_fs_readdir(fs, 5, type_of_entry, &types, &err));
	assert_non_null(strstr(types.data, "junction:2 "));
	assert_non_null(strstr(types.data, "interix:2 "));
	assert_non_null(strstr(types.data, "fifo:5 "));
	sv_str_free(&types);
	sv_fs_close(fs);
	fixture_free(&f);
}

static void cannot_be_read(struct sv_fs *fs, const char *path, const char *word)
{
	struct sv_err err = SV_ERR_INIT;
	char buf[16];
	size_t got;

	assert_fails(sv_fs_read(fs, find_ino(fs, path), NULL, buf, 1, 0, &got, &err),
		SV_UNSUPPORTED, UINT64_MAX);
	assert_non_null(strstr(err.message, word));
	assert_true(err.hint[0] != 0);
}

/* Their data would read as zeros. */
static void refuses_data_that_are_elsewhere(void **state)
{
	struct sv_fs *fs;
	struct fixture f;

	(void)state;
	fixture_ntfs(&f, "16M", "");
	mount_ntfs(&f, "rw");
	in_mount(&f, "truncate -s 100000 cloud; truncate -s 9000 wof dedup; echo x >local\n");
	set_reparse(&f, "cloud", 0x9000601a, "0123456789abcdef", 16);
	set_reparse(&f, "wof", 0x80000017, "\1\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0", 16);
	set_reparse(&f, "dedup", 0x80000013, "0123456789abcdef", 16);
	set_reparse(&f, "local", 0x9000601a, "0123456789abcdef", 16);
	assert_int_equal(
		run("\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" '%s/mnt'", f.dir), 0);
	fs = open_fs(&f);
	cannot_be_read(fs, "/cloud", "cloud");
	cannot_be_read(fs, "/wof", "WIMBoot");
	cannot_be_read(fs, "/dedup", "deduplication");
	assert_int_equal(stat_of(fs, "/local").type, SV_FS_FILE);
	{
		struct sv_err err = SV_ERR_INIT;
		size_t got = 0;
		char c = 0;

		/* a file of the cloud that is here in full can be read */
		assert_ok(sv_fs_read(fs, find_ino(fs, "/local"), NULL, &c, 1, 0, &got, &err));
		assert_int_equal(c, 'x');
	}
	sv_fs_close(fs);
	fixture_free(&f);
}

/* ---- the volume ---- */

static void tells_what_the_volume_is(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	struct statvfs vfs;
	struct sv_fs *fs;
	struct fixture f;
	char path[128], uuid[64] = "";
	FILE *p;

	(void)state;
	fixture_ntfs(&f, "33M", "-c 1024 -L 'Größe 日本'");
	mount_ntfs(&f, "rw");
	in_mount(&f, "head -c 3333333 /dev/urandom >x\n");
	snprintf(path, sizeof path, "%s/mnt", f.dir);
	assert_int_equal(statvfs(path, &vfs), 0);
	free(unmount_ntfs(&f));
	snprintf(path, sizeof path, "blkid -p -s UUID -o value '%s'", f.image);
	need_tool("blkid");
	p = popen(path, "r");
	assert_non_null(p);
	assert_non_null(fgets(uuid, sizeof uuid, p));
	pclose(p);
	uuid[strcspn(uuid, "\n")] = 0;
	fs = open_fs(&f);
	assert_ok(sv_fs_info(fs, &info, &err));
	assert_string_equal(info.type, "ntfs");
	assert_string_equal(info.label, "Größe 日本");
	assert_string_equal(info.uuid, uuid);
	assert_int_equal(info.block_size, 1024);
	assert_int_equal(info.free, vfs.f_bfree * vfs.f_frsize);
	assert_int_equal(info.used + info.free, vfs.f_blocks * vfs.f_frsize);
	assert_false(info.dirty);
	assert_string_equal(info.state, "");
	sv_fs_close(fs);
	fixture_free(&f);
}

static void state_after(const char *script, const char *want)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_fs_info info;
	struct sv_fs *fs;
	struct fixture f;

	fixture_ntfs(&f, "16M", "");
	free(fill(&f, "rw", script));
	fs = open_fs(&f);
	assert_ok(sv_fs_info(fs, &info, &err));
	assert_string_equal(info.state, want);
	sv_fs_close(fs);
	fixture_free(&f);
}

static void tells_a_hibernated_volume(void **state)
{
	static const char hibernated[] = "hibernated, or shut down with fast startup";

	(void)state;
	state_after("printf hibr >hiberfil.sys; truncate -s 8192 hiberfil.sys\n", hibernated);
	state_after("printf HIBR >HiberFil.sys; truncate -s 8192 HiberFil.sys\n", hibernated);
	state_after("printf x >hiberfil.sys\n", hibernated); /* of another disk's Windows */
	state_after("truncate -s 8192 hiberfil.sys\n", "");
	state_after("printf wake >hiberfil.sys; truncate -s 8192 hiberfil.sys\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unpacks_compressed_files),
		cmocka_unit_test(gathers_hundreds_of_fragments),
		cmocka_unit_test(extents_lead_to_the_bytes_on_the_volume),
		cmocka_unit_test(reads_named_streams),
		cmocka_unit_test(compares_names_as_windows_does),
		cmocka_unit_test(knows_links_of_every_kind),
		cmocka_unit_test(refuses_data_that_are_elsewhere),
		cmocka_unit_test(tells_what_the_volume_is),
		cmocka_unit_test(tells_a_hibernated_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
