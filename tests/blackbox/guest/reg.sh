#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `reg` on real hives: what it exports is what hivexregedit exports; hives with logs that hold a
# change of hivex's; damaged hives; and what a person gets.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires hivexregedit hivexsh python3 xz jq
corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}
[ -f "$corpus/EXPECTED.tsv" ] || skip "no corpus folder ($corpus; SHAREVM_CORPUS names another)"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$tmp"
for hive in NTUSER.DAT SYSTEM SOFTWARE; do
	xz -dc "$corpus/plaso/$hive.xz" >$hive
done

same_reg() { python3 "$here/same-reg.py" "$1" "$2"; }
foreign_export() { # HIVE TOP >FILE
	hivexregedit --export "$1" "\\" --prefix "$2"
}

# ---- exports --------------------------------------------------------------------------------
# the judge first: a byte, a name, a key
foreign_export NTUSER.DAT HKEY_CURRENT_USER >theirs.reg
for change in 's/dword:00000001/dword:00000002/' 's/^"DispFileName"/"DispFileNames"/' \
	's/^\[HKEY_CURRENT_USER.AppEvents\]/[HKEY_CURRENT_USER\\AppEvent]/'; do
	sed "$change" theirs.reg >broken.reg
	check "same-reg.py rejects a twin changed by $change" rejects same_reg theirs.reg broken.reg
done
export_equals() { # HIVE TOP
	"$SHAREVM" reg "$1" '' --export >ours.reg || return 1
	[ "$(head -c 2 ours.reg | od -An -tx1 | tr -d ' ')" = fffe ] || return 1
	foreign_export "$1" "$2" >theirs.reg
	same_reg ours.reg theirs.reg
}
check "the export of a user's hive is hivexregedit's" export_equals NTUSER.DAT HKEY_CURRENT_USER
check "that of SYSTEM is, too" export_equals SYSTEM 'HKEY_LOCAL_MACHINE\SYSTEM'
check "and that of SOFTWARE" export_equals SOFTWARE 'HKEY_LOCAL_MACHINE\SOFTWARE'

imports_again() { # what we export becomes the same hive again
	"$SHAREVM" reg NTUSER.DAT AppEvents --export >part.reg
	cp NTUSER.DAT twin.dat
	printf 'cd AppEvents\ndel\ncommit\n' | hivexsh -w twin.dat
	iconv -f utf-16 -t utf-8 part.reg | tr -d '\r' |
		hivexregedit --merge --prefix HKEY_CURRENT_USER --encoding UTF-16LE twin.dat
	foreign_export NTUSER.DAT X >a.reg
	foreign_export twin.dat X >b.reg
	same_reg a.reg b.reg
}
check "what it exports can be imported" imports_again

# ---- logs -----------------------------------------------------------------------------------
cp NTUSER.DAT changed.dat
{
	printf 'cd AppEvents\nsetval 2\nChange\nstring:after\n@\nstring:default\n'
	i=0
	while [ $i -lt 60 ]; do # enough for new pages
		printf 'add key-%d\ncd key-%d\nsetval 1\nv\nstring:a longer text %d\ncd ..\n' $i $i $i
		i=$((i + 1))
	done
	echo commit
} | hivexsh -w changed.dat
foreign_export changed.dat HKEY_CURRENT_USER >after.reg
check "the change is one" rejects same_reg theirs.reg after.reg
shows_change() { # HOW
	rm -rf dirty && mkdir dirty
	python3 "$here/make-logs.py" NTUSER.DAT changed.dat dirty "$1" || return 1
	sums_of dirty >before.sums
	"$SHAREVM" reg dirty/NTUSER.DAT '' --export >ours.reg || return 1
	same_reg ours.reg after.reg && judge_originals dirty before.sums
}
for how in one two old; do
	check "a dirty hive with logs ($how) shows what they hold" shows_change $how
done
without_logs() {
	"$SHAREVM" reg dirty/NTUSER.DAT '' --export >ours.reg 2>said
}
rm dirty/NTUSER.DAT.LOG
check_exit 7 "without its log that is told by the exit code" without_logs
check "and by a note" grep -q 'no log fits it' said
foreign_export NTUSER.DAT HKEY_CURRENT_USER >theirs.reg
check "and the hive is shown as it lies" same_reg ours.reg theirs.reg

# ---- damage ---------------------------------------------------------------------------------
head -c 10000000 SOFTWARE >cut.hive
check_exit 7 "a hive that was cut is read as far as it goes" "$SHAREVM" reg cut.hive '' -R
cp SYSTEM bad
printf 'XX' | dd of=bad bs=1 seek=$((4096 + 32 + 4)) conv=notrunc status=none
check_exit 1 "a hive without its root is refused" "$SHAREVM" reg bad
dd if=/dev/zero of=bad bs=4096 seek=100 count=300 conv=notrunc status=none
printf 'nk' | dd of=bad bs=1 seek=$((4096 + 32 + 4)) conv=notrunc status=none
"$SHAREVM" reg bad '' -R >listing 2>said && fail "damage was not told"
check "what is behind a damaged part is read" grep -qi 'bad.ControlSet002.services' listing
check "and what is missing is told" grep -q 'what it leads to is missing' said

# ---- what a person asks -----------------------------------------------------------------------
says() { # EXPECTED COMMAND...
	want=$1
	shift
	"$@" >said 2>&1 || { cat said; return 1; }
	grep -qF -- "$want" said || { cat said; return 1; }
}
nt='Microsoft\Windows NT\CurrentVersion'
check "names are compared without case" says 'Windows 7 Ultimate' \
	"$SHAREVM" reg SOFTWARE 'MICROSOFT/windows nt/currentVersion'
check "a value can be asked for" says '0x4cdac847 (1289406535)' \
	"$SHAREVM" reg SOFTWARE "$nt\\InstallDate"
check "rights are shown as SDDL" says 'rights O:BAG:' "$SHAREVM" reg SYSTEM Select --security
check "--plain has tabs" says "$(printf 'SYSTEM\\Select\tCurrent\tREG_DWORD\t0x1 (1)')" \
	"$SHAREVM" reg SYSTEM Select --plain
missing() { "$SHAREVM" reg SYSTEM 'Select\Nothing' 2>said; }
check_exit 1 "a missing key is told" missing
check "with the key where it should be" grep -q "no key 'Nothing' in '.*SYSTEM.Select'" said
check_exit 2 "--json and --export exclude each other" "$SHAREVM" reg SYSTEM Select --json --export
"$SHAREVM" reg SYSTEM 'ControlSet001\Control\TimeZoneInformation' --json >key.json
check "JSON has the schema of CLI.md" jq -e '.schema == "sharevm.reg/1" and
	(.key.path | endswith("TimeZoneInformation")) and
	(.key.last_written | test("^2012-03-11T07:00:00")) and .key.subkeys == [] and
	([.key.values[] | select(.name == "Bias")][0] == {name: "Bias", type: "REG_DWORD", data: 300}) and
	([.key.values[] | select(.name == "TimeZoneKeyName")][0].data == "Eastern Standard Time")' key.json
"$SHAREVM" reg SYSTEM '' -R --json >all.json
keys=$(awk -F '\t' '$1 == "plaso/SYSTEM" && $4 == "hive.keys" { print $5; exit }' "$corpus/EXPECTED.tsv")
values=$(awk -F '\t' '$1 == "plaso/SYSTEM" && $4 == "hive.values" { print $5; exit }' "$corpus/EXPECTED.tsv")
# shellcheck disable=SC2016 # jq's own variables
check "and the whole hive in it has all keys and values" jq -e --argjson k "$keys" \
	--argjson v "$values" '(.keys | length) == $k and ([.keys[].values | length] | add) == $v' all.json
echo "ok: reg"
