#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: corpus.sh [all]
#
# Every disk image of the corpus: the size and the SHA-256 of what the guest sees are those that
# other people found (EXPECTED.tsv), parents are the right ones, and what is not read is named.
# Disks of 10 GiB are compared with what qemu-img reads; with "all" they are hashed, too.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/../cli/checks.sh"
requires xz gzip openssl qemu-img
all=${1-}
corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}
[ -f "$corpus/EXPECTED.tsv" ] || skip "no corpus folder ($corpus; SHAREVM_CORPUS names another)"
corpus=$(cd "$corpus" && pwd)

# facts KEY: the rows of one key, FILE<tab>VALUE
facts() { awk -F'\t' -v key="$1" '$4 == key { print $1 "\t" $5 }' "$corpus/EXPECTED.tsv"; }
fact() { # FILE KEY: the first value
	awk -F'\t' -v file="$1" -v key="$2" '$1 == file && $4 == key { print $5; exit }' \
		"$corpus/EXPECTED.tsv"
}

hash_of() { openssl dgst -sha256 -r <"$1" | cut -c 1-64; }
holds() { [ "$(hash_of "$1")" = "$2" ]; }

unpack() { # FILE: into the same folder here, without its holes
	mkdir -p "$(dirname "$1")"
	if [ -f "$corpus/$1.xz" ]; then
		xz -dc "$corpus/$1.xz" >"$1"
	elif [ -f "$corpus/$1.gz" ]; then
		gzip -dc "$corpus/$1.gz" | dd of="$1" bs=64k conv=sparse iflag=fullblock 2>/dev/null
	else
		cp "$corpus/$1" "$1"
	fi
}

facts guest.sha256 >hashes
facts parent | cut -f 2 | sort -u >parents
cut -f 1 hashes | sort -u | cat - parents | sort -u >images
[ "$(wc -l <images)" -ge 40 ] || fail "EXPECTED.tsv lists only $(wc -l <images) images"
while IFS= read -r image; do unpack "$image"; done <images

# broken twins: the judge sees a byte of difference, and a disk of another
printf x >twin
check "the judge rejects another content" rejects holds twin "$(cut -f 2 hashes | head -1)"

named() { # FILE: what is not read as a disk by itself, and what must be said of it
	case $1 in
	*.splitraw.001) echo "2 a later part of a disk" ;;
	*_zlib.dmg) echo "5 Apple disk image (UDIF" ;;
	*.sparseimage) echo "5 Apple sparse image" ;;
	esac
}

# same.py A B: two raw disks, of which only what either stores is read
cat >same.py <<-'END'
	import os, sys
	a, b = (os.open(name, os.O_RDONLY) for name in sys.argv[1:])
	size = os.stat(a).st_size
	if os.stat(b).st_size != size:
	    sys.exit("sizes differ")
	def pieces(fd):
	    at = 0
	    while at < size:
	        try:
	            at = os.lseek(fd, at, os.SEEK_DATA)
	        except OSError:
	            return
	        end = os.lseek(fd, at, os.SEEK_HOLE)
	        while at < end:
	            yield at, min(end - at, 1 << 20)
	            at += 1 << 20
	        at = end
	for fd in a, b:
	    for at, n in pieces(fd):
	        if os.pread(a, n, at) != os.pread(b, n, at):
	            sys.exit(f"they differ in the {n} bytes from {at} on")
END
truncate -s 1G hole
truncate -s 1G twin
printf x | dd of=twin bs=1 seek=900000000 conv=notrunc 2>/dev/null
check "the judge of large disks rejects one byte" rejects python3 same.py hole twin

compare_large() { # IMAGE SHA256: without a minute's hashing of zeros
	qemu-img convert -O raw "$1" theirs.raw
	check "$1 is what qemu-img sees" python3 same.py guest.raw theirs.raw
	[ "$all" != all ] || check "$1 has its hash" holds guest.raw "$2"
}

look_at() { # IMAGE SHA256
	size=$(fact "$1" guest.size)
	rm -f guest.raw
	run 0 image info "$1" --json
	is out 'd["virtual_size"]' "$size"
	parent=$(fact "$1" parent)
	[ -z "$parent" ] || is out 'd["chain"][1]["path"]' "$PWD/$parent"
	run 0 image convert "$1" guest.raw -q
	[ "$(stat -c %s guest.raw)" -eq "$size" ] || fail "$1: of another size"
	if [ "$size" -gt 2000000000 ]; then
		compare_large "$1" "$2"
	else
		check "$1 has its hash" holds guest.raw "$2"
	fi
}

seen=0
while IFS="$(printf '\t')" read -r image sha256; do
	expected=$(named "$image")
	if [ -n "$expected" ]; then
		run "${expected%% *}" image info "$image"
		has err "${expected#* }"
		echo "ok: $image is named"
	else
		look_at "$image" "$sha256"
	fi
	seen=$((seen + 1))
done <hashes
[ "$seen" -eq "$(wc -l <hashes)" ] || fail "$seen images of $(wc -l <hashes) were looked at"

# a folder is its disk; a part of the corpus is packed: those are disks, too
for file in DiskDescriptor.xml hfsplus.hdd; do unpack "dfvfs/hfsplus.hdd/$file"; done
hds=$(grep -F '.hds' hashes | cut -f 2)
rm guest.raw
run 0 image convert dfvfs/hfsplus.hdd guest.raw -q
check "the folder hfsplus.hdd has its hash" holds guest.raw "$hds"
for packed in dfvfs/mbr.raw.xz discutils/data.ext4.dat.gz; do
	rm guest.raw
	run 0 image convert "$corpus/$packed" guest.raw -q
	check "$packed has its hash" holds guest.raw "$(fact "${packed%.*}" guest.sha256)"
done
echo "all passed: $seen images"
