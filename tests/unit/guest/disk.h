/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Disks of a guest, made by sfdisk, mkntfs and ntfs-3g. */
#ifndef SV_TESTS_GUEST_DISK_H
#define SV_TESTS_GUEST_DISK_H

#include "fs/fixture.h"

#include "base/num.h"
#include "guest/guest.h"

#define DISK_SIGNATURE "0x5cbea03e" /* of the MBR */
#define DISK_GUID      "11223344-5566-7788-99AA-BBCCDDEEFF00"
#define DISK_GUID_2    "0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0" /* of the GPT's partition 2 */

/*
 * A disk of 200 MiB with three partitions: 1 NTFS "System Reserved" (active), 2 NTFS with a
 * Windows folder, 3 BitLocker by its signature; unallocated space behind. The hives are
 * SYSTEM, SOFTWARE, SAM and NTUSER.DAT (Zoë's, with logs) of the fixture's folder, where a test
 * has put them; files called OTHER-SYSTEM and OTHER-SOFTWARE make a Windows of partition 1.
 */
static inline void make_disk(const struct fixture *f, const char *label)
{
	static const char script[] =
		"set -eu; cd '%s'; exec 2>log\n"
		"truncate -s 200M image\n"
		"printf 'label: %s\nlabel-id: %s\nstart=2048,size=32768,type=%s%s\n"
		"start=34816,size=262144,type=%s%s\nstart=296960,size=20480,type=%s\n' | "
		"sfdisk -q image\n"
		"truncate -s 16M p1; truncate -s 128M p2\n"
		"mkntfs -q -Q -F -L 'System Reserved' -s 512 -p 2048 -H 0 -S 0 p1 >&2\n"
		"mkntfs -q -Q -F -s 512 -p 34816 -H 0 -S 0 p2 >&2\n"
		"mkdir mnt; ntfs-3g p2 mnt; config=mnt/Windows/System32/config\n"
		"mkdir -p $config mnt/Users/Zoë; echo hello >mnt/Users/Zoë/note.txt\n"
		"for h in SYSTEM SOFTWARE; do [ -f $h ] || echo none >$h; cp $h $config; done\n"
		"[ ! -f SAM ] || cp SAM $config\n"
		"for h in NTUSER.DAT*; do [ ! -f $h ] || cp $h mnt/Users/Zoë; done\n"
		"\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" mnt\n"
		"if [ -f OTHER-SYSTEM ]; then ntfs-3g p1 mnt; mkdir -p $config\n"
		"cp OTHER-SYSTEM $config/SYSTEM; cp OTHER-SOFTWARE $config/SOFTWARE\n"
		"\"$SHAREVM_SOURCE_ROOT/tools/unmount-ntfs.sh\" mnt; fi\n"
		"dd if=p1 of=image bs=1M seek=1 conv=notrunc,sparse status=none\n"
		"dd if=p2 of=image bs=1M seek=17 conv=notrunc,sparse status=none\n"
		"printf '\\353X\\220-FVE-FS-' | dd of=image bs=1M seek=145 conv=notrunc "
		"status=none\n";
	bool gpt = !strcmp(label, "gpt");
	const char *type = gpt ? "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" : "7";

	assert_int_equal(
		run(script, f->dir, label, gpt ? DISK_GUID : DISK_SIGNATURE, type,
			gpt ? "" : ",bootable", type, gpt ? ",uuid=" DISK_GUID_2 : "", type),
		0);
}

/* Skips the test where the tools or the rights are missing. */
static inline void disk_fixture(struct fixture *f)
{
	need_tool("mkntfs");
	need_tool("ntfs-3g");
	need_tool("sfdisk");
	if (geteuid() != 0 || access("/dev/fuse", W_OK) != 0) {
		print_message("skip: no /dev/fuse (or not root)\n");
		skip();
	}
	fixture_make(f);
}

static inline struct sv_guest *open_guest(const struct fixture *f)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_dev *dev = fixture_open(f, false);
	struct sv_guest *g = NULL;

	assert_ok(sv_guest_open(&dev, 1, NULL, &g, &err));
	sv_dev_close(dev);
	return g;
}

#endif
