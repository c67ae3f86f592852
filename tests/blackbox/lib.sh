# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What every black-box test sources: a temporary folder ($tmp) that goes away, checks with clear
# words, and the judges: other people's tools as functions that succeed or fail. A judge is worth
# something only because judges.sh shows that it rejects a broken twin.
#
#   . "$(dirname "$0")/../lib.sh"
#   requires qemu-img mkntfs
#   check "the disk is whole" judge_chain "$disk"
#
# Environment: SHAREVM is the program under test (meson sets it).
set -eu
LC_ALL=C.UTF-8
export LC_ALL
PATH=$PATH:/usr/sbin:/sbin

lib_dir=${lib_dir:-$(CDPATH='' cd -- "$(dirname -- "$0")" && while [ ! -f lib.sh ]; do cd ..; done && pwd)}
top=$(CDPATH='' cd -- "$lib_dir/../.." && pwd)
SHAREVM=${SHAREVM:-$top/build/src/cli/sharevm}

tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/sharevm-test-XXXXXX")
at_exit=
on_exit() { # COMMAND: run at the end, the last given first
	at_exit="$1
$at_exit"
}
finish() {
	code=$?
	trap - EXIT INT TERM
	eval "$at_exit" || :
	rm -rf "$tmp"
	exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

skip() { # REASON: the test does not apply here; shown, and in CI only allowed if listed
	echo "skip: $*"
	exit 77
}

requires() { # TOOL...
	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# check WHAT COMMAND...: runs it; on failure shows what it said and ends the test.
check() {
	what=$1
	shift
	if "$@" >"$tmp/check.log" 2>&1; then
		echo "ok: $what"
	else
		code=$?
		sed 's/^/    /' "$tmp/check.log" | tail -40
		fail "$what (exit $code of: $*)"
	fi
}

# check_exit WANT WHAT COMMAND...: the same for a command that must end with exit code WANT.
check_exit() {
	want=$1 what=$2
	shift 2
	code=0
	"$@" >"$tmp/check.log" 2>&1 || code=$?
	if [ "$code" -ne "$want" ]; then
		sed 's/^/    /' "$tmp/check.log" | tail -40
		fail "$what (exit $code, expected $want, of: $*)"
	fi
	echo "ok: $what"
}

rejects() { # COMMAND...: succeeds when the command fails
	! "$@"
}

# ---- originals -------------------------------------------------------------------------------

# sums_of DIR: a line for each file, to compare before and after
sums_of() {
	(cd "$1" && find . -type f | LC_ALL=C sort | while IFS= read -r file; do
		printf '%s %s %s\n' "$(openssl dgst -sha256 -r <"$file" | cut -c 1-64)" \
			"$(stat -c '%s %Y' "$file")" "$file"
	done)
}

judge_originals() { # DIR SUMS: no file came, went, or changed in content or time
	sums_of "$1" | diff "$2" -
}

# ---- virtual disks ---------------------------------------------------------------------------

# judge_chain DISK: qemu-img opens every link, and finds no fault in those it can check.
judge_chain() {
	qemu-img info --backing-chain "$1" >/dev/null || return 1
	qemu-img info --backing-chain --output=json "$1" |
		jq -r '.[].filename' | while IFS= read -r link; do
		code=0
		qemu-img check -q "$link" || code=$?
		# 63: a format (flat) that has nothing to check
		[ $code -eq 0 ] || [ $code -eq 63 ] || return 1
	done
}

judge_size() { # DISK BYTES
	[ "$(qemu-img info --output=json "$1" | jq '."virtual-size"')" -eq "$2" ]
}

judge_same_guest() { # DISK_A DISK_B: the guest sees the same bytes and the same size
	qemu-img compare "$1" "$2" || return 1
	judge_size "$1" "$(qemu-img info --output=json "$2" | jq '."virtual-size"')"
}

# raw_view DISK OUT: what the guest sees, as a raw sparse file
raw_view() {
	qemu-img convert -t unsafe -O raw "$1" "$2"
}

# fuse_view DISK DIR START SIZE: DIR/c.raw shows a volume of a disk of any format, read-only,
# without a copy
fuse_view() {
	mkdir -p "$2"
	: >"$2/c.raw"
	set -- "$1" "$2" "$3" "$4" "$(qemu-img info --output=json "$1" | jq -r .format)"
	qemu-storage-daemon --daemonize --pidfile "$2/pid" \
		--blockdev "$(jq -nc --arg f "$1" --arg d "$5" --argjson o "$3" --argjson s "$4" \
			'{driver: "raw", "node-name": "c", "read-only": true, offset: $o, size: $s,
			  file: {driver: $d, file: {driver: "file", filename: $f}}}')" \
		--export "type=fuse,id=view,node-name=c,mountpoint=$2/c.raw,writable=off" || return 1
	on_exit "stop_view $(cat "$2/pid") '$2/c.raw'"
}

# stop_view PID FILE: ends it, and waits until the view is gone
stop_view() {
	kill "$1" 2>/dev/null
	tries=0
	while kill -0 "$1" 2>/dev/null || mountpoint -q "$2"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || { echo "the view $2 does not go away" >&2; return 1; }
		sleep 0.05
	done
}

# window RAW OUT START SIZE: a volume of a raw disk
window() {
	qemu-img convert -t unsafe -O raw --image-opts \
		"driver=raw,offset=$3,size=$4,file.driver=file,file.filename=$1" "$2"
}

# ---- partition tables ------------------------------------------------------------------------

# judge_table RAW SECTOR: sfdisk (and for GPT sgdisk) find nothing to complain of. A file has
# 512-byte sectors for both, so 4096 goes through a loop device, which needs root.
judge_table() {
	if [ "$2" -eq 512 ]; then
		judge_table_of "$1"
		return
	fi
	loop=$(losetup -b "$2" -f --show -r "$1") || return 1
	code=0
	judge_table_of "$loop" || code=$?
	losetup -d "$loop"
	return $code
}

judge_table_of() {
	said=$(sfdisk -V "$1" 2>&1) || { echo "$said"; return 1; }
	echo "$said"
	case $said in *"No errors detected"*) ;; *) return 1 ;; esac
	[ "$(sfdisk -d "$1" | sed -n 's/^label: //p')" = gpt ] || return 0
	said=$(sgdisk -v "$1" 2>&1) || { echo "$said"; return 1; }
	echo "$said"
	case $said in *"No problems found"*) ;; *) return 1 ;; esac
	! echo "$said" | grep -qiE 'caution|invalid|corrupt|damaged'
}

# partition RAW SECTOR INDEX: prints "START SIZE" in bytes, as sfdisk sees them
partition() {
	disk=$1 loop=
	if [ "$2" -ne 512 ]; then
		loop=$(losetup -b "$2" -f --show -r "$1")
		disk=$loop
	fi
	sfdisk -J "$disk" | jq -r --argjson i "$3" --argjson s "$2" '.partitiontable.partitions[] |
		select(.node | test("[^0-9]p?\($i)$")) | "\(.start * $s) \(.size * $s)"'
	[ -z "$loop" ] || losetup -d "$loop"
}

# ---- NTFS ------------------------------------------------------------------------------------

# judge_ntfs VOLUME: the volume is whole in the eyes of ntfsresize (each cluster accounted for)
# and ntfsfix (MFT, its mirror, both boot sectors), and both see one of the same size.
judge_ntfs() {
	said=$(ntfsresize -i -f -P "$1" 2>&1) || { echo "$said"; return 1; }
	echo "$said"
	case $said in *"Accounting clusters"*"Space in use"*) ;; *) return 1 ;; esac
	said=$(ntfsfix -n "$1" 2>&1) || { echo "$said"; return 1; }
	echo "$said"
	case $said in *"alternate boot sector... OK"*) ;; *) return 1 ;; esac
	! echo "$said" | grep -qE 'FAILED|BAD|ERROR'
}

# judge_ntfs_fills VOLUME SECTOR: it reaches the last whole cluster of its partition
judge_ntfs_fills() {
	bytes=$(stat -c %s "$1")
	clusters=$(ntfscluster -f -i "$1" 2>/dev/null | sed -n 's/^sectors per volume *: //p')
	cluster=$(ntfscluster -f -i "$1" 2>/dev/null | sed -n 's/^bytes per cluster *: //p')
	want=$(((bytes - $2) / cluster))
	echo "ntfs-3g counts $clusters clusters of $cluster bytes, $want fit"
	[ "$clusters" -eq "$want" ]
}

# judge_files_mount VOLUME MANIFEST: every file and named stream, read through ntfs-3g
judge_files_mount() {
	mkdir -p "$tmp/mnt"
	ntfs-3g -o no_detach,ro,streams_interface=windows "$1" "$tmp/mnt" >"$tmp/mount.log" 2>&1 &
	mounter=$!
	until mountpoint -q "$tmp/mnt"; do
		kill -0 $mounter 2>/dev/null || { cat "$tmp/mount.log"; return 1; }
		sleep 0.02
	done
	code=0
	python3 "$top/tools/check-manifest.py" "$tmp/mnt" "$2" || code=$?
	"$top/tools/unmount-ntfs.sh" "$tmp/mnt"
	wait $mounter || :
	return $code
}

# judge_files_7z VOLUME MANIFEST: every file and named stream, read by 7-Zip's own NTFS code. It
# cannot read a sparse file (version 16) and knows no sectors but those of 512 bytes.
judge_files_7z() {
	7z x -y -o"$tmp/7z" "$1" -x'!ProgramData/sparse.db' >"$tmp/7z.log" 2>&1 ||
		{ tail -20 "$tmp/7z.log"; rm -rf "$tmp/7z"; return 1; }
	code=0
	python3 "$top/tools/check-manifest.py" "$tmp/7z" "$2" --without ProgramData/sparse.db ||
		code=$?
	rm -rf "$tmp/7z"
	return $code
}

# judge_files_tsk VOLUME MANIFEST: every file with content, read by sleuthkit's own NTFS code; it
# leaves out empty files and named streams
judge_files_tsk() {
	tsk_recover -a -f ntfs "$1" "$tmp/tsk" >"$tmp/tsk.log" 2>&1 ||
		{ tail -20 "$tmp/tsk.log"; rm -rf "$tmp/tsk"; return 1; }
	code=0
	python3 "$top/tools/check-manifest.py" "$tmp/tsk" "$2" --without '*:*' \
		--without '*/empty.txt' || code=$?
	rm -rf "$tmp/tsk"
	return $code
}

# ---- the sample machine ----------------------------------------------------------------------

# make_sample DIR OPTION...: makes one, and reads layout.env into variables
make_sample() {
	sample_dir=$1
	shift
	QUIET=1 "$top/tools/make-sample-vm.sh" "$sample_dir" --small "$@" >"$tmp/sample.log" 2>&1 ||
		{ cat "$tmp/sample.log" >&2; fail "making the sample machine ($*)"; }
	# shellcheck disable=SC1091 # made just now
	. "$sample_dir/layout.env"
}
sample_requires() {
	requires mkntfs ntfs-3g ntfscp sfdisk fdisk qemu-img python3 numfmt
	[ -e /dev/fuse ] || skip "no /dev/fuse"
}
