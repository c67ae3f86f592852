#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# `apps` on a machine with real hives lists exactly what EXPECTED.tsv tells of them; `reg` and
# `show` see the same machine.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mkntfs ntfs-3g python3 xz jq hivexregedit
[ -e /dev/fuse ] || skip "no /dev/fuse"
corpus=${SHAREVM_CORPUS:-$top/../shared/corpus}
[ -f "$corpus/EXPECTED.tsv" ] || skip "no corpus folder ($corpus; SHAREVM_CORPUS names another)"
cd "$tmp"

# ---- a disk whose C: holds them -------------------------------------------------------------
truncate -s 120M disk.img
mkntfs -F -Q -q disk.img >/dev/null 2>&1
mkdir mnt
ntfs-3g -o no_detach disk.img mnt 2>mount.log &
mounter=$!
until mountpoint -q mnt; do
	kill -0 $mounter 2>/dev/null || skip "ntfs-3g cannot mount: $(cat mount.log)"
	sleep 0.05
done
mkdir -p mnt/Windows/System32/config mnt/Users/nfury
for hive in SYSTEM SOFTWARE; do
	xz -dc "$corpus/plaso/$hive.xz" >mnt/Windows/System32/config/$hive
done
xz -dc "$corpus/plaso/NTUSER-WIN7.DAT.xz" >mnt/Users/nfury/NTUSER.DAT
"$top/tools/unmount-ntfs.sh" mnt
wait $mounter || :

# ---- software -------------------------------------------------------------------------------
cat >compare.py <<'PY'
"""compare.py EXPECTED.tsv APPS.json: the programs that have a name, as a list, not as a set"""
import collections
import json
import sys

want = collections.Counter()
with open(sys.argv[1], encoding="utf-8") as f:
    for line in f:
        file, _, _, key, value, _ = line.rstrip("\n").split("\t")
        if not key.startswith("uninstall.entry:"):
            continue
        e = json.loads(value)
        if e["DisplayName"] is not None:
            user = "user" if file.startswith("plaso/NTUSER") else ""
            want[e["DisplayName"], e["DisplayVersion"] or None, e["Publisher"] or None, user] += 1
with open(sys.argv[2], encoding="utf-8") as f:
    apps = json.load(f)["apps"]
have = collections.Counter((a["name"], a["version"], a["publisher"], "user" if "user" in a else "")
                           for a in apps if a["source"] == "uninstall")
print("missing:", *(want - have), sep="\n  ")
print("too many:", *(have - want), sep="\n  ")
sys.exit(want != have or not want)
PY
"$SHAREVM" apps disk.img --json >apps.json
same_as_expected() { python3 compare.py "$corpus/EXPECTED.tsv" "$1"; }
# the judge first: one program fewer, one version changed
jq -c '.apps |= .[1:]' apps.json >fewer.json
jq -c '.apps[3].version = "0"' apps.json >other.json
check "compare.py misses a program" rejects same_as_expected fewer.json
check "compare.py sees another version" rejects same_as_expected other.json
check "the programs are those of EXPECTED.tsv" same_as_expected apps.json
check "a user's program is his" jq -e '[.apps[] | select(.user)] |
	length == 1 and .[0].name == "Google Chrome" and .[0].user == "nfury"' apps.json
check "the document has the schema of CLI.md" jq -e '.schema == "sharevm.apps/1" and
	all(.apps[]; has("name") and has("version") and has("publisher") and has("installed") and
		has("source") and has("arch")) and
	([.apps[] | select(.name == "VMware Tools")][0] | .installed == "2011-07-05" and .arch == "x86")' \
	apps.json
check "updates are told with their time" jq -e '[.apps[] | select(.source == "update")] |
	length > 100 and all(.[]; .name | startswith("KB")) and
	all(.[]; .installed | test("^20[01][0-9]-.*Z$"))' apps.json
"$SHAREVM" apps disk.img --plain >apps.txt
check "--plain has a line for each" test "$(wc -l <apps.txt)" -eq "$(jq '.apps | length' apps.json)"
truncate -s 1M empty.img
several() { "$SHAREVM" apps disk.img empty.img disk.img --json >three.json; }
check_exit 7 "a disk without a system is told by the exit code" several
check "and the others are listed" test "$(jq -s 'map(.apps | length) | .[0] == .[1] and length == 2' three.json)" = true

# ---- the same machine, asked otherwise -------------------------------------------------------
"$SHAREVM" reg disk.img HKU/nfury/Software/Microsoft/Windows/CurrentVersion/Uninstall -R --json >reg.json
check "reg sees the user's hive" jq -e '[.keys[].values[] | select(.name == "DisplayName").data] ==
	["Google Chrome"]' reg.json
check "reg follows CurrentControlSet" test "$("$SHAREVM" reg disk.img \
	'HKLM\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName\ComputerName' --plain |
	cut -f 4)" = WKS-WIN732BITA
"$SHAREVM" show disk.img --json >show.json
services=$(awk -F '\t' '$1 == "plaso/SYSTEM" && $4 == "system.services" { print $5; exit }' "$corpus/EXPECTED.tsv")
# shellcheck disable=SC2016 # jq's own variables
check "show tells what the registry tells" jq -e --argjson services "$services" '.os |
	.product == "Windows 7 Ultimate" and .edition == "Ultimate" and
	.display_version == "Service Pack 1" and .build == 7601 and .arch == "x86" and
	.time_zone == "Eastern Standard Time" and .services == $services and
	.installed == "2010-11-10T16:28:55.000000000Z" and
	([.users[] | select(.name == "nfury")] | length) == 1' show.json
cat >automatic.py <<'PY'
"""Services that start by themselves and are no drivers, in what hivexregedit prints."""
import re
import sys

found = 0
for block in sys.stdin.read().split("\n\n"):
    start = re.search(r'"Start"=dword:0*2\n', block + "\n")
    kind = re.search(r'"Type"=dword:(\w+)', block)
    if re.match(r"\[\\ControlSet001\\services\\[^\\\]]+\]\n", block, re.I) and start and kind:
        found += int(kind.group(1), 16) & 0x30 > 0
print(found)
PY
xz -dc "$corpus/plaso/SYSTEM.xz" >SYSTEM
hivexregedit --export SYSTEM '\ControlSet001\Services' | python3 automatic.py >automatic
check "and which services start by themselves" test "$(jq '.os.services_auto' show.json)" -eq "$(cat automatic)"
check "of which there are some" test "$(cat automatic)" -gt 20
echo "ok: apps"
