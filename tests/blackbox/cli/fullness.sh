#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What fills a volume, against du(1) on the volume mounted by the kernel; what grows; how deep and
# wide the tree is; NTFS with streams, sparse files and second names.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"
requires mke2fs jq du

mkdir -p tree/etc tree/usr/lib tree/var/log/journal/1 tree/var/lib/docker/overlay2 tree/home/al/.cache \
	tree/home/zoe/.cache tree/srv/many
printf 'PRETTY_NAME="Debian 12"\nID=debian\n' >tree/etc/os-release
echo '/dev/vda / ext4 defaults 0 1' >tree/etc/fstab
head -c 3000000 /dev/urandom >tree/var/log/journal/1/system.journal
head -c 1500000 /dev/urandom >tree/var/log/syslog
head -c 4000000 /dev/urandom >tree/var/lib/docker/overlay2/layer
head -c 1100000 /dev/urandom >tree/home/al/.cache/a
head -c 1200000 /dev/urandom >tree/home/zoe/.cache/b
head -c 1300000 /dev/urandom >tree/srv/mail.PST
ln tree/var/log/syslog tree/srv/syslog-too
truncate -s 20M tree/srv/sparse
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	head -c $((i * 1000)) /dev/zero | tr '\0' x >tree/srv/many/f$i
done
mke2fs -q -F -t ext4 -d tree disk.raw 64M >mke2fs.log 2>&1

run 0 usage disk.raw --json
valid_json out
is out 'd["schema"]' sharevm.usage/1
is out 'd["roots"][0]["path"]' /
root='d["roots"][0]["tree"]'
is out "$root"'["files"]' "$(find tree ! -type d | wc -l | awk '{ print $1 - 1 }')" # syslog once
is out "$root"'["folders"]' "$(find tree -type d | wc -l | awk '{ print $1 + 1 }')" # lost+found
kind='{g["title"]: (g["path"], g["files"], g["places"]) for g in d["roots"][0]["growing"]}'
is out "$kind"'["the journal of systemd"]' "('/var/log/journal', 1, 1)"
is out "$kind"'["containers of Docker"][0]' /var/lib/docker
is out "$kind"'["caches of users"][1:]' "(2, 2)"
is out "$kind"'["mail files (Outlook)"][0]' /srv/mail.PST
is out "$kind"'["logs"]' "('/var/log', 0, 1)" # syslog counts in /srv, where it is met first
run 0 usage disk.raw
cp out page
has page "Likely to go on growing"
has page "journalctl --vacuum-size"
[ "$(wc -L <page)" -le 80 ] || bad "wider than 80 columns"
lacks page "//"

run 0 usage disk.raw:/srv --depth 1 --top 3 --json
is out "len(${root}['children'])" 3
is out "${root}['others']['entries']" 1
is out "sum(c['allocated'] for c in ${root}['children']) + ${root}['others']['allocated'] < ${root}['allocated']" True
run 0 usage disk.raw:/srv --depth 0 --json
is out "'children' in $root" False
run 0 usage disk.raw:/srv/sparse --apparent --plain
[ "$(cut -f 1 out)" = 20M ] || bad "the size of a file"
run 0 usage 'disk.raw:/home/*/.cache' --json
is out 'len(d["roots"])' 2
run 2 usage disk.raw --depth x
run 2 usage disk.raw --top 100000
run 1 usage disk.raw:/nowhere

# ---- against du ----
mkdir mnt
if mount -o loop,ro disk.raw mnt 2>mount.log; then
	on_exit "umount '$tmp/mnt'"
	for place in / /srv /var/log /home; do
		run 0 usage "disk.raw:$place" --json
		is out "$root"'["allocated"]' "$(du -s -B 1 "mnt$place" | cut -f 1)"
		# what du --apparent-size counts of folders depends on its version
		is out "$root"'["size"]' "$(find "mnt$place" ! -type d -printf '%i %s\n' | sort -u |
			awk '{ n += $2 } END { print n }')"
	done
	echo "ok: usage is du's"
else
	echo "no loop device: du is not asked"
fi

# ---- a Windows ----
if [ -e /dev/fuse ] && command -v mkntfs ntfs-3g >/dev/null; then
	truncate -s 48M win.raw
	mkntfs -q -F win.raw >mkntfs.log 2>&1
	mkdir win
	ntfs-3g -o streams_interface=windows win.raw win
	# shellcheck disable=SC2016 # a name with a dollar
	mkdir -p win/Windows/WinSxS win/Windows/System32 'win/$Recycle.Bin/S-1' win/Users/z/AppData/Local/Temp
	head -c 3000000 /dev/urandom >win/Windows/WinSxS/a.dll
	ln win/Windows/WinSxS/a.dll win/Windows/System32/a.dll
	head -c 2000000 /dev/urandom >win/HIBERFIL.SYS
	# shellcheck disable=SC2016
	head -c 1000000 /dev/urandom >'win/$Recycle.Bin/S-1/$R1.txt'
	echo x >win/Users/z/AppData/Local/Temp/t
	head -c 500000 /dev/urandom >win/Users/z/AppData/Local/Temp/t:more
	"$top/tools/unmount-ntfs.sh" "$tmp/win"
	run 0 usage win.raw --json
	is out "${root}['files']" 4
	is out "$kind"'["the hibernation file"][0]' "@disk0:/HIBERFIL.SYS"
	is out "$kind"'["the recycle bin"][0]' '@disk0:/$Recycle.Bin'
	is out '[g["size"] for g in d["roots"][0]["growing"] if g["kind"] == "temporary"]' "[500002]"
	is out "${root}['size']" 6500002
fi
