#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# LVM2 volumes of every kind that we read, made and filled by the Linux kernel and lvm2's own
# tools: linear over two disks, striped, mirrors, RAID with a disk missing, thin volumes with
# snapshots, classic snapshots, and a group on an md array on GPT partitions. The kernel tells each
# volume's SHA-256.
#
#   lvm2.sh VOLUMES
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
volumes=$1
requires lvm mdadm sfdisk qemu-system-x86_64

# five disks: two of them with a partition table, one with metadata at its end
paths=
for k in 0 1 2 3 4; do
	truncate -s 256M "$tmp/disk$k"
	paths="$paths $tmp/disk$k"
done
echo 'label: gpt
size=100MiB
size=120MiB
size=30MiB' >"$tmp/table"
sfdisk -q "$tmp/disk0" <"$tmp/table"
sfdisk -q "$tmp/disk1" <"$tmp/table"

cat >"$tmp/script" <<'END'
mkdir -p /etc/lvm /run/lvm /run/lock/lvm
cat >/etc/lvm/lvm.conf <<'CONF'
devices { use_devicesfile = 0 }
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 verify_udev_operations = 1 }
global { thin_check_executable = "" thin_repair_executable = "" use_lvmpolld = 0 }
backup { backup = 0 archive = 0 }
CONF
export LVM_SUPPRESS_FD_WARNINGS=1
run() { "$@" >/tmp/out 2>&1 || { cat /tmp/out; echo "failed: $*"; exit 1; }; }
fill() { dd if=/dev/urandom of="$1" bs=64k 2>/dev/null; }
put() { # DEVICE OFFSET-IN-64K COUNT: random bytes there
	dd if=/dev/urandom of="$1" bs=64k seek="$2" count="$3" conv=notrunc 2>/dev/null
}
tell() { echo "$1 $(sha256sum </dev/$1 | cut -c 1-64) $(blockdev --getsize64 /dev/$1)"; }

run lvm pvcreate -ff -y /dev/vda1 /dev/vda2 /dev/vdb1 /dev/vdb2 /dev/vdc
run lvm pvcreate -ff -y --metadatacopies 2 /dev/vdd
run lvm pvcreate -ff -y --metadatacopies 0 /dev/vde
run lvm vgcreate -s 1m main /dev/vda1 /dev/vdb1 /dev/vdc /dev/vdd /dev/vde
run lvm vgcreate -s 4m other-group /dev/vda2 /dev/vdb2

run lvm lvcreate -y -Wn -Zn -l 120 -n over2 main /dev/vda1:0-79 /dev/vdb1:0-39
run lvm lvcreate -y -Wn -Zn -l 8 -n grown main /dev/vdc
run lvm lvcreate -y -Wn -Zn -l 1 -n between main /dev/vdc
run lvm lvextend -l +5 main/grown /dev/vdc
run lvm lvextend -l +3 main/grown /dev/vdd
run lvm lvcreate -y -Wn -Zn -i 3 -I 16k -l 12 -n stripes main /dev/vdc /dev/vdd /dev/vde
run lvm lvcreate -y -Wn -Zn --type mirror --mirrorlog core --nosync -m 1 -l 6 -n oldmirror main /dev/vdc /dev/vdd
run lvm lvcreate -y -Wn -Zn --type raid1 --nosync -m 2 -l 6 -n r1 main /dev/vdc /dev/vdd /dev/vde
run lvm lvcreate -y -Wn -Zn --type raid0 -i 2 -I 64k -l 6 -n r0 main /dev/vdc /dev/vdd
run lvm lvcreate -y -Wn -Zn --type raid4 --nosync -i 2 -I 64k -l 6 -n r4 main /dev/vdc /dev/vdd /dev/vde
run lvm lvcreate -y -Wn -Zn --type raid5_ls --nosync -i 2 -I 64k -l 6 -n r5ls main /dev/vdc /dev/vdd /dev/vde
run lvm lvcreate -y -Wn -Zn --type raid5_ra --nosync -i 2 -I 32k -l 6 -n r5ra main /dev/vdc /dev/vdd /dev/vde
run lvm lvcreate -y -Wn -Zn --type raid6_zr -i 3 -I 64k -l 6 -n r6zr main
run lvm lvcreate -y -Wn -Zn --type raid6_nc -i 3 -I 64k -l 6 -n r6nc main
run lvm lvcreate -y -Wn -Zn --type raid10 --nosync -i 2 -m 1 -I 64k -l 6 -n r10 main
for lv in over2 grown between stripes oldmirror r1 r0 r4 r5ls r5ra r6zr r6nc r10; do
	fill /dev/main/$lv
done

# classic snapshots: the origin changes after, the second snapshot is written itself
run lvm lvcreate -y -Wn -Zn -l 8 -n origin other-group
fill /dev/other-group/origin
run lvm lvcreate -y -s -c 8k -l 4 -n snap1 other-group/origin
put /dev/other-group/origin 3 17
run lvm lvcreate -y -s -c 64k -l 6 -n snap2 other-group/origin
put /dev/other-group/snap2 100 9
put /dev/other-group/origin 1 40

# a thin pool: two volumes, a snapshot of one, changes on both sides, discarded blocks
run lvm lvcreate -y -Zn --type thin-pool -c 64k -l 20 --poolmetadatasize 4m -n pool other-group /dev/vdb2
run lvm lvcreate -y -V 300m --thinpool pool -n thin1 other-group
run lvm lvcreate -y -V 64m --thinpool pool -n thin2 other-group
put /dev/other-group/thin1 0 40
put /dev/other-group/thin1 4000 100
put /dev/other-group/thin2 5 30
run lvm lvcreate -y -s -kn -n thinsnap other-group/thin1
put /dev/other-group/thin1 20 70
put /dev/other-group/thinsnap 4050 10
blkdiscard -o 4194304 -l 1048576 /dev/other-group/thin1 2>/dev/null ||
	fstrim / 2>/dev/null || true
sync
# another extent of the pool's tables, so that its trees have more than a leaf
i=0
while [ $i -lt 140 ]; do put /dev/other-group/thin1 $((i * 31 % 4700)) 1; i=$((i + 1)); done
sync

# LVM2 on md on partitions
run mdadm --create /dev/md0 --run --level=raid1 --raid-devices=2 --metadata=1.2 --assume-clean \
	--name=under --homehost=any /dev/vda3 /dev/vdb3
run lvm pvcreate -ff -y /dev/md0
run lvm vgcreate -s 1m nested /dev/md0
run lvm lvcreate -y -Wn -Zn -l 7 -n deep nested
fill /dev/nested/deep

for lv in over2 grown between stripes oldmirror r1 r0 r4 r5ls r5ra r6zr r6nc r10; do
	tell main/$lv
done
tell nested/deep
for lv in origin snap1 snap2 thin1 thin2 thinsnap; do
	tell other-group/$lv
done
run lvm vgchange -an main other-group nested
run mdadm --stop /dev/md0
END
code=0
# shellcheck disable=SC2086
"$lib_dir/linux.sh" -t 500 -m raid456 -m raid1 -m raid10 -m raid0 -m dm-raid -m dm-mirror \
	-m dm-snapshot -m dm-thin-pool -p lvm -p mdadm "$tmp/script" $paths >"$tmp/kernel" || code=$?
[ $code -ne 77 ] || skip "$(cat "$tmp/kernel")"
[ $code -eq 0 ] || {
	cat "$tmp/kernel"
	fail "the kernel could not make the volumes (exit $code)"
}

compare() { # LIST NAME...: as the kernel saw them
	list=$1
	shift
	for name; do
		read -r _ sum bytes <<-END
			$(grep "^$name " "$tmp/kernel")
		END
		grep -q "^$name $bytes $sum " "$list" || {
			grep "^$name " "$list" || echo "no volume $name"
			fail "$name: expected $bytes bytes with $sum"
		}
	done
}
# shellcheck disable=SC2086
"$volumes" $paths >"$tmp/ours"
# shellcheck disable=SC2046
compare "$tmp/ours" $(grep -E '^(main|nested|other-group)/' "$tmp/kernel" | cut -d ' ' -f 1)
[ "$(grep -c '^[a-z-]*/' "$tmp/ours")" = "$(($(grep -cE '^(main|nested|other-group)/' "$tmp/kernel") + 1))" ] || {
	cat "$tmp/ours"
	fail "hidden volumes are listed, or some are not"
}
echo "ok: every volume has the kernel's content ($(grep -c / "$tmp/ours") volumes)"

# without the disk that holds no metadata; then without one that does
"$volumes" "$tmp/disk0" "$tmp/disk1" "$tmp/disk2" "$tmp/disk3" - >"$tmp/ours"
compare "$tmp/ours" main/over2 main/r1 main/r4 main/r5ls main/r5ra main/r6zr main/r6nc main/r10
grep -q '^main/stripes .* - .*missing' "$tmp/ours" || fail "stripes were read without a disk"
"$volumes" "$tmp/disk0" "$tmp/disk1" - "$tmp/disk3" "$tmp/disk4" >"$tmp/ours"
compare "$tmp/ours" main/over2 main/oldmirror main/r1 main/r4 main/r5ls main/r5ra main/r6zr \
	main/r6nc main/r10
"$volumes" "$tmp/disk0" "$tmp/disk1" - - "$tmp/disk4" >"$tmp/ours"
compare "$tmp/ours" main/over2 main/r1 main/r6zr main/r6nc other-group/thinsnap
echo "ok: with disks missing, what RAID can bear is whole and the rest is named"
