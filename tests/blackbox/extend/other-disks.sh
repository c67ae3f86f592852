#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The other disks of a machine: the new machine has one of its own for each, in the format of
# the original where that knows changes over a parent. It shows the original's bytes, takes
# writes, and the original stays what it was.
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires qemu-img qemu-io
small_machine
fresh

# name, format for qemu-img, its options, what the new disk is in
disks='data.vmdk|vmdk|subformat=monolithicSparse|vmdk
flat.vmdk|vmdk|subformat=twoGbMaxExtentFlat|vmdk
data.qcow2|qcow2||qcow2
data.img|raw||qcow2
data.vdi|vdi||vdi
data.vhd|vpc|subformat=dynamic,force_size=on|vhd
data.vhdx|vhdx||vhdx'
n=0
echo "$disks" >"$tmp/disks"
while IFS='|' read -r name format options ours; do
	n=$((n + 1))
	qemu-img create -q -f "$format" ${options:+-o "$options"} "$folder/$name" 24M
	qemu-io -f "$format" -c "write -P $((0x40 + n)) 1M 3M" -c "write -P $((0x50 + n)) 20M 64k" \
		"$folder/$name" >"$tmp/qemu.log" || { cat "$tmp/qemu.log"; fail "writing $name"; }
	qemu-img convert -f "$format" -O raw "$folder/$name" "$tmp/raw$n"
	printf 'scsi1:%s.present = "TRUE"\nscsi1:%s.fileName = "%s"\n' $n $n "$name" >>"$vmx"
done <"$tmp/disks"
echo 'scsi1.present = "TRUE"' >>"$vmx"
tree_of "$folder" >"$tmp/original"

# each of the new machine's disks, as its configuration names them
new_disk() { sed -n "s|^scsi1:$1.fileName = \"\(.*\)\"|\1|p" "$made/Windows 7-extended.vmx"; }
shows_the_same() { # N: through QEMU where it reads such a chain, else through our own reader
	case $ours in
	vmdk | qcow2) qemu-img compare -q -f "$ours" -F raw "$made/$disk" "$tmp/raw$1" ;;
	*) "$SHAREVM" image compare "$made/$disk" "$tmp/raw$1" ;;
	esac
}
for way in linked copy; do
	made=$folder-extended
	check "$way" extend_small $way
	n=0
	while IFS='|' read -r name format options ours; do
		n=$((n + 1)) disk=$(new_disk $n)
		case $disk in
		/* | */* | "") fail "$way, $name: the new machine has '$disk'" ;;
		esac
		[ "${disk##*.}" = "$ours" ] || fail "$way, $name: $disk is not in $ours"
		check "$way, $name: $disk is sound" "$SHAREVM" image check "$made/$disk"
		check "$way, $name: it shows the same" shows_the_same $n
		case $ours in
		vmdk | qcow2)
			check "$way, $name: QEMU writes to it" qemu-io -f "$ours" \
				-c "write -P 0x77 2M 2M" -c "write -P 0x78 10M 1M" \
				-c "read -P $((0x50 + n)) 20M 64k" "$made/$disk"
			check "$way, $name: and it shows the change" rejects shows_the_same $n
			;;
		esac
	done <"$tmp/disks"
	tree_of "$folder" | diff "$tmp/original" - || fail "$way: an original was changed"
	check_exit 5 "$way: rollback knows that they were used" "$SHAREVM" rollback "$made" --yes
	check "$way: with --discard-changes they go" "$SHAREVM" rollback "$made" --yes \
		--discard-changes
	tree_of "$folder" | diff "$tmp/original" - || fail "$way: rollback changed an original"
done
