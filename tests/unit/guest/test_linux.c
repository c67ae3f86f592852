/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A Linux on three volumes that name each other in every way, made by mke2fs and sfdisk. */
#include "fs/fixture.h"

#include "base/num.h"
#include "guest/guest.h"

/* with the disk's signature, in the second line of sfdisk's script */
#define DOS "dos\\nlabel-id: 0x5cbea03e"

static const char script[] =
	"set -eu; cd '%s'; exec 2>log\n"
	"mkdir -p root/etc root/usr/lib root/usr/bin root/home root/boot root/srv home/zoe boot\n"
	"printf 'NAME=Debian\\nPRETTY_NAME=\"Debian GNU/Linux 12\"\\nVERSION_ID=\"12\"\\n' "
	">root/usr/lib/os-release\n"
	"ln -s ../usr/lib/os-release root/etc/os-release; ln -s usr/bin root/bin\n"
	"printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\3\\0\\076\\0' >root/usr/bin/dash\n"
	"ln -s /bin/dash root/usr/bin/sh\n"
	"echo host12 >root/etc/hostname; echo 00112233445566778899aabbccddeeff "
	">root/etc/machine-id\n"
	"ln -s /usr/share/zoneinfo/Europe/Berlin root/etc/localtime\n"
	"printf 'root:x:0:0:root:/root:/bin/sh\\nzoe:x:1000:1000:Zoe,,,:/home/zoe:/bin/sh\\n"
	"broken\\n' >root/etc/passwd\n"
	"ln -s /home/zoe root/to-zoe; ln -s round2 root/round1; ln -s round1 root/round2\n"
	"ln -s /etc/hostname home/zoe/name; ln -s ../../etc home/zoe/up; ln -s nothing root/gone\n"
	"ln -s ../../../../../../../../../etc/passwd root/high\n"
	": >boot/vmlinuz-6.1.0-9-amd64; : >boot/vmlinuz-6.1.0-13-amd64; : >boot/config-1\n"
	"printf '%%s\\n' 'UUID=11111111-2222-3333-4444-555555555555 / ext4 x 0 1' "
	"'%s /home ext4 defaults' '%s /boot ext2 ro' '/dev/sda9 /srv ext4 x' "
	"'LABEL=home /srv ext4 noauto' 'proc /proc proc defaults' >root/etc/fstab\n"
	"truncate -s 64M image\n"
	"printf 'label: %s\\nstart=2048,size=32768\\n"
	"start=34816,size=32768%s\\nstart=67584,size=16384\\n' | "
	"sfdisk -q image\n"
	"mke2fs -q -F -t ext4 -U 11111111-2222-3333-4444-555555555555 -d root p1 16M\n"
	"mke2fs -q -F -t ext4 -L home -d home p2 16M; mke2fs -q -F -t ext2 -d boot p3 8M\n"
	"dd if=p1 of=image bs=1M seek=1 conv=notrunc,sparse status=none\n"
	"dd if=p2 of=image bs=1M seek=17 conv=notrunc,sparse status=none\n"
	"dd if=p3 of=image bs=1M seek=33 conv=notrunc,sparse status=none\n";

struct machine {
	struct fixture f;
	struct sv_dev *dev;
	struct sv_guest *g;
};

static void open_machine(struct machine *m, const char *label, const char *home,
	const char *boot, const char *extra)
{
	struct sv_err err = SV_ERR_INIT;

	need_tool("mke2fs");
	need_tool("sfdisk");
	fixture_make(&m->f);
	assert_int_equal(run(script, m->f.dir, home, boot, label, extra), 0);
	m->dev = fixture_open(&m->f, false);
	assert_ok(sv_guest_open(&m->dev, 1, NULL, &m->g, &err));
}

static void close_machine(struct machine *m)
{
	sv_guest_close(m->g);
	sv_dev_close(m->dev);
	fixture_free(&m->f);
}

static void tells_what_its_files_tell(void **state)
{
	struct machine m;

	(void)state;
	open_machine(&m, DOS, "LABEL=home", "/dev/sda3", "");
	assert_string_equal(m.g->os.family, "linux");
	assert_string_equal(m.g->os.product, "Debian GNU/Linux 12");
	assert_string_equal(m.g->os.version, "12");
	assert_string_equal(m.g->os.arch, "x86_64");
	assert_string_equal(m.g->os.hostname, "host12");
	assert_string_equal(m.g->os.time_zone, "Europe/Berlin");
	assert_string_equal(m.g->os.machine_id, "00112233445566778899aabbccddeeff");
	assert_int_equal(m.g->os.n_users, 2);
	assert_string_equal(m.g->os.users[1].name, "zoe");
	assert_string_equal(m.g->os.users[1].id, "1000");
	assert_string_equal(m.g->os.users[1].home, "/home/zoe");
	assert_int_equal(m.g->os.n_kernels, 2);
	assert_string_equal(m.g->os.kernels[0], "6.1.0-13-amd64");
	assert_string_equal(m.g->os.kernels[1], "6.1.0-9-amd64");
	assert_int_equal(m.g->system_volume, 0);
	assert_string_equal(m.g->volumes[0].mount, "/");
	assert_string_equal(m.g->volumes[1].mount, "/home");
	assert_string_equal(m.g->volumes[2].mount, "/boot");
	close_machine(&m);
}

static void finds(
	struct machine *m, const char *path, bool follow, size_t volume, const char *where)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_guest_place at = {0};

	assert_ok(sv_guest_find(m->g, path, follow, &at, &err));
	assert_int_equal(at.volume, volume);
	assert_string_equal(at.path, where);
	sv_guest_place_free(&at);
}

static void misses(struct machine *m, const char *path, enum sv_code code)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_guest_place at = {0};

	assert_fails(sv_guest_find(m->g, path, true, &at, &err), code, UINT64_MAX);
}

static void goes_through_links_and_mounts_as_the_guest(void **state)
{
	struct machine m;

	(void)state;
	open_machine(&m, DOS, "LABEL=home", "/dev/sda3", "");
	finds(&m, "/etc/os-release", true, 0, "/usr/lib/os-release");
	finds(&m, "/etc/os-release", false, 0, "/etc/os-release");
	finds(&m, "/home", true, 1, "/");
	finds(&m, "/home/zoe", true, 1, "/zoe");
	finds(&m, "/to-zoe/name", true, 0, "/etc/hostname");
	finds(&m, "/to-zoe/name", false, 1, "/zoe/name");
	finds(&m, "/home/zoe/up/fstab", true, 0, "/etc/fstab");
	finds(&m, "/high", true, 0, "/etc/passwd");
	finds(&m, "/boot/vmlinuz-6.1.0-9-amd64", true, 2, "/vmlinuz-6.1.0-9-amd64");
	finds(&m, "/srv", true, 0, "/srv"); /* what fstab names there is not there */
	misses(&m, "/round1", SV_CORRUPT);
	misses(&m, "/gone", SV_NOTFOUND);
	misses(&m, "/home/../etc", SV_USAGE);
	/* a volume that was named is a world of its own */
	finds(&m, "@disk0p1:/home", true, 0, "/home");
	misses(&m, "@disk0p2:/zoe/name", SV_NOTFOUND);
	close_machine(&m);
}

/* Each way to name a volume in fstab. */
static void finds_volumes_by_every_name(void **state)
{
	static const char *const mbr[] = {"/dev/disk/by-label/home", "/dev/vda2", "/dev/hda2",
		"PARTUUID=5cbea03e-02", "/dev/nvme0n1p2", "/dev/xvda2", "LABEL=\"home\""};
	struct machine m;

	(void)state;
	for (size_t i = 0; i < SV_ARRAY_LEN(mbr); i++) {
		open_machine(&m, DOS, mbr[i], "/dev/disk/by-partuuid/5CBEA03E-03", "");
		assert_string_equal(m.g->volumes[1].mount, "/home");
		assert_string_equal(m.g->volumes[2].mount, "/boot");
		close_machine(&m);
	}
	open_machine(&m, "gpt", "PARTUUID=0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
		"PARTLABEL=none", ",uuid=0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0,name=\"data\"");
	assert_string_equal(m.g->volumes[1].mount, "/home");
	assert_string_equal(m.g->volumes[2].mount, "");
	close_machine(&m);
	open_machine(&m, "gpt", "PARTLABEL=data", "/dev/sdb3", ",name=\"data\"");
	assert_string_equal(m.g->volumes[1].mount, "/home");
	assert_string_equal(m.g->volumes[2].mount, "");
	close_machine(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_its_files_tell),
		cmocka_unit_test(goes_through_links_and_mounts_as_the_guest),
		cmocka_unit_test(finds_volumes_by_every_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
