#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Each judge of NTFS accepts a sound volume, and rejects a twin that is broken in what it is
# there to see. A judge that accepts a broken twin is no judge.
# shellcheck source=judges.sh
. "$(dirname "$0")/judges.sh"

make_pair() { # CLUSTER SIZE
	make_ntfs "$tmp/sound" "$2" "$1"
	fill "$tmp/sound" 3 20
	mount_ntfs "$tmp/sound" || fail "mount"
	{ echo "a pattern that is nowhere else"; head -c 5000 /dev/zero; } >"$mnt/pattern"
	umount_ntfs
	hashes "$tmp/sound" >"$tmp/sums"
}

# rejects JUDGE CHANGE... : JUDGE accepts the sound one, and not the one with the change
rejects() {
	local judge=$1
	shift
	cp --sparse=always "$tmp/sound" "$tmp/twin"
	"$twin" "$tmp/twin" "$@" || fail "making the twin: $*"
	"$judge" "$tmp/sound" "$tmp/sums" || fail "$judge rejects a sound volume"
	! "$judge" "$tmp/twin" "$tmp/sums" || fail "$judge accepts a volume with: $*"
}

make_pair 4096 32M
free=$("$twin" "$tmp/sound" free-cluster)
rejects judge_ntfsresize mark "$free" 1
rejects judge_ntfsresize mark 4 0
rejects judge_ntfsfix no-backup
rejects judge_ntfsfix mirror 1
rejects judge_fsntfsinfo magic 3
rejects judge_files data "a pattern that is nowhere else"
rejects judge_sleuthkit data "a pattern that is nowhere else"
make_pair 131072 200M
rejects judge_7z data "a pattern that is nowhere else"
