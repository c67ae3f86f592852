#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: btrfs-tree.sh FOLDER
#
# 34,000 names of FOLDER on btrfs, packed by each of its methods: they come out as they went in,
# by content, mode, time, owner, attribute and link, from a raw disk and a VMDK; "btrfs restore"
# gets the same out; and listing them stays within the memory that browsing may take.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mkfs.btrfs btrfs mount qemu-img sfdisk tar python3 time
[ "$(id -u)" = 0 ] || skip "needs root"
grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null || skip "this kernel has no btrfs"
losetup -f >/dev/null 2>&1 || skip "no loop device"
manifest=$lib_dir/fs/manifest.py

mkdir "$tmp/source" "$tmp/mnt"
on_exit "umount '$tmp/mnt' 2>/dev/null || :"
(cd "$1" && find . -xdev ! -type s | head -n 34000 | tar -c --no-recursion --xattrs -T - -f -) |
	tar -x --xattrs --xattrs-include='*' -C "$tmp/source" -f -
python3 "$manifest" "$tmp/source" >"$tmp/want"
size=$(($(du -sm "$tmp/source" | cut -f 1) * 5 / 4 + 400))

for packing in zlib lzo zstd; do
	truncate -s $((size + 2))M "$tmp/disk.raw"
	echo 'start=2048' | sfdisk -q "$tmp/disk.raw"
	truncate -s ${size}M "$tmp/volume.raw"
	mkfs.btrfs -q -f "$tmp/volume.raw" >/dev/null 2>&1
	mount -o "loop,compress-force=$packing" "$tmp/volume.raw" "$tmp/mnt"
	cp -a "$tmp/source/." "$tmp/mnt/"
	umount "$tmp/mnt"
	dd if="$tmp/volume.raw" of="$tmp/disk.raw" bs=1M seek=1 conv=notrunc,sparse 2>/dev/null
	qemu-img convert -t unsafe -O vmdk "$tmp/disk.raw" "$tmp/disk.vmdk"
	for disk in disk.raw disk.vmdk; do
		"$SHAREVM" cp -q "$tmp/$disk:/" - >"$tmp/out.tar" || fail "$packing, $disk: cp"
		python3 "$manifest" "$tmp/out.tar" >"$tmp/got"
		check "$packing, $disk: all is as it went in" diff "$tmp/want" "$tmp/got"
	done
	command time -f %M -o "$tmp/memory" "$SHAREVM" ls -R "$tmp/disk.raw:/" >"$tmp/names"
	check "$packing: listing takes at most 32 MB" [ "$(cat "$tmp/memory")" -le 32768 ]
	[ "$(wc -l <"$tmp/names")" -ge "$(wc -l <"$tmp/want")" ] || fail "$packing: names are missing"
	rm -f "$tmp/out.tar" "$tmp"/disk.*
done
mkdir "$tmp/restored"
btrfs restore -S "$tmp/volume.raw" "$tmp/restored" >/dev/null 2>&1
contents() { sed -nE 's/^(.*) [0-7]+ [0-9]+:[0-9]+ .* (file .*|link .*)$/\1 \2/p' "$1"; }
python3 "$manifest" "$tmp/restored" >"$tmp/restored.txt"
contents "$tmp/restored.txt" >"$tmp/theirs"
contents "$tmp/got" >"$tmp/ours"
check "btrfs restore gets the same out of it" diff "$tmp/theirs" "$tmp/ours"
