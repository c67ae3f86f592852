#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Files with holes: in a tar they take what they hold, and GNU tar and Python's tarfile unpack
# them; in a folder they keep their holes.
# shellcheck source=tests/blackbox/cli/checks.sh
. "$(dirname "$0")/checks.sh"
requires mke2fs tar python3

mkdir -p tree/dir
data() { head -c "$1" /dev/urandom; }
truncate -s 20M tree/dir/hole
data 100000 >tree/dir/mid
truncate -s 5M tree/dir/mid
data 100000 | dd of=tree/dir/mid bs=1000 seek=3000 conv=notrunc status=none
data 7000 | dd of=tree/dir/end bs=1000 seek=9000 status=none
truncate -s 70000 tree/dir/small-hole
data 50000 >tree/dir/whole
cp --sparse=always tree/dir/mid "tree/dir/$(printf '%0120d' 7)"
cp --sparse=always tree/dir/end "tree/dir/$(printf '\303\244')"
ln tree/dir/mid tree/dir/mid-again
find tree -exec touch -h -d '2020-01-02 03:04:05' {} +
mke2fs -q -F -t ext4 -d tree disk.raw 64M >mke2fs.log 2>&1

run 0 cp -q disk.raw:/dir -
mv out dir.tar
[ "$(stat -c %s dir.tar)" -lt 700000 ] || bad "the holes are in the tar"
mkdir by-tar by-python by-cp
check "GNU tar unpacks it" tar -x -C by-tar -f dir.tar
check "the files are the same" diff -r tree/dir by-tar/dir
[ "$(du -s -k by-tar | cut -f 1)" -le 1000 ] || bad "GNU tar made no holes"
[ "$(stat -c %h by-tar/dir/mid)" -eq 2 ] || bad "the second name"
check "Python unpacks it" python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' \
	dir.tar by-python
check "with the same files" diff -r tree/dir by-python/dir
run 0 cp -q disk.raw:/dir by-cp
check "cp copies the same" diff -r tree/dir by-cp/dir
[ "$(du -s -k by-cp | cut -f 1)" -le 1000 ] || bad "cp made no holes"
run 0 cp -q disk.raw:/dir/hole disk.raw:/dir/whole -
mv out two.tar
check "single files, too" tar -d -C tree/dir -f two.tar
