#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: ntfs-grow.sh GROWFS FILES SECTOR CLUSTER...
#
# A volume with files grows, and every judge finds it sound and each file as before; then its
# new space is used through ntfs-3g, and it is judged once more.
# shellcheck source=judges.sh
. "$(dirname "$0")/judges.sh"
files=$2 sector=$3
shift 3

for cluster; do
	size=48M new=3G
	# mkntfs wants 2 MiB of $LogFile and some clusters beside
	[ "$cluster" -le 65536 ] || size=500M
	make_ntfs "$tmp/a" $size "$cluster" -s "$sector"
	fill "$tmp/a" "$files" 100
	hashes "$tmp/a" >"$tmp/sums"
	grow "$tmp/a" $new
	echo "sectors of $sector, clusters of $cluster: $figures"
	[ "$(figure changed)" -le "$(figure estimate)" ] || fail "wrote more than was planned"
	judge "$tmp/a" "$cluster" "$tmp/sums" "$sector"

	mount_ntfs "$tmp/a" || fail "mount"
	head -c $((files * 2000000)) /dev/urandom >"$mnt/more"
	hashes_mounted >"$tmp/sums"
	umount_ntfs
	judge_ntfsresize "$tmp/a" || fail "ntfsresize -i, new space in use"
	judge_files "$tmp/a" "$tmp/sums" || fail "ntfs-3g reads other files, new space in use"
done
