#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: ext-grow.sh GROWFS
#
# ext2, ext3 and ext4 of many layouts grow; e2fsck finds no fault; what dumpe2fs says, by each
# copy of the superblock, is what it says of a twin that resize2fs grew; the kernel mounts it,
# finds each file as it was, and fills the new space. Then what must be refused.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
growfs=$(realpath "$1")
requires mke2fs e2fsck resize2fs dumpe2fs debugfs tune2fs sha256sum
work=$tmp/work
mkdir -p "$work" "$tmp/mnt" "$tmp/tree/deep/er"
cd "$work" || exit
on_exit "umount -l '$tmp/mnt' 2>/dev/null"
kernel=yes
[ "$(id -u)" -eq 0 ] || kernel=

for i in $(seq 40); do head -c $((i * 1711)) /dev/urandom >"$tmp/tree/deep/file $i"; done
ln -s ../deep "$tmp/tree/deep/er/link"
truncate -s 3M "$tmp/tree/hole"
(cd "$tmp/tree" && find . -type f -exec sha256sum {} + | sort -k 2) >sums

make() { # SIZE OPTION...
	rm -f v
	truncate -s "$1" v
	mke2fs -q -F -d "$tmp/tree" "${@:2}" v 2>log || { cat log; fail "mke2fs ${*:2}"; }
}

judge_ext() { e2fsck -fn "$1" >log 2>&1 || { cat log; return 1; }; }
# Facts that do not depend on when and by whom. A group's flags and places may differ: the
# tables of new groups lie elsewhere than resize2fs puts them.
facts() { # IMAGE [WORD...]
	dumpe2fs -h "${@:2}" "$1" 2>/dev/null | grep -v \
		'Overhead clusters\|Lifetime\|time:\|^Checksum\|Mount count\|Last checked\|Next check'
}

# layout SIZE NEW [alone] OPTION...: alone where resize2fs goes another way
layout() {
	local size=$1 new=$2 alone='' block
	shift 2
	[ "$1" != alone ] || { alone=yes; shift; }
	make "$size" "$@"
	cp --sparse=always v twin
	"$growfs" grow v "$new" >figures 2>&1 || { cat figures; fail "grow $*"; }
	awk '{ exit !($12 <= $10) }' figures || { cat figures; fail "more was written than planned: $*"; }
	judge_ext v || fail "e2fsck: $size to $new, $*"
	if [ -z "$alone" ]; then
		truncate -s "$new" twin
		resize2fs twin >log 2>&1 || { cat log; fail "resize2fs $*"; }
		facts v >ours
		facts twin >theirs
		diff ours theirs || fail "resize2fs makes something else of it: $*"
	fi
	block=$(dumpe2fs -h v 2>/dev/null | awk '/^Block size/ { print $3 }')
	facts v >ours
	for copy in $(dumpe2fs v 2>/dev/null | sed -n 's/.*Backup superblock at \([0-9]*\),.*/\1/p'); do
		facts v -o "superblock=$copy" -o "blocksize=$block" >copied
		diff ours copied || fail "the copy in block $copy says something else: $*"
	done
	[ -z "$kernel" ] || in_kernel "$@"
	echo "ok: $size to $new, $*"
}

in_kernel() {
	mount -o loop v "$tmp/mnt" || fail "the kernel does not mount it: $*"
	(cd "$tmp/mnt" && sha256sum --quiet -c "$work/sums") || fail "the kernel reads other files: $*"
	free=$(df --output=avail -B 1M "$tmp/mnt" | tail -1)
	n=$((free < 60 ? free / 2 : 30))
	# a folder for each: the kernel spreads folders over the groups
	for i in 1 2 3 4 5 6 7 8; do
		mkdir "$tmp/mnt/new$i"
		head -c "$((n * 131072))" /dev/urandom >"$tmp/mnt/new$i/file" || fail "no room: $*"
	done
	umount "$tmp/mnt"
	judge_ext v || fail "e2fsck, new space in use: $*"
}

# the judge knows a broken twin: one bit of the last block bitmap
make 64M -t ext4
printf '\377' | dd of=v bs=1 seek=$((1024 + 0x0c)) conv=notrunc status=none
! judge_ext v || fail "e2fsck takes a wrong count of free blocks for right"

layout 200M 3G -t ext4
layout 64M 900M -t ext3
layout 64M 900M -t ext2 -b 1024
layout 100M 200M -t ext4 -b 1024
layout 200M 2G alone -t ext4 -O ^resize_inode
layout 200M 9G alone -t ext4 -b 1024 -O ^resize_inode
layout 200M 9G -t ext4 -O ^resize_inode,meta_bg
layout 200M 1G -t ext4 -O ^64bit,^metadata_csum
layout 200M 2G -t ext4 -O ^64bit,uninit_bg,^metadata_csum
layout 200M 2G -t ext4 -O ^flex_bg
layout 130M 131M -t ext4 -b 4096
layout 127M 129M -t ext4 -b 4096
layout 60M 1G -t ext4 -G 4 -N 200000
layout 8G 60G -t ext4

# where the new space is not empty: old junk must not be taken for inodes
for type in ext2 ext4; do
	rm -f v
	head -c 128M /dev/urandom >v
	mke2fs -q -F -d "$tmp/tree" -t $type v 60M
	"$growfs" grow v 128M >figures || fail "grow over junk: $type"
	judge_ext v || fail "e2fsck: $type over junk"
	[ -z "$kernel" ] || in_kernel $type over junk
done

# refused CODE WORDS...: growing v is refused, and nothing is written
refused() {
	sha256sum v >before
	"$growfs" grow v 2G >figures 2>&1 && fail "not refused: ${*:2}"
	[ "$(head -1 figures)" = "$1" ] || { cat figures; fail "not $1: ${*:2}"; }
	grep -q -e "$2" figures || { cat figures; fail "does not say: $2"; }
	[ -n "$(sed -n 3p figures)" ] || { cat figures; fail "no hint: ${*:2}"; }
	sha256sum --quiet -c before || fail "something was written: ${*:2}"
}
# shellcheck disable=SC2059 # the bytes are escapes
super() { printf "$2" | dd of=v bs=1 seek=$((1024 + $1)) conv=notrunc status=none; }

make 100M -t ext4 -O ^metadata_csum
cp v whole
super 0x3a '\002'
refused unsupported "met errors"
cp whole v
super 0x3a '\000'
refused unsupported "not unmounted"
cp whole v
super 0x60 '\306'
refused unsupported "journal holds changes"
cp whole v
super 0xe8 '\014'
refused unsupported "were being deleted"
make 100M -t ext4 -O bigalloc
refused unsupported bigalloc
make 100M -t ext4 -O sparse_super2
refused unsupported sparse_super2
make 100M -t ext4
debugfs -w -R 'set_bg 0 free_blocks_count 7' v >log 2>&1
debugfs -w -R 'set_bg 0 checksum calc' v >>log 2>&1
refused corrupt "its descriptor says"
make 100M -t ext4
debugfs -w -R 'set_inode_field <7> block[DIND] 0' v >log 2>&1
refused corrupt "resize inode"
make 100M -t ext4 -E mmp_update_interval=5 -O mmp
block=$(dumpe2fs -h v 2>/dev/null | awk '/^MMP block/ { print $4 }')
printf '\001\000\000\000' | dd of=v bs=1 seek=$((block * 4096 + 4)) conv=notrunc status=none
[ "$(dumpe2fs -h v 2>/dev/null | awk '/^Block size/ { print $3 }')" = 4096 ] ||
	printf '\001\000\000\000' | dd of=v bs=1 seek=$((block * 1024 + 4)) conv=notrunc status=none
refused busy "mounted"
make 20M -t ext4 -b 1024 -E resize=300000
refused unsupported "no more room is reserved"
echo "ok: what must be refused"
