#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs a shell script in a small Linux of its own: a Debian kernel in QEMU (software emulation,
# some seconds), where device-mapper, md and all file systems are whatever this machine's own
# kernel has.
#
#   linux.sh [-m MODULE]... [-p PROGRAM]... [-t SECONDS] SCRIPT [DISK]...
#
# SCRIPT runs under busybox sh with / in memory; each DISK (raw, written to) is /dev/vda,
# /dev/vdb, ... Its output goes to standard output and its exit code is the exit code. 125: the
# little Linux did not come that far. 77: what is needed is not here.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "${BASH_SOURCE[0]}")

die() {
	echo "linux.sh: $*" >&2
	exit 125
}

modules_wanted=() programs=() seconds=300
while getopts m:p:t: option; do
	case $option in
	m) modules_wanted+=("$OPTARG") ;;
	p) programs+=("$OPTARG") ;;
	t) seconds=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || {
	echo "usage: linux.sh [-m MODULE]... [-p PROGRAM]... [-t SECONDS] SCRIPT [DISK]..." >&2
	exit 2
}
script=$1
shift
for program in qemu-system-x86_64 busybox cpio "${programs[@]}"; do
	command -v "$program" >/dev/null || {
		echo "skip: $program is not on this machine"
		exit 77
	}
done

work=$(mktemp -d "${TMPDIR:-/tmp}/sharevm-linux-XXXXXX")
trap 'rm -rf "$work"' EXIT
# shellcheck source=tools/initrd.sh
. "$here/../../tools/initrd.sh"

write_init() {
	cat >"$root/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		export PATH=/bin
		mount -t proc none /proc
		mount -t sysfs none /sys
		mount -t devtmpfs none /dev
		mkdir -p /run /tmp /mnt /etc
		while read -r module; do
			insmod "/modules/$module" || echo "cannot load $module"
		done </modules/order
		echo "=== begin ==="
		sh /script </dev/null
		echo "=== end $? ==="
		sync
		poweroff -f
	END
	chmod 755 "$root/init"
	cp "$script" "$root/script"
}

find_kernel
make_root
add_modules virtio_pci virtio_blk "${modules_wanted[@]}"
for program in "${programs[@]}"; do
	add_program "$(command -v "$program")"
done
write_init
pack_root >"$work/initrd.img"

drives=()
for disk in "$@"; do
	drives+=(-drive "file=$disk,format=raw,if=virtio,cache=unsafe")
done
timeout "$seconds" qemu-system-x86_64 -accel tcg -cpu max -m 768 -nodefaults -display none \
	-no-reboot -serial "file:$work/serial" -kernel "$kernel" -initrd "$work/initrd.img" \
	-append "console=ttyS0 quiet loglevel=3 panic=-1" "${drives[@]}" || true
tr -d '\r' <"$work/serial" >"$work/text"
grep -q '^=== begin ===$' "$work/text" || {
	tail -20 "$work/text" >&2
	die "the little Linux did not start"
}
sed -n '/^=== begin ===$/,/^=== end [0-9]* ===$/p' "$work/text" | grep -v '^=== \(begin\|end [0-9]*\) ===$' ||
	true
code=$(sed -n 's/^=== end \([0-9]*\) ===$/\1/p' "$work/text")
[ -n "$code" ] || {
	tail -20 "$work/text" >&2
	die "the script did not come to its end"
}
exit "$code"
