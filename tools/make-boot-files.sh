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
# The kernel is that of this machine where it is Debian's, else the package is fetched (not
# installed: that would change what this machine boots).
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

# Sets kernel, release, modules (the folder that holds lib/modules).
find_kernel() {
	local image
	for image in /boot/vmlinuz-*-cloud-amd64 /boot/vmlinuz-*[0-9]-amd64; do
		release=${image#/boot/vmlinuz-}
		if [ -r "$image" ] && [ -f "/lib/modules/$release/modules.dep" ]; then
			kernel=$image modules=
			return
		fi
	done
	fetch_kernel
}

fetch_kernel() {
	local package
	package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
	[ -n "$package" ] || die "no Debian kernel on this machine, and apt knows none to fetch"
	(cd "$work" && apt-get -q download "$package" >/dev/null) || die "cannot fetch $package"
	dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
	kernel=$(echo "$work"/kernel/boot/vmlinuz-*)
	release=${kernel##*/vmlinuz-}
	modules=$work/kernel
	[ -d "$modules/lib/modules" ] || modules=$work/kernel/usr
	depmod -b "$modules" "$release"
}

# The module and what it needs, last first, as modules.dep tells.
files_of_module() {
	awk -v want="/$1.ko" -F': *' '
		{ path = $1; sub(/\.(xz|zst|gz)$/, "", path) }
		substr(path, length(path) - length(want) + 1) == want { print $2; print $1 }' \
		"$modules/lib/modules/$release/modules.dep" | tr ' ' '\n' | awk 'NF' |
		awk '{ line[NR] = $0 } END { for (i = NR - 1; i > 0; i--) print line[i]; print line[NR] }'
}

add_modules() {
	local name path
	for name in ata_piix sd_mod fuse; do
		for path in $(files_of_module "$name"); do
			path=$modules/lib/modules/$release/$path
			case $path in
			*.xz) xz -dc "$path" >"$root/modules/$(basename "$path" .xz)" ;;
			*.zst) zstd -qdc "$path" >"$root/modules/$(basename "$path" .zst)" ;;
			*) cp "$path" "$root/modules/" ;;
			esac
			path=${path##*/}
			echo "${path%%.ko*}.ko" >>"$root/modules/order"
		done
	done
}

add_program() { # PATH: with the libraries that it loads
	local library
	cp "$1" "$root/bin/"
	chmod 755 "$root/bin/${1##*/}"
	for library in $(ldd "$1" | grep -o '/[^ ]*'); do
		mkdir -p "$root$(dirname "$library")"
		cp -L "$library" "$root$library"
	done
}

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
	root=$work/root
	mkdir -p "$root"/{bin,dev,proc,sys,modules,tmp}
	cp "$(command -v busybox)" "$root/bin/busybox"
	ldd "$root/bin/busybox" >/dev/null 2>&1 && die "busybox is not static; install busybox-static"
	add_modules
	add_program "$(command -v ntfs-3g)"
	write_init
	(cd "$root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet | gzip -1) >"$1"
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
