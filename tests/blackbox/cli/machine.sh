#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A person looks around in a machine, takes files out, extends it and goes back: what the
# commands print, their documents and exit codes. What they do is judged elsewhere too
# (../extend); here the files that cp gives are judged by their sums and ntfs-3g's times.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"
sample_requires
requires tar jq

vmx='' disk='' c_start='' c_size='' # make_sample sets them

make_sample "$tmp/s"
vm=$vmx machine=$(dirname "$vmx") manifest=$tmp/s/manifest.sha256
sums_of "$machine" >before
untouched() { check "the original is untouched" judge_originals "$machine" before; }

# ---- show ----
run 0 show "$vm"
has out "Windows 7  switched off"
has out "disk0p1"
has out "is nearly full"
grep -v '/' out >pathless # a path is as long as it is
[ "$(wc -L <pathless)" -le 80 ] || bad "show is wider than 80 columns"
run 0 show "$machine" --json
valid_json out
is out 'd["schema"]' sharevm.show/1
is out 'd["vm"]["state"]' off
is out 'len(d["disks"][0]["chain"])' 2
is out 'd["disks"][0]["virtual_size"]' 268435456
is out '[v["size"] for v in d["disks"][0]["volumes"]]' "[$c_size]"
is out 'd["disks"][0]["volumes"][0]["used"] + d["disks"][0]["volumes"][0]["free"] <= '"$c_size" True
run 0 show "$vm" "$disk" --json
[ "$(wc -l <out)" -eq 2 ] || bad "two machines are not two lines"
run 7 show "$vm" nowhere.vmx --json # one of two
valid_json out
valid_json err
run 0 show "$vm" --plain
has out "disk0p1$(printf '\t')"

# ---- ls, stat, cat ----
run 0 ls "$vm"
has out disk0p1
run 0 ls "$vm:/"
has out "Windows/"
run 0 ls -R "$vm:@disk0p1:/"
# what the manifest names, less named streams, and the folders that it implies
cut -c 67- "$manifest" | grep -v ':' | sort >named
grep -v '/$' out | sort >files
check "ls -R names every file" cmp named files
run 0 ls -R -l "$vm:/" --json
valid_json out
is out 'sum(e["type"] == "file" for e in d["entries"])' "$(wc -l <named | tr -d ' ')"
first=$(head -1 named)
run 0 cat "$vm:/$first"
[ "$(sha256sum <out | cut -c 1-64)" = "$(grep -F "  $first" "$manifest" | head -1 | cut -c 1-64)" ] ||
	bad "cat of $first"
run 0 stat "$vm:/$first" --json
is out 'd["type"]' file
run 1 cat "$vm:/no/such/file"
has err 'no "'
run 2 cat "$vm:/Windows"
has err "is a folder"
stream=$(cut -c 67- "$manifest" | grep ':' | head -1)
if [ -n "$stream" ]; then
	run 0 cat --stream "${stream##*:}" "$vm:/${stream%:*}"
	[ "$(sha256sum <out | cut -c 1-64)" = "$(grep -F "  $stream" "$manifest" | cut -c 1-64)" ] ||
		bad "cat of the stream $stream"
	run 0 ls -l "$vm:/$(dirname "${stream%:*}")"
	has out "${stream##*/}"
	run 0 stat "$vm:/${stream%:*}"
	has out "${stream##*:}"
fi

# ---- cp ----
mkdir out.d
run 0 cp "$vm:/" out.d/all
check "cp copies every file" python3 "$top/tools/check-manifest.py" out.d/all "$manifest" \
	--without '*:*'
run 7 cp "$vm:/Windows" out.d/all
has err "exists; --force replaces it"
run 0 cp --force "$vm:/Windows" out.d/all
run 0 cp -n "$vm:/" out.d/none --json
is out 'd["files"]' "$(wc -l <named | tr -d ' ')"
[ ! -e out.d/none ] || bad "--dry-run wrote"
"$SHAREVM" cp "$vm:/" - >all.tar 2>err || bad "cp to a tar stream"
mkdir tar.d
tar xf all.tar -C tar.d 2>err || bad "tar does not like the stream"
empty err
check "the tar stream has every file" python3 "$top/tools/check-manifest.py" tar.d/* \
	"$manifest" --without '*:*'
run 1 cp "$vm:/$first" nowhere/x
run 2 cp "$vm:/$first"

# times: those that ntfs-3g shows, to the 100 ns that NTFS keeps
raw_view "$disk" raw
window raw volume "$c_start" "$c_size"
rm raw
mkdir mnt
ntfs-3g -o ro volume mnt || skip "no loop device or FUSE for ntfs-3g"
on_exit "umount '$tmp/mnt' 2>/dev/null"
file_times() { (cd "$1" && find . -type f -printf '%P %TY-%Tm-%Td %TH:%TM:%TS\n' | sort); }
file_times mnt >times.mnt
file_times out.d/all >times.cp
check "cp keeps the times of files" cmp times.mnt times.cp
file_times tar.d/* >times.tar
check "so does the tar stream" cmp times.mnt times.tar
folder_times() { (cd "$1" && find . -mindepth 1 -type d -printf '%P %TY-%Tm-%Td %TH:%TM:%TS\n' | sort); }
folder_times mnt >times.mnt
folder_times tar.d/* >times.tar
check "and the times of folders" cmp times.mnt times.tar
"$top/tools/unmount-ntfs.sh" mnt
untouched

# ---- extend, verify, rollback ----
run 0 extend "$vm" --to 1G -n
has out "virtual disk"
has out "256M"
run 0 extend "$vm" --by 768M -n --json
valid_json out
is out 'd["plan"]["to"]' 1073741824
is out '"result" in d' False
[ ! -e "$tmp/s/Windows 7-extended" ] || bad "--dry-run wrote"
run 2 extend "$vm" --to 1M
run 0 extend "$vm" --to 1G --linked --into "$tmp/s/big" --json
valid_json out
is out 'd["plan"]["mode"]' linked
is out 'd["result"]["folder"]' "$tmp/s/big"
run 0 show "$tmp/s/big" --json
is out 'd["disks"][0]["virtual_size"]' 1073741824
run 0 verify "$tmp/s/big" --json
is out 'd["faults"]' '[]'
run 1 extend "$vm" --to 1G --into "$tmp/s/big"
has err "exists already"
run 0 rollback "$tmp/s/big" -n
[ -d "$tmp/s/big" ] || bad "rollback --dry-run deleted"
run 2 rollback "$tmp/s/big"
run 0 rollback "$tmp/s/big" -n --json
is out 'd["dry_run"]' True
run 0 flatten "$tmp/s/big" -n --json
is out 'd["dry_run"]' True
run 0 image info "$tmp/s/big/Windows 7-extended.vmdk" --json
is out 'len(d["chain"])' 3
run 0 flatten "$tmp/s/big" --json
is out 'd["dry_run"]' False
run 0 image info "$tmp/s/big"/*.vmdk --json
is out 'len(d["chain"])' 1
run 0 verify "$tmp/s/big"
run 0 rollback "$tmp/s/big" --yes
[ ! -e "$tmp/s/big" ] || bad "rollback left the folder"
untouched

# ---- questions ----
expect() { [ "$code" -eq "$1" ] || bad "$2: exit code $code, not $1"; }
big=$tmp/s/big
on_terminal 'n\n' "$SHAREVM" extend "$vm" --to 1G --into "$big"
expect 130 "no"
has out "nothing was changed"
on_terminal '\x03' "$SHAREVM" extend "$vm" --to 1G --into "$big"
expect 130 "Ctrl-C at the question"
on_terminal '\x04' "$SHAREVM" extend "$vm" --to 1G --into "$big"
expect 130 "end of input at the question"
check "nothing was made" test ! -e "$big" -a ! -e "$big.partial"
on_terminal '\n' "$SHAREVM" extend "$vm" --to 1G --into "$big" --linked
expect 0 "Enter means yes to what harms nothing"
on_terminal '\n' "$SHAREVM" rollback "$big"
expect 130 "Enter means no to what deletes"
on_terminal 'yes\n' "$SHAREVM" rollback "$big"
expect 0 "yes"
check "it is gone" test ! -e "$big"
run 0 extend "$vm" --to 1G --into "$big" --linked --no-input
run 2 rollback "$big" --no-input
run 0 rollback "$big" --no-input -y
untouched

# ---- refusals ----
mkdir "$machine/Windows 7.vmx.lck"
echo "a lock of a kind that nobody knows" >"$machine/Windows 7.vmx.lck/M1.lck"
run 3 extend "$vm" --to 1G
has err "hint:"
run 0 show "$vm"
lacks out "switched off"
rm -r "$machine/Windows 7.vmx.lck"
run 0 image check "$disk"
has out "sound"
cp "$machine/Windows 7-s001.vmdk" cut.vmdk
truncate -s 200000 cut.vmdk
printf '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="%s"\n%s\n' \
	twoGbMaxExtentSparse 'RW 524288 SPARSE "cut.vmdk"' >bad.vmdk
run 8 image check bad.vmdk --json
valid_json out
is out 'len(d["errors"]) > 0' True
run 7 show bad.vmdk
has out "! disk0p1: a grain is said to be at sector"
untouched
