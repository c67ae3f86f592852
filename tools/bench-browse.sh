#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Measures looking into machines beside the tools that do the same, sleuthkit, 7-Zip and a mount
# by the kernel, and against what it promises. Ours and theirs run in turn, BENCH_RUNS (5) times
# each; a line is the median of wall time, of processor time (user and system), and the peak of
# memory. "ok" and "SHORT" tell of a promise whether it holds; the exit code is 1 where one does
# not. The wall times of a busy machine are worth little.
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
for tool in mke2fs sfdisk qemu-img fls icat 7z python3; do
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

# Fifty machines, ten of each format, each with a small Linux on it.
mkdir -p machines little/etc little/usr/lib little/var
printf 'PRETTY_NAME="Debian 12"\nID=debian\n' >little/etc/os-release
mke2fs -q -F -t ext4 -d little little.raw 64M 2>made
for i in 1 2 3 4 5 6 7 8 9 10; do
	cp little.raw machines/raw-$i.img
	for format in vmdk qcow2 vhdx vdi; do
		qemu-img convert -t unsafe -O $format little.raw machines/$format-$i.$format
	done
done

# ---- how it is measured ----------------------------------------------------------------------

clean() { rm -rf out && mkdir out; }

mounted_cp() {
	mount -o loop,ro,offset=1048576 disk.raw mnt
	cp -r mnt/. out
	umount mnt
}
export -f mounted_cp

# Runs a command and prints seconds, seconds of processor, KiB. A shell that starts it would
# count with it: where the words suffice there is none.
cat >measure.py <<'END'
import os, shlex, sys, time

words = ["bash", "-c", sys.argv[1]] if sys.argv[1] == "mounted_cp" else shlex.split(sys.argv[1])
said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
begin = time.monotonic()
pid = os.fork()
if pid == 0:
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.execvp(words[0], words)
_, status, use = os.wait4(pid, 0)
print(f"{time.monotonic() - begin:.4f} {use.ru_utime + use.ru_stime:.4f} {use.ru_maxrss}")
sys.exit(status != 0 and "7z" not in words[0])  # 7z warns of names that it changes
END

once() { # COMMAND INDEX
	clean
	python3 measure.py "$1" >>"runs.$2" || {
		tail -5 said >&2
		echo "bench: it fails: $1" >&2
		exit 1
	}
}

median_of() { # COLUMN FILE
	cut -d ' ' -f "$1" "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

row() { # TITLE WALL CPU MEMORY RATIO
	printf '%-32s %10s %10s %8s %8s  %s\n' "$@"
}

report() { # TITLE INDEX
	local wall cpu memory first
	wall=$(median_of 1 "runs.$2")
	cpu=$(median_of 2 "runs.$2")
	memory=$(median_of 3 "runs.$2")
	first=$(median_of 2 runs.0)
	row "$1" "$(printf '%.3f s' "$wall")" "$(printf '%.3f s' "$cpu")" "$((memory / 1024)) MB" \
		"$(awk -v a="$first" -v b="$cpu" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 1) }')" "$3"
}

# versus TITLE OURS [NAME THEIRS]...: ours and theirs in turn
versus() {
	local i k
	rm -f runs.*
	for ((i = 0; i < runs; i++)); do
		once "$2" 0
		for ((k = 4; k <= $#; k += 2)); do
			once "${!k}" "$((k / 2 - 1))"
		done
	done
	report "$1" 0 ""
	for ((k = 3; k < $#; k += 2)); do
		report "  ${!k}" "$(((k + 1) / 2 - 1))" ""
	done
}

held=0 short=0
# promise WHAT OURS LIMIT: ours is at most the limit
promise() {
	if awk -v a="$2" -v b="$3" 'BEGIN { exit !(a <= b) }'; then
		held=$((held + 1))
		printf '    ok     %s\n' "$1"
	else
		short=$((short + 1))
		printf '    SHORT  %s: %s, at most %s\n' "$1" "$2" "$3"
	fi
}
wall() { median_of 1 "runs.$1"; }
cpu() { median_of 2 "runs.$1"; }
little_memory() { promise "memory at most 32 MB" "$(median_of 3 runs.0)" 32768; }
not_slower() { # WHAT INDEX
	promise "not slower than $1, in time" "$(wall 0)" "$(wall "$2")"
	promise "not slower than $1, in processor time" "$(cpu 0)" "$(cpu "$2")"
}

row '' wall cpu memory 'our cpu' ''
versus "list of 50 machines" "$sharevm list --in machines"
promise "at most 1 s" "$(wall 0)" 1
little_memory
versus "ls -R, raw" "$sharevm ls -R disk.raw:/" \
	"fls -r" "fls -r -o 2048 disk.raw" "7z l" "7z l disk.raw"
not_slower "fls -r" 1
not_slower "7z l" 2
little_memory
versus "ls -R, VMDK" "$sharevm ls -R disk.vmdk:/" "7z l" "7z l disk.vmdk"
not_slower "7z l" 1
versus "ls -R -l, raw" "$sharevm ls -R -l disk.raw:/" "fls -r -l" "fls -r -l -o 2048 disk.raw"
not_slower "fls -r -l" 1
versus "cat of a small file" "$sharevm cat 'disk.raw:$small'" \
	"icat" "icat -o 2048 disk.raw $inode"
promise "at most 20 ms" "$(wall 0)" 0.020
versus "ls of the root" "$sharevm ls disk.raw:/" "fls" "fls -o 2048 disk.raw"
promise "at most 20 ms" "$(wall 0)" 0.020
versus "show" "$sharevm show disk.raw"
promise "at most 100 ms" "$(wall 0)" 0.100
versus "find --name" "$sharevm find disk.raw:/ --name '*.so*'"
little_memory
versus "usage" "$sharevm usage disk.raw"
little_memory
versus "diff with itself" "$sharevm diff disk.raw disk.vmdk"
little_memory
versus "cp of everything, raw" "$sharevm cp -q disk.raw:/ out" \
	"7z x" "7z x -y -oout disk.raw" "cp from a mount" mounted_cp
promise "as fast as 7z x" "$(wall 0)" "$(wall 1)"
promise "at least 70 % of cp from a mount" "$(awk -v t="$(wall 0)" 'BEGIN { print t * 0.7 }')" "$(wall 2)"
little_memory
versus "cp of everything, VMDK" "$sharevm cp -q disk.vmdk:/ out" "7z x" "7z x -y -oout disk.vmdk"
promise "as fast as 7z x" "$(wall 0)" "$(wall 1)"
cat <<-END

	$held promises hold, $short do not.

	our cpu  our processor time to theirs: below 1 is better
END
[ $short -eq 0 ]
