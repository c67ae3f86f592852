#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Files that Windows packed (CompactOS): wimlib packs them in each format, ntfs-3g puts them on a
# volume, cat and cp give back what they were.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mkntfs ntfs-3g wimcapture python3 jq
if [ ! -e /dev/fuse ] || [ "$(id -u)" -ne 0 ]; then
	skip "no /dev/fuse (or not root)"
fi
here=$top/tests/blackbox/fs
cd "$tmp"

# ---- what is packed: programs with calls, text, runs, noise, and ends of every kind ------------
mkdir plain
head -c 400000 "$SHAREVM" >plain/program
seq 200000 | head -c 300001 >plain/text
head -c 300000 /dev/zero >plain/zeros
{
	head -c 40000 /dev/urandom
	seq 9999
	head -c 70000 /dev/urandom
} >plain/mixed
python3 -c 'import random, sys
random.seed(7)
words = [bytes(random.choices(b"abcdefghij\xe8\xff", k=random.randint(1, 300))) for _ in range(60)]
sys.stdout.buffer.write(b"".join(random.choice(words) for _ in range(1500)))' >plain/words
for n in 100 4095 4096 4097 32768 32769 65536; do
	yes "line of $n" | head -c $n >"plain/end$n"
done

truncate -s 96M disk.img
mkntfs -F -Q -q disk.img >/dev/null 2>&1
mkdir mnt
on_exit "umount -l $tmp/mnt 2>/dev/null"
ntfs-3g -o no_detach,streams_interface=windows disk.img mnt 2>mount.log &
mounter=$!
until mountpoint -q mnt; do
	kill -0 $mounter 2>/dev/null || skip "ntfs-3g cannot mount: $(cat mount.log)"
	sleep 0.05
done
for format in xpress4k xpress8k xpress16k lzx; do
	mkdir -p "mnt/$format" "streams/$format"
	python3 "$here/make-wof.py" $format plain "mnt/$format" "streams/$format" >>made
done
"$top/tools/unmount-ntfs.sh" mnt
wait $mounter || :
check "wimlib packed the files" test "$(wc -l <made)" -ge 44

# ---- read again -------------------------------------------------------------------------------
mkdir out
for format in xpress4k xpress8k xpress16k lzx; do
	"$SHAREVM" cp "disk.img:/$format" out/
done
all_equal() { # DIR: each file is that of plain/
	n=0
	for file in "$1"/*/*; do
		cmp "$file" "plain/${file##*/}" || return 1
		n=$((n + 1))
	done
	[ $n -eq "$(wc -l <made)" ]
}
cp -r out broken
printf x | dd of=broken/lzx/program bs=1 seek=5000 conv=notrunc status=none
check "a changed byte is seen" rejects all_equal broken
check "cp gives back what was packed" all_equal out
"$SHAREVM" cat disk.img:/lzx/program >program
check "cat gives it, too" cmp program plain/program
"$SHAREVM" stat disk.img:/lzx/program --json >stat.json
# shellcheck disable=SC2016 # jq's own variables
check "its size is that of what it holds" jq -e --argjson n "$(wc -c <plain/program)" \
	'[.. | .size? // empty] | index($n) != null' stat.json
check "ls, too" test "$("$SHAREVM" ls disk.img:/xpress4k/text --json | jq '.entries[].size')" -eq 300001

# ---- damage -----------------------------------------------------------------------------------
# the middle of the packed stream, found by what is in it, is overwritten
python3 - disk.img streams/lzx/program <<'PY'
import sys
disk, stream = (open(name, "rb").read() for name in sys.argv[1:])
middle = len(stream) // 2 // 4096 * 4096
at = disk.index(stream[middle:middle + 64])
with open("disk.img", "r+b") as f:
    f.seek(at)
    f.write(b"\xff" * 600)
PY
check_exit 7 "damaged data are told" "$SHAREVM" cp disk.img:/lzx "$tmp/damaged"
cp check.log told
check "by name" grep -q '/lzx/program: .*LZX' told
damaged_cat() { "$SHAREVM" cat disk.img:/lzx/program >/dev/null; }
check_exit 1 "cat tells them, too" damaged_cat
cp check.log told
check "with their place" grep -q 'offset 0x' told
check "the others are read" cmp damaged/text plain/text
echo "ok: wof"
