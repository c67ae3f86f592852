#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# ISO 9660 made by xorriso and genisoimage: with Rock Ridge, with Joliet, with neither; compared
# with what was put in, and with what xorriso itself takes out.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires xorriso python3
compare() { python3 "$lib_dir/fs/compare-trees.py" "$@" --seconds; }

top=$tmp/source
mkdir -p "$top/one/two/three/four/five/six/seven/eight/nine" "$top/many"
echo hello >"$top/hello.txt"
: >"$top/empty"
head -c 3000000 /dev/urandom >"$top/one/large"
echo deep >"$top/one/two/three/four/five/six/seven/eight/nine/deep"
echo x >"$top/Größe und Länge 日本.text"
i=0
while [ $i -lt 300 ]; do
	echo $i >"$top/many/a rather long name of file number $i.dat"
	i=$((i + 1))
done
ln -s ../hello.txt "$top/one/link"
ln -s "/$(printf 'component/%.0s' $(seq 30))end" "$top/one/far"
ln -s . "$top/one/here"
mkfifo "$top/one/pipe"
chmod 640 "$top/hello.txt"
chmod 1777 "$top/many"
find "$top" -exec touch -h -d '2021-03-04 05:06:08 UTC' {} +

make() { # NAME OPTION...
	name=$1
	shift
	xorriso -as mkisofs -quiet -V "TEST $name" -o "$tmp/$name" "$@" "$top" >"$tmp/log" 2>&1 || {
		cat "$tmp/log"
		fail "xorriso could not make $name"
	}
}
make rock -R -J
mkdir "$tmp/out" "$tmp/joliet-out"
check "copies everything out of Rock Ridge" \
	"$SHAREVM" cp -a "$tmp/rock:@disk0:/" "$tmp/out/"
check "it equals what was put in" compare "$top" "$tmp/out/disk0"
"$SHAREVM" show "$tmp/rock" | grep -q 'iso9660 *TEST rock' || fail "show does not tell the label"

rm -rf "$top/one/link" "$top/one/far" "$top/one/here" "$top/one/pipe"
make joliet --norock -J -joliet-long
check "copies everything out of Joliet" \
	"$SHAREVM" cp "$tmp/joliet:@disk0:/" "$tmp/joliet-out/"
check "Joliet: the content is that" diff -r "$top" "$tmp/joliet-out/disk0"
check "Joliet: names are found in any case" \
	"$SHAREVM" cat "$tmp/joliet:@disk0:/HELLO.TXT"

make plain --norock -iso-level 3
[ "$("$SHAREVM" cat "$tmp/plain:@disk0:/hello.txt")" = hello ] || fail "plain names"
echo "ok: plain names"

if command -v genisoimage >/dev/null; then
	genisoimage -quiet -R -o "$tmp/moved" "$top" 2>/dev/null
	check "reads a folder that Rock Ridge moved" "$SHAREVM" cat \
		"$tmp/moved:@disk0:/one/two/three/four/five/six/seven/eight/nine/deep"
fi
check_exit 5 "extend refuses it" "$SHAREVM" extend "$tmp/rock" --to 1G --volume disk0 --dry-run
