#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A disk in more files than a process may usually have open: 8 TB in 4096 files of 2 GB, all of
# them holes but for a small NTFS volume. A shell's usual limit does not matter; where the
# system's own is too small that is told, with the remedy, and nothing is left.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires qemu-img mkntfs sfdisk ntfsresize jq
raw=$tmp/raw
folder="$tmp/room/Big"
vmx="$folder/Big.vmx"
mkdir -p "$folder"
truncate -s 8T "$raw" 2>/dev/null || skip "no file of 8 TB on this file system"
printf 'label: gpt\nstart=2048, size=64MiB, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n' |
	sfdisk -q "$raw" >"$tmp/sfdisk.log"
truncate -s 64M "$tmp/c"
mkntfs -q -F -p 2048 "$tmp/c" >"$tmp/mkntfs.log" 2>&1
dd if="$tmp/c" of="$raw" bs=1M seek=1 conv=notrunc,sparse status=none
qemu-img convert -f raw -O vmdk -o subformat=twoGbMaxExtentFlat -S 4k "$raw" "$folder/Big.vmdk"
rm "$raw"
files=$(find "$folder" -name '*-f*.vmdk' | wc -l)
[ "$files" -eq 4096 ] || fail "$files files, expected 4096"
cat >"$vmx" <<'END'
config.version = "8"
virtualHW.version = "10"
displayName = "Big"
scsi0.present = "TRUE"
scsi0:0.present = "TRUE"
scsi0:0.fileName = "Big.vmdk"
END

extend() { "$SHAREVM" extend "$vmx" --to 9T --volume disk0p1 --yes "$@"; }
ulimit -S -n 1024
[ "$(ulimit -H -n)" = unlimited ] || [ "$(ulimit -H -n)" -ge 12000 ] ||
	skip "this user may have only $(ulimit -H -n) files open"
check "show" "$SHAREVM" show "$vmx"
check "linked" extend --linked
check "verify of what is linked" "$SHAREVM" verify "$folder-extended"
[ "$("$SHAREVM" show "$folder-extended" --json | jq '.disks[0].virtual_size')" -eq $((9 << 40)) ] ||
	fail "the linked disk has another size"
check "rollback" "$SHAREVM" rollback "$folder-extended" --yes
check "in place" extend --in-place
check "rollback in place" "$SHAREVM" rollback "$vmx" --yes

told() {
	tr -s ' \n' ' ' <"$tmp/refusal" |
		grep -q "Too many open files hint: this process may have 1000 files open at once"
}
few() { (ulimit -n 1000 && "$@"); }
for way in linked copy in-place; do
	check_exit 1 "too few files, $way: refused" few extend --$way
	cp "$tmp/check.log" "$tmp/refusal"
	check "and told" told
done
if [ -e "$folder-extended" ] || [ -e "$folder-extended.partial" ] ||
	[ -n "$(find "$folder" -name '*sharevm*' -o -name '*.lck')" ]; then
	find "$tmp/room" -name '*sharevm*' -o -name '*.lck' -o -name '*extended*'
	fail "something is left"
fi
