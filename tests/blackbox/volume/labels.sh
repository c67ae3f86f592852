#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# An Apple partition map that parted makes and a BSD disklabel that fdisk makes in an MBR
# partition, read as sleuthkit's mmls reads them, and refused by extend.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires parted fdisk sfdisk mmls jq mkfs.ext4

ours() { # DISK: "start sectors" of each volume that is not a whole slice, by start
	"$SHAREVM" show --json "$1" |
		jq -r '.disks[].volumes[] | select(.fs != "bsd") | "\(.start / 512) \(.size / 512)"' |
		sort -n
}
theirs() { # TYPE DISK: the same by mmls, without what is free and the table itself
	mmls -t "$1" "$2" | tr -s ' ' | sed -n 's/^[0-9]*: //p' | grep -v -i 'free\|meta\|unallocated' |
		awk '{ print $2 + 0, $4 + 0 }' | sort -n
}
same() { # DISK TYPE
	ours "$1" >"$tmp/ours"
	theirs "$2" "$1" >"$tmp/theirs"
	[ -s "$tmp/theirs" ] || fail "mmls sees nothing on $1"
	cmp -s "$tmp/ours" "$tmp/theirs" || {
		echo "ours:" && cat "$tmp/ours" && echo "mmls:" && cat "$tmp/theirs"
		fail "another list than mmls's"
	}
}

truncate -s 64M "$tmp/apm"
parted -s "$tmp/apm" mklabel mac mkpart one ext2 1MiB 20MiB mkpart two hfs+ 20MiB 40MiB
same "$tmp/apm" mac
"$SHAREVM" show "$tmp/apm" | grep -q 'Apple partition map' || fail "show does not name the map"
check_exit 5 "extend refuses an Apple partition map" \
	"$SHAREVM" extend "$tmp/apm" --to 100M --volume disk0p2 --dry-run
dd if=/dev/zero of="$tmp/fs" bs=1M count=19 2>/dev/null
mkfs.ext4 -q -F -L inside "$tmp/fs"
start=$(ours "$tmp/apm" | sed -n '2s/ .*//p')
dd if="$tmp/fs" of="$tmp/apm" bs=512 seek="$start" conv=notrunc 2>/dev/null
check "lists a folder on a partition of Apple's map" "$SHAREVM" ls "$tmp/apm:@disk0p2:/lost+found"

# in an MBR partition: fdisk's own commands for disklabels
truncate -s 64M "$tmp/mbr"
printf 'label: dos\nstart=2048,size=8192,type=7\nstart=10240,size=102400,type=a5\n' |
	sfdisk -q "$tmp/mbr" >/dev/null
printf 'b\ny\nn\na\n\n+20M\nn\nb\n60000\n+10M\nw\n' | fdisk "$tmp/mbr" >"$tmp/log" 2>&1 || cat "$tmp/log"
mmls -a -t bsd -o 10240 "$tmp/mbr" >"$tmp/list" 2>/dev/null || {
	echo "not asked: this fdisk made no disklabel"
	exit 0
}
"$SHAREVM" show --json "$tmp/mbr" >"$tmp/json"
ids=$(jq -r '[.disks[].volumes[].id] | join(" ")' "$tmp/json")
[ "$ids" = "disk0p1 disk0p2 disk0p2a disk0p2b" ] || fail "volumes are $ids"
check_exit 5 "extend refuses what is inside a slice" \
	"$SHAREVM" extend "$tmp/mbr" --to 100M --volume disk0p2a --dry-run
check_exit 5 "extend refuses a slice with a disklabel" \
	"$SHAREVM" extend "$tmp/mbr" --to 100M --volume disk0p2 --dry-run
place=$(jq -r '.disks[].volumes[] | select(.id == "disk0p2b") | "\(.start / 512) \(.size / 512)"' \
	"$tmp/json")
echo "$place" | {
	read -r start size
	awk -v s="$start" -v n="$size" '$3 + 0 == s && $5 + 0 == n { found = 1 } END { exit !found }' \
		"$tmp/list" || {
		cat "$tmp/list"
		fail "disk0p2b is $start $size, not as mmls has it"
	}
}
echo "ok: a disklabel in an MBR partition"
