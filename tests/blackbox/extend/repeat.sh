#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# One disk extended in place again and again. Each time asks Windows for a check by the dirty
# flag, and the next time accepts that flag as its own, because nobody touched the disk. At the
# end (and at some steps between) the volume is whole for other people's tools, with every file.
# Then all steps are taken back, one by one.
# A disk that somebody else wrote is refused as dirty.
#
#   repeat.sh TIMES
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires ntfsresize ntfsfix ntfscluster qemu-io ntfs-3g
times=${SHAREVM_SOAK:+200} times=${times:-$1}
small_machine
fresh
manifest=$tmp/base/manifest.sha256
size=$(stat -c %s "$flat")
bytes_of "$folder" >"$tmp/before"

judge_step() {
	raw_view "$desc" "$tmp/disk.raw"
	check "step $step: the table" judge_table "$tmp/disk.raw" 512
	# shellcheck disable=SC2046 # two words
	set -- $(partition "$tmp/disk.raw" 512 "$c_index")
	[ "$1" -eq "$c_start" ] || fail "step $step: C: starts at $1"
	[ $(($1 + $2)) -gt $((size - (2 << 20))) ] || fail "step $step: C: does not fill the disk"
	window "$tmp/disk.raw" "$tmp/c.raw" "$1" "$2"
	rm "$tmp/disk.raw"
	check "step $step: ntfsresize and ntfsfix" judge_ntfs "$tmp/c.raw"
	check "step $step: C: fills its partition" judge_ntfs_fills "$tmp/c.raw" 512
	check "step $step: every file" judge_files_mount "$tmp/c.raw" "$manifest"
	rm "$tmp/c.raw"
}

step=0 every=$(((times + 4) / 5))
while [ $step -lt "$times" ]; do
	step=$((step + 1))
	size=$((size + (1 + step * 7 % 5 << 20)))
	"$SHAREVM" extend "$vmx" --in-place --to $((size >> 20))M --yes >"$tmp/out" 2>&1 ||
		{ cat "$tmp/out"; fail "step $step: extending to $((size >> 20))M"; }
	[ "$(stat -c %s "$flat")" -eq $size ] || fail "step $step: the disk has another size"
	[ $((step % every)) -ne 0 ] || judge_step
done
echo "ok: extended $times times, to $((size >> 20))M"
check "the last step is undone" "$SHAREVM" rollback "$vmx" --yes
size=$(stat -c %s "$flat")
step=undone
judge_step
# the disk carries the flag of the step before, whose record knows the disk again
check "an undone step is taken again" "$SHAREVM" extend "$vmx" --in-place --by 3M --yes
step=$times
while [ $step -gt 0 ]; do
	step=$((step - 1))
	"$SHAREVM" rollback "$vmx" --yes >"$tmp/out" 2>&1 ||
		{ cat "$tmp/out"; fail "going back to step $step"; }
done
check_exit 1 "there is no step before the first" "$SHAREVM" rollback "$vmx" --yes
bytes_of "$folder" | diff "$tmp/before" - || fail "the machine did not come back byte for byte"
echo "ok: $times steps back, to what it was, byte for byte"

fresh
extend_small in-place >"$tmp/out" 2>&1 || { cat "$tmp/out"; fail "extending"; }
check "somebody writes to the disk" qemu-io -f vmdk -c 'write -P 0x5a 10M 512' "$desc"
to=300M ways="linked copy in-place" refused 5 "the dirty flag of a disk that was used" "dirty" \
	"chkdsk C: /f"
