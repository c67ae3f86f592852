#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Debian's packages forensics-samples-* hold the same 18 files in six file systems
# (/usr/share/forensics-samples/fs.*.xz; SHAREVM_FORENSICS names another folder), and
# forensics-samples-multiple two files in four of them on one disk. All that are here must be
# equal, and be what sleuthkit recovers where it knows the file system.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires xz tsk_recover

folder=${SHAREVM_FORENSICS:-/usr/share/forensics-samples}
corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}/forensics-samples/fs.multiple.xz

# sums DIR: of all files below, less what only one kind of file system has
sums() {
	(cd "$1" && find . -type f ! -path './$*' ! -path './lost+found/*' -exec sha256sum {} + | sort -k 2)
}

# copied IMAGE PLACE OUT: what `cp` makes of a volume
copied() {
	rm -rf "$tmp/ours"
	mkdir "$tmp/ours"
	"$SHAREVM" cp -q "$1:$2" "$tmp/ours" || return 1
	sums "$tmp/ours"/* >"$3"
}

# recovered IMAGE FIRST-SECTOR OUT
recovered() {
	rm -rf "$tmp/theirs"
	mkdir "$tmp/theirs"
	tsk_recover -a -o "$2" "$1" "$tmp/theirs" >/dev/null 2>&1 || return 1
	sums "$tmp/theirs" >"$3"
}

# agrees WHAT FILES: the list in $tmp/now has so many lines and is that of the ones before
agrees() {
	[ "$(wc -l <"$tmp/now")" -eq "$2" ] || fail "$1: $(wc -l <"$tmp/now") files, not $2"
	[ -f "$tmp/all" ] || cp "$tmp/now" "$tmp/all"
	check "$1: the same $2 files" cmp "$tmp/now" "$tmp/all"
}

seen=0
for fs in ext2 ext4 btrfs ntfs vfat exfat; do
	[ -f "$folder/fs.$fs.xz" ] || continue
	xz -dc "$folder/fs.$fs.xz" >"$tmp/image"
	check "$fs is copied" copied "$tmp/image" / "$tmp/now"
	agrees "$fs" 18
	if [ $fs != btrfs ]; then
		check "$fs: sleuthkit reads it" recovered "$tmp/image" 2048 "$tmp/judge"
		check "$fs: sleuthkit recovers the same" cmp "$tmp/now" "$tmp/judge"
	fi
	seen=$((seen + 1))
done

if [ -f "$folder/fs.multiple.xz" ] || [ -f "$corpus" ]; then
	[ -f "$corpus" ] || corpus=$folder/fs.multiple.xz
	xz -dc "$corpus" >"$tmp/image"
	rm -f "$tmp/all"
	for part in 1:2048:btrfs 2:227328:ext4 3:309248:exfat 4:391168:ntfs; do
		number=${part%%:*} fs=${part##*:} first=${part#*:}
		first=${first%:*}
		check "$fs on one disk is copied" copied "$tmp/image" "@disk0p$number:/" "$tmp/now"
		agrees "$fs on one disk" 2
		[ $fs = btrfs ] || {
			check "$fs on one disk: sleuthkit reads it" recovered "$tmp/image" "$first" "$tmp/judge"
			check "$fs on one disk: sleuthkit recovers the same" cmp "$tmp/now" "$tmp/judge"
		}
		seen=$((seen + 1))
	done
fi
[ $seen -gt 0 ] || skip "no corpus folder, and no package forensics-samples-* ($folder)"
echo "ok: $seen volumes"
