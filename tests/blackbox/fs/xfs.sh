#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# XFS as mkfs.xfs makes it with each set of features, filled by the kernel: everything that we
# copy out must be as the kernel shows it, with modes, owners, times, links and attributes.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mkfs.xfs xfs_repair losetup mount setfattr setfacl fallocate python3 xfs_io jq
[ "$(id -u)" = 0 ] || skip "only root can mount a volume"
grep -qw xfs /proc/filesystems || modprobe xfs 2>/dev/null || skip "this kernel has no XFS"
mkdir "$tmp/mnt"
on_exit "umount '$tmp/mnt' 2>/dev/null || :"

fill() { # in the root of a volume
	mkdir small block leaf node deep many-names
	echo one >small/one
	for i in $(seq 30); do echo "$i" >"block/file $i"; done
	for i in $(seq 400); do : >"leaf/a file with a longer name, number $i"; done
	python3 - <<-'END'
		import os
		long = 'x' * 200
		for i in range(3000):
		    open(f'node/{i:05}{long}', 'w').close()
		for i in range(0, 3000, 3):
		    os.unlink(f'node/{i:05}{long}')
		os.makedirs('deep/' + '/'.join('level%d' % i for i in range(40)))
		for name in ('Ünïcödé 漢字 𝄞', ' space ', 'new\nline', "quote'", 'back\\slash'):
		    open('many-names/' + name, 'w').write(name)
		open(b'many-names/latin-\xe9', 'w').close()
		# one file in very many pieces, so that its extents need a tree
		with open('pieces', 'wb') as f:
		    for i in range(3000):
		        f.seek(i * 16384)
		        f.write(bytes([i & 255]) * 4096)
		with open('node/holes', 'wb') as f:
		    f.truncate(10_000_000)
		    f.seek(5_000_000)
		    f.write(b'middle')
		for n, size in (('short', 20), ('leaf', 1000), ('remote', 60000)):
		    p = 'attr-' + n
		    open(p, 'w').write(n)
		    os.setxattr(p, 'user.value', os.urandom(size))
		for i in range(200):
		    os.setxattr('attr-leaf', f'user.attribute number {i}', b'v' * (i + 1))
		os.setxattr('attr-short', 'trusted.thing', b'x')
		os.symlink('short/target', 'link')
		os.symlink('y' * 1000, 'long-link')
		open('old', 'w').close()
		os.utime('old', ns=(10**9, -10**17))
		os.mknod('fifo', 0o10644)
		os.mknod('device', 0o20600, os.makedev(511, 70000))
		os.mknod('disk', 0o60660, os.makedev(8, 17))
		os.chown('small/one', 1000, 100)
		os.chmod('small/one', 0o4751)
		os.chmod('small', 0o2775)
		os.link('small/one', 'deep/another-name')
	END
	fallocate -l 3000000 reserved
	printf written | dd of=reserved bs=1 seek=1000000 conv=notrunc 2>/dev/null
	setfacl -m u:1000:rwx,g:100:r small/one
	setfacl -d -m u:1000:rwx small
	setfattr -n security.test -v value small/one
	head -c 3000000 /dev/urandom >plain
	cp --reflink=auto plain shared
	printf changed | dd of=shared bs=1 seek=70000 conv=notrunc 2>/dev/null
	# times behind 2038 where the volume can hold them
	touch -d '2040-02-03 04:05:06.789' future 2>/dev/null || :
}

one() { # NAME OPTION...
	name=$1
	shift
	image=$tmp/$name.raw
	truncate -s 400M "$image"
	mkfs.xfs -q -f "$@" "$image" 2>"$tmp/mkfs.log" || {
		cat "$tmp/mkfs.log"
		fail "mkfs.xfs $*"
	}
	if ! mount -o loop "$image" "$tmp/mnt" 2>/dev/null; then
		echo "passed over: this kernel does not mount XFS made with: $*"
		rm "$image"
		return
	fi
	(cd "$tmp/mnt" && fill)
	umount "$tmp/mnt"
	# a log that was not written out is told, before the next mount empties it
	mount -o loop,ro,norecovery "$image" "$tmp/mnt"
	python3 "$lib_dir/fs/manifest.py" "$tmp/mnt" >"$tmp/want"
	free=$(df -B1 --output=avail "$tmp/mnt" | tail -1)
	umount "$tmp/mnt"
	[ "$(wc -l <"$tmp/want")" -gt 2000 ] || fail "$name: the kernel shows too little"
	check "$name: xfs_repair finds it clean" xfs_repair -n "$image"
	# into a tar: whatever the file system of this machine can hold
	"$SHAREVM" cp "$image:/" - >"$tmp/out.tar" || fail "$name: cp"
	python3 "$lib_dir/fs/manifest.py" "$tmp/out.tar" >"$tmp/got"
	check "$name: all is as the kernel shows it" diff "$tmp/want" "$tmp/got"
	"$SHAREVM" show --json "$image" | jq -e '.disks[0].volumes[0] | .fs == "xfs" and
		(.flags | index("dirty") | not)' >/dev/null || fail "$name: show"
	"$SHAREVM" ls -R --json "$image:/" | jq -r '.entries[].path' | wc -l >"$tmp/count"
	echo "ok: $name: $(cat "$tmp/count") names; the kernel says $free bytes are free"
	rm "$image"
}

one default
one small-inodes-v4 -m crc=0
one v4-512 -m crc=0 -b size=512 -i size=256
one 1k -b size=1024 -i size=512
one wide-folders -n size=65536
one folders-8k -b size=1024 -n size=8192
one plain-v5 -m bigtime=0,reflink=0,rmapbt=0,finobt=0 -i sparse=0
one new -m bigtime=1,reflink=1,rmapbt=1 -i nrext64=1,sparse=1
one big-inodes -i size=2048 -d agcount=5

# a volume that was not unmounted
truncate -s 350M "$tmp/dirty.raw"
mkfs.xfs -q "$tmp/dirty.raw"
mount -o loop "$tmp/dirty.raw" "$tmp/mnt"
"$SHAREVM" show --json "$tmp/dirty.raw" >"$tmp/show"
mkdir "$tmp/mnt/folder"
for i in $(seq 50); do echo "$i" >"$tmp/mnt/folder/$i"; done
sync
xfs_io -x -c shutdown "$tmp/mnt"
umount "$tmp/mnt"
"$SHAREVM" show --json "$tmp/dirty.raw" | jq -e '.disks[0].volumes[0].flags | index("dirty")' \
	>/dev/null || fail "an XFS that was not unmounted is shown as clean"
mount -o loop "$tmp/dirty.raw" "$tmp/mnt"
umount "$tmp/mnt"
"$SHAREVM" show --json "$tmp/dirty.raw" | jq -e '.disks[0].volumes[0].flags | index("dirty") | not' \
	>/dev/null || fail "an XFS that was unmounted is shown as dirty"
echo "ok: a log that is not empty is told"
