#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Linux guests: the root volume (ext4, ext3, ext2) of a disk of each format gets more room, linked,
# as a copy and in place; e2fsck and the partition tools judge the result, debugfs finds the
# files as they were, and going back leaves the disk as it was.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mke2fs e2fsck debugfs sfdisk sgdisk qemu-img jq sha256sum
sharevm=$SHAREVM
cd "$tmp" || exit 1

mkdir -p root/etc root/home/ann
printf 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n' >root/etc/os-release
echo 'UUID=11111111-2222-3333-4444-555555555555 / auto defaults 0 1' >root/etc/fstab
for i in 1 2 3 4 5 6 7 8 9; do head -c $((i * 40000)) /dev/urandom >"root/home/ann/$i"; done
(cd root && find . -type f -exec sha256sum {} + | sort -k 2) >sums

# linux_disk TABLE TYPE OPTION...: disk.raw, its last partition a Linux of 120 MiB
linux_disk() {
	table=$1 type=$2
	shift 2
	rm -f disk.raw volume
	truncate -s 160M disk.raw
	if [ "$table" = gpt ]; then
		printf 'label: gpt\nsize=16M,type=U\nsize=120M,type=L\n'
	else
		printf 'label: dos\nsize=16M,type=c\nsize=120M,type=83\n'
	fi | sfdisk -q disk.raw
	truncate -s 120M volume
	mke2fs -q -F -t "$type" -U 11111111-2222-3333-4444-555555555555 -d root "$@" volume
	start=$(sfdisk -J disk.raw | jq '.partitiontable.partitions[1].start')
	dd if=volume of=disk.raw bs=512 seek="$start" conv=notrunc,sparse status=none
}

judge_linux() { # DISK: as a raw disk, then its volume, then each file
	raw_view "$1" view.raw
	[ "$(stat -c %s view.raw)" -eq $((3 << 30)) ] || { echo "it has $(stat -c %s view.raw) bytes"; return 1; }
	judge_table view.raw 512 || return 1
	size=$(sfdisk -J view.raw | jq '.partitiontable.partitions[1].size')
	[ "$size" -gt $((2900 << 11)) ] || { echo "the partition has $size sectors"; return 1; }
	window view.raw view $((start * 512)) $((size * 512))
	e2fsck -fn view || return 1
	dumpe2fs -h view >facts 2>/dev/null
	bytes=$(($(sed -n 's/^Block count: *//p' facts) * $(sed -n 's/^Block size: *//p' facts)))
	[ "$bytes" -gt $((2850 << 20)) ] || { echo "the file system covers $bytes bytes"; return 1; }
	rm -rf got && mkdir got
	debugfs -R "rdump / got" view >/dev/null 2>&1
	(cd got && sha256sum --quiet -c ../sums)
}

# extended TABLE TYPE FORMAT SUFFIX MODES: each way
extended() {
	label="$3 with $2 on $1"
	qemu-img convert -O "$3" disk.raw "disk.$4"
	sha256sum "disk.$4" >before
	for mode in $5; do
		check "$label: $mode" "$sharevm" extend "disk.$4" --to 3G "--$mode" --yes
		if [ "$mode" = in-place ]; then
			check "$label: $mode: judged" judge_linux "disk.$4"
			check "$label: $mode: back" "$sharevm" rollback "disk.$4" --yes
		else
			check "$label: $mode: judged" judge_linux "disk-extended/disk-extended.$4"
			check "$label: $mode: verify" "$sharevm" verify disk-extended
			check "$label: $mode: back" "$sharevm" rollback disk-extended --yes
		fi
		check "$label: $mode: the disk is as it was" sha256sum --quiet -c before
	done
	rm -f disk."$4"*
}

# the judge rejects a disk that was only made larger, and one whose file changed
linux_disk gpt ext4
qemu-img convert -O raw disk.raw twin.raw
truncate -s 3G twin.raw
check "the judge rejects a disk whose volume did not grow" rejects judge_linux twin.raw
rm twin.raw

extended gpt ext4 qcow2 qcow2 "linked copy in-place"
extended gpt ext4 vmdk vmdk "linked copy"
extended gpt ext4 vhdx vhdx "linked"
linux_disk mbr ext3
extended mbr ext3 vpc vhd "copy"
extended mbr ext3 vdi vdi "copy in-place"
linux_disk mbr ext2 -b 1024
extended mbr ext2 raw img "copy in-place"
