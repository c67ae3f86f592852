#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Measures sharevm beside what a person would do by hand with sfdisk and ntfsresize, and beside
# the machine's own limit, in one run on one disk. Both sides end with their bytes on the disk
# (fsync). Bytes are counted by strace, for both sides in the same way; time is the median of
# BENCH_RUNS (5) runs without strace; memory is the peak of the largest process.
#
#   tools/bench.sh        needs about 12 GB in BENCH_DIR (build/bench); the peer needs root
set -euo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "$0")/.." && pwd)
sharevm=${SHAREVM:-$top/build/src/cli/sharevm}
runs=${BENCH_RUNS:-5}
dir=${BENCH_DIR:-$top/build/bench}
rm -rf "$dir"
mkdir -p "$dir"
loop=
finish() {
	[ -z "$loop" ] || losetup -d "$loop"
	rm -rf "$dir"
}
trap finish EXIT

peer=yes
if [ "$(id -u)" -ne 0 ] || ! losetup -f >/dev/null 2>&1; then
	peer=no
	echo "No root or no loop device here: the peer is left out."
fi

# ---- what is measured ------------------------------------------------------------------------
# A job is three functions: NAME_fresh makes the start, NAME_ours and NAME_peer do the work.

raw_fresh() { # the disk as it was, written out before the clock starts
	rm -f "$dir/disk.raw"*
	cp --sparse=always "$machine/Windows 7-flat.vmdk" "$dir/disk.raw"
	sync "$dir/disk.raw"
}
raw_ours() { "$sharevm" extend "$dir/disk.raw" --to "$to" --in-place --yes -q; }
raw_peer() { grow_raw "$dir/disk.raw"; }

grow_raw() { # by hand: the file, the table, the volume
	truncate -s "$to" "$1"
	echo ', +' | sfdisk -q --no-reread -N "$c_index" "$1"
	loop=$(losetup -f --show -o "$c_start" "$1")
	ntfsresize -f -f -P "$loop" </dev/null
	losetup -d "$loop"
	loop=
	sync "$1"
}

linked_fresh() { rm -rf "$dir/linked" "$dir/disk.raw"; }
linked_ours() { "$sharevm" extend "$vmx" --to "$to" --linked --into "$dir/linked" --yes -q; }
linked_peer() { # no tool grows a VMDK with a parent: it must become a raw disk first
	qemu-img convert -O raw "$disk" "$dir/disk.raw"
	grow_raw "$dir/disk.raw"
}

copy_fresh() { rm -rf "$dir/copy" "$dir/copy.vmdk"; }
copy_ours() { "$sharevm" extend "$vmx" --to "$to" --copy --into "$dir/copy" --yes -q; }
copy_peer() { # only the copy, not the growth
	qemu-img convert -O vmdk -o subformat=monolithicSparse "$disk" "$dir/copy.vmdk"
	sync "$dir/copy.vmdk"
}
copy_limit() {
	mkdir "$dir/copy"
	cp --sparse=always "$machine"/* "$dir/copy/"
	sync "$dir"/copy/*
}

show_fresh() { :; }
show_ours() { "$sharevm" show "$vmx"; }

# ---- how it is measured ----------------------------------------------------------------------
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

seconds_of() { # FRESH COMMAND [RUNS]
	local i begun
	for ((i = 0; i < ${3:-$runs}; i++)); do
		"$1"
		begun=$EPOCHREALTIME
		"$2" >"$dir/said" 2>&1 || {
			cat "$dir/said" >&2
			echo "bench: $2 failed" >&2
			return 1
		}
		awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.4f\n", b - a }'
	done | median
}

# A function of this script, run by another shell, so that strace and time can see it.
in_shell() {
	export -f grow_raw "${1?}"
	export dir machine vmx disk to c_index c_start sharevm loop
	shift
	"$@"
}

bytes_of() { # FRESH COMMAND: prints "WRITTEN READ": what system calls moved, files only
	local calls=read,pread64,readv,preadv,write,pwrite64,writev,pwritev,copy_file_range
	"$1"
	mkdir "$dir/trace" # a file for each thread: in one, calls would be torn in two
	in_shell "$2" strace -ff -qq -o "$dir/trace/t" -e signal=none -e "trace=$calls" \
		bash -c "$2" >"$dir/said" 2>&1
	awk 'match($0, /^[a-z_0-9]+\([0-9]+/) {
			call = substr($0, 1, index($0, "(") - 1)
			fd = substr($0, index($0, "(") + 1, RLENGTH - index($0, "(")) + 0
			n = $NF + 0
			if (fd < 3 || n < 0) next
			if (call ~ /write|copy_file/) written += n
			if (call ~ /read|copy_file/) got += n
		}
		END { printf "%d %d\n", written, got }' "$dir"/trace/*
	rm -r "$dir/trace"
}

memory_of() { # FRESH COMMAND: KiB
	"$1"
	in_shell "$2" /usr/bin/time -f %M -o "$dir/memory" bash -c "$2" >"$dir/said" 2>&1
	tail -1 "$dir/memory"
}

limit_fresh() { rm -f "$dir/limit"; }
limit_run() { dd if=/dev/zero of="$dir/limit" bs="$bytes" count=1 conv=fsync; }
limit_of_bytes() { # BYTES: seconds to write so many and have them on the disk
	bytes=$(($1 > 0 ? $1 : 1))
	seconds_of limit_fresh limit_run
}

# ---- the table -------------------------------------------------------------------------------
size() { numfmt --to=iec "$1"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.3g", a / b; else printf "-" }'; }

row() { # JOB FIGURE OURS PEER RATIO LIMIT
	printf '%-30s %-8s %10s %10s %8s %10s\n' "$@"
}

measure() { # NAME TITLE RUNS_OF_PEER WITH_PEER
	local ours_s peer_s=- peer_w=- peer_r=- peer_m=- ours_w ours_r ours_m limit
	read -r ours_w ours_r < <(bytes_of "$1_fresh" "$1_ours")
	ours_m=$(memory_of "$1_fresh" "$1_ours")
	ours_s=$(seconds_of "$1_fresh" "$1_ours")
	if [ "$4" = yes ]; then
		read -r peer_w peer_r < <(bytes_of "$1_fresh" "$1_peer")
		peer_m=$(memory_of "$1_fresh" "$1_peer")
		peer_s=$(seconds_of "$1_fresh" "$1_peer" "$3")
	fi
	if declare -F "$1_limit" >/dev/null; then
		limit=$(seconds_of "$1_fresh" "$1_limit" "$3")
	else
		limit=$(limit_of_bytes "$ours_w")
	fi
	if [ "$4" = yes ]; then
		row "$2" "time s" "$ours_s" "$peer_s" "$(ratio "$ours_s" "$peer_s")" "$limit"
		row "" written "$(size "$ours_w")" "$(size "$peer_w")" "$(ratio "$ours_w" "$peer_w")" ""
		row "" read "$(size "$ours_r")" "$(size "$peer_r")" "$(ratio "$ours_r" "$peer_r")" ""
		row "" memory "$(size $((ours_m * 1024)))" "$(size $((peer_m * 1024)))" \
			"$(ratio "$ours_m" "$peer_m")" ""
	else
		row "$2" "time s" "$ours_s" - - "$limit"
		row "" written "$(size "$ours_w")" - - ""
		row "" read "$(size "$ours_r")" - - ""
		row "" memory "$(size $((ours_m * 1024)))" - - ""
	fi
	"$1_fresh"
}

sample() { # DIR OPTION...
	echo "making a machine: ${*:2}" >&2
	QUIET=1 "$top/tools/make-sample-vm.sh" "$@"
	# shellcheck disable=SC1091 # made just now
	. "$1/layout.env"
	machine=$(dirname "$vmx")
}

echo "sharevm $("$sharevm" --version | awk '{ print $NF; exit }'), $(nproc) processors,$(
	sed -n 's/^model name.*:/ /p' /proc/cpuinfo | head -1), $(date +%F), load $(cut -d ' ' -f 1 /proc/loadavg)"
echo "an 8 GB disk, GPT, NTFS with 4000 files; median of $runs runs"
sample "$dir/flat" --size 8G --fill 20 --table gpt --subformat monolithicFlat --chain 1
echo
row "job" "" ours peer ratio limit
to=60G
measure raw "raw 8 -> 60 GB in place" "$runs" $peer
to=8T
measure raw "raw 8 GB -> 8 TB in place" "$runs" $peer
rm -rf "$dir/flat"
sample "$dir/split" --size 8G --fill 20 --table gpt --subformat twoGbMaxExtentSparse --chain 2
to=60G
measure linked "VMDK 8 -> 60 GB linked" 1 $peer
to=8T
measure linked "VMDK 8 GB -> 8 TB linked" 1 $peer
to=60G
measure copy "VMDK 8 -> 60 GB copy" 1 yes
measure show "show" 1 no
cat <<-END

	peer    raw: truncate, sfdisk, losetup, ntfsresize, sync. VMDK linked: first qemu-img
	        convert to raw, since nothing else grows a VMDK with a parent (one run). VMDK
	        copy: qemu-img convert alone, which grows nothing (one run).
	limit   to write as many bytes as we do in one piece and have them on the disk; for
	        the copy: cp of the machine's files, and sync.
	ratio   ours to peer: below 1 is better.
END
