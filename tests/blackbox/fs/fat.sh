#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# FAT12, FAT16, FAT32 and exFAT, made by mkfs.fat and mkfs.exfat and filled by the Linux kernel
# in QEMU: every name, content and time must come out as it went in. Fragments come from files
# that are written by turns.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mkfs.fat mkfs.exfat fsck.exfat fsck.fat qemu-system-x86_64

make() { # NAME SIZE COMMAND...
	truncate -s "$2" "$tmp/$1"
	image=$tmp/$1
	shift 2
	"$@" "$image" >"$tmp/mkfs.log" 2>&1 || {
		cat "$tmp/mkfs.log"
		fail "$*"
	}
}
make fat12 4M mkfs.fat -F 12 -n TWELVE
make fat16 40M mkfs.fat -F 16 -s 4 -n SIXTEEN
make fat32 70M mkfs.fat -F 32 -s 1 -n "THIRTY TWO"
make fat32-4k 300M mkfs.fat -F 32 -S 4096 -s 1
make exfat 64M mkfs.exfat -c 4K -L "Größe"
make exfat-512 64M mkfs.exfat -c 512

cat >"$tmp/script" <<'END'
fail() { echo "failed: $*"; exit 1; }
fill() { # in the root of a volume
	mkdir -p "a folder/deeper/still deeper" empty "Ünïcödé Ж λ 漢字"
	echo hello >README.TXT
	echo small >lower.txt
	: >nothing
	head -c 100000 /dev/urandom >"a folder/one hundred thousand bytes.bin"
	echo x >"Ünïcödé Ж λ 漢字/𝄞 clef.txt"
	n=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhh
	echo long >"a folder/$n$n$n.txt"
	# by turns, so that both are in pieces
	i=0
	while [ $i -lt 30 ]; do
		head -c 3000 /dev/urandom >>"a folder/deeper/even"
		head -c 5000 /dev/urandom >>"a folder/deeper/odd"
		sync
		i=$((i + 1))
	done
	i=0
	while [ $i -lt 200 ]; do
		echo $i >"a folder/deeper/still deeper/file number $i.txt"
		i=$((i + 1))
	done
	rm "a folder/deeper/still deeper/file number 1"*
	mkdir -p "a folder/gone" && rmdir "a folder/gone"
	truncate -s 150000 README.TXT
	touch -d '2019-06-15 12:34:56' lower.txt
}
for letter in a b c d e f; do
	type=vfat options=utf8=1,tz=UTC
	case $letter in e | f) type=exfat options=iocharset=utf8 ;; esac
	mkdir -p /mnt/$letter
	mount -t $type -o $options /dev/vd$letter /mnt/$letter || fail "mount $letter"
	(cd /mnt/$letter && fill) || fail "filling $letter"
	umount /mnt/$letter || fail "umount $letter"
	# as another mount sees it
	mount -t $type -o ro,$options /dev/vd$letter /mnt/$letter || fail "mount $letter again"
	(cd /mnt/$letter && find . -type f -exec sha256sum {} + | sed "s/^/$letter /") || fail sums
	(cd /mnt/$letter && find . -type d | sed "s/^/$letter dir  /")
	(cd /mnt/$letter && echo "$letter mtime $(date -u -r lower.txt +%s)")
	set -- $(df -k /mnt/$letter | tail -1)
	echo "$letter free $4"
	umount /mnt/$letter
done
END
code=0
# shellcheck disable=SC2086
"$lib_dir/linux.sh" -t 500 -m nls_utf8 -m nls_cp437 -m nls_ascii -m vfat -m exfat "$tmp/script" \
	"$tmp/fat12" "$tmp/fat16" "$tmp/fat32" "$tmp/fat32-4k" "$tmp/exfat" "$tmp/exfat-512" \
	>"$tmp/kernel" || code=$?
[ $code -ne 77 ] || skip "$(cat "$tmp/kernel")"
[ $code -eq 0 ] || {
	tail -20 "$tmp/kernel"
	fail "the kernel could not fill the volumes (exit $code)"
}

letters=abcdef
for name in fat12 fat16 fat32 fat32-4k exfat exfat-512; do
	letter=$(echo "$letters" | cut -c 1)
	letters=${letters#?}
	image=$tmp/$name
	case $name in
	exfat*) check "$name: fsck.exfat finds it clean" fsck.exfat -n "$image" ;;
	*) check "$name: fsck.fat finds it clean" fsck.fat -n "$image" ;;
	esac
	mkdir "$tmp/out"
	check "$name: everything is copied out" "$SHAREVM" cp "$image:/" "$tmp/out"
	sed -n "s/^$letter \([0-9a-f]\{64\}\)/\1/p" "$tmp/kernel" | LC_ALL=C sort >"$tmp/want"
	[ "$(wc -l <"$tmp/want")" -gt 50 ] || fail "the kernel listed nothing of $name"
	out=$tmp/out
	[ -e "$out/README.TXT" ] || out=$(dirname "$(find "$tmp/out" -name README.TXT)")
	(cd "$out" && find . -type f -exec sha256sum {} +) | LC_ALL=C sort >"$tmp/got"
	check "$name: every file has its content" diff "$tmp/want" "$tmp/got"
	sed -n "s/^$letter dir  //p" "$tmp/kernel" | LC_ALL=C sort >"$tmp/want"
	(cd "$out" && find . -type d) | LC_ALL=C sort >"$tmp/got"
	check "$name: every folder is there" diff "$tmp/want" "$tmp/got"
	time=$(sed -n "s/^$letter mtime //p" "$tmp/kernel")
	[ "$(stat -c %Y "$out/lower.txt")" = "$time" ] || fail "$name: lower.txt has another time"
	# names fold case; short names of long ones are names too
	[ "$("$SHAREVM" cat "$image:/A FOLDER/DEEPER/STILL DEEPER/FILE NUMBER 7.TXT")" = 7 ] ||
		fail "$name: names do not fold case"
	case $name in
	fat*)
		[ "$("$SHAREVM" cat "$image:/AFOLDE~1/DEEPER/STILLD~1/FILENU~1.TXT")" = 0 ] ||
			fail "$name: a short name is not found"
		;;
	esac
	free=$(sed -n "s/^$letter free //p" "$tmp/kernel")
	ours=$("$SHAREVM" show --json "$image" | jq '.disks[0].volumes[0].free / 1024 | floor')
	[ "$free" = "$ours" ] || fail "$name: the kernel says $free KiB are free, we $ours"
	rm -rf "$tmp/out"
	echo "ok: $name: names, times and free space agree with the kernel"
done
