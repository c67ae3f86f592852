#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# tools/unmount-ntfs.sh DIR: unmounts what ntfs-3g has mounted on DIR and waits until the volume
# is whole on its image. Two traps: umount(8) is refused while anybody on the machine looks at
# all mounts, and for an image file it returns before ntfs-3g has written everything.
set -euo pipefail
image=$(findmnt -no SOURCE --mountpoint "$(realpath "$1")")

holds_image() { # PID
	local fd
	for fd in /proc/"$1"/fd/*; do
		[ "$(readlink "$fd" 2>/dev/null)" != "$image" ] || return 0
	done
	return 1
}

tries=0
until umount "$1" 2>/dev/null || fusermount -u "$1" 2>/dev/null; do
	tries=$((tries + 1))
	[ $tries -lt 100 ] || { echo "unmount-ntfs: $1 stays busy" >&2; exit 1; }
	sleep 0.1
done
for comm in $(grep -ls '^ntfs-3g' /proc/[0-9]*/comm || :); do
	pid=${comm#/proc/}
	pid=${pid%/comm}
	for ((tries = 0; tries < 100; tries++)); do
		holds_image "$pid" || break
		sleep 0.1
	done
done
