#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: ntfs-hard.sh GROWFS [CASE...]
# Growing where it is hard; each result goes before the judges.
# shellcheck source=judges.sh
. "$(dirname "$0")/judges.sh"
shift
tool=$(dirname "$growfs")/scatter-bitmap

# runs RECORD: how many runs ntfsinfo sees in its attributes
runs() {
	ntfsinfo -f -v -i "$1" "$tmp/a" 2>/dev/null | grep -c '^			0x' || :
}

# at_most NAME LIMIT: a figure of the last growth
at_most() {
	[ "$(figure "$1" | cut -d . -f 1)" -le "$2" ] || fail "$1 is more than $2: $figures"
}

# no cluster is free
case_full() {
	make_ntfs "$tmp/a" 24M 4096
	mount_ntfs "$tmp/a" || fail mount
	for piece in 1M 4096 1; do
		dd if=/dev/urandom of="$mnt/fill $piece" bs=$piece 2>/dev/null || : # until it is full
	done
	hashes_mounted >"$tmp/sums"
	umount_ntfs
	grow "$tmp/a" 20G
	[ "$(figure free)" = 0 ] || fail "the volume was not full: $figures"
	judge "$tmp/a" 4096 "$tmp/sums"
	mount_ntfs "$tmp/a" || fail mount
	head -c 50000000 /dev/urandom >"$mnt/more"
	hashes_mounted >"$tmp/sums"
	umount_ntfs
	judge "$tmp/a" 4096 "$tmp/sums"
}

# 200 times, by 5 MiB, with the smallest clusters: more runs than the MFT record holds
case_again() {
	make_ntfs "$tmp/a" 30M 512
	fill "$tmp/a" 10 50
	hashes "$tmp/a" >"$tmp/sums"
	grow "$tmp/a" 35M times=200 by=5M
	judge "$tmp/a" 512 "$tmp/sums"
}

# one cluster more each time, 300 times
case_little() {
	make_ntfs "$tmp/a" 4M 1024
	hashes "$tmp/a" >"$tmp/sums"
	grow "$tmp/a" 4097K times=300 by=1K
	judge "$tmp/a" 1024 "$tmp/sums"
}

# $MFT and $Bitmap in many fragments, $MFT with an attribute list
case_fragments() {
	make_ntfs "$tmp/a" 8M 512
	mount_ntfs "$tmp/a" || fail mount
	python3 - "$mnt" <<-'E' || fail "filling"
		import itertools, os, sys
		def until_full(name, data):
		    for i in itertools.count():
		        path = os.path.join(sys.argv[1], name % i)
		        try:
		            with open(path, "wb") as f:
		                f.write(data)
		        except OSError:
		            try:
		                os.unlink(path)
		            except OSError:
		                pass
		            return i
		for i in range(0, until_full("f%05d", os.urandom(1100)), 2):
		    os.unlink(os.path.join(sys.argv[1], "f%05d" % i))
		until_full("with-a-name-that-takes-some-space-%05d", b"")
	E
	umount_ntfs
	[ "$(runs 0)" -ge 100 ] || fail "\$MFT has only $(runs 0) runs"
	ntfsinfo -f -i 0 "$tmp/a" 2>/dev/null | grep -q ATTRIBUTE_LIST || fail "no attribute list"
	hashes "$tmp/a" >"$tmp/sums"
	[ "$(wc -l <"$tmp/sums")" -ge 1000 ] || fail "too few files"
	grow "$tmp/a" 9M times=20 by=1M
	judge_ntfsresize "$tmp/a" || fail "ntfsresize -i"
	judge_ntfsfix "$tmp/a" || fail "ntfsfix -n"
	judge_files "$tmp/a" "$tmp/sums" || fail "files"
	grow "$tmp/a" 3G
	judge_ntfsresize "$tmp/a" || fail "ntfsresize -i"
	judge_files "$tmp/a" "$tmp/sums" || fail "files"
}

# 8 GiB to 8 TiB: a few pages are written, and little memory is taken
case_huge() {
	make_ntfs "$tmp/a" 8G 4096
	fill "$tmp/a" 10 50
	hashes "$tmp/a" >"$tmp/sums"
	grow "$tmp/a" 8T
	echo "8 GiB to 8 TiB: $figures"
	at_most changed 65536
	at_most memory 65536
	judge "$tmp/a" 4096 "$tmp/sums"
	"$growfs" check "$tmp/a" 9T >"$said" || fail "check"
	figures=$(cat "$said")
	at_most memory 65536
}

# the new space is not empty: what lay there must not show up in $Bitmap
case_garbage() {
	make_ntfs "$tmp/a" 24M 4096
	hashes "$tmp/a" >"$tmp/sums"
	head -c 300000000 /dev/zero | tr '\0' '\377' >>"$tmp/a"
	grow "$tmp/a" "$(stat -c %s "$tmp/a")"
	judge "$tmp/a" 4096 "$tmp/sums"
}

# $Bitmap lies in its MFT record
case_resident() {
	make_ntfs "$tmp/a" 3M 4096
	hashes "$tmp/a" >"$tmp/sums"
	"$twin" "$tmp/a" resident-bitmap || fail "ntfs_twin.py"
	ntfsinfo -f -v -i 6 "$tmp/a" >"$said" 2>&1
	[ "$(grep -c 'Resident: 		 No' "$said")" = 0 ] || fail "\$Bitmap is not resident"
	grow "$tmp/a" 1G
	judge "$tmp/a" 4096 "$tmp/sums"
}

# $Bitmap has an attribute list in its record, which goes or (with the file's name in the other
# record) has to stay
case_split() {
	for what in data name; do
		make_ntfs "$tmp/a" 200M 4096
		fill "$tmp/a" 10 50
		hashes "$tmp/a" >"$tmp/sums"
		"$twin" "$tmp/a" split-bitmap $what || fail "ntfs_twin.py"
		judge_files "$tmp/a" "$tmp/sums" || fail "ntfs-3g does not take the twin"
		grow "$tmp/a" 3G
		if [ $what = data ]; then
			judge "$tmp/a" 4096 "$tmp/sums"
		fi
		judge_ntfsfix "$tmp/a" || fail "ntfsfix -n"
		judge_files "$tmp/a" "$tmp/sums" || fail "files"
		"$growfs" check "$tmp/a" 12G >"$said" || fail "our own check"
	done
}

# $Bitmap has an attribute list in clusters of its own. ntfsresize refuses such a volume until
# growing has drawn $Bitmap together.
case_list() {
	make_ntfs "$tmp/a" 5G 512
	fill "$tmp/a" 10 50
	hashes "$tmp/a" >"$tmp/sums"
	"$tool" "$tmp/a" 2000 || fail "scatter-bitmap"
	ntfsinfo -f -v -i 6 "$tmp/a" 2>/dev/null | grep -q ATTRIBUTE_LIST ||
		fail "\$Bitmap has no attribute list"
	! judge_ntfsresize "$tmp/a" || fail "ntfsresize takes an attribute list"
	cp --sparse=always "$tmp/a" "$tmp/b"
	grow "$tmp/a" 12G
	judge "$tmp/a" 512 "$tmp/sums"
	# too little new space to move to: a further run at the end of the list
	grow "$tmp/b" 5121M
	judge_ntfsfix "$tmp/b" || fail "ntfsfix -n"
	judge_files "$tmp/b" "$tmp/sums" || fail "files"
	"$growfs" check "$tmp/b" 12G >"$said" || fail "our own check"
}

# a request for chkdsk is left where it was asked for, and only there
case_ask() {
	make_ntfs "$tmp/a" 24M 4096
	grow "$tmp/a" 1G
	ntfsresize -i "$tmp/a" >"$said" 2>&1 || fail "the volume asks for chkdsk"
	grow "$tmp/a" 2G ask
	! ntfsresize -i "$tmp/a" >"$said" 2>&1 || fail "the volume asks for no chkdsk"
	grep -q "scheduled for check" "$said" || fail "ntfsresize does not say why"
	grow "$tmp/a" 3G dirty
	judge_ntfsresize "$tmp/a" || fail "ntfsresize -i -f"
	! ntfsresize -i "$tmp/a" >"$said" 2>&1 || fail "the request got lost"
}

[ $# != 0 ] || set -- full again little fragments huge garbage resident split list ask
for name; do
	begin=$(date +%s%N)
	"case_$name"
	echo "$name: $((($(date +%s%N) - begin) / 1000000)) ms"
done
