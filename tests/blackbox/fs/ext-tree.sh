#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: ext-tree.sh [FOLDER]
#
# A tree on ext4 comes out as it went in, by hash, mode, times, owners, attributes and links: to
# the host, through a tar stream, from a raw disk and a VMDK. The tree is a small one with
# everything in it, or 34,000 names of FOLDER. Listings are those of sleuthkit and 7-Zip.
# shellcheck source=tests/blackbox/fs/ext.sh
. "$(dirname "$0")/ext.sh"
requires qemu-img sfdisk tar fls 7z
needs_mounts
judge_trees_is_one

mkdir "$tmp/source"
if [ $# -gt 0 ]; then
	(cd "$1" && find . -xdev ! -type s | head -n 34000 | tar -c --no-recursion --xattrs -T - -f -) |
		tar -x --xattrs --xattrs-include='*' -C "$tmp/source" -f -
	size=$(du -sm "$tmp/source" | cut -f 1)
else
	(cd "$tmp/source" && fill_tree)
	size=20
fi
size=$((size * 5 / 4 + 100))

truncate -s $((size + 2))M "$tmp/disk.raw"
echo 'start=2048' | sfdisk -q "$tmp/disk.raw"
mke2fs -q -F -t ext4 -E offset=1048576 -I 256 "$tmp/disk.raw" "${size}M"
mount -o loop,offset=1048576 "$tmp/disk.raw" "$tmp/mnt"
cp -a "$tmp/source/." "$tmp/mnt/"
check "the kernel keeps the tree" judge_same_tree "$tmp/source" "$tmp/mnt"
umount "$tmp/mnt"
qemu-img convert -t unsafe -O vmdk "$tmp/disk.raw" "$tmp/disk.vmdk"

for disk in disk.raw disk.vmdk; do
	rm -rf "$tmp/out"
	check "$disk: cp --archive" sv cp --archive "$tmp/$disk:/" "$tmp/out"
	check "$disk: is the source" judge_same_tree "$tmp/source" "$tmp/out"
done
# a tar stream has no sockets
find "$tmp/source" -type s -delete
for disk in disk.raw disk.vmdk; do
	rm -rf "$tmp/out"
	mkdir "$tmp/out"
	sv cp -q "$tmp/$disk:/" - >"$tmp/out.tar" || fail "$disk: cp to a tar stream"
	check "$disk: tar takes the stream" tar --xattrs --xattrs-include='*' -xpf "$tmp/out.tar" \
		-C "$tmp/out" --strip-components=1
	rm "$tmp/out.tar"
	check "$disk: the stream has the source" judge_same_tree "$tmp/source" "$tmp/out"
done
rm -rf "$tmp/out"

# what others see: names that are no UTF-8, and those of more than 255 characters, aside
utf8() { iconv -f UTF-8 -t UTF-8 2>/dev/null -c; }
sv ls -R "$tmp/disk.raw:/" | sed 's:/$::' | utf8 | sort >"$tmp/ours"
fls -r -p -u -F -o 2048 "$tmp/disk.raw" | sed 's/^[^\t]*\t//' | utf8 | sort >"$tmp/fls"
sv ls -R -l --plain "$tmp/disk.raw:/" | grep -v '^d' | cut -f 6- | sed 's/ -> .*//' | utf8 |
	sort >"$tmp/ours-files"
LC_ALL=C.UTF-8 grep -v '\$OrphanFiles' "$tmp/fls" | grep -v '�' >"$tmp/fls-files" || :
grep -v '�\|bytes ' "$tmp/ours-files" >"$tmp/ours-clean"
grep -v '�\|bytes ' "$tmp/fls-files" >"$tmp/fls-clean"
check "fls -r names the same files" cmp "$tmp/ours-clean" "$tmp/fls-clean"

window "$tmp/disk.raw" "$tmp/volume" 1048576 $((size << 20))
rm -rf "$tmp/dump"
mkdir "$tmp/dump"
debugfs -R "rdump / $tmp/dump" "$tmp/volume" >"$tmp/rdump.log" 2>&1
(cd "$tmp/dump" && find . -type f ! -path './lost+found*' -exec sha256sum {} + | sort) >"$tmp/dump.sums"
(cd "$tmp/source" && find . -type f -exec sha256sum {} + | sort) >"$tmp/source.sums"
check "debugfs dumps the same content" cmp "$tmp/dump.sums" "$tmp/source.sums"
