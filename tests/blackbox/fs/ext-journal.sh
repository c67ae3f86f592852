#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Volumes that were copied while they were mounted: what is read through the journal must be what
# the kernel shows after its own recovery, and the copy must stay as it is.
# shellcheck source=tests/blackbox/fs/ext.sh
. "$(dirname "$0")/ext.sh"
needs_mounts

# change DIR: files made, removed, renamed, rewritten, in part synced
change() {
	(
		cd "$1" || exit
		for i in $(seq 300); do echo "new $i" >"n$i"; done
		mkdir old
		for i in $(seq 100); do echo "in $i" >"old/n$i"; done
		sync -f .
		rm -r old
		for i in $(seq 100); do rm "n$i"; done
		echo changed >n200
		mv n201 moved
		ln n202 second
		dd if=/dev/urandom of=rand bs=1k count=2000 conv=fsync status=none
		python3 - <<'END'
import os
def fsync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
for name in ('n200', 'moved', 'second'):
    fsync(name)
os.mkdir('made')
open('made/x', 'w').write('in a new folder')
fsync('made/x')
os.unlink('n203')
os.rename('n204', 'n205')
open('n206', 'w').write('Q' * 9000)
fsync('n206')
with open('hole', 'wb') as f:
    f.seek(1 << 20)
    f.write(b'Z' * 8192)
fsync('hole')
with open('hole', 'r+b') as f:
    f.truncate((1 << 20) + 4096)
fsync('hole')
open('n207', 'r+b').truncate(0)
os.symlink('n1', 'soft')
os.setxattr('n208', 'user.late', b'after the last commit')
fsync('n208')
END
	)
}

# recovered WHAT MKE2FS-OPTIONS MOUNT-OPTIONS
recovered() {
	rm -rf "$tmp/image" "$tmp/copy" "$tmp/kernel" "$tmp/ours" "$tmp/before"
	truncate -s 64M "$tmp/image"
	# shellcheck disable=SC2086 # several options
	mke2fs -q -F $2 "$tmp/image"
	mount -o "loop,$3" "$tmp/image" "$tmp/mnt" || fail "$1: cannot be mounted"
	change "$tmp/mnt"
	cp --sparse=always "$tmp/image" "$tmp/copy"
	loop=$(losetup -n -O NAME -j "$tmp/image")
	case $2 in *fast_commit*)
		grep -q '^[1-9][0-9]* commits' "/proc/fs/ext4/${loop#/dev/}/fc_info" ||
			fail "$1: the kernel made no fast commit" ;;
	esac
	umount "$tmp/mnt"
	dumpe2fs -h "$tmp/copy" 2>/dev/null | grep -q needs_recovery || fail "$1: nothing to recover"

	# what lies on the volume itself is something else: the test has something to show
	mount -o loop,ro,noload "$tmp/copy" "$tmp/mnt"
	(cd "$tmp/mnt" && find . | sort) >"$tmp/before" 2>/dev/null || :
	umount "$tmp/mnt"
	sum=$(sha256sum <"$tmp/copy")
	mkdir "$tmp/ours"
	check "$1: is read" sv cp -a "$tmp/copy:/" "$tmp/ours/all"
	[ "$(sha256sum <"$tmp/copy")" = "$sum" ] || fail "$1: the copy was changed"
	mount -o loop "$tmp/copy" "$tmp/mnt"
	(cd "$tmp/mnt" && find . | sort) | cmp -s - "$tmp/before" && fail "$1: replay changes nothing"
	check "$1: is what the kernel recovers" judge_same_tree "$tmp/mnt" "$tmp/ours/all"
	umount "$tmp/mnt"
}

judge_trees_is_one
recovered "ordered data, 4 KiB" "-t ext4 -b 4096" data=ordered
recovered "ordered data, 1 KiB" "-t ext4 -b 1024" data=ordered
recovered "data in the journal" "-t ext4" data=journal
recovered "ext3" "-t ext3" data=journal
recovered "without checksums, 64bit" "-t ext4 -O ^metadata_csum,64bit" data=ordered
recovered "checksums of version 1" "-t ext4 -O ^metadata_csum,^64bit" journal_checksum
recovered "without 64bit" "-t ext4 -O ^64bit" data=journal
recovered "fast commits" "-t ext4 -O fast_commit" data=ordered
recovered "fast commits, 1 KiB" "-t ext4 -b 1024 -O fast_commit,^metadata_csum" data=ordered
recovered "fast commits, data in inodes" "-t ext4 -O fast_commit,inline_data" data=ordered

# ---- damage ends the replay where it is, and is told ----

first_of_journal() { # prints the byte where journal block $1 lies
	block=$(debugfs -R "bmap <8> $1" "$tmp/copy" 2>/dev/null)
	echo $((block * 4096))
}
rm -rf "$tmp/image" "$tmp/copy"
truncate -s 64M "$tmp/image"
mke2fs -q -F -t ext4 -b 4096 "$tmp/image"
mount -o loop "$tmp/image" "$tmp/mnt"
change "$tmp/mnt"
cp --sparse=always "$tmp/image" "$tmp/copy"
umount "$tmp/mnt"
at=$(first_of_journal 1)
printf 'torn' | dd of="$tmp/copy" bs=1 seek=$((at + 2000)) conv=notrunc status=none
sv ls "$tmp/copy:/" >"$tmp/out" 2>"$tmp/err" || fail "a torn journal stops everything"
grep -q "the journal is damaged" "$tmp/err" || fail "a torn journal is not told"
printf 'none' | dd of="$tmp/copy" bs=1 seek="$(first_of_journal 0)" conv=notrunc status=none
sv ls "$tmp/copy:/" >"$tmp/out" 2>"$tmp/err" || fail "a journal without its superblock stops everything"
grep -q "the journal cannot be read" "$tmp/err" || fail "a journal that is none is not told"
echo "ok: damage in the journal is told"

# ---- a journal of its own ----

truncate -s 16M "$tmp/journal"
truncate -s 32M "$tmp/image"
device=$(losetup -f --show "$tmp/journal")
on_exit "losetup -d '$device' 2>/dev/null"
mke2fs -q -F -O journal_dev -b 4096 "$device"
mke2fs -q -F -t ext4 -b 4096 -J device="$device" "$tmp/image"
mount -o loop "$tmp/image" "$tmp/mnt"
echo early >"$tmp/mnt/early"
umount "$tmp/mnt"
mount -o loop "$tmp/image" "$tmp/mnt"
echo late >"$tmp/mnt/late"
sync -f "$tmp/mnt"
cp "$tmp/image" "$tmp/copy"
umount "$tmp/mnt"
uuid=$(dumpe2fs -h "$tmp/journal" 2>/dev/null | sed -n 's/^Filesystem UUID: *//p')
[ "$(sv cat "$tmp/copy:/early" 2>"$tmp/err")" = early ] || fail "a journal elsewhere stops reading"
grep -q "the journal lies on another device ($uuid)" "$tmp/err" || fail "the journal is not named"
echo "ok: a journal on another device is named"
