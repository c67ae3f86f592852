#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Judges the judges of lib.sh: each must accept a sound sample machine, and must reject a twin of
# it that is broken in the way that it is there to notice.
. "$(dirname "$0")/lib.sh"
sample_requires
requires ntfsresize ntfsfix ntfscluster 7z tsk_recover sgdisk jq openssl

poke() { # FILE OFFSET BYTES, as printf writes them
	# shellcheck disable=SC2059 # the bytes are escapes
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
twin() { cp --sparse=always "$1" "$2"; }

make_sample "$tmp/vm" --table gpt --files 60
manifest=$tmp/vm/manifest.sha256
raw_view "$disk" "$tmp/disk.raw"
window "$tmp/disk.raw" "$tmp/c.raw" "$c_start" "$c_size"

# ---- originals
folder=$(dirname "$vmx")
sums_of "$folder" >"$tmp/sums"
check "originals: accepts an untouched folder" judge_originals "$folder" "$tmp/sums"
cp -a "$folder" "$tmp/copy"
poke "$tmp/copy/Windows 7-s001.vmdk" 200000 X
check "originals: rejects a changed byte" rejects judge_originals "$tmp/copy" "$tmp/sums"
rm -r "$tmp/copy"
cp -a "$folder" "$tmp/copy"
touch -d 2001-01-01 "$tmp/copy/Windows 7.vmx"
check "originals: rejects a changed time" rejects judge_originals "$tmp/copy" "$tmp/sums"
touch "$tmp/copy/new"
check "originals: rejects a new file" rejects judge_originals "$tmp/copy" "$tmp/sums"

# ---- virtual disks
check "chain: accepts the sample" judge_chain "$disk"
mv "$tmp/copy/Windows 7-s001.vmdk" "$tmp/copy/gone"
check "chain: rejects one whose base misses an extent" rejects judge_chain \
	"$tmp/copy/Windows 7-000001.vmdk"
mv "$tmp/copy/gone" "$tmp/copy/Windows 7-s001.vmdk"
size_of_delta=$(stat -c %s "$tmp/copy/Windows 7-000001-s001.vmdk")
truncate -s $((size_of_delta / 2)) "$tmp/copy/Windows 7-000001-s001.vmdk"
check "chain: rejects a delta that was cut off" rejects judge_chain \
	"$tmp/copy/Windows 7-000001.vmdk"
check "size: accepts the right one" judge_size "$disk" "$disk_size"
check "size: rejects another" rejects judge_size "$disk" $((disk_size + 512))
check "guest: accepts the same disk in another format" judge_same_guest "$disk" "$tmp/disk.raw"
twin "$tmp/disk.raw" "$tmp/twin.raw"
poke "$tmp/twin.raw" $((c_start + 5000000)) X
check "guest: rejects one changed byte" rejects judge_same_guest "$disk" "$tmp/twin.raw"
twin "$tmp/disk.raw" "$tmp/twin.raw"
truncate -s +1M "$tmp/twin.raw"
check "guest: rejects another size" rejects judge_same_guest "$disk" "$tmp/twin.raw"

# ---- tables
check "table: accepts GPT" judge_table "$tmp/disk.raw" 512
check "table: rejects GPT whose backup is not at the end" rejects judge_table "$tmp/twin.raw" 512
twin "$tmp/disk.raw" "$tmp/twin.raw"
poke "$tmp/twin.raw" $((disk_size - 512)) XXXXXXXX
check "table: rejects GPT without a backup header" rejects judge_table "$tmp/twin.raw" 512
twin "$tmp/disk.raw" "$tmp/twin.raw"
poke "$tmp/twin.raw" $((2 * 512 + 32)) '\377'
check "table: rejects GPT with a wrong checksum" rejects judge_table "$tmp/twin.raw" 512
truncate -s 64M "$tmp/mbr.raw"
printf '2048 20480 7\n30720 20480 7\n' | sfdisk -q --label dos "$tmp/mbr.raw"
check "table: accepts MBR" judge_table "$tmp/mbr.raw" 512
poke "$tmp/mbr.raw" $((446 + 12)) '\377\377'
check "table: rejects MBR with overlapping entries" rejects judge_table "$tmp/mbr.raw" 512
[ "$(partition "$tmp/disk.raw" 512 "$c_index")" = "$c_start $c_size" ] ||
	fail "partition: sfdisk does not see C: where the sample has it"
if [ "$(id -u)" -eq 0 ] && loop=$(losetup -f 2>/dev/null) && [ -b "$loop" ]; then
	(make_sample "$tmp/vm4k" --table gpt4k --files 30 --fill 50 --chain 1
		raw_view "$disk" "$tmp/4k.raw"
		check "table: accepts GPT with 4096-byte sectors" judge_table "$tmp/4k.raw" 4096
		[ "$(partition "$tmp/4k.raw" 4096 "$c_index")" = "$c_start $c_size" ] ||
			fail "partition: not found with 4096-byte sectors"
		truncate -s +1M "$tmp/4k.raw"
		check "table: rejects it when its backup is not at the end" rejects judge_table \
			"$tmp/4k.raw" 4096)
fi

# ---- NTFS
check "ntfs: accepts the sample" judge_ntfs "$tmp/c.raw"
check "ntfs: it fills its partition" judge_ntfs_fills "$tmp/c.raw" 512
twin "$tmp/c.raw" "$tmp/twin.raw"
truncate -s +8M "$tmp/twin.raw"
check "ntfs: rejects a partition that grew alone (no backup boot sector at its end)" \
	rejects judge_ntfs "$tmp/twin.raw"
check "ntfs: it does not fill that partition" rejects judge_ntfs_fills "$tmp/twin.raw" 512
twin "$tmp/c.raw" "$tmp/twin.raw"
poke "$tmp/twin.raw" $((c_size - 512)) '\0\0\0\0\0\0\0\0'
check "ntfs: rejects a wrong backup boot sector" rejects judge_ntfs "$tmp/twin.raw"
bitmap=$(ntfscluster -f -I 6 "$tmp/c.raw" 2>/dev/null | awk '/0x80/ { on = 1 } on && $2 ~ /^[0-9]+$/ { print $2; exit }')
[ -n "$bitmap" ] || fail "ntfscluster does not tell where \$Bitmap lies"
twin "$tmp/c.raw" "$tmp/twin.raw"
poke "$tmp/twin.raw" $((bitmap * 4096 + 16)) '\0\0\0\0'
check "ntfs: rejects clusters in use that are marked free" rejects judge_ntfs "$tmp/twin.raw"
mft=$((4 * 4096))
twin "$tmp/c.raw" "$tmp/twin.raw"
poke "$tmp/twin.raw" $((mft + 1024)) XXXX
check "ntfs: rejects a broken record of the MFT's mirror" rejects judge_ntfs "$tmp/twin.raw"

# ---- files
check "files: ntfs-3g reads all" judge_files_mount "$tmp/c.raw" "$manifest"
check "files: 7-Zip reads all" judge_files_7z "$tmp/c.raw" "$manifest"
check "files: sleuthkit reads all" judge_files_tsk "$tmp/c.raw" "$manifest"
cluster=$(ntfscluster -f -F "ProgramData/media/recording 0-0.vob" "$tmp/c.raw" 2>/dev/null |
	awk '/0x80/ { on = 1 } on && $2 ~ /^[0-9]+$/ { print $2; exit }')
twin "$tmp/c.raw" "$tmp/twin.raw"
poke "$tmp/twin.raw" $((cluster * 4096 + 100)) X
check "files: ntfs-3g finds a changed byte" rejects judge_files_mount "$tmp/twin.raw" "$manifest"
check "files: 7-Zip finds a changed byte" rejects judge_files_7z "$tmp/twin.raw" "$manifest"
check "files: sleuthkit finds a changed byte" rejects judge_files_tsk "$tmp/twin.raw" "$manifest"
: >"$tmp/empty"
check "files: an empty list is a fault" rejects judge_files_mount "$tmp/c.raw" "$tmp/empty"
