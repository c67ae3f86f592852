#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes what lets the sample machine boot: GRUB, which reads NTFS with code of its own, a Debian
# kernel, and a small system in memory that mounts C: with ntfs-3g, checks some files of it
# against their sums, says on the serial console what it found, and switches off.
#
#   tools/make-boot-files.sh OUT MANIFEST
#
# OUT/mbr.img   440 bytes for the start of the disk     OUT/on-c/     to copy to the root of C:
# OUT/core.img  for sector 1 and on, below 1 MiB
#
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

[ $# -eq 2 ] || {
	echo "usage: tools/make-boot-files.sh OUT MANIFEST" >&2
	exit 2
}
mkdir -p "$1"
out=$(cd "$1" && pwd)
manifest=$2
folder=sharevm-sample # on C:
work=$(mktemp -d "$out/.work-XXXXXX")
trap 'rm -rf "$work"' EXIT

die() {
	echo "make-boot-files: $*" >&2
	exit 1
}

# shellcheck source=tools/initrd.sh
. "$(dirname "${BASH_SOURCE[0]}")/initrd.sh"

write_init() {
	cat >"$root/init" <<-'END'
		#!/bin/busybox sh
		# What boots from C: of the sample machine.
		/bin/busybox --install -s /bin
		mount -t proc none /proc
		mount -t sysfs none /sys
		mount -t devtmpfs none /dev
		say() { echo "sharevm-sample: $*"; }
		over() {
			say "$*"
			sync
			poweroff -f
		}
		say "Linux $(uname -r) is up"
		while read -r module; do
			insmod "/modules/$module" 2>/dev/null
		done </modules/order
		for turn in 1 2 3 4 5 6 7 8 9 10; do
			[ -b /dev/sda1 ] && break
			sleep 0.5
		done
		say "the disk has $(cat /sys/block/sda/size) sectors, C: has $(cat /sys/block/sda/sda1/size)"
		mkdir -p /c
		ntfs-3g -o ro /dev/sda1 /c || over "C: cannot be mounted"
		set -- $(df -m /c | tail -1)
		say "C: has $2 MiB, $4 MiB of it free"
		cd /c
		files=$(wc -l <sharevm-sample/check.sha256)
		[ "$files" -gt 0 ] || over "there is no list of files"
		sha256sum -c -s sharevm-sample/check.sha256 || over "files are not as they were written"
		say "$files files are as they were written"
		over "all is well"
	END
	chmod 755 "$root/init"
}

make_initrd() {
	make_root
	add_modules ata_piix sd_mod fuse
	add_program "$(command -v ntfs-3g)"
	write_init
	pack_root >"$1"
}

# Some files that nobody changes later, and with plain names: busybox reads the list.
choose_files() {
	grep -E '  (Windows/System32|ProgramData/many)/[ -9;-~]*$' "$manifest" | awk 'NR % 7 == 1' |
		head -60
}

make_grub() {
	cat >"$work/grub.cfg" <<-END
		serial --unit=0
		terminal_output serial console
		set root=(hd0,msdos1)
		echo "GRUB reads the kernel from C: ..."
		linux /$folder/vmlinuz console=ttyS0 quiet panic=-1
		initrd /$folder/initrd.img
		boot
	END
	grub-mkimage -O i386-pc -o "$out/core.img" -c "$work/grub.cfg" -p "(hd0,msdos1)/$folder" \
		biosdisk part_msdos ntfs linux normal serial terminal echo
	head -c 440 /usr/lib/grub/i386-pc/boot.img >"$out/mbr.img"
	[ "$(stat -c %s "$out/core.img")" -lt $((2047 * 512)) ] || die "GRUB does not fit below 1 MiB"
}

find_kernel
mkdir -p "$out/on-c/$folder"
cp "$kernel" "$out/on-c/$folder/vmlinuz"
make_initrd "$out/on-c/$folder/initrd.img"
choose_files >"$out/on-c/$folder/check.sha256"
make_grub
