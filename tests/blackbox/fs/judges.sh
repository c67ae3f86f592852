# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# NTFS volumes for tests, and the tools of other people that judge them. Sourced by the tests
# of this folder, which get the path of growfs as their first argument. Needs bash.
#
# Each judge takes an image and succeeds when the tool finds nothing wrong; what the tool said
# is in $said. judges-reject.sh shows each of them a broken twin.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

growfs=$1
# shellcheck disable=SC2034
twin=$(dirname "$0")/ntfs_twin.py
mnt=$tmp/mnt
said=$tmp/said # what a tool has said
mkdir "$mnt"
on_exit "umount -l '$mnt' 2>/dev/null"

fail() {
	echo "FAILED: $*"
	[ ! -s "$said" ] || sed 's/^/    /' "$said"
	exit 1
}

requires mkntfs ntfs-3g ntfsresize ntfsfix ntfsinfo fls icat 7z fsntfsinfo python3
[ -c /dev/fuse ] || skip "no /dev/fuse"
[ "$(id -u)" = 0 ] || skip "needs root to mount"

# make_ntfs IMAGE SIZE CLUSTER [OPTION...]
make_ntfs() {
	local image=$1 size=$2 cluster=$3
	shift 3
	rm -f "$image"
	truncate -s "$size" "$image"
	mkntfs -q -Q -F -p 0 -H 0 -S 0 -c "$cluster" "$@" "$image" >"$said" 2>&1 ||
		fail "mkntfs -c $cluster"
}

# ntfs-3g stays our child, so that umount_ntfs can wait until it has written everything; what
# it says is in $tmp/mounted.
mount_ntfs() {
	ntfs-3g -o no_detach "$1" "$mnt" >"$tmp/mounted" 2>&1 &
	server=$!
	while ! mountpoint -q "$mnt"; do
		kill -0 "$server" 2>/dev/null || return 1
		sleep 0.02
	done
}

umount_ntfs() {
	local tries
	for ((tries = 0; tries < 100; tries++)); do
		umount "$mnt" 2>/dev/null && break
		sleep 0.1 # busy: somebody on this machine looks at all mounts
	done
	wait "$server"
}

# fill IMAGE COUNT KIB: files of up to KIB kilobytes, of random bytes, in three folders
fill() {
	mount_ntfs "$1" || fail "ntfs-3g does not mount the fresh volume"
	python3 - "$mnt" "$2" "$3" <<-'E' || fail "filling"
		import os, random, sys
		top, count, kib = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		dice = random.Random(count)
		for i in range(count):
		    folder = os.path.join(top, "folder %d" % (i % 3))
		    os.makedirs(folder, exist_ok=True)
		    with open(os.path.join(folder, "file-%04d.bin" % i), "wb") as f:
		        f.write(dice.randbytes(dice.randrange(kib * 1024)))
	E
	umount_ntfs
}

# Paths and SHA-256 of all files, sorted.
hashes_mounted() {
	(cd "$mnt" && find . -type f -print0 | sort -z | xargs -0r sha256sum)
}

# hashes IMAGE: the same through ntfs-3g
hashes() {
	mount_ntfs "$1" || return 1
	hashes_mounted
	umount_ntfs
}

# ---- judges ----

judge_ntfsresize() {
	ntfsresize -i -f "$1" >"$said" 2>&1
}

# also compares the backup boot sector
judge_ntfsfix() {
	ntfsfix -n "$1" >"$said" 2>&1 && ! grep -q BAD "$said"
}

judge_fsntfsinfo() {
	# since 2024 it goes on without the record of $Volume: the version is missing then
	fsntfsinfo "$1" >"$said" 2>&1 && grep -q "Cluster block size" "$said" &&
		grep -q 'Version.*: [0-9]' "$said"
}

# judge_files IMAGE HASHES: each file through ntfs-3g
judge_files() {
	hashes "$1" >"$said" && cmp -s "$said" "$2"
}

# judge_sleuthkit IMAGE HASHES: each file through fls and icat (clusters up to 64 KiB). fls shows
# a name in an index block as "-/r" where clusters are larger than 4 KiB.
judge_sleuthkit() {
	fls -r -p -F "$1" 2>/dev/null | sed -n 's/^[r-]\/r \([0-9]*-128-[0-9]*\):\t/\1 /p' |
		grep -v ' \$' | sort -u -k 2 >"$tmp/list"
	while read -r inode path; do
		printf '%s  ./%s\n' "$(icat "$1" "$inode" 2>/dev/null | sha256sum | cut -d ' ' -f 1)" \
			"$path"
	done <"$tmp/list" | sort -k 2 >"$said"
	sort -k 2 "$2" | cmp -s "$said" -
}

# judge_7z IMAGE HASHES: each file through 7-Zip's own reader
judge_7z() {
	rm -rf "$tmp/7z"
	7z x -y -bd -o"$tmp/7z" "$1" -x'![SYSTEM]' -x'!$*' >"$said" 2>&1 || return 1
	(cd "$tmp/7z" && find . -type f ! -path './\[*' -print0 | sort -z | xargs -0r sha256sum) \
		>"$said"
	cmp -s "$said" "$2"
}

# judge IMAGE CLUSTER HASHES [SECTOR]: all that can read clusters and sectors of this size:
# sleuthkit knows no clusters above 64 KiB, 7-Zip no sectors but those of 512 bytes.
judge() {
	judge_ntfsresize "$1" || fail "ntfsresize -i"
	judge_ntfsfix "$1" || fail "ntfsfix -n"
	judge_fsntfsinfo "$1" || fail "fsntfsinfo"
	judge_files "$1" "$3" || fail "ntfs-3g reads other files than before"
	if [ "$2" -le 65536 ]; then
		judge_sleuthkit "$1" "$3" || fail "fls and icat read other files than before"
	elif [ "${4:-512}" = 512 ]; then
		judge_7z "$1" "$3" || fail "7z reads other files than before"
	fi
}

# grow IMAGE SIZE [WORD...]: the line of figures is left in $figures
grow() {
	figures=$("$growfs" grow "$@") || {
		echo "$figures" >"$said"
		fail "growfs grow $*"
	}
}

# figure NAME: one number of that line
figure() {
	echo "$figures" | sed -n "s/.*\\b$1 \\([0-9.]*\\).*/\\1/p"
}
