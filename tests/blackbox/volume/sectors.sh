#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# File systems on a disk with sectors of 4096 bytes, on GPT and MBR as fdisk makes them: each is
# found where it lies, and its file is read.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires fdisk jq mkfs.ext4 debugfs mkntfs ntfscp mkfs.vfat mcopy mkfs.xfs

mib=1048576
echo "on large sectors" >"$tmp/text"
fs() { # NAME MIB: an image of a file system for sectors of 4096 bytes, with text.txt in it
	truncate -s "$2M" "$tmp/fs"
	case $1 in
	ext4)
		mkfs.ext4 -q -F -b 4096 "$tmp/fs"
		debugfs -w -R "write $tmp/text text.txt" "$tmp/fs" 2>/dev/null >/dev/null
		;;
	ntfs)
		mkntfs -qF -s 4096 "$tmp/fs" >/dev/null 2>&1
		ntfscp -f "$tmp/fs" "$tmp/text" text.txt 2>/dev/null
		;;
	fat)
		mkfs.vfat -S 4096 "$tmp/fs" >/dev/null
		mcopy -i "$tmp/fs" "$tmp/text" ::text.txt
		;;
	xfs)
		printf '%s\n' /dev/null '0 0' 'd--755 0 0' "text.txt ---644 0 0 $tmp/text" '$' >"$tmp/proto"
		mkfs.xfs -q -s size=4096 -p "$tmp/proto" "$tmp/fs"
		;;
	esac
}

for table in g o; do
	rm -f "$tmp/disk"
	truncate -s 700M "$tmp/disk"
	# fdisk counts in sectors of 4096 bytes, too
	if [ $table = o ]; then
		printf '%s\n' o n p 1 256 +32M n p 2 10240 +64M n p 3 30720 +160M n p 76800 +320M w \
			>"$tmp/keys"
	else
		printf '%s\n' g n 1 256 +32M n 2 10240 +64M n 3 30720 +160M n 4 76800 +320M w \
			>"$tmp/keys"
	fi
	fdisk -b 4096 "$tmp/disk" <"$tmp/keys" >"$tmp/log" 2>&1 || {
		cat "$tmp/log"
		fail "fdisk"
	}
	for place in ext4:1:32 ntfs:40:64 fat:120:160 xfs:300:320; do
		name=${place%%:*}
		size=${place##*:}
		start=${place#*:}
		start=${start%:*}
		fs "$name" "$size"
		dd if="$tmp/fs" of="$tmp/disk" bs=$mib seek="$start" conv=notrunc,sparse 2>/dev/null
		rm -f "$tmp/fs"
	done
	"$SHAREVM" show --json "$tmp/disk" >"$tmp/json"
	found=$(jq -r '[.disks[0].volumes[] | "\(.fs):\(.start / 1048576):\(.size / 1048576)"] |
		join(" ")' "$tmp/json")
	case $found in
	ext4:1:32\ ntfs:40:64\ fat*:120:160\ xfs:300:320) ;;
	*) fail "the volumes are $found" ;;
	esac
	for number in 1 2 3 4; do
		[ "$("$SHAREVM" cat "$tmp/disk:@disk0p$number:/text.txt")" = "on large sectors" ] ||
			fail "the file on partition $number"
	done
	echo "ok: four file systems on $([ $table = g ] && echo GPT || echo MBR)"
done
