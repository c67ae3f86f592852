# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests of ext share: the kernel's own mounts (root, loop devices), and the judge that
# compares two folders by everything, after it was shown twins that differ in one thing each.
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/../lib.sh"
requires mke2fs debugfs python3 mount losetup

here=$(CDPATH='' cd -- "$(dirname "$0")" && pwd)
sv() { "$SHAREVM" "$@"; }

needs_mounts() {
	[ "$(id -u)" -eq 0 ] || skip "needs root to mount"
	truncate -s 1M "$tmp/probe"
	mke2fs -q -F -t ext4 -O ^has_journal "$tmp/probe"
	mkdir -p "$tmp/mnt"
	mount -o loop,ro "$tmp/probe" "$tmp/mnt" 2>/dev/null || skip "no loop device that can be mounted"
	umount "$tmp/mnt"
	on_exit "umount '$tmp/mnt' 2>/dev/null"
}

judge_same_tree() { # A B [--seconds]
	python3 "$here/compare-trees.py" "$@"
}

# A file, a link, a name: each twin lacks, or has differently, one of these.
judge_trees_is_one() {
	mkdir "$tmp/twin" "$tmp/twin/a"
	echo x >"$tmp/twin/a/file"
	ln "$tmp/twin/a/file" "$tmp/twin/a/second"
	ln -s file "$tmp/twin/a/link"
	cp -a "$tmp/twin/a" "$tmp/twin/b"
	check "the judge of trees accepts a twin" judge_same_tree "$tmp/twin/a" "$tmp/twin/b"
	for damage in 'echo y >file' 'chmod 600 file' 'touch -d 2001-01-01 file' 'rm link' \
		'ln -sf other link' 'rm second; cp -p file second' 'chown 1:1 file' ': >more' \
		'python3 -c "import os; os.setxattr(\"file\", \"user.a\", b\"1\")"'; do
		rm -r "$tmp/twin/b"
		cp -a "$tmp/twin/a" "$tmp/twin/b"
		(cd "$tmp/twin/b" && eval "$damage")
		check "and rejects one after: $damage" rejects judge_same_tree "$tmp/twin/a" "$tmp/twin/b"
	done
	rm -r "$tmp/twin"
}

# all kinds of objects, in the present folder
fill_tree() {
	mkdir -p deep/er/still many 'größe/日本語'
	for i in $(seq 300); do echo "file $i" >"many/a name that is long enough $i"; done
	echo down >deep/er/still/bottom
	echo x >'größe/日本語/файл.txt'
	head -c 3000001 /dev/urandom >large
	seq 100000 >numbers
	truncate -s 40M sparse
	echo tail >>sparse
	ln large 'größe/second name'
	ln large third
	ln -s large soft
	ln -s /etc/passwd absolute
	ln -s "$(head -c 200 /dev/zero | tr '\0' x)" long-link
	ln -s ../nowhere deep/broken
	mkfifo pipe
	mknod null c 1 3
	mknod disk b 259 70000
	chmod 4755 large
	chmod 1777 many
	chmod 0 numbers
	chown 65536:70000 sparse
	chown -h 1:2 soft
	python3 - <<'END'
import os, socket, struct
socket.socket(socket.AF_UNIX).bind('socket')
open(b'bytes \xff\xfe', 'w').close()
os.setxattr('large', 'user.colour', b'blue\0\n')
os.setxattr('large', 'security.capability', bytes.fromhex('0100000200200000' + '00' * 12))
os.setxattr('numbers', 'trusted.long', b'v' * 700)
acl = ((1, 6, -1), (2, 7, 1000), (2, 4, 70000), (4, 5, -1), (8, 1, 33), (16, 7, -1), (32, 0, -1))
value = struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *e) for e in acl)
os.setxattr('many', 'system.posix_acl_default', value)
os.setxattr('sparse', 'system.posix_acl_access', value)
END
	touch -h -d '2001-02-03 04:05:06.123456789Z' soft numbers deep
	touch -d '1905-01-01 00:00:00.5Z' large
	touch -d '2400-01-01 00:00:00.25Z' pipe
}
