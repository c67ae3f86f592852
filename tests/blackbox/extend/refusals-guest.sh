#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Guests that must not be extended as they are: a Windows that is not shut down, a volume that is
# dirty, damaged or encrypted, a partition table that is broken or full. Each is refused with its
# code, the proof and a remedy, in every way of extending, and nothing is written.
# shellcheck source=tests/blackbox/extend/small.sh
. "$(dirname "$0")/small.sh"
requires ntfscp sgdisk
small_machine

windows() { # HEAD: C: has a hiberfil.sys that begins so
	{ printf '%s' "$1"; head -c 65536 /dev/zero; } >"$tmp/hiberfil.sys"
	in_volume put_hiberfil
}
put_hiberfil() { ntfscp -q -f "$1" "$tmp/hiberfil.sys" hiberfil.sys; }

fresh
windows hibr
refused 5 "a hibernated Windows" "(hibernated|fast startup).*hiberfil.sys" "shutdown /s /t 0"
fresh
windows HIBR
refused 5 "fast startup" "(hibernated|fast startup).*hiberfil.sys" "powercfg /h off"
fresh
windows wake
check "a Windows that woke up is not hibernated" extend_small copy

# ---- the file system ----
fresh
twin flags 1
refused 5 "a dirty volume" "dirty" "chkdsk C: /f"
fresh
twin log unclean
refused 5 "an unclean journal" "journal is unclean" "shutdown /s /t 0"
fresh
twin log cached
refused 5 "a journal of Windows 10 that was not shut down" "LogFile has version 2.0" "shutdown /s /t 0"
fresh
twin oem -FVE-FS-
refused 5 "BitLocker" "BitLocker" "manage-bde -off"
free=$(in_volume twin_last free-cluster && cat "$tmp/volume.log")
fresh
twin bad "$free"
refused 5 "bad clusters" "1 clusters? from $free on .*marked bad" "chkdsk C: /b"
fresh
twin mark "$free" 1
refused 1 "\$Bitmap that tells too much" "cluster $free is marked used in .Bitmap" "chkdsk"
fresh
twin mark 4 0
refused 1 "\$Bitmap that tells too little" "cluster 4 is marked free in .Bitmap" "chkdsk"
fresh
twin mirror 1
refused 1 "an MFT that differs from its mirror" "MFT record 1 differs" "chkdsk"
fresh
twin twice 4
refused 1 "a cluster of two files" "used twice" "chkdsk"

# ---- partition tables ----
fresh
end=$((c_start + c_size))
sfdisk_on() { sfdisk -q --no-reread --no-tell-kernel "$@" "$flat" >"$tmp/sfdisk.log" 2>&1; }
truncate -s $((end + (16 << 20))) "$flat"
sed -i "s/^RW [0-9]* /RW $(($(stat -c %s "$flat") / 512)) /" "$desc"
printf 'start=%s, size=%s, type=27\n' $((end / 512)) 16384 | sfdisk_on --append ||
	{ cat "$tmp/sfdisk.log"; fail "a second partition"; }
refused 5 "a partition in the way" "partition 2 \(.*\) lies right behind it" \
	"at most 39M fits in front of it"
fresh
# the same with a gap that is smaller than what is asked for
truncate -s $((end + (16 << 20))) "$flat"
sed -i "s/^RW [0-9]* /RW $(($(stat -c %s "$flat") / 512)) /" "$desc"
printf 'start=%s, size=%s, type=27\n' $(((end + (4 << 20)) / 512)) 16384 | sfdisk_on --append ||
	{ cat "$tmp/sfdisk.log"; fail "a second partition behind a gap"; }
refused 5 "a partition in the way, behind a gap" "partition 2 \(.*\) lies 4M behind it" \
	"at most 43M fits in front of it"
fresh
# a second entry in the middle of C:
poke "$flat" $((446 + 16)) '\0\0\0\0\047\0\0\0\0\100\0\0\0\040\0\0'
refused 5 "overlapping partitions" "partition 2 begins .*inside partition 1" "repair the partition"

small_machine --table gpt --size 80M
fresh
size=$(stat -c %s "$flat")
poke "$flat" 520 X
judge_repaired() { # WAY: both copies of the table on the result are good
	result="$folder-extended/Windows 7-extended-flat.vmdk"
	[ "$1" != in-place ] || result=$flat
	judge_table "$result" 512
}
# broken_header WHAT OFFSET NOTE WHERE: works in both ways, is told, is made good, and comes back
broken_header() {
	broken=$1 offset=$2 note=$3 where=$4
	for way in copy in-place; do
		fresh
		poke "$flat" "$offset" X
		bytes_of "$folder" >"$tmp/before"
		check "$broken: judges reject the original" rejects judge_table "$flat" 512
		check "$broken, $way: works" extend_small $way
		tr -s ' \n' ' ' <"$tmp/check.log" >"$tmp/said"
		check "$broken, $way: is told" grep -q "note $note" "$tmp/said"
		check "$broken, $way: the repair is told" grep -q "at the disk's $where is made good" \
			"$tmp/said"
		check "$broken, $way: is made good" judge_repaired $way
		if [ $way = in-place ]; then undo=$vmx; else undo=$folder-extended; fi
		check "$broken, $way: is undone" "$SHAREVM" rollback "$undo" --yes
		bytes_of "$folder" | diff "$tmp/before" - || fail "$broken, $way: not as it was"
	done
}
broken_header "GPT with a broken first header" 520 "the primary GPT is damaged" start
broken_header "GPT with a broken backup" $((size - 504)) "the backup GPT is damaged" end
fresh
poke "$flat" 520 X
poke "$flat" $((size - 504)) X
refused 5 "GPT with two broken headers" "GPT|header" "repair the partition"
fresh
poke "$flat" $((1024 + 2 * 128 + 33)) '\1'
poke "$flat" $((size - 504)) X
refused 5 "GPT with a broken table and a broken backup" "GPT|header|overlap|table" "repair the partition"
