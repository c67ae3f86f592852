#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: round-trips.sh [all | large]
#
# Images of every format from every other: what the new image shows, and whether its tables are
# sound, qemu-img judges (it reads no folders of Parallels: it is told of their files). The disk
# has data, zeros and holes that begin and end within blocks of every size, and at both ends.
# All ordered pairs of formats are taken, each kind is made from a raw disk, and a raw disk of
# each kind; with "all" it is all pairs of kinds. With "large" the disk is a Linux of 20 GB of
# which 2 GB are used.
#
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/../cli/checks.sh"
requires qemu-img gzip xz zstd split python3
size=${1:-small}

# in memory, where there is room: hundreds of images are made, flushed, and removed
if [ "$size" != large ] && [ "$(df --output=avail -m /dev/shm 2>/dev/null | tail -1)" -gt 800 ]; then
	work=$(mktemp -d /dev/shm/sharevm-test-XXXXXX)
	on_exit "rm -rf '$work'"
	cd "$work" || exit 1
fi

# ---- the disk

pattern_disk() { # FILE
	python3 - "$1" <<-'END'
		import os, random, sys
		rnd = random.Random(7)
		SIZE = (48 << 20) + 77 * 512
		fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
		os.truncate(fd, SIZE)
		def put(at, n, zeros=False):
		    os.pwrite(fd, bytes(n) if zeros else rnd.randbytes(n), at)
		put(0, 512)
		put(SIZE - 512, 512)
		for block in 64 << 10, 1 << 20, 2 << 20, 16 << 20, 32 << 20:
		    put(block - 512, 1024)                # over a block's edge
		    put(3 * block // 2 + 4096, 512)       # one sector in its middle
		put((4 << 20) - 3000, 1 << 20)                # data, over many blocks
		put((4 << 20) + 300000, 200000, zeros=True)   # zeros that are stored, in data
		put(20 << 20, 1 << 20, zeros=True)            # and where nothing else is
		for _ in range(100):
		    put(rnd.randrange(24 << 20, SIZE - 9000), rnd.randrange(1, 9000))
	END
}

# A system's own files, up to 2 GB of them, in an ext4 that fills a partition.
large_disk() { # FILE
	mkdir tree
	(cd / && find usr -xdev -type f -size -200M 2>/dev/null | head -120000) |
		tar -C / -c --no-recursion -T - 2>/dev/null | head -c 2G | tar -C tree -x 2>/dev/null || :
	truncate -s 20G "$1"
	mke2fs -q -F -t ext4 -E offset=1048576 -d tree "$1" $((20 * 1024 * 1024 - 2048))k
	echo 'start=2048, type=83' | sfdisk -q --no-reread "$1"
	fallocate --dig-holes "$1"
	rm -r tree
}

# ---- kinds: FORMAT KIND QEMU'S-FORMAT FILE, one a line; the program itself says which there are

qemu_format() { # FORMAT KIND
	case $1-$2 in
	vhd-*) echo vpc ;;
	parallels-*lain) echo raw ;;
	*) echo "$1" ;;
	esac
}

kinds_of() { # FORMAT
	run 2 image create x --size 1M --format "$1" --subformat nonsense
	sed -n 's/^hint: the kinds are: //p' "$tmp/err" | tr -d ' ' | tr , '\n'
}

run 2 image create x --size 1M
formats=$(sed -n 's/^hint: name one of: //p' "$tmp/err" | tr -d ' ' | tr , ' ')
[ "$(echo "$formats" | wc -w)" -ge 7 ] || fail "only these formats can be made: $formats"
file_of() { # FORMAT KIND: a name whose ending the format has
	case $1-$2 in
	parallels-expanding) echo "$1-$2.hds" ;;
	parallels-*) echo "$1-$2.hdd" ;;
	*) echo "$1-$2.$1" ;;
	esac
}

for format in $formats; do
	list=$(kinds_of "$format")
	for kind in ${list:-default}; do
		echo "$format $kind $(qemu_format "$format" "$kind") $(file_of "$format" "$kind")"
	done
done >kinds
awk '!seen[$1]++' kinds >formats
grep '^raw ' kinds >raw

# ---- judges: qemu-img

# judge_pieces DIR QEMU'S-FORMAT RAW: a folder of Parallels, piece by piece
judge_pieces() {
	local piece at=0 n total
	total=$(stat -c %s "$3")
	for piece in $(find "$1" -name '*.hds' | sort -V); do
		n=$(qemu-img info -f "$2" --output=json "$piece" | python3 -c \
			'import json, sys; print(json.load(sys.stdin)["virtual-size"])')
		[ $((at + n)) -le "$total" ] || n=$((total - at))
		qemu-img compare -q --image-opts "driver=$2,file.filename=$piece" \
			"driver=raw,offset=$at,size=$n,file.filename=$3" || return 1
		at=$((at + n))
	done
	[ "$at" -eq "$total" ]
}

judge_content() { # IMAGE QEMU'S-FORMAT RAW
	if [ -d "$1" ]; then
		judge_pieces "$@"
	else
		qemu-img compare -q -f "$2" -F raw "$1" "$3"
	fi
}

judge_tables() { # IMAGE QEMU'S-FORMAT; not all formats have a check (63)
	local code=0 file=$1
	[ ! -d "$1" ] || file=$(find "$1" -name '*.hds' | sort -V | head -1)
	qemu-img check -q -f "$2" "$file" || code=$?
	[ $code -eq 0 ] || [ $code -eq 63 ]
}

# convert FROM TO FORMAT KIND: a new image; nothing else may be called to-*
convert() {
	local kind=()
	[ "$4" = default ] || kind=(--subformat "$4")
	run 0 image convert "$1" "$2" -q --to "$3" "${kind[@]}"
}

# ---- broken twins: one byte at one place, in every kind; a table of a qcow2

case $size in
large) large_disk disk.img ;;
*) pattern_disk disk.img ;;
esac
cp --sparse=always disk.img twin.img
python3 - twin.img <<-'END'
	import os, sys
	fd = os.open(sys.argv[1], os.O_RDWR)
	at = (4 << 20) + 4321
	os.pwrite(fd, bytes([os.pread(fd, 1, at)[0] ^ 1]), at)
END
while read -r format kind qemu file; do
	convert twin.img "to-$file" "$format" "$kind"
	check "qemu-img sees one changed byte in $format $kind" \
		rejects judge_content "to-$file" "$qemu" disk.img
	rm -rf to-*
done <kinds
rm twin.img
convert disk.img to-bad.qcow2 qcow2 default
printf '\377' | dd of=to-bad.qcow2 bs=1 seek=$((128 << 10)) conv=notrunc 2>/dev/null
check "qemu-img check sees a wrong refcount" rejects judge_tables to-bad.qcow2 qcow2
rm to-*

# ---- sources: each kind that can be made, and those that are only read

targets_of() { # FORMAT KIND: a file's name
	if [ "$size" = all ]; then
		echo kinds
	elif grep -q "^$1 $2 " formats; then
		echo formats
	else
		echo raw
	fi
}

while read -r format kind qemu file; do
	convert disk.img "from-$file" "$format" "$kind"
	check "$format $kind is what was converted" judge_content "from-$file" "$qemu" disk.img
	check "$format $kind is sound" judge_tables "from-$file" "$qemu"
	targets=$(targets_of "$format" "$kind")
	if [ "$size$targets" = largeraw ]; then
		rm -rf from-"${file%.*}"* # there is no room for all of them
	else
		echo "from-$file $targets"
	fi
done <kinds >made
sed '/^ok:/d' made >pairs
grep '^ok:' made
if [ "$size" != large ]; then
	qemu-img convert -O qcow2 -o compat=0.10 disk.img from-v2.qcow2
	qemu-img convert -c -O qcow2 disk.img from-packed.qcow2
	split -b 10M -a 3 --numeric-suffixes=1 disk.img from-parts.
	gzip -1 -c disk.img >from.gz
	xz -0 -c disk.img >from.xz
	zstd -q -1 -c disk.img >from.zst
	printf 'from%s formats\n' -v2.qcow2 -packed.qcow2 -parts.001 .gz .xz .zst >>pairs
fi

# ---- all pairs

n=0
while read -r source targets; do
	while read -r format kind qemu file; do
		convert "$source" "to-$file" "$format" "$kind"
		judge_content "to-$file" "$qemu" disk.img ||
			fail "$source -> $format $kind differs"
		# the tables do not depend on the source: looked at once for each kind, above
		[ "$size" != large ] || judge_tables "to-$file" "$qemu" ||
			fail "$source -> $format $kind is not sound"
		rm -rf to-*
		n=$((n + 1))
	done <"$targets"
done <pairs
echo "all passed: $n pairs, $(wc -l <pairs) sources, $(wc -l <kinds) kinds"
