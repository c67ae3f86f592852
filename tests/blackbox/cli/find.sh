#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Files found in machines, and patterns in places: against find(1) over the folder that the
# volume was made of; names that would do harm; df against debugfs.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"
requires mke2fs debugfs qemu-img jq

mkdir -p tree/etc/conf.d tree/home/zoe/.ssh tree/home/al tree/var/log tree/usr/lib
printf 'PRETTY_NAME="Debian 12"\nID=debian\n' >tree/etc/os-release
echo '/dev/vda / ext4 defaults 0 1' >tree/etc/fstab
for n in a b c; do echo $n >tree/etc/conf.d/$n.conf; done
echo secret >tree/home/zoe/.ssh/id
head -c 300000 /dev/urandom >tree/var/log/big.log
: >tree/var/log/empty
truncate -s 1M tree/var/log/sparse
ln -s /etc/passwd tree/home/al/passwd
ln -s ../../etc tree/home/al/etc
ln tree/var/log/big.log tree/var/log/again
mkfifo tree/var/pipe
touch -d '2001-02-03 04:05:06' tree/etc/conf.d/b.conf
evil=$(printf 'evil\033[2J\007\n-rf')
echo harmless >"tree/home/al/$evil"
printf 'x' >"tree/home/al/$(printf 'no-utf8-\377')"
mkdir "tree/home/al/ dir; rm -rf ~"
mke2fs -q -F -t ext4 -d tree disk.raw 32M >mke2fs.log 2>&1
qemu-img convert -O qcow2 disk.raw disk.qcow2

# same WHAT FIND-OPTIONS OPTION...: find(1) with its options and ours with the others find the
# same
same() {
	what=$1 theirs=$2
	shift 2
	(cd tree && eval "find . $theirs -printf '/%P\n'") | LC_ALL=C grep -av 'evil\|-rf$\|utf8' |
		sort >want
	"$SHAREVM" find disk.qcow2:/ "$@" 2>err | LC_ALL=C grep -av 'evil\|utf8\|/lost+found$' |
		sort >got
	[ -s want ] || bad "$what: find(1) finds nothing"
	cmp -s want got || { diff want got | head -20; bad "$what"; }
}
same "everything" "" --plain
same "names" "-name '*.conf'" --name '*.conf'
same "two names" "\( -name 'a*' -o -name '*.log' \)" --name 'a*' --name '*.log'
same "capitals" "-iname 'OS-*'" -i --name 'OS-*'
same "types" "-type d" --type d
same "several types" "\( -type l -o -type p \)" --type l,p
same "sizes" "-type f -size +100000c" --size +100000
same "small files" "-type f -size -7c" --size=-7
same "empty files" "-type f -size 0" --size 0
same "times" "-newermt 2002-01-01" --newer 2002-01-01
same "old" "! -newermt 2001-02-03T04:05:06" --older 2001-02-03T04:05:07
same "depth" "-maxdepth 1" --max-depth 1
run 0 find disk.raw:/etc disk.qcow2:/etc --name 'c.conf'
[ "$(cat out)" = "$(printf 'disk.raw:/etc/conf.d/c.conf\ndisk.qcow2:/etc/conf.d/c.conf')" ] ||
	bad "in the order of the words"
run 0 cat "$(head -1 out)"
run 0 find disk.raw --name '*.conf' -0
[ "$(tr -d -c '\0' <out | wc -c)" -eq 3 ] || bad "NULs"
run 0 find disk.raw --name big.log -l --json
valid_json out
is out 'd["schema"]' sharevm.find/1
is out '[(e["path"], e["size"], e["type"]) for e in d["entries"]]' "[('/var/log/big.log', 300000, 'file')]"
run 2 find disk.raw --type x
run 2 find disk.raw --size big
run 2 find disk.raw --newer soon
run 1 find disk.raw:/nowhere
run 7 find nowhere.raw disk.raw --name '*.conf'
[ "$(wc -l <out)" -eq 3 ] || bad "one bad machine stops the others"

# ---- names that would do harm ----
no_controls() { # FILE: but for the ends of lines
	[ "$(tr -d '\n' <"$1" | LC_ALL=C tr -d -c '\000-\037\177' | wc -c)" -eq 0 ] ||
		bad "controls reach the terminal"
}
run 0 find disk.raw:/home
no_controls out
has out 'evil\x1b[2J'
run 0 ls disk.raw:/home/al
no_controls out
run 0 ls -l 'disk.raw:/home/*/*'
no_controls out
run 0 find disk.raw:/home --json
valid_json out
is out 'sum("path_raw" in e for e in d["entries"])' 1
# a link leads into the machine only
run 1 cat disk.raw:/home/al/passwd
run 0 cat disk.raw:/home/al/etc/os-release

# ---- patterns ----
run 0 cat 'disk.raw:/etc/conf.d/*.conf'
[ "$(cat out)" = "$(printf 'a\nb\nc')" ] || bad "cat of a pattern"
run 0 cat 'disk.raw:/e?c/conf.[a-z]/[!ab].conf'
[ "$(cat out)" = c ] || bad "a pattern in folders"
run 0 find 'disk.raw:/home/*/.ssh'
[ "$(cat out)" = "$(printf '/home/zoe/.ssh\n/home/zoe/.ssh/id')" ] || bad "find in a pattern"
run 1 ls 'disk.raw:/home/zoe/*' # a leading dot is to be written
run 1 ls 'disk.raw:/home/zoe/nothing*'
has err "nothing fits"
run 0 ls 'disk.raw:/home/*' --json
valid_json out
is out 'sum(e["path"].startswith("/home/al/") for e in d["entries"])' 5
mkdir dest
run 0 cp 'disk.raw:/etc/conf.d/*.conf' disk.raw:/etc/os-release 'disk.qcow2:/var/log/big*' dest
[ "$(cd dest && ls | tr '\n' ' ')" = "a.conf b.conf big.log c.conf os-release " ] ||
	bad "cp of patterns"
check "cp of a pattern" cmp dest/big.log tree/var/log/big.log
run 1 cp 'disk.raw:/etc/conf.d/*.conf' new-file

# ---- df ----
free=$(debugfs -R 'stats -h' disk.raw 2>/dev/null | sed -n 's/^Free blocks: *//p')
block=$(debugfs -R 'stats -h' disk.raw 2>/dev/null | sed -n 's/^Block size: *//p')
run 0 df disk.raw --json
valid_json out
is out 'd["schema"]' sharevm.df/1
is out 'd["volumes"][0]["free"]' $((free * block))
is out 'd["volumes"][0]["size"] - d["volumes"][0]["used"]' $((free * block))
is out 'd["volumes"][0]["mount"]' /
run 0 df disk.raw disk.qcow2
[ "$(grep -c '^disk0 ' out)" -eq 2 ] || bad "two tables"
run 7 df nowhere.raw disk.raw
printf 'LUKS\272\276\0\2' | dd of=luks.raw conv=notrunc status=none && truncate -s 16M luks.raw
run 0 df luks.raw
has out "-"
