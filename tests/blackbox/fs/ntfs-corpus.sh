#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# usage: ntfs-corpus.sh GROWFS
#
# NTFS volumes that other projects publish, some of them made by Windows, grow like those of
# mkntfs.
# shellcheck source=judges.sh
. "$(dirname "$0")/judges.sh"
requires xz qemu-img sfdisk jq

corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}
[ -f "$corpus/EXPECTED.tsv" ] || skip "no corpus folder ($corpus; SHAREVM_CORPUS names another)"

# volume IMAGE FORMAT: its only NTFS volume as $tmp/a
volume() {
	local start
	xz -dc "$corpus/$1.xz" >"$tmp/packed"
	qemu-img convert -f "$2" -O raw "$tmp/packed" "$tmp/disk"
	start=$(sfdisk -J "$tmp/disk" 2>/dev/null |
		jq -r '.partitiontable.partitions[] | select(.type == "7") | .start') || start=0
	dd if="$tmp/disk" of="$tmp/a" bs=1M iflag=skip_bytes skip=$((512 * ${start:-0})) 2>/dev/null
}

for image in ntfs.raw:raw ntfs-dynamic.vhd:vpc ntfs-dynamic.vhdx:vhdx windows_volume.qcow2:qcow2; do
	volume "dfvfs/${image%:*}" "${image#*:}"
	hashes "$tmp/a" >"$tmp/sums"
	[ -s "$tmp/sums" ] || fail "$image: no files"
	"$growfs" check "$tmp/a" 20G >"$said" || fail "$image: refused"
	grow "$tmp/a" 20G
	judge_ntfsresize "$tmp/a" || fail "$image: ntfsresize -i"
	judge_ntfsfix "$tmp/a" || fail "$image: ntfsfix -n"
	judge_files "$tmp/a" "$tmp/sums" || fail "$image: files"
	echo "$image, $(wc -l <"$tmp/sums") files: $figures"
done
