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
	ntfsinfo -f -v -i "$1" "$work/a" 2>/dev/null | grep -c '^			0x'
}

# at_most NAME LIMIT: a figure of the last growth
at_most() {
	[ "$(figure "$1" | cut -d . -f 1)" -le "$2" ] || fail "$1 is more than $2: $figures"
}

# no cluster is free
case_full() {
	make_ntfs "$work/a" 24M 4096
	mount_ntfs "$work/a" || fail mount
	for piece in 1M 4096 1; do
		dd if=/dev/urandom of="$mnt/fill $piece" bs=$piece 2>/dev/null
	done
	hashes_mounted >"$work/sums"
	umount_ntfs
	grow "$work/a" 20G
	[ "$(figure free)" = 0 ] || fail "the volume was not full: $figures"
	judge "$work/a" 4096 "$work/sums"
	mount_ntfs "$work/a" || fail mount
	head -c 50000000 /dev/urandom >"$mnt/more"
	hashes_mounted >"$work/sums"
	umount_ntfs
	judge "$work/a" 4096 "$work/sums"
}

# 200 times, by 5 MiB, with the smallest clusters: more runs than the MFT record holds
case_again() {
	make_ntfs "$work/a" 30M 512
	fill "$work/a" 10 50
	hashes "$work/a" >"$work/sums"
	grow "$work/a" 35M times=200 by=5M
	judge "$work/a" 512 "$work/sums"
}

# one cluster more each time, 300 times
case_little() {
	make_ntfs "$work/a" 4M 1024
	hashes "$work/a" >"$work/sums"
	grow "$work/a" 4097K times=300 by=1K
	judge "$work/a" 1024 "$work/sums"
}

# $MFT and $Bitmap in many fragments, $MFT with an attribute list
case_fragments() {
	make_ntfs "$work/a" 8M 512
	mount_ntfs "$work/a" || fail mount
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
	ntfsinfo -f -i 0 "$work/a" 2>/dev/null | grep -q ATTRIBUTE_LIST || fail "no attribute list"
	hashes "$work/a" >"$work/sums"
	[ "$(wc -l <"$work/sums")" -ge 1000 ] || fail "too few files"
	grow "$work/a" 9M times=20 by=1M
	judge_ntfsresize "$work/a" || fail "ntfsresize -i"
	judge_ntfsfix "$work/a" || fail "ntfsfix -n"
	judge_files "$work/a" "$work/sums" || fail "files"
	grow "$work/a" 3G
	judge_ntfsresize "$work/a" || fail "ntfsresize -i"
	judge_files "$work/a" "$work/sums" || fail "files"
}

# 8 GiB to 8 TiB: a few pages are written, and little memory is taken
case_huge() {
	make_ntfs "$work/a" 8G 4096
	fill "$work/a" 10 50
	hashes "$work/a" >"$work/sums"
	grow "$work/a" 8T
	echo "8 GiB to 8 TiB: $figures"
	at_most changed 65536
	at_most memory 65536
	judge "$work/a" 4096 "$work/sums"
	"$growfs" check "$work/a" 9T >"$work/said" || fail "check"
	figures=$(cat "$work/said")
	at_most memory 65536
}

# the new space is not empty: what lay there must not show up in $Bitmap
case_garbage() {
	make_ntfs "$work/a" 24M 4096
	hashes "$work/a" >"$work/sums"
	head -c 300000000 /dev/zero | tr '\0' '\377' >>"$work/a"
	grow "$work/a" "$(stat -c %s "$work/a")"
	judge "$work/a" 4096 "$work/sums"
}

# $Bitmap lies in its MFT record
case_resident() {
	make_ntfs "$work/a" 3M 4096
	hashes "$work/a" >"$work/sums"
	"$twin" "$work/a" resident-bitmap || fail "ntfs_twin.py"
	ntfsinfo -f -v -i 6 "$work/a" >"$work/said" 2>&1
	[ "$(grep -c 'Resident: 		 No' "$work/said")" = 0 ] || fail "\$Bitmap is not resident"
	grow "$work/a" 1G
	judge "$work/a" 4096 "$work/sums"
}

# $Bitmap has an attribute list in its record, which goes or (with the file's name in the other
# record) has to stay
case_split() {
	for what in data name; do
		make_ntfs "$work/a" 200M 4096
		fill "$work/a" 10 50
		hashes "$work/a" >"$work/sums"
		"$twin" "$work/a" split-bitmap $what || fail "ntfs_twin.py"
		judge_files "$work/a" "$work/sums" || fail "ntfs-3g does not take the twin"
		grow "$work/a" 3G
		if [ $what = data ]; then
			judge "$work/a" 4096 "$work/sums"
		fi
		judge_ntfsfix "$work/a" || fail "ntfsfix -n"
		judge_files "$work/a" "$work/sums" || fail "files"
		"$growfs" check "$work/a" 12G >"$work/said" || fail "our own check"
	done
}

# $Bitmap has an attribute list in clusters of its own. ntfsresize refuses such a volume until
# growing has drawn $Bitmap together.
case_list() {
	make_ntfs "$work/a" 5G 512
	fill "$work/a" 10 50
	hashes "$work/a" >"$work/sums"
	"$tool" "$work/a" 2000 || fail "scatter-bitmap"
	ntfsinfo -f -v -i 6 "$work/a" 2>/dev/null | grep -q ATTRIBUTE_LIST ||
		fail "\$Bitmap has no attribute list"
	! judge_ntfsresize "$work/a" || fail "ntfsresize takes an attribute list"
	cp --sparse=always "$work/a" "$work/b"
	grow "$work/a" 12G
	judge "$work/a" 512 "$work/sums"
	# too little new space to move to: a further run at the end of the list
	grow "$work/b" 5121M
	judge_ntfsfix "$work/b" || fail "ntfsfix -n"
	judge_files "$work/b" "$work/sums" || fail "files"
	"$growfs" check "$work/b" 12G >"$work/said" || fail "our own check"
}

# a request for chkdsk is left where it was asked for, and only there
case_ask() {
	make_ntfs "$work/a" 24M 4096
	grow "$work/a" 1G
	ntfsresize -i "$work/a" >"$work/said" 2>&1 || fail "the volume asks for chkdsk"
	grow "$work/a" 2G ask
	! ntfsresize -i "$work/a" >"$work/said" 2>&1 || fail "the volume asks for no chkdsk"
	grep -q "scheduled for check" "$work/said" || fail "ntfsresize does not say why"
	grow "$work/a" 3G dirty
	judge_ntfsresize "$work/a" || fail "ntfsresize -i -f"
	! ntfsresize -i "$work/a" >"$work/said" 2>&1 || fail "the request got lost"
}

[ $# != 0 ] || set -- full again little fragments huge garbage resident split list ask
for name; do
	begin=$(date +%s%N)
	"case_$name"
	echo "$name: $((($(date +%s%N) - begin) / 1000000)) ms"
done
