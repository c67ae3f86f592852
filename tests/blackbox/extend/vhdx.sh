#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A VHDX by itself, as qemu-img makes it, and a chain of two: extended linked, as a copy and in
# place, and rolled back. qemu-img reads no differencing VHDX: 7-Zip judges the linked ones.
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires 7z ntfsresize ntfsfix ntfscluster tsk_recover
small_machine
manifest=$tmp/base/manifest.sha256
to_bytes=$((200 << 20))
mkdir "$tmp/vhdx"
qemu-img convert -f raw -O vhdx "$tmp/base/Windows 7/Windows 7-flat.vmdk" "$tmp/vhdx/disk.vhdx"

# again: a copy of it in $room
again() {
	room=$tmp/room
	rm -rf "$room"
	mkdir "$room"
	cp -a --sparse=always "$tmp/vhdx/"*.vhdx "$room/"
	tree_of "$room" >"$tmp/tree"
}
untouched() {
	tree_of "$room" | grep -v -- -extended | diff "$tmp/tree" -
}
extend_disk() { # HOW DISK
	"$SHAREVM" extend "$room/$2" "--$1" --to $to --yes --json >"$tmp/$1.json"
}

# 7-Zip takes a parent's path for a name: links of these names lead to the parents
raw_by_7z() { # DISK OUT
	rm -rf "$tmp/names"
	mkdir "$tmp/names"
	cp --sparse=always "$1" "$tmp/names/top.vhdx"
	for parent in "$room"/*.vhdx; do
		ln -s "$parent" "$tmp/names/$(basename "$parent")"
		ln -s "$parent" "$tmp/names/..\\$(basename "$parent")"
	done
	7z e -so -tVHDX "$tmp/names/top.vhdx" >"$2"
}

judge_disk() { # WHAT RAW
	[ "$(stat -c %s "$2")" -eq $to_bytes ] || fail "$1: the disk has $(stat -c %s "$2") bytes"
	check "$1: the partition table is sound" judge_table "$2" 512
	# shellcheck disable=SC2046 # two words
	set -- "$1" "$2" $(partition "$2" 512 "$c_index")
	[ $(($3 + $4)) -gt $((to_bytes - (2 << 20))) ] || fail "$1: C: ends at $(($3 + $4))"
	window "$2" "$tmp/c.raw" "$3" "$4"
	check "$1: ntfsresize and ntfsfix find no fault" judge_ntfs "$tmp/c.raw"
	check "$1: C: fills its partition" judge_ntfs_fills "$tmp/c.raw" 512
	check "$1: ntfs-3g reads every file as it was" judge_files_mount "$tmp/c.raw" "$manifest"
	rm "$tmp/c.raw"
}

judge_linked() { # WHAT DISK
	check "$1: sharevm finds no fault in it" "$SHAREVM" image check "$2"
	check "$1: 7-Zip reads it" raw_by_7z "$2" "$tmp/linked.raw"
	judge_disk "$1" "$tmp/linked.raw"
	check "$1: sharevm verify agrees" "$SHAREVM" verify "$(dirname "$2")" --full
	check "$1: the original is untouched" untouched
}

judge_own() { # WHAT DISK
	check "$1: qemu-img finds no fault in it" qemu-img check -q "$2"
	check "$1: it has the size that was asked for" judge_size "$2" $to_bytes
	check "$1: the guest sees the same as with the linked disk" \
		qemu-img compare -F raw "$2" "$tmp/linked.raw"
}

# ---- one file
again
check "linked: extends" extend_disk linked disk.vhdx
judge_linked linked "$room/disk-extended/disk-extended.vhdx"
check "linked: rolls back" "$SHAREVM" rollback "$room/disk-extended" --yes
check "linked: nothing is left" untouched

check "copy: extends" extend_disk copy disk.vhdx
judge_own copy "$room/disk-extended/disk-extended.vhdx"
check "copy: the original is untouched" untouched
cp --sparse=always "$tmp/linked.raw" "$tmp/other.raw"
poke "$tmp/other.raw" 5000000 x
check "copy: the judge sees a changed byte" rejects qemu-img compare -F raw \
	"$room/disk-extended/disk-extended.vhdx" "$tmp/other.raw"
check "copy: rolls back" "$SHAREVM" rollback "$room/disk-extended" --yes
check "copy: nothing is left" untouched

check "in place: extends" extend_disk in-place disk.vhdx
judge_own "in place" "$room/disk.vhdx"
check "in place: rolls back" "$SHAREVM" rollback "$room/disk.vhdx" --yes
bytes_of "$tmp/vhdx" >"$tmp/before"
bytes_of "$room" | diff "$tmp/before" - || fail "in place: rollback left other bytes"
echo "ok: in place: every byte is as it was"

# ---- a chain: what a snapshot leaves
"$SHAREVM" image create "$tmp/vhdx/snap.avhdx" --parent "$tmp/vhdx/disk.vhdx" --format vhdx
mv "$tmp/vhdx/snap.avhdx" "$tmp/vhdx/snap.vhdx"
again
check "chain, linked: extends" extend_disk linked snap.vhdx
judge_linked "chain, linked" "$room/snap-extended/snap-extended.vhdx"
check "chain, linked: rolls back" "$SHAREVM" rollback "$room/snap-extended" --yes
check "chain, copy: extends" extend_disk copy snap.vhdx
judge_own "chain, copy" "$room/snap-extended/snap-extended.vhdx"
check "chain, copy: the original is untouched" untouched
check "chain, copy: rolls back" "$SHAREVM" rollback "$room/snap-extended" --yes
check_exit 5 "chain, in place: is refused" extend_disk in-place snap.vhdx
check "chain: nothing is left" untouched
