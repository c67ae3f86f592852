#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Each reason not to grow an NTFS volume, on a volume made for it: the code, what the message
# says, and a remedy. Nothing is written.
# shellcheck source=judges.sh
. "$(dirname "$0")/judges.sh"

make_ntfs "$tmp/sound" 12M 4096
fill "$tmp/sound" 10 40
free=$("$twin" "$tmp/sound" free-cluster)

# change WHAT...: a twin of the sound volume in $tmp/twin
change() {
	cp --sparse=always "$tmp/sound" "$tmp/twin"
	[ $# = 0 ] || "$twin" "$tmp/twin" "$@" || fail "making the twin: $*"
}

# with_file NAME BYTES: a twin that has this file in its root
with_file() {
	change
	mount_ntfs "$tmp/twin" || fail "mount"
	printf '%b' "$2" >"$mnt/$1"
	umount_ntfs
}

# refused CODE MESSAGE HINT [SIZE [WORD...]]
refused() {
	local code=$1 message=$2 hint=$3 size=${4:-1G}
	shift 3
	[ $# = 0 ] || shift
	sha256sum "$tmp/twin" >"$tmp/before"
	if "$growfs" check "$tmp/twin" "$size" "$@" >"$said"; then
		fail "not refused: $message"
	fi
	[ "$(sed -n 1p "$said")" = "$code" ] || fail "the code is not $code"
	sed -n 2p "$said" | grep -q -- "$message" || fail "the message is not: $message"
	sed -n 3p "$said" | grep -q -- "$hint" || fail "the hint is not: $hint"
	sha256sum --status -c "$tmp/before" || fail "the volume was written: $message"
}

# accepted [SIZE [WORD...]]
accepted() {
	local size=${1:-1G}
	[ $# = 0 ] || shift
	"$growfs" check "$tmp/twin" "$size" "$@" >"$said" || fail "refused"
}

change
accepted

# ---- not NTFS ----
change oem "-FVE-FS-"
refused unsupported BitLocker manage-bde
change oem "MSDOS5.0"
refused unsupported "cannot be grown" ""
truncate -s 8M "$tmp/twin"
mke2fs -q -F -t ext4 -O bigalloc "$tmp/twin" && refused unsupported bigalloc resize2fs

# ---- hibernation ----
with_file hiberfil.sys "hibr$(printf '\\0%.0s' {1..5000})"
refused unsupported 'fast startup: hiberfil.sys begins with "hibr"' "shutdown /s /t 0"
with_file HiberFil.sys "HIBR$(printf '\\0%.0s' {1..5000})"
refused unsupported 'hiberfil.sys begins with "HIBR"' "shutdown /s /t 0"
with_file hiberfil.sys ""
refused unsupported "hibernated Windows: hiberfil.sys has 0 bytes" "shutdown /s /t 0"
with_file hiberfil.sys "short"
refused unsupported "hiberfil.sys has 5 bytes" "shutdown /s /t 0"
with_file hiberfil.sys "wake$(printf '\\0%.0s' {1..5000})"
accepted
with_file xhiberfil.sys "hibr"
accepted

# ---- dirty ----
change flags 1
refused unsupported "dirty" "chkdsk"
accepted 1G dirty
change flags 0x4000
accepted
change version 4 0
refused unsupported "version 4.0" ""

# ---- journal: ntfs-3g is asked too what it thinks of each ----
complaints='unclean file system|Windows cache|Incomplete|restart page|Fixing|refused'

# journal KIND [COMPLAINT]: a twin with this journal, and ntfs-3g's complaint about it
journal() {
	change log "$1"
	cp --sparse=always "$tmp/twin" "$tmp/other"
	mount_ntfs "$tmp/other" && umount_ntfs
	cp "$tmp/mounted" "$said"
	if [ $# = 1 ]; then
		! grep -Eq "$complaints" "$said" || fail "ntfs-3g complains of a $1 journal"
	else
		grep -q -- "$2" "$said" || fail "ntfs-3g does not complain of a $1 journal"
	fi
}

for kind in closed clean chkdsk; do
	journal $kind
	accepted
done
journal unclean "unclean file system"
refused unsupported "journal is unclean" "shutdown /s /t 0"
journal cached "Metadata kept in Windows cache"
refused unsupported "LogFile has version 2.0" "shutdown /s /t 0"
journal torn "Incomplete multi-sector transfer"
refused corrupt "torn write" "chkdsk"
journal none "Did not find any restart pages"
refused corrupt "LogFile" "chkdsk"

# ---- damage ----
change bad "$free"
refused unsupported "clusters from $free on are marked bad" "chkdsk C: /b"
for record in 0 1 2 3; do
	change mirror $record
	refused corrupt "MFT record $record differs from its copy" chkdsk
done
change scramble 6
refused corrupt "MFT record 6: torn write" ""
change scramble 65
refused corrupt "MFT record 65: torn write" chkdsk
accepted 1G quick

# ---- $Bitmap ----
change mark "$free" 1
refused corrupt "cluster $free is marked used in \$Bitmap, but no MFT record uses it" chkdsk
accepted 1G quick
change mark 4 0
refused corrupt "cluster 4 is marked free in \$Bitmap, but MFT record 0 uses it" chkdsk
change twice 4
refused corrupt "is used twice, by MFT records 1 and 4" chkdsk
change middle-backup
judge_ntfsresize "$tmp/twin" || fail "ntfsresize -i"
grep -q "backup boot sector in the middle" "$said" || fail "ntfsresize does not find it"
accepted

# ---- sizes ----
change
refused usage "less than the file system covers" "" 8M
truncate -s 11M "$tmp/twin"
refused unsupported "its partition has only" "partition was cut"
change
refused unsupported "clusters of 4096 bytes are more than the 4294967295" "can grow to 17592186040320" 16385G
accepted 16384G
