#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What differs between two machines: against diff -rq over the folders that they were made of;
# software; registries changed by hivexsh.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"
requires mke2fs jq qemu-img

package() { printf 'Package: %s\nStatus: install ok installed\nVersion: %s\nArchitecture: amd64\n\n' "$1" "$2"; }
mkdir -p a/etc a/usr/lib a/var/lib/dpkg a/gone/deep
printf 'PRETTY_NAME="Debian 12"\nID=debian\n' >a/etc/os-release
for n in same longer time swapped type; do echo $n >a/var/$n; done
echo x >a/gone/deep/x
head -c 3000000 /dev/urandom >a/var/large
ln -s etc a/link
{ package one 1; package two 2; } >a/var/lib/dpkg/status
find a -exec touch -h -d '2020-01-02 03:04:05' {} +
cp -a a b
rm -r b/gone b/link b/var/type
mkdir b/var/type b/new
echo y >b/new/y
evil=$(printf 'evil\033[2J')
echo z >"b/new/$evil"
echo much-longer >b/var/longer
echo dewpaws | rev >b/var/swapped
echo SWAPPED >b/var/swapped
touch b/var/time
ln -s usr b/link
printf X | dd of=b/var/large bs=1 seek=2500000 conv=notrunc status=none
{ package one 1; package two 3; package three 1; } >b/var/lib/dpkg/status
for n in a b; do
	mke2fs -q -F -t ext4 -d $n $n.raw 32M >mke2fs.log 2>&1
done
qemu-img convert -O vmdk b.raw b.vmdk

# theirs: what diff says, in our marks (of links it says nothing here: they lead nowhere)
diff -rq --no-dereference a b | sed -n -e 's|^Only in a\(.*\): \(.*\)|-\t\1/\2|p' \
	-e 's|^Only in b\(.*\): \(.*\)|+\t\1/\2|p' -e 's|^Files a\(.*\) and b.* differ|~\t\1|p' \
	-e 's|^Symbolic links a\(.*\) and b.* differ|~\t\1|p' \
	-e 's|^File a\([^ ]*\) is .*|!\t\1|p' | sort >want
[ "$(wc -l <want)" -eq 8 ] || bad "diff(1) says $(cat want)"
run 8 diff a.raw b.vmdk --only files --plain
sort out >got
check "the differences are diff's" cmp want got
run 8 diff a.raw b.raw
[ "$(sed -n 3p out)" = "Files     1 added, 1 removed, 5 changed, 1 of another type" ] ||
	bad "no summary first"
has out "+ /new/  2 files, 4B"
has out "- /gone/  1 file, 2B"
has out "! /var/type  file, now dir"
has out "~ two 2, now 3"
has out "+ three 1"
lacks out Registry
run 8 diff a.raw b.raw --json
valid_json out
is out 'd["schema"]' sharevm.diff/1
is out 'd["summary"]["files"]["changed"]' 5
is out 'd["summary"]["software"]' "{'added': 1, 'removed': 0, 'changed': 1, 'type': 0, 'metadata': 0}"
is out '[f["path"] for f in d["files"] if f["change"] == "removed"]' "['/gone']"
run 8 diff a.raw b.raw --summary
[ "$(wc -l <out)" -eq 4 ] || bad "--summary has more than a summary"
run 8 diff a.raw b.raw --only files --metadata --plain
grep -q "^\.$(printf '\t')/var/time$" out || bad "--metadata"
run 0 diff a.raw a.raw
run 0 diff a.raw a.raw --content
run 0 diff a.raw:/etc b.raw:/etc
run 8 diff a.raw:/var b.raw:/var --plain
grep -q "/var/longer$" out || bad "two places"
run 1 diff a.raw:/new b.raw:/new
run 8 diff a.raw:/gone b.raw:/new --plain
tr -d '\n\t' <out | LC_ALL=C grep -q '[[:cntrl:]]' && bad "controls reach the terminal"
run 2 diff a.raw:/etc b.raw
run 1 diff a.raw nowhere.raw
# the same size and the same time of the data: the time of the change tells
cp a.raw c.raw
if mkdir mnt && mount -o loop c.raw mnt 2>/dev/null; then
	printf SAME >mnt/var/same
	truncate -s 5 mnt/var/same
	touch -d '2020-01-02 03:04:05' mnt/var/same
	umount mnt
	run 8 diff a.raw c.raw --plain --only files
	[ "$(cat out)" = "$(printf '~\t/var/same')" ] || bad "a file put back in time"
fi

# ---- registries ----
corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}
if [ -f "$corpus/EXPECTED.tsv" ] && [ -e /dev/fuse ] &&
	command -v hivexsh mkntfs ntfs-3g xz >/dev/null; then
	for n in 1 2; do
		truncate -s 80M win$n.raw
		mkntfs -q -F win$n.raw >mkntfs.log 2>&1
		mkdir -p win
		ntfs-3g win$n.raw win
		mkdir -p win/Windows/System32/config
		for hive in SYSTEM SOFTWARE; do
			xz -dc "$corpus/plaso/$hive.xz" >hive
			[ $n$hive != 2SOFTWARE ] ||
				printf 'cd \\Microsoft\nadd Ours\ncd \\Microsoft\\Windows\nsetval 1\nValue\nstring:x\ncommit\n' |
				hivexsh -w hive
			cp hive win/Windows/System32/config/$hive
		done
		"$top/tools/unmount-ntfs.sh" "$tmp/win"
	done
	run 8 diff win1.raw win2.raw --only registry --plain
	top_key='HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft'
	printf '+\t%s\\Ours\n+\t%s\\Windows\tValue\n' "$top_key" "$top_key" >want
	check "what hivexsh added to the registry" cmp want out
	run 0 diff win1.raw win1.raw
	has out "Registry  no difference"
fi
