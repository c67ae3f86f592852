#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Measures looking into machines beside the tools that do the same: sleuthkit, 7-Zip, and a mount
# by the kernel. Ours and theirs run in turn, BENCH_RUNS (5) times each; a line is the median of
# wall time, of processor time (user and system), and the peak of memory.
#
#   tools/bench-browse.sh      needs about 4 GB in BENCH_DIR (build/bench-browse), and root
#
# BENCH_TREE (/usr) is the folder of which BENCH_NAMES (34000) names are put on an ext4 volume.
set -euo pipefail
export LC_ALL=C.UTF-8 PATH=$PATH:/usr/sbin:/sbin
top=$(cd "$(dirname "$0")/.." && pwd)
sharevm=${SHAREVM:-$top/build/src/cli/sharevm}
runs=${BENCH_RUNS:-5}
tree=${BENCH_TREE:-/usr}
names=${BENCH_NAMES:-34000}
dir=${BENCH_DIR:-$top/build/bench-browse}
for tool in mke2fs sfdisk qemu-img fls icat 7z /usr/bin/time; do
	command -v "$tool" >/dev/null || {
		echo "bench: $tool is missing; run tools/setup.sh bench" >&2
		exit 1
	}
done
if [ "$(id -u)" -ne 0 ]; then
	echo "No root: looking into machines is not measured (mounting and owners need it)."
	exit 0
fi

rm -rf "$dir"
mkdir -p "$dir/mnt" "$dir/out"
finish() {
	umount "$dir/mnt" 2>/dev/null || :
	rm -rf "$dir"
}
trap finish EXIT
cd "$dir"

# ---- the disks -------------------------------------------------------------------------------

find "$tree" -xdev ! -type s 2>/dev/null | awk -v n="$names" 'NR <= n' >list
tar -c --no-recursion -T list -f tree.tar 2>/dev/null
mib=$(($(stat -c %s tree.tar) * 5 / 4 / 1048576 + 300))
truncate -s $((mib + 1))M disk.raw
echo 'start=2048' | sfdisk -q disk.raw
mke2fs -q -F -t ext4 -E offset=1048576 disk.raw "${mib}M"
mount -o loop,offset=1048576 disk.raw mnt
tar -x -C mnt -f tree.tar
small=$(cd mnt && find . -type f -size -8k | awk 'NR == 1000' | cut -c 2-)
umount mnt
rm tree.tar
qemu-img convert -t unsafe -O vmdk disk.raw disk.vmdk
inode=$(ifind -o 2048 -n "$small" disk.raw)
echo "$(wc -l <list) names of $tree on ext4, $(du -m disk.raw | cut -f 1) MB of data"

# ---- how it is measured ----------------------------------------------------------------------

clean() { rm -rf out && mkdir out; }

mounted_cp() {
	mount -o loop,ro,offset=1048576 disk.raw mnt
	cp -r mnt/. out
	umount mnt
}
export -f mounted_cp

once() { # COMMAND: appends "WALL CPU KIB" to a file named after it
	clean
	/usr/bin/time -f '%e %U %S %M' -o took bash -c "$1" >said 2>&1 || :
	[ -s took ] || {
		cat said >&2
		exit 1
	}
	tail -1 took | awk '{ print $1, $2 + $3, $4 }' >>"runs.$2"
}

median_of() { # COLUMN FILE
	cut -d ' ' -f "$1" "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

row() { # TITLE WALL CPU MEMORY RATIO
	printf '%-34s %9s %9s %8s %8s\n' "$@"
}

report() { # TITLE INDEX
	local wall cpu memory first
	wall=$(median_of 1 "runs.$2")
	cpu=$(median_of 2 "runs.$2")
	memory=$(median_of 3 "runs.$2")
	first=$(median_of 2 runs.0)
	row "$1" "$wall s" "$cpu s" "$((memory / 1024)) MB" \
		"$(awk -v a="$first" -v b="$cpu" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 1) }')"
}

# versus TITLE OURS [NAME THEIRS]...: ours and theirs in turn
versus() {
	local title=$1 i k
	shift
	set -- "$title" "$@"
	rm -f runs.*
	for ((i = 0; i < runs; i++)); do
		once "$2" 0
		for ((k = 4; k <= $#; k += 2)); do
			once "${!k}" "$((k / 2 - 1))"
		done
	done
	report "$1" 0
	for ((k = 3; k < $#; k += 2)); do
		report "  ${!k}" "$(((k + 1) / 2 - 1))"
	done
}

row '' wall cpu memory 'our cpu'
versus "ls -R, raw" "$sharevm ls -R disk.raw:/" \
	"fls -r" "fls -r -o 2048 disk.raw" "7z l" "7z l disk.raw"
versus "ls -R, VMDK" "$sharevm ls -R disk.vmdk:/" "7z l" "7z l disk.vmdk"
versus "ls -R -l, raw" "$sharevm ls -R -l disk.raw:/" "fls -r -l" "fls -r -l -o 2048 disk.raw"
versus "cat of a small file" "$sharevm cat 'disk.raw:$small'" \
	"icat" "icat -o 2048 disk.raw $inode"
versus "ls of the root" "$sharevm ls disk.raw:/" "fls" "fls -o 2048 disk.raw"
versus "show" "$sharevm show disk.raw"
versus "cp of everything, raw" "$sharevm cp -q disk.raw:/ out" \
	"7z x" "7z x -y -oout disk.raw" "cp from a mount" mounted_cp
versus "cp of everything, VMDK" "$sharevm cp -q disk.vmdk:/ out" "7z x" "7z x -y -oout disk.vmdk"
