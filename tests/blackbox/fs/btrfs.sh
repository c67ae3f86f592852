#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# btrfs as mkfs.btrfs makes it with each checksum, node size and compression, filled by the
# kernel: everything that we copy out must be as the kernel shows it, with modes, owners, times,
# links and attributes, in subvolumes and snapshots, too. Before that, without any mounting, a
# volume that mkfs.btrfs fills, beside what "btrfs restore" gets out of it.
set -eu
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mkfs.btrfs btrfs python3 setfattr setfacl jq
manifest=$lib_dir/fs/manifest.py

fill() { # in the root of a volume or an empty folder; $1: "mounted" for what mkfs.btrfs cannot do
	python3 - "$1" <<-'END'
		import os, sys
		mounted = sys.argv[1] == 'mounted'
		os.makedirs('folder/' + '/'.join(f'level{i}' for i in range(40)))
		os.makedirs('many-names')
		os.makedirs('many')
		for name in ('Ünïcödé 漢字 𝄞', ' space ', 'new\nline', "quote'", 'back\\slash', 'x' * 255):
		    open('many-names/' + name, 'w').write(name)
		open(b'many-names/latin-\xe9', 'w').close()
		for i in range(800):
		    open(f'many/a file with a longer name, number {i}', 'w').write('x' * (i * 5))
		for i in range(0, 800, 3):
		    os.unlink(f'many/a file with a longer name, number {i}')
		# one file in very many pieces
		with open('pieces', 'wb') as f:
		    for i in range(400):
		        f.seek(i * 16384)
		        f.write(bytes([i & 255]) * 4096)
		        if mounted and i % 40 == 0:
		            os.fsync(f.fileno())
		with open('holes', 'wb') as f:
		    f.truncate(10_000_000)
		    f.seek(5_000_001)
		    f.write(b'middle')
		open('packs-well', 'w').write(''.join(f'{i:09}\n' for i in range(150000)))
		open('random', 'wb').write(os.urandom(700001))
		open('mixed', 'wb').write(b''.join(os.urandom(3000) + b'a' * 9000 for i in range(60)))
		for size in (1, 2000, 4000, 4096, 4097):
		    open(f'size-{size}', 'w').write('s' * size)
		open('empty', 'w').close()
		for i in range(200 if mounted else 10):
		    os.setxattr('empty', f'user.attribute number {i}', b'v' * (i + 1))
		os.symlink('folder/target', 'link')
		os.symlink('y' * 1000, 'long-link')
		open('old', 'w').close()
		os.utime('old', ns=(10**9, -10**17))
		os.chown('size-1', 1000, 100)
		os.chmod('size-1', 0o4751)
		os.chmod('folder', 0o2775)
		if mounted:
		    for i in range(150): # more than fit a single item
		        os.link('size-1', f'folder/another name of the same file that is not short {i:03}')
		    os.mknod('fifo', 0o10644)
		    os.mknod('device', 0o20600, os.makedev(511, 70000))
		    os.mknod('disk', 0o60660, os.makedev(8, 17))
		    os.setxattr('size-1', 'trusted.thing', b'x')
		    os.setxattr('size-1', 'user.long', os.urandom(3000))
	END
}

fill_more() { # in a mounted volume: what the kernel's own calls make
	fallocate -l 3000000 reserved
	printf written | dd of=reserved bs=1 seek=1000000 conv=notrunc 2>/dev/null
	setfacl -m u:1000:rwx,g:100:r size-1
	setfacl -d -m u:1000:rwx folder
	setfattr -n security.test -v value size-1
	cp --reflink=always random shared
	printf changed | dd of=shared bs=1 seek=70000 conv=notrunc 2>/dev/null
	cp --reflink=always packs-well shared-packed
	printf changed | dd of=shared-packed bs=1 seek=300000 conv=notrunc 2>/dev/null
	: >no-sums
	chattr +C no-sums 2>/dev/null || :
	seq 50000 >no-sums
	btrfs -q subvolume create sub
	btrfs -q subvolume create sub/inner
	echo inner >sub/inner/file
	echo before >sub/file
	ln sub/file sub/other-name
	sync
	btrfs -q subvolume snapshot sub snapshot
	btrfs -q subvolume snapshot -r . sub/of-all
	echo after >sub/file
	btrfs -q subvolume create gone
	btrfs -q subvolume delete gone >/dev/null
}

# ---- without mounting ----

mkdir "$tmp/source" "$tmp/restored"
(cd "$tmp/source" && fill plain)
truncate -s 200M "$tmp/rootdir.raw"
mkfs.btrfs -q --rootdir "$tmp/source" "$tmp/rootdir.raw" >"$tmp/mkfs.log" 2>&1 || {
	cat "$tmp/mkfs.log"
	fail "mkfs.btrfs --rootdir"
}
# it keeps whole seconds, and older ones follow no time before 1970
whole() { sed -E '/^.\.\/old/d; s/^(.* [0-9]+:[0-9]+ -?[0-9]+)[0-9]{9} /\1 /' "$1"; }
python3 "$manifest" "$tmp/source" >"$tmp/source.txt"
"$SHAREVM" cp "$tmp/rootdir.raw:/" - >"$tmp/out.tar"
python3 "$manifest" "$tmp/out.tar" >"$tmp/out.txt"
whole "$tmp/source.txt" >"$tmp/want"
whole "$tmp/out.txt" >"$tmp/got"
check "a volume that mkfs.btrfs filled" diff "$tmp/want" "$tmp/got"
btrfs restore -S "$tmp/rootdir.raw" "$tmp/restored" >/dev/null 2>&1
contents() { sed -nE 's/^(.*) [0-7]+ [0-9]+:[0-9]+ .* (file .*|link .*)$/\1 \2/p' "$1"; }
python3 "$manifest" "$tmp/restored" >"$tmp/restored.txt"
contents "$tmp/restored.txt" >"$tmp/want"
contents "$tmp/out.txt" >"$tmp/got"
check "btrfs restore gets the same out of it" diff "$tmp/want" "$tmp/got"
rm -r "$tmp/restored" "$tmp/rootdir.raw"

# ---- as the kernel writes ----

[ "$(id -u)" = 0 ] || skip "only root can mount a volume"
grep -qw btrfs /proc/filesystems || modprobe btrfs 2>/dev/null || skip "this kernel has no btrfs"
mkdir "$tmp/mnt"
on_exit "umount '$tmp/mnt' 2>/dev/null || :"

# as the kernel shows it; what stands for a subvolume in a snapshot is as old as the mount
known() { # FOLDER-OR-TAR
	python3 "$manifest" "$1" | grep -vE "^'\./(snapshot/inner|sub/of-all/(sub|snapshot))' "
}

one() { # NAME MOUNT-OPTIONS MKFS-OPTION...
	name=$1 options=$2 image=$tmp/$1.raw
	shift 2
	truncate -s 400M "$image"
	mkfs.btrfs -q -f "$@" "$image" >"$tmp/mkfs.log" 2>&1 || {
		cat "$tmp/mkfs.log"
		fail "mkfs.btrfs $*"
	}
	if ! mount -o "loop,$options" "$image" "$tmp/mnt" 2>/dev/null; then
		echo "passed over: this kernel does not mount btrfs made with: $* ($options)"
		rm "$image"
		return
	fi
	(cd "$tmp/mnt" && fill mounted && fill_more)
	umount "$tmp/mnt"
	mount -o loop,ro "$image" "$tmp/mnt"
	known "$tmp/mnt" >"$tmp/want"
	umount "$tmp/mnt"
	[ "$(wc -l <"$tmp/want")" -gt 1000 ] || fail "$name: the kernel shows too little"
	# into a tar: whatever the file system of this machine can hold
	"$SHAREVM" cp "$image:/" - >"$tmp/out.tar" || fail "$name: cp"
	known "$tmp/out.tar" >"$tmp/got"
	check "$name: all is as the kernel shows it" diff "$tmp/want" "$tmp/got"
	"$SHAREVM" show --json "$image" | jq -e '.disks[0].volumes[0] | .fs == "btrfs" and
		(.flags | index("dirty") | not)' >/dev/null || fail "$name: show"
	rm "$image"
}

one default defaults
one zlib compress-force=zlib --csum xxhash
one lzo compress-force=lzo --csum sha256
one zstd compress-force=zstd:3 --csum blake2 -n 65536
one mixed-4k compress=zstd -M -n 4096 -s 4096
one old max_inline=0 -O ^no-holes,^skinny-metadata -R ^free-space-tree -m dup -d dup

# ---- a log that was not replayed ----

truncate -s 200M "$tmp/crash.raw"
mkfs.btrfs -q "$tmp/crash.raw" >/dev/null 2>&1
mount -o loop,commit=300 "$tmp/crash.raw" "$tmp/mnt"
echo old >"$tmp/mnt/file"
sync -f "$tmp/mnt"
python3 - "$tmp/mnt/file" <<-'END' # into the log, as a program does that saves
	import os, sys
	with open(sys.argv[1], 'a') as f:
	    f.write('new')
	    f.flush()
	    os.fsync(f.fileno())
END
cp --sparse=always "$tmp/crash.raw" "$tmp/copy.raw"
umount "$tmp/mnt"
"$SHAREVM" show --json "$tmp/copy.raw" | jq -e '.disks[0].volumes[0].flags | index("dirty")' \
	>/dev/null || fail "a log that was not replayed is not told"
"$SHAREVM" show --json "$tmp/crash.raw" | jq -e '.disks[0].volumes[0].flags | index("dirty") | not' \
	>/dev/null || fail "a volume that was unmounted is shown as dirty"
echo "ok: a log that was not replayed is told"

# ---- a system in subvolumes ----

truncate -s 300M "$tmp/system.raw"
mkfs.btrfs -q -L data "$tmp/system.raw" >/dev/null 2>&1
mount -o loop "$tmp/system.raw" "$tmp/mnt"
btrfs -q subvolume create "$tmp/mnt/roots"
btrfs -q subvolume create "$tmp/mnt/roots/new"
btrfs -q subvolume create "$tmp/mnt/@home"
btrfs -q subvolume create "$tmp/mnt/by-number"
root=$tmp/mnt/roots/new
mkdir "$root/etc" "$root/usr" "$root/home" "$root/srv" "$root/top"
number=$(btrfs subvolume list "$tmp/mnt" | sed -n 's/^ID \([0-9]*\) .* by-number$/\1/p')
printf 'PRETTY_NAME="A System on btrfs"\n' >"$root/etc/os-release"
printf '%s / btrfs defaults 0 0\n%s /home btrfs rw,subvol=/@home 0 0\n%s /srv btrfs subvolid=%s 0 0\n' \
	LABEL=data LABEL=data LABEL=data "$number" >"$root/etc/fstab"
printf 'LABEL=data /top btrfs subvolid=5 0 0\n' >>"$root/etc/fstab"
echo home >"$tmp/mnt/@home/file"
echo numbered >"$tmp/mnt/by-number/file"
btrfs subvolume set-default "$root"
umount "$tmp/mnt"
is() { # WHAT PATH CONTENT
	[ "$("$SHAREVM" cat "$tmp/system.raw:$2")" = "$3" ] || fail "$1"
	echo "ok: $1"
}
is "the default subvolume is /" /etc/os-release 'PRETTY_NAME="A System on btrfs"'
is "a subvolume mounted by its path" /home/file home
is "a subvolume mounted by its number" /srv/file numbered
is "the top-level subvolume mounted below the default one" /top/@home/file home
is "the volume itself" @disk0:/@home/file home
"$SHAREVM" show --json "$tmp/system.raw" | grep -q "A System on btrfs" || fail "show tells no system"
