#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Measures sharevm beside what a person would do by hand with sfdisk and ntfsresize, and beside
# what it promises, in one run on one disk. Both sides end with their bytes on the disk (fsync).
# Bytes are counted by strace, for both sides in the same way; time is the median of BENCH_RUNS
# (5) runs without strace; memory is the peak of the largest process. The last line counts the
# promises that hold and those that do not; the exit code is 1 where one does not.
#
#   tools/bench.sh [JOB...]    raw linked copy show; all without a word. Needs about 12 GB in
#                              BENCH_DIR (build/bench); the peer needs root
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
raw_ours() { "$sharevm" extend "$dir/disk.raw" --to "$to" --in-place --yes --json ${quick:+--quick}; }
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
linked_ours() {
	"$sharevm" extend "$vmx" --to "$to" --linked --into "$dir/linked" --yes --json ${quick:+--quick}
}
linked_peer() { # no tool grows a VMDK with a parent: it must become a raw disk first
	qemu-img convert -O raw "$disk" "$dir/disk.raw"
	grow_raw "$dir/disk.raw"
}

copy_fresh() { rm -rf "$dir/copy" "$dir/copy.vmdk"; }
copy_ours() { "$sharevm" extend "$vmx" --to "$to" --copy --into "$dir/copy" --yes --json ${quick:+--quick}; }
copy_peer() { # only the copy, not the growth
	qemu-img convert -O vmdk -o subformat=monolithicSparse "$disk" "$dir/copy.vmdk"
	sync "$dir/copy.vmdk"
}
copy_floor() {
	mkdir "$dir/copy"
	cp --sparse=always "$machine"/* "$dir/copy/"
	sync "$dir"/copy/*
}

show_fresh() { :; }
show_ours() { "$sharevm" show "$vmx" --json; }

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
	export dir machine vmx disk to quick c_index c_start sharevm loop
	shift
	"$@"
}

bytes_of() { # FRESH COMMAND: prints "WRITTEN READ": what system calls moved, files only
	local calls=read,pread64,readv,preadv,write,pwrite64,writev,pwritev,copy_file_range
	"$1"
	mkdir "$dir/trace" # a file for each thread: in one, calls would be torn in two
	in_shell "$2" strace -ff -qq -o "$dir/trace/t" -e signal=none -e "trace=$calls" \
		bash -c "$2" >"$dir/said" 2>"$dir/said.err"
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

memory_of() { # FRESH COMMAND: bytes
	"$1"
	in_shell "$2" /usr/bin/time -f %M -o "$dir/memory" bash -c "$2" >"$dir/said" 2>&1 || {
		cat "$dir/said" >&2
		echo "bench: $2 failed" >&2
		return 1
	}
	awk 'END { print $1 * 1024 }' "$dir/memory"
}

floor_fresh() { rm -f "$dir/floor"; }
floor_run() { dd if=/dev/zero of="$dir/floor" bs="$bytes" count=1 conv=fsync; }
floor_of_bytes() { # BYTES: seconds to write so many and have them on the disk
	bytes=$(($1 > 0 ? $1 : 1))
	seconds_of floor_fresh floor_run
}

# What reading a few files again to compare them took: counted apart (the last run's report).
sample_of() { jq -r '.result.sample_bytes // 0' "$dir/said"; }

# The size of $MFT of the volume at c_start of a raw disk, as ntfs-3g's tool tells it.
mft_of() { # DISK
	loop=$(losetup -f --show -r -o "$c_start" "$1")
	ntfsinfo -f -i 0 "$loop" 2>/dev/null | awk '/attribute [$]DATA/ { data = 1 }
		data && /Data size:/ { print $3; exit }'
	losetup -d "$loop"
	loop=
}

# ---- the table -------------------------------------------------------------------------------
held=0 short=0
size() { numfmt --to=iec "$1"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.3g", a / b; else printf "-" }'; }

row() { # JOB FIGURE OURS PEER RATIO LIMIT VERDICT
	printf '%-26s %-12s %9s %9s %8s %9s  %s\n' "$@"
}

given() { # SHOW FIGURE: "-" stays one
	if [ "$2" = - ]; then echo -; else "$1" "$2"; fi
}
# line JOB FIGURE OURS PEER LIMIT [bytes]: a row, judged where LIMIT is a number; PEER may be -
line() {
	local verdict='' show=echo with=-
	[ "${6-}" != bytes ] || show=size
	if [ "$5" != - ]; then
		if awk -v a="$3" -v b="$5" 'BEGIN { exit !(a <= b) }'; then
			verdict=holds held=$((held + 1))
		else
			verdict=SHORT short=$((short + 1))
		fi
	fi
	[ "$4" = - ] || with=$(ratio "$3" "$4")
	row "$1" "$2" "$($show "$3")" "$(given $show "$4")" "$with" "$(given $show "$5")" "$verdict"
}

# measure JOB TITLE RUNS_OF_PEER WITH_PEER MOST_WRITTEN MOST_READ: sizes or -. MOST_READ is what
# may be read beside $MFT and the sampled files, and all that may be with --quick.
measure() {
	local ours_s peer_s=- peer_w=- peer_r=- peer_m=- ours_w ours_r ours_m quick_r sample mft=-
	quick=
	read -r ours_w ours_r < <(bytes_of "$1_fresh" "$1_ours")
	sample=$(sample_of)
	if [ "$6" != - ]; then
		quick=yes
		read -r _ quick_r < <(bytes_of "$1_fresh" "$1_ours")
		quick_r=$((quick_r - $(sample_of)))
		quick=
	fi
	ours_m=$(memory_of "$1_fresh" "$1_ours")
	ours_s=$(seconds_of "$1_fresh" "$1_ours")
	if [ "$4" = yes ]; then
		read -r peer_w peer_r < <(bytes_of "$1_fresh" "$1_peer")
		[ "$6" = - ] || mft=$(mft_of "$dir/disk.raw")
		peer_m=$(memory_of "$1_fresh" "$1_peer")
		peer_s=$(seconds_of "$1_fresh" "$1_peer" "$3")
	fi
	line "$2" "time s" "$ours_s" "$peer_s" "$peer_s"
	if declare -F "$1_floor" >/dev/null; then
		line "" "floor s" "$ours_s" "$(seconds_of "$1_fresh" "$1_floor" "$3")" -
	else
		line "" "floor s" "$ours_s" "$(floor_of_bytes "$ours_w")" -
	fi
	line "" written "$ours_w" "$peer_w" "$5" bytes
	line "" "read, all" "$ours_r" "$peer_r" - bytes
	if [ "$6" != - ]; then
		[ "$mft" = - ] || mft=$(($6 + mft))
		line "" "read, of it" $((ours_r - sample)) - "$mft" bytes
		line "" "read, quick" "$quick_r" - "$6" bytes
	fi
	line "" memory "$ours_m" "$peer_m" $((64 << 20)) bytes
	"$1_fresh"
}

sample() { # DIR OPTION...
	echo "making a machine: ${*:2}" >&2
	QUIET=1 "$top/tools/make-sample-vm.sh" "$@"
	# shellcheck disable=SC1091 # made just now
	. "$1/layout.env"
	machine=$(dirname "$vmx")
}

jobs=${*:-raw linked copy show}
wants() { case " $jobs " in *" $1 "*) ;; *) return 1 ;; esac; }
mib=$((1 << 20))

echo "sharevm $("$sharevm" --version | awk '{ print $NF; exit }'), $(nproc) processors,$(
	sed -n 's/^model name.*:/ /p' /proc/cpuinfo | head -1), $(date +%F), load $(cut -d ' ' -f 1 /proc/loadavg)"
echo "an 8 GB disk, GPT, NTFS with 4000 files; median of $runs runs"
echo
row "job" "" ours peer ratio limit ""
if wants raw; then
	sample "$dir/flat" --size 8G --fill 20 --table gpt --subformat monolithicFlat --chain 1
	to=60G
	measure raw "raw 8 -> 60 GB in place" "$runs" $peer - -
	to=8T
	measure raw "raw 8 GB -> 8 TB in place" "$runs" $peer - -
	rm -rf "$dir/flat"
fi
if wants linked || wants copy || wants show; then
	sample "$dir/split" --size 8G --fill 20 --table gpt --subformat twoGbMaxExtentSparse --chain 2
fi
if wants linked; then
	to=60G
	measure linked "VMDK 8 -> 60 GB linked" 1 $peer $((4 * mib)) $((4 * mib))
	to=8T
	measure linked "VMDK 8 GB -> 8 TB linked" 1 $peer $((10 * mib)) $((4 * mib))
fi
to=60G
! wants copy || measure copy "VMDK 8 -> 60 GB copy" 1 yes - -
! wants show || measure show "show" 1 no - -
cat <<-END

	$held promises hold, $short do not.

	peer    raw: truncate, sfdisk, losetup, ntfsresize, sync. VMDK linked: first qemu-img
	        convert to raw, since nothing else grows a VMDK with a parent (one run). VMDK
	        copy: qemu-img convert alone, which grows nothing (one run).
	floor   to write as many bytes as we do in one piece and have them on the disk; for
	        the copy: cp of the machine's files, and sync. In the column of the peer.
	of it   without the files that are read to be compared, of both disks. The limit is
	        $(size $((4 * mib))) and the volume's \$MFT; with --quick \$MFT is not read.
	ratio   ours to peer: below 1 is better.
END
[ $short -eq 0 ]
