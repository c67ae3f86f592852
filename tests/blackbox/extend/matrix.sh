#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One cell of the matrix: a machine of SUBFORMAT with CHAIN links and TABLE is extended linked,
# as a copy, and (without snapshots) in place. The linked result is judged in every way that
# there is; the others must show the guest the same bytes. Then everything is rolled back.
#
#   matrix.sh SUBFORMAT CHAIN TABLE
. "$(dirname "$0")/../lib.sh"
subformat=$1 chain=$2 table=$3
sample_requires
requires ntfsresize ntfsfix ntfscluster 7z tsk_recover sgdisk jq openssl
if [ "$table" = gpt4k ]; then
	[ "$(id -u)" -eq 0 ] || skip "needs root: 4096-byte sectors are judged through a loop device"
	losetup -f >/dev/null 2>&1 || skip "no loop device"
fi

# Split disks get a first partition of 2 GiB that nobody writes, so that C: lies in the second
# extent and the result needs a third.
case $subformat in
twoGb*) before=2G to=$((5 << 30)) ;;
*) before=0 to=$((1 << 30)) ;;
esac
make_sample "$tmp/vm" --subformat "$subformat" --chain "$chain" --table "$table" --before $before
manifest=$tmp/vm/manifest.sha256
folder=$(dirname "$vmx")
sums_of "$folder" >"$tmp/sums"
to_arg=$((to >> 20))M

disk_of() { # DIR: the disk that the machine in DIR starts from
	sed -n 's/^scsi0:0.fileName = "\(.*\)"$/\1/p' "$1"/*.vmx | sed "s|^[^/]|$1/&|"
}

extend() { # HOW VMX OPTION...
	how=$1
	shift
	"$SHAREVM" extend "$@" "--$how" --to $to_arg --yes --json --allow-path "$tmp" \
		>"$tmp/$how.json"
}

check "dry run: succeeds" "$SHAREVM" extend "$vmx" --to $to_arg --linked --dry-run
check "dry run: writes nothing" judge_originals "$folder" "$tmp/sums"

# ---- linked, judged in every way
check "linked: extends" extend linked "$vmx" --into "$tmp/linked"
linked=$(disk_of "$tmp/linked")
check "linked: the disk has the size that was asked for" judge_size "$linked" "$to"
check "linked: qemu-img finds no fault in its chain" judge_chain "$linked"
raw_view "$linked" "$tmp/disk.raw"
check "linked: the partition table is sound" judge_table "$tmp/disk.raw" "$sector"
# shellcheck disable=SC2046 # two words
set -- $(partition "$tmp/disk.raw" "$sector" "$c_index")
[ "$1" -eq "$c_start" ] || fail "C: starts at $1, not at $c_start any more"
[ $(($1 + $2)) -gt $((to - (2 << 20))) ] || fail "C: ends at $(($1 + $2)), the disk at $to"
[ $(($1 + $2)) -le "$to" ] || fail "C: ends behind the disk"
window "$tmp/disk.raw" "$tmp/c.raw" "$1" "$2"
rm "$tmp/disk.raw"
check "linked: ntfsresize and ntfsfix find no fault" judge_ntfs "$tmp/c.raw"
check "linked: C: fills its partition" judge_ntfs_fills "$tmp/c.raw" "$sector"
check "linked: ntfs-3g reads every file as it was" judge_files_mount "$tmp/c.raw" "$manifest"
check "linked: sleuthkit reads every file as it was" judge_files_tsk "$tmp/c.raw" "$manifest"
[ "$sector" -ne 512 ] || # 7-Zip knows no NTFS with larger sectors
	check "linked: 7-Zip reads every file as it was" judge_files_7z "$tmp/c.raw" "$manifest"
rm "$tmp/c.raw"
check "linked: sharevm verify agrees" "$SHAREVM" verify "$tmp/linked" --full
check "linked: the originals are untouched" judge_originals "$folder" "$tmp/sums"

# ---- copy
check "copy: extends" extend copy "$vmx" --into "$tmp/copy"
copied=$(disk_of "$tmp/copy")
check "copy: qemu-img finds no fault" judge_chain "$copied"
check "copy: the guest sees the same as with the linked disk" judge_same_guest "$linked" "$copied"
mv "$folder" "$folder.away"
check "copy: needs nothing of the original" raw_view "$copied" "$tmp/disk.raw"
rm "$tmp/disk.raw"
mv "$folder.away" "$folder"
check "copy: the originals are untouched" judge_originals "$folder" "$tmp/sums"

# ---- in place, on a machine of its own
if [ "$chain" -eq 1 ]; then
	cp -a --sparse=always "$folder" "$tmp/own"
	sums_of "$tmp/own" >"$tmp/own.sums"
	check "in place: extends" extend in-place "$tmp/own/Windows 7.vmx"
	own=$(disk_of "$tmp/own")
	check "in place: qemu-img finds no fault" judge_chain "$own"
	check "in place: the guest sees the same as with the linked disk" \
		judge_same_guest "$linked" "$own"
	check "in place: rolls back" "$SHAREVM" rollback "$tmp/own/Windows 7.vmx" --yes
	sums_of "$tmp/own" | sed 's/ [0-9]* \.\// .\//' >"$tmp/after.sums"
	sed 's/ [0-9]* \.\// .\//' "$tmp/own.sums" >"$tmp/before.sums"
	check "in place: every file has its old bytes again" \
		diff "$tmp/before.sums" "$tmp/after.sums"
else
	cp -a --sparse=always "$folder" "$tmp/own"
	sums_of "$tmp/own" >"$tmp/own.sums"
	check_exit 5 "in place: a machine with snapshots is refused" extend in-place \
		"$tmp/own/Windows 7.vmx"
	check "in place: and left alone" judge_originals "$tmp/own" "$tmp/own.sums"
fi

# ---- and back
check "linked: rolls back" "$SHAREVM" rollback "$tmp/linked" --yes
[ ! -e "$tmp/linked" ] || fail "rollback left $tmp/linked"
check "copy: rolls back" "$SHAREVM" rollback "$tmp/copy" --yes
[ ! -e "$tmp/copy" ] || fail "rollback left $tmp/copy"
check "the originals are untouched in the end" judge_originals "$folder" "$tmp/sums"
